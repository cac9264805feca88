locals {
  zone = coalesce(var.zone, "${var.region}-b")

  # Cloud Storage writes locations in capitals; BigQuery only those of its multi-regions.
  storage_location   = upper(coalesce(var.location, var.region))
  warehouse_location = contains(["US", "EU"], local.storage_location) ? local.storage_location : lower(local.storage_location)

  # Nothing here changes from one plan to the next: a label that did would make every plan non-empty.
  labels = {
    stack       = var.name
    environment = var.environment
    run         = var.run
  }
}

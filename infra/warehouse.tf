resource "google_bigquery_dataset" "trips" {
  dataset_id                 = "${replace(var.name, "-", "_")}_trips"
  description                = "NYC taxi trips by month of the published file, and the ledger of their loads."
  location                   = local.warehouse_location
  delete_contents_on_destroy = var.force_destroy

  depends_on = [google_project_service.this]
}

resource "google_bigquery_dataset" "staging" {
  dataset_id                  = "${replace(var.name, "-", "_")}_staging"
  description                 = "Tables of loads under way. They expire by themselves."
  location                    = local.warehouse_location
  default_table_expiration_ms = var.staging_expiration_hours * 60 * 60 * 1000

  # Scratch by definition: nothing in it is worth holding up a destroy, or seven days of time travel.
  delete_contents_on_destroy = true
  max_time_travel_hours      = "48"

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket" "state" {
  name                        = coalesce(var.state_bucket, "${var.project}-tfstate")
  location                    = upper(coalesce(var.state_location, var.region))
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # A state that a bad apply wrote is mended by taking the version before.
  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 60 * 60
  }

  # Both conditions must hold: the newest versions are kept whatever their age.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions         = var.state_versions
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

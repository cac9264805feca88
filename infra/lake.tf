# The lake: the month files as published, under raw/<taxi>/.
resource "google_storage_bucket" "lake" {
  name                        = "${var.project}-${var.name}-lake"
  location                    = local.storage_location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  versioning {
    enabled = var.lake_versioning
  }

  # The parts of a multipart upload (XML API: other tools make such) that broke off are billed
  # until it is aborted. The resumable uploads of the flows expire by themselves after a week.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.lake_nearline_days > 0 ? [var.lake_nearline_days] : []
    content {
      action {
        type          = "SetStorageClass"
        storage_class = "NEARLINE"
      }
      condition {
        age                   = lifecycle_rule.value
        matches_storage_class = ["STANDARD"]
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.lake_versioning ? [30] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value
        with_state                 = "ARCHIVED"
      }
    }
  }

  depends_on = [google_project_service.this]
}

# Kestra's internal storage: namespace files, the values of KV pairs, the outputs of executions.
# No rule deletes by age here: the first two are as old as the last deployment and must stay.
resource "google_storage_bucket" "kestra" {
  name                        = "${var.project}-${var.name}-kestra"
  location                    = local.storage_location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  # Executions write and purge all the time; soft delete would bill every purged file for days.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  depends_on = [google_project_service.this]
}

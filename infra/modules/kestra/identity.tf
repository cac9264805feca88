# The VM's own identity. It has no keys: the VM gets short-lived tokens from its metadata server.
resource "google_service_account" "kestra" {
  account_id   = "${var.name}-kestra"
  display_name = "Kestra server of ${var.name}"
  description  = "Reads and writes the buckets and datasets of the stack, and reads its own secrets."

  # To change them takes iam.serviceAccounts.update, which no role has without the right to hand the
  # account out: CI has neither.
  lifecycle {
    ignore_changes = [description, display_name]
  }
}

resource "google_storage_bucket_iam_member" "kestra" {
  for_each = var.buckets

  bucket = each.value
  role   = "roles/storage.objectUser"
  member = google_service_account.kestra.member
}

resource "google_bigquery_dataset_iam_member" "kestra" {
  for_each = var.datasets

  dataset_id = each.value
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.kestra.member
}

# The two roles on the project: BigQuery has no smaller place to grant the right to run jobs, and
# Cloud Logging none to grant the right to write entries.
resource "google_project_iam_member" "jobs" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.kestra.member
}

resource "google_project_iam_member" "logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.kestra.member
}

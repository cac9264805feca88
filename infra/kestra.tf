# Everything that runs: removed as a whole by compute_enabled = false, while the data stays.
module "kestra" {
  source = "./modules/kestra"
  count  = var.compute_enabled ? 1 : 0

  name    = var.name
  project = var.project
  region  = var.region
  zone    = local.zone
  labels  = local.labels

  buckets = {
    lake   = google_storage_bucket.lake.name
    kestra = google_storage_bucket.kestra.name
  }
  datasets = {
    trips   = google_bigquery_dataset.trips.dataset_id
    staging = google_bigquery_dataset.staging.dataset_id
  }
  data_disk        = google_compute_disk.data.id
  data_disk_number = google_compute_disk.data.disk_id

  boot_disk_size_gb   = var.boot_disk_size_gb
  deletion_protection = var.deletion_protection
  desired_status      = var.desired_status
  machine_type        = var.machine_type
  schedule            = var.schedule
  schedules           = [for policy in google_compute_resource_policy.hours : policy.self_link]
  subnet_range        = var.subnet_range

  alarm_email = var.alarm_email

  kestra_port    = var.kestra_port
  kestra_user    = var.kestra_user
  kestra_version = var.kestra_version

  passwords = {
    ALARM_WEBHOOK     = var.alarm_webhook
    KESTRA_PASSWORD   = var.kestra_password
    POSTGRES_PASSWORD = var.postgres_password
  }
  secret_version = var.secret_version

  depends_on = [google_project_service.this]
}

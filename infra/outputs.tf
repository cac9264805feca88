output "bucket" {
  description = "Name of the lake bucket."
  value       = google_storage_bucket.lake.name
}

output "dataset" {
  description = "Id of the dataset that holds the trips and the ledger."
  value       = google_bigquery_dataset.trips.dataset_id
}

output "etl_requirements" {
  description = "SHA-256 of infra/kestra/requirements.txt, the ETL packages that the server is built with. null without a server."
  value       = one(module.kestra[*].etl_requirements)
}

output "instance" {
  description = "Name of the VM. null without a server."
  value       = one(module.kestra[*].instance)
}

output "kestra_bucket" {
  description = "Name of the bucket of Kestra's internal storage."
  value       = google_storage_bucket.kestra.name
}

output "kestra_port" {
  description = "TCP port of Kestra's UI and API on the VM."
  value       = var.kestra_port
}

output "kestra_secret" {
  description = "Id of the secret that holds the password of Kestra's administrator. null without a server."
  value       = one(module.kestra[*].secrets.KESTRA_PASSWORD)
}

output "kestra_user" {
  description = "User name of Kestra's administrator."
  value       = var.kestra_user
}

output "labels" {
  description = "Labels that everything in the stack carries."
  value       = local.labels
}

output "location" {
  description = "Location of the datasets, as BigQuery writes it."
  value       = google_bigquery_dataset.trips.location
}

output "postgres_secret" {
  description = "Id of the secret that holds the password of the flows' PostgreSQL user. null without a server."
  value       = one(module.kestra[*].secrets.POSTGRES_PASSWORD)
}

output "project" {
  description = "Id of the project."
  value       = var.project
}

output "secret_version" {
  description = "Generation of the passwords that Secret Manager holds."
  value       = var.secret_version
}

output "service_account" {
  description = "E-mail of the VM's service account. null without a server."
  value       = one(module.kestra[*].service_account)
}

output "staging_dataset" {
  description = "Id of the dataset of loads under way."
  value       = google_bigquery_dataset.staging.dataset_id
}

output "zone" {
  description = "Zone of the VM."
  value       = local.zone
}

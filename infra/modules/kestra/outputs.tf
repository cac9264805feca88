output "etl_requirements" {
  description = "SHA-256 of the requirements file that the server is built with."
  value       = local.etl_requirements
}

output "instance" {
  description = "Name of the VM, once it may do all that it needs to."
  value       = google_compute_instance.kestra.name
}

output "secrets" {
  description = "Ids of the secrets, by the name that the boot script knows them by."
  value       = local.secrets
  depends_on  = [google_secret_manager_secret_version.this]
}

output "service_account" {
  description = "E-mail of the VM's service account."
  value       = google_service_account.kestra.email
}

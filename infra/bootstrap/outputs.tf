output "deployer" {
  description = "E-mail of the account that CI deploys with (`service_account` of google-github-actions/auth). null without CI identity."
  value       = one(values(google_service_account.deployer)[*].email)
}

output "github" {
  description = "The repository that may deploy, as `github` was given: `setup` keeps it when it is run again. null without CI identity."
  value       = var.github
}

output "pool" {
  description = "Id of the workload identity pool, as it was given: `setup` keeps it when it is run again."
  value       = var.pool
}

output "state_bucket" {
  description = "Name of the bucket of Terraform's states (setting `state_bucket`)."
  value       = google_storage_bucket.state.name
}

output "workload_identity_provider" {
  description = "Full name of the provider (`workload_identity_provider` of google-github-actions/auth). null without CI identity."
  value       = one(values(google_iam_workload_identity_pool_provider.ci)[*].name)
}

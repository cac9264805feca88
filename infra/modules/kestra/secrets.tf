locals {
  # Name that the boot script knows a secret by -> its id.
  secrets = {
    ALARM_WEBHOOK     = "${var.name}-alarm-webhook"
    KESTRA_PASSWORD   = "${var.name}-kestra-password"
    POSTGRES_PASSWORD = "${var.name}-postgres-password"
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  secret_id = each.value

  replication {
    auto {}
  }
}

# Write-only: the value goes from an ephemeral variable to Secret Manager and into no plan and no state.
#
# The keys are those of the names and not of the secrets, which `terraform import` does not know yet.
resource "google_secret_manager_secret_version" "this" {
  for_each = local.secrets

  secret                 = google_secret_manager_secret.this[each.key].id
  secret_data_wo         = var.passwords[each.key]
  secret_data_wo_version = var.secret_version

  lifecycle {
    # At no moment of a rotation is there no version to read.
    create_before_destroy = true

    precondition {
      condition     = var.passwords[each.key] != null
      error_message = "${lower(each.key)} must be given to every plan but a destroy's: it is ephemeral, so Terraform remembers none."
    }
  }
}

resource "google_secret_manager_secret_iam_member" "kestra" {
  for_each = local.secrets

  secret_id = google_secret_manager_secret.this[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.kestra.member
}

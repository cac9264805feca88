# The identity of CI: GitHub's token for a job is exchanged for one of Google's. No key exists.
locals {
  ci = var.github == null ? {} : { github = var.github }

  # What `up` and `down` do with the project, and the smallest predefined role that lets them.
  # There is no smaller place than the project for what does not exist before `up`.
  deployer_roles = {
    "roles/bigquery.dataOwner"                   = "creates and deletes the two datasets, grants the VM's account its role on them; verify reads the tables"
    "roles/bigquery.jobUser"                     = "verify and backfill run queries"
    "roles/compute.instanceAdmin.v1"             = "creates, changes and deletes the VM, its data disk and the snapshot schedule"
    "roles/compute.networkAdmin"                 = "creates and deletes network, subnet, router and NAT"
    "roles/compute.securityAdmin"                = "creates and deletes the firewall rule"
    "roles/iam.serviceAccountCreator"            = "creates the VM's account"
    "roles/iam.serviceAccountDeleter"            = "deletes the VM's account"
    "roles/iam.serviceAccountUser"               = "gives the VM its account; on the project, because the account is made by the same `up`"
    "roles/iap.tunnelResourceAccessor"           = "reaches Kestra on the VM through Identity-Aware Proxy"
    "roles/logging.configWriter"                 = "creates and deletes the metric of the heartbeat"
    "roles/monitoring.alertPolicyEditor"         = "creates and deletes the alert policy of the heartbeat"
    "roles/monitoring.notificationChannelEditor" = "creates and deletes the channel of its e-mails"
    "roles/secretmanager.admin"                  = "creates and deletes the two secrets and their versions, grants the VM's account access to them, reads Kestra's password"
    "roles/serviceusage.serviceUsageAdmin"       = "enables the APIs"
    "roles/storage.admin"                        = "creates and deletes the two buckets, grants the VM's account its role on them; reads and writes the state, and the lake"
  }

  # What roles are granted by and tokens are exchanged through; in a new project they are off.
  ci_services = var.github == null ? [] : [
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
  ]

  # The only roles that the deployer may grant on the project: those that infra/ grants there.
  grantable_roles = ["roles/bigquery.jobUser", "roles/logging.logWriter"]
}

resource "google_project_service" "ci" {
  for_each = toset(local.ci_services)

  service            = each.key
  disable_on_destroy = false
}

resource "google_iam_workload_identity_pool" "ci" {
  for_each = local.ci

  workload_identity_pool_id = var.pool
  display_name              = "GitHub Actions"

  depends_on = [google_project_service.ci]
}

resource "google_iam_workload_identity_pool_provider" "ci" {
  for_each = local.ci

  workload_identity_pool_id          = google_iam_workload_identity_pool.ci[each.key].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "GitHub Actions"

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
  }

  # GitHub issues tokens to every repository in the world: this one, and this branch, is let in.
  attribute_condition = join(" && ", [
    "assertion.repository_owner_id == '${each.value.owner_id}'",
    "assertion.repository_id == '${each.value.repository_id}'",
    "assertion.ref == '${each.value.ref}'",
  ])
}

resource "google_service_account" "deployer" {
  for_each = local.ci

  account_id   = "taxistack-deployer"
  display_name = "CI: brings stacks up and takes them down"

  depends_on = [google_project_service.ci]
}

resource "google_service_account_iam_member" "ci" {
  for_each = local.ci

  service_account_id = google_service_account.deployer[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.ci[each.key].name}/attribute.repository_id/${each.value.repository_id}"
}

resource "google_project_iam_member" "deployer" {
  for_each = var.github == null ? {} : local.deployer_roles

  project = var.project
  role    = each.key
  member  = google_service_account.deployer["github"].member
}

# To grant the VM's account `job user` and `log writer` takes the right to set the project's policy. The condition
# keeps the deployer from granting itself, or anybody, anything else.
resource "google_project_iam_member" "deployer_grants" {
  for_each = local.ci

  project = var.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.deployer[each.key].member

  condition {
    title       = "only_the_roles_of_a_stack"
    description = "May grant and revoke only the roles that infra/ grants on the project."
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['${join("', '", local.grantable_roles)}'])"
  }
}

provider "google" {
  project = var.project
  region  = var.region
  zone    = local.zone

  # Every resource that can carry labels carries these, so that an inventory by label is complete.
  default_labels = local.labels

  # Our own labels say enough, and the set of labels is then the same whatever the provider's version.
  add_terraform_attribution_label = false
}

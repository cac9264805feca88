# A root of its own, applied once a project by `invoke setup` and never touched by `down`: what a stack
# stands on must outlive it. Its own state is in the bucket that it describes, so every operator of the
# project shares it: `setup` makes an empty bucket first and then imports it.
terraform {
  required_version = ">= 1.11"

  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }
}

provider "google" {
  project                         = var.project
  region                          = var.region
  default_labels                  = { stack = "bootstrap" }
  add_terraform_attribution_label = false
}

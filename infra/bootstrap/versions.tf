# A root of its own, applied once by an owner of the project and never touched by `down`: what a stack
# stands on must outlive it. Its own state is a local file; to lose that costs an import, not data.
terraform {
  required_version = ">= 1.11"

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

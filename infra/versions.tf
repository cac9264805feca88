terraform {
  # 1.11 brought write-only arguments: passwords reach Secret Manager without a trace in the state.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.45"
    }
  }

  # Bucket, prefix and endpoint come from the kit (-backend-config); the prefix is the stack's name.
  backend "gcs" {}
}

locals {
  server_files     = "${path.module}/../../kestra"
  etl_requirements = filesha256("${local.server_files}/requirements.txt")
}

# Which disk the VM was made with: a disk that was made anew has the same id and another number.
resource "terraform_data" "data_disk" {
  input = var.data_disk_number
}

resource "google_compute_instance" "kestra" {
  name                      = "${var.name}-kestra"
  zone                      = var.zone
  machine_type              = var.machine_type
  description               = "Kestra and PostgreSQL in containers; everything worth keeping is on the data disk."
  desired_status            = var.desired_status
  deletion_protection       = var.deletion_protection
  allow_stopping_for_update = true
  resource_policies         = var.schedules

  boot_disk {
    initialize_params {
      # Has Docker and its Compose plugin among its own packages, and Google's guest agent.
      image  = "ubuntu-os-cloud/ubuntu-2404-lts-amd64"
      size   = var.boot_disk_size_gb
      type   = "pd-balanced"
      labels = var.labels
    }
  }

  attached_disk {
    source      = var.data_disk
    device_name = "data" # /dev/disk/by-id/google-data
  }

  # No access_config, so no external address.
  network_interface {
    subnetwork = google_compute_subnetwork.this.id
  }

  service_account {
    email = google_service_account.kestra.email
    # What it may do is said by IAM alone.
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  # What boot.sh reads. Nothing here is secret: everyone who may view the VM may read it.
  metadata = {
    block-project-ssh-keys     = "TRUE"
    enable-guest-attributes    = "TRUE" # boot.sh says there how far it is
    enable-oslogin             = "TRUE"
    serial-port-enable         = "FALSE"
    serial-port-logging-enable = "TRUE" # the log of the boot reaches Cloud Logging

    startup-script            = file("${local.server_files}/boot.sh")
    kestra-build-requirements = file("${local.server_files}/build-requirements.txt")
    kestra-compose            = file("${local.server_files}/compose.yaml")
    kestra-dockerfile         = file("${local.server_files}/Dockerfile")
    kestra-entrypoint         = file("${local.server_files}/entrypoint.sh")
    kestra-requirements       = file("${local.server_files}/requirements.txt")

    etl-requirements = local.etl_requirements
    kestra-bucket    = var.buckets.kestra
    kestra-port      = tostring(var.kestra_port)
    kestra-secrets   = jsonencode(local.secrets)
    kestra-user      = var.kestra_user
    kestra-version   = var.kestra_version
    secret-version   = tostring(var.secret_version)
  }

  lifecycle {
    # Else a new disk would be left unattached and a new subnet without its VM: their names stay.
    replace_triggered_by = [
      google_compute_subnetwork.this.subnetwork_id,
      terraform_data.data_disk,
    ]
  }

  # The boot script needs the way out and every right at once.
  depends_on = [
    google_bigquery_dataset_iam_member.kestra,
    google_compute_firewall.iap,
    google_compute_router_nat.this,
    google_project_iam_member.jobs,
    google_project_iam_member.logs,
    google_secret_manager_secret_iam_member.kestra,
    google_secret_manager_secret_version.this,
    google_storage_bucket_iam_member.kestra,
  ]
}

# What the Kestra server is allowed and how it can be reached: the module by itself.

provider "google" {
  project = "taxistack-local"
  region  = "us-central1"
  zone    = "us-central1-b"
}

variables {
  name    = "taxistack"
  project = "taxistack-local"
  region  = "us-central1"
  zone    = "us-central1-b"
  labels  = { stack = "taxistack", environment = "test", run = "run-7" }

  buckets          = { lake = "a-lake", kestra = "a-kestra" }
  datasets         = { trips = "a_trips", staging = "a_staging" }
  data_disk        = "projects/taxistack-local/zones/us-central1-b/disks/taxistack-data"
  data_disk_number = "7482915730164"

  boot_disk_size_gb   = 30
  deletion_protection = true
  desired_status      = "RUNNING"
  machine_type        = "e2-standard-2"
  subnet_range        = "10.60.0.0/24"

  kestra_port    = 8080
  kestra_user    = "admin@kestra.io"
  kestra_version = "2.0.0"

  passwords      = { ALARM_WEBHOOK = "none", KESTRA_PASSWORD = "Right-Password-1", POSTGRES_PASSWORD = "right-password-1" }
  secret_version = 1
}

run "the_vm_has_no_external_address" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition = alltrue([
      for interface in google_compute_instance.kestra.network_interface :
      length(interface.access_config) == 0 && length(interface.ipv6_access_config) == 0
    ])
    error_message = "The VM has an external address."
  }

  assert {
    condition     = google_compute_subnetwork.this.private_ip_google_access && !google_compute_network.this.auto_create_subnetworks
    error_message = "The VM's subnet is not one of its own with private Google access."
  }

  assert {
    condition     = one(google_compute_router_nat.this.subnetwork).source_ip_ranges_to_nat == toset(["ALL_IP_RANGES"])
    error_message = "The VM has no way out."
  }
}

run "the_only_way_in_is_iap" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition     = google_compute_firewall.iap.source_ranges == toset(["35.235.240.0/20"])
    error_message = "The firewall lets in others than Identity-Aware Proxy."
  }

  assert {
    condition     = one(google_compute_firewall.iap.allow).protocol == "tcp" && one(google_compute_firewall.iap.allow).ports == tolist(["22", "8080", "5432"])
    error_message = "The firewall opens other ports than SSH's, Kestra's and PostgreSQL's."
  }

  assert {
    condition     = google_compute_firewall.iap.target_service_accounts == toset(["taxistack-kestra@taxistack-local.iam.gserviceaccount.com"])
    error_message = "The firewall rule reaches other machines."
  }
}

run "the_vm_is_hardened" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition = (
      google_compute_instance.kestra.shielded_instance_config[0].enable_secure_boot
      && google_compute_instance.kestra.shielded_instance_config[0].enable_vtpm
      && google_compute_instance.kestra.shielded_instance_config[0].enable_integrity_monitoring
    )
    error_message = "The VM is not a Shielded VM."
  }

  assert {
    condition = (
      google_compute_instance.kestra.metadata["enable-oslogin"] == "TRUE"
      && google_compute_instance.kestra.metadata["block-project-ssh-keys"] == "TRUE"
      && google_compute_instance.kestra.metadata["serial-port-enable"] == "FALSE"
    )
    error_message = "The VM takes SSH keys of the project, or has no OS Login, or a serial port."
  }

  assert {
    condition     = !google_compute_instance.kestra.can_ip_forward && google_compute_instance.kestra.deletion_protection
    error_message = "The VM forwards packets, or can be deleted by a slip."
  }
}

run "the_service_account_has_the_least_it_needs" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition     = { for key, grant in google_storage_bucket_iam_member.kestra : grant.bucket => grant.role } == { "a-lake" = "roles/storage.objectUser", "a-kestra" = "roles/storage.objectUser" }
    error_message = "The rights on buckets are not object user on the two."
  }

  assert {
    condition     = { for key, grant in google_bigquery_dataset_iam_member.kestra : grant.dataset_id => grant.role } == { "a_trips" = "roles/bigquery.dataEditor", "a_staging" = "roles/bigquery.dataEditor" }
    error_message = "The rights on datasets are not data editor on the two."
  }

  assert {
    condition     = google_project_iam_member.jobs.role == "roles/bigquery.jobUser"
    error_message = "The right on the project is not job user."
  }

  assert {
    condition     = { for key, grant in google_secret_manager_secret_iam_member.kestra : grant.secret_id => grant.role } == { "taxistack-alarm-webhook" = "roles/secretmanager.secretAccessor", "taxistack-kestra-password" = "roles/secretmanager.secretAccessor", "taxistack-postgres-password" = "roles/secretmanager.secretAccessor" }
    error_message = "The rights on secrets are not accessor of its own three."
  }

  assert {
    condition = alltrue([
      for grant in concat(
        values(google_storage_bucket_iam_member.kestra),
        values(google_bigquery_dataset_iam_member.kestra),
        values(google_secret_manager_secret_iam_member.kestra),
        [google_project_iam_member.jobs],
      ) : grant.member == "serviceAccount:taxistack-kestra@taxistack-local.iam.gserviceaccount.com"
    ])
    error_message = "A right goes to somebody else than the VM's service account."
  }

  assert {
    condition     = google_compute_instance.kestra.service_account[0].email == "taxistack-kestra@taxistack-local.iam.gserviceaccount.com"
    error_message = "The VM runs under another service account."
  }
}

run "no_password_is_in_the_plan" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition = alltrue([
      for version in google_secret_manager_secret_version.this :
      version.secret_data_wo == null && coalesce(version.secret_data, "none") == "none" && version.secret_data_wo_version == 1
    ])
    error_message = "A password stands in the plan."
  }

  assert {
    condition     = !strcontains(lower(jsonencode(google_compute_instance.kestra.metadata)), "right-password-1")
    error_message = "A password stands in the VM's metadata."
  }
}

run "a_plan_without_passwords_says_so" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  variables {
    passwords = { ALARM_WEBHOOK = null, KESTRA_PASSWORD = null, POSTGRES_PASSWORD = null }
  }

  expect_failures = [google_secret_manager_secret_version.this]
}

run "the_boot_script_finds_what_it_reads" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition = (
      jsondecode(google_compute_instance.kestra.metadata["kestra-secrets"]) == { ALARM_WEBHOOK = "taxistack-alarm-webhook", KESTRA_PASSWORD = "taxistack-kestra-password", POSTGRES_PASSWORD = "taxistack-postgres-password" }
      && google_compute_instance.kestra.metadata["kestra-user"] == "admin@kestra.io"
      && google_compute_instance.kestra.metadata["kestra-version"] == "2.0.0"
      && google_compute_instance.kestra.metadata["kestra-bucket"] == "a-kestra"
      && google_compute_instance.kestra.metadata["etl-requirements"] == sha256(google_compute_instance.kestra.metadata["kestra-requirements"])
    )
    error_message = "The metadata is not what the boot script reads."
  }
}

run "the_data_disk_is_apart_from_the_boot_disk" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition     = one(google_compute_instance.kestra.attached_disk).device_name == "data" && endswith(one(google_compute_instance.kestra.attached_disk).source, "/disks/taxistack-data")
    error_message = "The data disk is not attached by the name that the boot script knows."
  }

  assert {
    condition     = one(google_compute_instance.kestra.boot_disk).initialize_params[0].labels == tomap({ stack = "taxistack", environment = "test", run = "run-7" })
    error_message = "The boot disk does not carry the labels."
  }
}

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
    condition     = google_project_iam_member.logs.role == "roles/logging.logWriter"
    error_message = "The other right on the project is not log writer."
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
        [google_project_iam_member.jobs, google_project_iam_member.logs],
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

run "the_logs_of_the_boot_reach_cloud_logging" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition     = google_compute_instance.kestra.metadata["serial-port-logging-enable"] == "TRUE" && google_compute_instance.kestra.metadata["serial-port-enable"] == "FALSE"
    error_message = "The serial port's output is not logged, or somebody may log in by it."
  }
}

run "the_heartbeat_that_is_counted_is_the_one_that_the_health_check_writes" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition = (
      strcontains(google_logging_metric.heartbeat.filter, "jsonPayload.message=\"taxistack: Kestra is healthy\"")
      && strcontains(google_compute_instance.kestra.metadata["kestra-compose"], "print(\"taxistack: Kestra is healthy\", file=log)")
    )
    error_message = "The metric counts a line that nobody writes."
  }

  assert {
    condition = alltrue([
      for part in ["resource.type=\"gce_instance\"", "logName=\"projects/taxistack-local/logs/gcplogs-docker-driver\"", "jsonPayload.instance.name=\"taxistack-kestra\""] :
      strcontains(google_logging_metric.heartbeat.filter, part)
    ])
    error_message = "The metric counts the lines of another machine, or none: Docker's gcplogs driver writes them elsewhere."
  }
}

run "a_silent_kestra_is_an_incident_and_nobody_is_written_to" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  assert {
    condition     = google_monitoring_alert_policy.heartbeat.conditions[0].condition_prometheus_query_language[0].query == "((sum(increase(logging_googleapis_com:user_taxistack_heartbeat{monitored_resource=\"gce_instance\",project_id=\"taxistack-local\"}[5m])) or vector(0)) < 1)"
    error_message = "The policy does not ask for the heartbeats of this stack, or takes a missing metric for a good one."
  }

  assert {
    condition     = one(google_monitoring_alert_policy.heartbeat.conditions[0].condition_prometheus_query_language).disable_metric_validation && one(google_monitoring_alert_policy.heartbeat.conditions[0].condition_prometheus_query_language).duration == "900s"
    error_message = "The policy can't be made right after its metric, or a boot would be an incident."
  }

  assert {
    condition     = google_monitoring_alert_policy.heartbeat.enabled && length(google_monitoring_alert_policy.heartbeat.notification_channels) == 0 && length(google_monitoring_notification_channel.email) == 0
    error_message = "The policy is off, or tells somebody although no address was given."
  }

  assert {
    condition     = google_monitoring_alert_policy.heartbeat.user_labels == tomap({ stack = "taxistack", environment = "test", run = "run-7" })
    error_message = "The policy does not carry the labels."
  }
}

run "an_address_is_written_to" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  variables {
    alarm_email = "ops@example.org"
  }

  assert {
    condition = (
      google_monitoring_notification_channel.email["email"].type == "email"
      && google_monitoring_notification_channel.email["email"].labels == tomap({ email_address = "ops@example.org" })
      && google_monitoring_notification_channel.email["email"].user_labels == tomap({ stack = "taxistack", environment = "test", run = "run-7" })
      && google_monitoring_notification_channel.email["email"].force_delete
    )
    error_message = "The channel is not of this address, lacks the labels, or can't be taken away again."
  }
}

run "a_vm_that_is_stopped_by_its_schedule_is_not_silent" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  variables {
    schedule = "04:30-20:05"
  }

  assert {
    condition     = endswith(google_monitoring_alert_policy.heartbeat.conditions[0].condition_prometheus_query_language[0].query, " < 1) and on() (((hour() * 60 + minute() + 1170) % 1440) < 935)")
    error_message = "The hours in which the VM is stopped would be an incident each night."
  }
}

run "a_vm_that_is_to_be_stopped_is_not_silent" {
  command = plan

  module {
    source = "./modules/kestra"
  }

  variables {
    desired_status = "TERMINATED"
  }

  assert {
    condition     = !google_monitoring_alert_policy.heartbeat.enabled
    error_message = "A VM that is stopped by its setting would be an incident."
  }
}

# What the root plans: the buckets, the datasets, the data disk and their settings.

variables {
  project           = "taxistack-local"
  environment       = "test"
  run               = "run-7"
  kestra_password   = "Right-Password-1"
  postgres_password = "right-password-1"
}

run "buckets_are_private" {
  command = plan

  assert {
    condition = alltrue([
      for bucket in [google_storage_bucket.lake, google_storage_bucket.kestra] :
      bucket.uniform_bucket_level_access && bucket.public_access_prevention == "enforced"
    ])
    error_message = "A bucket could be made public, or have rights beside IAM."
  }
}

run "data_is_safe_from_a_destroy_unless_asked" {
  command = plan

  assert {
    condition = alltrue([
      !google_storage_bucket.lake.force_destroy,
      !google_storage_bucket.kestra.force_destroy,
      !google_bigquery_dataset.trips.delete_contents_on_destroy,
    ])
    error_message = "A destroy would take data along without force_destroy."
  }
}

run "force_destroy_reaches_all_that_holds_data" {
  command = plan

  variables {
    force_destroy = true
  }

  assert {
    condition = alltrue([
      google_storage_bucket.lake.force_destroy,
      google_storage_bucket.kestra.force_destroy,
      google_bigquery_dataset.trips.delete_contents_on_destroy,
      google_bigquery_dataset.staging.delete_contents_on_destroy,
    ])
    error_message = "Something that holds data would stop a destroy in spite of force_destroy."
  }
}

run "everything_that_can_carries_the_labels" {
  command = plan

  assert {
    condition = alltrue([
      for labels in [
        google_storage_bucket.lake.effective_labels,
        google_storage_bucket.kestra.effective_labels,
        google_bigquery_dataset.trips.effective_labels,
        google_bigquery_dataset.staging.effective_labels,
        google_compute_disk.data.effective_labels,
        google_compute_resource_policy.daily.snapshot_schedule_policy[0].snapshot_properties[0].labels,
      ] : labels == tomap({ stack = "taxistack", environment = "test", run = "run-7" })
    ])
    error_message = "The labels stack, environment and run are not on everything."
  }
}

run "soft_delete_is_off_by_default" {
  command = plan

  assert {
    condition     = google_storage_bucket.lake.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "Deleted lake objects would be billed although nobody asked to keep them."
  }
}

run "soft_delete_is_counted_in_days" {
  command = plan

  variables {
    soft_delete_days = 7
  }

  assert {
    condition     = google_storage_bucket.lake.soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "Seven days are 604800 seconds."
  }
}

run "versioning_comes_with_a_rule_that_ends_it" {
  command = plan

  variables {
    lake_versioning = true
  }

  assert {
    condition     = google_storage_bucket.lake.versioning[0].enabled
    error_message = "lake_versioning does not switch versioning on."
  }

  assert {
    condition = anytrue([
      for rule in google_storage_bucket.lake.lifecycle_rule :
      one(rule.action).type == "Delete" && one(rule.condition).days_since_noncurrent_time == 30
    ])
    error_message = "Noncurrent versions would be kept, and billed, for ever."
  }
}

run "nothing_of_the_lake_is_deleted_by_age" {
  command = plan

  assert {
    condition     = alltrue([for rule in google_storage_bucket.lake.lifecycle_rule : one(rule.action).type != "Delete"])
    error_message = "A lifecycle rule deletes lake objects."
  }

  assert {
    condition     = alltrue([for rule in google_storage_bucket.kestra.lifecycle_rule : one(rule.action).type != "Delete"])
    error_message = "A lifecycle rule deletes Kestra's namespace files and KV values."
  }
}

run "staging_tables_expire_and_trips_do_not" {
  command = plan

  variables {
    staging_expiration_hours = 6
  }

  assert {
    condition     = google_bigquery_dataset.staging.default_table_expiration_ms == 21600000
    error_message = "Staging tables do not expire after six hours."
  }

  assert {
    condition     = coalesce(google_bigquery_dataset.trips.default_table_expiration_ms, 0) == 0
    error_message = "The tables of trips would expire."
  }
}

run "the_data_is_where_the_vm_is_unless_told_otherwise" {
  command = plan

  variables {
    region = "europe-west1"
  }

  assert {
    condition     = google_storage_bucket.lake.location == "EUROPE-WEST1" && google_bigquery_dataset.trips.location == "europe-west1"
    error_message = "The data is in another region than the VM."
  }

  assert {
    condition     = google_compute_disk.data.zone == "europe-west1-b"
    error_message = "The data disk is in another region than the VM."
  }
}

run "a_multi_region_is_written_as_each_service_writes_it" {
  command = plan

  variables {
    location = "EU"
  }

  assert {
    condition     = google_storage_bucket.lake.location == "EU" && google_bigquery_dataset.trips.location == "EU"
    error_message = "The location EU did not arrive."
  }
}

run "snapshots_end_with_their_disk" {
  command = plan

  assert {
    condition     = google_compute_resource_policy.daily.snapshot_schedule_policy[0].retention_policy[0].on_source_disk_delete == "APPLY_RETENTION_POLICY"
    error_message = "Snapshots of a deleted disk would be kept, and billed, for ever."
  }
}

run "two_names_share_nothing" {
  command = plan

  variables {
    name = "second-stack"
  }

  assert {
    condition = (
      google_storage_bucket.lake.name == "taxistack-local-second-stack-lake"
      && google_storage_bucket.kestra.name == "taxistack-local-second-stack-kestra"
      && google_bigquery_dataset.trips.dataset_id == "second_stack_trips"
      && google_bigquery_dataset.staging.dataset_id == "second_stack_staging"
      && google_compute_disk.data.name == "second-stack-data"
      && google_compute_resource_policy.daily.name == "second-stack-daily"
      && output.instance == "second-stack-kestra"
      && output.kestra_secret == "second-stack-kestra-password"
      && output.postgres_secret == "second-stack-postgres-password"
    )
    error_message = "A name does not begin with the stack's."
  }
}

run "services_stay_enabled_after_a_destroy" {
  command = plan

  assert {
    condition     = length(google_project_service.this) > 0 && alltrue([for service in google_project_service.this : !service.disable_on_destroy])
    error_message = "A destroy would disable an API that others may use."
  }
}

run "services_can_be_left_alone" {
  command = plan

  variables {
    enable_services = false
  }

  assert {
    condition     = length(google_project_service.this) == 0
    error_message = "enable_services = false still enables APIs."
  }
}

run "the_server_can_go_while_the_data_stays" {
  command = plan

  variables {
    compute_enabled = false
  }

  assert {
    condition     = length(module.kestra) == 0 && output.instance == null
    error_message = "compute_enabled = false keeps the server."
  }

  assert {
    condition     = google_storage_bucket.lake.name != "" && google_bigquery_dataset.trips.dataset_id != "" && google_compute_disk.data.name != ""
    error_message = "compute_enabled = false removes data."
  }
}

run "the_vm_runs_all_day_unless_hours_are_set" {
  command = plan

  assert {
    condition     = length(google_compute_resource_policy.hours) == 0 && length(google_project_iam_member.hours) == 0
    error_message = "A stack without hours has a schedule."
  }
}

run "hours_are_an_instance_schedule_in_utc" {
  command = plan

  variables {
    schedule = "08:05-20:00"
  }

  assert {
    condition     = one(google_compute_resource_policy.hours["vm"].instance_schedule_policy).time_zone == "Etc/UTC"
    error_message = "The hours are not in UTC."
  }

  assert {
    condition     = one(one(google_compute_resource_policy.hours["vm"].instance_schedule_policy).vm_start_schedule).schedule == "5 8 * * *" && one(one(google_compute_resource_policy.hours["vm"].instance_schedule_policy).vm_stop_schedule).schedule == "0 20 * * *"
    error_message = "The VM starts or stops at another time."
  }
}

# Every rule of variables.tf refuses what it should; the names of the runs say what is refused.
# tests/infra/test_hcl_rules.py proves that no rule is without a case: with any rule switched off, a run
# here fails.

variables {
  project           = "taxistack-local"
  environment       = "test"
  alarm_webhook     = "none"
  kestra_password   = "Right-Password-1"
  postgres_password = "right-password-1"
}

run "an_alarm_email_that_is_no_address" {
  command = plan

  variables {
    alarm_email = "ops"
  }

  expect_failures = [var.alarm_email]
}

run "an_alarm_webhook_that_is_no_address" {
  command = plan

  variables {
    alarm_webhook = "hooks.example.org/token"
  }

  expect_failures = [var.alarm_webhook]
}

run "a_boot_disk_too_small_for_the_images" {
  command = plan

  variables {
    boot_disk_size_gb = 19
  }

  expect_failures = [var.boot_disk_size_gb]
}

run "a_boot_disk_size_with_a_fraction" {
  command = plan

  variables {
    boot_disk_size_gb = 30.5
  }

  expect_failures = [var.boot_disk_size_gb]
}

run "a_data_disk_too_large" {
  command = plan

  variables {
    data_disk_size_gb = 2001
  }

  expect_failures = [var.data_disk_size_gb]
}

run "a_status_that_a_vm_cannot_be_kept_in" {
  command = plan

  variables {
    desired_status = "SUSPENDED"
  }

  expect_failures = [var.desired_status]
}

run "an_environment_with_capitals" {
  command = plan

  variables {
    environment = "Prod"
  }

  expect_failures = [var.environment]
}

run "an_empty_environment" {
  command = plan

  variables {
    environment = ""
  }

  expect_failures = [var.environment]
}

run "a_short_kestra_password" {
  command = plan

  variables {
    kestra_password = "Short-1"
  }

  expect_failures = [var.kestra_password]
}

run "a_kestra_password_without_a_capital" {
  command = plan

  variables {
    kestra_password = "no-capital-here-1"
  }

  expect_failures = [var.kestra_password]
}

run "a_kestra_password_without_a_digit" {
  command = plan

  variables {
    kestra_password = "No-Digit-Here"
  }

  expect_failures = [var.kestra_password]
}

run "a_kestra_password_with_a_placeholder" {
  command = plan

  variables {
    kestra_password = "Placeholder-$-1"
  }

  expect_failures = [var.kestra_password]
}

run "a_kestra_port_that_needs_root" {
  command = plan

  variables {
    kestra_port = 443
  }

  expect_failures = [var.kestra_port]
}

run "a_kestra_user_that_is_no_address" {
  command = plan

  variables {
    kestra_user = "admin"
  }

  expect_failures = [var.kestra_user]
}

run "a_floating_kestra_version" {
  command = plan

  variables {
    kestra_version = "2.0"
  }

  expect_failures = [var.kestra_version]
}

run "a_kestra_version_of_another_language" {
  command = plan

  variables {
    kestra_version = "1.3.4"
  }

  expect_failures = [var.kestra_version]
}

run "a_negative_nearline_age" {
  command = plan

  variables {
    lake_nearline_days = -1
  }

  expect_failures = [var.lake_nearline_days]
}

run "a_location_that_is_a_zone" {
  command = plan

  variables {
    location = "us-central1-a"
  }

  expect_failures = [var.location]
}

run "a_machine_of_another_architecture" {
  command = plan

  variables {
    machine_type = "t2a-standard-2"
  }

  expect_failures = [var.machine_type]
}

run "a_machine_with_too_little_memory" {
  command = plan

  variables {
    machine_type = "e2-small"
  }

  expect_failures = [var.machine_type]
}

run "a_custom_machine_with_too_little_memory" {
  command = plan

  variables {
    machine_type = "e2-custom-2-3840"
  }

  expect_failures = [var.machine_type]
}

run "a_name_with_a_capital" {
  command = plan

  variables {
    name = "Taxistack"
  }

  expect_failures = [var.name]
}

run "a_name_that_is_too_long" {
  command = plan

  variables {
    name = "a-name-of-21-letters-"
  }

  expect_failures = [var.name]
}

run "a_name_that_cloud_storage_refuses" {
  command = plan

  variables {
    name = "my-google-stack"
  }

  expect_failures = [var.name]
}

run "a_short_postgres_password" {
  command = plan

  variables {
    postgres_password = "short"
  }

  expect_failures = [var.postgres_password]
}

run "a_postgres_password_that_needs_quoting" {
  command = plan

  variables {
    postgres_password = "it's-a-password"
  }

  expect_failures = [var.postgres_password]
}

run "a_project_number" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}

run "a_region_that_is_a_zone" {
  command = plan

  variables {
    region = "us-central1-a"
  }

  expect_failures = [var.region]
}

run "a_run_with_a_space" {
  command = plan

  variables {
    run = "run 7"
  }

  expect_failures = [var.run]
}

run "a_secret_version_of_nought" {
  command = plan

  variables {
    secret_version = 0
  }

  expect_failures = [var.secret_version]
}

run "no_snapshot_retention" {
  command = plan

  variables {
    snapshot_retention_days = 0
  }

  expect_failures = [var.snapshot_retention_days]
}

run "a_soft_delete_below_seven_days" {
  command = plan

  variables {
    soft_delete_days = 6
  }

  expect_failures = [var.soft_delete_days]
}

run "a_soft_delete_beyond_ninety_days" {
  command = plan

  variables {
    soft_delete_days = 91
  }

  expect_failures = [var.soft_delete_days]
}

run "a_staging_expiration_below_an_hour" {
  command = plan

  variables {
    staging_expiration_hours = 0.5
  }

  expect_failures = [var.staging_expiration_hours]
}

run "a_subnet_too_small" {
  command = plan

  variables {
    subnet_range = "10.60.0.0/30"
  }

  expect_failures = [var.subnet_range]
}

run "a_subnet_of_public_addresses" {
  command = plan

  variables {
    subnet_range = "8.8.8.0/24"
  }

  expect_failures = [var.subnet_range]
}

run "a_zone_of_another_region" {
  command = plan

  variables {
    zone = "europe-west1-b"
  }

  expect_failures = [var.zone]
}

run "hours_that_are_none" {
  command = plan

  variables {
    schedule = "8-20"
  }

  expect_failures = [var.schedule]
}

run "hours_with_a_night_in_them" {
  command = plan

  variables {
    schedule = "20:00-08:00"
  }

  expect_failures = [var.schedule]
}

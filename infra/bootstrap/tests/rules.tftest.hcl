# Every rule of variables.tf refuses what it should (tests/infra/test_hcl_rules.py proves it).

variables {
  project = "taxistack-local"
}

run "a_repository_by_name" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "taxistack" }
  }

  expect_failures = [var.github]
}

run "an_owner_by_name" {
  command = plan

  variables {
    github = { owner_id = "somebody", repository_id = "5678" }
  }

  expect_failures = [var.github]
}

run "a_branch_that_is_no_reference" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "5678", ref = "main" }
  }

  expect_failures = [var.github]
}

run "a_pool_of_a_reserved_prefix" {
  command = plan

  variables {
    pool = "gcp-pool"
  }

  expect_failures = [var.pool]
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

run "a_state_bucket_in_capitals" {
  command = plan

  variables {
    state_bucket = "My-State"
  }

  expect_failures = [var.state_bucket]
}

run "a_state_location_that_is_a_zone" {
  command = plan

  variables {
    state_location = "us-central1-a"
  }

  expect_failures = [var.state_location]
}

run "no_older_state_at_all" {
  command = plan

  variables {
    state_versions = 0
  }

  expect_failures = [var.state_versions]
}

# Every rule of variables.tf refuses what it should (tests/infra/test_hcl_rules.py proves it).

run "a_floating_image_is_refused" {
  command = plan

  variables {
    image = "us-central1-docker.pkg.dev/taxi-project/taxistack/kestra:latest"
  }

  expect_failures = [var.image]
}

run "a_database_without_its_region_is_refused" {
  command = plan

  variables {
    database = "kestra"
  }

  expect_failures = [var.database]
}

run "an_image_without_a_registry_is_refused" {
  command = plan

  variables {
    image = "kestra:2.0.8"
  }

  expect_failures = [var.image]
}

run "no_worker_is_refused" {
  command = plan

  variables {
    workers = 0
  }

  expect_failures = [var.workers]
}

run "half_a_worker_is_refused" {
  command = plan

  variables {
    workers = 1.5
  }

  expect_failures = [var.workers]
}

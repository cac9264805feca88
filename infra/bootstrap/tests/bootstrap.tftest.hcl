# The state bucket, and who may deploy.

variables {
  project = "taxistack-local"
}

run "the_state_is_versioned_and_private" {
  command = plan

  assert {
    condition = (
      google_storage_bucket.state.versioning[0].enabled
      && google_storage_bucket.state.uniform_bucket_level_access
      && google_storage_bucket.state.public_access_prevention == "enforced"
      && !google_storage_bucket.state.force_destroy
    )
    error_message = "The state bucket is not versioned, or could be public, or could go with what is in it."
  }

  assert {
    condition     = google_storage_bucket.state.name == "taxistack-local-tfstate"
    error_message = "The state bucket's name is not the one that the kit expects by default."
  }
}

run "a_bucket_that_is_there_stays_where_it_is" {
  command = plan

  variables {
    state_bucket   = "their-state"
    state_location = "EU"
  }

  assert {
    condition     = google_storage_bucket.state.name == "their-state" && google_storage_bucket.state.location == "EU"
    error_message = "A bucket of another name or place would be replaced."
  }
}

run "a_second_run_can_see_what_the_first_was_given" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "5678" }
  }

  assert {
    condition     = output.github.ref == "refs/heads/main" && output.github.owner_id == "1234" && output.pool == "taxistack-github"
    error_message = "A `setup` without --github would take the CI identity away."
  }
}

run "no_ci_identity_unless_asked" {
  command = plan

  assert {
    condition     = length(google_iam_workload_identity_pool.ci) == 0 && length(google_service_account.deployer) == 0 && length(google_project_iam_member.deployer) == 0 && length(google_project_service.ci) == 0
    error_message = "A CI identity is planned although no repository was named."
  }
}

run "only_the_named_repository_and_branch_may_deploy" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "5678" }
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.ci["github"].attribute_condition == "assertion.repository_owner_id == '1234' && assertion.repository_id == '5678' && assertion.ref == 'refs/heads/main'"
    error_message = "The attribute condition does not hold the numeric ids of owner and repository, and the branch."
  }

  assert {
    condition     = google_service_account_iam_member.ci["github"].role == "roles/iam.workloadIdentityUser"
    error_message = "CI could do more with the deployer's account than act as it."
  }
}

run "a_new_project_gets_the_apis_that_tokens_are_exchanged_through" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "5678" }
  }

  assert {
    condition     = alltrue([for api in ["iam", "iamcredentials", "sts"] : contains(keys(google_project_service.ci), "${api}.googleapis.com")])
    error_message = "GitHub's token could not be exchanged in a new project."
  }

  assert {
    condition     = alltrue([for service in google_project_service.ci : !service.disable_on_destroy])
    error_message = "A destroy would disable an API that others may use."
  }
}

run "the_deployer_is_no_owner" {
  command = plan

  variables {
    github = { owner_id = "1234", repository_id = "5678" }
  }

  assert {
    condition = length(setintersection(
      [for grant in google_project_iam_member.deployer : grant.role],
      ["roles/owner", "roles/editor", "roles/viewer", "roles/iam.securityAdmin", "roles/iam.serviceAccountKeyAdmin", "roles/iam.serviceAccountTokenCreator", "roles/resourcemanager.projectIamAdmin"],
    )) == 0
    error_message = "The deployer has a role that lets it take over the project."
  }

  assert {
    condition     = one(google_project_iam_member.deployer_grants["github"].condition).expression == "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/bigquery.jobUser', 'roles/logging.logWriter'])"
    error_message = "The deployer may grant more on the project than infra/ does."
  }
}

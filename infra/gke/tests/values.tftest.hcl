# What the chart is given: the stack's own names, no password, a limit for every container.

run "the_server_works_with_the_stacks_own_things" {
  command = plan

  assert {
    condition     = yamldecode(output.values).configurations.application.kestra.storage.gcs.bucket == "taxi-project-taxistack-kestra"
    error_message = "Kestra's files are not in the stack's bucket."
  }

  assert {
    condition     = yamldecode(output.values).serviceAccount.annotations["iam.gke.io/gcp-service-account"] == "taxistack-kestra@taxi-project.iam.gserviceaccount.com"
    error_message = "The pods do not act as the stack's account."
  }

  assert {
    condition     = yamldecode(output.values).image == { repository = "us-central1-docker.pkg.dev/taxi-project/taxistack/kestra", tag = "2.0.8" }
    error_message = "The image is another one."
  }
}

run "every_container_has_a_limit" {
  command = plan

  assert {
    condition = alltrue([
      for part in values(yamldecode(output.values).deployments) :
      can(part.resources.limits.memory) if part.enabled
    ])
    error_message = "A part of the server has no limit of memory."
  }

  assert {
    condition     = alltrue([for one in yamldecode(output.values).common.extraContainers : can(one.resources.limits.memory)])
    error_message = "A container beside the server has no limit of memory."
  }
}

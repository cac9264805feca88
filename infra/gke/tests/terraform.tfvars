# What every test here starts from; Terraform reads this file by its name.

database = "taxi-project:us-central1:kestra"
image    = "us-central1-docker.pkg.dev/taxi-project/taxistack/kestra:2.0.8"
stack = {
  kestra_bucket   = { value = "taxi-project-taxistack-kestra" }
  kestra_user     = { value = "admin@taxistack.dev" }
  labels          = { value = { stack = "taxistack", environment = "prod", run = "manual" } }
  project         = { value = "taxi-project" }
  service_account = { value = "taxistack-kestra@taxi-project.iam.gserviceaccount.com" }
}

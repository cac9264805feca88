variable "database" {
  description = "Connection name of the Cloud SQL instance, PROJECT:REGION:INSTANCE."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]+$", var.database))
    error_message = "database must be PROJECT:REGION:INSTANCE (gcloud sql instances describe NAME --format='value(connectionName)')."
  }
}

variable "image" {
  description = "Kestra's image with the ETL's packages, built from infra/kestra/Dockerfile, as REPOSITORY:TAG."
  type        = string

  validation {
    condition     = can(regex("^[^:@]+(:[0-9]+)?/[^:@]+:[A-Za-z0-9._-]+$", var.image))
    error_message = "image must be REPOSITORY:TAG with the registry's host in front; `latest` would change the server behind your back."
  }

  validation {
    condition     = !endswith(var.image, ":latest")
    error_message = "image must have an exact tag: `latest` would change the server behind your back."
  }
}

variable "secret" {
  description = "Name of the Kubernetes secret with the keys kestra-password, database-password and, in base64, alarm-webhook and postgres-password."
  type        = string
  default     = "kestra"
}

variable "stack" {
  description = "The outputs of the stack (`terraform output -json` of infra/, each with its value): names of what the server works with."
  type = object({
    kestra_bucket   = object({ value = string })
    kestra_user     = object({ value = string })
    labels          = object({ value = map(string) })
    project         = object({ value = string })
    service_account = object({ value = string })
  })
}

variable "workers" {
  description = "Workers: each runs the steps of several months at once."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 1 && var.workers <= 100 && floor(var.workers) == var.workers
    error_message = "workers must be a whole number from 1 to 100."
  }
}

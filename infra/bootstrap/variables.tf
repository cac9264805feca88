variable "github" {
  description = "The GitHub repository whose Actions may deploy, by its numeric ids, which no renamed or re-created repository can take over (`gh api repos/OWNER/NAME --jq '.owner.id, .id'`). null: no CI identity."
  type = object({
    owner_id      = string
    repository_id = string
    ref           = optional(string, "refs/heads/main")
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^[0-9]+$", var.github.owner_id)) && can(regex("^[0-9]+$", var.github.repository_id))
    error_message = "github.owner_id and github.repository_id must be GitHub's numeric ids, not names: a name can be taken over by somebody else."
  }

  validation {
    condition     = var.github == null ? true : can(regex("^refs/(heads|tags)/[A-Za-z0-9._/-]+$", var.github.ref))
    error_message = "github.ref must be a full reference such as refs/heads/main."
  }
}

variable "pool" {
  description = "Id of the workload identity pool. A deleted pool keeps its id for 30 days: take another one to make it anew before."
  type        = string
  default     = "taxistack-github"

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.pool)) && !startswith(var.pool, "gcp-")
    error_message = "pool must have 4 to 32 lower-case letters, digits or - and not begin with gcp-."
  }
}

variable "project" {
  description = "Id of the Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id (not its name or number): 6 to 30 lower-case letters, digits or -, beginning with a letter and not ending with -."
  }
}

variable "region" {
  description = "Region of the stacks, and of the state bucket unless state_location says another."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be the name of a region, such as us-central1."
  }
}

variable "state_bucket" {
  description = "Name of the state bucket (setting `state_bucket`). null: <project>-tfstate."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must have 3 to 63 lower-case letters, digits, -, _ or ., with a letter or digit at both ends."
  }
}

variable "state_location" {
  description = "Location of the state bucket. A bucket cannot move: for one that was there before, this is where it is. null: the region."
  type        = string
  default     = null

  validation {
    condition     = var.state_location == null ? true : can(regex("^([a-z]+|[a-z]+[0-9]+|[a-z]+-[a-z]+[0-9]+)$", lower(var.state_location)))
    error_message = "state_location must be a location of Cloud Storage such as us-central1, US or NAM4."
  }
}

variable "state_versions" {
  description = "Older versions of each state that are kept, besides those of the last 30 days."
  type        = number
  default     = 20

  validation {
    condition     = var.state_versions >= 1 && var.state_versions <= 1000 && floor(var.state_versions) == var.state_versions
    error_message = "state_versions must be a whole number from 1 to 1000."
  }
}

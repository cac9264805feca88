variable "alarm_email" {
  description = "Address that Cloud Monitoring writes to when Kestra has been silent for 20 minutes. null: none; the incident is opened all the same."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address."
  }
}

variable "alarm_webhook" {
  description = "Address that alarms are posted to, or `none`. It is a secret: whoever knows it may post there. Goes to Secret Manager only; a new value counts once secret_version is raised. Not needed to destroy."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.alarm_webhook == null ? true : can(regex("^(none|https?://[!-~]+)$", var.alarm_webhook))
    error_message = "alarm_webhook must be an http(s) URL, or none."
  }
}

variable "boot_disk_size_gb" {
  description = "Size of the VM's boot disk in GB. It holds the system and the container images; the Kestra image alone is over 3 GB."
  type        = number
  default     = 30

  validation {
    condition     = var.boot_disk_size_gb >= 20 && var.boot_disk_size_gb <= 500 && floor(var.boot_disk_size_gb) == var.boot_disk_size_gb
    error_message = "boot_disk_size_gb must be a whole number from 20 to 500: below 20 the container images do not fit."
  }
}

variable "compute_enabled" {
  description = "false removes the Kestra server (VM, network, service account, secrets) and keeps what holds data: both buckets, both datasets and the data disk. Setting it back to true brings the server back to its data."
  type        = bool
  default     = true
}

variable "data_disk_size_gb" {
  description = "Size of the data disk in GB: Kestra's database and the trips in PostgreSQL. It can grow in place; to make it smaller replaces it and the VM, once deletion_protection is off, and what was on it is lost."
  type        = number
  default     = 50

  validation {
    condition     = var.data_disk_size_gb >= 20 && var.data_disk_size_gb <= 2000 && floor(var.data_disk_size_gb) == var.data_disk_size_gb
    error_message = "data_disk_size_gb must be a whole number from 20 to 2000."
  }
}

variable "data_disk_snapshot" {
  description = "Name of the snapshot that the data disk is made from when it is made; of a disk that is there it changes nothing. `invoke restore` names it for one apply, which makes the disk anew."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "true makes Google Cloud refuse to delete the VM. It must be applied as false before a destroy can succeed."
  type        = bool
  default     = true
}

variable "desired_status" {
  description = "State that the VM is kept in: RUNNING, or TERMINATED (stopped: disks and addresses stay, the machine itself is not billed)."
  type        = string
  default     = "RUNNING"

  validation {
    condition     = contains(["RUNNING", "TERMINATED"], var.desired_status)
    error_message = "desired_status must be RUNNING or TERMINATED."
  }
}

variable "enable_services" {
  description = "true enables the Google Cloud APIs that the stack uses. They stay enabled when the stack is destroyed, because others in the project may use them by then."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Value of the label `environment`: what kind of stack this is, such as local, dev or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.environment))
    error_message = "environment must be a label value: 1 to 63 lower-case letters, digits, - or _, beginning with a letter."
  }
}

variable "force_destroy" {
  description = "true lets a destroy delete the buckets and the dataset `trips` although they hold data. It must be applied before that destroy."
  type        = bool
  default     = false
}

variable "kestra_password" {
  description = "Password of Kestra's administrator. Goes to Secret Manager only; a new value counts once secret_version is raised. Not needed to destroy."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.kestra_password == null ? true : length(var.kestra_password) >= 8 && length(var.kestra_password) <= 256
    error_message = "kestra_password must have 8 to 256 characters (Kestra's own rule)."
  }

  validation {
    condition     = var.kestra_password == null ? true : can(regex("[a-z]", var.kestra_password)) && can(regex("[A-Z]", var.kestra_password)) && can(regex("[0-9]", var.kestra_password))
    error_message = "kestra_password must have a lower-case letter, an upper-case letter and a digit (Kestra's own rule)."
  }

  validation {
    condition     = var.kestra_password == null ? true : can(regex("^[!-#%-~]+$", var.kestra_password))
    error_message = "kestra_password must be of printable ASCII characters without spaces and without $, which begins a placeholder in the server's configuration."
  }
}

variable "kestra_port" {
  description = "TCP port of Kestra's UI and API on the VM, reachable through Identity-Aware Proxy only."
  type        = number
  default     = 8080

  validation {
    condition     = var.kestra_port >= 1024 && var.kestra_port <= 65535 && floor(var.kestra_port) == var.kestra_port && var.kestra_port != 5432
    error_message = "kestra_port must be a whole number from 1024 to 65535, and not PostgreSQL's 5432."
  }
}

variable "kestra_user" {
  description = "User name of Kestra's administrator."
  type        = string
  default     = "admin@kestra.io"

  validation {
    condition     = can(regex("^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", var.kestra_user)) && length(var.kestra_user) <= 256
    error_message = "kestra_user must look like an e-mail address and have at most 256 characters (Kestra's own rule)."
  }
}

variable "kestra_version" {
  description = "Version of the Kestra server: the tag of its container image without the v."
  type        = string
  default     = "2.0.8"

  validation {
    condition     = can(regex("^2\\.0\\.[0-9]+$", var.kestra_version))
    error_message = "kestra_version must be an exact 2.0 release such as 2.0.8: the flows are written in the language of 2.0, and a floating tag would change the server behind your back."
  }
}

variable "lake_nearline_days" {
  description = "Age in days after which a lake object moves to Nearline storage, which costs half as much to keep and more to read. 0: never."
  type        = number
  default     = 90

  validation {
    condition     = var.lake_nearline_days >= 0 && var.lake_nearline_days <= 3650 && floor(var.lake_nearline_days) == var.lake_nearline_days
    error_message = "lake_nearline_days must be a whole number from 0 (never) to 3650."
  }
}

variable "lake_versioning" {
  description = "true keeps replaced and deleted lake objects as noncurrent versions, billed like live ones, for 30 days. The local cloud's storage refuses versioned buckets."
  type        = bool
  default     = false
}

variable "location" {
  description = "Location of the buckets and datasets: US, EU or a region. null: the VM's region, where reading them costs no transfer. To change it replaces them."
  type        = string
  default     = null

  validation {
    condition     = var.location == null ? true : can(regex("^(US|EU|[a-z]+-[a-z]+[0-9]+)$", var.location))
    error_message = "location must be US, EU or a region such as europe-west1."
  }
}

variable "machine_type" {
  description = "Machine type of the VM. Kestra and PostgreSQL need 4 GiB at least; 8 are comfortable. A change restarts the VM."
  type        = string
  default     = "e2-standard-2"

  validation {
    condition     = can(regex("^((e2|n1|n2|n2d)-custom-[0-9]+-[0-9]+|(e2|n1|n2|n2d|c2|c2d|c3|c3d|t2d)-[a-z]+(-[0-9]+)?)$", var.machine_type))
    error_message = "machine_type must be of the families e2, n1, n2, n2d, c2, c2d, c3, c3d or t2d (x86-64, with balanced persistent disks), such as e2-standard-2 or e2-custom-2-8192."
  }

  validation {
    condition = (
      can(regex("-custom-", var.machine_type))
      ? try(tonumber(regex("-([0-9]+)$", var.machine_type)[0]) >= 4096, false)
      : !contains(["e2-micro", "e2-small", "n1-standard-1", "n1-highcpu-2", "n1-highcpu-4"], var.machine_type) && !can(regex("^(e2|n2|n2d|c2d)-highcpu-2$", var.machine_type))
    )
    error_message = "machine_type must have at least 4 GiB of memory: Kestra needs that much."
  }
}

variable "name" {
  description = "Name of the stack, and prefix of everything in it. Two stacks with different names live side by side in one project."
  type        = string
  default     = "taxistack"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "name must have 1 to 20 lower-case letters, digits or -, begin with a letter and not end with -."
  }

  validation {
    condition     = !strcontains(var.name, "goog")
    error_message = "name must not contain `goog`: Cloud Storage refuses such bucket names."
  }
}

variable "postgres_password" {
  description = "Password of the PostgreSQL user that the flows load trips with. Goes to Secret Manager only; a new value counts once secret_version is raised. Not needed to destroy."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.postgres_password == null ? true : length(var.postgres_password) >= 12 && length(var.postgres_password) <= 128
    error_message = "postgres_password must have 12 to 128 characters."
  }

  validation {
    condition     = var.postgres_password == null ? true : can(regex("^[A-Za-z0-9_.~-]+$", var.postgres_password))
    error_message = "postgres_password must be of letters, digits and the characters _ . ~ -, which need no quoting in a connection string."
  }
}

variable "project" {
  description = "Id of the Google Cloud project. The local cloud's is taxistack-local."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id (not its name or number): 6 to 30 lower-case letters, digits or -, beginning with a letter and not ending with -."
  }
}

variable "region" {
  description = "Region of the VM and its network."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be the name of a region, such as us-central1 (a zone has one letter more, such as us-central1-b)."
  }
}

variable "run" {
  description = "Value of the label `run`: which run made the stack. It stays the same as long as the stack lives; a CI job gives its own number, by which what it left behind is found."
  type        = string
  default     = "manual"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{0,62}$", var.run))
    error_message = "run must be a label value: 1 to 63 lower-case letters, digits, - or _, beginning with a letter or digit."
  }
}

variable "schedule" {
  description = "Hours of the day, in UTC, in which the VM runs, such as 08:00-20:00; Compute Engine stops it for the rest. null: all day. The kit refuses hours that miss a tick of the flows."
  type        = string
  default     = null

  validation {
    condition     = var.schedule == null ? true : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.schedule))
    error_message = "schedule must be two times of the day in UTC such as 08:00-20:00."
  }

  validation {
    condition     = var.schedule == null ? true : try(tonumber(replace(split("-", var.schedule)[0], ":", "")) < tonumber(replace(split("-", var.schedule)[1], ":", "")), false)
    error_message = "schedule must begin before it ends: a night within it can't be said."
  }
}

variable "secret_version" {
  description = "Number of the passwords' generation. Raise it to store new ones: the old versions are destroyed, and the server takes the new ones when it boots the next time."
  type        = number
  default     = 1

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "secret_version must be a whole number from 1."
  }
}

variable "snapshot_retention_days" {
  description = "Days that the daily snapshots of the data disk are kept, also after the disk is gone. Snapshots are incremental; what they hold is billed."
  type        = number
  default     = 7

  validation {
    condition     = var.snapshot_retention_days >= 1 && var.snapshot_retention_days <= 365 && floor(var.snapshot_retention_days) == var.snapshot_retention_days
    error_message = "snapshot_retention_days must be a whole number from 1 to 365."
  }
}

variable "soft_delete_days" {
  description = "Days that a deleted or replaced lake object, and the bucket itself, can be restored. All that time it is billed as if it were still there, after a destroy too; 0 switches it off, because the lake can be filled again from the source."
  type        = number
  default     = 0

  validation {
    condition     = contains(concat([0], range(7, 91)), var.soft_delete_days)
    error_message = "soft_delete_days must be 0 (off) or a whole number from 7 to 90 (Cloud Storage's own rule)."
  }
}

variable "staging_expiration_hours" {
  description = "Hours after which a table in the staging dataset is deleted. A load drops its own; this removes what a broken one left."
  type        = number
  default     = 24

  validation {
    condition     = var.staging_expiration_hours >= 1 && var.staging_expiration_hours <= 720 && floor(var.staging_expiration_hours) == var.staging_expiration_hours
    error_message = "staging_expiration_hours must be a whole number from 1 (BigQuery's own minimum) to 720."
  }
}

variable "subnet_range" {
  description = "Internal address range of the VM's subnet. It can be widened in place; any other change replaces the subnet, its NAT and the VM, once deletion_protection is off. The data disk stays."
  type        = string
  default     = "10.60.0.0/24"

  validation {
    condition     = can(cidrnetmask(var.subnet_range)) && can(regex("/(1[6-9]|2[0-9])$", var.subnet_range))
    error_message = "subnet_range must be an IPv4 range in CIDR notation with a prefix from /16 to /29, such as 10.60.0.0/24."
  }

  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.subnet_range))
    error_message = "subnet_range must be private (RFC 1918): within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
  }
}

variable "zone" {
  description = "Zone of the VM and its data disk. null: zone b of the region. To change it replaces both, once deletion_protection is off, and what was on the data disk is lost (its snapshots stay for snapshot_retention_days)."
  type        = string
  default     = null

  validation {
    condition     = var.zone == null ? true : can(regex("^${var.region}-[a-z]$", var.zone))
    error_message = "zone must be a zone of the region: the region's name, - and a letter."
  }
}

# The root validates what it hands over here; the descriptions that an operator needs are there too.

variable "alarm_email" {
  description = "Address that Cloud Monitoring writes to when Kestra is silent; null: none."
  type        = string
  default     = null
}

variable "boot_disk_size_gb" {
  description = "Size of the boot disk in GB."
  type        = number
}

variable "buckets" {
  description = "Buckets that the server reads and writes, by a key of ours: `kestra` is its internal storage."
  type        = map(string)
}

variable "data_disk" {
  description = "Id of the data disk."
  type        = string
}

variable "data_disk_number" {
  description = "Number of the data disk, which a disk that was made anew has another one of."
  type        = string
}

variable "datasets" {
  description = "Datasets that the server reads and writes, by a key of ours."
  type        = map(string)
}

variable "deletion_protection" {
  description = "Whether Google Cloud refuses to delete the VM."
  type        = bool
}

variable "desired_status" {
  description = "RUNNING or TERMINATED."
  type        = string
}

variable "kestra_port" {
  description = "TCP port of Kestra's UI and API."
  type        = number
}

variable "kestra_user" {
  description = "User name of Kestra's administrator."
  type        = string
}

variable "kestra_version" {
  description = "Version of the Kestra server."
  type        = string
}

variable "labels" {
  description = "Labels of the boot disk, the alert policy and its channel, which the provider's default labels do not reach."
  type        = map(string)
}

variable "machine_type" {
  description = "Machine type of the VM."
  type        = string
}

variable "name" {
  description = "Name of the stack, prefix of every name here."
  type        = string
}

variable "passwords" {
  description = "Passwords by the name that the boot script knows them by: ALARM_WEBHOOK, KESTRA_PASSWORD, POSTGRES_PASSWORD."
  type        = map(string)
  ephemeral   = true
  sensitive   = true
}

variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the network."
  type        = string
}

variable "schedule" {
  description = "Hours in which the VM runs, in UTC, such as 08:00-20:00; null: all day."
  type        = string
  default     = null
}

variable "schedules" {
  description = "Self link of the instance schedule that starts and stops the VM; none: it always runs."
  type        = list(string)
  default     = []
}

variable "secret_version" {
  description = "Generation of the passwords."
  type        = number
}

variable "subnet_range" {
  description = "Internal address range of the subnet."
  type        = string
}

variable "zone" {
  description = "Zone of the VM."
  type        = string
}

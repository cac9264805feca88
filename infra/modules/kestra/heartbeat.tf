# Whether Kestra lives, seen from outside the VM. The health check of its container says so in the
# container's log once a minute, the log goes to Cloud Logging, this metric counts the line, and the
# policy opens an incident when it stays away: Kestra, Docker, the VM or its way out is dead.
resource "google_logging_metric" "heartbeat" {
  name        = "${var.name}-heartbeat"
  description = "Kestra of stack ${var.name} says that it is healthy."

  filter = join(" AND ", [
    "resource.type=\"gce_instance\"",
    "logName=\"projects/${var.project}/logs/gcplogs-docker-driver\"",
    "jsonPayload.instance.name=\"${var.name}-kestra\"",
    "jsonPayload.message=\"${local.heartbeat}\"",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

locals {
  heartbeat = "taxistack: Kestra is healthy" # compose.yaml writes it

  # The metric as PromQL names it.
  heartbeats = "logging_googleapis_com:user_${replace(google_logging_metric.heartbeat.name, "-", "_")}{monitored_resource=\"gce_instance\",project_id=\"${var.project}\"}"
  # No data and a count of 0 are the same silence.
  silence = "(sum(increase(${local.heartbeats}[5m])) or vector(0)) < 1"

  # Start and stop of the VM in minutes of the day, UTC; what is silent in between is stopped.
  hours = var.schedule == null ? [] : [
    for time in split("-", var.schedule) : tonumber(split(":", time)[0]) * 60 + tonumber(split(":", time)[1])
  ]
  awake = [
    for start in slice(local.hours, 0, min(1, length(local.hours))) :
    "((hour() * 60 + minute() + ${1440 - start}) % 1440) < ${(local.hours[1] - start + 1440) % 1440}"
  ]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alarm_email == null ? {} : { email = var.alarm_email }

  display_name = "${var.name}-alarms"
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = var.labels

  # Terraform takes a channel away before it changes the policy that names it.
  force_delete = true
}

resource "google_monitoring_alert_policy" "heartbeat" {
  display_name          = "${var.name}-heartbeat"
  combiner              = "OR"
  enabled               = var.desired_status == "RUNNING"
  severity              = "CRITICAL"
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]
  user_labels           = var.labels # default labels do not reach these

  conditions {
    display_name = "Kestra has not said for 20 minutes that it is healthy"

    # A condition on the metric's absence would wait for a first heartbeat, and be met every night
    # where a schedule stops the VM.
    condition_prometheus_query_language {
      query               = join(" and on() ", [for part in concat([local.silence], local.awake) : "(${part})"])
      duration            = "900s" # a boot takes minutes
      evaluation_interval = "60s"

      # Cloud Monitoring knows a metric of the logs some minutes after it was made.
      disable_metric_validation = true
    }
  }

  documentation {
    subject = "Kestra of stack ${var.name} is silent"
    content = "Nothing has been heard of Kestra of stack `${var.name}` in project `${var.project}` for 20 minutes. `invoke doctor` says how far its VM boots; the logs of its boot and of its containers are in Cloud Logging."
  }

  # Watched from when it is there.
  depends_on = [google_compute_instance.kestra]
}

# The hours in which the VM runs, when it is not to run all day: an instance schedule of Compute
# Engine's, in UTC. Disks and NAT are billed on; what the VM does at its stop is boot.sh's usual shutdown.
locals {
  hours = var.schedule == null ? {} : {
    vm = {
      start = split(":", split("-", var.schedule)[0])
      stop  = split(":", split("-", var.schedule)[1])
    }
  }
}

resource "google_compute_resource_policy" "hours" {
  for_each = local.hours

  name   = "${var.name}-hours"
  region = var.region
  # `sweep` and `down` know it by this text: a policy carries no labels.
  description = "Stack ${var.name}: the hours in which the VM runs."

  instance_schedule_policy {
    time_zone = "Etc/UTC"

    vm_start_schedule {
      schedule = "${tonumber(each.value.start[1])} ${tonumber(each.value.start[0])} * * *"
    }

    vm_stop_schedule {
      schedule = "${tonumber(each.value.stop[1])} ${tonumber(each.value.stop[0])} * * *"
    }
  }

  # The schedule acts as Compute Engine's own agent.
  depends_on = [google_project_service.this, google_project_iam_member.hours]
}

# Google's agent starts and stops machines only where it was given the right to. CI's identity may not
# grant it: a stack with a schedule is brought up by a person. All stacks of a project share the agent:
# after the `down` of one with a schedule, `up` of another one grants it again.
resource "google_project_iam_member" "hours" {
  # checkov:skip=CKV_GCP_42:Google's own agent and not an account of ours; its documentation asks for this role, and a right on the VM alone would come after the VM that needs it.
  for_each = local.hours

  project = var.project
  role    = "roles/compute.instanceAdmin.v1"
  member  = "serviceAccount:service-${google_storage_bucket.lake.project_number}@compute-system.iam.gserviceaccount.com"

  depends_on = [google_project_service.this]
}

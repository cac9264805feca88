# The server's memory: Kestra's database and the trips in PostgreSQL. It outlives the VM, which can be
# replaced at any time, and stays when the server is removed and the data is kept.
resource "google_compute_disk" "data" {
  name = "${var.name}-data"
  zone = local.zone
  type = "pd-balanced"
  size = var.data_disk_size_gb

  snapshot = var.data_disk_snapshot

  depends_on = [google_project_service.this]

  lifecycle {
    # Where it came from is of no account once it is there: the next plan names no snapshot.
    ignore_changes = [snapshot]
  }
}

resource "google_compute_resource_policy" "daily" {
  name   = "${var.name}-daily"
  region = var.region

  snapshot_schedule_policy {
    schedule {
      daily_schedule {
        days_in_cycle = 1
        start_time    = "03:00" # UTC, away from the flows' schedules at 09:00 and 10:00
      }
    }

    retention_policy {
      max_retention_days = var.snapshot_retention_days
      # Terraform does not know the snapshots: those of a deleted disk must go by themselves.
      on_source_disk_delete = "APPLY_RETENTION_POLICY"
    }

    snapshot_properties {
      # Snapshots get no default labels: without these an inventory would miss them.
      labels            = local.labels
      storage_locations = [var.region]
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_disk_resource_policy_attachment" "daily" {
  name = google_compute_resource_policy.daily.name
  disk = google_compute_disk.data.name
  zone = local.zone

  lifecycle {
    # A disk that was made anew has the same name: without this Terraform sees no change here.
    replace_triggered_by = [google_compute_disk.data.disk_id]
  }
}

resource "google_compute_network" "this" {
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
  mtu                     = 1500 # Docker's; with the default of 1460 containers' large packets get lost
}

resource "google_compute_subnetwork" "this" {
  name                     = var.name
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.subnet_range
  private_ip_google_access = true

  # Who talked to whom, sampled: enough to investigate, next to nothing to store.
  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "EXCLUDE_ALL_METADATA"
  }
}

# The way out (container images, the published trip files) for a VM without an external address.
resource "google_compute_router" "this" {
  name    = var.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  name                               = var.name
  region                             = var.region
  router                             = google_compute_router.this.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.this.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }

  lifecycle {
    # A subnet that was made anew has the same name, and this NAT would serve the old one.
    replace_triggered_by = [google_compute_subnetwork.this.subnetwork_id]
  }
}

# The only way in: Identity-Aware Proxy, which asks for a Google identity first. A network refuses
# whatever no rule allows.
resource "google_compute_firewall" "iap" {
  name                    = "${var.name}-iap"
  network                 = google_compute_network.this.id
  description             = "SSH, Kestra and PostgreSQL, from Identity-Aware Proxy's range only."
  direction               = "INGRESS"
  source_ranges           = ["35.235.240.0/20"]
  target_service_accounts = [google_service_account.kestra.email]

  allow {
    protocol = "tcp"
    ports    = ["22", tostring(var.kestra_port), "5432"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

locals {
  # Kestra's own advice for up to 1,000 task runs a minute (its page "Sizing and scaling infrastructure");
  # on Autopilot requests are what is billed, and limits equal them.
  sizes = {
    webserver = { cpu = "1", memory = "2Gi" }
    executor  = { cpu = "2", memory = "2Gi" }
    indexer   = { cpu = "500m", memory = "1Gi" }
    scheduler = { cpu = "1", memory = "2Gi" }
    worker    = { cpu = "2", memory = "4Gi" }
  }

  image = regex("^(?P<repository>.+):(?P<tag>[^:]+)$", var.image)

  # The same server as infra/kestra/compose.yaml configures, with Cloud SQL and the bucket. $${…} is for
  # Kestra: it reads these from its own environment, so no password stands in the values.
  application = {
    datasources = {
      postgres = {
        url               = "jdbc:postgresql://127.0.0.1:5432/kestra"
        driver-class-name = "org.postgresql.Driver"
        username          = "kestra"
        password          = "$${DATABASE_PASSWORD}"
      }
    }
    kestra = {
      server = {
        basic-auth = {
          username = var.stack.kestra_user.value
          password = "$${BASIC_AUTH_PASSWORD}"
        }
        termination-grace-period = "5m"
        liveness = {
          enabled            = true
          interval           = "5s"
          timeout            = "45s"
          initial-delay      = "45s"
          heartbeat-interval = "3s"
        }
      }
      tutorial-flows         = { enabled = false }
      repository             = { type = "postgres" }
      queue                  = { type = "postgres" }
      storage                = { type = "gcs", gcs = { bucket = var.stack.kestra_bucket.value, project-id = var.stack.project.value } }
      tasks                  = { tmp-dir = { path = "/tmp/kestra" } }
      anonymous-usage-report = { enabled = false }
    }
  }

  values = {
    image = {
      repository = local.image.repository
      tag        = local.image.tag
    }
    common = {
      labels    = var.stack.labels.value
      podLabels = var.stack.labels.value
      # One more minute than running steps have when a pod is stopped.
      terminationGracePeriodSeconds = 360
      extraEnv = [
        for name, key in {
          BASIC_AUTH_PASSWORD      = "kestra-password"
          DATABASE_PASSWORD        = "database-password"
          SECRET_ALARM_WEBHOOK     = "alarm-webhook"
          SECRET_POSTGRES_PASSWORD = "postgres-password"
        } : { name = name, valueFrom = { secretKeyRef = { name = var.secret, key = key } } }
      ]
      # Google's own way to Cloud SQL: by the pod's identity, encrypted, without an address of its own.
      extraContainers = [{
        name  = "cloud-sql-proxy"
        image = "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.14.2"
        args  = ["--private-ip", "--port=5432", var.database]
        resources = {
          requests = { cpu = "250m", memory = "512Mi" }
          limits   = { cpu = "250m", memory = "512Mi" }
        }
        securityContext = { runAsNonRoot = true, allowPrivilegeEscalation = false }
      }]
    }
    configurations = { application = local.application }
    serviceAccount = {
      create      = true
      name        = "kestra"
      annotations = { "iam.gke.io/gcp-service-account" = var.stack.service_account.value }
    }
    # The flows' steps are processes of the worker: no Docker, which Autopilot would refuse.
    dind = { enabled = false }
    deployments = merge(
      { standalone = { enabled = false } },
      {
        for part, size in local.sizes : part => {
          enabled   = true
          replicas  = part == "worker" ? var.workers : 1
          resources = { requests = size, limits = size }
        }
      },
    )
  }
}

output "values" {
  description = "Values of the chart kestra/kestra, as YAML, for `helm upgrade --install --values`. Nothing in it is secret."
  value       = yamlencode(local.values)
}

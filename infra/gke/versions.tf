# Renders values of Kestra's official Helm chart from the outputs of a stack. It makes nothing and asks
# no cloud: the cluster, the database and the release are made by the commands of docs/scaling.md.
terraform {
  required_version = ">= 1.11"
}

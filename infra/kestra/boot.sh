#!/usr/bin/env bash
# Startup script of the Kestra VM: from a bare Ubuntu to a healthy Kestra, at every boot.
#
# Idempotent: what is there already is left alone, so it may run again at any time
# (`google_metadata_script_runner startup`). Its settings are the VM's metadata, set by
# infra/modules/kestra/instance.tf. How far it is stands in the guest attribute taxistack/boot:
# the name of a step, then `healthy`, or `failed: STEP`.
#
# Secrets come from Secret Manager with the VM's own short-lived token and stand in files on a tmpfs
# that only root reads; they are in no argument, no environment of Docker and no log.
set -euo pipefail
umask 077

# The root folder and the two addresses can be set, so that a test can run this script.
root=${TAXISTACK_ROOT:-}
metadata=${METADATA_URL:-http://metadata.google.internal/computeMetadata/v1}
secret_manager=${SECRET_MANAGER_URL:-https://secretmanager.googleapis.com/v1}
attempts=${BOOT_ATTEMPTS:-30}
pause=${BOOT_PAUSE:-10}

data=$root/var/lib/taxistack           # where the data disk is mounted
server=$root/opt/taxistack             # what Docker Compose works with
secrets=$root/run/taxistack/secrets    # /run is a tmpfs
device=$root/dev/disk/by-id/google-data
step=start

log() { printf 'boot: %s\n' "$*" >&2; }

report() {
  curl --silent --fail --max-time 5 --request PUT --header 'Metadata-Flavor: Google' \
    --data "$1" "$metadata/instance/guest-attributes/taxistack/boot" >/dev/null || true
}

begin() {
  step=$1
  log "$step"
  report "$step"
}

# Once a try has failed: the network, the rights and the package lists of a new VM take minutes.
persist() {
  local try
  for ((try = 1; try <= attempts; try++)); do
    if "$@"; then return 0; fi
    log "$1 failed (try $try of $attempts)"
    sleep "$pause"
  done
  return 1
}

metadata_value() {
  curl --silent --show-error --fail --header 'Metadata-Flavor: Google' \
    "$metadata/instance/attributes/$1"
}

# The file appears whole or not at all.
metadata_file() {
  metadata_value "$1" >"$2.new"
  mv "$2.new" "$2"
}

token() {
  curl --silent --show-error --fail --header 'Metadata-Flavor: Google' \
    "$metadata/instance/service-accounts/default/token" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'
}

# The token goes in by standard input: arguments can be read by every user of the machine.
secret_value() {
  local bearer
  bearer=$(token)
  printf 'header = "Authorization: Bearer %s"\n' "$bearer" |
    curl --silent --show-error --fail --config - \
      "$secret_manager/projects/$project/secrets/$1/versions/latest:access" |
    python3 -c 'import base64, json, sys
sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)["payload"]["data"]))'
}

secret_file() {
  secret_value "$2" >"$secrets/$1.new" && mv "$secrets/$1.new" "$secrets/$1"
}

compose() { docker compose --project-directory "$server" "$@"; }

install_docker() {
  # The system's own upgrades restart Docker: the containers go on meanwhile.
  mkdir -p "$root/etc/docker"
  printf '{"live-restore": true}\n' >"$root/etc/docker/daemon.json"
  docker compose version >/dev/null 2>&1 && return
  (
    umask 022 # what packages expect
    apt-get -o DPkg::Lock::Timeout=300 --quiet update &&
      DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 --quiet --yes install \
        docker.io docker-compose-v2 docker-buildx
  )
}

mount_data_disk() {
  mkdir -p "$data"
  persist test -e "$device"
  # Only a disk without any file system is formatted.
  if ! blkid "$device" >/dev/null; then
    mkfs.ext4 -q -L taxistack "$device"
  fi
  mountpoint --quiet "$data" || mount -o discard,noatime "$device" "$data"
  resize2fs "$device" # after the disk has grown
}

fetch_files() {
  mkdir -p "$server"
  metadata_file kestra-compose "$server/compose.yaml"
  metadata_file kestra-dockerfile "$server/Dockerfile"
  metadata_file kestra-entrypoint "$server/entrypoint.sh"
  metadata_file kestra-build-requirements "$server/build-requirements.txt"
  metadata_file kestra-requirements "$server/requirements.txt"
  install --directory --mode=0755 "$data/postgres" # its own user in the container must pass
  # One command a line: a value that cannot be read must end the script.
  local version user digest bucket port generation
  version=$(metadata_value kestra-version)
  user=$(metadata_value kestra-user)
  digest=$(metadata_value etl-requirements)
  bucket=$(metadata_value kestra-bucket)
  port=$(metadata_value kestra-port)
  generation=$(metadata_value secret-version)
  cat >"$server/.env" <<SETTINGS
KESTRA_VERSION=$version
KESTRA_USER=$user
ETL_REQUIREMENTS=$digest
SECRETS=$secrets
SECRET_VERSION=$generation
KESTRA_BIND=0.0.0.0
KESTRA_PORT=$port
POSTGRES_DATA=$data/postgres
KESTRA_STORAGE=gcs
KESTRA_BUCKET=$bucket
PROJECT=$project
SETTINGS
}

fetch_secrets() {
  mkdir -p "$secrets"
  local name id wanted
  wanted=$(metadata_value kestra-secrets | python3 -c 'import json, sys
for name, secret in json.load(sys.stdin).items():
    print(name, secret)')
  while read -r name id; do
    persist secret_file "$name" "$id"
  done <<<"$wanted"
  # Kestra's own database is reached from Kestra's container alone: its password never leaves this VM.
  if [[ ! -s $data/database-password ]]; then
    python3 -c 'import secrets; print(secrets.token_urlsafe(32), end="")' >"$data/database-password.new"
    mv "$data/database-password.new" "$data/database-password"
  fi
  cp "$data/database-password" "$secrets/KESTRA_DB_PASSWORD"
}

# The flows' own user and database, beside Kestra's. The password is one of letters, digits and
# _ . ~ - (infra/variables.tf), so it needs no escape in SQL.
prepare_database() {
  persist compose up --detach --wait postgres
  local password
  password=$(<"$secrets/POSTGRES_PASSWORD")
  compose exec -T postgres psql --quiet --no-psqlrc --username=kestra --dbname=kestra \
    --set=ON_ERROR_STOP=1 <<SQL
SET log_min_error_statement = panic; -- a failed statement is not logged with the password in it
SELECT 'CREATE ROLE taxi LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'taxi') \gexec
ALTER ROLE taxi PASSWORD '$password';
SELECT 'CREATE DATABASE taxi OWNER taxi'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'taxi') \gexec
REVOKE CONNECT ON DATABASE kestra FROM PUBLIC;
SQL
}

start_server() {
  persist compose build --quiet kestra
  compose up --detach --wait --wait-timeout 600 --remove-orphans
}

main() {
  exec 9>"$root/run/taxistack.lock"
  flock 9 # a second run waits for the first
  trap 'if (($?)); then log "failed: $step"; report "failed: $step"; fi' EXIT
  project=$(persist curl --silent --show-error --fail --header 'Metadata-Flavor: Google' \
    "$metadata/project/project-id")
  begin install-docker
  persist install_docker
  begin mount-data-disk
  mount_data_disk
  begin fetch-files
  fetch_files
  begin fetch-secrets
  fetch_secrets
  begin prepare-database
  prepare_database
  begin start-server
  start_server
  report healthy
  log healthy
}

main

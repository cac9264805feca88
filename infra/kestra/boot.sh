#!/usr/bin/env bash
# Startup script of the Kestra VM: from a bare Ubuntu to a healthy Kestra, at every boot.
#
# Idempotent: what is there already is left alone, so it may run again at any time
# (`google_metadata_script_runner startup`). Its settings are the VM's metadata, set by
# infra/modules/kestra/instance.tf. How far it is stands in the guest attribute taxistack/boot:
# the name of a step, and at the end one of
#
#   healthy HASH                         the server runs with the metadata of that hash
#   degraded HASH: image build failed    an older image runs, built from the metadata of that hash
#   failed: STEP
#
# HASH is the SHA-256 of `name NUL value NUL` for each of the names below, sorted, in UTF-8. Whoever
# knows the metadata can tell by it whether the server has taken a change.
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
pause=${BOOT_PAUSE:-10}                # seconds between two tries
ask_seconds=${BOOT_ASK_SECONDS:-20}    # for one answer of the two servers
lock_seconds=${BOOT_LOCK_SECONDS:-1800}

# The metadata that counts, sorted. A test compares it with what instance.tf sets.
names=(
  etl-requirements
  kestra-bucket
  kestra-build-requirements
  kestra-compose
  kestra-dockerfile
  kestra-entrypoint
  kestra-port
  kestra-requirements
  kestra-secrets
  kestra-user
  kestra-version
  secret-version
  startup-script
)
# Those of them that the server's image is made of.
image_names=(
  etl-requirements
  kestra-build-requirements
  kestra-dockerfile
  kestra-entrypoint
  kestra-requirements
  kestra-version
)
image=taxistack/kestra

data=$root/var/lib/taxistack           # where the data disk is mounted
server=$root/opt/taxistack             # what Docker Compose works with
inputs=$root/run/taxistack/inputs      # the metadata as it was read, one file a name
secrets=$root/run/taxistack/secrets    # /run is a tmpfs
lock=$root/run/taxistack.lock
device=$root/dev/disk/by-id/google-data
step=start
older=''  # tag of the image that runs because the right one could not be built

log() { printf 'boot: %s\n' "$*" >&2; }

report() {
  curl --silent --show-error --fail --connect-timeout 5 --max-time 5 --request PUT \
    --header 'Metadata-Flavor: Google' --data "$1" \
    "$metadata/instance/guest-attributes/taxistack/boot" >/dev/null
}

begin() {
  step=$1
  log "$step"
  report "$step" || true # the next one may get through
}

# How the boot ended is waited for by `up`, so it is said more than once.
end() {
  log "$1"
  attempts=3 persist report "$1" || true
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

# The metadata server may answer 503, or not at all: each call ends, and is made again by `persist`.
ask() {
  curl --silent --show-error --fail --connect-timeout 5 --max-time "$ask_seconds" "$@"
}

ask_metadata() { ask --header 'Metadata-Flavor: Google' "$metadata/$1"; }

token() {
  ask_metadata instance/service-accounts/default/token |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'
}

# The token goes in by standard input: arguments can be read by every user of the machine.
secret_value() {
  local bearer
  bearer=$(token) || return
  printf 'header = "Authorization: Bearer %s"\n' "$bearer" |
    ask --config - \
      "$secret_manager/projects/$project/secrets/$1/versions/latest:access" |
    python3 -c 'import base64, json, sys
sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)["payload"]["data"]))'
}

# A file appears whole or not at all.
secret_file() {
  secret_value "$2" >"$secrets/$1.new" && mv "$secrets/$1.new" "$secrets/$1"
}

attributes() {
  ask_metadata 'instance/attributes/?recursive=true' >"$inputs/answer.new" &&
    mv "$inputs/answer.new" "$inputs/answer"
}

input() { printf '%s' "$(<"$inputs/$1")"; }

input_file() { cp "$inputs/$1" "$2.new" && mv "$2.new" "$2"; }

# Bounded, because a registry may hang; it holds the lock as long as it runs.
compose() { timeout 1500 docker compose --project-directory "$server" "$@"; }

# Who has the lock: a boot that runs, or a program that one started and left behind.
holders() {
  local file pid
  for file in /proc/[0-9]*/fd/*; do
    pid=${file#/proc/}
    pid=${pid%%/*}
    if [[ $pid != "$$" && $pid != "$BASHPID" && $file -ef $lock ]]; then
      printf ' %s (%s)' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
    fi
  done
}

take_lock() {
  exec 9>"$lock"
  if flock --nonblock 9; then return 0; fi
  begin wait-for-lock
  log "the lock is held by:$(holders || true)"
  if flock --timeout "$lock_seconds" 9; then return 0; fi
  log "after $lock_seconds s the lock is still held by:$(holders || true)"
  return 1
}

install_docker() {
  (
    umask 022 # what packages expect
    # The system's own upgrades restart Docker: the containers go on meanwhile.
    mkdir -p "$root/etc/docker" "$root/etc/systemd/system/docker.service.d"
    printf '{"live-restore": true}\n' >"$root/etc/docker/daemon.json"
    # After a reboot Docker starts the containers that ran. It must not, on an empty folder of the
    # boot disk: without the data disk there is no Docker. This script starts both.
    printf '[Unit]\nConditionPathIsMountPoint=%s\n' "$data" \
      >"$root/etc/systemd/system/docker.service.d/taxistack.conf"
    docker compose version >/dev/null 2>&1 || {
      apt-get -o DPkg::Lock::Timeout=300 --quiet update &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 --quiet --yes install \
          docker.io docker-compose-v2 docker-buildx
    }
  )
}

mount_data_disk() {
  mkdir -p "$data"
  persist test -e "$device"
  # Only a disk without any file system is formatted: 2 is "nothing found". As blkid says that of a
  # disk that can't be read too, it is read first.
  local probed=0
  blkid -p "$device" >/dev/null || probed=$?
  if ((probed == 2)); then
    head --bytes=1M "$device" >/dev/null
    mkfs.ext4 -q -L taxistack "$device"
  elif ((probed != 0)); then
    log "blkid ended with $probed: what is on the data disk is not known"
    return 1
  fi
  mountpoint --quiet "$data" || mount -o discard,noatime "$device" "$data"
  # After the disk has grown; a server on the smaller one is better than none.
  resize2fs "$device" || log "the file system of the data disk could not be made larger"
}

# All values come in one answer, so they are of one moment. Its own text counts for this script: the
# metadata may have another one since it was started, and that one did not run.
read_inputs() {
  mkdir -p "$inputs"
  persist attributes
  python3 -c '
import hashlib, json, pathlib, sys

folder, script, count, *names = sys.argv[1:]
names, image_names = names[: int(count)], names[int(count) :]
folder = pathlib.Path(folder)
values = json.loads((folder / "answer").read_text("utf-8"))
missing = [name for name in names if name not in values]
if missing:
    sys.exit(f"boot: the metadata has no {missing}")
own = pathlib.Path(script).read_text("utf-8")
if own.strip() != values["startup-script"].strip():
    values["startup-script"] = own
for name in names:
    (folder / name).write_text(values[name], "utf-8")
for target, chosen in ("hash", names), ("image-hash", image_names):
    text = "".join(f"{name}\0{values[name]}\0" for name in sorted(chosen))
    (folder / target).write_text(hashlib.sha256(text.encode()).hexdigest())
' "$inputs" "${BASH_SOURCE[0]}" "${#names[@]}" "${names[@]}" "${image_names[@]}"
}

fetch_files() {
  read_inputs
  mkdir -p "$server"
  input_file kestra-compose "$server/compose.yaml"
  input_file kestra-dockerfile "$server/Dockerfile"
  input_file kestra-entrypoint "$server/entrypoint.sh"
  input_file kestra-build-requirements "$server/build-requirements.txt"
  input_file kestra-requirements "$server/requirements.txt"
  install --directory --mode=0755 "$data/postgres" # its own user in the container must pass
  # The tenth that is left is for the system and Docker.
  local memory
  memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' "$root/proc/meminfo")
  cat >"$server/.env" <<SETTINGS
KESTRA_VERSION=$(input kestra-version)
KESTRA_IMAGE=$(input image-hash)
KESTRA_INPUTS=$(input hash)
KESTRA_USER=$(input kestra-user)
ETL_REQUIREMENTS=$(input etl-requirements)
SECRETS=$secrets
SECRET_VERSION=$(input secret-version)
KESTRA_BIND=0.0.0.0
KESTRA_PORT=$(input kestra-port)
LOG_DRIVER=gcplogs
KESTRA_MEMORY=$((memory * 65 / 100))m
POSTGRES_BIND=0.0.0.0
POSTGRES_MEMORY=$((memory * 25 / 100))m
POSTGRES_DATA=$data/postgres
KESTRA_STORAGE=gcs
KESTRA_BUCKET=$(input kestra-bucket)
PROJECT=$project
SETTINGS
}

fetch_secrets() {
  mkdir -p "$secrets"
  local name id wanted
  wanted=$(python3 -c 'import json, sys
for name, secret in json.load(sys.stdin).items():
    print(name, secret)' <"$inputs/kestra-secrets")
  while read -r name id; do
    persist secret_file "$name" "$id"
  done <<<"$wanted"
  # Only Kestra's container uses Kestra's own database: that password never leaves this VM.
  if [[ ! -s $data/database-password ]]; then
    python3 -c 'import secrets; print(secrets.token_urlsafe(32), end="")' >"$data/database-password.new"
    mv "$data/database-password.new" "$data/database-password"
  fi
  cp "$data/database-password" "$secrets/KESTRA_DB_PASSWORD"
}

start_docker() {
  systemctl daemon-reload && systemctl start docker && timeout 60 docker info >/dev/null
}

# A reboot needs no registry: the image is built when this machine has none of these inputs, before
# anything that runs is touched. When that fails, an older image is better than no server.
build_image() {
  local wanted tag
  wanted=$(input image-hash)
  if docker image inspect "$image:$wanted" >/dev/null 2>&1; then return 0; fi
  read -r tag < <(docker image ls --format '{{.Tag}}' "$image") || true # the newest is the first
  if [[ -z $tag ]]; then
    persist compose build --quiet kestra
    return
  fi
  if attempts=3 persist compose build --quiet kestra; then return 0; fi
  log "the image of these inputs can't be built: $image:$tag is started instead"
  sed --in-place "s/^KESTRA_IMAGE=.*/KESTRA_IMAGE=$tag/" "$server/.env"
  older=$tag
}

# A text as psql's \set takes it.
quoted() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\'/\\\'}
  printf "'%s'" "${text//$'\n'/\\n}"
}

# The flows' own user and database, beside Kestra's. The password comes by standard input and goes
# into SQL as a variable that psql itself quotes.
prepare_database() {
  persist compose up --detach --no-build --wait --wait-timeout 300 postgres
  local password
  password=$(<"$secrets/POSTGRES_PASSWORD")
  compose exec -T postgres psql --quiet --no-psqlrc --username=kestra --dbname=kestra \
    --set=ON_ERROR_STOP=1 <<SQL
\\set password $(quoted "$password")
SET log_min_error_statement = panic; -- a failed statement is not logged with the password in it
SELECT 'CREATE ROLE taxi LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'taxi') \gexec
ALTER ROLE taxi PASSWORD :'password';
SELECT 'CREATE DATABASE taxi OWNER taxi'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'taxi') \gexec
REVOKE CONNECT ON DATABASE kestra FROM PUBLIC;
SQL
}

start_server() {
  compose up --detach --no-build --wait --wait-timeout 600 --remove-orphans
}

# What no container uses: images of former versions, and what was kept to build them.
prune() {
  if docker image prune --all --force && docker builder prune --all --force; then return 0; fi
  log 'old images could not be removed'
}

finish() {
  if [[ -z $older ]]; then
    end "healthy $(input hash)"
    prune >/dev/null
  else
    local built
    built=$(docker image inspect \
      --format '{{index .Config.Labels "taxistack.inputs"}}' "$image:$older")
    end "degraded ${built:-unknown}: image build failed"
  fi
}

main() {
  trap 'if (($?)); then end "failed: $step"; fi' EXIT
  take_lock
  project=$(persist ask_metadata project/project-id)
  begin install-docker
  persist install_docker
  begin mount-data-disk
  mount_data_disk
  begin fetch-files
  fetch_files
  begin fetch-secrets
  fetch_secrets
  begin start-docker
  persist start_docker
  begin build-image
  build_image
  begin prepare-database
  prepare_database
  begin start-server
  start_server
  finish
}

main

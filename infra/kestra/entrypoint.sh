#!/bin/sh
# Runs a command as the user `kestra` with the secrets of the container in its environment.
#
# Secrets come as files, readable by root only, so that no container's configuration holds them.
# Kestra finds the secret NAME of a flow as SECRET_NAME, in base64. The two passwords of the server
# itself are no flow's business and keep names that secret() cannot reach.
set -eu

folder=${SECRETS_FOLDER:-/run/secrets}

for file in "$folder"/*; do
  name=${file##*/}
  value=$(cat "$file")
  case $name in
    KESTRA_PASSWORD) export "BASIC_AUTH_PASSWORD=$value" ;;
    KESTRA_DB_PASSWORD) export "DATABASE_PASSWORD=$value" ;;
    *) export "SECRET_$name=$(printf %s "$value" | base64 | tr -d '\n')" ;;
  esac
done
unset value

export HOME=/app
exec setpriv --reuid=kestra --regid=kestra --init-groups -- "$@"

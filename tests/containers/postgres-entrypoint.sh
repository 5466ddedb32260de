#!/bin/sh
# POSTGRES_PASSWORD and POSTGRES_DB as in the official image.
set -eu

PATH=/usr/lib/postgresql/15/bin:$PATH
data=/var/lib/postgresql/data
if [ "$(id -u)" -eq 0 ]; then
    mkdir -p "$data" /var/run/postgresql
    chown -R postgres: "$data" /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0"
fi
if [ ! -s "$data/PG_VERSION" ]; then
    printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
    initdb -D "$data" -U postgres -E UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --pwfile=/tmp/password >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    pg_ctl -D "$data" -w -o "-c listen_addresses=''" start >/dev/null
    [ "${POSTGRES_DB:-postgres}" = postgres ] || createdb -U postgres "$POSTGRES_DB"
    pg_ctl -D "$data" -w -m fast stop >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*'

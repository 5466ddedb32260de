#!/bin/sh
# One-shot: brings the schema up to date, gives the store and the readers their login roles, and loads the
# central file. Runs as the database's owner; the store and the CLI do not.
set -eu

modeltrail-store migrate
psql -qX -v ON_ERROR_STOP=1 -v store_password="$STORE_PASSWORD" -v reader_password="$READER_PASSWORD" <<'SQL'
SET client_min_messages = warning;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'store') THEN
        CREATE ROLE store LOGIN; CREATE ROLE reader LOGIN;
    END IF;
END $$;
ALTER ROLE store PASSWORD :'store_password';
ALTER ROLE reader PASSWORD :'reader_password';
GRANT modeltrail_writer TO store;
GRANT modeltrail_reader TO reader;
SQL
PGUSER=store PGPASSWORD="$STORE_PASSWORD" modeltrail-store apply /recording/modeltrail.yaml

-- The four roles, and who owns what (docs/architecture.md). Roles belong to the whole cluster, so they are made
-- only when they are missing. Works for a superuser and for an administrator who may create roles
-- and owns the database, as managed services give it.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['modeltrail_owner', 'modeltrail_writer', 'modeltrail_reader',
                                     'modeltrail_auditor'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this cluster was migrated at the same moment
        END;
    END LOOP;
    -- Giving an object away takes membership in the new owner; superusers have it without a grant.
    IF NOT pg_has_role(current_user, 'modeltrail_owner', 'MEMBER') THEN
        EXECUTE format('GRANT modeltrail_owner TO %I', current_user);
    END IF;
    IF NOT pg_has_role('modeltrail_auditor', 'modeltrail_reader', 'MEMBER') THEN
        GRANT modeltrail_reader TO modeltrail_auditor;
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO modeltrail_owner', current_database());
END
$$;

CREATE SCHEMA modeltrail_v1;
COMMENT ON SCHEMA modeltrail_v1 IS
    'The contract: views and functions that reports may build on. Columns are only ever appended.';
COMMENT ON SCHEMA modeltrail IS 'Internal tables; subject to change. Ask schema modeltrail_v1 instead.';

-- What the earlier migrations made goes to the owner. The later ones create as the owner.
DO $$
DECLARE
    owned record;
BEGIN
    ALTER SCHEMA modeltrail OWNER TO modeltrail_owner;
    ALTER SCHEMA modeltrail_v1 OWNER TO modeltrail_owner;
    FOR owned IN SELECT oid::regclass AS name FROM pg_catalog.pg_class
                 WHERE relnamespace = 'modeltrail'::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO modeltrail_owner', owned.name);
    END LOOP;
    FOR owned IN SELECT oid::regprocedure AS name FROM pg_catalog.pg_proc
                 WHERE pronamespace = 'modeltrail'::regnamespace LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO modeltrail_owner', owned.name);
    END LOOP;
END
$$;

-- The migration runner makes its table before the first migration; by hand it may be missing.
CREATE SCHEMA IF NOT EXISTS modeltrail_migration;
CREATE TABLE IF NOT EXISTS modeltrail_migration.applied (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT USAGE ON SCHEMA modeltrail_migration TO modeltrail_owner, modeltrail_writer;
GRANT SELECT ON modeltrail_migration.applied TO modeltrail_owner, modeltrail_writer;

SET LOCAL ROLE modeltrail_owner;

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA modeltrail_v1 GRANT SELECT ON TABLES TO modeltrail_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA modeltrail_v1 GRANT EXECUTE ON FUNCTIONS TO modeltrail_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA modeltrail FROM PUBLIC;
GRANT USAGE ON SCHEMA modeltrail_v1 TO modeltrail_reader, modeltrail_auditor;

-- The writer. Log and facts: put in and read. Belief: everything. Control: no row ever goes.
GRANT USAGE ON SCHEMA modeltrail TO modeltrail_writer;
GRANT SELECT, INSERT ON
    modeltrail.event, modeltrail.event_body, modeltrail.workload, modeltrail.state, modeltrail.listing,
    modeltrail.gap, modeltrail.watched, modeltrail.request, modeltrail.namespace_label,
    modeltrail.central, modeltrail.environment, modeltrail.environment_map, modeltrail.person,
    modeltrail.person_map, modeltrail.gitops_sync, modeltrail.commit, modeltrail.commit_path
    TO modeltrail_writer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
    modeltrail.placement, modeltrail.route, modeltrail.change, modeltrail.attribution,
    modeltrail.checkpoint
    TO modeltrail_writer;
GRANT SELECT, INSERT, UPDATE ON modeltrail.mark, modeltrail.refusal, modeltrail.store_trouble TO modeltrail_writer;
GRANT SELECT, UPDATE ON modeltrail.writer_lock TO modeltrail_writer;
GRANT EXECUTE ON FUNCTION modeltrail.ensure_partitions() TO modeltrail_writer;

RESET ROLE;

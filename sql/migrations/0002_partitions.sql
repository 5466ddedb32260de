-- Partitions of the log, and what keeps the log and the facts append-only (docs/architecture.md, invariant 5).

-- `show EVENT` and the check of repeats find events by the place in their collector's stream.
CREATE INDEX event_source ON modeltrail.event (log, collector, epoch, seq);
CREATE INDEX event_recorded ON modeltrail.event
    USING brin (recorded_at) WITH (pages_per_range = 64, autosummarize = on);

-- The fold asks for the listings above or below a position of one scope.
CREATE INDEX listing_position ON modeltrail.listing (log, cluster, resource, namespace, position);

-- The requests that the fold can use (store/belief_load.c asks with the same words): it wants those of one
-- object behind a position or a generation, and a busy object has thousands of others.
CREATE INDEX request_position ON modeltrail.request (log, uid, cluster, resource, position)
    WHERE NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'))
          AND (removes OR (coalesce(subresource, 'scale') IN ('', 'scale')
                           AND verb IN ('create', 'update', 'patch', 'delete')));
CREATE INDEX request_generation ON modeltrail.request (log, uid, cluster, resource, generation)
    WHERE NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'))
          AND (removes OR (coalesce(subresource, 'scale') IN ('', 'scale')
                           AND verb IN ('create', 'update', 'patch', 'delete')));

-- What shows neither position nor generation is asked for by its time: of one object, of one name, of one
-- collection; namespaces by their name.
CREATE INDEX request_window ON modeltrail.request (log, uid, cluster, resource, at)
    WHERE NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'))
          AND (removes OR (coalesce(subresource, 'scale') IN ('', 'scale')
                           AND verb IN ('create', 'update', 'patch', 'delete')))
          AND position IS NULL AND (generation IS NULL OR subresource = 'scale');
CREATE INDEX request_name ON modeltrail.request (log, cluster, resource, (coalesce(namespace, '')), name, at)
    WHERE uid IS NULL AND NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'))
          AND coalesce(subresource, 'scale') IN ('', 'scale')
          AND verb IN ('create', 'update', 'patch', 'delete');
CREATE INDEX request_collection ON modeltrail.request (log, cluster, resource, (coalesce(namespace, '')), at)
    WHERE uid IS NULL AND verb = 'deletecollection'
          AND NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'));
CREATE INDEX request_namespace ON modeltrail.request (log, cluster, name, at)
    WHERE resource = 'namespaces' AND verb = 'delete' AND coalesce(subresource, '') = ''
          AND NOT dry_run AND (code < 300 OR (code IS NULL AND evidence = 'admission'));
CREATE INDEX workload_owner ON modeltrail.workload (log, cluster, owner_uid) WHERE owner_uid IS NOT NULL;

-- Rows that are updated in place at every batch keep room on their page.
ALTER TABLE modeltrail.checkpoint SET (fillfactor = 50);
ALTER TABLE modeltrail.mark SET (fillfactor = 50);

-- A table that was never analysed makes the planner guess that any condition finds half a percent; while the
-- first events pour in it would walk a whole cluster for every key. So it is told beforehand what these
-- columns look like: rows to learn from, ANALYZE, and away with them. autovacuum replaces it all soon.
INSERT INTO modeltrail.workload (cluster, resource, uid, log_index, kind, namespace, name)
    SELECT n::text, n::text, gen_random_uuid(), n, n::text, n::text, n::text
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor,
                              removed, detail)
    SELECT n::text, n::text, gen_random_uuid(), n, n, '2000-01-01'::timestamptz + n * interval '1 h',
           n::text, 1, false, '{}'
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.listing (cluster, resource, namespace, log_index, kind, position, listed_at, members)
    SELECT n::text, n::text, n::text, n, n::text, n, '2000-01-01'::timestamptz + n * interval '1 h', '{}'
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.request (log_index, cluster, audit_id, stage, verb, resource, uid, position,
                                generation, removes, code, dry_run, at, principal, via, evidence)
    SELECT n, n::text, n::text, n::text, n::text, n::text, gen_random_uuid(), n, n, false, 200, false,
           '2000-01-01'::timestamptz + n * interval '1 h', n::text, n::text, n::text
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.placement (cluster, resource, uid, row_key, from_position, placement_id, component,
        model, version, identity_source, role, stopped, state, valid_from, valid_to, deployed_position,
        deployed_at, time_source, recorded_index, revised_index)
    SELECT n::text, n::text, gen_random_uuid(), sha256(n::text::bytea), n, n::text, n::text, n::text,
           n::text, n::text, n::text, false, n::text, '2000-01-01'::timestamptz + n * interval '1 h',
           CASE WHEN n % 4 <> 0 THEN '2000-01-02'::timestamptz + n * interval '1 h' END, n,
           '2000-01-01'::timestamptz + n * interval '1 h', n::text, n, n
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.route (cluster, resource, uid, target_kind, target, role, from_position, valid_from,
                              recorded_index, revised_index)
    SELECT n::text, n::text, gen_random_uuid(), n::text, n::text, n::text, n,
           '2000-01-01'::timestamptz + n * interval '1 h', n, n
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.change (cluster, resource, uid, position, component, change_id, change_type,
                               happened_at, time_source, role, recorded_index, revised_index)
    SELECT n::text, n::text, gen_random_uuid(), n, n::text, n::text, n::text,
           '2000-01-01'::timestamptz + n * interval '1 h', n::text, n::text, n, n
    FROM generate_series(1, 300) n;
INSERT INTO modeltrail.attribution (cluster, resource, uid, position, request_index, strength)
    SELECT n::text, n::text, gen_random_uuid(), n, n, n::text FROM generate_series(1, 300) n;
INSERT INTO modeltrail.checkpoint (cluster, resource, uid, position, content)
    SELECT n::text, n::text, gen_random_uuid(), n, '{}' FROM generate_series(1, 300) n;

-- Every value above is another one, so that none passes for common; how many there really are is said here.
DO $$
DECLARE
    learnt record;
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['SET (n_distinct = %s)', 'RESET (n_distinct)'] LOOP
        FOR learnt IN
            SELECT a.attrelid::regclass AS name, a.attname, c.distinct_values
            FROM (VALUES ('cluster', 3), ('resource', 5), ('namespace', 50), ('kind', 5), ('verb', 5),
                         ('stage', 1), ('via', 1), ('evidence', 2), ('at_source', 5), ('component', 5),
                         ('role', 4), ('state', 4), ('identity_source', 4), ('time_source', 5),
                         ('change_type', 5), ('strength', 2), ('target_kind', 3), ('principal', 50))
                 AS c(column_name, distinct_values)
            JOIN pg_catalog.pg_attribute a ON a.attname = c.column_name
            WHERE a.attrelid IN ('modeltrail.workload'::regclass, 'modeltrail.state'::regclass,
                      'modeltrail.listing'::regclass, 'modeltrail.request'::regclass,
                      'modeltrail.placement'::regclass, 'modeltrail.route'::regclass,
                      'modeltrail.change'::regclass, 'modeltrail.attribution'::regclass,
                      'modeltrail.checkpoint'::regclass) LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I ' || setting, learnt.name, learnt.attname,
                           learnt.distinct_values);
        END LOOP;
        IF setting LIKE 'SET%' THEN
            ANALYZE modeltrail.workload, modeltrail.state, modeltrail.listing, modeltrail.request,
                modeltrail.placement, modeltrail.route, modeltrail.change, modeltrail.attribution,
                modeltrail.checkpoint;
        END IF;
    END LOOP;
END
$$;
TRUNCATE modeltrail.workload, modeltrail.state, modeltrail.listing, modeltrail.request,
    modeltrail.placement, modeltrail.route, modeltrail.change, modeltrail.attribution,
    modeltrail.checkpoint;

-- Append-only: no program and no person changes what is written; a wrong row is answered by another
-- row. The owner ends old history by dropping whole partitions, which no trigger sees.
CREATE FUNCTION modeltrail.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'old history ends by dropping partitions';
END
$$;

-- Puts the two triggers on one table. Statement triggers of a partitioned table do not guard its
-- partitions, so each of them has its own; ALWAYS holds under session_replication_role too.
CREATE FUNCTION modeltrail.make_append_only(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION modeltrail.refuse_change()', relation);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION modeltrail.refuse_change()', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_truncate', relation);
END
$$;
REVOKE ALL ON FUNCTION modeltrail.make_append_only(regclass) FROM PUBLIC;

SELECT modeltrail.make_append_only(relation::regclass)
FROM unnest(ARRAY['event', 'event_body', 'workload', 'state', 'listing', 'gap', 'watched', 'request',
                  'namespace_label', 'central', 'environment', 'environment_map', 'person', 'person_map'])
     AS name, LATERAL (SELECT 'modeltrail.' || name AS relation) AS qualified;

-- Makes the partition of the log's next index and the one behind it, and says how many it made. The
-- store, which has no right to create tables, calls it long before the last one is full. ATTACH lets
-- readers go on, which CREATE ... PARTITION OF would not. The names come from numbers only.
CREATE FUNCTION modeltrail.ensure_partitions() RETURNS integer
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rows_each CONSTANT bigint := 5000000;
    head bigint;
    first_number bigint;
    parent text;
    partition text;
    made integer := 0;
BEGIN
    SELECT coalesce(max(newest.log_index), 0) INTO head
    FROM modeltrail.writer_lock w, LATERAL (
        SELECT e.log_index FROM modeltrail.event e WHERE e.log = w.log
        ORDER BY e.log_index DESC LIMIT 1) newest;
    first_number := (head + 1) / rows_each;
    FOR number IN first_number .. first_number + 1 LOOP
        FOREACH parent IN ARRAY ARRAY['event', 'event_body'] LOOP
            partition := format('%s_%s', parent, lpad(number::text, 6, '0'));
            CONTINUE WHEN to_regclass('modeltrail.' || partition) IS NOT NULL;
            EXECUTE format('CREATE TABLE modeltrail.%I (LIKE modeltrail.%I INCLUDING ALL)',
                           partition, parent);
            EXECUTE format('SELECT modeltrail.make_append_only(%L)', 'modeltrail.' || partition);
            EXECUTE format('ALTER TABLE modeltrail.%I ATTACH PARTITION modeltrail.%I '
                           'FOR VALUES FROM (%s) TO (%s)',
                           parent, partition, number * rows_each, (number + 1) * rows_each);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION modeltrail.ensure_partitions() FROM PUBLIC;

SELECT modeltrail.ensure_partitions();

-- Partitions of the log, and what keeps the log and the facts append-only (design.md 4, invariant 5).

-- `show EVENT` and the check of repeats find events by the place in their collector's stream.
CREATE INDEX event_source ON modeltrail.event (log, collector, epoch, seq);
CREATE INDEX event_recorded ON modeltrail.event
    USING brin (recorded_at) WITH (pages_per_range = 64, autosummarize = on);

-- The fold asks for the listings above or below a position of one scope.
CREATE INDEX listing_position ON modeltrail.listing (log, cluster, resource, namespace, position);

-- The requests that the fold can use (store/belief_load.c asks with the same words): it wants those of one
-- object behind a position or a generation, and a busy object has thousands of others.
CREATE INDEX request_position ON modeltrail.request (log, cluster, resource, uid, position)
    WHERE NOT dry_run AND code < 300 AND (removes OR (coalesce(subresource, 'scale') IN ('', 'scale')
          AND verb IN ('create', 'update', 'patch', 'delete')));
CREATE INDEX request_generation ON modeltrail.request (log, cluster, resource, uid, generation)
    WHERE NOT dry_run AND code < 300 AND (removes OR (coalesce(subresource, 'scale') IN ('', 'scale')
          AND verb IN ('create', 'update', 'patch', 'delete')));

-- Rows that are updated in place at every batch keep room on their page.
ALTER TABLE modeltrail.checkpoint SET (fillfactor = 50);
ALTER TABLE modeltrail.mark SET (fillfactor = 50);

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
                  'namespace_label', 'central', 'environment', 'environment_map', 'person'])
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

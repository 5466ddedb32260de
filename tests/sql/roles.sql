-- Who may do what (docs/architecture.md): the log only grows, readers see the contract only.
BEGIN;
SELECT plan(37);

-- The writer.
SELECT ok(has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'SELECT')
          AND has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'INSERT')
          AND NOT has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'UPDATE')
          AND NOT has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'DELETE')
          AND NOT has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'TRUNCATE'),
          'writer only adds to ' || name)
FROM unnest(ARRAY['event', 'event_body', 'workload', 'state', 'listing', 'gap', 'watched', 'request', 'namespace_label',
                  'central', 'environment', 'environment_map', 'person']) AS name;
SELECT ok(has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'UPDATE')
          AND has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'DELETE')
          AND has_table_privilege('modeltrail_writer', 'modeltrail.' || name, 'TRUNCATE'), 'writer rebuilds ' || name)
FROM unnest(ARRAY['placement', 'route', 'change', 'attribution', 'checkpoint']) AS name;
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'modeltrail'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT has_table_privilege('modeltrail_writer', c.oid, 'SELECT')$$, 'no table was forgotten');
SELECT ok(NOT has_schema_privilege('modeltrail_writer', 'modeltrail', 'CREATE'), 'writer makes no objects');

SET LOCAL ROLE modeltrail_writer;
SELECT lives_ok($$INSERT INTO modeltrail.event (log_index, recorded_at, collector, epoch, seq, type, event_id, body_digest, leaf_hash)
                  VALUES (1000, now(), 'x', 1, 1, 't', 'x:1:1', '\x00', '\x00')$$, 'writer appends to the log');
SELECT throws_ok('UPDATE modeltrail.event SET collector = $q$y$q$', '42501', NULL, 'writer cannot change the log');
SELECT throws_ok('DELETE FROM modeltrail.event', '42501', NULL, 'writer cannot shorten the log');
SELECT throws_ok('TRUNCATE modeltrail.event_body', '42501', NULL, 'writer cannot empty the log');
SELECT throws_ok('UPDATE modeltrail.event_000000 SET collector = $q$y$q$', '42501', NULL, 'nor by way of a partition');
SELECT lives_ok('SELECT log FROM modeltrail.writer_lock WHERE log = 1 FOR UPDATE', 'writer takes the lock');
SELECT lives_ok('SELECT modeltrail.ensure_partitions()', 'writer makes partitions ahead');
RESET ROLE;

-- The reader.
SELECT ok(NOT has_schema_privilege('modeltrail_reader', 'modeltrail', 'USAGE'), 'reader does not see the tables');
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'modeltrail'::regnamespace AND c.relkind IN ('r', 'p')
      AND has_table_privilege('modeltrail_reader', c.oid, 'SELECT, INSERT, UPDATE, DELETE')$$, 'reader has rights on no table');
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'modeltrail_v1'::regnamespace AND c.relkind = 'v' AND c.relname <> 'raw_events'
      AND NOT has_table_privilege('modeltrail_reader', c.oid, 'SELECT')$$, 'reader reads every view but one');
SELECT is_empty($$
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'modeltrail_v1'::regnamespace
      AND has_table_privilege('modeltrail_reader', c.oid, 'INSERT, UPDATE, DELETE')$$, 'reader writes to no view');
SELECT ok(NOT has_table_privilege('modeltrail_reader', 'modeltrail_v1.raw_events', 'SELECT'), 'reader sees no raw events');

-- Every view and function must run with the reader's rights, helpers included.
CREATE FUNCTION pg_temp.read_all() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'modeltrail_v1'::regnamespace AND relkind = 'v'
                                                AND relname <> 'raw_events' LOOP
        EXECUTE format('SELECT * FROM modeltrail_v1.%I', name);
        PERFORM count(*) FROM modeltrail_v1.deployments_at(now());
    END LOOP;
    RETURN 'read';
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.read_all() TO PUBLIC;
\ir fixtures/small.sql
SET LOCAL ROLE modeltrail_reader;
SELECT is(pg_temp.read_all(), 'read', 'every view runs as reader, with rows');
SELECT isnt_empty('SELECT * FROM modeltrail_v1.unknown_scopes(NULL)', 'unknown_scopes runs as reader');
SELECT throws_ok('SELECT * FROM modeltrail.placement', '42501', NULL, 'reader cannot read a table');
RESET ROLE;

-- The auditor, the public.
SET LOCAL ROLE modeltrail_auditor;
SELECT isnt_empty('SELECT * FROM modeltrail_v1.raw_events WHERE body IS NOT NULL', 'auditor reads raw events');
RESET ROLE;
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace IN ('modeltrail'::regnamespace, 'modeltrail_v1'::regnamespace)
      AND has_function_privilege('public', p.oid, 'EXECUTE')$$, 'the public may call nothing');
SELECT * FROM finish();
ROLLBACK;

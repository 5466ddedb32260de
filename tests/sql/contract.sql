-- Every view keeps its grain (no key twice), every view and column says what it is.
BEGIN;
\ir fixtures/small.sql
SELECT plan(29);

SELECT is_empty($$SELECT object_name, column_name FROM modeltrail_v1.data_dictionary WHERE coalesce(description, '') = ''$$,
                'everything has a comment');
SELECT is_empty($$SELECT object_name, column_name, data_type FROM modeltrail_v1.data_dictionary
                  WHERE object_type = 'column' AND (column_name LIKE '%\_at' AND data_type <> 'timestamp with time zone'
                     OR column_name LIKE 'is\_%' AND data_type <> 'boolean'
                     OR column_name LIKE '%\_skew' AND data_type <> 'interval'
                     OR data_type = 'interval' AND column_name NOT LIKE '%\_skew'
                     OR data_type NOT IN ('text', 'text[]', 'integer', 'bigint', 'numeric', 'boolean', 'timestamp with time zone', 'interval', 'bytea'))$$,
                'types are plain and follow the names');

CREATE TEMP TABLE grain (view_name text, key text);
INSERT INTO grain VALUES
    ('deployments', 'deployment_id'), ('deployment_history', 'deployment_id'),
    ('traffic_history', 'deployment_id, route, role, valid_from'), ('changes', 'change_id'), ('events', 'event_id'),
    ('raw_events', 'event_id'), ('models', 'model'), ('model_versions', 'model, version'),
    ('routes', 'route_uid, target_kind, target, role, valid_from'), ('environments', 'environment'),
    ('matrix', 'model, environment'), ('people', 'person'), ('identities', 'principal'),
    ('coverage', 'cluster, namespace, resource, aspect, covered_from'), ('clusters', 'cluster'),
    ('collectors', 'collector'), ('attempts', 'attempt_id'), ('requests', 'request_id'), ('attribution_levels', 'cluster'),
    ('attribution_hints', 'hint, cluster, subject'), ('data_dictionary', 'object_type, object_name, column_name');

SELECT is_empty(format('SELECT %s FROM modeltrail_v1.%I GROUP BY %1$s HAVING count(*) > 1', key, view_name),
                view_name || ' has one row per ' || key)
FROM grain ORDER BY view_name;
SELECT is((SELECT count(*) FROM modeltrail_v1.status), 1::bigint, 'status is one row');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'modeltrail_v1'::regnamespace AND relkind = 'v'
                  AND relname NOT IN (SELECT view_name FROM grain) AND relname <> 'status'$$, 'no view was forgotten here');
SELECT is((SELECT count(*) FROM modeltrail_v1.deployment_history), (SELECT count(*) FROM modeltrail.placement),
          'no placement is lost or doubled');
SELECT is((SELECT count(*) FROM modeltrail_v1.changes), (SELECT count(*) FROM modeltrail.change), 'no change is lost or doubled');

-- A function whose shape is a view's must be made anew with it.
SELECT is(pg_get_function_result('modeltrail_v1.deployments_at'::regproc), 'SETOF modeltrail_v1.deployments',
          'deployments_at has the shape of deployments');
-- Open ends are NULL.
SELECT is_empty($$SELECT 1 FROM modeltrail_v1.coverage WHERE covered_from = '-infinity' OR covered_to = 'infinity'
                  UNION ALL SELECT 1 FROM modeltrail_v1.deployment_history WHERE valid_to = 'infinity'$$, 'no infinity');
SELECT * FROM finish();
ROLLBACK;

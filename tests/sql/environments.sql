-- Rule 23: the ladder of environments, and what holds since when.
BEGIN;
\ir fixtures/rows.sql
\ir fixtures/small.sql
SELECT plan(21);

CREATE FUNCTION pg_temp.stage(namespace text, at timestamptz, cluster text DEFAULT 'c1') RETURNS text LANGUAGE sql
    AS 'SELECT environment FROM modeltrail.environment_at(1::smallint, $3, $1, $2)';
CREATE FUNCTION pg_temp.stage_of_history(namespace text, at timestamptz, cluster text DEFAULT 'c1') RETURNS text LANGUAGE sql
    AS 'SELECT environments[width_bucket($2, since)] FROM modeltrail.environments_of(1::smallint, $3, $1)';

-- Rung by rung.
SELECT is(pg_temp.stage('risk-prod', now()), 'prod', 'named for the namespace');
SELECT is(pg_temp.stage('scoring', now(), 'c2'), 'prod', 'named for the whole cluster');
SELECT is(pg_temp.stage('risk-staging', now()), 'staging', 'label');
SELECT is(pg_temp.stage('elsewhere', now()), 'elsewhere', 'the namespace itself');

INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment) VALUES
    ('c1', '', pg_temp.day('15:00'), 50, 'shared'),
    ('c2', 'scoring', '-infinity', 51, 'lab'),
    ('c1', 'risk-dev', pg_temp.day('14:00'), 52, 'staging'),
    ('c1', 'risk-dev', pg_temp.day('16:00'), 53, NULL);
SELECT is(pg_temp.stage('scoring', now(), 'c2'), 'lab', 'the namespace wins over its cluster');
SELECT is(pg_temp.stage('risk-staging', pg_temp.day('15:00')), 'shared', 'the cluster wins over a label');
SELECT is(pg_temp.stage('risk-staging', pg_temp.day('14:59')), 'shared', 'the first mapping reaches back');

-- Over time.
SELECT is(pg_temp.stage('risk-dev', pg_temp.day('13:59')), 'dev', 'before a later mapping the first holds');
SELECT is(pg_temp.stage('risk-dev', pg_temp.day('14:00')), 'staging', 'a later mapping holds from its instant on');
SELECT is(pg_temp.stage('risk-dev', pg_temp.day('16:00')), 'shared', 'a scope no longer mapped falls to the next rung');
INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment)
VALUES ('c1', 'risk-dev', pg_temp.day('14:00'), 54, 'prod');
SELECT is(pg_temp.stage('risk-dev', pg_temp.day('15:00')), 'prod', 'of two mappings from one instant the newer file holds');

INSERT INTO modeltrail.namespace_label (cluster, namespace, position, log_index, at, environment, labels, removed) VALUES
    ('c4', 'ns', 10, 60, pg_temp.day('10:00'), 'blue', '{}', false),
    ('c4', 'ns', 20, 61, pg_temp.day('12:00'), 'green', '{}', false),
    ('c4', 'ns', 30, 62, pg_temp.day('13:00'), NULL, '{}', false);
SELECT is(pg_temp.stage('ns', pg_temp.day('09:00'), 'c4'), 'blue', 'the first label reaches back');
SELECT is(pg_temp.stage('ns', pg_temp.day('11:59'), 'c4'), 'blue', 'label before');
SELECT is(pg_temp.stage('ns', pg_temp.day('12:00'), 'c4'), 'green', 'label behind');
SELECT is(pg_temp.stage('ns', pg_temp.day('13:00'), 'c4'), 'ns', 'a label taken off gives the namespace its own name');

-- The two forms agree at and around every turn.
SELECT is_empty($$
    SELECT n.namespace, t.at FROM (VALUES ('c1', 'risk-dev'), ('c1', 'risk-staging'), ('c1', 'x'), ('c2', 'scoring'), ('c4', 'ns'))
        AS n (cluster, namespace),
        generate_series(pg_temp.day('08:59'), pg_temp.day('17:01'), interval '1 minute') AS t (at)
    WHERE pg_temp.stage(n.namespace, t.at, n.cluster) IS DISTINCT FROM pg_temp.stage_of_history(n.namespace, t.at, n.cluster)$$,
    'the look-up over all time says the same as the look-up at an instant');

-- Which instant a row's environment is of.
INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment)
VALUES ('c1', 'risk-prod', pg_temp.day('11:30'), 55, 'retired');
SELECT is((SELECT environment FROM modeltrail_v1.deployments WHERE deployment_id = 'd-0000000000000004'), 'retired', 'deployments: now');
SELECT is((SELECT environment FROM modeltrail_v1.deployments_at(pg_temp.day('11:10')) WHERE model = 'fraud' AND cluster = 'c1'), 'prod',
          'deployments_at: that instant');
SELECT pg_temp.rows_are($$SELECT environment FROM modeltrail_v1.deployment_history WHERE cluster = 'c1' AND model = 'fraud'
                    ORDER BY deployment_id$$, ARRAY['prod', 'prod', 'prod', 'retired'], 'history: valid_from');
SELECT pg_temp.rows_are($$SELECT environment FROM modeltrail_v1.changes WHERE cluster = 'c1' AND model = 'fraud' ORDER BY change_id$$,
                  ARRAY['prod', 'prod', 'prod', 'retired'], 'changes: happened_at');
SELECT pg_temp.rows_are($$SELECT environment, environment_order, is_declared FROM modeltrail_v1.environments
                    WHERE environment IN ('prod', 'sandbox', 'ns') ORDER BY 1$$,
                  $$VALUES ('ns', NULL::integer, false), ('prod', 3, true), ('sandbox', NULL, true)$$,
                  'environments: those of the newest file, with its order, and those that are lived in');
SELECT * FROM finish();
ROLLBACK;

-- The views that count: matrix, models, routes, people, attempts, fleet, status.
BEGIN;
\ir fixtures/rows.sql
\ir fixtures/small.sql
SELECT plan(57);

SELECT pg_temp.rows_are($$SELECT model, environment, status, versions, workloads, clusters, stale_clusters FROM modeltrail_v1.matrix ORDER BY 1, 2$$,
    $$VALUES ('churn', 'staging', 'live', '{3.0.0}'::text[], 1, '{c1}'::text[], '{}'::text[]),
             ('credit', 'prod', 'canary', '{1.0.0,1.1.0}', 1, '{c1}', '{}'),
             ('fraud', 'prod', 'mixed', '{1.3.0,1.4.0}', 2, '{c1,c2}', '{c2}'),
             ('lone', 'prod', 'live', '{1}', 1, '{c2}', '{c2}')$$, 'matrix');
UPDATE modeltrail.placement SET stopped = true WHERE model = 'churn';
UPDATE modeltrail.placement SET role = 'shadow' WHERE model = 'lone';
UPDATE modeltrail.placement SET state = 'lingering' WHERE model = 'fraud' AND cluster = 'c2';
SELECT pg_temp.rows_are($$SELECT model, status FROM modeltrail_v1.matrix WHERE model <> 'credit' ORDER BY 1$$,
    $$VALUES ('churn', 'stopped'), ('fraud', 'live'), ('lone', 'shadow')$$, 'matrix: stopped, shadow; a lingering version does not mix');
SELECT is((SELECT status FROM modeltrail_v1.matrix WHERE model = 'lone'), 'shadow', 'matrix: copies of traffic');
UPDATE modeltrail.placement SET role = 'live', state = 'lingering' WHERE model = 'lone';
SELECT is((SELECT status FROM modeltrail_v1.matrix WHERE model = 'lone'), 'lingering', 'matrix: asked away, still answering');
UPDATE modeltrail.placement SET role = 'shadow', state = 'failed' WHERE model = 'lone';
SELECT pg_temp.rows_are($$SELECT serving, failed FROM modeltrail_v1.matrix WHERE model IN ('credit', 'lone') ORDER BY model$$, $$VALUES (1, 0), (0, 1)$$,
                  'matrix: readiness');

SELECT pg_temp.rows_are($$SELECT model, versions, deployments, environments, first_deployed_at, last_deployed_at, is_deployed FROM modeltrail_v1.models WHERE model = 'fraud'$$,
    $$VALUES ('fraud', 3, 2, '{prod}'::text[], pg_temp.day('10:00'), pg_temp.day('12:00'), true)$$, 'models');
SELECT pg_temp.rows_are($$SELECT version, deployments, is_deployed, removed_at FROM modeltrail_v1.model_versions WHERE model = 'fraud' ORDER BY 1$$,
    $$VALUES ('1.3.0', 1, true, NULL), ('1.3.9', 0, false, pg_temp.day('11:00')), ('1.4.0', 1, true, NULL)$$, 'model_versions');
INSERT INTO modeltrail.placement (cluster, resource, uid, row_key, from_position, placement_id, component, model, version, identity_source,
    unknown_revision, role, stopped, state, valid_from, deployed_position, deployed_at, time_source, recorded_index, revised_index)
SELECT cluster, resource, uid, '\x99', 420, 'd-0000000000000099', 'predictor#2', 'credit', NULL, 'unknown', 'credit-00007', 'live', false, 'serving',
       valid_from, 420, deployed_at, 'audit', 11, 11
FROM modeltrail.placement WHERE placement_id = 'd-0000000000000010';
SELECT pg_temp.rows_are($$SELECT version, is_deployed, deployments FROM modeltrail_v1.model_versions WHERE model = 'credit' AND version IS NULL$$,
    $$VALUES (NULL::text, true, 1)$$, 'model_versions: unknown versions are a row');
SELECT is((SELECT versions FROM modeltrail_v1.matrix WHERE model = 'credit'), '{1.0.0,1.1.0,unknown}', 'matrix: an unknown version is told');
SELECT pg_temp.rows_are($$SELECT version, artifact, unknown_revision FROM modeltrail_v1.deployments WHERE deployment_id = 'd-0000000000000099'$$,
    $$VALUES (NULL::text, NULL::text, 'credit-00007')$$, 'deployments: unknown is NULL, with its revision');

SELECT pg_temp.rows_are($$SELECT cluster, namespace, route, target, role, percent, target_workload, environment FROM modeltrail_v1.routes WHERE valid_to IS NULL ORDER BY target$$,
    $$VALUES ('c1', 'risk-staging', 'Experiment/churn-ab', 'churn', 'candidate', 70::numeric, 'Model/churn', 'staging'),
             ('c1', 'risk-staging', 'Experiment/churn-ab', 'churn-b', 'candidate', 10, 'Model/churn-b', 'staging')$$, 'routes');
SELECT pg_temp.rows_are($$SELECT route, role, traffic_percent, valid_from, valid_to FROM modeltrail_v1.traffic_history WHERE model = 'churn' ORDER BY valid_from$$,
    $$VALUES (NULL, 'live', NULL::numeric, pg_temp.day('10:00'), NULL),
             ('Experiment/churn-ab', 'candidate', 90, pg_temp.day('10:30'), pg_temp.day('11:30')),
             ('Experiment/churn-ab', 'candidate', 70, pg_temp.day('11:30'), NULL)$$, 'traffic_history: own share and each route');
SELECT pg_temp.rows_are($$SELECT component, traffic_percent, valid_from, valid_to FROM modeltrail_v1.traffic_history WHERE workload = 'InferenceService/credit'
                    AND namespace = 'risk-prod' AND version = '1.0.0' ORDER BY valid_from$$,
    $$VALUES ('predictor', 100::numeric, pg_temp.day('11:00'), pg_temp.day('12:10')), ('predictor', 90, pg_temp.day('12:10'), NULL)$$,
    'traffic_history: a share that changed is two rows');

SELECT pg_temp.rows_are($$SELECT person, kind, principals, changes, attempts, last_active_at, is_mapped FROM modeltrail_v1.people ORDER BY person COLLATE "C"$$,
    $$VALUES ('alice@corp.example', 'human', '{alice,alice@laptop}'::text[], 1, 1, pg_temp.day('12:22'), true),
             ('bob', 'human', '{bob}', 1, 1, pg_temp.day('12:20'), false),
             ('carol', 'human', '{carol}', 1, 1, pg_temp.day('12:21'), false),
             ('ci-deployer', 'ci', '{system:serviceaccount:ci:deployer}', 1, 0, pg_temp.day('12:10'), true),
             ('dave', 'human', '{dave}', 0, 0, pg_temp.day('10:00'), false),
             ('erin', 'human', '{erin}', 0, 0, pg_temp.day('10:00'), false),
             ('system:admin', 'system', '{system:admin}', 0, 0, NULL, false),
             ('system:serviceaccount:proxy:gateway', 'service', '{system:serviceaccount:proxy:gateway}', 0, 0, NULL, false)$$, 'people');
SELECT pg_temp.rows_are($$SELECT person, kind, is_mapped, matched_by FROM modeltrail_v1.identities WHERE principal IN ('alice', 'bob') ORDER BY principal$$,
    $$VALUES ('alice@corp.example', 'human', true, 'principal'), ('bob', 'human', false, 'none')$$, 'identities');

SELECT pg_temp.rows_are($$SELECT attempt_id, event_id, person, verb, code, outcome, message, workload, environment FROM modeltrail_v1.attempts ORDER BY attempted_at$$,
    $$VALUES ('a-26', 'eu-1:1700000000000:26', 'bob', 'patch', 403, 'refused', 'forbidden', 'InferenceService/fraud', 'prod'),
             ('a-28', 'eu-1:1700000000000:28', 'carol', 'patch', 200, 'dry_run', NULL, 'InferenceService/fraud', 'prod'),
             ('a-29', 'eu-1:1700000000000:29', 'alice@corp.example', 'update', 409, 'failed', 'conflict', 'InferenceService', 'prod')$$,
    'attempts: each once, though told twice');
SELECT pg_temp.rows_are($$SELECT request_id, person, verb, code, outcome, changes, workload, environment FROM modeltrail_v1.requests ORDER BY request_id$$,
    $$VALUES ('r-20', 'bob', 'create', 201, 'accepted', 1, 'InferenceService/fraud', 'prod'), ('r-21', 'alice@corp.example', 'patch', 200, 'accepted', 1, 'InferenceService/fraud', 'prod'),
             ('r-22', 'dave', 'create', 201, 'accepted', 0, 'InferenceService/fraud-eu', 'prod'), ('r-23', 'erin', 'create', 201, 'accepted', 0, 'InferenceService/fraud-eu', 'prod'),
             ('r-24', 'ci-deployer', 'patch', 200, 'accepted', 1, 'InferenceService/credit', 'prod'), ('r-25', 'carol', 'create', 201, 'accepted', 1, 'InferenceService/credit', 'prod'),
             ('r-26', 'bob', 'patch', 403, 'refused', 0, 'InferenceService/fraud', 'prod'), ('r-28', 'carol', 'patch', 200, 'dry_run', 0, 'InferenceService/fraud', 'prod'),
             ('r-29', 'alice@corp.example', 'update', 409, 'failed', 0, 'InferenceService', 'prod')$$,
    'requests: each once, whatever came of it; who may have been it is credited with nothing');
-- A twin of a20 that came before it, a controller's progress, a scale, and a read.
INSERT INTO modeltrail.request (log_index, cluster, audit_id, stage, verb, subresource, resource, kind, namespace, name, removes, code, dry_run, at, principal, via, evidence)
SELECT i, 'c1', audit_id, 'ResponseComplete', verb, subresource, 'inferenceservices.serving.kserve.io', 'InferenceService', 'risk-prod', 'fraud', false, 200, false,
       pg_temp.day(at), principal, 'audit_log', 'audit'
FROM (VALUES (14, 'a20', 'create', NULL, '10:00', 'bob'), (15, 'a15', 'update', 'status', '10:01', 'bot'), (16, 'a16', 'patch', 'scale', '10:02', 'bot'),
             (17, 'a17', 'get', NULL, '10:03', 'bot')) AS r (i, audit_id, verb, subresource, at, principal);
SELECT pg_temp.rows_are($$SELECT request_id, changes, subresource FROM modeltrail_v1.requests WHERE audit_id IN ('a15', 'a16', 'a17', 'a20') ORDER BY request_id$$,
    $$VALUES ('r-14', 1, NULL::text), ('r-16', 0, 'scale')$$, 'requests: what the other twin is credited with; scaling, but neither progress nor reading');
SELECT pg_temp.rows_are($$SELECT change_id, audit_id, request_event_id FROM modeltrail_v1.changes WHERE model = 'fraud' AND cluster = 'c1' ORDER BY change_id$$,
    $$VALUES ('c-0000000000000001', 'a20', 'eu-1:1700000000000:20'), ('c-0000000000000002', NULL::text, NULL::text), ('c-0000000000000003', NULL, NULL),
             ('c-0000000000000004', 'a21', 'eu-1:1700000000000:21')$$, 'changes: the request behind each');

SELECT pg_temp.rows_are($$SELECT event_id, cluster, namespace, workload, is_quarantined FROM modeltrail_v1.events WHERE log_index IN (3, 4, 40) ORDER BY log_index$$,
    $$VALUES ('eu-1:1700000000000:3', 'c1', 'risk-prod', 'SeldonDeployment/fraud', false),
             ('eu-1:1700000000000:4', NULL, NULL, NULL, false), ('eu-2:1700000000000:40', NULL, NULL, NULL, true)$$, 'events');
SELECT is((SELECT body FROM modeltrail_v1.raw_events WHERE log_index = 3), '{"raw": "body"}', 'raw_events: the bytes as text');
SELECT pg_temp.rows_are($$SELECT body, body_bytes FROM modeltrail_v1.raw_events WHERE log_index = 40$$, $$VALUES (NULL::text, '\xff'::bytea)$$,
                  'raw_events: what is no text stays bytes');

SELECT pg_temp.rows_are($$SELECT collector, epoch, seq, is_live, cluster, gaps, quarantined, is_allowed FROM modeltrail_v1.collectors ORDER BY 1$$,
    $$VALUES ('eu-1', 1700000000000, 34::bigint, true, 'c1', 1, 0, true), ('eu-2', 1700000000000, 40, false, 'c2', 0, 1, true),
             ('eu-3', NULL, NULL, false, 'c3', 0, 0, true)$$, 'collectors: the newest epoch; one that is allowed and silent');
SELECT pg_temp.rows_are($$SELECT cluster, collectors, namespaces, workloads, deployments, is_live, is_actor_live FROM modeltrail_v1.clusters ORDER BY 1$$,
    $$VALUES ('c1', '{eu-1}'::text[], 3, 3, 5, true, false), ('c2', '{eu-2}', 1, 2, 2, false, false), ('c3', '{eu-3}', 0, 0, 0, false, false)$$, 'clusters');
SELECT pg_temp.rows_are($$SELECT events, quarantined, collectors, live_collectors, last_recorded_at FROM modeltrail_v1.status$$,
    $$VALUES (40::bigint, 1::bigint, 3, 1, pg_temp.day('09:40'))$$, 'status');
SELECT ok((SELECT lag_seconds BETWEEN 3590 AND 3660 FROM modeltrail_v1.status), 'status: the most silent collector');

-- What may be said (rule 22).
CREATE FUNCTION pg_temp.unknown(at timestamptz, clusters text[] DEFAULT NULL, namespaces text[] DEFAULT NULL, environments text[] DEFAULT NULL)
    RETURNS SETOF text LANGUAGE sql
    AS $$SELECT concat_ws(' ', nullif(concat_ws('/', cluster, namespace), ''), kind, environment, split_part(reason, ' since', 1))
         FROM modeltrail_v1.unknown_scopes($1, $2, $3, $4) WHERE aspect = 'state' ORDER BY 1$$;
SELECT pg_temp.rows_are('SELECT pg_temp.unknown(NULL)', ARRAY['c2 InferenceService prod not observed', 'c3/late late never observed'],
                  'a live no is not said while one cluster is stale and another silent');
SELECT is_empty($$SELECT pg_temp.unknown(NULL, '{c1}')$$, 'within the live cluster it is');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, '{c9}')$$, ARRAY['c9 cluster never seen'], 'a cluster never seen');
SELECT is_empty($$SELECT pg_temp.unknown(NULL, NULL, NULL, '{dev}')$$, 'dev is in c1, which is live; c2 is prod, c3/late is none of it');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, '{c1}', NULL, '{prodd}')$$, ARRAY['prodd environment never seen'], 'an environment never seen');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, NULL, NULL, '{prod}')$$, ARRAY['c2 InferenceService prod not observed'], 'prod: c2 is stale');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(pg_temp.day('11:00'))$$, ARRAY['c3/late late never observed'], 'at an instant that both covered');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(pg_temp.day('08:00'), '{c1}')$$, ARRAY['c1 not observed before 2026-03-02T09:00:00Z'], 'before anybody looked');
SELECT is_empty($$SELECT pg_temp.unknown(NULL, '{c1}', '{anything}')$$, 'a namespace never seen is none where the whole cluster is watched');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, '{c2}', '{anything}')$$, ARRAY['c2/anything InferenceService prod not observed'], 'where it is not watched it may be');
SELECT is_empty($$SELECT pg_temp.unknown(NULL, '{c1}', NULL, '{sandbox}')$$, 'a declared environment without a scope is known to be empty');
SELECT is_empty($$SELECT pg_temp.unknown(NULL, '{c2}', NULL, '{dev}')$$, 'an environment that lies in another cluster only');

-- Over a range: the who-source of c1 saw 09:00 to 12:30, blind from 10:50 to 10:55; nobody ever told who acts in c2.
CREATE FUNCTION pg_temp.missed(since text, until text, clusters text[] DEFAULT '{c1}', environments text[] DEFAULT NULL)
    RETURNS SETOF text LANGUAGE sql
    AS $$SELECT concat_ws(' ', cluster, kind, reason)
         FROM modeltrail_v1.unknown_scopes_between(pg_temp.day(since), pg_temp.day(until), clusters, NULL, environments) WHERE aspect = 'actor' ORDER BY 1$$;
SELECT is_empty($$SELECT pg_temp.missed('10:00', '10:49')$$, 'a range without a hole');
SELECT is_empty($$SELECT pg_temp.missed(NULL, '10:49')$$, 'without a begin: since anybody looked');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('10:00', '11:00')$$, ARRAY['c1 not observed from 2026-03-02T10:50:00Z to 2026-03-02T10:55:00Z; log rotated away'], 'a hole in the middle, both ends covered');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed(NULL, '12:00')$$, ARRAY['c1 not observed from 2026-03-02T10:50:00Z to 2026-03-02T10:55:00Z; log rotated away'], 'a hole since anybody looked');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('08:00', '10:00')$$, ARRAY['c1 not observed before 2026-03-02T09:00:00Z'], 'it begins before anybody looked');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('11:00', '12:32')$$, ARRAY['c1 not observed since 2026-03-02T12:30:00Z'], 'nothing is granted behind a look that none followed');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('11:00', '12:34')$$, ARRAY['c1 not observed since 2026-03-02T12:30:00Z'], 'it ends behind the newest look');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed(NULL, '08:00')$$, ARRAY['c1 not observed before 2026-03-02T09:00:00Z'], 'all of it lies before anybody looked');

-- A newer allow-list: eu-4 may speak for two namespaces of c4 and watches one; eu-3 and eu-2 are gone.
INSERT INTO modeltrail.event (log_index, recorded_at, collector, epoch, seq, type, event_id, body_digest, leaf_hash)
VALUES (70, now(), '_store', 1700000000000, 70, 'dev.modeltrail.allowlist.loaded.v1', '_store:1700000000000:70', '\x00', '\x00');
INSERT INTO modeltrail.event_body (log_index, salt, body, data) VALUES
    (70, '\x00', '{}', '{"collectors": [{"name": "eu-1", "cluster": "c1", "namespaces": []}, {"name": "eu-4", "cluster": "c4", "namespaces": ["a", "b"]}]}');
INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at, through)
VALUES ('eu-4', 1, 1, '\x00', now(), jsonb_build_array(jsonb_build_object('aspect', 'state', 'cluster', 'c4', 'namespace', 'a', 'watched_since', now() - interval '1 hour', 'through', now())));
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL)$$, ARRAY['c2 InferenceService prod not observed', 'c4/b b never observed'],
                  'a namespace that is allowed and not watched; c2 is mapped still; c3 is history');
DELETE FROM modeltrail.mark WHERE collector = 'eu-4';
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, '{c4}')$$, ARRAY['c4/a a never observed', 'c4/b b never observed'], 'a silent collector''s namespaces');

INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason) VALUES
    (60, 'eu-1', 'c1', 'state', 'risk-dev', 'models.mlops.seldon.io', pg_temp.day('09:30'), NULL, 'forbidden');
SELECT pg_temp.rows_are($$SELECT pg_temp.unknown(NULL, '{c1}')$$, ARRAY['c1/risk-dev Model dev not observed'], 'a kind that may not be read in one namespace');
SELECT pg_temp.rows_are($$SELECT split_part(reason, '; ', 2), collector FROM modeltrail_v1.unknown_scopes(NULL, '{c1}') WHERE aspect = 'state'$$,
                  $$VALUES ('forbidden', 'eu-1')$$, 'and why, and whose word that is');
SELECT set_eq($$SELECT cluster || coalesce('/' || namespace, '') FROM modeltrail_v1.unknown_scopes(NULL) WHERE aspect = 'actor'$$,
              ARRAY['c1', 'c2', 'c4/a', 'c4/b'], 'who did it is told apart');

-- An audit log that shows all of c5 until 12:00, but for one kind's gap: the gap is of that kind, the end of all.
INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
VALUES (73, 'eu-5', 'c5', 'actor', 'audit_log', '', '', pg_temp.day('09:00'), pg_temp.day('12:00'), true);
INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason)
VALUES (74, 'eu-5', 'c5', 'actor', '', 'models.mlops.seldon.io', pg_temp.day('10:00'), pg_temp.day('10:10'), 'line cut');
INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment) VALUES ('c5', '', '-infinity', 71, 'prod');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('09:30', '11:00', '{c5}')$$, ARRAY['c5 models.mlops.seldon.io not observed from 2026-03-02T10:00:00Z to 2026-03-02T10:10:00Z; line cut'], 'a gap of one kind is not one of all');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('11:00', '13:00', '{c5}')$$, ARRAY['c5 not observed since 2026-03-02T12:00:00Z'], 'the end of a log is one of all kinds');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('09:30', '13:00', '{c5}')$$, ARRAY['c5 not observed since 2026-03-02T12:00:00Z'], 'which tells the kind''s too');

-- c2 moves from prod to staging at noon.
INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment) VALUES ('c2', '', pg_temp.day('12:00'), 71, 'staging');
SELECT is_empty($$SELECT pg_temp.missed('10:00', '11:00', '{c2}', '{staging}')$$, 'a scope does not count for an environment it came to later');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('11:00', '13:00', '{c2}', '{prod}')$$, ARRAY['c2 never observed'], 'but for one it left within the range');
SELECT pg_temp.rows_are($$SELECT pg_temp.missed('11:00', '13:00', '{c2}', '{staging}')$$, ARRAY['c2 never observed'], 'and for one it came to');
SELECT * FROM finish();
ROLLBACK;

-- Where and who: borders of intervals, observation, the words of attribution, the actor chain.
BEGIN;
\ir fixtures/rows.sql
\ir fixtures/small.sql
SELECT plan(55);

-- Half-open intervals.
CREATE FUNCTION pg_temp.version_at(clock text) RETURNS text LANGUAGE sql
    AS $$SELECT string_agg(version, ',') FROM modeltrail_v1.deployments_at(pg_temp.day(clock)) WHERE workload_uid = pg_temp.uid(1)::text$$;
SELECT is(pg_temp.version_at('09:59:59.999999'), NULL, 'nothing before it began');
SELECT is(pg_temp.version_at('10:00'), '1.3.0', 'the first instant belongs to the row');
SELECT is(pg_temp.version_at('11:00'), '1.3.0', 'an empty interval matches no instant');
SELECT is(pg_temp.version_at('11:59:59.999999'), '1.3.0', 'the last instant before the end');
SELECT is(pg_temp.version_at('12:00'), '1.4.0', 'the end belongs to the next row');
SELECT is((SELECT count(*) FROM modeltrail_v1.deployment_history WHERE valid_from = valid_to), 1::bigint, 'the detour stays in the history');
SELECT set_eq('SELECT deployment_id, observation, last_observed_at, environment FROM modeltrail_v1.deployments_at(now())',
              'SELECT deployment_id, observation, last_observed_at, environment FROM modeltrail_v1.deployments', 'deployments is deployments_at(now())');
SELECT is_empty($$SELECT * FROM modeltrail_v1.deployments_at(NULL)$$, 'no instant, no rows');
SELECT is_empty($$
    SELECT t.at, d.workload_uid, d.component FROM generate_series(pg_temp.day('09:00'), pg_temp.day('14:00'), interval '10 minutes') AS t (at),
        LATERAL modeltrail_v1.deployments_at(t.at) d GROUP BY 1, 2, 3 HAVING count(*) > 1$$, 'never two rows of one component at once');

-- Observation.
CREATE FUNCTION pg_temp.sight(uid integer, clock text) RETURNS text LANGUAGE sql
    AS $$SELECT observation || ' ' || coalesce(to_char(last_observed_at AT TIME ZONE 'UTC', 'HH24:MI'), '-')
         FROM modeltrail_v1.deployments_at(pg_temp.day(clock)) WHERE workload_uid = pg_temp.uid(uid)::text$$;
SELECT is((SELECT observation FROM modeltrail_v1.deployments WHERE model = 'churn'), 'fresh', 'looked at a moment ago');
SELECT is((SELECT observation FROM modeltrail_v1.deployments WHERE model = 'lone'), 'stale', 'not looked at for an hour');
SELECT ok((SELECT last_observed_at BETWEEN now() - interval '61 minutes' AND now() - interval '59 minutes' FROM modeltrail_v1.deployments WHERE model = 'lone'),
          'and says since when');
SELECT is(pg_temp.sight(2, '12:19'), 'fresh 12:19', 'covered then');
SELECT is(pg_temp.sight(2, '12:20'), 'inferred 12:20', 'from its last sight on nobody knows when it went');
SELECT is(pg_temp.sight(2, '12:59'), 'inferred 12:59', 'until the listing that lacks it');
SELECT is(pg_temp.sight(2, '13:00'), NULL, 'where it is gone');
SELECT pg_temp.rows_are($$SELECT observation, last_observed_at FROM modeltrail_v1.deployment_history WHERE workload_uid = pg_temp.uid(2)::text$$,
                  $$VALUES ('inferred', pg_temp.day('12:20'))$$, 'history: an inferred end, last seen before it');
SELECT pg_temp.rows_are($$SELECT observation, last_observed_at FROM modeltrail_v1.deployment_history WHERE deployment_id = 'd-0000000000000003'$$,
                  $$VALUES ('fresh', pg_temp.day('12:00'))$$, 'history: a seen end');

-- A removal that only a request told is no inference (position 2^63-1).
UPDATE modeltrail.placement SET to_position = 9223372036854775807 WHERE placement_id = 'd-0000000000000005';
SELECT is((SELECT observation FROM modeltrail_v1.deployment_history WHERE deployment_id = 'd-0000000000000005'), 'fresh', 'an audited removal is seen');

-- The words of attribution (rule 19).
CREATE FUNCTION pg_temp.word(change_id text) RETURNS text LANGUAGE sql
    AS $$SELECT attribution || coalesce(' ' || deployed_by, '') FROM modeltrail_v1.changes WHERE changes.change_id = $1$$;
SELECT is(pg_temp.word('c-0000000000000001'), 'exact bob', 'exact names somebody');
SELECT is(pg_temp.word('c-0000000000000009'), 'unique carol', 'so does unique');
SELECT is(pg_temp.word('c-0000000000000008'), 'ambiguous', 'ambiguous names nobody');
SELECT is(pg_temp.word('c-0000000000000007'), 'missing', 'covered, and nobody is seen: an alarm');
SELECT is(pg_temp.word('c-0000000000000005'), 'not_collected', 'in a gap of the who-source');
SELECT is(pg_temp.word('c-0000000000000011'), 'not_collected', 'no who-source at all');
SELECT is(pg_temp.word('c-0000000000000006'), 'pending', 'the who-source has not got there yet');
INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
VALUES (16, 'eu-1', 'c1', 'actor', 'audit_log', '', '', pg_temp.day('12:40'), pg_temp.day('14:00'), true);
SELECT is(pg_temp.word('c-0000000000000006'), 'not_collected', 'an inferred time: the whole stretch must be covered to miss somebody');
INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
VALUES (17, 'eu-1', 'c1', 'actor', 'audit_log', '', '', pg_temp.day('12:00'), pg_temp.day('14:00'), true);
SELECT is(pg_temp.word('c-0000000000000006'), 'missing', 'then it is missing');
SELECT is((SELECT attribution FROM modeltrail_v1.deployments WHERE model = 'churn'), 'missing', 'deployments have the words of their deployed position');
-- The time in which it may have been: from 10:00 to 11:00 somebody looked.
CREATE FUNCTION pg_temp.told(at text, after text, source text, lost tstzmultirange DEFAULT '{}') RETURNS text LANGUAGE sql
    RETURN modeltrail.attribution_word(NULL, pg_temp.day(at), pg_temp.day(after), source,
                                       tstzmultirange(tstzrange(pg_temp.day('10:00'), pg_temp.day('11:00'), '[]')), lost);
SELECT is(pg_temp.told('10:30', '10:29:59', 'managed_fields'), 'missing', 'the second of a write is covered');
SELECT is(pg_temp.told('10:30', '09:59', 'managed_fields'), 'missing', 'with evidence of its own it was then, whatever is known of the time before');
SELECT is(pg_temp.told('10:30', '10:05', 'collector_clock'), 'missing', 'seen at some time later: from the last sight on');
SELECT is(pg_temp.told('10:30', '09:59', 'collector_clock'), 'not_collected', 'it may have been before anybody looked');
SELECT is(pg_temp.told('10:30', NULL, 'collector_clock'), 'not_collected', 'what an object held when it was found may be of any age');
SELECT is(pg_temp.told('10:30', '10:30', 'managed_fields'), 'not_collected', 'so may what was found behind a later write of status');
SELECT is(pg_temp.told('10:30', NULL, 'object'), 'missing', 'a birth is not');
SELECT is(pg_temp.told('11:30', NULL, 'collector_clock'), 'pending', 'not reached yet');
SELECT is(pg_temp.told('11:30', NULL, 'object', tstzmultirange(tstzrange(pg_temp.day('11:00'), NULL))), 'not_collected', 'never to be reached: it lies in a gap');
SELECT is(pg_temp.told('09:30', NULL, 'object'), 'not_collected', 'before anybody looked');
SELECT is_empty($$SELECT 1 FROM modeltrail_v1.changes WHERE attribution NOT IN ('exact', 'unique')
                  AND coalesce(deployed_by, deployed_by_kind, applied_by, impersonated, via, evidence) IS NOT NULL$$,
                'without a proven actor the whole chain is empty');

-- The chain.
CREATE FUNCTION pg_temp.chain(id text) RETURNS text LANGUAGE sql
    AS $$SELECT concat_ws(' | ', deployed_by, deployed_by_kind, applied_by, impersonated, via, evidence) FROM modeltrail_v1.deployments WHERE deployment_id = $1$$;
SELECT is(pg_temp.chain('d-0000000000000004'), 'alice@corp.example | human | alice | system:admin | audit_log | audit',
          'a person who impersonates is accountable, by the newest central file');
SELECT is(pg_temp.chain('d-0000000000000009'), 'carol | human | system:serviceaccount:proxy:gateway | carol | audit_log | audit',
          'through a gateway the user it speaks for is; scaling the share moved nothing');
SELECT is(pg_temp.chain('d-0000000000000010'), 'ci-deployer | ci | system:serviceaccount:ci:deployer | audit_log | audit', 'a mapped service');
SELECT pg_temp.rows_are($$SELECT modeltrail.principal_kind(p, NULL) FROM unnest(ARRAY['system:serviceaccount:a:b', 'system:node:x', 'frank', NULL]) AS p$$,
                  ARRAY['service', 'system', 'human', NULL], 'unmapped kinds (rule 20)');

-- Times of knowing.
SELECT pg_temp.rows_are($$SELECT recorded_at, revised_at FROM modeltrail_v1.deployments WHERE deployment_id = 'd-0000000000000004'$$,
                  $$SELECT a.recorded_at, b.recorded_at FROM modeltrail.event a, modeltrail.event b WHERE a.log_index = 10 AND b.log_index = 21$$,
                  'recorded_at and revised_at are log times');
SELECT is((SELECT event_id FROM modeltrail_v1.changes WHERE change_id = 'c-0000000000000004'), 'eu-1:1700000000000:10', 'a change names its event');
SELECT is((SELECT count(*) FROM modeltrail_v1.changes WHERE model = 'credit'), 4::bigint, 'a removal belongs to the model that went');
-- The state at an instant: 1.3.0 lingers from 12:00 to 12:30, 1.4.0 is ready at 12:20 and failed since.
INSERT INTO modeltrail.event (log_index, recorded_at, collector, epoch, seq, type, event_id, body_digest, leaf_hash)
VALUES (80, now(), 'eu-1', 1700000000000, 80, 'dev.modeltrail.object.observed.v1', 'eu-1:1700000000000:80', '\x00', '\x00');
UPDATE modeltrail.placement SET state = 'lingering', valid_to = pg_temp.day('12:30'), ready_at = pg_temp.day('11:05') WHERE placement_id = 'd-0000000000000003';
UPDATE modeltrail.placement SET state = 'failed', ready_at = pg_temp.day('12:20'), revised_index = 80 WHERE placement_id = 'd-0000000000000004';
UPDATE modeltrail.placement SET stopped = true, state = 'stopped' WHERE model = 'churn';
UPDATE modeltrail.change SET from_artifact = 's3://models/fraud/' || from_version, to_artifact = 's3://models/fraud/' || to_version
WHERE uid = pg_temp.uid(1);
CREATE FUNCTION pg_temp.state_at(clock text, uid integer DEFAULT 1) RETURNS text LANGUAGE sql
    AS $$SELECT string_agg(concat_ws(' ', version, state, to_char(ready_at AT TIME ZONE 'UTC', 'HH24:MI')), ', ' ORDER BY version)
         FROM modeltrail_v1.deployments_at(pg_temp.day(clock)) WHERE workload_uid = pg_temp.uid(uid)::text$$;
SELECT is(pg_temp.state_at('11:04'), '1.3.0 pending', 'asked for, not ready yet');
SELECT is(pg_temp.state_at('11:59'), '1.3.0 serving 11:05', 'not lingering before it was asked away');
SELECT is(pg_temp.state_at('12:10'), '1.3.0 lingering 11:05, 1.4.0 pending', 'asked away, still answering; the next is not ready yet');
SELECT is(pg_temp.state_at('12:25'), '1.3.0 lingering 11:05, 1.4.0 serving 12:20', 'both answer');
SELECT is(pg_temp.state_at('12:40'), '1.4.0 serving 12:20', 'a failure told later is none of that instant');
SELECT is((SELECT state FROM modeltrail_v1.deployments_at(now()) WHERE workload_uid = pg_temp.uid(1)::text), 'failed', 'now it has failed');
SELECT is(pg_temp.state_at('10:30', 3), '3.0.0 stopped', 'stopped is a row of its own');
SELECT set_eq('SELECT deployment_id, state, ready_at FROM modeltrail_v1.deployments_at(now())',
              'SELECT deployment_id, state, ready_at FROM modeltrail_v1.deployments', 'the states of now are those of deployments');
SELECT * FROM finish();
ROLLBACK;

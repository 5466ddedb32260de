-- Why nothing is heard of a collector, and whose looks a scope lacks.
BEGIN;
\ir fixtures/rows.sql
CREATE FUNCTION pg_temp.beat(collector text, age interval, trouble text DEFAULT NULL, epoch bigint DEFAULT 1, said text DEFAULT NULL)
    RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at, trouble, through)
         VALUES (collector, epoch, 0, '\x00', now() - age, trouble, jsonb_build_array(jsonb_build_object(
             'aspect', 'state', 'cluster', 'c-' || collector, 'watched_since', now() - interval '1 day', 'through', now() - age, 'trouble', said)))$$;
CREATE FUNCTION pg_temp.list(i integer, age interval, variadic names text[]) RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.event (log_index, recorded_at, collector, epoch, seq, type, event_id, body_digest, leaf_hash)
         VALUES (i, now() - age, '_store', 1, i, 'dev.modeltrail.allowlist.loaded.v1', '_store:1:' || i, '\x00', '\x00');
         INSERT INTO modeltrail.event_body (log_index, salt, body, data) VALUES (i, '\x00', '{}', json_build_object('collectors', (
             SELECT json_agg(json_build_object('name', name, 'cluster', 'c-' || name, 'namespaces', '[]'::json)) FROM unnest(names) name)))$$;
CREATE FUNCTION pg_temp.why(of text) RETURNS text LANGUAGE sql
    AS $$SELECT replace(why, modeltrail.instant_text(now() - interval '1 hour'), 'T') FROM modeltrail.standing WHERE collector = of$$;
-- What is said of a scope now: collector, reason without the first part, which tells since when.
CREATE FUNCTION pg_temp.told(of text) RETURNS text LANGUAGE sql
    AS $$SELECT replace(collector || ': ' || reason, modeltrail.instant_text(now() - interval '1 hour'), 'T')
         FROM modeltrail_v1.unknown_scopes(NULL, ARRAY['c-' || of]) WHERE aspect = 'state'$$;
SELECT plan(30);

SELECT pg_temp.beat('_store', '5 seconds'), pg_temp.beat('well', '5 seconds'), pg_temp.beat('dead', '1 hour'), pg_temp.beat('ended', '1 hour', 'stopped'),
       pg_temp.beat('sick', '5 seconds', 'spool is full'), pg_temp.beat('moaned', '1 hour', 'spool is full'), pg_temp.beat('forked', '1 hour'),
       pg_temp.beat('cloned', '5 seconds'), pg_temp.beat('gone', '1 hour'), pg_temp.beat('stranger', '1 hour');
SELECT is(pg_temp.why('stranger'), 'silent since T', 'without any allow-list nobody is missing from it');
SELECT pg_temp.list(1, '2 days', 'gone'), pg_temp.list(2, '1 day', 'gone', 'well'), pg_temp.list(3, '1 hour', 'well'),
       pg_temp.list(4, '1 minute', 'well', 'dead', 'ended', 'sick', 'moaned', 'forked', 'cloned', 'mute', 'read');
SELECT is(pg_temp.why('well'), NULL, 'all is well');
SELECT is(pg_temp.why('dead'), 'silent since T', 'nobody knows why');
SELECT is(pg_temp.why('ended'), 'stopped at T', 'it said so');
SELECT is(pg_temp.why('sick'), 'spool is full', 'what it says is wrong');
SELECT is(pg_temp.why('moaned'), 'silent since T; it last said: spool is full', 'what it last said');
SELECT is(pg_temp.why('mute'), 'it never spoke', 'allowed, never heard');
SELECT is(pg_temp.why('gone'), 'not in the allow-list since T', 'by the first list without it, though others followed');
SELECT is(pg_temp.why('stranger'), 'not in the allow-list', 'by no list at all');

INSERT INTO modeltrail.refusal (collector, kind, reason, epoch, first_at, last_at, count) VALUES
    ('forked', 'fork', 'another chain', 1, now() - interval '1 hour', now(), 60), ('cloned', 'fork', 'another chain', 1, now() - interval '1 hour', now() - interval '1 minute', 60),
    ('well', 'fork', 'another chain', 1, now() - interval '2 hours', now() - interval '1 hour', 60);
SELECT is(pg_temp.why('forked'), 'refused as a fork since T: another chain', 'refused, and not heard since');
SELECT is(pg_temp.why('cloned'), NULL, 'heard beside its clone, it is not the one that is refused');
SELECT pg_temp.rows_are('SELECT collector, fork_since FROM modeltrail_v1.collectors WHERE fork_since IS NOT NULL ORDER BY 1',
                  $$VALUES ('cloned', now() - interval '1 hour'), ('forked', now() - interval '1 hour')$$, 'but the clone is told of; what is over is not');

SELECT is(pg_temp.told('well'), NULL, 'a scope that is looked at is not told');
SELECT is(pg_temp.told('dead'), 'dead: not observed since T; silent since T', 'whose looks ended, when, and why');
SELECT is(pg_temp.told('gone'), 'gone: not observed since T; not in the allow-list since T', 'a cluster that nobody may watch is not one never seen');
SELECT is(pg_temp.told('mute'), 'mute: never observed; it never spoke', 'who should have looked');
UPDATE modeltrail.mark SET seen_at = now(), through = jsonb_set(through, '{0,trouble}', '"watch: HTTP 401"') WHERE collector = 'dead';
SELECT is(pg_temp.told('dead'), 'dead: not observed since T; watch: HTTP 401', 'what a live collector says of the scope');
-- An audit log covers to its last event: that no newer one came is said where nothing else is wrong.
SELECT pg_temp.beat('read', '1 hour');
UPDATE modeltrail.mark SET seen_at = now() WHERE collector = 'read';
SELECT is(pg_temp.told('read'), 'read: not observed since T', 'that a live watch stands still nobody can explain');
UPDATE modeltrail.mark SET through = through || jsonb_set(through, '{0,aspect}', '"actor"') WHERE collector = 'read';
SELECT is(pg_temp.told('read'), 'read: not observed since T; its audit log or webhook has shown no newer event', 'that an audit log does is its end');
SELECT is((SELECT DISTINCT gap_reason FROM modeltrail_v1.coverage WHERE cluster = 'c-read'), 'its audit log or webhook has shown no newer event', 'in coverage too, of state and who');
UPDATE modeltrail.mark SET trouble = 'spool is full' WHERE collector = 'read';
SELECT is(pg_temp.told('read'), 'read: not observed since T; spool is full', 'but not of a log that is not read');
UPDATE modeltrail.mark SET trouble = NULL, seen_at = now() - interval '1 hour' WHERE collector = 'read';
SELECT is(pg_temp.told('read'), 'read: not observed since T; silent since T', 'nor of a collector that says nothing');
SELECT pg_temp.beat('ended', '5 seconds', 'stopped', 2);
SELECT is((SELECT bool_or(is_live) FROM modeltrail_v1.coverage WHERE cluster = 'c-ended'), false, 'a goodbye ends coverage at once');
SELECT isnt(pg_temp.told('ended'), NULL, 'and no three minutes are granted');
SELECT is((SELECT split_part(reason, '; ', 2) FROM modeltrail_v1.unknown_scopes(now() - interval '4 seconds', '{c-well}') WHERE aspect = 'state'),
          'its next look is awaited', 'behind the last look of a live watch nobody has looked yet');
SELECT is_empty($$SELECT FROM modeltrail_v1.unknown_scopes(now() - interval '5 seconds', '{c-well}') WHERE aspect = 'state'$$, 'at it somebody had');
SELECT is_empty($$SELECT FROM modeltrail_v1.unknown_scopes(now(), '{c-well}') WHERE aspect = 'state'$$, 'of now it is enough');
SELECT pg_temp.beat('anew', '2 minutes'), pg_temp.beat('anew', '0 seconds', NULL, 2);
UPDATE modeltrail.mark SET through = jsonb_set(through, '{0,watched_since}', to_jsonb(now() - interval '10 seconds')) WHERE collector = 'anew' AND epoch = 2;
SELECT isnt_empty($$SELECT FROM modeltrail_v1.unknown_scopes(now() - interval '1 minute', '{c-anew}') WHERE aspect = 'state'$$,
                  'the hole between two spools is one at once, not in three minutes');
UPDATE modeltrail.mark SET seen_at = now() - interval '1 hour' WHERE collector IN ('_store', 'dead');
SELECT is(pg_temp.why('dead'), 'no store has spoken since T', 'when no store is heard either, it is not the collector');
UPDATE modeltrail.mark SET trouble = 'stopped' WHERE collector = '_store';
SELECT is(pg_temp.why('dead'), 'no store runs since T', 'when the last one said goodbye');
SELECT * FROM finish();
ROLLBACK;

-- Rule 21: coverage is the union of what was looked at, less the gaps.
BEGIN;
\ir fixtures/rows.sql
CREATE FUNCTION pg_temp.day(clock text) RETURNS timestamptz LANGUAGE sql
    RETURN (('2026-03-02 ' || clock)::timestamp AT TIME ZONE 'UTC');
CREATE FUNCTION pg_temp.look(i integer, collector text, namespace text, resource text, since text, through text,
                             aspect text DEFAULT 'state') RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
         VALUES (i, collector, 'c1', aspect, 'kubernetes', namespace, resource, pg_temp.day(since), pg_temp.day(through), true)$$;
CREATE FUNCTION pg_temp.miss(i integer, collector text, namespace text, resource text, since text, until text) RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason)
         VALUES (i, collector, 'c1', 'state', namespace, resource, pg_temp.day(since), pg_temp.day(until), 'gap ' || i)$$;
-- "10:00-11:00, 12:00-13:00"; a bracket where the end itself is not covered.
CREATE FUNCTION pg_temp.seen(namespace text, resource text, aspect text DEFAULT 'state') RETURNS text LANGUAGE sql
    AS $$SELECT string_agg(to_char(lower(span) AT TIME ZONE 'UTC', 'HH24:MI') || '-' || to_char(upper(span) AT TIME ZONE 'UTC', 'HH24:MI')
                           || CASE WHEN upper_inc(span) THEN '' ELSE ')' END, ', ' ORDER BY span)
         FROM modeltrail.coverage_of(1::smallint, 'c1', namespace, resource, aspect), unnest(covered) AS span$$;
SELECT plan(53);

SELECT is(pg_temp.seen('a', 'r'), NULL, 'nothing is covered at first');
SELECT pg_temp.look(1, 'eu-1', 'a', 'r', '10:00', '10:05'), pg_temp.look(2, 'eu-1', 'a', 'r', '10:00', '10:10');
SELECT is(pg_temp.seen('a', 'r'), '10:00-10:10', 'looks of one session are one interval');
SELECT pg_temp.look(3, 'eu-2', 'a', 'r', '10:08', '10:30');
SELECT is(pg_temp.seen('a', 'r'), '10:00-10:30', 'overlapping sessions of two collectors join');
SELECT pg_temp.look(4, 'eu-1', 'a', 'r', '10:30', '10:40');
SELECT is(pg_temp.seen('a', 'r'), '10:00-10:40', 'sessions that touch join');
SELECT pg_temp.look(5, 'eu-1', 'a', 'r', '11:00', '11:30');
SELECT is(pg_temp.seen('a', 'r'), '10:00-10:40, 11:00-11:30', 'what nobody looked at stays open');
SELECT is(pg_temp.seen('b', 'r'), NULL, 'another namespace is not covered by it');
SELECT is(pg_temp.seen('', 'r'), NULL, 'nor is the cluster');
SELECT is(pg_temp.seen('a', 's'), NULL, 'nor another kind');
SELECT is(pg_temp.seen('a', 'r', 'actor'), NULL, 'nor who did it');

-- Wider scopes speak for narrower ones.
SELECT pg_temp.look(6, 'eu-3', '', 'r', '10:35', '11:05');
SELECT is(pg_temp.seen('a', 'r'), '10:00-11:30', 'the whole cluster''s watch fills the namespace''s hole');
SELECT is(pg_temp.seen('b', 'r'), '10:35-11:05', 'and covers every namespace');
SELECT pg_temp.look(7, 'eu-3', '', '', '08:00', '08:10');
SELECT is(pg_temp.seen('b', 's'), '08:00-08:10', 'a look at everything covers every kind');

-- Gaps.
SELECT pg_temp.miss(8, 'eu-1', 'a', 'r', '11:10', '11:20');
SELECT is(pg_temp.seen('a', 'r'), '08:00-08:10, 10:00-11:10), 11:20-11:30', 'a gap is taken out');
SELECT pg_temp.miss(9, 'eu-1', 'a', 'r', '10:20', '10:25');
SELECT is(pg_temp.seen('a', 'r'), '08:00-08:10, 10:00-11:10), 11:20-11:30', 'but not what another collector saw meanwhile');
SELECT pg_temp.miss(10, 'eu-3', '', '', '10:50', '10:55');
SELECT is(pg_temp.seen('b', 'r'), '08:00-08:10, 10:35-10:50), 10:55-11:05', 'a gap of the whole cluster hits every namespace and kind');
SELECT pg_temp.look(11, 'eu-4', 'd', 'r', '10:00', '12:00'), pg_temp.miss(12, 'eu-4', 'd', 'r', '11:00', NULL);
SELECT is(pg_temp.seen('d', 'r'), '08:00-08:10, 10:00-11:05', 'an open gap lasts; others are not hit by it');
SELECT pg_temp.look(13, 'eu-4', 'd', 'r', '11:30', '11:50');
SELECT is(pg_temp.seen('d', 'r'), '08:00-08:10, 10:00-11:05, 11:30-12:00', 'until its collector looks again');
SELECT pg_temp.miss(14, 'eu-4', 'd', 'r', '11:00', '11:40');
SELECT is(pg_temp.seen('d', 'r'), '08:00-08:10, 10:00-11:05, 11:40-12:00', 'the newest word on a gap holds');
SELECT pg_temp.miss(15, 'eu-5', 'e', 'r', NULL, NULL);
SELECT is(pg_temp.seen('e', 'r'), '08:00-08:10, 10:35-10:50), 10:55-11:05', 'a gap without times of a collector that saw nothing takes nothing');

-- Listings and beats.
INSERT INTO modeltrail.listing (cluster, resource, namespace, log_index, kind, position, listed_at, watched_since, selector, members, uid_from, uid_to) VALUES
    ('c1', 'k', 'a', 19, 'K', 1, pg_temp.day('09:30'), pg_temp.day('09:00'), 'team=x', '{}', NULL, NULL),
    ('c1', 'k', 'a', 20, 'K', 1, pg_temp.day('10:00'), NULL, NULL, '{}', NULL, NULL),
    ('c1', 'k', 'a', 21, 'K', 2, pg_temp.day('10:30'), pg_temp.day('10:00'), NULL, '{}', NULL, NULL),
    ('c1', 'k', 'a', 22, 'K', 3, pg_temp.day('12:00'), pg_temp.day('11:00'), 'team=x', '{}', NULL, NULL),
    ('c1', 'k', 'a', 23, 'K', 4, pg_temp.day('13:00'), pg_temp.day('12:30'), NULL, '{}', NULL, '80000000-0000-4000-8000-000000000000'),
    ('c1', 'k', 'b', 24, 'K', 4, pg_temp.day('13:00'), pg_temp.day('12:30'), NULL, '{}', '80000000-0000-4000-8000-000000000000', NULL);
SELECT is(pg_temp.seen('a', 'k'), '08:00-08:10, 10:00-10:30', 'listings cover since their watch began; one with a selector, or the first part of one, does not');
SELECT is(pg_temp.seen('b', 'k'), '08:00-08:10, 12:30-13:00', 'the last part of a listing does');
SELECT is(pg_temp.seen('a', 'k', 'actor'), NULL, 'a listing does not say who');
INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at, through) VALUES
    ('eu-1', 1, 0, '\x00', now(), jsonb_build_array(
        jsonb_build_object('aspect', 'state', 'cluster', 'c1', 'namespace', 'a', 'resource', 'k', 'watched_since', pg_temp.day('10:20'), 'through', pg_temp.day('10:50')),
        jsonb_build_object('aspect', 'actor', 'cluster', 'c1', 'watched_since', pg_temp.day('09:00'), 'through', pg_temp.day('09:30')),
        jsonb_build_object('aspect', 'state', 'cluster', 'c9', 'watched_since', pg_temp.day('09:00'), 'through', pg_temp.day('09:30')))),
    ('eu-9', 1, 0, '\x00', now(), NULL), ('eu-8', 1, 0, '\x00', now(), '{"not": "a list"}');
SELECT is(pg_temp.seen('a', 'k'), '08:00-08:10, 10:00-10:50', 'a beat carries coverage on');
SELECT is(pg_temp.seen('a', 'k', 'actor'), '09:00-09:30', 'a beat without namespace and kind speaks for all');

-- The view.
SELECT pg_temp.rows_are($$SELECT covered_from, covered_to, is_live, gap_reason FROM modeltrail_v1.coverage
                    WHERE namespace = 'a' AND resource = 'r' AND covered_from >= pg_temp.day('09:00') ORDER BY 1$$,
                  $$VALUES (pg_temp.day('10:00'), pg_temp.day('10:50'), false, 'gap 10'),
                           (pg_temp.day('10:55'), pg_temp.day('11:10'), false, 'gap 8'),
                           (pg_temp.day('11:20'), pg_temp.day('11:30'), false, NULL)$$, 'coverage: intervals with why they ended');
SELECT pg_temp.rows_are($$SELECT cluster, kind, is_live FROM modeltrail_v1.coverage WHERE cluster = 'c9'$$,
                  $$VALUES ('c9', NULL::text, false)$$, 'coverage: NULL kind is every kind');
INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason)
VALUES (30, 'eu-7', 'c7', 'state', '', 'r', NULL, NULL, 'forbidden');
SELECT pg_temp.rows_are($$SELECT covered_from, covered_to, is_live, gap_reason FROM modeltrail_v1.coverage WHERE cluster = 'c7'$$,
                  $$VALUES (NULL::timestamptz, NULL::timestamptz, false, 'forbidden')$$, 'coverage: a scope never seen is told, with its reason');
SELECT is((SELECT kind FROM modeltrail_v1.coverage WHERE namespace = 'b' AND resource = 'k' LIMIT 1), 'K', 'coverage: kinds have the name of objects');

INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
VALUES (31, 'eu-7', 'c8', 'state', 'kubernetes', '', 'r', now() - interval '1 hour', now() - interval '1 minute', true);
INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason)
VALUES (32, 'eu-7', 'c8', 'state', '', 'r', now() - interval '1 minute', NULL, 'server gone');
SELECT pg_temp.rows_are($$SELECT is_live, gap_reason FROM modeltrail_v1.coverage WHERE cluster = 'c8'$$, $$VALUES (false, 'server gone')$$,
                  'coverage: a gap ends what was live at once');

-- Fresh at an instant: half-open gaps; behind a look that is not three minutes old the next one is awaited.
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 11:00Z"]}', '{}', '2026-01-01 11:00Z'), true, 'the end is covered');
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 11:00Z"]}', '{}', '2026-01-01 11:02Z', '2026-01-01 11:03Z'), true, 'three minutes more are granted');
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 11:00Z"]}', '{}', '2026-01-01 11:02Z', '2026-01-01 11:03:01Z'), false, 'while the next look is awaited');
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 11:00Z"]}', '{}', '2026-01-01 11:03:01Z', '2026-01-01 11:02Z'), false, 'not a second longer');
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 11:00Z")}', '{["2026-01-01 11:00Z","2026-01-01 12:00Z")}', '2026-01-01 11:01Z', '2026-01-01 11:01Z'), false,
          'and none in a gap');
SELECT is(modeltrail.is_fresh('{["2026-01-01 10:00Z","2026-01-01 10:01Z"],["2026-01-01 10:04Z","2026-01-01 11:00Z"]}', '{}', '2026-01-01 10:02Z'), false,
          'a hole between two looks is a hole');
SELECT is(modeltrail.is_fresh('{}', '{}', now()), false, 'no look, no cover');

-- What a "no" may rest on: a range that ends now awaits the next look, one that ended before it does not.
CREATE FUNCTION pg_temp.holds(since text, until text, clock text, lost tstzmultirange DEFAULT '{}') RETURNS boolean LANGUAGE sql
    AS $$SELECT modeltrail.is_covered_between(tstzmultirange(tstzrange(pg_temp.day('10:00'), pg_temp.day('11:00'), '[]')), lost,
                                              pg_temp.day(since), pg_temp.day(until), pg_temp.day(clock))$$;
SELECT is(pg_temp.holds('10:30', '11:00', '12:00'), true, 'all of it was seen, however long ago');
SELECT is(pg_temp.holds('11:03', '11:03', '11:03'), true, 'now, three minutes behind the last look');
SELECT is(pg_temp.holds('10:30', '11:03', '11:03'), true, 'a range until now');
SELECT is(pg_temp.holds('11:03:01', '11:03:01', '11:03:01'), false, 'not a second longer');
SELECT is(pg_temp.holds('11:02:59', '11:02:59', '11:03'), false, 'an instant that is past was seen by nobody yet');
SELECT is(pg_temp.holds('10:30', '11:00:01', '11:00:02'), false, 'nor was a range that ended behind the last look');
SELECT is(pg_temp.holds('11:01', '11:01', '11:01', tstzmultirange(tstzrange(pg_temp.day('11:00'), NULL))), false, 'nothing is awaited in a gap');
SELECT is(pg_temp.holds('09:59', '11:01', '11:01'), false, 'nor does it fill a hole before');

-- What lies ahead was recorded before our clock was set back: it is passed over, and nothing dead looks alive by it.
CREATE FUNCTION pg_temp.c12() RETURNS tstzmultirange LANGUAGE sql
    AS $$SELECT covered FROM modeltrail.coverage_of(1::smallint, 'c12', '', 'r', 'state')$$;
INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed) VALUES
    (41, 'eu-12', 'c12', 'state', 'kubernetes', '', 'r', now() - interval '2 hours', now() - interval '1 hour', true),
    (42, 'eu-12', 'c12', 'state', 'kubernetes', '', 'r', now() - interval '2 hours', now() + interval '1 year', true),
    (43, 'eu-12', 'c12', 'state', 'kubernetes', '', 'r', now() + interval '1 month', now() + interval '1 year', true);
INSERT INTO modeltrail.listing (cluster, resource, namespace, log_index, kind, position, listed_at, watched_since, members) VALUES
    ('c12', 'r', '', 44, 'R', 1, now() + interval '1 year', now() - interval '2 hours', '{}');
SELECT is(pg_temp.c12(), tstzmultirange(tstzrange(now() - interval '2 hours', now() - interval '1 hour', '[]')),
          'facts that reach into the future cover nothing');
INSERT INTO modeltrail.mark (collector, epoch, seq, chain, seen_at, through, clock_skew) VALUES
    ('eu-12', 1, 0, '', now() + interval '1 year', jsonb_build_array(jsonb_build_object('aspect', 'state', 'cluster', 'c12',
     'namespace', NULL, 'resource', 'r', 'watched_since', now() - interval '10 minutes', 'through', now() + interval '1 year')), interval '-1 year');
SELECT is(upper(pg_temp.c12()), now() - interval '1 hour', 'nor do looks');
SELECT is((SELECT is_live FROM modeltrail_v1.collectors WHERE collector = 'eu-12'), false, 'who was heard in the future is not live');
SELECT is((SELECT clock_skew FROM modeltrail_v1.clusters WHERE cluster = 'c12'), NULL, 'and its skew is not the cluster''s');
UPDATE modeltrail.mark SET seen_at = now(), through = jsonb_set(through, '{0,through}', to_jsonb(now() + interval '1 minute')) WHERE collector = 'eu-12';
SELECT is(upper(pg_temp.c12()), now(), 'a look of a moment ago ends now at the latest');
SELECT is((SELECT is_live FROM modeltrail_v1.collectors WHERE collector = 'eu-12'), true, 'who was heard now is live');
SELECT is((SELECT clock_skew FROM modeltrail_v1.clusters WHERE cluster = 'c12'), interval '-1 year', 'and its skew is the cluster''s');
-- A fast clock's gap: its begin was cut when it was told, and again when its end was told.
INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason, told_from) VALUES
    (45, 'eu-12', 'c12', 'state', '', 'r', now() - interval '8 minutes', NULL, 'fast', now() + interval '1 year');
SELECT is(upper(pg_temp.c12()), now() - interval '8 minutes', 'a gap of a fast clock is open from its recording on');
INSERT INTO modeltrail.gap (log_index, collector, cluster, aspect, namespace, resource, from_at, to_at, reason, told_from) VALUES
    (46, 'eu-12', 'c12', 'state', '', 'r', now() - interval '3 minutes', now() - interval '3 minutes', 'fast', now() + interval '1 year');
SELECT is(pg_temp.c12() - tstzmultirange(tstzrange(NULL, now() - interval '30 minutes')),
          tstzmultirange(tstzrange(now() - interval '10 minutes', now() - interval '8 minutes'), tstzrange(now() - interval '3 minutes', now(), '[]')),
          'and ends with the later word on it');
SELECT * FROM finish();
ROLLBACK;

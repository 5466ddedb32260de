-- When a scope was really observed (rule 21). A scope is cluster, namespace ('' = all), resource ('' = all) and
-- aspect: `state` (what is there) or `actor` (who did it). Everything that asks whether something was
-- covered asks modeltrail.coverage_of. These functions call each other for every scope, so they are PL/pgSQL: it
-- keeps their plans, where SQL would plan the inner ones anew in each call of an outer one.

SET LOCAL ROLE modeltrail_owner;

-- A live answer needs a look within three minutes (rule 22). One that lies ahead was noted before our clock
-- was set back, and says nothing of now.
CREATE FUNCTION modeltrail.is_live(through timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(through BETWEEN now() - interval '3 minutes' AND now() + interval '3 minutes', false);

-- As in every answer, without the noise of a zone that is always UTC.
CREATE FUNCTION modeltrail.instant_text(at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- The looks of the beats (docs/events.md): how far each source had looked when its collector last spoke. One
-- that lies ahead was noted before our clock was set back: the next beat says better.
CREATE VIEW modeltrail.look AS
SELECT m.log, m.collector, l.cluster, coalesce(l.aspect, 'state') AS aspect,
       coalesce(l.namespace, '') AS namespace, coalesce(l.resource, '') AS resource,
       l.watched_since, l.through,
       jsonb_path_query_array(m.through, '$[*].cluster') AS clusters, -- indexed
       l.trouble, CASE WHEN m.trouble = 'stopped' THEN m.seen_at END AS stopped_at
FROM modeltrail.mark m
CROSS JOIN LATERAL jsonb_to_recordset(
    CASE jsonb_typeof(m.through) WHEN 'array' THEN m.through ELSE '[]' END)
    AS l (cluster text, aspect text, namespace text, resource text,
          watched_since timestamptz, through timestamptz, trouble text)
WHERE l.cluster IS NOT NULL AND l.through >= l.watched_since
  AND l.through <= now() + interval '3 minutes';

-- The sessions that speak for a scope: unbroken looks, from every source that has it or a wider one.
-- Facts of one session differ in `through` only, so the query steps from session to session through
-- the index. Listings do not say whose they are: collector NULL. What lies ahead was recorded before our
-- clock was set back, and is passed over.
CREATE FUNCTION modeltrail.sessions_of(of_log smallint, of_cluster text, of_namespace text,
                                       of_resource text, of_aspect text)
    RETURNS TABLE (collector text, since timestamptz, through timestamptz)
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE ROWS 10
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE place AS (
        SELECT DISTINCT namespace, resource
        FROM unnest(ARRAY[$3, '']) AS namespace, unnest(ARRAY[$4, '']) AS resource),
    watch AS (
        SELECT place.namespace, place.resource, w.collector, w.watched_since
        FROM place, LATERAL (
            SELECT collector, watched_since FROM modeltrail.watched
            WHERE log = $1 AND cluster = $2 AND aspect = $5
              AND namespace = place.namespace AND resource = place.resource
            ORDER BY collector, watched_since LIMIT 1) w
        UNION ALL
        SELECT watch.namespace, watch.resource, w.collector, w.watched_since
        FROM watch, LATERAL (
            SELECT collector, watched_since FROM modeltrail.watched
            WHERE log = $1 AND cluster = $2 AND aspect = $5
              AND namespace = watch.namespace AND resource = watch.resource
              AND (collector, watched_since) > (watch.collector, watch.watched_since)
            ORDER BY collector, watched_since LIMIT 1) w),
    listed AS (
        SELECT place.namespace, place.resource, l.since
        FROM place, LATERAL (
            SELECT coalesce(watched_since, listed_at) AS since FROM modeltrail.listing
            WHERE log = $1 AND cluster = $2 AND namespace = place.namespace
              AND resource = place.resource AND selector IS NULL AND uid_to IS NULL
            ORDER BY coalesce(watched_since, listed_at) LIMIT 1) l
        WHERE $5 = 'state'
        UNION ALL
        SELECT listed.namespace, listed.resource, l.since
        FROM listed, LATERAL (
            SELECT coalesce(watched_since, listed_at) AS since FROM modeltrail.listing
            WHERE log = $1 AND cluster = $2 AND namespace = listed.namespace
              AND resource = listed.resource AND selector IS NULL AND uid_to IS NULL
              AND coalesce(watched_since, listed_at) > listed.since
            ORDER BY coalesce(watched_since, listed_at) LIMIT 1) l)
    SELECT session.collector, session.since, session.through
    FROM (
        SELECT watch.collector, watch.watched_since AS since, (
            SELECT max(w.through) FROM modeltrail.watched w
            WHERE w.log = $1 AND w.cluster = $2 AND w.aspect = $5 AND w.namespace = watch.namespace
              AND w.resource = watch.resource AND w.collector = watch.collector
              AND w.watched_since = watch.watched_since AND w.through <= now()) AS through
        FROM watch
        UNION ALL
        SELECT NULL, listed.since, (
            SELECT max(coalesce(l.looked_at, l.listed_at)) FROM modeltrail.listing l
            WHERE l.log = $1 AND l.cluster = $2 AND l.namespace = listed.namespace
              AND l.resource = listed.resource AND l.selector IS NULL AND l.uid_to IS NULL
              AND coalesce(l.watched_since, l.listed_at) = listed.since
              AND coalesce(l.looked_at, l.listed_at) <= now())
        FROM listed
        UNION ALL
        SELECT k.collector, k.watched_since, k.through
        FROM modeltrail.look k
        WHERE k.clusters @> jsonb_build_array($2)
          AND k.log = $1 AND k.cluster = $2 AND k.aspect = $5
          AND k.namespace IN ($3, '') AND k.resource IN ($4, '')) AS session
    WHERE session.through >= session.since;
END
$$;

-- Gaps that touch a scope, the newest word on each. An open gap ends where its collector looks again. A collector
-- that said goodbye looks no more, which nobody need wait three minutes to believe.
CREATE FUNCTION modeltrail.gaps_of(of_log smallint, of_cluster text, of_namespace text,
                                   of_resource text, of_aspect text)
    RETURNS TABLE (collector text, from_at timestamptz, to_at timestamptz, reason text)
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE ROWS 5
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT g.collector, g.from_at,
           coalesce(g.to_at, CASE WHEN g.from_at IS NOT NULL THEN (
               SELECT min(s.since) FROM modeltrail.sessions_of($1, $2, $3, $4, $5) s
               WHERE coalesce(s.collector, g.collector) = g.collector AND s.since > g.from_at) END),
           g.reason
    FROM (
        SELECT DISTINCT ON (gap.collector, gap.namespace, gap.resource, coalesce(gap.told_from, gap.from_at))
               gap.collector, gap.to_at, gap.reason,
               -- A fast clock's begin is cut at each word anew; the first cut is the nearest.
               min(gap.from_at) OVER (PARTITION BY gap.collector, gap.namespace, gap.resource,
                                      coalesce(gap.told_from, gap.from_at)) AS from_at
        FROM modeltrail.gap
        WHERE gap.log = $1 AND gap.cluster = $2 AND gap.aspect = $5
          AND gap.namespace IN ($3, '') AND gap.resource IN ($4, '')
        ORDER BY gap.collector, gap.namespace, gap.resource, coalesce(gap.told_from, gap.from_at),
                 gap.log_index DESC) g
    UNION ALL
    SELECT k.collector, k.stopped_at, (
               SELECT min(s.since) FROM modeltrail.sessions_of($1, $2, $3, $4, $5) s
               WHERE s.collector = k.collector AND s.since > k.stopped_at),
           'stopped at ' || modeltrail.instant_text(k.stopped_at)
    FROM modeltrail.look k
    WHERE k.stopped_at IS NOT NULL AND k.clusters @> jsonb_build_array($2)
      AND k.log = $1 AND k.cluster = $2 AND k.aspect = $5
      AND k.namespace IN ($3, '') AND k.resource IN ($4, '');
END
$$;

-- Coverage: for each collector its sessions less its gaps, then all of them together, so that one collector's
-- gap does not hide what another saw. `lost` are the gaps that nobody filled; `reached` is how far
-- anybody has looked, and never beyond now: what was recorded before our clock was set back may lie there.
-- One row always; without sessions `covered` is empty and `reached` NULL.
CREATE FUNCTION modeltrail.coverage_of(of_log smallint, of_cluster text, of_namespace text,
                                       of_resource text, of_aspect text)
    RETURNS TABLE (covered tstzmultirange, lost tstzmultirange, reached timestamptz)
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 50000 ROWS 1
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH session AS MATERIALIZED (
        SELECT s.collector, range_agg(tstzrange(s.since, least(s.through, now()), '[]')) AS spans
        FROM modeltrail.sessions_of($1, $2, $3, $4, $5) s WHERE s.since <= now() GROUP BY s.collector),
    gap AS MATERIALIZED (
        SELECT g.collector, range_agg(tstzrange(g.from_at, g.to_at, '[)')) AS spans
        FROM modeltrail.gaps_of($1, $2, $3, $4, $5) g
        WHERE g.to_at IS NULL OR g.from_at IS NULL OR g.to_at >= g.from_at
        GROUP BY g.collector),
    seen AS (
        SELECT session.spans - coalesce((
            SELECT range_agg(gap.spans) FROM gap
            WHERE gap.collector = coalesce(session.collector, gap.collector)), '{}') AS spans
        FROM session),
    total AS (SELECT coalesce(range_agg(seen.spans), '{}') AS covered FROM seen)
    SELECT total.covered,
           coalesce((SELECT range_agg(gap.spans) FROM gap), '{}') - total.covered,
           upper(total.covered)
    FROM total;
END
$$;
GRANT EXECUTE ON FUNCTION modeltrail.sessions_of(smallint, text, text, text, text),
    modeltrail.gaps_of(smallint, text, text, text, text),
    modeltrail.coverage_of(smallint, text, text, text, text),
    modeltrail.is_live(timestamptz) TO modeltrail_reader;

-- Whether what is known of a scope at an instant is fresh: it was observed then, or looked at less than three minutes
-- before, and is still. May a "no" be said of the instant? That asks modeltrail.is_covered_between.
CREATE FUNCTION modeltrail.is_fresh(covered tstzmultirange, lost tstzmultirange, at timestamptz,
                                      clock timestamptz DEFAULT now())
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(covered @> at OR (upper(covered) <= at AND NOT lost @> at
                                      AND upper(covered) >= greatest(at, clock) - interval '3 minutes'),
                    false);
GRANT EXECUTE ON FUNCTION modeltrail.is_fresh(tstzmultirange, tstzmultirange, timestamptz, timestamptz)
    TO modeltrail_reader;

-- Scopes that somebody spoke of, in the source's own cut, with whoever did. A gap speaks of a scope without
-- looking at it.
CREATE VIEW modeltrail.claimed_scope AS
WITH RECURSIVE watch AS (
    (SELECT log, cluster, aspect, namespace, resource, collector FROM modeltrail.watched
     ORDER BY log, cluster, aspect, namespace, resource, collector LIMIT 1)
    UNION ALL
    SELECT further.* FROM watch, LATERAL (
        SELECT w.log, w.cluster, w.aspect, w.namespace, w.resource, w.collector
        FROM modeltrail.watched w
        WHERE (w.log, w.cluster, w.aspect, w.namespace, w.resource, w.collector)
            > (watch.log, watch.cluster, watch.aspect, watch.namespace, watch.resource, watch.collector)
        ORDER BY w.log, w.cluster, w.aspect, w.namespace, w.resource, w.collector LIMIT 1) AS further),
listed AS (
    (SELECT log, cluster, resource, namespace FROM modeltrail.listing
     ORDER BY log, cluster, resource, namespace LIMIT 1)
    UNION ALL
    SELECT further.* FROM listed, LATERAL (
        SELECT l.log, l.cluster, l.resource, l.namespace FROM modeltrail.listing l
        WHERE (l.log, l.cluster, l.resource, l.namespace)
            > (listed.log, listed.cluster, listed.resource, listed.namespace)
        ORDER BY l.log, l.cluster, l.resource, l.namespace LIMIT 1) AS further)
SELECT log, cluster, aspect, namespace, resource, collector, true AS is_looked FROM watch
UNION
SELECT listed.log, listed.cluster, 'state', listed.namespace, listed.resource, (
    SELECT e.collector FROM modeltrail.event e
    WHERE e.log = listed.log AND e.log_index = (
        SELECT max(l.log_index) FROM modeltrail.listing l
        WHERE l.log = listed.log AND l.cluster = listed.cluster
          AND l.resource = listed.resource AND l.namespace = listed.namespace)), true
FROM listed
UNION
SELECT log, cluster, aspect, namespace, resource, collector, false FROM modeltrail.gap
UNION
SELECT log, cluster, aspect, namespace, resource, collector, true FROM modeltrail.look;

-- The newest allow-list that a store loaded: which collector may speak for what; namespace '' = all.
CREATE VIEW modeltrail.allowed AS
SELECT item ->> 'name' AS collector, item ->> 'cluster' AS cluster,
       coalesce(namespace.name, '') AS namespace
FROM modeltrail.event_body b
CROSS JOIN LATERAL json_array_elements(
    CASE json_typeof(b.data -> 'collectors') WHEN 'array' THEN b.data -> 'collectors' ELSE '[]' END)
    AS item
LEFT JOIN LATERAL json_array_elements_text(
    CASE json_typeof(item -> 'namespaces') WHEN 'array' THEN item -> 'namespaces' ELSE '[]' END)
    AS namespace (name) ON true
WHERE (b.log, b.log_index) IN (
    SELECT e.log, e.log_index FROM modeltrail.event e
    WHERE e.type = 'dev.modeltrail.allowlist.loaded.v1' AND e.quarantined IS NULL
    ORDER BY e.log_index DESC LIMIT 1);

-- Collectors whose key was taken out of the allow-list, and when: by the first list behind the last that named them.
CREATE VIEW modeltrail.dismissed AS
WITH list AS MATERIALIZED (
    SELECT e.log, e.log_index, e.recorded_at FROM modeltrail.event e
    WHERE e.type = 'dev.modeltrail.allowlist.loaded.v1' AND e.quarantined IS NULL),
named AS (
    SELECT item ->> 'name' AS collector, max(list.log_index) AS log_index
    FROM list
    JOIN modeltrail.event_body b ON b.log = list.log AND b.log_index = list.log_index
    CROSS JOIN LATERAL json_array_elements(
        CASE json_typeof(b.data -> 'collectors') WHEN 'array' THEN b.data -> 'collectors' ELSE '[]' END)
        AS item
    GROUP BY 1)
SELECT named.collector, next.at
FROM named
CROSS JOIN LATERAL (
    SELECT min(list.recorded_at) AS at FROM list WHERE list.log_index > named.log_index) AS next
WHERE next.at IS NOT NULL;

-- What is known of each collector, and why it says nothing; `why` is NULL while all is well. A refusal counts while
-- it is repeated, which collectors do every minute, or until the collector is heard again. With one
-- `_store` for all stores of the database: when none of them was heard either, it is not the collectors.
CREATE VIEW modeltrail.standing AS
WITH newest AS (
    SELECT DISTINCT ON (m.log, m.collector) m.log, m.collector, m.epoch, m.seq, m.seen_at, m.program, m.trouble,
           m.clock_skew
    FROM modeltrail.mark m ORDER BY m.log, m.collector, m.epoch DESC),
store AS (
    SELECT n.log, n.seen_at, n.trouble = 'stopped' AS is_stopped FROM newest n
    WHERE n.collector = '_store'),
named AS (
    SELECT log, collector FROM newest WHERE collector <> '_store'
    UNION SELECT 1::smallint, collector FROM modeltrail.allowed),
known AS (
    SELECT named.log, named.collector, newest.epoch, newest.seq, newest.seen_at, newest.program,
           newest.trouble, newest.clock_skew,
           coalesce(modeltrail.is_live(newest.seen_at) AND newest.trouble IS DISTINCT FROM 'stopped',
                    false) AS is_live,
           coalesce(dismissed.at, CASE WHEN EXISTS (SELECT FROM modeltrail.allowed)
                                        AND NOT EXISTS (SELECT FROM modeltrail.allowed a
                                                        WHERE a.collector = named.collector)
                                       THEN timestamptz '-infinity' END) AS dismissed_at, refusal.kind AS refused_kind, refusal.reason AS refused_reason,
           refusal.first_at AS refused_since, refusal.count AS refused_count,
           refusal.last_at >= newest.seen_at OR newest.seen_at IS NULL AS is_shut_out
    FROM named
    LEFT JOIN newest USING (log, collector)
    LEFT JOIN modeltrail.refusal ON refusal.log = named.log AND refusal.collector = named.collector
                                AND (refusal.last_at >= coalesce(newest.seen_at, '-infinity')
                                     OR modeltrail.is_live(refusal.last_at))
    LEFT JOIN modeltrail.dismissed ON dismissed.collector = named.collector)
SELECT known.*,
       CASE
           WHEN known.dismissed_at = '-infinity' THEN 'not in the allow-list'
           WHEN known.dismissed_at IS NOT NULL
               THEN 'not in the allow-list since ' || modeltrail.instant_text(known.dismissed_at)
           WHEN known.refused_kind IS NOT NULL AND known.is_shut_out
               THEN CASE known.refused_kind WHEN 'fork' THEN 'refused as a fork since ' ELSE 'refused since ' END
                   || modeltrail.instant_text(known.refused_since) || ': ' || known.refused_reason
           WHEN known.seen_at IS NULL THEN 'it never spoke'
           WHEN known.trouble = 'stopped' THEN 'stopped at ' || modeltrail.instant_text(known.seen_at)
           WHEN known.is_live THEN known.trouble
           WHEN store.is_stopped THEN 'no store runs since ' || modeltrail.instant_text(store.seen_at)
           WHEN store.seen_at < now() - interval '1 minute'
               THEN 'no store has spoken since ' || modeltrail.instant_text(store.seen_at)
           ELSE 'silent since ' || modeltrail.instant_text(known.seen_at)
               || coalesce('; it last said: ' || known.trouble, '') END AS why
FROM known
LEFT JOIN store USING (log);

-- Who did not look at a scope in a time in which nobody did: whoever reported a gap, else the collector that had
-- looked last, else one that should. `reason` is why, `said` what the collector says of the scope; where both
-- are NULL and the collector has not looked again (`is_open`), its standing tells. Where that is well too, `idle`
-- does: an audit log or a webhook covers to its last event (rule 21), and one that shows nothing more is no trouble.
-- Nor is an instant that a watch will speak of when it looks again.
CREATE FUNCTION modeltrail.loss_of(of_log smallint, of_cluster text, of_namespace text, of_resource text,
                                   of_aspect text, missed tstzmultirange)
    RETURNS TABLE (collector text, reason text, said text, is_open boolean, idle text)
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER COST 50000 ROWS 1
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH session AS MATERIALIZED (
        SELECT s.* FROM modeltrail.sessions_of($1, $2, $3, $4, $5) s WHERE s.collector IS NOT NULL),
    gap AS (
        SELECT 1 AS place, g.collector, g.reason, NULL AS said, false AS is_open, NULL AS idle
        FROM modeltrail.gaps_of($1, $2, $3, $4, $5) g
        WHERE $6 && CASE WHEN g.from_at > g.to_at THEN 'empty' ELSE tstzrange(g.from_at, g.to_at, '[)') END
        ORDER BY g.from_at DESC NULLS LAST LIMIT 1),
    last AS (
        SELECT s.collector, s.since, s.through, (
                   SELECT min(later.since) FROM session later
                   WHERE later.collector = s.collector AND later.since > s.through) AS back_at
        FROM session s
        WHERE s.since <= lower($6) ORDER BY s.through DESC LIMIT 1),
    silent AS (
        SELECT 2 AS place, l.collector, (
                   SELECT 'its spool was lost; a new one began at '
                       || modeltrail.instant_text(to_timestamp(m.epoch / 1000.0))
                   FROM modeltrail.mark m
                   WHERE m.log = $1 AND m.collector = l.collector
                     AND m.epoch > extract(epoch FROM l.through) * 1000
                     AND m.epoch <= extract(epoch FROM l.back_at) * 1000
                   ORDER BY m.epoch DESC LIMIT 1) AS reason, (
                   SELECT k.trouble FROM modeltrail.look k
                   WHERE k.clusters @> jsonb_build_array($2) AND k.log = $1
                     AND k.collector = l.collector AND k.cluster = $2 AND k.aspect = $5
                     AND k.namespace IN ($3, '') AND k.resource IN ($4, '') AND k.trouble IS NOT NULL
                   ORDER BY k.through DESC LIMIT 1) AS said, l.back_at IS NULL AS is_open,
               -- Only they say who, and they say what is there in the same words.
               CASE WHEN EXISTS (
                   SELECT FROM modeltrail.look k
                   WHERE k.clusters @> jsonb_build_array($2) AND k.log = $1
                     AND k.collector = l.collector AND k.cluster = $2 AND k.aspect = 'actor'
                     AND k.namespace IN ($3, '') AND k.resource IN ($4, '')
                     AND k.watched_since = l.since)
                   THEN 'its audit log or webhook has shown no newer event'
                   WHEN modeltrail.is_live(l.through) THEN 'its next look is awaited' END AS idle
        FROM last l),
    first AS (
        SELECT 3 AS place, s.collector, NULL AS reason, NULL AS said, false AS is_open, NULL AS idle
        FROM session s ORDER BY s.since LIMIT 1),
    awaited AS (
        SELECT 4 AS place, c.collector, NULL AS reason, NULL AS said, true AS is_open, NULL AS idle
        FROM modeltrail.allowed c
        WHERE $5 = 'state' AND c.cluster = $2 AND c.namespace IN ($3, '')
          AND NOT EXISTS (SELECT FROM session)
        ORDER BY c.collector LIMIT 1)
    SELECT told.collector, told.reason, told.said, told.is_open, told.idle
    FROM (SELECT * FROM gap UNION ALL SELECT * FROM silent UNION ALL SELECT * FROM first
          UNION ALL SELECT * FROM awaited) AS told
    ORDER BY told.place LIMIT 1;
END
$$;
GRANT EXECUTE ON FUNCTION modeltrail.loss_of(smallint, text, text, text, text, tstzmultirange),
    modeltrail.instant_text(timestamptz) TO modeltrail_reader;

CREATE VIEW modeltrail_v1.coverage AS
SELECT s.cluster,
       nullif(s.namespace, '') AS namespace,
       modeltrail.kind_of(s.log, s.cluster, s.resource) AS kind,
       s.aspect,
       nullif(lower(span), '-infinity') AS covered_from,
       upper(span) AS covered_to,
       live.is_live,
       coalesce(loss.reason, CASE WHEN st.is_live THEN loss.said END, st.why,
                CASE WHEN st.is_live THEN loss.idle END) AS gap_reason,
       nullif(s.resource, '') AS resource,
       loss.collector
FROM (SELECT DISTINCT log, cluster, aspect, namespace, resource FROM modeltrail.claimed_scope) s
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(s.log, s.cluster, s.namespace, s.resource, s.aspect) OFFSET 0) c
LEFT JOIN LATERAL unnest(c.covered) AS span ON true
-- Only the newest interval can be, and a gap behind it ends it at once, not in three minutes.
CROSS JOIN LATERAL (
    SELECT coalesce(upper(span) = c.reached AND modeltrail.is_fresh(c.covered, c.lost, now()), false)
           AS is_live) live
-- What ended the interval stands in the hole behind it.
LEFT JOIN LATERAL modeltrail.loss_of(
    s.log, s.cluster, s.namespace, s.resource, s.aspect,
    CASE WHEN NOT live.is_live THEN tstzmultirange(tstzrange(
        upper(span), (SELECT min(lower(later)) FROM unnest(c.covered) AS later
                      WHERE lower(later) >= upper(span)), '[]')) END) loss ON true
LEFT JOIN modeltrail.standing st ON st.log = s.log AND st.collector = loss.collector AND loss.is_open;

COMMENT ON VIEW modeltrail_v1.coverage IS
    'One row per unbroken interval in which a scope was really observed, and one without times for a scope that never was. Outside the intervals the answer is unknown, never no.';
COMMENT ON COLUMN modeltrail_v1.coverage.cluster IS 'Cluster of the scope.';
COMMENT ON COLUMN modeltrail_v1.coverage.namespace IS 'Namespace of the scope; NULL = the whole cluster.';
COMMENT ON COLUMN modeltrail_v1.coverage.kind IS
    'Kind observed, as on objects; NULL = every kind. The resource name while no object was ever seen.';
COMMENT ON COLUMN modeltrail_v1.coverage.aspect IS 'state: what is there; actor: who did it.';
COMMENT ON COLUMN modeltrail_v1.coverage.covered_from IS
    'Begin of the interval; NULL together with covered_to when the scope was never observed.';
COMMENT ON COLUMN modeltrail_v1.coverage.covered_to IS
    'How far anybody has looked, inclusive. It moves on while is_live.';
COMMENT ON COLUMN modeltrail_v1.coverage.is_live IS
    'True for the newest interval when covered_to lies within three minutes of now and no gap lies behind it.';
COMMENT ON COLUMN modeltrail_v1.coverage.gap_reason IS
    'Why the interval ended: the gap that was reported, else what became of the collector, or that its audit log or webhook has shown no newer event; NULL while live, or when nobody knows.';
COMMENT ON COLUMN modeltrail_v1.coverage.resource IS 'The kind as plural.group; NULL = every kind.';
COMMENT ON COLUMN modeltrail_v1.coverage.collector IS
    'Whose looks ended, or never came; NULL while live, or when nobody is known.';

RESET ROLE;

-- When a scope was really observed (rule 21). A scope is cluster, namespace ('' = all), resource ('' = all) and
-- aspect: `state` (what is there) or `actor` (who did it). Everything that asks whether something was
-- covered asks modeltrail.coverage_of.

SET LOCAL ROLE modeltrail_owner;

-- A live answer needs a look within three minutes (rule 22). One that lies ahead was noted before our clock
-- was set back, and says nothing of now.
CREATE FUNCTION modeltrail.is_live(through timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(through BETWEEN now() - interval '3 minutes' AND now() + interval '3 minutes', false);

-- The looks of the beats (docs/events.md): how far each source had looked when its collector last spoke. One
-- that lies ahead was noted before our clock was set back: the next beat says better.
CREATE VIEW modeltrail.look AS
SELECT m.log, m.collector, l.cluster, coalesce(l.aspect, 'state') AS aspect,
       coalesce(l.namespace, '') AS namespace, coalesce(l.resource, '') AS resource,
       l.watched_since, l.through,
       jsonb_path_query_array(m.through, '$[*].cluster') AS clusters -- indexed
FROM modeltrail.mark m
CROSS JOIN LATERAL jsonb_to_recordset(
    CASE jsonb_typeof(m.through) WHEN 'array' THEN m.through ELSE '[]' END)
    AS l (cluster text, aspect text, namespace text, resource text,
          watched_since timestamptz, through timestamptz)
WHERE l.cluster IS NOT NULL AND l.through >= l.watched_since
  AND l.through <= now() + interval '3 minutes';

-- The sessions that speak for a scope: unbroken looks, from every source that has it or a wider one.
-- Facts of one session differ in `through` only, so the query steps from session to session through
-- the index. Listings do not say whose they are: collector NULL. What lies ahead was recorded before our
-- clock was set back, and is passed over.
CREATE FUNCTION modeltrail.sessions_of(of_log smallint, of_cluster text, of_namespace text,
                                       of_resource text, of_aspect text)
    RETURNS TABLE (collector text, since timestamptz, through timestamptz)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE ROWS 10
BEGIN ATOMIC
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
            SELECT max(l.listed_at) FROM modeltrail.listing l
            WHERE l.log = $1 AND l.cluster = $2 AND l.namespace = listed.namespace
              AND l.resource = listed.resource AND l.selector IS NULL AND l.uid_to IS NULL
              AND coalesce(l.watched_since, l.listed_at) = listed.since AND l.listed_at <= now())
        FROM listed
        UNION ALL
        SELECT k.collector, k.watched_since, k.through
        FROM modeltrail.look k
        WHERE k.clusters @> jsonb_build_array($2)
          AND k.log = $1 AND k.cluster = $2 AND k.aspect = $5
          AND k.namespace IN ($3, '') AND k.resource IN ($4, '')) AS session
    WHERE session.through >= session.since;
END;

-- Gaps that touch a scope, the newest word on each. An open gap ends where its collector looks again.
CREATE FUNCTION modeltrail.gaps_of(of_log smallint, of_cluster text, of_namespace text,
                                   of_resource text, of_aspect text)
    RETURNS TABLE (collector text, from_at timestamptz, to_at timestamptz, reason text)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE ROWS 5
BEGIN ATOMIC
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
                 gap.log_index DESC) g;
END;

-- Coverage: for each collector its sessions less its gaps, then all of them together, so that one collector's
-- gap does not hide what another saw. `lost` are the gaps that nobody filled; `reached` is how far
-- anybody has looked, and never beyond now: what was recorded before our clock was set back may lie there.
-- One row always; without sessions `covered` is empty and `reached` NULL.
CREATE FUNCTION modeltrail.coverage_of(of_log smallint, of_cluster text, of_namespace text,
                                       of_resource text, of_aspect text)
    RETURNS TABLE (covered tstzmultirange, lost tstzmultirange, reached timestamptz)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 50000 ROWS 1
BEGIN ATOMIC
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
END;
GRANT EXECUTE ON FUNCTION modeltrail.gaps_of(smallint, text, text, text, text),
    modeltrail.coverage_of(smallint, text, text, text, text),
    modeltrail.is_live(timestamptz) TO modeltrail_reader;

-- Whether a scope was observed at an instant. Behind the newest look three minutes are granted, as for now.
CREATE FUNCTION modeltrail.is_covered(covered tstzmultirange, lost tstzmultirange, at timestamptz)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(covered @> at OR (upper(covered) <= at AND at <= upper(covered) + interval '3 minutes'
                                      AND NOT lost @> at), false);
GRANT EXECUTE ON FUNCTION modeltrail.is_covered(tstzmultirange, tstzmultirange, timestamptz)
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

CREATE VIEW modeltrail_v1.coverage AS
SELECT s.cluster,
       nullif(s.namespace, '') AS namespace,
       modeltrail.kind_of(s.log, s.cluster, s.resource) AS kind,
       s.aspect,
       nullif(lower(span), '-infinity') AS covered_from,
       upper(span) AS covered_to,
       live.is_live,
       CASE WHEN NOT live.is_live THEN (
           SELECT g.reason
           FROM modeltrail.gaps_of(s.log, s.cluster, s.namespace, s.resource, s.aspect) g
           WHERE span IS NULL
              OR (coalesce(g.from_at, '-infinity') <= upper(span) + interval '1 second'
                  AND coalesce(g.to_at, 'infinity') >= upper(span))
           ORDER BY g.from_at DESC NULLS LAST LIMIT 1) END AS gap_reason,
       nullif(s.resource, '') AS resource
FROM (SELECT DISTINCT log, cluster, aspect, namespace, resource FROM modeltrail.claimed_scope) s
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(s.log, s.cluster, s.namespace, s.resource, s.aspect) OFFSET 0) c
LEFT JOIN LATERAL unnest(c.covered) AS span ON true
-- Only the newest interval can be, and a gap behind it ends it at once, not in three minutes.
CROSS JOIN LATERAL (
    SELECT coalesce(upper(span) = c.reached AND modeltrail.is_covered(c.covered, c.lost, now()), false)
           AS is_live) live;

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
    'Why the interval ended, as the collector reported it; NULL while live, or when nothing was reported.';
COMMENT ON COLUMN modeltrail_v1.coverage.resource IS 'The kind as plural.group; NULL = every kind.';

RESET ROLE;

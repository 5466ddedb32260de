-- Whether a "no" may be said (rule 22): the scopes that an answer rests on and that nobody observed then.

SET LOCAL ROLE modeltrail_owner;

-- The scopes that count when none is named. What a collector claims is what it was told to watch; the
-- allow-list only permits, so it counts where it names namespaces, or while its collector is
-- silent. Claims of collectors that are no longer allowed are history.
CREATE VIEW modeltrail.declared_scope AS
WITH claim AS (
    SELECT DISTINCT s.log, s.cluster, s.namespace, s.collector
    FROM modeltrail.claimed_scope s
    WHERE s.aspect = 'state'
      AND (s.collector IS NULL OR NOT EXISTS (SELECT FROM modeltrail.allowed)
           OR s.collector IN (SELECT a.collector FROM modeltrail.allowed a)))
SELECT log, cluster, namespace FROM claim
UNION
SELECT 1::smallint, a.cluster, a.namespace
FROM modeltrail.allowed a
WHERE a.namespace <> '' OR a.collector NOT IN (SELECT c.collector FROM claim c
                                               WHERE c.collector IS NOT NULL);

-- Whether a scope was observed from `since` until `until` without a hole. A range that ends now awaits the next look
-- for three minutes (rule 22); behind the last look an earlier end was seen by nobody, whatever may still come.
CREATE FUNCTION modeltrail.is_covered_between(covered tstzmultirange, lost tstzmultirange,
                                              since timestamptz, until timestamptz,
                                              clock timestamptz DEFAULT now())
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN covered @> tstzrange(since, until, '[]') THEN true
        WHEN until < clock OR upper(covered) > until
             OR upper(covered) < until - interval '3 minutes' THEN false
        WHEN lost && tstzrange(greatest(since, upper(covered)), until, '[]') THEN false
        WHEN since > upper(covered) THEN true
        ELSE coalesce(covered @> tstzrange(since, upper(covered),
                                           CASE WHEN upper_inc(covered) THEN '[]' ELSE '[)' END), false) END;

-- A "no" about what happened rests on the whole range: an instant in which nobody looked may hold just what was
-- asked for. Without a begin each scope counts from when it was first observed.
CREATE FUNCTION modeltrail_v1.unknown_scopes_between(since timestamptz, until timestamptz DEFAULT NULL,
                                                     clusters text[] DEFAULT NULL,
                                                     namespaces text[] DEFAULT NULL,
                                                     environments text[] DEFAULT NULL)
    RETURNS TABLE (cluster text, namespace text, kind text, environment text, aspect text,
                   last_observed_at timestamptz, reason text, collector text)
    LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    WITH asked AS (SELECT least($1, coalesce($2, now())) AS since, coalesce($2, now()) AS until
                   WHERE $1 IS NOT NULL
                   UNION ALL SELECT NULL, coalesce($2, now()) WHERE $1 IS NULL),
    -- Mappings that were in force at any instant of the range.
    mapped AS (
        SELECT DISTINCT m.log, m.cluster, m.namespace
        FROM modeltrail.environment_map m, asked
        WHERE m.environment IS NOT NULL AND m.from_at <= asked.until
          AND NOT EXISTS (
              SELECT FROM modeltrail.environment_map later
              WHERE later.log = m.log AND later.cluster = m.cluster AND later.namespace = m.namespace
                AND later.from_at <= asked.since
                AND (later.from_at, later.log_index) > (m.from_at, m.log_index))),
    declared AS MATERIALIZED (SELECT * FROM modeltrail.declared_scope),
    universe AS (
        SELECT d.log, d.cluster, d.namespace FROM declared d
        UNION
        SELECT m.log, m.cluster, m.namespace FROM mapped m
        UNION
        -- Who asks for a cluster by name means it, also when nobody may watch it any more.
        SELECT c.log, c.cluster, c.namespace FROM modeltrail.claimed_scope c
        WHERE c.cluster = ANY ($3) AND c.aspect = 'state'
          AND NOT EXISTS (SELECT FROM declared d WHERE d.cluster = c.cluster)
        UNION
        -- What stood open somewhere meanwhile may hide an answer too.
        SELECT n.log, n.cluster, n.namespace
        FROM modeltrail.known_namespace n
        CROSS JOIN asked
        CROSS JOIN LATERAL (
            SELECT FROM modeltrail.workload w
            CROSS JOIN LATERAL (
                SELECT FROM modeltrail.placement p
                WHERE p.log = w.log AND p.cluster = w.cluster AND p.resource = w.resource
                  AND p.uid = w.uid AND p.valid_from <= asked.until
                  AND (p.valid_to IS NULL OR asked.since IS NULL OR p.valid_to > asked.since)
                LIMIT 1) AS open_one
            WHERE w.log = n.log AND w.cluster = n.cluster AND w.namespace = n.namespace
            -- In the index's order: for any one row the planner would rather walk the table.
            ORDER BY w.uid LIMIT 1) AS inhabited),
    -- A namespace that is named narrows whole-cluster scopes to it.
    narrowed AS (
        SELECT DISTINCT u.log, u.cluster, coalesce(n.name, u.namespace) AS namespace
        FROM universe u
        LEFT JOIN LATERAL unnest($4) AS n (name) ON u.namespace IN ('', n.name)
        WHERE ($3 IS NULL OR u.cluster = ANY ($3)) AND ($4 IS NULL OR n.name IS NOT NULL)),
    -- Under a named environment also the namespaces of whole-cluster scopes count.
    staged AS (
        SELECT s.log, s.cluster, s.namespace, e.environment
        FROM (SELECT narrowed.log, narrowed.cluster, narrowed.namespace FROM narrowed
              UNION
              SELECT n.log, n.cluster, n.namespace FROM modeltrail.known_namespace n
              WHERE $5 IS NOT NULL AND ($3 IS NULL OR n.cluster = ANY ($3))
                AND ($4 IS NULL OR n.namespace = ANY ($4))) AS s
        CROSS JOIN asked
        LEFT JOIN LATERAL (
            SELECT at_end.environment
            FROM modeltrail.environment_at(CASE WHEN $5 IS NOT NULL THEN s.log END, s.cluster,
                                           s.namespace, asked.until) AS at_end
            UNION
            SELECT turn.environment
            FROM modeltrail.environments_of(
                     CASE WHEN $5 IS NOT NULL AND asked.since IS DISTINCT FROM asked.until THEN s.log END,
                     s.cluster, s.namespace) AS held,
                 unnest(held.environments, held.since) WITH ORDINALITY AS turn (environment, since, place)
            WHERE turn.since <= asked.until
              AND (asked.since IS NULL
                   OR coalesce(held.since[turn.place + 1], 'infinity') > asked.since)) AS e ON true),
    -- A whole cluster without an environment of its own may hold namespaces of any.
    scope AS MATERIALIZED (
        SELECT DISTINCT staged.log, staged.cluster, staged.namespace FROM staged
        WHERE $5 IS NULL OR staged.environment = ANY ($5)
           OR (staged.environment IS NULL AND staged.namespace = '')),
    claim AS MATERIALIZED (
        SELECT c.log, c.cluster, c.aspect, c.namespace, c.resource, bool_or(c.is_looked) AS is_looked
        FROM modeltrail.claimed_scope c
        GROUP BY c.log, c.cluster, c.aspect, c.namespace, c.resource),
    -- The kinds to ask about are those that anybody spoke of in that cluster, and all of them ('') where nobody
    -- watches by kind: a gap of one kind says nothing of the others. A namespace nobody spoke of by
    -- name is seen as far as its cluster is (`seen_as`), so that one look-up answers for many.
    needed AS MATERIALIZED (
        SELECT s.log, s.cluster, s.namespace, a.aspect, coalesce(k.resource, '') AS resource,
               CASE WHEN EXISTS (
                   SELECT FROM claim c
                   WHERE c.log = s.log AND c.cluster = s.cluster AND c.aspect = a.aspect
                     AND c.namespace = s.namespace) THEN s.namespace ELSE '' END AS seen_as
        FROM scope s
        CROSS JOIN (VALUES ('state'), ('actor')) AS a (aspect)
        LEFT JOIN LATERAL (
            SELECT DISTINCT c.resource FROM claim c
            WHERE c.log = s.log AND c.cluster = s.cluster AND c.aspect = a.aspect
              AND (c.resource <> '' OR NOT EXISTS (
                  SELECT FROM claim named
                  WHERE named.log = s.log AND named.cluster = s.cluster AND named.aspect = a.aspect
                    AND named.resource <> '' AND named.is_looked))) k ON true),
    -- Live looks without any trouble prove most of it in one pass; only the rest is worked out. Of now the next look
    -- is awaited, but not of one behind which another began anew in its cluster: there may be a hole between them.
    live AS MATERIALIZED (
        SELECT k.log, k.cluster, k.aspect, k.namespace, k.resource
        FROM (SELECT look.*, max(look.watched_since) OVER (
                         PARTITION BY look.log, look.cluster, look.aspect) AS newest_since
              FROM modeltrail.look) AS k, asked
        WHERE k.watched_since <= asked.since
          AND (k.through >= asked.until
               OR (asked.until >= now() AND k.through >= asked.until - interval '3 minutes'
                   AND k.stopped_at IS NULL AND k.newest_since <= k.through))
          AND NOT EXISTS (
              SELECT FROM modeltrail.gap g
              WHERE g.log = k.log AND g.cluster = k.cluster AND g.aspect = k.aspect
                AND coalesce(g.to_at, 'infinity') > asked.since - interval '3 minutes')),
    unproven AS MATERIALIZED (
        SELECT n.* FROM needed n
        WHERE NOT EXISTS (
            SELECT FROM live l
            WHERE l.log = n.log AND l.cluster = n.cluster AND l.aspect = n.aspect
              AND l.namespace IN (n.namespace, '') AND l.resource IN (n.resource, ''))),
    unseen AS MATERIALIZED (
        SELECT u.*, c.reached, edge.lost_at, edge.back_at, loss.collector,
               coalesce(loss.reason, CASE WHEN st.is_live THEN loss.said END, st.why,
                        CASE WHEN st.is_live THEN loss.idle END) AS reason
        FROM (SELECT DISTINCT unproven.log, unproven.cluster, unproven.seen_as, unproven.resource,
                              unproven.aspect
              FROM unproven) u
        CROSS JOIN asked
        CROSS JOIN LATERAL modeltrail.coverage_of(u.log, u.cluster, u.seen_as, u.resource, u.aspect) c
        CROSS JOIN LATERAL (
            SELECT least(coalesce(asked.since, lower(c.covered)), asked.until) AS since) AS begun
        CROSS JOIN LATERAL (
            SELECT tstzmultirange(tstzrange(begun.since, asked.until, '[]')) - c.covered AS missed) AS hole
        -- The first hole of the range, with its whole extent: the last look before and the next behind.
        CROSS JOIN LATERAL (
            SELECT upper(c.covered * tstzmultirange(tstzrange(NULL, lower(hole.missed), '[]'))) AS lost_at,
                   lower(c.covered * tstzmultirange(tstzrange(upper(span), NULL, '[]'))) AS back_at
            FROM unnest(hole.missed) AS span LIMIT 1) AS edge
        LEFT JOIN LATERAL modeltrail.loss_of(u.log, u.cluster, u.seen_as, u.resource, u.aspect,
                                             hole.missed) loss ON true
        LEFT JOIN modeltrail.standing st ON st.log = u.log AND st.collector = loss.collector
                                        AND loss.is_open
        WHERE NOT modeltrail.is_covered_between(c.covered, c.lost, begun.since, asked.until)),
    unknown AS (
        SELECT n.log, n.cluster, n.namespace, n.aspect, n.resource, u.reached, u.lost_at, u.back_at,
               u.collector, u.reason,
               count(*) OVER (PARTITION BY n.log, n.cluster, n.namespace, n.aspect) AS kinds
        FROM unseen u
        JOIN unproven n ON n.log = u.log AND n.cluster = u.cluster AND n.seen_as = u.seen_as
                       AND n.resource = u.resource AND n.aspect = u.aspect),
    -- A scope of which each of several kinds is unknown is one row per reason, without the kind.
    told AS (
        SELECT u.log, u.cluster, u.namespace, u.aspect, r.resource, u.collector, u.reason,
               max(u.reached) AS reached, max(u.lost_at) AS lost_at, max(u.back_at) AS back_at
        FROM unknown u
        CROSS JOIN LATERAL (
            SELECT CASE WHEN u.kinds > 1 AND u.kinds = (
                SELECT count(*) FROM needed n
                WHERE n.log = u.log AND n.cluster = u.cluster AND n.namespace = u.namespace
                  AND n.aspect = u.aspect
                HAVING bool_and(n.resource <> '')) THEN '' ELSE u.resource END AS resource) r
        GROUP BY u.log, u.cluster, u.namespace, u.aspect, r.resource, u.collector, u.reason,
                 u.lost_at IS NULL, u.back_at IS NULL)
    SELECT t.cluster, nullif(t.namespace, ''), modeltrail.kind_of(t.log, t.cluster, t.resource),
           e.environment, t.aspect, t.reached,
           CASE WHEN t.lost_at IS NULL AND t.back_at IS NULL THEN 'never observed'
                WHEN t.back_at IS NULL
                    THEN 'not observed since ' || modeltrail.instant_text(t.lost_at)
                WHEN t.lost_at IS NULL
                    THEN 'not observed before ' || modeltrail.instant_text(t.back_at)
                ELSE 'not observed from ' || modeltrail.instant_text(t.lost_at)
                    || ' to ' || modeltrail.instant_text(t.back_at) END || coalesce('; ' || t.reason, ''),
           t.collector
    FROM told t
    CROSS JOIN asked
    LEFT JOIN LATERAL modeltrail.environment_at(t.log, t.cluster, t.namespace, asked.until) e ON true
    -- Of what is unknown as a whole, a cluster or all kinds, the parts need not be told again.
    WHERE NOT EXISTS (
        SELECT FROM told whole
        WHERE whole.log = t.log AND whole.cluster = t.cluster AND whole.aspect = t.aspect
          AND whole.namespace IN (t.namespace, '') AND whole.resource IN (t.resource, '')
          AND (whole.namespace, whole.resource) <> (t.namespace, t.resource))
    UNION ALL
    SELECT name, NULL, NULL, NULL, a.aspect, NULL, 'cluster never seen', NULL
    FROM unnest($3) AS name, (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe u WHERE u.cluster = name)
    UNION ALL
    SELECT NULL, name, NULL, NULL, a.aspect, NULL, 'namespace never seen', NULL
    FROM unnest($4) AS name, (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe u WHERE u.namespace IN ('', name)
                                               AND ($3 IS NULL OR u.cluster = ANY ($3)))
    UNION ALL
    SELECT NULL, NULL, NULL, wanted.stage, a.aspect, NULL, 'environment never seen', NULL
    FROM unnest($5) AS wanted (stage), (VALUES ('state'), ('actor')) AS a (aspect)
    -- One that is declared, or that any scope belongs to, exists: that the other filters leave nothing of it
    -- is no reason for doubt.
    WHERE NOT EXISTS (SELECT FROM staged s WHERE s.environment = wanted.stage)
      AND NOT EXISTS (SELECT FROM modeltrail.environment d WHERE d.name = wanted.stage)
      AND NOT EXISTS (SELECT FROM modeltrail.environment_map m WHERE m.environment = wanted.stage)
      AND NOT EXISTS (
          SELECT FROM modeltrail.known_namespace n
          CROSS JOIN asked
          CROSS JOIN LATERAL modeltrail.environment_at(n.log, n.cluster, n.namespace, asked.until) e
          WHERE e.environment = wanted.stage)
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, a.aspect, NULL, 'nothing is observed yet', NULL
    FROM (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe) AND $3 IS NULL AND $4 IS NULL AND $5 IS NULL;
END;

CREATE FUNCTION modeltrail_v1.unknown_scopes(at timestamptz, clusters text[] DEFAULT NULL,
                                             namespaces text[] DEFAULT NULL,
                                             environments text[] DEFAULT NULL)
    RETURNS TABLE (cluster text, namespace text, kind text, environment text, aspect text,
                   last_observed_at timestamptz, reason text, collector text)
    LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT u.* FROM modeltrail_v1.unknown_scopes_between(coalesce($1, now()), $1, $2, $3, $4) u;
END;

COMMENT ON FUNCTION modeltrail_v1.unknown_scopes(timestamptz, text[], text[], text[]) IS
    'The scopes that a "no" rests on and that were not observed at the instant (NULL: now; of now a look of the last three minutes is enough, of an earlier instant only one that reaches it): those named by the arguments (NULL: not limited), else every declared, mapped or inhabited one. One row per scope, kind and aspect; NULL namespace or kind = all. reason says since when and why, collector whose looks ended or never came (NULL: nobody is known). No row: a "no" may be said.';
COMMENT ON FUNCTION modeltrail_v1.unknown_scopes_between(timestamptz, timestamptz, text[], text[], text[]) IS
    'The same for what happened in a range, both ends included: the scopes that were not observed without a hole from since (NULL: since each was first observed) until until (NULL: now, of which a look of the last three minutes is enough). No row: a "no" about the range may be said.';

RESET ROLE;

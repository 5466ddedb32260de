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

CREATE FUNCTION modeltrail_v1.unknown_scopes(at timestamptz, clusters text[] DEFAULT NULL,
                                             namespaces text[] DEFAULT NULL,
                                             environments text[] DEFAULT NULL)
    RETURNS TABLE (cluster text, namespace text, kind text, environment text, aspect text,
                   last_observed_at timestamptz, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    WITH asked AS (SELECT coalesce($1, now()) AS instant),
    mapped AS (
        SELECT DISTINCT ON (m.log, m.cluster, m.namespace) m.log, m.cluster, m.namespace, m.environment
        FROM modeltrail.environment_map m, asked
        WHERE m.from_at <= asked.instant
        ORDER BY m.log, m.cluster, m.namespace, m.from_at DESC, m.log_index DESC),
    universe AS (
        SELECT d.log, d.cluster, d.namespace FROM modeltrail.declared_scope d
        UNION
        SELECT m.log, m.cluster, m.namespace FROM mapped m WHERE m.environment IS NOT NULL
        UNION
        -- What still stands open somewhere may hide an answer too.
        SELECT n.log, n.cluster, n.namespace
        FROM modeltrail.known_namespace n
        CROSS JOIN asked
        CROSS JOIN LATERAL (
            SELECT FROM modeltrail.workload w
            CROSS JOIN LATERAL (
                SELECT FROM modeltrail.placement p
                WHERE p.log = w.log AND p.cluster = w.cluster AND p.resource = w.resource
                  AND p.uid = w.uid AND p.valid_from <= asked.instant
                  AND (p.valid_to IS NULL OR p.valid_to > asked.instant)
                LIMIT 1) AS open_one
            WHERE w.log = n.log AND w.cluster = n.cluster AND w.namespace = n.namespace
            -- In the index's order: for any one row the planner would rather walk the table.
            ORDER BY w.uid LIMIT 1) AS inhabited),
    -- A namespace that is named narrows whole-cluster scopes to it.
    narrowed AS (
        SELECT DISTINCT u.log, u.cluster, coalesce(n.name, u.namespace) AS namespace
        FROM universe u
        LEFT JOIN LATERAL unnest($3) AS n (name) ON u.namespace IN ('', n.name)
        WHERE ($2 IS NULL OR u.cluster = ANY ($2)) AND ($3 IS NULL OR n.name IS NOT NULL)),
    -- Under a named environment also the namespaces of whole-cluster scopes count.
    staged AS (
        SELECT s.log, s.cluster, s.namespace, e.environment
        FROM (SELECT narrowed.log, narrowed.cluster, narrowed.namespace FROM narrowed
              UNION
              SELECT n.log, n.cluster, n.namespace FROM modeltrail.known_namespace n
              WHERE $4 IS NOT NULL AND ($2 IS NULL OR n.cluster = ANY ($2))
                AND ($3 IS NULL OR n.namespace = ANY ($3))) AS s
        CROSS JOIN asked
        LEFT JOIN LATERAL modeltrail.environment_at(CASE WHEN $4 IS NOT NULL THEN s.log END, s.cluster,
                                                    s.namespace, asked.instant) e ON true),
    -- A whole cluster without an environment of its own may hold namespaces of any.
    scope AS MATERIALIZED (
        SELECT staged.* FROM staged
        WHERE $4 IS NULL OR staged.environment = ANY ($4)
           OR (staged.environment IS NULL AND staged.namespace = '')),
    claim AS MATERIALIZED (
        SELECT DISTINCT c.log, c.cluster, c.aspect, c.namespace, c.resource
        FROM modeltrail.claimed_scope c),
    -- The kinds to ask about are those that anybody watches in that cluster. A namespace nobody spoke of by
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
              AND c.resource <> '') k ON true),
    -- Live looks without any trouble prove most of it in one pass; only the rest is worked out.
    live AS MATERIALIZED (
        SELECT k.log, k.cluster, k.aspect, k.namespace, k.resource
        FROM modeltrail.look k, asked
        WHERE k.watched_since <= asked.instant
          AND k.through >= asked.instant - interval '3 minutes'
          AND NOT EXISTS (
              SELECT FROM modeltrail.gap g
              WHERE g.log = k.log AND g.cluster = k.cluster AND g.aspect = k.aspect
                AND coalesce(g.to_at, 'infinity') > asked.instant - interval '3 minutes')),
    unproven AS MATERIALIZED (
        SELECT n.* FROM needed n
        WHERE NOT EXISTS (
            SELECT FROM live l
            WHERE l.log = n.log AND l.cluster = n.cluster AND l.aspect = n.aspect
              AND l.namespace IN (n.namespace, '') AND l.resource IN (n.resource, ''))),
    unseen AS MATERIALIZED (
        SELECT u.*, c.reached, lower(c.covered) AS since, (
                   SELECT g.reason
                   FROM modeltrail.gaps_of(u.log, u.cluster, u.seen_as, u.resource, u.aspect) g
                   WHERE coalesce(g.from_at, '-infinity') <= asked.instant
                     AND coalesce(g.to_at, 'infinity') > asked.instant
                   ORDER BY g.from_at DESC NULLS LAST LIMIT 1) AS gap_reason
        FROM (SELECT DISTINCT unproven.log, unproven.cluster, unproven.seen_as, unproven.resource,
                              unproven.aspect
              FROM unproven) u
        CROSS JOIN asked
        CROSS JOIN LATERAL modeltrail.coverage_of(u.log, u.cluster, u.seen_as, u.resource, u.aspect) c
        WHERE NOT modeltrail.is_covered(c.covered, c.lost, asked.instant)),
    unknown AS (
        SELECT n.log, n.cluster, n.namespace, n.aspect, n.resource, u.reached, u.since, u.gap_reason,
               count(*) OVER (PARTITION BY n.log, n.cluster, n.namespace, n.aspect) AS kinds
        FROM unseen u
        JOIN unproven n ON n.log = u.log AND n.cluster = u.cluster AND n.seen_as = u.seen_as
                       AND n.resource = u.resource AND n.aspect = u.aspect),
    -- A scope of which every kind is unknown is one row per reason, without the kind.
    told AS (
        SELECT u.log, u.cluster, u.namespace, u.aspect, r.resource,
               max(u.reached) AS reached, min(u.since) AS since, u.gap_reason
        FROM unknown u
        CROSS JOIN LATERAL (
            SELECT CASE WHEN u.kinds = (
                SELECT count(*) FROM needed n
                WHERE n.log = u.log AND n.cluster = u.cluster AND n.namespace = u.namespace
                  AND n.aspect = u.aspect) THEN '' ELSE u.resource END AS resource) r
        GROUP BY u.log, u.cluster, u.namespace, u.aspect, r.resource, u.gap_reason, u.reached IS NULL)
    SELECT t.cluster, nullif(t.namespace, ''), modeltrail.kind_of(t.log, t.cluster, t.resource),
           e.environment, t.aspect, t.reached,
           coalesce(t.gap_reason,
                    CASE WHEN t.reached IS NULL THEN 'never observed'
                         WHEN t.reached < asked.instant THEN 'not observed since '
                             || to_char(t.reached AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                         WHEN t.since > asked.instant THEN 'not observed before '
                             || to_char(t.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                         ELSE 'not observed at that instant' END)
    FROM told t
    CROSS JOIN asked
    LEFT JOIN LATERAL modeltrail.environment_at(t.log, t.cluster, t.namespace, asked.instant) e ON true
    -- Of a cluster that is unknown as a whole its namespaces need not be told again.
    WHERE NOT EXISTS (
        SELECT FROM told whole
        WHERE t.namespace <> '' AND whole.namespace = '' AND whole.log = t.log
          AND whole.cluster = t.cluster AND whole.aspect = t.aspect
          AND whole.resource IN (t.resource, ''))
    UNION ALL
    SELECT name, NULL, NULL, NULL, a.aspect, NULL, 'cluster never seen'
    FROM unnest($2) AS name, (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe u WHERE u.cluster = name)
    UNION ALL
    SELECT NULL, name, NULL, NULL, a.aspect, NULL, 'namespace never seen'
    FROM unnest($3) AS name, (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe u WHERE u.namespace IN ('', name)
                                               AND ($2 IS NULL OR u.cluster = ANY ($2)))
    UNION ALL
    SELECT NULL, NULL, NULL, name, a.aspect, NULL, 'environment never seen'
    FROM unnest($4) AS name, (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM staged s WHERE s.environment = name)
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, a.aspect, NULL, 'nothing is observed yet'
    FROM (VALUES ('state'), ('actor')) AS a (aspect)
    WHERE NOT EXISTS (SELECT FROM universe) AND $2 IS NULL AND $3 IS NULL AND $4 IS NULL;
END;

COMMENT ON FUNCTION modeltrail_v1.unknown_scopes(timestamptz, text[], text[], text[]) IS
    'The scopes that a "no" rests on and that were not observed at the instant (NULL: now, which a look within three minutes answers): those named by the arguments (NULL: not limited), else every declared, mapped or inhabited one. One row per scope, kind and aspect; NULL namespace or kind = all. No row: a "no" may be said.';

RESET ROLE;

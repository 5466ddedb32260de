-- Which environment a namespace belongs to at an instant (rule 23), and the list of environments.

SET LOCAL ROLE modeltrail_owner;

-- The ladder: named by the central file for the namespace; else for its cluster; else its label; else its
-- own name. What was known first reaches back to the beginning. One row always. Of the files that speak of an
-- instant the newest holds, also when it says `from` an instant at which an older one changed something.
CREATE FUNCTION modeltrail.environment_at(of_log smallint, of_cluster text, of_namespace text,
                                          at timestamptz)
    RETURNS TABLE (environment text, environment_order integer, source text)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 10000 ROWS 1
BEGIN ATOMIC
    SELECT rung.environment, listed.sort_order, rung.source
    FROM (
        SELECT 1 AS step, 'namespace' AS source, (
            SELECT m.environment FROM modeltrail.environment_map m
            WHERE m.log = $1 AND m.cluster = $2 AND m.namespace = $3
            ORDER BY m.from_at <= $4 DESC, CASE WHEN m.from_at <= $4 THEN m.log_index END DESC,
                     m.from_at, m.log_index DESC
            LIMIT 1) AS environment
        UNION ALL
        SELECT 2, 'cluster', (
            SELECT m.environment FROM modeltrail.environment_map m
            WHERE m.log = $1 AND m.cluster = $2 AND m.namespace = ''
            ORDER BY m.from_at <= $4 DESC, CASE WHEN m.from_at <= $4 THEN m.log_index END DESC,
                     m.from_at, m.log_index DESC
            LIMIT 1)
        UNION ALL
        SELECT 3, 'label', (
            SELECT nullif(n.environment, '') FROM modeltrail.namespace_label n
            WHERE n.log = $1 AND n.cluster = $2 AND n.namespace = $3 AND NOT n.removed
            ORDER BY n.at <= $4 DESC, CASE WHEN n.at <= $4 THEN n.position END DESC,
                     n.position, n.log_index DESC
            LIMIT 1)
        UNION ALL
        SELECT 4, 'name', nullif($3, '')) AS rung
    LEFT JOIN modeltrail.environment listed
           ON listed.log = $1 AND listed.name = rung.environment
          AND listed.log_index = (SELECT max(c.log_index) FROM modeltrail.central c WHERE c.log = $1)
    WHERE rung.environment IS NOT NULL
    ORDER BY rung.step LIMIT 1;
END;
GRANT EXECUTE ON FUNCTION modeltrail.environment_at(smallint, text, text, timestamptz)
    TO modeltrail_reader;

-- The same over all time: environments[i] holds from since[i] on, and since[1] is the beginning; the one at an
-- instant is environments[width_bucket(instant, since)]. One row, that a query over many rows of one
-- namespace fetches once, whatever their times.
CREATE FUNCTION modeltrail.environments_of(of_log smallint, of_cluster text, of_namespace text)
    RETURNS TABLE (environments text[], environment_orders integer[], since timestamptz[])
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 10000 ROWS 1
BEGIN ATOMIC
    WITH turn AS (
        SELECT timestamptz '-infinity' AS at
        UNION
        SELECT m.from_at FROM modeltrail.environment_map m
        WHERE m.log = $1 AND m.cluster = $2 AND m.namespace IN ($3, '')
        UNION
        SELECT n.at FROM modeltrail.namespace_label n
        WHERE n.log = $1 AND n.cluster = $2 AND n.namespace = $3)
    SELECT array_agg(e.environment ORDER BY turn.at), array_agg(e.environment_order ORDER BY turn.at),
           array_agg(turn.at ORDER BY turn.at)
    FROM turn LEFT JOIN LATERAL modeltrail.environment_at($1, $2, $3, turn.at) e ON true;
END;
GRANT EXECUTE ON FUNCTION modeltrail.environments_of(smallint, text, text) TO modeltrail_reader;

-- Every namespace that anything was said about. Workloads are many and their namespaces few, so the first
-- part steps through the index.
CREATE VIEW modeltrail.known_namespace AS
WITH RECURSIVE place AS (
    (SELECT log, cluster, namespace FROM modeltrail.workload ORDER BY log, cluster, namespace LIMIT 1)
    UNION ALL
    SELECT further.* FROM place, LATERAL (
        SELECT w.log, w.cluster, w.namespace FROM modeltrail.workload w
        WHERE (w.log, w.cluster, w.namespace) > (place.log, place.cluster, place.namespace)
        ORDER BY w.log, w.cluster, w.namespace LIMIT 1) AS further)
SELECT log, cluster, namespace FROM place WHERE namespace <> ''
UNION
SELECT log, cluster, namespace FROM modeltrail.namespace_label
UNION
SELECT log, cluster, namespace FROM modeltrail.environment_map WHERE namespace <> '';

-- The scopes that the central file maps now, and to what.
CREATE VIEW modeltrail.mapped_scope AS
SELECT DISTINCT ON (log, cluster, namespace) log, cluster, namespace, environment
FROM modeltrail.environment_map
WHERE from_at <= now()
ORDER BY log, cluster, namespace, log_index DESC;

CREATE VIEW modeltrail_v1.environments AS
WITH stage AS (
    SELECT e.name AS environment, e.sort_order AS environment_order, true AS is_declared,
           NULL::text AS cluster, NULL::text AS namespace
    FROM modeltrail.environment e
    WHERE e.log_index = (SELECT max(c.log_index) FROM modeltrail.central c WHERE c.log = e.log)
    UNION ALL
    SELECT m.environment, NULL, NULL, m.cluster, NULL
    FROM modeltrail.mapped_scope m WHERE m.namespace = '' AND m.environment IS NOT NULL
    UNION ALL
    SELECT s.environment, NULL, NULL, n.cluster, n.namespace
    FROM modeltrail.known_namespace n,
         LATERAL (
             SELECT * FROM modeltrail.environment_at(n.log, n.cluster, n.namespace, now()) OFFSET 0) s),
inhabited AS (
    SELECT s.environment, count(*) AS deployments, count(DISTINCT p.model) AS models
    FROM modeltrail.placement p
    JOIN modeltrail.workload w USING (log, cluster, resource, uid)
    CROSS JOIN LATERAL (
        SELECT * FROM modeltrail.environment_at(w.log, w.cluster, w.namespace, now()) OFFSET 0) s
    WHERE p.valid_to IS NULL
    GROUP BY s.environment)
SELECT stage.environment,
       max(stage.environment_order) AS environment_order,
       coalesce(bool_or(stage.is_declared), false) AS is_declared,
       coalesce(array_agg(DISTINCT stage.cluster ORDER BY stage.cluster)
                FILTER (WHERE stage.cluster IS NOT NULL), '{}') AS clusters,
       coalesce(array_agg(DISTINCT concat_ws('/', stage.cluster, stage.namespace))
                FILTER (WHERE stage.cluster IS NOT NULL), '{}') AS scopes,
       coalesce(max(inhabited.models), 0)::integer AS models,
       coalesce(max(inhabited.deployments), 0)::integer AS deployments
FROM stage LEFT JOIN inhabited USING (environment)
GROUP BY stage.environment;

COMMENT ON VIEW modeltrail_v1.environments IS
    'One row per environment: those of the newest central file, and those that labels or names of known namespaces make.';
COMMENT ON COLUMN modeltrail_v1.environments.environment IS 'Its name.';
COMMENT ON COLUMN modeltrail_v1.environments.environment_order IS
    'Place in the promotion order; NULL when the newest central file gives none.';
COMMENT ON COLUMN modeltrail_v1.environments.is_declared IS 'True when the newest central file lists it.';
COMMENT ON COLUMN modeltrail_v1.environments.clusters IS 'Clusters that have a scope in it, sorted.';
COMMENT ON COLUMN modeltrail_v1.environments.scopes IS
    'What belongs to it now: CLUSTER for a whole cluster, CLUSTER/NAMESPACE for each namespace known.';
COMMENT ON COLUMN modeltrail_v1.environments.models IS 'Models with an open deployment in it now.';
COMMENT ON COLUMN modeltrail_v1.environments.deployments IS 'Open deployments in it now.';

RESET ROLE;

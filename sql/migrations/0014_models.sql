-- Summaries by model: what there is, and the matrix of models and environments.

SET LOCAL ROLE modeltrail_owner;

-- Open placements with where they count, without actor and events, which summaries do not need.
CREATE VIEW modeltrail.open_placement AS
SELECT w.log, w.cluster, w.resource, w.uid, p.model, p.version, p.unknown_revision, p.role,
       p.stopped, p.state, p.deployed_at, w.namespace, w.kind, w.name,
       e.environment, e.environment_order
FROM modeltrail.placement p
JOIN modeltrail.workload w ON w.log = p.log AND w.cluster = p.cluster
                          AND w.resource = p.resource AND w.uid = p.uid
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environment_at(w.log, w.cluster, w.namespace, now()) OFFSET 0) e
WHERE p.valid_to IS NULL;

CREATE VIEW modeltrail_v1.models AS
WITH ever AS (
    SELECT model, count(DISTINCT version) AS versions, min(deployed_at) AS first_deployed_at,
           max(deployed_at) AS last_deployed_at,
           max(greatest(valid_from, valid_to)) AS last_changed_at
    FROM modeltrail.placement GROUP BY model),
here AS (
    SELECT model, count(*) AS deployments,
           array_agg(DISTINCT environment ORDER BY environment) AS environments,
           array_agg(DISTINCT cluster ORDER BY cluster) AS clusters
    FROM modeltrail.open_placement GROUP BY model)
SELECT ever.model, ever.versions::integer, coalesce(here.deployments, 0)::integer AS deployments,
       coalesce(here.environments, '{}') AS environments, coalesce(here.clusters, '{}') AS clusters,
       ever.first_deployed_at, ever.last_deployed_at, ever.last_changed_at,
       here.model IS NOT NULL AS is_deployed
FROM ever LEFT JOIN here USING (model);

COMMENT ON VIEW modeltrail_v1.models IS 'One row per model that was ever placed.';
COMMENT ON COLUMN modeltrail_v1.models.model IS 'Its name, by the naming rules.';
COMMENT ON COLUMN modeltrail_v1.models.versions IS 'Versions ever placed; unknown ones are not counted.';
COMMENT ON COLUMN modeltrail_v1.models.deployments IS 'Open deployments now.';
COMMENT ON COLUMN modeltrail_v1.models.environments IS 'Environments it is in now, sorted; empty when in none.';
COMMENT ON COLUMN modeltrail_v1.models.clusters IS 'Clusters it is in now, sorted; empty when in none.';
COMMENT ON COLUMN modeltrail_v1.models.first_deployed_at IS 'When its first version was deployed anywhere.';
COMMENT ON COLUMN modeltrail_v1.models.last_deployed_at IS 'When a version was last deployed anywhere.';
COMMENT ON COLUMN modeltrail_v1.models.last_changed_at IS
    'When one of its placements last began or ended, role and traffic included.';
COMMENT ON COLUMN modeltrail_v1.models.is_deployed IS 'True when it has an open deployment now.';

CREATE VIEW modeltrail_v1.model_versions AS
WITH ever AS (
    SELECT model, version, min(deployed_at) AS first_deployed_at,
           max(deployed_at) AS last_deployed_at, max(valid_to) AS last_ended_at,
           array_agg(DISTINCT artifact ORDER BY artifact) FILTER (WHERE artifact IS NOT NULL)
               AS artifacts,
           array_agg(DISTINCT artifact_digest ORDER BY artifact_digest)
               FILTER (WHERE artifact_digest IS NOT NULL) AS artifact_digests
    FROM modeltrail.placement GROUP BY model, version),
here AS (
    SELECT model, version, count(*) AS deployments,
           array_agg(DISTINCT environment ORDER BY environment) AS environments,
           array_agg(DISTINCT cluster ORDER BY cluster) AS clusters
    FROM modeltrail.open_placement GROUP BY model, version)
SELECT ever.model, ever.version, coalesce(here.deployments, 0)::integer AS deployments,
       coalesce(here.environments, '{}') AS environments, coalesce(here.clusters, '{}') AS clusters,
       ever.first_deployed_at, ever.last_deployed_at,
       CASE WHEN here.model IS NULL THEN ever.last_ended_at END AS removed_at,
       here.model IS NOT NULL AS is_deployed,
       coalesce(ever.artifacts, '{}') AS artifacts,
       coalesce(ever.artifact_digests, '{}') AS artifact_digests
FROM ever
LEFT JOIN here ON here.model = ever.model AND here.version IS NOT DISTINCT FROM ever.version;

COMMENT ON VIEW modeltrail_v1.model_versions IS
    'One row per model and version that was ever placed; version NULL stands for all unknown ones of the model.';
COMMENT ON COLUMN modeltrail_v1.model_versions.model IS 'Model.';
COMMENT ON COLUMN modeltrail_v1.model_versions.version IS 'Version; NULL = unknown.';
COMMENT ON COLUMN modeltrail_v1.model_versions.deployments IS 'Open deployments now.';
COMMENT ON COLUMN modeltrail_v1.model_versions.environments IS 'Environments it is in now, sorted.';
COMMENT ON COLUMN modeltrail_v1.model_versions.clusters IS 'Clusters it is in now, sorted.';
COMMENT ON COLUMN modeltrail_v1.model_versions.first_deployed_at IS 'When it was first deployed anywhere.';
COMMENT ON COLUMN modeltrail_v1.model_versions.last_deployed_at IS 'When it was last deployed anywhere.';
COMMENT ON COLUMN modeltrail_v1.model_versions.removed_at IS
    'When its last deployment ended; NULL while it is deployed.';
COMMENT ON COLUMN modeltrail_v1.model_versions.is_deployed IS 'True when it has an open deployment now.';
COMMENT ON COLUMN modeltrail_v1.model_versions.artifacts IS 'Artifacts it was read from, sorted; empty when unknown.';
COMMENT ON COLUMN modeltrail_v1.model_versions.artifact_digests IS
    'Proven contents, sorted; more than one means that the version is not one thing.';

CREATE VIEW modeltrail_v1.matrix AS
WITH seen AS (
    SELECT p.*, modeltrail.is_fresh(c.covered, c.lost, now()) AS is_fresh
    FROM modeltrail.open_placement p
    CROSS JOIN LATERAL (
        SELECT * FROM modeltrail.coverage_of(p.log, p.cluster, p.namespace, p.resource, 'state')
        OFFSET 0) c),
cell AS (
    SELECT p.model, p.environment, max(p.environment_order) AS environment_order,
           array_agg(DISTINCT coalesce(p.version, 'unknown') ORDER BY coalesce(p.version, 'unknown'))
               AS versions,
           count(DISTINCT (p.log, p.cluster, p.resource, p.uid))::integer AS workloads,
           array_agg(DISTINCT p.cluster ORDER BY p.cluster) AS clusters,
           array_agg(DISTINCT p.cluster ORDER BY p.cluster) FILTER (WHERE NOT p.is_fresh)
               AS stale_clusters,
           bool_and(p.stopped) AS all_stopped,
           count(DISTINCT coalesce(p.version, p.unknown_revision, ''))
               FILTER (WHERE NOT p.stopped AND p.role NOT IN ('canary', 'shadow')
                       AND p.state <> 'lingering') AS live_versions,
           bool_or(p.role = 'canary' AND NOT p.stopped AND p.state <> 'lingering') AS has_canary,
           bool_and(p.stopped OR p.state = 'lingering') AS all_lingering,
           count(*)::integer AS deployments,
           (count(*) FILTER (WHERE p.state = 'serving'))::integer AS serving,
           (count(*) FILTER (WHERE p.state = 'failed'))::integer AS failed,
           (count(*) FILTER (WHERE p.state = 'pending'))::integer AS pending
    FROM seen p
    GROUP BY p.model, p.environment)
SELECT model, environment, environment_order,
       CASE WHEN all_stopped THEN 'stopped'
            WHEN has_canary THEN 'canary'
            WHEN live_versions > 1 THEN 'mixed'
            WHEN live_versions = 1 THEN 'live'
            WHEN all_lingering THEN 'lingering'
            ELSE 'shadow' END AS status,
       versions, workloads, clusters, coalesce(stale_clusters, '{}') AS stale_clusters,
       deployments, serving, failed, pending
FROM cell;

COMMENT ON VIEW modeltrail_v1.matrix IS
    'One row per model and environment that has an open deployment of it now. No row means absent only where coverage is live.';
COMMENT ON COLUMN modeltrail_v1.matrix.model IS 'Model.';
COMMENT ON COLUMN modeltrail_v1.matrix.environment IS 'Environment of the namespaces now.';
COMMENT ON COLUMN modeltrail_v1.matrix.environment_order IS
    'Its place in the promotion order; NULL when the newest central file gives none.';
COMMENT ON COLUMN modeltrail_v1.matrix.status IS
    'live (one version), mixed (several at once), canary (one is being tried), shadow (only copies of traffic), lingering (asked away, only answering still), stopped (all of it). Readiness is in serving, pending and failed.';
COMMENT ON COLUMN modeltrail_v1.matrix.versions IS 'All versions, canaries and shadows included, sorted; "unknown" for unknown ones.';
COMMENT ON COLUMN modeltrail_v1.matrix.workloads IS 'Workloads that hold them.';
COMMENT ON COLUMN modeltrail_v1.matrix.clusters IS 'Clusters they are in, sorted.';
COMMENT ON COLUMN modeltrail_v1.matrix.stale_clusters IS
    'Those of the clusters whose part of this row has not been looked at for three minutes; empty when none.';
COMMENT ON COLUMN modeltrail_v1.matrix.deployments IS 'Open deployments.';
COMMENT ON COLUMN modeltrail_v1.matrix.serving IS 'Open deployments with state serving.';
COMMENT ON COLUMN modeltrail_v1.matrix.failed IS 'Open deployments with state failed.';
COMMENT ON COLUMN modeltrail_v1.matrix.pending IS 'Open deployments with state pending: asked for, never seen ready.';

RESET ROLE;

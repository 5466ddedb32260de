-- Shares of traffic: what routing objects send where, and both together over time.

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail_v1.routes AS
SELECT w.cluster, w.namespace, w.kind || '/' || w.name AS route, r.target, r.role, r.percent,
       r.valid_from, r.valid_to,
       r.target_kind, r.target_kind || '/' || r.target AS target_workload,
       w.uid::text AS route_uid, e.environments[width_bucket(r.valid_from, e.since)] AS environment,
       recorded.recorded_at, revised.recorded_at AS revised_at
FROM modeltrail.route r
JOIN modeltrail.workload w ON w.log = r.log AND w.cluster = r.cluster
                          AND w.resource = r.resource AND w.uid = r.uid
LEFT JOIN modeltrail.event recorded ON recorded.log = r.log AND recorded.log_index = r.recorded_index
LEFT JOIN modeltrail.event revised ON revised.log = r.log AND revised.log_index = r.revised_index
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(w.log, w.cluster, w.namespace) OFFSET 0) e;

COMMENT ON VIEW modeltrail_v1.routes IS
    'One row per interval in which a routing object (Experiment, splitter) sent one share in one role to one target. It says nothing about what the target serves.';
COMMENT ON COLUMN modeltrail_v1.routes.cluster IS 'Cluster.';
COMMENT ON COLUMN modeltrail_v1.routes.namespace IS 'Namespace of the routing object and of its target.';
COMMENT ON COLUMN modeltrail_v1.routes.route IS 'The routing object, Kind/name.';
COMMENT ON COLUMN modeltrail_v1.routes.target IS 'Name of the object that gets the traffic.';
COMMENT ON COLUMN modeltrail_v1.routes.role IS 'candidate, mirror or step.';
COMMENT ON COLUMN modeltrail_v1.routes.percent IS 'Share in percent; NULL when the object gives none.';
COMMENT ON COLUMN modeltrail_v1.routes.valid_from IS 'Begin of the interval (inclusive).';
COMMENT ON COLUMN modeltrail_v1.routes.valid_to IS 'End of the interval (exclusive); NULL = open.';
COMMENT ON COLUMN modeltrail_v1.routes.target_kind IS 'Kind of the target.';
COMMENT ON COLUMN modeltrail_v1.routes.target_workload IS 'The target as deployments.workload spells it.';
COMMENT ON COLUMN modeltrail_v1.routes.route_uid IS 'uid of the routing object.';
COMMENT ON COLUMN modeltrail_v1.routes.environment IS 'Environment of the namespace at valid_from.';
COMMENT ON COLUMN modeltrail_v1.routes.recorded_at IS
    'When the log first knew the row; NULL when that part of the log is gone.';
COMMENT ON COLUMN modeltrail_v1.routes.revised_at IS
    'Log time of the newest fact behind the row: the watermark for incremental loads.';

CREATE VIEW modeltrail_v1.traffic_history AS
WITH placed AS (
    SELECT w.log, w.cluster, w.namespace, w.kind, w.name, p.placement_id, p.model, p.version,
           p.component, p.role, p.traffic_percent, p.valid_from, p.valid_to
    FROM modeltrail.placement p
    JOIN modeltrail.workload w ON w.log = p.log AND w.cluster = p.cluster
                              AND w.resource = p.resource AND w.uid = p.uid),
share AS (
    SELECT p.log, p.placement_id, p.model, p.version, p.cluster, p.namespace, p.kind, p.name,
           p.component, NULL::text AS route, p.role, p.traffic_percent, p.valid_from, p.valid_to
    FROM placed p
    UNION ALL
    SELECT p.log, p.placement_id, p.model, p.version, p.cluster, p.namespace, p.kind, p.name,
           p.component, w.kind || '/' || w.name, r.role, r.percent,
           greatest(r.valid_from, p.valid_from), least(r.valid_to, p.valid_to)
    FROM modeltrail.route r
    JOIN modeltrail.workload w USING (log, cluster, resource, uid)
    JOIN placed p ON p.log = r.log AND p.cluster = r.cluster AND p.namespace = w.namespace
                 AND p.kind = r.target_kind AND p.name = r.target
                 AND p.valid_from < coalesce(r.valid_to, 'infinity')
                 AND r.valid_from < coalesce(p.valid_to, 'infinity')
    WHERE p.role NOT IN ('explainer', 'transformer'))
SELECT s.placement_id AS deployment_id, s.model, s.version,
       e.environments[width_bucket(s.valid_from, e.since)] AS environment, s.cluster, s.namespace,
       s.kind || '/' || s.name AS workload, s.component, s.route, s.role, s.traffic_percent,
       s.valid_from, s.valid_to
FROM share s
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(s.log, s.cluster, s.namespace) OFFSET 0) e;

COMMENT ON VIEW modeltrail_v1.traffic_history IS
    'One row per interval of constant role and share of a deployment: by its own spec (route NULL), and one for each route that leads to its workload meanwhile. Shares of different routes are not added up.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.deployment_id IS 'Key into deployment_history.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.model IS 'Model.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.version IS 'Version; NULL = unknown.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.environment IS 'Environment of the namespace at valid_from.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.cluster IS 'Cluster.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.namespace IS 'Namespace.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.workload IS 'The workload that serves, Kind/name.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.component IS 'Its component.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.route IS
    'The routing object, Kind/name; NULL = the workload''s own spec.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.role IS
    'By its own spec: live, canary, shadow, explainer, transformer; by a route: candidate, mirror, step.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.traffic_percent IS
    'Share in percent; NULL when neither kind nor object gives one.';
COMMENT ON COLUMN modeltrail_v1.traffic_history.valid_from IS 'Begin of the interval (inclusive).';
COMMENT ON COLUMN modeltrail_v1.traffic_history.valid_to IS 'End of the interval (exclusive); NULL = open.';

RESET ROLE;

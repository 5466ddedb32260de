-- What served in production at an instant?
SELECT model, version, cluster, workload, deployed_by
FROM modeltrail_v1.deployments_at('2026-11-23 03:49:10+00')
WHERE environment = 'prod' AND role IN ('live', 'canary')
ORDER BY model, cluster;

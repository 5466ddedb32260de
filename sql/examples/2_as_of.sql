-- What served in production at an instant?
SELECT model, version, cluster, workload, deployed_by
FROM modeltrail_v1.deployments_at('2026-03-02 11:30:00+00')
WHERE environment = 'prod' AND role IN ('live', 'canary')
ORDER BY model, cluster;

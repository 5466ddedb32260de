-- Where does a model live, since when, who put it there, and how do we know?
SELECT environment, cluster, namespace, workload, version, role, traffic_percent, deployed_at, deployed_by,
       attribution, observation
FROM modeltrail_v1.deployments
WHERE model = 'fraud-scorer'
ORDER BY environment_order, cluster, namespace, workload;

-- Load what is new or was revised since the last load, as dbt and others do; keep max(revised_at) as the next mark.
SELECT deployment_id, model, version, environment, valid_from, valid_to, revised_at
FROM modeltrail_v1.deployment_history
WHERE revised_at > '2026-11-23 03:49:00+00'
ORDER BY revised_at, deployment_id;

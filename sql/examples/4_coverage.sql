-- May a "no" be believed? What was not observed at an instant, and why.
SELECT cluster, namespace, kind, aspect, last_observed_at, reason
FROM modeltrail_v1.unknown_scopes('2026-11-23 03:40:00+00')
ORDER BY cluster, namespace, aspect;

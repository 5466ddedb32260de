-- How often is each model changed, by whom, and how many of the changes can nobody account for?
SELECT model, date_trunc('month', happened_at) AS month, count(*) AS changes,
       count(*) FILTER (WHERE change_type = 'rolled_back') AS rolled_back,
       count(DISTINCT deployed_by) AS people,
       count(*) FILTER (WHERE attribution = 'missing') AS alarms
FROM modeltrail_v1.changes
GROUP BY model, month
ORDER BY month, model;

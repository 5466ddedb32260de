-- The fleet: clusters, collectors, and the store's own health.

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail_v1.collectors AS
WITH claim AS (
    SELECT collector, cluster FROM modeltrail.claimed_scope
    UNION ALL
    SELECT collector, cluster FROM modeltrail.allowed),
home AS (
    SELECT collector, min(cluster) AS cluster FROM claim WHERE collector IS NOT NULL GROUP BY collector)
SELECT s.collector, s.epoch, s.seq, s.seen_at, s.program,
       s.is_live, home.cluster, gap.gaps, waste.quarantined,
       EXISTS (SELECT FROM modeltrail.allowed a WHERE a.collector = s.collector) AS is_allowed,
       s.why AS trouble,
       CASE WHEN s.refused_kind = 'fork' THEN s.refused_since END AS fork_since,
       s.refused_since, s.refused_reason,
       gap.recent_gaps, waste.recent_quarantined, s.clock_skew
FROM modeltrail.standing s
LEFT JOIN home USING (collector)
-- Open ones are recent however old they are. A gap is told when it begins and again when it ends.
CROSS JOIN LATERAL (
    SELECT count(DISTINCT newest.log_index)::integer AS gaps,
           (count(DISTINCT newest.log_index) FILTER (WHERE newest.is_last AND (
               newest.to_at >= now() - interval '1 day'
               OR (newest.to_at IS NULL AND NOT EXISTS (
                   SELECT FROM modeltrail.sessions_of(newest.log, newest.cluster, newest.namespace,
                                                      newest.resource, newest.aspect) back
                   WHERE coalesce(back.collector, s.collector) = s.collector
                     AND back.since > newest.from_at
                     AND back.since < now() - interval '1 day')))))::integer AS recent_gaps
    FROM (SELECT g.*, g.log_index = max(g.log_index) OVER (
                     PARTITION BY g.log, g.cluster, g.aspect, g.namespace, g.resource, coalesce(g.told_from, g.from_at)) AS is_last
          FROM modeltrail.gap g WHERE g.collector = s.collector) AS newest) AS gap
CROSS JOIN LATERAL (
    SELECT count(*)::integer AS quarantined,
           (count(*) FILTER (WHERE e.recorded_at >= now() - interval '1 day'))::integer AS recent_quarantined
    FROM modeltrail.event e
    WHERE e.collector = s.collector AND e.quarantined IS NOT NULL) AS waste;

COMMENT ON VIEW modeltrail_v1.collectors IS
    'One row per collector that ever spoke or that the newest allow-list names; the times are those of its newest epoch.';
COMMENT ON COLUMN modeltrail_v1.collectors.collector IS 'Its name.';
COMMENT ON COLUMN modeltrail_v1.collectors.epoch IS 'Birth of its spool, Unix milliseconds; NULL = it never spoke.';
COMMENT ON COLUMN modeltrail_v1.collectors.seq IS 'Events committed of this epoch; NULL = it never spoke.';
COMMENT ON COLUMN modeltrail_v1.collectors.seen_at IS 'When it last spoke; NULL = never.';
COMMENT ON COLUMN modeltrail_v1.collectors.program IS 'Its program version; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.collectors.is_live IS 'True when it spoke within three minutes, and not of its end.';
COMMENT ON COLUMN modeltrail_v1.collectors.cluster IS 'Cluster it speaks for; NULL when it has claimed none and is not allowed any.';
COMMENT ON COLUMN modeltrail_v1.collectors.gaps IS 'Gaps it reported, of all epochs.';
COMMENT ON COLUMN modeltrail_v1.collectors.quarantined IS 'Events of it that could not be used, of all epochs.';
COMMENT ON COLUMN modeltrail_v1.collectors.is_allowed IS 'True when the newest allow-list names it.';
COMMENT ON COLUMN modeltrail_v1.collectors.trouble IS
    'Why nothing is heard of it, or what it says is wrong: stopped, silent, refused, not in the allow-list, no store runs, a source that waits; NULL while all is well.';
COMMENT ON COLUMN modeltrail_v1.collectors.fork_since IS
    'Since when a spool of this name is refused as a fork; NULL when none was within three minutes, and the collector was heard since.';
COMMENT ON COLUMN modeltrail_v1.collectors.refused_since IS
    'The same for every refusal: a fork, a wrong name, another wire version.';
COMMENT ON COLUMN modeltrail_v1.collectors.refused_reason IS 'What the store said when it refused; NULL with refused_since.';
COMMENT ON COLUMN modeltrail_v1.collectors.recent_gaps IS 'Gaps of it that are open, or ended within a day.';
COMMENT ON COLUMN modeltrail_v1.collectors.recent_quarantined IS
    'Events of it that could not be used, recorded within a day.';
COMMENT ON COLUMN modeltrail_v1.collectors.clock_skew IS
    'Its clock less the database''s when it last told, positive when it is fast; the way of the message counts as slow. NULL = not told.';

CREATE VIEW modeltrail_v1.clusters AS
WITH scope AS (
    SELECT s.cluster, s.aspect, modeltrail.is_fresh(c.covered, c.lost, now()) AS is_fresh,
           nullif(lower(c.covered), '-infinity') AS since, c.reached
    FROM (SELECT DISTINCT log, cluster, aspect, namespace, resource FROM modeltrail.claimed_scope) s
    CROSS JOIN LATERAL (
        SELECT * FROM modeltrail.coverage_of(s.log, s.cluster, s.namespace, s.resource, s.aspect) OFFSET 0) c),
watched AS (
    SELECT cluster, bool_and(is_fresh) FILTER (WHERE aspect = 'state') AS is_live,
           bool_and(is_fresh) FILTER (WHERE aspect = 'actor') AS is_actor_live,
           min(since) FILTER (WHERE aspect = 'state') AS first_observed_at,
           max(reached) FILTER (WHERE aspect = 'state') AS last_observed_at,
           max(reached) FILTER (WHERE aspect = 'actor') AS actor_observed_at
    FROM scope GROUP BY cluster),
housed AS (
    SELECT cluster, count(*) AS namespaces FROM modeltrail.known_namespace GROUP BY cluster),
placed AS (
    SELECT cluster, count(DISTINCT (log, resource, uid)) AS workloads, count(*) AS deployments
    FROM modeltrail.placement WHERE valid_to IS NULL GROUP BY cluster),
speaker AS (
    SELECT cluster, array_agg(DISTINCT collector ORDER BY collector) AS collectors
    FROM (SELECT cluster, collector FROM modeltrail.claimed_scope WHERE collector IS NOT NULL
          UNION SELECT cluster, collector FROM modeltrail.allowed) AS s
    GROUP BY cluster),
skewed AS (
    SELECT DISTINCT ON (cluster) cluster, clock_skew
    FROM modeltrail_v1.collectors WHERE is_live AND clock_skew IS NOT NULL
    ORDER BY cluster, greatest(clock_skew, -clock_skew) DESC),
named AS (
    SELECT cluster FROM watched UNION SELECT cluster FROM housed UNION SELECT cluster FROM speaker
    UNION SELECT cluster FROM modeltrail.environment_map)
SELECT named.cluster, coalesce(speaker.collectors, '{}') AS collectors,
       coalesce(housed.namespaces, 0)::integer AS namespaces,
       coalesce(placed.workloads, 0)::integer AS workloads,
       coalesce(placed.deployments, 0)::integer AS deployments,
       coalesce(watched.is_live, false) AS is_live,
       coalesce(watched.is_actor_live, false) AS is_actor_live,
       watched.first_observed_at, watched.last_observed_at, watched.actor_observed_at,
       skewed.clock_skew
FROM named
LEFT JOIN speaker USING (cluster)
LEFT JOIN housed USING (cluster)
LEFT JOIN placed USING (cluster)
LEFT JOIN watched USING (cluster)
LEFT JOIN skewed USING (cluster);

COMMENT ON VIEW modeltrail_v1.clusters IS
    'One row per cluster that a collector, the allow-list or the central file names.';
COMMENT ON COLUMN modeltrail_v1.clusters.cluster IS 'Its name.';
COMMENT ON COLUMN modeltrail_v1.clusters.collectors IS 'Collectors that speak or may speak for it, sorted.';
COMMENT ON COLUMN modeltrail_v1.clusters.namespaces IS 'Namespaces known.';
COMMENT ON COLUMN modeltrail_v1.clusters.workloads IS 'Workloads with an open deployment.';
COMMENT ON COLUMN modeltrail_v1.clusters.deployments IS 'Open deployments.';
COMMENT ON COLUMN modeltrail_v1.clusters.is_live IS
    'True when every state scope claimed in it was looked at within three minutes.';
COMMENT ON COLUMN modeltrail_v1.clusters.is_actor_live IS
    'The same for who did it; false too when no who-source speaks for it.';
COMMENT ON COLUMN modeltrail_v1.clusters.first_observed_at IS 'Begin of the first state coverage; NULL = never observed.';
COMMENT ON COLUMN modeltrail_v1.clusters.last_observed_at IS 'Newest look at the state of any part of it; NULL = never.';
COMMENT ON COLUMN modeltrail_v1.clusters.actor_observed_at IS 'How far the newest who-source has read; NULL = there is none.';
COMMENT ON COLUMN modeltrail_v1.clusters.clock_skew IS
    'The largest clock_skew of its live collectors, by absolute value; NULL when none told.';

CREATE VIEW modeltrail_v1.status AS
SELECT (SELECT max(a.version) FROM modeltrail_migration.applied a) AS schema_version,
       (SELECT coalesce(sum(head.log_index), 0)::bigint
        FROM modeltrail.writer_lock l
        CROSS JOIN LATERAL (SELECT max(e.log_index) AS log_index FROM modeltrail.event e
                            WHERE e.log = l.log) AS head) AS events,
       newest.recorded_at AS last_recorded_at,
       newest.occurred_at AS last_occurred_at,
       (SELECT count(*) FROM modeltrail.event e WHERE e.quarantined IS NOT NULL) AS quarantined,
       fleet.collectors, fleet.live_collectors,
       extract(epoch FROM now() - fleet.oldest_seen_at)::bigint AS lag_seconds,
       now() AS asked_at,
       (SELECT string_agg(t.store || ': ' || t.trouble || ' (since ' || modeltrail.instant_text(t.since) || ')', '; ' ORDER BY t.store)
        FROM modeltrail.store_trouble t WHERE modeltrail.is_live(t.told_at)) AS store_trouble
FROM (SELECT count(*)::integer AS collectors,
             (count(*) FILTER (WHERE c.is_live))::integer AS live_collectors,
             min(c.seen_at) FILTER (WHERE c.is_allowed OR c.is_live) AS oldest_seen_at
      FROM modeltrail_v1.collectors c) AS fleet
LEFT JOIN LATERAL (
    SELECT e.recorded_at, e.occurred_at
    FROM modeltrail.writer_lock l
    CROSS JOIN LATERAL (SELECT * FROM modeltrail.event e WHERE e.log = l.log
                        ORDER BY e.log_index DESC LIMIT 1) AS e
    ORDER BY e.recorded_at DESC LIMIT 1) AS newest ON true;

COMMENT ON VIEW modeltrail_v1.status IS 'One row: the health of the store.';
COMMENT ON COLUMN modeltrail_v1.status.schema_version IS 'Number of the newest migration; NULL when they were run by hand.';
COMMENT ON COLUMN modeltrail_v1.status.events IS 'Events ever committed.';
COMMENT ON COLUMN modeltrail_v1.status.last_recorded_at IS 'When the newest event was committed; NULL = none yet.';
COMMENT ON COLUMN modeltrail_v1.status.last_occurred_at IS 'When the newest event happened, as its source says.';
COMMENT ON COLUMN modeltrail_v1.status.quarantined IS 'Events that could not be used.';
COMMENT ON COLUMN modeltrail_v1.status.collectors IS 'Collectors known or allowed.';
COMMENT ON COLUMN modeltrail_v1.status.live_collectors IS 'Those that spoke within three minutes.';
COMMENT ON COLUMN modeltrail_v1.status.lag_seconds IS
    'Seconds since the most silent collector that is allowed (or live) last spoke; NULL when none ever did.';
COMMENT ON COLUMN modeltrail_v1.status.asked_at IS 'The database''s clock: instants in these views compare to it.';
COMMENT ON COLUMN modeltrail_v1.status.store_trouble IS
    'What a person must mend at a store, such as a configuration that could not be read again, and since when; NULL while all is well.';

RESET ROLE;

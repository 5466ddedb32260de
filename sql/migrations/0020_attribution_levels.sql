-- How far "who did it" can be proven in each cluster, read off what was told of late and not off any configuration
-- (docs/attribution.md), and what would carry it further.

SET LOCAL ROLE modeltrail_owner;

-- Requests come about in the order of their times: a few pages tell where the last month begins.
CREATE INDEX request_time ON modeltrail.request USING brin (at);

-- The levels of docs/attribution.md, best first. `evidence` is what a request must show to be of it.
CREATE VIEW modeltrail.attribution_rung AS
SELECT * FROM (VALUES
    (1, 'answers', 'audit log with answers: exact by resourceVersion', NULL),
    (2, 'policy', 'audit log with the attribution policy: exact by uid and generation',
     'to join changes of labels exactly too, write these kinds to the audit log at level RequestResponse, where its policy is yours (docs/attribution.md, table of levels)'),
    (3, 'admission', 'admission webhook: exact by uid and generation',
     'to see refusals and answers too, add source audit_log, or audit_webhook with deploy/kubernetes/audit-webhook.yaml (docs/attribution.md, Webhooks)'),
    (4, 'name_and_time', 'audit log without the attribution policy: unique or ambiguous, by name and time',
     'kubectl apply -f deploy/kubernetes/attribution-policy.yaml (docs/attribution.md, The attribution policy)'),
    (5, 'watch', 'the watch alone: nobody is named',
     'add source audit_log (docs/attribution.md, Managed clusters), or admission with deploy/kubernetes/admission-webhook.yaml (docs/attribution.md, Webhooks)'),
    (6, 'unknown', 'not known yet: a who-source is read, and has told no accepted write of the last 30 days',
     'change an object, or wait for a change; before, see that deploy/kubernetes/attribution-policy.yaml is applied (docs/attribution.md, The attribution policy)'))
    AS rung (rank, level, meaning, next_step);

-- What each accepted write of the last 30 days shows of how it can be joined; NULL: this one does not tell.
-- Below RequestResponse only the policy's annotations tell a generation, or the uid of what was made or patched. An
-- update may have sent the uid itself, so without a generation it tells nothing. The policy speaks of model kinds
-- alone, so the objects of GitOps tools are left out.
CREATE VIEW modeltrail.joinable_write AS
SELECT r.log, r.cluster, coalesce(r.namespace, '') AS namespace, r.resource, r.at,
       CASE WHEN r.evidence = 'admission' THEN 'admission'
            WHEN r.position IS NOT NULL OR r.removes THEN 'answers'
            WHEN r.level = 'RequestResponse' OR r.verb NOT IN ('create', 'update', 'patch') THEN NULL
            WHEN r.generation IS NOT NULL OR r.uid IS NOT NULL AND r.verb <> 'update' THEN 'policy'
            WHEN r.uid IS NULL THEN 'name_and_time' END AS shows
FROM modeltrail.request r
WHERE r.at >= now() - interval '30 days' AND NOT r.dry_run AND coalesce(r.subresource, '') = ''
  AND r.verb IN ('create', 'update', 'patch', 'delete') AND r.resource <> 'namespaces'
  AND r.resource NOT LIKE '%.argoproj.io' AND r.resource NOT LIKE '%.fluxcd.io'
  AND (r.code < 300 OR r.code IS NULL AND r.evidence = 'admission');

-- The changes of the last 30 days with their word, as view changes has it, and the coverage that made it.
CREATE VIEW modeltrail.worded_change AS
SELECT c.log, c.cluster, w.namespace, c.resource, c.uid, c.position, c.happened_at, actor.reached,
       modeltrail.attribution_word(k.strength, c.happened_at, c.happened_after, c.time_source,
                                   actor.covered, actor.lost) AS word
FROM modeltrail.change c
JOIN modeltrail.workload w ON w.log = c.log AND w.cluster = c.cluster
                          AND w.resource = c.resource AND w.uid = c.uid
LEFT JOIN LATERAL (
    SELECT a.strength FROM modeltrail.attribution a
    WHERE a.log = c.log AND a.cluster = c.cluster AND a.resource = c.resource AND a.uid = c.uid
      AND a.position = c.position AND a.strength <> 'executed' LIMIT 1) k ON true
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(CASE WHEN k.strength IS NULL THEN w.log END,
                                         w.cluster, w.namespace, w.resource, 'actor')
    OFFSET 0) actor ON true
WHERE c.happened_at >= now() - interval '30 days';

-- The level of each namespace and kind that was written or changed: what the newest write of the audit log shows, or
-- the reviews where that shows less. A review has its collector's clock, and an audit log that told nothing for a day
-- of reviews is no longer read. `fell` says what was proven before and is not now.
CREATE VIEW modeltrail.attribution_scope AS
WITH shown AS (
    SELECT log, cluster, namespace, resource, max(at) AS last_write_at,
           max(at) FILTER (WHERE shows = 'answers') AS answered_at,
           max(at) FILTER (WHERE shows = 'policy') AS annotated_at,
           max(at) FILTER (WHERE shows = 'name_and_time') AS bare_at,
           max(at) FILTER (WHERE shows = 'admission') AS reviewed_at
    FROM modeltrail.joinable_write WHERE shows IS NOT NULL
    GROUP BY log, cluster, namespace, resource),
placed AS (
    SELECT shown.*, audit.told_at,
           CASE WHEN audit.told_at IS NULL OR audit.told_at < reviewed_at - interval '1 day' THEN 'admission'
                WHEN answered_at = audit.told_at THEN 'answers'
                WHEN annotated_at = audit.told_at THEN 'policy'
                WHEN reviewed_at >= audit.told_at - interval '1 minute' THEN 'admission'
                ELSE 'name_and_time' END AS level
    FROM shown CROSS JOIN LATERAL (
        SELECT greatest(answered_at, annotated_at, bare_at) AS told_at) audit),
named AS (
    SELECT changed.*, max(happened_at) FILTER (WHERE word IN ('exact', 'unique')) OVER (
               PARTITION BY log, cluster, namespace, resource) AS named_at
    FROM modeltrail.worded_change changed),
worded AS (
    SELECT log, cluster, namespace, resource, max(reached) AS reached, max(named_at) AS named_at,
           count(*) AS changes, count(*) FILTER (WHERE word = 'exact') AS exact_changes,
           count(*) FILTER (WHERE word = 'unique') AS unique_changes,
           count(*) FILTER (WHERE word = 'ambiguous') AS ambiguous_changes,
           count(*) FILTER (WHERE word = 'missing') AS missing_changes,
           count(*) FILTER (WHERE word = 'pending') AS pending_changes,
           count(*) FILTER (WHERE word = 'not_collected') AS not_collected_changes,
           -- A source may be a day behind, and of a moment's hole nothing follows for the next change.
           count(DISTINCT (uid, position)) FILTER (WHERE happened_at > named_at AND (
               word IN ('missing', 'not_collected')
               OR word = 'pending' AND happened_at < now() - interval '1 day')) AS unnamed
    FROM named GROUP BY log, cluster, namespace, resource)
SELECT log, cluster, namespace, resource, p.last_write_at, w.reached,
       coalesce(p.level, CASE WHEN w.reached >= now() - interval '30 days' THEN 'unknown' ELSE 'watch' END) AS level,
       CASE WHEN p.level = 'name_and_time' AND coalesce(p.answered_at, p.annotated_at, p.reviewed_at) IS NOT NULL
            THEN CASE WHEN p.annotated_at IS NOT NULL THEN 'the policy was there until ' || modeltrail.instant_text(p.annotated_at)
                      WHEN p.answered_at IS NOT NULL THEN 'answers were told until ' || modeltrail.instant_text(p.answered_at)
                      ELSE 'reviews came until ' || modeltrail.instant_text(p.reviewed_at) END
            WHEN w.unnamed > 1
            THEN w.unnamed || ' changes since ' || modeltrail.instant_text(w.named_at) || ' are nobody''s' END AS fell,
       w.changes, w.exact_changes, w.unique_changes, w.ambiguous_changes, w.missing_changes,
       w.pending_changes, w.not_collected_changes
FROM placed p
FULL JOIN worded w USING (log, cluster, namespace, resource);

-- A cluster is as good as the weakest of its scopes that are known; which differ is said.
CREATE VIEW modeltrail_v1.attribution_levels AS
WITH scope AS (
    SELECT s.*, r.rank, modeltrail.kind_of(s.log, s.cluster, s.resource)
               || coalesce(' in ' || nullif(s.namespace, ''), '') AS name
    FROM modeltrail.attribution_scope s JOIN modeltrail.attribution_rung r USING (level)),
summed AS (
    SELECT cluster, coalesce(max(rank) FILTER (WHERE level <> 'unknown'), 6) AS rank,
           count(DISTINCT level) FILTER (WHERE level <> 'unknown') > 1 AS is_mixed, max(last_write_at) AS last_write_at,
           array_agg(name || ': ' || fell ORDER BY name) FILTER (WHERE fell IS NOT NULL) AS fell,
           sum(changes) AS changes, sum(exact_changes) AS exact_changes, sum(unique_changes) AS unique_changes,
           sum(ambiguous_changes) AS ambiguous_changes, sum(missing_changes) AS missing_changes,
           sum(pending_changes) AS pending_changes, sum(not_collected_changes) AS not_collected_changes
    FROM scope GROUP BY cluster),
-- At most three names each: it is a page for people.
part AS (
    SELECT cluster, rank, level || ': ' || array_to_string((array_agg(name ORDER BY name))[:3], ', ')
               || CASE WHEN count(*) > 3 THEN ' and ' || count(*) - 3 || ' more' ELSE '' END AS words
    FROM scope WHERE level <> 'unknown' GROUP BY cluster, rank, level)
SELECT k.cluster, r.level, r.meaning, r.next_step, k.is_actor_live AS is_live, s.last_write_at,
       CASE WHEN s.is_mixed THEN (SELECT array_agg(p.words ORDER BY p.rank) FROM part p WHERE p.cluster = k.cluster)
            ELSE '{}' END AS parts,
       coalesce(s.fell, '{}') AS fell,
       coalesce(s.changes, 0)::integer AS changes, coalesce(s.exact_changes, 0)::integer AS exact_changes,
       coalesce(s.unique_changes, 0)::integer AS unique_changes,
       coalesce(s.ambiguous_changes, 0)::integer AS ambiguous_changes,
       coalesce(s.missing_changes, 0)::integer AS missing_changes,
       coalesce(s.pending_changes, 0)::integer AS pending_changes,
       coalesce(s.not_collected_changes, 0)::integer AS not_collected_changes
FROM modeltrail_v1.clusters k
LEFT JOIN summed s USING (cluster)
LEFT JOIN modeltrail.attribution_rung r
       ON r.rank = coalesce(s.rank, CASE WHEN k.actor_observed_at >= now() - interval '30 days' THEN 6
                                         WHEN k.last_observed_at IS NOT NULL THEN 5 END);

COMMENT ON VIEW modeltrail_v1.attribution_levels IS
    'One row per cluster: how who did it can be proven there, by what the requests of the last 30 days show, the next step up, and what became of the changes of that time.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.cluster IS 'Cluster.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.level IS
    'answers, policy, admission, name_and_time, watch, best first, of the weakest namespace and kind; unknown: a who-source is read and has told no accepted write; NULL: nothing was ever observed.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.meaning IS 'The same in words; NULL with level.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.next_step IS
    'What leads one step up, with the file or setting and the part of docs/attribution.md; NULL at the highest, and with level.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.is_live IS 'As is_actor_live of clusters.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.last_write_at IS
    'When the newest accepted write that shows a level was received; NULL = none in 30 days.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.parts IS
    'Where namespaces or kinds differ: each level with whom it is of, best first; else empty.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.fell IS
    'Scopes of which less is proven than before, and since when: a policy that was removed, reviews that stopped, changes that are nobody''s behind those that were somebody''s.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.changes IS 'Changes of the last 30 days, as in view changes.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.exact_changes IS 'Those with attribution exact.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.unique_changes IS 'unique.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.ambiguous_changes IS 'ambiguous.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.missing_changes IS 'missing: an alarm.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.pending_changes IS 'pending.';
COMMENT ON COLUMN modeltrail_v1.attribution_levels.not_collected_changes IS 'not_collected.';

GRANT EXECUTE ON FUNCTION modeltrail.repository_key(text) TO modeltrail_reader;

-- Where the chain to a person ends for want of a line of configuration. A service account that writes what says that
-- it is an application's may still be somebody's script: so it is a hint. Label app.kubernetes.io/instance is set by
-- others than Argo CD too, and no hint.
CREATE VIEW modeltrail_v1.attribution_hints AS
WITH applied AS (
    SELECT DISTINCT r.log, r.cluster, r.principal, origin.tool, origin.application
    FROM modeltrail.request r
    JOIN modeltrail.attribution a ON a.log = r.log AND a.request_index = r.log_index
                                 AND a.strength IN ('exact', 'unique')
    JOIN modeltrail.state s ON s.log = a.log AND s.uid = a.uid AND s.cluster = a.cluster
                           AND s.resource = a.resource AND s.position = a.position
    CROSS JOIN LATERAL (
        SELECT s.origin->'gitops'->>'tool' AS tool, s.origin->'gitops'->>'application' AS application,
               s.origin->'gitops'->>'evidence' AS evidence) origin
    WHERE r.at >= now() - interval '30 days' AND r.principal LIKE 'system:serviceaccount:%'
      AND origin.tool IS NOT NULL AND origin.evidence <> 'instance_label'
      -- An autoscaler writes them too, and a person through Argo CD's own server: whoever maps those blames authors.
      AND s.origin->'manager'->>'name' IN ('argocd-controller', 'argocd-application-controller',
                                           'kustomize-controller', 'helm-controller')),
service AS (
    SELECT applied.* FROM applied
    CROSS JOIN LATERAL modeltrail.persons_of(applied.log, applied.principal) p
    WHERE p.kinds[width_bucket(now(), p.since)] = 'service'),
-- The newest word of each application; what it was before it moved is no hint.
source AS (
    SELECT g.log, g.cluster, g.kind || '/' || coalesce(nullif(g.namespace, '') || '/', '') || g.name AS application, g.url
    FROM (SELECT s.*, max(s.log_index) OVER (
                     PARTITION BY s.log, s.cluster, s.resource, s.namespace, s.name) AS newest
          FROM modeltrail.gitops_sync s) g
    WHERE g.log_index = g.newest AND g.part = 'source' AND NOT g.removed
      AND g.url IS NOT NULL AND g.chart IS NULL AND g.url NOT LIKE 'oci://%'),
declared AS MATERIALIZED (
    SELECT DISTINCT log, modeltrail.repository_key(repository) AS key FROM modeltrail.commit)
SELECT 'unmapped_service' AS hint, cluster, principal AS subject,
       array_agg(DISTINCT application ORDER BY application) AS applications,
       format('add to people: in the central file: - {service: %s, kind: gitops, principals: [%s]} (docs/attribution.md, One human, many names)',
              min(tool), to_json(principal)) AS next_step
FROM service GROUP BY cluster, principal
UNION ALL
SELECT 'undeclared_repository', source.cluster, source.url, array_agg(DISTINCT source.application ORDER BY source.application),
       format('add to sources: of a collector: - git: {url: %s, branch: BRANCH} (docs/attribution.md, Git and GitOps)',
              to_json(source.url))
FROM source
WHERE NOT EXISTS (SELECT FROM declared d WHERE d.log = source.log
                                           AND d.key = modeltrail.repository_key(source.url))
GROUP BY source.cluster, source.url;

COMMENT ON VIEW modeltrail_v1.attribution_hints IS
    'One row per line of configuration that would lead further from what a GitOps tool did to a person.';
COMMENT ON COLUMN modeltrail_v1.attribution_hints.hint IS
    'unmapped_service: a service account wrote objects of applications in the last 30 days, and the central file does not say what it is; undeclared_repository: an application takes from it, and no commit of it was ever told.';
COMMENT ON COLUMN modeltrail_v1.attribution_hints.cluster IS 'Cluster in which it was seen.';
COMMENT ON COLUMN modeltrail_v1.attribution_hints.subject IS 'The principal, or the URL of the repository.';
COMMENT ON COLUMN modeltrail_v1.attribution_hints.applications IS
    'Applications by which it was seen: as the objects say, or Kind/namespace/name.';
COMMENT ON COLUMN modeltrail_v1.attribution_hints.next_step IS 'The line to add, and the part of docs/attribution.md.';

RESET ROLE;

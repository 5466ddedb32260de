-- Where each version lives and lived: placements with their workload, their actor and what they rest on.
--
-- Environment and coverage are looked up by LATERAL (SELECT ... OFFSET 0). The OFFSET keeps the call a
-- subquery, which the planner may put behind a Memoize node: many rows of one scope, one call. A bare
-- function call it would repeat for every row. The keys are the workload's columns, all of one table, because
-- their statistics (0004) tell the planner how few scopes there are.

SET LOCAL ROLE modeltrail_owner;

-- Rule 19. `missing` is an alarm, so it takes a who-source that covers all of the time in which it may have been:
-- where `at` has no evidence of its own, from `after` on; where nothing bounds it from below (no `after`, or one that
-- moved `at` up to itself: the write lay before it), from the beginning.
CREATE FUNCTION modeltrail.attribution_word(strength text, at timestamptz, after timestamptz,
                                            time_source text, covered tstzmultirange,
                                            lost tstzmultirange)
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN strength IS NOT NULL THEN strength
        WHEN covered @> tstzrange(
            CASE WHEN time_source IN ('inferred', 'listing', 'collector_clock') THEN after
                 WHEN after IS NULL OR after < at THEN at END, at, '[]') THEN 'missing'
        WHEN upper(covered) < at AND NOT lost @> at THEN 'pending'
        ELSE 'not_collected' END;
GRANT EXECUTE ON FUNCTION modeltrail.attribution_word(text, timestamptz, timestamptz, text,
    tstzmultirange, tstzmultirange) TO modeltrail_reader;

-- Everything about a placement that does not depend on the instant asked about. The reader may read it, for
-- deployments_at is expanded into the reader's query; without USAGE on the schema nobody can name it.
CREATE VIEW modeltrail.deployment AS
SELECT w.log, w.cluster, w.resource, w.uid, w.namespace, w.kind, w.name,
       p.placement_id, p.component, p.model, p.version, p.artifact, p.artifact_digest,
       p.identity_source, p.unknown_revision, p.role, p.traffic_percent, p.stopped, p.state, p.replicas,
       p.image, p.valid_from, p.valid_from_after, p.valid_to, p.valid_to_after,
       p.deployed_at, p.deployed_after, p.time_source, p.ready_at,
       w.kind || '/' || w.name AS workload,
       coalesce((gitops.chain).person,
                modeltrail.accountable_at(k.requested_at, own.since, own.persons, proxy.since, proxy.kinds,
                                          proxy.persons)) COLLATE "C" AS deployed_by,
       coalesce((gitops.chain).person_kind,
                modeltrail.accountable_at(k.requested_at, own.since, own.kinds, proxy.since, proxy.kinds,
                                          proxy.kinds)) COLLATE "C" AS deployed_by_kind,
       k.applied_by, k.impersonated,
       coalesce(claim.requested_by, (gitops.chain).initiated_by) AS requested_by,
       coalesce((gitops.chain).approved_by, claim.approved_by) AS approved_by,
       coalesce((gitops.chain).ticket, claim.ticket) AS ticket,
       CASE WHEN k.log IS NULL THEN claim.manager ELSE k.via END AS via,
       modeltrail.chain_revision(gitops.chain) AS source_revision, (gitops.chain).path AS source_path,
       modeltrail.chain_evidence(k.evidence, gitops.chain, claim.manager) AS evidence,
       CASE WHEN k.log IS NOT NULL THEN coalesce((gitops.chain).chain_end, 'request') END AS chain_end,
       (gitops.chain).chain_end_reason, (gitops.chain).signature AS commit_signature,
       modeltrail.attribution_word(
           coalesce(k.strength, (
               SELECT 'ambiguous' FROM modeltrail.attribution a
               WHERE a.log = p.log AND a.cluster = p.cluster AND a.resource = p.resource
                 AND a.uid = p.uid AND a.position = p.deployed_position
                 AND a.strength = 'ambiguous' LIMIT 1)),
           p.deployed_at, p.deployed_after, p.time_source, actor.covered, actor.lost) AS attribution,
       -- A removal that only a listing tells has no reading at its position (rule 4).
       p.valid_to IS NOT NULL AND p.to_position < 9223372036854775807 AND NOT EXISTS (
           SELECT FROM modeltrail.state s
           WHERE s.log = p.log AND s.cluster = p.cluster AND s.resource = p.resource
             AND s.uid = p.uid AND s.position = p.to_position) AS is_end_inferred,
       recorded.recorded_at, revised.recorded_at AS revised_at,
       (SELECT asked.event_id FROM modeltrail.event asked
        WHERE asked.log = k.log AND asked.log_index = k.request_index) AS request_event_id,
       k.audit_id
FROM modeltrail.placement p
JOIN modeltrail.workload w ON w.log = p.log AND w.cluster = p.cluster
                          AND w.resource = p.resource AND w.uid = p.uid
LEFT JOIN modeltrail.credit k ON k.log = p.log AND k.cluster = p.cluster AND k.resource = p.resource
                             AND k.uid = p.uid AND k.position = p.deployed_position
LEFT JOIN LATERAL (SELECT * FROM modeltrail.persons_of(k.log, k.principal) OFFSET 0) own ON true
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.persons_of(k.log, k.impersonated_by) OFFSET 0) proxy ON true
-- What the object's annotations claim, of the reading that counts there (rule 2).
LEFT JOIN LATERAL (
    SELECT s.origin->'claims'->>'requested_by' AS requested_by, s.origin->'claims'->>'approved_by' AS approved_by,
           s.origin->'claims'->>'ticket' AS ticket, s.origin->'manager'->>'name' AS manager
    FROM modeltrail.state s
    WHERE s.log = p.log AND s.cluster = p.cluster AND s.resource = p.resource AND s.uid = p.uid
      AND s.position = p.deployed_position AND NOT s.removed
    ORDER BY s.extractor DESC, s.log_index LIMIT 1) claim ON true
-- Worked out only for what a GitOps tool applied, and only where it is asked for.
LEFT JOIN LATERAL (
    SELECT modeltrail.chain_of(
        CASE WHEN modeltrail.accountable_at(k.requested_at, own.since, own.kinds, proxy.since, proxy.kinds,
                                            proxy.kinds) = 'gitops' THEN k.log END,
        p.cluster, p.resource, p.uid, p.deployed_position, k.requested_at, false) AS chain
    OFFSET 0) gitops ON true
LEFT JOIN modeltrail.event recorded ON recorded.log = p.log AND recorded.log_index = p.recorded_index
LEFT JOIN modeltrail.event revised ON revised.log = p.log AND revised.log_index = p.revised_index
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(CASE WHEN k.strength IS NULL THEN w.log END,
                                         w.cluster, w.namespace, w.resource, 'actor')
    OFFSET 0) actor ON true;
GRANT SELECT ON modeltrail.deployment TO modeltrail_reader;

-- From what to what each component went, for the same use.
CREATE VIEW modeltrail.step AS
SELECT log, cluster, resource, uid, position, component, happened_at,
       from_model, from_version, from_artifact, to_model, to_version, to_artifact
FROM modeltrail.change;
GRANT SELECT ON modeltrail.step TO modeltrail_reader;

CREATE VIEW modeltrail_v1.deployments AS
SELECT d.placement_id AS deployment_id, d.model, d.version, d.artifact, d.artifact_digest,
       d.identity_source, e.environment, e.environment_order, d.cluster, d.namespace, d.workload,
       d.uid::text AS workload_uid, d.component, d.role, d.traffic_percent, d.state, d.replicas,
       d.image, d.deployed_at, d.deployed_after, d.ready_at, d.valid_from, d.valid_to, d.time_source,
       d.deployed_by, d.deployed_by_kind, d.applied_by, d.impersonated,
       d.requested_by, d.approved_by, d.ticket, d.via,
       d.source_revision, d.source_path, d.evidence, d.attribution,
       CASE WHEN modeltrail.is_fresh(s.covered, s.lost, now()) THEN 'fresh' ELSE 'stale' END
           AS observation,
       s.reached AS last_observed_at, d.recorded_at, d.revised_at,
       d.stopped AS is_stopped, d.unknown_revision, d.valid_from_after, d.valid_to_after,
       d.resource, d.request_event_id, d.audit_id, d.chain_end, d.chain_end_reason, d.commit_signature
FROM modeltrail.deployment d
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environment_at(d.log, d.cluster, d.namespace, now()) OFFSET 0) e
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(d.log, d.cluster, d.namespace, d.resource, 'state') OFFSET 0) s
WHERE d.valid_to IS NULL;

CREATE VIEW modeltrail_v1.deployment_history AS
SELECT d.placement_id AS deployment_id, d.model, d.version, d.artifact, d.artifact_digest,
       d.identity_source,
       e.environments[width_bucket(d.valid_from, e.since)] AS environment,
       e.environment_orders[width_bucket(d.valid_from, e.since)] AS environment_order, d.cluster, d.namespace, d.workload,
       d.uid::text AS workload_uid, d.component, d.role, d.traffic_percent, d.state, d.replicas,
       d.image, d.deployed_at, d.deployed_after, d.ready_at, d.valid_from, d.valid_to, d.time_source,
       d.deployed_by, d.deployed_by_kind, d.applied_by, d.impersonated,
       d.requested_by, d.approved_by, d.ticket, d.via,
       d.source_revision, d.source_path, d.evidence, d.attribution,
       CASE WHEN d.is_end_inferred THEN 'inferred'
            WHEN d.valid_to IS NOT NULL THEN 'fresh'
            WHEN modeltrail.is_fresh(s.covered, s.lost, now()) THEN 'fresh'
            ELSE 'stale' END AS observation,
       CASE WHEN d.valid_to IS NULL THEN s.reached
            WHEN d.is_end_inferred THEN d.valid_to_after
            ELSE d.valid_to END AS last_observed_at,
       d.recorded_at, d.revised_at,
       d.stopped AS is_stopped, d.unknown_revision, d.valid_from_after, d.valid_to_after,
       d.resource, d.request_event_id, d.audit_id, d.chain_end, d.chain_end_reason, d.commit_signature
FROM modeltrail.deployment d
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(d.log, d.cluster, d.namespace) OFFSET 0) e
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(d.log, d.cluster, d.namespace, d.resource, 'state') OFFSET 0) s;

-- A row keeps only its last state, so that of an instant is worked out: from the row while nothing newer is
-- known of it, else from the latest change to or away from its version and from when it first was ready.
-- The planner expands this function into the query that calls it, so that filters reach the indexes.
CREATE FUNCTION modeltrail_v1.deployments_at(at timestamptz)
    RETURNS SETOF modeltrail_v1.deployments
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
BEGIN ATOMIC
    SELECT d.placement_id, d.model, d.version, d.artifact, d.artifact_digest,
           d.identity_source, e.environment, e.environment_order, d.cluster, d.namespace, d.workload,
           d.uid::text, d.component, d.role, d.traffic_percent,
           CASE WHEN d.stopped THEN 'stopped'
                WHEN d.valid_to IS NULL AND ($1 >= now() OR d.revised_at <= $1) THEN d.state
                WHEN latest.is_away THEN 'lingering'
                WHEN d.ready_at <= $1 THEN 'serving'
                ELSE 'pending' END,
           d.replicas, d.image, d.deployed_at, d.deployed_after,
           CASE WHEN d.ready_at <= $1 THEN d.ready_at END, d.valid_from, d.valid_to,
           d.time_source, d.deployed_by, d.deployed_by_kind, d.applied_by, d.impersonated,
           d.requested_by, d.approved_by, d.ticket, d.via, d.source_revision, d.source_path, d.evidence,
           d.attribution,
           CASE WHEN d.is_end_inferred AND coalesce(d.valid_to_after, d.valid_from) <= $1
                THEN 'inferred'
                WHEN modeltrail.is_fresh(s.covered, s.lost, $1) THEN 'fresh'
                ELSE 'stale' END,
           upper(s.covered * tstzmultirange(tstzrange(NULL, $1, '[]'))),
           d.recorded_at, d.revised_at,
           d.stopped, d.unknown_revision, d.valid_from_after, d.valid_to_after, d.resource,
           d.request_event_id, d.audit_id, d.chain_end, d.chain_end_reason, d.commit_signature
    FROM modeltrail.deployment d
    CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environment_at(d.log, d.cluster, d.namespace, $1) OFFSET 0) e
    CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(d.log, d.cluster, d.namespace, d.resource, 'state') OFFSET 0) s
    LEFT JOIN LATERAL (
        SELECT (c.to_model, c.to_version, c.to_artifact)
                   IS DISTINCT FROM (d.model, d.version, d.artifact) AS is_away
        FROM modeltrail.step c
        WHERE c.log = d.log AND c.uid = d.uid AND c.cluster = d.cluster AND c.resource = d.resource
          AND c.component = d.component AND c.happened_at <= $1
          AND ((c.to_model, c.to_version, c.to_artifact)
                   IS NOT DISTINCT FROM (d.model, d.version, d.artifact)
               OR (c.from_model, c.from_version, c.from_artifact)
                   IS NOT DISTINCT FROM (d.model, d.version, d.artifact))
        ORDER BY c.position DESC LIMIT 1) latest ON true
    WHERE d.valid_from <= $1 AND (d.valid_to IS NULL OR d.valid_to > $1);
END;

COMMENT ON VIEW modeltrail_v1.deployments IS
    'One row per version that a workload asks for, or that still answers, now: an open placement. Nothing listed means no only where coverage is live.';
COMMENT ON VIEW modeltrail_v1.deployment_history IS
    'One row per interval in which a component held one version in one role with one traffic share; open ones have valid_to NULL. Empty intervals (valid_from = valid_to) are detours that later evidence put in order; they match no instant.';
COMMENT ON FUNCTION modeltrail_v1.deployments_at(timestamptz) IS
    'The rows of deployments as they were at an instant: valid_from <= at < valid_to. Environment, observation and state are those of that instant, and ready_at is NULL when it came later; replicas and image are those of the row''s last position. A failure is told only while nothing newer is known of the row; before that it counts as pending or serving.';

-- Both views have the same columns, so they get the same comments.
DO $$
DECLARE
    view_name text;
    described record;
BEGIN
    FOREACH view_name IN ARRAY ARRAY['deployments', 'deployment_history'] LOOP
        FOR described IN SELECT * FROM (VALUES
            ('deployment_id', 'Key of the row, d- and 16 hex digits; survives a rebuild.'),
            ('model', 'Model, by the naming rules.'),
            ('version', 'Version, by the naming rules; NULL = unknown (see unknown_revision).'),
            ('artifact', 'Normalised URI or image; NULL when there is none or it is unknown.'),
            ('artifact_digest', 'Content of the artifact; NULL when unproven.'),
            ('identity_source', 'What model and version were read from: label, pattern, registry, uri, image, unknown ...'),
            ('environment', CASE view_name WHEN 'deployments'
                THEN 'Environment of the namespace now (deployments_at: at that instant).'
                ELSE 'Environment of the namespace at valid_from.' END),
            ('environment_order', 'Its place in the promotion order; NULL when the newest central file gives none.'),
            ('cluster', 'Cluster.'),
            ('namespace', 'Namespace.'),
            ('workload', 'The Kubernetes object, Kind/name.'),
            ('workload_uid', 'Its uid; an object of the same name made anew has another one.'),
            ('component', 'Part of the workload that serves: predictor, predictor/node, canary, transformer, model ...'),
            ('role', 'live, canary, shadow, explainer or transformer.'),
            ('traffic_percent', 'Share of traffic by the workload''s own spec; NULL where the kind has none. Routes of other objects are in view routes.'),
            ('state', 'serving, pending, failed, stopped, or lingering (asked away, still answering); of a closed row: at its end (deployments_at: at that instant).'),
            ('replicas', 'Replicas asked for; NULL when the spec does not say.'),
            ('image', 'Container image; NULL when the spec names none.'),
            ('deployed_at', 'When the API server accepted this version into the workload. Role, traffic, renaming and readiness never move it.'),
            ('deployed_after', 'Lower bound of deployed_at; NULL when none is known.'),
            ('ready_at', 'First ready with this version; NULL = asked for, never seen running.'),
            ('valid_from', 'Begin of the row''s interval (inclusive).'),
            ('valid_to', 'End of the interval (exclusive); NULL = open.'),
            ('time_source', 'What deployed_at rests on: audit, admission, object, managed_fields, collector_clock, listing, inferred.'),
            ('deployed_by', 'Accountable person or service, by the central file''s mapping of the instant, an unmapped name verbatim: of what a GitOps tool applied the commit''s author, where chain_end is commit. NULL unless attribution is exact or unique.'),
            ('deployed_by_kind', 'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human. NULL with deployed_by.'),
            ('applied_by', 'The authenticated API user, verbatim; NULL with deployed_by.'),
            ('impersonated', 'The user in whose name the request ran, when applied_by impersonated one; else NULL.'),
            ('requested_by', 'Who asked for it: annotation modeltrail.io/requested-by as it was when the version was deployed, else who started the sync, as the GitOps tool says; a claim, not proof.'),
            ('approved_by', 'Who approved it: trailer Approved-by of the commit, else annotation modeltrail.io/approved-by as it was then; a claim, not proof.'),
            ('ticket', 'Ticket: trailer of the commit, else annotation modeltrail.io/ticket as it was then.'),
            ('via', 'Source that saw the request, such as audit_log; with evidence managed_fields the tool that wrote the object.'),
            ('source_revision', 'Commit that touched the manifest; where the chain ends before it, the revision that was synced. NULL: not by GitOps, or not known.'),
            ('source_path', 'The manifest in that commit; NULL without one.'),
            ('evidence', 'What the furthest link of the chain rests on: audit, admission; argocd or flux (the tool''s object), seldon (the namespace''s mark), git (a commit). managed_fields: nobody is credited, and via is the tool that wrote it. NULL: nothing says.'),
            ('attribution', 'exact, unique; ambiguous (several candidates, or one that nothing proves); pending (the who-source has not got there yet); missing (it has and shows nothing: an alarm); not_collected (none covers it).'),
            ('observation', CASE view_name WHEN 'deployments'
                THEN 'fresh: its scope was looked at within three minutes; stale: not. deployments_at also has inferred: gone at some unknown instant around then.'
                ELSE 'fresh; stale: open, and its scope is not looked at now; inferred: a listing lacked it, so it ended between valid_to_after and valid_to.' END),
            ('last_observed_at', CASE view_name WHEN 'deployments'
                THEN 'How far its scope has been looked at; NULL = never (deployments_at: up to that instant).'
                ELSE 'Open: how far its scope has been looked at, NULL = never. Closed: its end, or with an inferred end the last time it was seen.' END),
            ('recorded_at', 'When the log first knew the row; NULL when that part of the log is gone.'),
            ('revised_at', 'Log time of the newest fact behind the row: the watermark for incremental loads. It does not move when a mapping of people, a sync or a commit that is told later changes who is named.'),
            ('is_stopped', 'True when it is scaled to zero or stopped by annotation.'),
            ('unknown_revision', 'Revision whose artifact is not known; else NULL.'),
            ('valid_from_after', 'Lower bound of valid_from; NULL when none is known.'),
            ('valid_to_after', 'Lower bound of valid_to; NULL when none is known.'),
            ('resource', 'The workload''s kind as plural.group.'),
            ('request_event_id', 'Event of the request that deployed this version (views requests, events); NULL with deployed_by.'),
            ('audit_id', 'The API server''s id of that request; NULL with deployed_by.'),
            ('chain_end', 'How far the chain reaches behind the request: request, application (its GitOps tool''s object), revision (what that synced), commit (the last that touched the manifest; deployed_by is its author). NULL when nobody is credited.'),
            ('chain_end_reason', 'Why a GitOps chain ends before a commit: self_heal (the revision was applied before: the tool''s own doing), retried (an operation that failed had begun with it), rendered (Helm, Kustomize, or what else shapes manifests), not_touched (no commit between the two syncs touched the manifest), rolled_back (an older revision), other_line (the two revisions are not on one first-parent line: rewritten, or another branch), source_changed (repository or folder of the application changed), several_sources (of one application: which, is not told), not_a_commit (a chart''s version), declared_twice (two files of the folder have the object), bad_signature, commits_not_collected, previous_unknown (the sync before was not seen), sync_not_seen, sync_ambiguous (two operations at once), application_not_collected, application_ambiguous, no_application. Else NULL.'),
            ('commit_signature', 'Signature of the commit that source_revision names, as git checked it: good, bad, unknown_key, none, unverified; NULL without a commit.')) AS c (name, words)
        LOOP
            EXECUTE format('COMMENT ON COLUMN modeltrail_v1.%I.%I IS %L',
                           view_name, described.name, described.words);
        END LOOP;
    END LOOP;
END
$$;

RESET ROLE;

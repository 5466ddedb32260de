-- What happened to each component, and who did it.

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail_v1.changes AS
SELECT c.change_id, recorded.event_id, c.change_type,
       coalesce(c.reason, CASE WHEN (gitops.chain).chain_end_reason = 'self_heal' THEN 'self_heal' END) COLLATE "C"
           AS reason,
       c.happened_at, c.happened_after,
       c.time_source, coalesce(c.to_model, c.from_model) AS model, c.from_version, c.to_version,
       c.from_artifact, c.to_artifact, c.from_traffic_percent, c.to_traffic_percent,
       e.environments[width_bucket(c.happened_at, e.since)] AS environment, w.cluster, w.namespace, w.kind || '/' || w.name AS workload, c.component, c.role,
       coalesce((gitops.chain).person,
                modeltrail.accountable_at(k.requested_at, own.since, own.persons, proxy.since, proxy.kinds,
                                          proxy.persons)) COLLATE "C" AS deployed_by,
       coalesce((gitops.chain).person_kind,
                modeltrail.accountable_at(k.requested_at, own.since, own.kinds, proxy.since, proxy.kinds,
                                          proxy.kinds)) COLLATE "C" AS deployed_by_kind,
       -- What a controller deleted for somebody it applied itself.
       coalesce((
           SELECT coalesce(x.impersonated_by, x.principal)
           FROM modeltrail.attribution a
           JOIN modeltrail.request x ON x.log = a.log AND x.log_index = a.request_index
           WHERE a.log = k.log AND a.cluster = k.cluster AND a.resource = k.resource
             AND a.uid = k.uid AND a.position = k.position AND a.strength = 'executed'),
           k.applied_by) AS applied_by,
       k.impersonated,
       coalesce(claim.requested_by, (gitops.chain).initiated_by) AS requested_by,
       coalesce((gitops.chain).approved_by, claim.approved_by) AS approved_by,
       coalesce((gitops.chain).ticket, claim.ticket) AS ticket,
       CASE WHEN k.log IS NULL THEN claim.manager ELSE k.via END AS via,
       modeltrail.chain_revision(gitops.chain) AS source_revision, (gitops.chain).path AS source_path,
       modeltrail.chain_evidence(k.evidence, gitops.chain, claim.manager) AS evidence,
       modeltrail.attribution_word(
           coalesce(k.strength, (
               SELECT 'ambiguous' FROM modeltrail.attribution a
               WHERE a.log = c.log AND a.cluster = c.cluster AND a.resource = c.resource
                 AND a.uid = c.uid AND a.position = c.position AND a.strength = 'ambiguous' LIMIT 1)),
           c.happened_at, c.happened_after, c.time_source, actor.covered, actor.lost) AS attribution,
       recorded.recorded_at, revised.recorded_at AS revised_at,
       e.environment_orders[width_bucket(c.happened_at, e.since)] AS environment_order, c.uid::text AS workload_uid, c.from_model, c.to_model,
       CASE WHEN (gitops.chain).author IS NOT NULL THEN (gitops.chain).author
            WHEN proxy.kinds[width_bucket(k.requested_at, proxy.since)] = 'human' THEN k.impersonated_by
            ELSE k.principal END AS principal, w.resource,
       (SELECT asked.event_id FROM modeltrail.event asked
        WHERE asked.log = k.log AND asked.log_index = k.request_index) AS request_event_id,
       k.audit_id,
       CASE WHEN k.log IS NOT NULL THEN coalesce((gitops.chain).chain_end, 'request') END AS chain_end,
       (gitops.chain).chain_end_reason, (gitops.chain).signature AS commit_signature
FROM modeltrail.change c
JOIN modeltrail.workload w ON w.log = c.log AND w.cluster = c.cluster
                          AND w.resource = c.resource AND w.uid = c.uid
LEFT JOIN modeltrail.credit k ON k.log = c.log AND k.cluster = c.cluster AND k.resource = c.resource
                             AND k.uid = c.uid AND k.position = c.position
LEFT JOIN LATERAL (SELECT * FROM modeltrail.persons_of(k.log, k.principal) OFFSET 0) own ON true
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.persons_of(k.log, k.impersonated_by) OFFSET 0) proxy ON true
-- What the object's annotations claim, of the reading that counts there (rule 2). None of a removal:
-- what the object said of its last version is no word on its end.
LEFT JOIN LATERAL (
    SELECT s.origin->'claims'->>'requested_by' AS requested_by, s.origin->'claims'->>'approved_by' AS approved_by,
           s.origin->'claims'->>'ticket' AS ticket, s.origin->'manager'->>'name' AS manager
    FROM modeltrail.state s
    WHERE s.log = c.log AND s.cluster = c.cluster AND s.resource = c.resource AND s.uid = c.uid
      AND s.position = c.position AND NOT s.removed
    ORDER BY s.extractor DESC, s.log_index LIMIT 1) claim ON true
-- Worked out only for what a GitOps tool applied, and only where it is asked for.
LEFT JOIN LATERAL (
    SELECT modeltrail.chain_of(
        CASE WHEN modeltrail.accountable_at(k.requested_at, own.since, own.kinds, proxy.since, proxy.kinds,
                                            proxy.kinds) = 'gitops' THEN k.log END,
        c.cluster, c.resource, c.uid, c.position, k.requested_at, c.change_type = 'removed') AS chain
    OFFSET 0) gitops ON true
LEFT JOIN modeltrail.event recorded ON recorded.log = c.log AND recorded.log_index = c.recorded_index
LEFT JOIN modeltrail.event revised ON revised.log = c.log AND revised.log_index = c.revised_index
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(w.log, w.cluster, w.namespace) OFFSET 0) e
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.coverage_of(CASE WHEN k.strength IS NULL THEN w.log END,
                                         w.cluster, w.namespace, w.resource, 'actor')
    OFFSET 0) actor ON true;

COMMENT ON VIEW modeltrail_v1.changes IS
    'One row per component and position at which what the workload asks for changed. Status, labels and readiness alone make no change.';
COMMENT ON COLUMN modeltrail_v1.changes.change_id IS
    'Key of the row, c- and 16 hex digits; survives a rebuild.';
COMMENT ON COLUMN modeltrail_v1.changes.event_id IS
    'Event that first told it (view events); NULL when that part of the log is gone.';
COMMENT ON COLUMN modeltrail_v1.changes.change_type IS
    'deployed, upgraded, rolled_back (this component served the version before), reconfigured (same version, other role, traffic or stop), removed.';
COMMENT ON COLUMN modeltrail_v1.changes.reason IS
    'initial (the first known position), deleted or inferred (the whole workload went; a listing lacked it), self_heal (a GitOps tool put back what it had synced before); else NULL.';
COMMENT ON COLUMN modeltrail_v1.changes.happened_at IS 'When the API server accepted it; an upper bound.';
COMMENT ON COLUMN modeltrail_v1.changes.happened_after IS 'Lower bound of happened_at; NULL when none is known.';
COMMENT ON COLUMN modeltrail_v1.changes.time_source IS
    'What happened_at rests on: audit, admission, object, managed_fields, collector_clock, listing, inferred.';
COMMENT ON COLUMN modeltrail_v1.changes.model IS 'The model after the change, of a removal the one before.';
COMMENT ON COLUMN modeltrail_v1.changes.from_version IS 'Version before the change; NULL = none, or unknown.';
COMMENT ON COLUMN modeltrail_v1.changes.to_version IS 'Version after the change; NULL = none (removed), or unknown.';
COMMENT ON COLUMN modeltrail_v1.changes.from_artifact IS 'Artifact before the change; NULL = none, or unknown.';
COMMENT ON COLUMN modeltrail_v1.changes.to_artifact IS 'Artifact after the change; NULL = none, or unknown.';
COMMENT ON COLUMN modeltrail_v1.changes.from_traffic_percent IS
    'Share of traffic before the change; NULL where there was none to tell.';
COMMENT ON COLUMN modeltrail_v1.changes.to_traffic_percent IS
    'Share of traffic after the change; NULL where there is none to tell.';
COMMENT ON COLUMN modeltrail_v1.changes.environment IS 'Environment of the namespace at happened_at.';
COMMENT ON COLUMN modeltrail_v1.changes.cluster IS 'Cluster.';
COMMENT ON COLUMN modeltrail_v1.changes.namespace IS 'Namespace.';
COMMENT ON COLUMN modeltrail_v1.changes.workload IS 'The Kubernetes object, Kind/name.';
COMMENT ON COLUMN modeltrail_v1.changes.component IS 'Part of the workload that changed.';
COMMENT ON COLUMN modeltrail_v1.changes.role IS
    'live, canary, shadow, explainer or transformer: the role after the change, of a removal the one before.';
COMMENT ON COLUMN modeltrail_v1.changes.deployed_by IS
    'Accountable person or service, by the central file''s mapping of the instant, an unmapped name verbatim: of what a GitOps tool applied the commit''s author, where chain_end is commit. NULL unless attribution is exact or unique.';
COMMENT ON COLUMN modeltrail_v1.changes.deployed_by_kind IS
    'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human. NULL with deployed_by.';
COMMENT ON COLUMN modeltrail_v1.changes.applied_by IS
    'The authenticated API user, verbatim; NULL with deployed_by.';
COMMENT ON COLUMN modeltrail_v1.changes.impersonated IS
    'The user in whose name the request ran, when applied_by impersonated one; else NULL.';
COMMENT ON COLUMN modeltrail_v1.changes.requested_by IS
    'Who asked for it: annotation modeltrail.io/requested-by as it said with this change (it may stand there since an earlier one), else who started the sync, as the GitOps tool says; a claim, not proof.';
COMMENT ON COLUMN modeltrail_v1.changes.approved_by IS
    'Who approved it: trailer Approved-by of the commit, else annotation modeltrail.io/approved-by as it said with this change; a claim, not proof.';
COMMENT ON COLUMN modeltrail_v1.changes.ticket IS
    'Ticket: trailer of the commit, else annotation modeltrail.io/ticket as it said with this change.';
COMMENT ON COLUMN modeltrail_v1.changes.via IS
    'Source that saw the request, such as audit_log; with evidence managed_fields the tool that wrote the object.';
COMMENT ON COLUMN modeltrail_v1.changes.source_revision IS
    'Commit that touched the manifest; where the chain ends before it, the revision that was synced. NULL: not by GitOps, or not known.';
COMMENT ON COLUMN modeltrail_v1.changes.source_path IS
    'The manifest in that commit; NULL without one.';
COMMENT ON COLUMN modeltrail_v1.changes.evidence IS
    'What the furthest link of the chain rests on: audit, admission; argocd or flux (the tool''s object), seldon (the namespace''s mark), git (a commit). managed_fields: nobody is credited, and via is the tool that wrote it. NULL: nothing says.';
COMMENT ON COLUMN modeltrail_v1.changes.attribution IS
    'exact, unique; ambiguous (several candidates, or one that nothing proves); pending (the who-source has not got there yet); missing (it has and shows nothing: an alarm); not_collected (none covers it).';
COMMENT ON COLUMN modeltrail_v1.changes.recorded_at IS
    'When the log first knew it; NULL when that part of the log is gone.';
COMMENT ON COLUMN modeltrail_v1.changes.revised_at IS
    'Log time of the newest fact behind the row: the watermark for incremental loads. It does not move when a mapping of people, a sync or a commit that is told later changes who is named.';
COMMENT ON COLUMN modeltrail_v1.changes.environment_order IS
    'Place of the environment in the promotion order; NULL when the newest central file gives none.';
COMMENT ON COLUMN modeltrail_v1.changes.workload_uid IS 'uid of the workload.';
COMMENT ON COLUMN modeltrail_v1.changes.from_model IS 'Model before the change; NULL = none.';
COMMENT ON COLUMN modeltrail_v1.changes.to_model IS 'Model after the change; NULL = none (removed).';
COMMENT ON COLUMN modeltrail_v1.changes.principal IS
    'The principal behind deployed_by, verbatim: the key into identities. NULL with deployed_by.';
COMMENT ON COLUMN modeltrail_v1.changes.resource IS 'The workload''s kind as plural.group.';
COMMENT ON COLUMN modeltrail_v1.changes.request_event_id IS
    'Event of the request that made the change (views requests, events); NULL with deployed_by.';
COMMENT ON COLUMN modeltrail_v1.changes.audit_id IS
    'The API server''s id of that request, as its audit log has it; NULL with deployed_by.';
COMMENT ON COLUMN modeltrail_v1.changes.chain_end IS
    'How far the chain reaches behind the request: request, application (its GitOps tool''s object), revision (what that synced), commit (the last that touched the manifest; deployed_by is its author). NULL when nobody is credited.';
COMMENT ON COLUMN modeltrail_v1.changes.chain_end_reason IS
    'Why a GitOps chain ends before a commit: self_heal (the revision was applied before: the tool''s own doing), retried (an operation that failed had begun with it), rendered (Helm, Kustomize, or what else shapes manifests), not_touched (no commit between the two syncs touched the manifest), rolled_back (an older revision), other_line (the two revisions are not on one first-parent line: rewritten, or another branch), source_changed (repository or folder of the application changed), several_sources (of one application: which, is not told), not_a_commit (a chart''s version), declared_twice (two files of the folder have the object), bad_signature, commits_not_collected, previous_unknown (the sync before was not seen), sync_not_seen, sync_ambiguous (two operations at once), application_not_collected, application_ambiguous, no_application. Else NULL.';
COMMENT ON COLUMN modeltrail_v1.changes.commit_signature IS
    'Signature of the commit that source_revision names, as git checked it: good, bad, unknown_key, none, unverified; NULL without a commit.';

-- Somebody who has no name any more is there for what was done under it; a rule's person for what may come.
CREATE VIEW modeltrail_v1.people AS
WITH actor AS MATERIALIZED (
    SELECT log, log_index, person, person_kind, at FROM modeltrail.request_actor),
acted AS (
    SELECT person, max(person_kind) AS kind, max(at) AS last_active_at FROM actor GROUP BY person),
name AS (
    SELECT named.person, max(named.kind) AS kind,
           coalesce(array_agg(named.principal ORDER BY named.principal)
                    FILTER (WHERE named.principal IS NOT NULL), '{}') AS principals,
           bool_or(named.is_mapped) AS is_mapped
    FROM (
        SELECT person, kind, principal, is_mapped FROM modeltrail_v1.identities
        UNION ALL
        SELECT person, kind, NULL, true FROM modeltrail.person_now
        WHERE is_rule AND strpos(person, '\') = 0) named
    GROUP BY named.person),
-- What a GitOps tool applied is the commit author's, where the chain reaches one.
credited AS (
    SELECT coalesce((gitops.chain).person, actor.person) AS person,
           max(coalesce((gitops.chain).person_kind, actor.person_kind)) AS kind, count(*) AS changes
    FROM modeltrail.attribution a
    JOIN modeltrail.change c USING (log, cluster, resource, uid, position)
    JOIN actor ON actor.log = a.log AND actor.log_index = a.request_index
    CROSS JOIN LATERAL (
        SELECT modeltrail.chain_of(CASE WHEN actor.person_kind = 'gitops' THEN c.log END, c.cluster, c.resource, c.uid,
                                   c.position, actor.at, c.change_type = 'removed') AS chain
        OFFSET 0) gitops
    WHERE a.strength IN ('exact', 'unique')
    GROUP BY 1),
tried AS (
    SELECT person, count(*) AS attempts FROM modeltrail.attempt GROUP BY person)
SELECT person, coalesce(name.kind, acted.kind, credited.kind) AS kind, coalesce(name.principals, '{}') AS principals,
       coalesce(credited.changes, 0)::integer AS changes,
       coalesce(tried.attempts, 0)::integer AS attempts,
       acted.last_active_at,
       coalesce(name.is_mapped, false) AS is_mapped
FROM name
FULL JOIN acted USING (person)
FULL JOIN credited USING (person)
LEFT JOIN tried USING (person);

COMMENT ON VIEW modeltrail_v1.people IS
    'One row per person or service: those mapped now, every principal seen that nobody mapped, who acted under a name that is no longer theirs, and the authors of commits that GitOps tools applied.';
COMMENT ON COLUMN modeltrail_v1.people.person IS 'Person or service; an unmapped principal stands verbatim.';
COMMENT ON COLUMN modeltrail_v1.people.kind IS
    'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human.';
COMMENT ON COLUMN modeltrail_v1.people.principals IS 'All names that are this person''s now, sorted; not those that only a rule may still bring.';
COMMENT ON COLUMN modeltrail_v1.people.changes IS
    'Changes whose deployed_by this person is.';
COMMENT ON COLUMN modeltrail_v1.people.attempts IS 'Requests that were refused, failed, or were dry runs.';
COMMENT ON COLUMN modeltrail_v1.people.last_active_at IS
    'Time of the newest request, of any outcome; NULL when none was seen.';
COMMENT ON COLUMN modeltrail_v1.people.is_mapped IS 'True when a mapping that holds now leads to this person.';

RESET ROLE;

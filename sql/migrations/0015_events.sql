-- The log as readers see it, the raw log for auditors, the requests, and those of them that changed nothing.

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail_v1.events AS
SELECT e.event_id, e.type, e.occurred_at, e.recorded_at, e.collector, e.epoch, e.seq,
       b.cluster, b.namespace, b.workload,
       e.quarantined IS NOT NULL AS is_quarantined, e.quarantined AS quarantine_reason,
       e.log_index, encode(e.body_digest, 'hex') AS body_digest
FROM modeltrail.event e
LEFT JOIN LATERAL (
    SELECT body.data ->> 'cluster' AS cluster, body.data ->> 'namespace' AS namespace,
           CASE WHEN body.data ->> 'name' IS NOT NULL
                THEN concat_ws('/', coalesce(body.data ->> 'kind', body.data ->> 'resource'),
                               body.data ->> 'name') END AS workload
    FROM modeltrail.event_body body
    WHERE body.log = e.log AND body.log_index = e.log_index LIMIT 1) b ON true;

COMMENT ON VIEW modeltrail_v1.events IS
    'One row per event of the log, in the order of log_index: what was learned, without its raw content.';
COMMENT ON COLUMN modeltrail_v1.events.event_id IS
    'COLLECTOR:EPOCH:SEQ. To find one event fast, filter by these three columns.';
COMMENT ON COLUMN modeltrail_v1.events.type IS 'dev.modeltrail.NOUN.VERB.vN.';
COMMENT ON COLUMN modeltrail_v1.events.occurred_at IS 'When it happened, as far as its source knew; NULL when it did not.';
COMMENT ON COLUMN modeltrail_v1.events.recorded_at IS 'When it was committed, by the database''s clock.';
COMMENT ON COLUMN modeltrail_v1.events.collector IS 'Who sent it; _store for what the store itself did.';
COMMENT ON COLUMN modeltrail_v1.events.epoch IS 'Birth of the collector''s spool, Unix milliseconds.';
COMMENT ON COLUMN modeltrail_v1.events.seq IS 'Place in the epoch, from 1, without gaps.';
COMMENT ON COLUMN modeltrail_v1.events.cluster IS
    'Cluster it is about; NULL when about none, quarantined, or its body was erased.';
COMMENT ON COLUMN modeltrail_v1.events.namespace IS 'Namespace it is about; NULL as for cluster.';
COMMENT ON COLUMN modeltrail_v1.events.workload IS 'Object it is about, Kind/name; NULL as for cluster.';
COMMENT ON COLUMN modeltrail_v1.events.is_quarantined IS 'True when it could not be used; its bytes are kept.';
COMMENT ON COLUMN modeltrail_v1.events.quarantine_reason IS 'Why; NULL when it was used.';
COMMENT ON COLUMN modeltrail_v1.events.log_index IS 'Place in the log: the order of learning.';
COMMENT ON COLUMN modeltrail_v1.events.body_digest IS 'SHA-256 of salt and body, hex.';

CREATE VIEW modeltrail_v1.raw_events AS
SELECT e.event_id, e.type, e.occurred_at, e.recorded_at, e.collector, e.epoch, e.seq, e.log_index,
       CASE WHEN e.quarantined IS NULL THEN convert_from(b.body, 'UTF8') END AS body,
       b.body AS body_bytes, encode(b.salt, 'hex') AS salt,
       encode(e.body_digest, 'hex') AS body_digest, encode(e.leaf_hash, 'hex') AS leaf_hash,
       e.quarantined AS quarantine_reason
FROM modeltrail.event e
LEFT JOIN modeltrail.event_body b ON b.log = e.log AND b.log_index = e.log_index;
REVOKE ALL ON modeltrail_v1.raw_events FROM modeltrail_reader;
GRANT SELECT ON modeltrail_v1.raw_events TO modeltrail_auditor;

COMMENT ON VIEW modeltrail_v1.raw_events IS
    'One row per event with the bytes that were sent (secrets were removed before). For modeltrail_auditor only.';
COMMENT ON COLUMN modeltrail_v1.raw_events.event_id IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.type IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.occurred_at IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.recorded_at IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.collector IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.epoch IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.seq IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.log_index IS 'As in events.';
COMMENT ON COLUMN modeltrail_v1.raw_events.body IS
    'The event line, JSON text; NULL when quarantined (see body_bytes) or erased.';
COMMENT ON COLUMN modeltrail_v1.raw_events.body_bytes IS 'The same as bytes, whatever they are; NULL when erased.';
COMMENT ON COLUMN modeltrail_v1.raw_events.salt IS 'Salt of the digest, hex; NULL when erased.';
COMMENT ON COLUMN modeltrail_v1.raw_events.body_digest IS 'SHA-256 of salt and body, hex.';
COMMENT ON COLUMN modeltrail_v1.raw_events.leaf_hash IS 'SHA-256 of 0x00 and the canonical envelope, hex.';
COMMENT ON COLUMN modeltrail_v1.raw_events.quarantine_reason IS 'Why it could not be used; NULL when it was.';

CREATE VIEW modeltrail_v1.attempts AS
SELECT concat('a-', CASE WHEN r.log <> 1 THEN r.log || '-' END, r.log_index) AS attempt_id,
       e.event_id, r.at AS attempted_at, r.applied_by, r.person, r.verb, r.code,
       CASE WHEN r.code IN (401, 403) THEN 'refused'
            WHEN r.code >= 400 THEN 'failed'
            ELSE 'dry_run' END AS outcome,
       r.message, r.cluster, r.namespace,
       concat_ws('/', coalesce(r.kind, modeltrail.kind_of(r.log, r.cluster, r.resource)), r.name)
           AS workload,
       r.via, r.user_agent, r.source_ip,
       r.person_kind, r.impersonated, r.accountable AS principal, r.dry_run AS is_dry_run,
       stage.environments[width_bucket(r.at, stage.since)] AS environment, r.subresource, r.audit_id
FROM modeltrail.attempt r
LEFT JOIN modeltrail.event e ON e.log = r.log AND e.log_index = r.log_index
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(r.log, r.cluster, coalesce(r.namespace, '')) OFFSET 0) stage;

COMMENT ON VIEW modeltrail_v1.attempts IS
    'One row per request that changed nothing: refused, failed, or a dry run. A request that two collectors saw is one row, and so is one that was reviewed and audited.';
COMMENT ON COLUMN modeltrail_v1.attempts.attempt_id IS 'Key of the row: a- and its place in the log; survives a rebuild.';
COMMENT ON COLUMN modeltrail_v1.attempts.event_id IS 'Event that told it; NULL when that part of the log is gone.';
COMMENT ON COLUMN modeltrail_v1.attempts.attempted_at IS 'When the API server received it.';
COMMENT ON COLUMN modeltrail_v1.attempts.applied_by IS 'The authenticated API user, verbatim.';
COMMENT ON COLUMN modeltrail_v1.attempts.person IS
    'Accountable person or service, by the central file''s mapping of the instant; an unmapped principal verbatim.';
COMMENT ON COLUMN modeltrail_v1.attempts.verb IS 'create, update, patch, delete, deletecollection ...';
COMMENT ON COLUMN modeltrail_v1.attempts.code IS 'HTTP status of the answer; NULL when it was not told.';
COMMENT ON COLUMN modeltrail_v1.attempts.outcome IS
    'refused (401, 403: not allowed), failed (any other error, conflicts included), dry_run (would have been accepted).';
COMMENT ON COLUMN modeltrail_v1.attempts.message IS 'The API server''s words; NULL when it had none.';
COMMENT ON COLUMN modeltrail_v1.attempts.cluster IS 'Cluster.';
COMMENT ON COLUMN modeltrail_v1.attempts.namespace IS 'Namespace; NULL for a request over all of them.';
COMMENT ON COLUMN modeltrail_v1.attempts.workload IS
    'Object it was about, Kind/name; the kind alone when the request names none.';
COMMENT ON COLUMN modeltrail_v1.attempts.via IS 'Source that saw it, such as audit_log.';
COMMENT ON COLUMN modeltrail_v1.attempts.user_agent IS 'Program that sent it, as it calls itself; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.attempts.source_ip IS 'Address it came from; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.attempts.person_kind IS
    'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human.';
COMMENT ON COLUMN modeltrail_v1.attempts.impersonated IS
    'The user in whose name it ran, when applied_by impersonated one; else NULL.';
COMMENT ON COLUMN modeltrail_v1.attempts.principal IS 'The principal behind person, verbatim: the key into identities.';
COMMENT ON COLUMN modeltrail_v1.attempts.is_dry_run IS 'True when it asked for a dry run, whatever came of it.';
COMMENT ON COLUMN modeltrail_v1.attempts.environment IS
    'Environment of the namespace at attempted_at; NULL when the request has no namespace.';
COMMENT ON COLUMN modeltrail_v1.attempts.subresource IS 'Such as scale; NULL for the object itself.';
COMMENT ON COLUMN modeltrail_v1.attempts.audit_id IS 'The API server''s id of the request.';

CREATE VIEW modeltrail_v1.requests AS
SELECT concat('r-', CASE WHEN r.log <> 1 THEN r.log || '-' END, r.log_index) AS request_id,
       e.event_id, r.audit_id, r.at AS requested_at, r.applied_by, r.person, r.person_kind,
       r.impersonated, r.accountable AS principal, r.verb, nullif(r.subresource, '') AS subresource,
       r.code,
       CASE WHEN r.code IN (401, 403) THEN 'refused'
            WHEN r.code >= 400 THEN 'failed'
            WHEN r.dry_run THEN 'dry_run'
            WHEN r.code IS NOT NULL THEN 'accepted' END AS outcome,
       r.message,
       -- The credit may have gone to the twin that another collector sent.
       (SELECT count(*)::integer
        FROM modeltrail.request twin
        JOIN modeltrail.attribution a ON a.log = twin.log AND a.request_index = twin.log_index
                                     AND a.strength IN ('exact', 'unique')
        JOIN modeltrail.change c ON c.log = a.log AND c.cluster = a.cluster AND c.resource = a.resource
                                AND c.uid = a.uid AND c.position = a.position
        WHERE twin.principal = r.principal AND twin.at = r.at AND twin.log = r.log
          AND twin.cluster = r.cluster AND twin.audit_id = r.audit_id) AS changes,
       stage.environments[width_bucket(r.at, stage.since)] AS environment, r.cluster, r.namespace,
       concat_ws('/', coalesce(r.kind, modeltrail.kind_of(r.log, r.cluster, r.resource)), r.name)
           AS workload,
       r.via, r.evidence, r.user_agent, r.source_ip, r.groups, e.collector, e.epoch, e.seq
FROM modeltrail.write_request r
LEFT JOIN modeltrail.event e ON e.log = r.log AND e.log_index = r.log_index
CROSS JOIN LATERAL (
    SELECT * FROM modeltrail.environments_of(r.log, r.cluster, coalesce(r.namespace, '')) OFFSET 0) stage;

COMMENT ON VIEW modeltrail_v1.requests IS
    'One row per request that asked to write a workload, whatever came of it: accepted ones that moved no model too. A request that two collectors saw is one row, and so is one that was reviewed and audited.';
COMMENT ON COLUMN modeltrail_v1.requests.request_id IS
    'Key of the row: r- and its place in the log; survives a rebuild.';
COMMENT ON COLUMN modeltrail_v1.requests.event_id IS
    'Event that told it; NULL when that part of the log is gone.';
COMMENT ON COLUMN modeltrail_v1.requests.audit_id IS
    'The API server''s id of the request, as its audit log has it.';
COMMENT ON COLUMN modeltrail_v1.requests.requested_at IS
    'When the API server received it.';
COMMENT ON COLUMN modeltrail_v1.requests.applied_by IS
    'The authenticated API user, verbatim.';
COMMENT ON COLUMN modeltrail_v1.requests.person IS
    'Accountable person or service, by the central file''s mapping of the instant; an unmapped principal verbatim.';
COMMENT ON COLUMN modeltrail_v1.requests.person_kind IS
    'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human.';
COMMENT ON COLUMN modeltrail_v1.requests.impersonated IS
    'The user in whose name it ran, when applied_by impersonated one; else NULL.';
COMMENT ON COLUMN modeltrail_v1.requests.principal IS
    'The principal behind person, verbatim: the key into identities.';
COMMENT ON COLUMN modeltrail_v1.requests.verb IS
    'create, update, patch, delete or deletecollection.';
COMMENT ON COLUMN modeltrail_v1.requests.subresource IS
    'Such as scale; NULL for the object itself.';
COMMENT ON COLUMN modeltrail_v1.requests.code IS
    'HTTP status of the answer; NULL when it was not told.';
COMMENT ON COLUMN modeltrail_v1.requests.outcome IS
    'accepted; refused (401, 403: not allowed), failed (any other error, conflicts included), dry_run (would have been accepted); NULL when the answer was not told.';
COMMENT ON COLUMN modeltrail_v1.requests.message IS
    'The API server''s words about an error; NULL when it had none.';
COMMENT ON COLUMN modeltrail_v1.requests.changes IS
    'Changes credited to it (view changes has its audit_id): 0 for what was accepted and moved no model, such as a repeated apply, a scale, or an Experiment.';
COMMENT ON COLUMN modeltrail_v1.requests.environment IS
    'Environment of the namespace at requested_at; NULL when the request has no namespace.';
COMMENT ON COLUMN modeltrail_v1.requests.cluster IS
    'Cluster.';
COMMENT ON COLUMN modeltrail_v1.requests.namespace IS
    'Namespace; NULL for a request over all of them.';
COMMENT ON COLUMN modeltrail_v1.requests.workload IS
    'Object it was about, Kind/name; the kind alone when the request names none.';
COMMENT ON COLUMN modeltrail_v1.requests.via IS
    'Source that saw it, such as audit_log.';
COMMENT ON COLUMN modeltrail_v1.requests.evidence IS
    'Kind of evidence: audit or admission.';
COMMENT ON COLUMN modeltrail_v1.requests.user_agent IS
    'Program that sent it, as it calls itself; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.requests.source_ip IS
    'Address it came from; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.requests.groups IS
    'Groups of the user, as the API server knew them; NULL when not told.';
COMMENT ON COLUMN modeltrail_v1.requests.collector IS
    'Collector of the event: with epoch and seq the fast way to find it.';
COMMENT ON COLUMN modeltrail_v1.requests.epoch IS
    'Epoch of the event.';
COMMENT ON COLUMN modeltrail_v1.requests.seq IS
    'Place of the event in its epoch.';

RESET ROLE;

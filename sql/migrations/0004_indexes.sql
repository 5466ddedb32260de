-- Indexes for readers. A question names a model, a person or an id and never a log, so these lead with
-- what is asked; 0001 led them with `log`, where a reader could only walk them whole.

SET LOCAL ROLE modeltrail_owner;

DROP INDEX modeltrail.placement_open, modeltrail.placement_model, modeltrail.placement_id,
    modeltrail.change_time, modeltrail.change_id, modeltrail.request_principal, modeltrail.event_source;

CREATE INDEX placement_open ON modeltrail.placement (model, version) WHERE valid_to IS NULL;
CREATE INDEX placement_model ON modeltrail.placement (model, valid_from);
CREATE INDEX placement_id ON modeltrail.placement (placement_id);
CREATE INDEX change_model ON modeltrail.change ((coalesce(to_model, from_model)), happened_at);
CREATE INDEX change_time ON modeltrail.change (happened_at);
CREATE INDEX change_id ON modeltrail.change (change_id);
CREATE INDEX request_principal ON modeltrail.request (principal, at);
CREATE INDEX request_impersonator ON modeltrail.request (impersonated_by) WHERE impersonated_by IS NOT NULL;
CREATE INDEX event_source ON modeltrail.event (collector, epoch, seq, log);
CREATE INDEX route_target ON modeltrail.route (target);
CREATE INDEX person_map_rule ON modeltrail.person_map (log) WHERE is_rule;
CREATE INDEX person_map_name ON modeltrail.person_map (log, lower(name)) WHERE NOT is_rule;
CREATE INDEX person_map_person ON modeltrail.person_map (log, lower(person)) WHERE NOT is_rule;
CREATE INDEX workload_namespace ON modeltrail.workload (log, cluster, namespace, uid);

-- A namespace lies in one cluster, which the planner would not guess; it decides by this whether looking
-- up a scope once for many rows pays.
CREATE STATISTICS modeltrail.workload_scope (ndistinct)
    ON log, cluster, namespace, resource FROM modeltrail.workload;

-- Few rows qualify, so these cost the writer one test per event or request.
CREATE INDEX event_quarantined ON modeltrail.event (collector) WHERE quarantined IS NOT NULL;
CREATE INDEX event_allow_list ON modeltrail.event (log_index)
    WHERE type = 'dev.modeltrail.allowlist.loaded.v1';
CREATE INDEX request_attempt ON modeltrail.request (log, cluster, audit_id, stage, log_index)
    WHERE code >= 400 OR dry_run;

-- Coverage is asked per scope, and a watch of a month leaves thousands of facts: these let a query step
-- from one session (one `watched_since`) to the next without reading what lies between.
CREATE INDEX watched_session ON modeltrail.watched
    (log, cluster, aspect, namespace, resource, collector, watched_since, through);
CREATE INDEX listing_session ON modeltrail.listing
    (log, cluster, resource, namespace, (coalesce(watched_since, listed_at)),
     (coalesce(looked_at, listed_at)))
    WHERE selector IS NULL AND uid_to IS NULL;
CREATE INDEX mark_cluster ON modeltrail.mark
    USING gin (jsonb_path_query_array(through, '$[*].cluster') jsonb_path_ops);
CREATE INDEX gap_scope ON modeltrail.gap (log, cluster, aspect, namespace, resource);

RESET ROLE;

-- From a GitOps tool's request to the commit that asked for it: object -> application -> sync -> revision ->
-- the last commit that touched the object's manifest -> its author. Each link is a fact that a source told; where
-- one is missing the chain ends there and says why. Nothing is rendered: of Helm and Kustomize it ends at the revision.

SET LOCAL ROLE modeltrail_owner;

-- How far a chain reaches, and what each link says. Members behind its end are NULL.
CREATE TYPE modeltrail.gitops_chain AS (
    chain_end         text,             -- request, application, revision, commit
    chain_end_reason  text,             -- why no further; NULL at a commit
    tool              text,
    kind              text,             -- of the tool's object: Application, Kustomization ...
    application       text,             -- NAMESPACE/NAME, or NAME
    belonging         text,             -- tracking_id, labels, instance_label: what says that the object is of it
    sync_index        bigint,           -- event that tells of the sync
    synced_from       timestamptz,      -- upper bounds; NULL: not told
    synced_at         timestamptz,
    initiated_by      text,             -- who pressed the button; NULL: nobody did, or the tool does not tell
    is_automated      boolean,
    revision          text,             -- as the tool tells it
    previous_revision text,             -- that of the sync before; '' there was none
    repository        text,
    commit_index      bigint,           -- event that declares the commit
    commit_id         text,
    path              text,
    signature         text,             -- as of table commit
    author            text,             -- address, else name
    person            text,             -- by the mapping of the request's instant
    person_kind       text,
    matched_by        text,
    approved_by       text,             -- trailers
    ticket            text
);

-- Adds the sync that a request was part of, or why none is known. `source` is where that took from.
CREATE FUNCTION modeltrail.chain_sync(chain modeltrail.gitops_chain, of_log smallint, of_cluster text,
                                      of_resource text, of_uid uuid, of_position bigint, at timestamptz,
                                      OUT result modeltrail.gitops_chain, OUT source modeltrail.gitops_source)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    names text[] := string_to_array((chain).application, '/');
    app text := names[cardinality(names)];
    place record;
    found modeltrail.gitops_run;
    run modeltrail.gitops_sync;
    own modeltrail.gitops_sync;
    before modeltrail.gitops_sync;
    earlier modeltrail.gitops_source;
    button record;
BEGIN
    result := chain;
    result.chain_end := 'application';
    place := modeltrail.application_place(of_log, (chain).kind, CASE WHEN cardinality(names) > 1 THEN names[1] END,
                                          app, of_cluster);
    IF place.cluster IS NULL OR place.is_ambiguous THEN
        result.chain_end_reason := CASE WHEN place.is_ambiguous THEN 'application_ambiguous'
                                        ELSE 'application_not_collected' END;
        RETURN;
    END IF;
    found := modeltrail.run_of((chain).kind, place.cluster, place.namespace, app, of_log, of_cluster, of_resource,
                               of_uid, of_position, at);
    run := found.run;
    own := found.own;
    before := found.before;
    result.chain_end_reason := found.reason;
    IF (run).log IS NULL OR found.reason LIKE 'sync_%' THEN
        RETURN;
    END IF;
    result.chain_end := 'revision';
    result.sync_index := (run).log_index;
    result.synced_from := (run).started_at;
    result.synced_at := CASE WHEN (run).part = 'operation' THEN (run).finished_at ELSE coalesce((run).at, (run).observed_at) END;
    SELECT * INTO button FROM modeltrail.button_of(run, own);
    result.initiated_by := button.initiated_by;
    result.is_automated := button.automated;
    result.revision := (run).revision;
    result.previous_revision := CASE WHEN (before).log IS NOT NULL THEN (before).revision
                                     WHEN modeltrail.is_first_run(run, own) THEN '' END;
    source := modeltrail.source_of(CASE WHEN (own).log IS NOT NULL THEN own ELSE run END, at);
    IF (before).log IS NOT NULL THEN
        earlier := modeltrail.source_of(before, coalesce((before).at, (before).started_at, (before).observed_at));
        IF (modeltrail.repository_key((earlier).url), modeltrail.folder_prefix((earlier).path))
           <> (modeltrail.repository_key((source).url), modeltrail.folder_prefix((source).path)) THEN
            result.chain_end_reason := 'source_changed';
        ELSIF result.revision = result.previous_revision AND result.chain_end_reason IS NULL THEN
            result.chain_end_reason := CASE WHEN (before).part = 'operation' AND (before).phase IS DISTINCT FROM 'Succeeded'
                                            THEN 'retried' ELSE 'self_heal' END;
        END IF;
    END IF;
END
$$;

-- Adds the commit that asked for what was synced, or why none is named.
CREATE FUNCTION modeltrail.chain_commit(chain modeltrail.gitops_chain, source modeltrail.gitops_source, of_log smallint,
                                        of_cluster text, of_resource text, of_kind text, of_namespace text,
                                        of_name text, at timestamptz, is_removal boolean)
    RETURNS modeltrail.gitops_chain
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target text := modeltrail.revision_commit((chain).revision);
    base text := modeltrail.revision_commit((chain).previous_revision);
    key text := modeltrail.repository_key((source).url);
    of_group text := substr(of_resource, strpos(of_resource || '.', '.') + 1);
    found record;
BEGIN
    chain.repository := (source).url;
    chain.chain_end_reason := CASE
        WHEN (chain).revision IS NULL THEN 'sync_not_seen'
        WHEN target IS NULL THEN 'not_a_commit'
        WHEN (source).is_one_of_several THEN 'several_sources'
        WHEN NOT EXISTS (SELECT FROM modeltrail.commit c
                         WHERE c.log = of_log AND c.commit_id = target AND modeltrail.repository_key(c.repository) = key)
        THEN 'commits_not_collected'
        WHEN base IS NULL AND (chain).previous_revision IS DISTINCT FROM '' THEN 'previous_unknown'
        WHEN (source).shaping IS NOT NULL
             OR modeltrail.is_composed(of_log, key, modeltrail.folder_prefix((source).path)) THEN 'rendered' END;
    IF (chain).chain_end_reason IS NOT NULL THEN
        RETURN chain;
    END IF;
    SELECT * INTO found
    FROM modeltrail.commit_touching(of_log, target, base, key, source, (chain).tool, of_group, of_kind,
                                    of_namespace, of_name, is_removal);
    IF found.reason IS NULL AND found.commit_id IS NOT NULL AND NOT is_removal AND modeltrail.is_declared_twice(
           of_log, target, key, source, (chain).tool, of_group, of_kind, of_namespace, of_name) THEN
        found.reason := 'declared_twice';
    END IF;
    -- What could not be read may hold the object too, and came later.
    IF found.reason IS NOT NULL OR found.commit_id IS NULL OR found.is_opaque THEN
        chain.chain_end_reason := coalesce(found.reason, CASE WHEN found.is_opaque THEN 'rendered' ELSE 'not_touched' END);
        RETURN chain;
    END IF;
    SELECT c.log_index, c.signature, coalesce(c.author_email, c.author_name),
           nullif(array_to_string(c.approved_by, ', '), ''), nullif(array_to_string(c.tickets, ', '), '')
    INTO chain.commit_index, chain.signature, chain.author, chain.approved_by, chain.ticket
    FROM modeltrail.commit c
    WHERE c.log = of_log AND c.commit_id = found.commit_id AND modeltrail.repository_key(c.repository) = key
    ORDER BY c.signature = 'bad' DESC, c.log_index + 0 LIMIT 1;
    IF (chain).signature = 'bad' THEN -- git found that it is not whose it claims to be
        chain.author := NULL;
        chain.approved_by := NULL;
        chain.ticket := NULL;
        chain.commit_index := NULL;
        chain.chain_end_reason := 'bad_signature';
        RETURN chain;
    END IF;
    chain.chain_end := 'commit';
    chain.commit_id := found.commit_id;
    chain.path := found.path;
    SELECT p.person, p.kind, p.matched_by INTO chain.person, chain.person_kind, chain.matched_by
    FROM modeltrail.person_of(of_log, (chain).author, at) p;
    -- Seldon commits with one account for everybody: a name that nobody mapped may be that account's.
    IF (chain).matched_by = 'none'
       AND (modeltrail.chain_namespace(NULL, of_log, of_cluster, of_namespace, at)).tool IS NOT NULL THEN
        chain.person_kind := 'service';
    END IF;
    RETURN chain;
END
$$;

-- An object that names no application: Seldon's GitOps marks the namespace, and tells of no sync.
CREATE FUNCTION modeltrail.chain_namespace(chain modeltrail.gitops_chain, of_log smallint, of_cluster text,
                                           of_namespace text, at timestamptz) RETURNS modeltrail.gitops_chain
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    SELECT n.gitops_tool, n.gitops_repository INTO chain.tool, chain.repository
    FROM modeltrail.namespace_label n
    WHERE n.log = of_log AND n.cluster = of_cluster AND n.namespace = of_namespace AND n.at <= chain_namespace.at
    ORDER BY n.position DESC, n.log_index DESC LIMIT 1;
    IF chain.tool IS NULL THEN
        chain.chain_end_reason := 'no_application';
    ELSE
        chain.chain_end := 'application';
        chain.chain_end_reason := 'sync_not_seen';
    END IF;
    RETURN chain;
END
$$;

-- The whole chain behind a GitOps tool's request that made a position of a workload at an instant. NULL for no log,
-- which is how the views ask about everybody else's requests.
CREATE FUNCTION modeltrail.chain_of(of_log smallint, of_cluster text, of_resource text, of_uid uuid,
                                    of_position bigint, at timestamptz, is_removal boolean)
    RETURNS modeltrail.gitops_chain
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 5000
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    chain modeltrail.gitops_chain;
    synced record;
    object record;
    mark json;
BEGIN
    chain.chain_end := 'request';
    SELECT w.kind, w.namespace, w.name INTO object FROM modeltrail.workload w
    WHERE w.log = of_log AND w.cluster = of_cluster AND w.resource = of_resource AND w.uid = of_uid;
    -- What the newest reading said by then; a removal's own shows the object as it was last.
    SELECT s.origin->'gitops' INTO mark FROM modeltrail.state s
    WHERE s.log = of_log AND s.cluster = of_cluster AND s.resource = of_resource AND s.uid = of_uid
      AND s.position <= of_position
    ORDER BY s.position DESC, s.removed, s.extractor DESC, s.log_index LIMIT 1;
    IF mark->>'application' IS NULL THEN
        RETURN modeltrail.chain_namespace(chain, of_log, of_cluster, object.namespace, at);
    END IF;
    chain.tool := mark->>'tool';
    chain.kind := mark->>'kind';
    chain.application := mark->>'application';
    chain.belonging := mark->>'evidence';
    synced := modeltrail.chain_sync(chain, of_log, of_cluster, of_resource, of_uid, of_position, at);
    IF (synced.result).chain_end <> 'revision' OR (synced.result).chain_end_reason IS NOT NULL THEN
        RETURN synced.result;
    END IF;
    RETURN modeltrail.chain_commit(synced.result, synced.source, of_log, of_cluster, of_resource, object.kind,
                                   object.namespace, object.name, at, is_removal);
END
$$;
GRANT EXECUTE ON FUNCTION modeltrail.chain_of(smallint, text, text, uuid, bigint, timestamptz, boolean)
    TO modeltrail_reader;

-- What the views show of a chain. The revision is the commit's where one is named, else what was synced.
CREATE FUNCTION modeltrail.chain_revision(chain modeltrail.gitops_chain) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce((chain).commit_id, modeltrail.revision_commit((chain).revision), (chain).revision) COLLATE "C";

-- The furthest link's evidence; where no request is credited, what managedFields say, which is a tool at most.
CREATE FUNCTION modeltrail.chain_evidence(of_request text, chain modeltrail.gitops_chain, manager text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (chain).chain_end = 'commit' THEN 'git'
                WHEN (chain).chain_end IN ('revision', 'application') THEN (chain).tool
                WHEN of_request IS NOT NULL THEN of_request
                WHEN manager IS NOT NULL THEN 'managed_fields' END COLLATE "C";
GRANT EXECUTE ON FUNCTION modeltrail.revision_commit(text), modeltrail.chain_revision(modeltrail.gitops_chain),
    modeltrail.chain_evidence(text, modeltrail.gitops_chain, text) TO modeltrail_reader;

RESET ROLE;

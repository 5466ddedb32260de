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
    author            text,             -- address, else name
    person            text,             -- by the mapping of the request's instant
    person_kind       text,
    matched_by        text,
    approved_by       text,             -- trailers
    ticket            text
);

-- Times of tools are of whole seconds, and clocks of controllers and API servers differ.
CREATE FUNCTION modeltrail.sync_slack() RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN interval '3 s';

-- One repository has many URLs: without scheme, user, port and ".git" they are one.
CREATE FUNCTION modeltrail.repository_key(url text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    regexp_replace(url, '^[A-Za-z][A-Za-z0-9+.-]*://', ''),
                    '^[^/@]*@', ''),
                '^([^/:]+):[0-9]+/', '\1/'),
            '^([^/:]+):/?', '\1/'),
        '(\.git)?/*$', '') COLLATE "C";

-- "main@sha1:1f2e..." and "1f2e..." name a commit; a chart's version does not.
CREATE FUNCTION modeltrail.revision_commit(revision text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN substring(revision FROM '(?:^|[:/])([0-9a-f]{40}|[0-9a-f]{64})$') COLLATE "C";

-- "./prod/" and "prod" are the folder prod/; "" and "." the whole repository.
CREATE FUNCTION modeltrail.folder_prefix(path text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN btrim(regexp_replace(coalesce(path, ''), '^\./', ''), '/') IN ('', '.') THEN ''
                ELSE btrim(regexp_replace(path, '^\./', ''), '/') || '/' END COLLATE "C";

-- When a row of gitops_sync counts: a sync when it was done, an operation when it began.
CREATE FUNCTION modeltrail.counts_at(row_of modeltrail.gitops_sync) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(row_of.at, row_of.started_at, row_of.observed_at);

CREATE INDEX gitops_sync_time ON modeltrail.gitops_sync
    (log, kind, name, cluster, namespace, part, (coalesce(at, started_at, observed_at)), log_index);
CREATE INDEX commit_path_opaque ON modeltrail.commit_path (log, path, log_index) WHERE NOT rendered;

-- The application's object: in the workload's own cluster, else in the only one that has such a name (Argo CD of a
-- management cluster). Two of them are not told apart: then `is_ambiguous`.
CREATE FUNCTION modeltrail.application_place(of_log smallint, of_kind text, of_namespace text, of_name text,
                                             near_cluster text, OUT cluster text, OUT namespace text,
                                             OUT is_ambiguous boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    SELECT first.cluster, first.namespace, first.namespace <> last.namespace
    INTO application_place.cluster, application_place.namespace, application_place.is_ambiguous
    FROM (SELECT s.cluster, s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name AND s.cluster = near_cluster
            AND s.namespace >= coalesce(of_namespace, '') AND s.namespace <= coalesce(of_namespace, s.namespace)
          ORDER BY s.namespace LIMIT 1) first,
         (SELECT s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name AND s.cluster = near_cluster
            AND s.namespace >= coalesce(of_namespace, '') AND s.namespace <= coalesce(of_namespace, s.namespace)
          ORDER BY s.namespace DESC LIMIT 1) last;
    IF FOUND THEN
        RETURN;
    END IF;
    -- The first and the last by name: the index leads to both.
    SELECT first.cluster, first.namespace, (first.cluster, first.namespace) <> (last.cluster, last.namespace)
    INTO application_place.cluster, application_place.namespace, application_place.is_ambiguous
    FROM (SELECT s.cluster, s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name
            AND s.namespace = coalesce(of_namespace, s.namespace)
          ORDER BY s.cluster, s.namespace LIMIT 1) first,
         (SELECT s.cluster, s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name
            AND s.namespace = coalesce(of_namespace, s.namespace)
          ORDER BY s.cluster DESC, s.namespace DESC LIMIT 1) last;
END
$$;

-- The operation of Argo CD during which the request came. Of two that both may have made it, by the clocks' slack
-- alone, none.
CREATE FUNCTION modeltrail.operation_at(of_log smallint, of_kind text, of_cluster text, of_namespace text,
                                        of_name text, at timestamptz)
    RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    -- The newest eight, and of each the newest word: what it said while it ran is overtaken by what it said at its
    -- end, whichever came first. One by one, so that what is told again and again crowds none out.
    WITH RECURSIVE newest AS (
        (SELECT s.log_index, s.ordinal, s.log, s.started_at, s.finished_at, s.revision, 1 AS depth
         FROM modeltrail.gitops_sync s
         WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
           AND s.part = 'operation' AND s.started_at IS NOT NULL
           AND coalesce(s.at, s.started_at, s.observed_at) <= $6 + modeltrail.sync_slack()
         ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.position DESC, s.log_index DESC LIMIT 1)
        UNION ALL
        SELECT older.*, newest.depth + 1
        FROM newest
        CROSS JOIN LATERAL (
            SELECT s.log_index, s.ordinal, s.log, s.started_at, s.finished_at, s.revision
            FROM modeltrail.gitops_sync s
            WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
              AND s.part = 'operation' AND s.started_at IS NOT NULL
              AND coalesce(s.at, s.started_at, s.observed_at) < newest.started_at
            ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.position DESC, s.log_index DESC LIMIT 1) older
        WHERE newest.depth < 8),
    run AS (
        SELECT *, started_at - interval '1 s' <= $6 AND coalesce(finished_at, 'infinity') >= $6 AS is_within
        FROM newest),
    near AS (
        SELECT * FROM run WHERE coalesce(finished_at, 'infinity') + modeltrail.sync_slack() >= $6)
    SELECT (s.*)::modeltrail.gitops_sync
    FROM near n
    JOIN modeltrail.gitops_sync s ON s.log = n.log AND s.log_index = n.log_index AND s.ordinal = n.ordinal
    WHERE n.is_within OR NOT EXISTS (
        SELECT FROM near other WHERE other.started_at <> n.started_at
          AND (other.is_within OR other.revision IS DISTINCT FROM n.revision))
    ORDER BY n.is_within DESC, n.started_at DESC LIMIT 1;
END;

-- Whether a sync is the one that an operation made. It is noted before the operation is said to have ended, so that
-- the two ends may lie in different seconds; the beginning is one, where the tool tells it of syncs.
CREATE FUNCTION modeltrail.is_sync_of(sync modeltrail.gitops_sync, run modeltrail.gitops_sync) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(CASE WHEN (sync).started_at IS NOT NULL THEN (sync).started_at = (run).started_at
                         ELSE (sync).revision = (run).revision
                              AND (sync).at BETWEEN (run).started_at AND (run).finished_at END, false);

-- The newest sync that was done by an instant; `but` leaves out the one that an operation itself made.
CREATE FUNCTION modeltrail.sync_before(of_log smallint, of_kind text, of_cluster text, of_namespace text,
                                       of_name text, at timestamptz, but modeltrail.gitops_sync)
    RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (s.*)::modeltrail.gitops_sync FROM modeltrail.gitops_sync s
    WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
      AND s.part = 'sync' AND coalesce(s.at, s.started_at, s.observed_at) <= $6
      AND NOT modeltrail.is_sync_of(s, $7)
    ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, length(s.sync_id) DESC, s.sync_id DESC, s.log_index,
             s.ordinal
    LIMIT 1;
END;

-- The first sync that was done at or behind an instant. A revision that is told again without a time is no sync.
CREATE FUNCTION modeltrail.sync_after(of_log smallint, of_kind text, of_cluster text, of_namespace text,
                                      of_name text, at timestamptz, present_revision text)
    RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (s.*)::modeltrail.gitops_sync FROM modeltrail.gitops_sync s
    WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
      AND s.part = 'sync' AND coalesce(s.at, s.started_at, s.observed_at) >= $6
      AND NOT (s.at IS NULL AND s.revision IS NOT DISTINCT FROM $7)
    ORDER BY coalesce(s.at, s.started_at, s.observed_at), length(s.sync_id), s.sync_id, s.log_index, s.ordinal
    LIMIT 1;
END;

-- Who pressed the button. Argo CD merges an operation's state into that of the one before, so that the name of whoever
-- started an earlier one stays there, and so does "automated": of both together neither is told. Its history is written
-- anew each time, and decides.
CREATE FUNCTION modeltrail.button_of(run modeltrail.gitops_sync, OUT initiated_by text, OUT automated boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    button_of.initiated_by := (run).initiated_by;
    button_of.automated := (run).automated;
    IF (run).part <> 'operation' OR (run).initiated_by IS NULL OR (run).automated IS NOT TRUE THEN
        RETURN;
    END IF;
    SELECT s.initiated_by, s.automated INTO button_of.initiated_by, button_of.automated
    FROM modeltrail.gitops_sync s
    WHERE s.log = (run).log AND s.kind = (run).kind AND s.cluster = (run).cluster AND s.namespace = (run).namespace
      AND s.name = (run).name AND s.part = 'sync' AND modeltrail.is_sync_of(s, run)
    ORDER BY s.log_index, s.ordinal LIMIT 1;
END
$$;

-- Whether nothing was synced before it: Argo CD counts from 0; else the object was seen before it had synced anything.
CREATE FUNCTION modeltrail.is_first_sync(sync modeltrail.gitops_sync) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (sync).tool = 'argocd' AND (sync).sync_id = '0' OR EXISTS (
        SELECT FROM (
            SELECT s.log_index FROM modeltrail.gitops_sync s
            WHERE s.log = (sync).log AND s.kind = (sync).kind AND s.name = (sync).name
              AND s.cluster = (sync).cluster AND s.namespace = (sync).namespace AND s.part = 'source'
              AND s.uid = (sync).uid AND s.position < (sync).position
            ORDER BY s.position, s.log_index LIMIT 1) seen
        WHERE NOT EXISTS (
            SELECT FROM modeltrail.gitops_sync s
            WHERE s.log = (sync).log AND s.log_index = seen.log_index AND s.part = 'sync'));
END;

-- The repository and folder of a sync: what it tells itself, else what the application's spec said then. Flux names
-- the object that has the URL. Which of several an object came from is not told.
CREATE FUNCTION modeltrail.source_of(sync modeltrail.gitops_sync, at timestamptz, OUT url text, OUT path text,
                                     OUT is_one_of_several boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    told record;
    parts text[];
BEGIN
    source_of.url := (sync).url;
    source_of.path := (sync).path;
    source_of.is_one_of_several := EXISTS (
        SELECT FROM modeltrail.gitops_sync s
        WHERE s.log = (sync).log AND s.log_index = (sync).log_index AND s.part = (sync).part
          AND s.sync_id = (sync).sync_id AND s.ordinal <> (sync).ordinal);
    IF source_of.url IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT s.url, s.path, s.source, s.log, s.log_index, s.ordinal INTO told FROM modeltrail.gitops_sync s
    WHERE s.log = (sync).log AND s.kind = (sync).kind AND s.name = (sync).name AND s.cluster = (sync).cluster
      AND s.namespace = (sync).namespace AND s.part = 'source' AND NOT s.removed
    ORDER BY s.observed_at > source_of.at, abs(extract(epoch FROM s.observed_at - source_of.at)), s.log_index, s.ordinal
    LIMIT 1;
    source_of.path := told.path;
    source_of.url := told.url;
    source_of.is_one_of_several := EXISTS (
        SELECT FROM modeltrail.gitops_sync s
        WHERE s.log = told.log AND s.log_index = told.log_index AND s.part = 'source' AND s.ordinal <> told.ordinal);
    parts := string_to_array(told.source, '/');
    IF source_of.url IS NULL AND cardinality(parts) = 3 THEN
        SELECT s.url INTO source_of.url FROM modeltrail.gitops_sync s
        WHERE s.log = (sync).log AND s.kind = parts[1] AND s.name = parts[3] AND s.cluster = (sync).cluster
          AND s.namespace = parts[2] AND s.part = 'source' AND s.url IS NOT NULL
        ORDER BY s.observed_at > source_of.at, abs(extract(epoch FROM s.observed_at - source_of.at)), s.log_index
        LIMIT 1;
    END IF;
END
$$;

-- Where a commit stands on the first-parent line of a watched branch: parents are told before children, so the order
-- of the first tellings is that of the line. One that is read again keeps its place.
CREATE FUNCTION modeltrail.commit_place(of_log smallint, of_commit text, of_key text, of_repository text,
                                        of_branch text, OUT repository text, OUT branch text, OUT log_index bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.repository, c.branch, c.log_index FROM modeltrail.commit c
    WHERE c.log = $1 AND c.commit_id = $2 AND c.mainline AND modeltrail.repository_key(c.repository) = $3
      AND ($4 IS NULL OR c.repository = $4 AND c.branch = $5)
    ORDER BY c.log_index + 0 LIMIT 1; -- not by the primary key's order, which would be walked
END;

-- The last commit of a stretch that touched an object, merged work before the merge. `is_end` is whether it took the
-- manifest away.
CREATE FUNCTION modeltrail.commit_touching(of_log smallint, of_repository text, of_branch text, after bigint,
                                           through bigint, prefix text, of_group text, of_kind text,
                                           of_namespace text, of_name text, is_end boolean, OUT log_index bigint,
                                           OUT commit_id text, OUT path text, OUT is_merge_unread boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    merged text[];
    inner_touch record;
BEGIN
    SELECT c.log_index, c.commit_id, p.path, c.brought
    INTO commit_touching.log_index, commit_touching.commit_id, commit_touching.path, merged
    FROM modeltrail.commit_path p
    JOIN modeltrail.commit c ON c.log = p.log AND c.log_index = p.log_index
    WHERE p.log = of_log AND p.kind = of_kind AND p.name = of_name
      AND p.log_index > after AND p.log_index <= through
      AND p.repository = of_repository AND p.branch = of_branch AND c.mainline AND p.rendered
      AND coalesce(p.api_group, '') = of_group AND coalesce(p.namespace, of_namespace) = of_namespace
      AND starts_with(p.path, prefix) AND (p.object_change = 'removed') = commit_touching.is_end
      AND NOT EXISTS ( -- told before: it stands there
          SELECT FROM modeltrail.commit earlier
          WHERE earlier.log = c.log AND earlier.repository = c.repository AND earlier.branch = c.branch
            AND earlier.commit_id = c.commit_id AND earlier.log_index < c.log_index)
    ORDER BY p.log_index DESC, p.ordinal LIMIT 1;
    IF cardinality(merged) > 0 THEN
        SELECT c.log_index, c.commit_id, p.path INTO inner_touch
        FROM modeltrail.commit_path p
        JOIN modeltrail.commit c ON c.log = p.log AND c.log_index = p.log_index
        WHERE p.log = of_log AND p.kind = of_kind AND p.name = of_name AND c.commit_id = ANY (merged)
          AND p.repository = of_repository AND p.branch = of_branch AND p.rendered
          AND coalesce(p.api_group, '') = of_group AND coalesce(p.namespace, of_namespace) = of_namespace
          AND starts_with(p.path, prefix) AND (p.object_change = 'removed') = commit_touching.is_end
        ORDER BY p.log_index DESC, p.ordinal LIMIT 1;
        IF FOUND THEN
            commit_touching.log_index := inner_touch.log_index;
            commit_touching.commit_id := inner_touch.commit_id;
            commit_touching.path := inner_touch.path;
        ELSE -- a merge of more commits than are told may have its own among those
            commit_touching.is_merge_unread := cardinality(merged) >= 1000;
        END IF;
    END IF;
END
$$;

-- Whether a folder is made into something else before it is applied.
CREATE FUNCTION modeltrail.is_composed(of_log smallint, of_repository text, of_branch text, through bigint,
                                       prefix text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM unnest(ARRAY['kustomization.yaml', 'kustomization.yml', 'Kustomization', 'Chart.yaml']) AS file,
        LATERAL (
            SELECT p.path_change FROM modeltrail.commit_path p
            WHERE p.log = $1 AND p.path = $5 || file AND NOT p.rendered AND p.log_index <= $4
              AND p.repository = $2 AND p.branch = $3
            ORDER BY p.log_index DESC LIMIT 1) newest
        WHERE newest.path_change IS DISTINCT FROM 'removed');
END;

-- Whether the tool wrote the object once more before an instant. What a sync applies it applies once, so the last
-- write before the sync was done is the sync's, and one before that was its own doing.
CREATE FUNCTION modeltrail.is_written_again(of_log smallint, of_cluster text, of_resource text, of_uid uuid,
                                            of_position bigint, before timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM modeltrail.attribution mine
        JOIN modeltrail.request asked ON asked.log = mine.log AND asked.log_index = mine.request_index
        JOIN modeltrail.attribution other
          ON other.log = mine.log AND other.cluster = mine.cluster AND other.resource = mine.resource
         AND other.uid = mine.uid AND other.position > mine.position AND other.strength IN ('exact', 'unique')
        JOIN modeltrail.request later ON later.log = other.log AND later.log_index = other.request_index
        WHERE mine.log = $1 AND mine.cluster = $2 AND mine.resource = $3 AND mine.uid = $4 AND mine.position = $5
          AND mine.strength IN ('exact', 'unique')
          AND later.principal = asked.principal AND later.at <= $6);
END;

-- Adds the sync that a request was part of, or why none is known.
CREATE FUNCTION modeltrail.chain_sync(chain modeltrail.gitops_chain, of_log smallint, of_cluster text,
                                      of_resource text, of_uid uuid, of_position bigint, at timestamptz,
                                      OUT result modeltrail.gitops_chain, OUT sync modeltrail.gitops_sync)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    names text[] := string_to_array((chain).application, '/');
    app text := names[cardinality(names)];
    place record;
    run modeltrail.gitops_sync;
    before modeltrail.gitops_sync;
    after modeltrail.gitops_sync;
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
    run := modeltrail.operation_at(of_log, (chain).kind, place.cluster, place.namespace, app, at);
    IF run.log IS NOT NULL THEN
        sync := run;
        result.synced_from := run.started_at;
        result.synced_at := run.finished_at;
        before := modeltrail.sync_before(of_log, (chain).kind, place.cluster, place.namespace, app, run.started_at,
                                         run);
    ELSE
        before := modeltrail.sync_before(of_log, (chain).kind, place.cluster, place.namespace, app,
                                         at - interval '1 us', NULL);
        after := modeltrail.sync_after(of_log, (chain).kind, place.cluster, place.namespace, app, at, before.revision);
        IF after.log IS NULL OR after.started_at - modeltrail.sync_slack() > at THEN
            result.chain_end_reason := 'sync_not_seen';
            RETURN;
        END IF;
        IF after.started_at IS NULL AND before.log IS NOT NULL
           AND modeltrail.is_written_again(of_log, of_cluster, of_resource, of_uid, of_position,
                                           coalesce(after.at, after.observed_at)) THEN
            -- It wrote outside of a sync: what it last synced.
            sync := before;
        ELSE
            sync := after;
        END IF;
        result.synced_from := sync.started_at;
        result.synced_at := coalesce(sync.at, sync.observed_at);
    END IF;
    result.chain_end := 'revision';
    result.sync_index := sync.log_index;
    button := modeltrail.button_of(sync);
    result.initiated_by := button.initiated_by;
    result.is_automated := button.automated;
    result.revision := sync.revision;
    result.previous_revision := CASE WHEN before.log IS NOT NULL THEN before.revision
                                     WHEN modeltrail.is_first_sync(sync) THEN '' END;
    IF result.revision = result.previous_revision THEN
        result.chain_end_reason := 'self_heal';
    END IF;
END
$$;

-- Adds the commit that asked for what was synced, or why none is named.
CREATE FUNCTION modeltrail.chain_commit(chain modeltrail.gitops_chain, sync modeltrail.gitops_sync, of_log smallint,
                                        of_cluster text, of_resource text, of_kind text, of_namespace text, of_name text,
                                        at timestamptz, is_removal boolean)
    RETURNS modeltrail.gitops_chain
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target text := modeltrail.revision_commit((chain).revision);
    base text := modeltrail.revision_commit((chain).previous_revision);
    source record;
    newest record;
    oldest record;
    found record;
    prefix text;
BEGIN
    IF target IS NULL THEN
        chain.chain_end_reason := CASE WHEN (chain).revision IS NULL THEN 'sync_not_seen' ELSE 'not_a_commit' END;
        RETURN chain;
    END IF;
    source := modeltrail.source_of(sync, at);
    IF source.is_one_of_several THEN
        chain.chain_end_reason := 'several_sources';
        RETURN chain;
    END IF;
    chain.repository := source.url;
    SELECT * INTO newest
    FROM modeltrail.commit_place(of_log, target, modeltrail.repository_key(source.url), NULL, NULL);
    IF newest.log_index IS NULL THEN
        chain.chain_end_reason := 'commits_not_collected';
        RETURN chain;
    END IF;
    IF base IS NOT NULL THEN
        SELECT p.log_index INTO oldest
        FROM modeltrail.commit_place(of_log, base, modeltrail.repository_key(source.url), newest.repository,
                                     newest.branch) p;
    ELSE
        SELECT CASE WHEN (chain).previous_revision = '' THEN 0::bigint END AS log_index INTO oldest;
    END IF;
    IF oldest.log_index IS NULL OR oldest.log_index > newest.log_index THEN
        chain.chain_end_reason := CASE WHEN oldest.log_index IS NULL THEN 'previous_unknown' ELSE 'rolled_back' END;
        RETURN chain;
    END IF;
    prefix := modeltrail.folder_prefix(source.path);
    IF (sync).chart IS NOT NULL
       OR modeltrail.is_composed(of_log, newest.repository, newest.branch, newest.log_index, prefix) THEN
        chain.chain_end_reason := 'rendered';
        RETURN chain;
    END IF;
    found := modeltrail.commit_touching(of_log, newest.repository, newest.branch, oldest.log_index,
                                        newest.log_index, prefix, substr(of_resource, strpos(of_resource || '.', '.') + 1),
                                        of_kind, of_namespace, of_name, is_removal);
    IF found.log_index IS NULL OR found.is_merge_unread THEN
        chain.chain_end_reason := CASE
            WHEN found.is_merge_unread THEN 'commits_not_collected'
            WHEN EXISTS (
                SELECT FROM modeltrail.commit_path p
                WHERE p.log = of_log AND p.log_index > oldest.log_index AND p.log_index <= newest.log_index
                  AND p.repository = newest.repository AND NOT p.rendered AND starts_with(p.path, prefix)
                  AND p.path ~ '\.(ya?ml|json|tpl|gotmpl|jsonnet|libsonnet)$') THEN 'rendered'
            ELSE 'not_touched' END;
        RETURN chain;
    END IF;
    chain.chain_end := 'commit';
    chain.commit_index := found.log_index;
    chain.commit_id := found.commit_id;
    chain.path := found.path;
    SELECT coalesce(c.author_email, c.author_name), nullif(array_to_string(c.approved_by, ', '), ''),
           nullif(array_to_string(c.tickets, ', '), '')
    INTO chain.author, chain.approved_by, chain.ticket
    FROM modeltrail.commit c WHERE c.log = of_log AND c.log_index = found.log_index;
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
        chain := modeltrail.chain_namespace(chain, of_log, of_cluster, object.namespace, at);
        RETURN chain;
    END IF;
    chain.tool := mark->>'tool';
    chain.kind := mark->>'kind';
    chain.application := mark->>'application';
    chain.belonging := mark->>'evidence';
    synced := modeltrail.chain_sync(chain, of_log, of_cluster, of_resource, of_uid, of_position, at);
    IF (synced.result).chain_end <> 'revision' OR (synced.result).chain_end_reason IS NOT NULL THEN
        RETURN synced.result;
    END IF;
    RETURN modeltrail.chain_commit(synced.result, synced.sync, of_log, of_cluster, of_resource, object.kind,
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

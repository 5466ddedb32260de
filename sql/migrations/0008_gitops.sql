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

CREATE INDEX gitops_sync_time ON modeltrail.gitops_sync
    (log, kind, name, cluster, namespace, part, (coalesce(at, started_at, observed_at)), log_index);
CREATE INDEX commit_path_object ON modeltrail.commit_path (log, kind, name, commit_id) WHERE name IS NOT NULL;
CREATE INDEX commit_path_opaque ON modeltrail.commit_path (log, path, log_index) WHERE NOT rendered;

-- The application's object: in the workload's own cluster, else in another one when it says that it applies to a
-- cluster that is not its own (Argo CD of a management cluster). Two of one name are not told apart.
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
            AND s.namespace = coalesce(of_namespace, s.namespace) AND s.is_local IS NOT FALSE
          ORDER BY s.namespace LIMIT 1) first,
         (SELECT s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name AND s.cluster = near_cluster
            AND s.namespace = coalesce(of_namespace, s.namespace) AND s.is_local IS NOT FALSE
          ORDER BY s.namespace DESC LIMIT 1) last;
    IF FOUND THEN
        RETURN;
    END IF;
    -- The first and the last by name: the index leads to both.
    SELECT first.cluster, first.namespace, (first.cluster, first.namespace) <> (last.cluster, last.namespace)
    INTO application_place.cluster, application_place.namespace, application_place.is_ambiguous
    FROM (SELECT s.cluster, s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name AND s.cluster <> near_cluster
            AND s.namespace = coalesce(of_namespace, s.namespace) AND s.is_local IS FALSE
          ORDER BY s.cluster, s.namespace LIMIT 1) first,
         (SELECT s.cluster, s.namespace FROM modeltrail.gitops_sync s
          WHERE s.log = of_log AND s.kind = of_kind AND s.name = of_name AND s.cluster <> near_cluster
            AND s.namespace = coalesce(of_namespace, s.namespace) AND s.is_local IS FALSE
          ORDER BY s.cluster DESC, s.namespace DESC LIMIT 1) last;
END
$$;

-- A run is what a tool does in one go: of Argo CD an operation, of Flux, and where no operation was seen, a sync.

-- The entry of the history that an operation made; none of one that only touched single resources, failed, or where
-- no history is kept. It is noted before the operation is said to have ended, so that the two ends may lie in
-- different seconds; the beginning is one, where the tool tells it of syncs.
CREATE FUNCTION modeltrail.sync_of(run modeltrail.gitops_sync) RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (s.*)::modeltrail.gitops_sync FROM modeltrail.gitops_sync s
    WHERE s.log = (run).log AND s.kind = (run).kind AND s.cluster = (run).cluster
      AND s.namespace = (run).namespace AND s.name = (run).name AND s.uid = (run).uid AND s.part = 'sync'
      AND coalesce(s.at, s.started_at, s.observed_at) >= date_trunc('second', (run).started_at)
      AND coalesce(s.at, s.started_at, s.observed_at)
          <= coalesce((run).finished_at + modeltrail.sync_slack(), 'infinity')
      AND CASE WHEN s.started_at IS NOT NULL THEN s.started_at = (run).started_at
               ELSE s.revision = (run).revision AND s.at <= coalesce((run).finished_at, 'infinity') END
    ORDER BY coalesce(s.at, s.started_at, s.observed_at), s.log_index, s.ordinal LIMIT 1;
END;

-- The operations of Argo CD during which a request may have come: those that ran then, else those that the clocks'
-- slack allows. Of each the newest word counts: what it said while it ran is overtaken by what it said at its end,
-- whichever came first. More than one row: it cannot be told which.
CREATE FUNCTION modeltrail.operations_at(of_log smallint, of_kind text, of_cluster text, of_namespace text,
                                         of_name text, at timestamptz)
    RETURNS SETOF modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    -- One by one, so that what is told again and again crowds none out.
    WITH RECURSIVE newest AS (
        (SELECT s.log_index, s.ordinal, s.log, s.started_at, s.finished_at, 1 AS depth
         FROM modeltrail.gitops_sync s
         WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
           AND s.part = 'operation' AND s.started_at IS NOT NULL
           AND coalesce(s.at, s.started_at, s.observed_at) <= $6 + modeltrail.sync_slack()
         ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.position DESC, s.log_index DESC LIMIT 1)
        UNION ALL
        SELECT older.*, newest.depth + 1
        FROM newest
        CROSS JOIN LATERAL (
            SELECT s.log_index, s.ordinal, s.log, s.started_at, s.finished_at
            FROM modeltrail.gitops_sync s
            WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
              AND s.part = 'operation' AND s.started_at IS NOT NULL
              AND coalesce(s.at, s.started_at, s.observed_at) < newest.started_at
            ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.position DESC, s.log_index DESC LIMIT 1) older
        -- One runs at a time: before one that was over then, no other can have run then.
        WHERE newest.depth < 8 AND coalesce(newest.finished_at, 'infinity') + modeltrail.sync_slack() >= $6),
    -- Whole seconds: one from :00 to :02 ran until :03, and not before :00. Of one whose end was not told it is known
    -- that it ran when it was seen running, and had ended when its entry of the history was written.
    ended AS (
        SELECT newest.log_index, newest.ordinal, newest.log, newest.started_at, coalesce(
                   newest.finished_at, (modeltrail.sync_of(s)).at, date_trunc('second', s.observed_at)) AS finished_at
        FROM newest
        JOIN modeltrail.gitops_sync s ON s.log = newest.log AND s.log_index = newest.log_index
                                     AND s.ordinal = newest.ordinal),
    run AS (
        SELECT *, date_trunc('second', started_at) <= $6
                  AND date_trunc('second', finished_at) + interval '1 s' > $6 AS is_within
        FROM ended
        WHERE finished_at + modeltrail.sync_slack() >= $6)
    SELECT s.*
    FROM run
    JOIN modeltrail.gitops_sync s ON s.log = run.log AND s.log_index = run.log_index AND s.ordinal = run.ordinal
    WHERE run.is_within OR NOT EXISTS (SELECT FROM run other WHERE other.is_within);
END;

-- What was applied before a run: the newest sync that was done by then, or the operation that began last, which may
-- have failed midway or be in no history. `own` is the run's entry of the history.
CREATE FUNCTION modeltrail.run_before(run modeltrail.gitops_sync, own modeltrail.gitops_sync, at timestamptz)
    RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (found.*)::modeltrail.gitops_sync FROM (
        (SELECT s.* FROM modeltrail.gitops_sync s
         WHERE s.log = (run).log AND s.kind = (run).kind AND s.cluster = (run).cluster
           AND s.namespace = (run).namespace AND s.name = (run).name AND s.uid = (run).uid AND s.part = 'sync'
           AND coalesce(s.at, s.started_at, s.observed_at) <= $3
           AND (s.sync_id, s.revision, s.at) IS DISTINCT FROM ((own).sync_id, (own).revision, (own).at)
         ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, length(s.sync_id) DESC, s.sync_id DESC,
                  s.log_index, s.ordinal LIMIT 1)
        UNION ALL
        (SELECT s.* FROM modeltrail.gitops_sync s
         WHERE s.log = (run).log AND s.kind = (run).kind AND s.cluster = (run).cluster
           AND s.namespace = (run).namespace AND s.name = (run).name AND s.uid = (run).uid
           AND s.part = 'operation' AND s.started_at IS NOT NULL
           AND coalesce(s.at, s.started_at, s.observed_at)
               < CASE WHEN (run).part = 'operation' THEN (run).started_at ELSE $3 END
         ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.position DESC, s.log_index DESC LIMIT 1)) found
    ORDER BY coalesce(found.finished_at, found.at, found.started_at, found.observed_at) DESC, found.part DESC LIMIT 1;
END;

-- The first sync that was done at or behind an instant. A revision that is told again without a time is no sync.
CREATE FUNCTION modeltrail.sync_after(of_log smallint, of_kind text, of_cluster text, of_namespace text,
                                      of_name text, at timestamptz)
    RETURNS modeltrail.gitops_sync
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (s.*)::modeltrail.gitops_sync FROM modeltrail.gitops_sync s
    WHERE s.log = $1 AND s.kind = $2 AND s.cluster = $3 AND s.namespace = $4 AND s.name = $5
      AND s.part = 'sync' AND coalesce(s.at, s.started_at, s.observed_at) >= $6
      AND NOT (s.at IS NULL AND s.revision IS NOT DISTINCT FROM (
          SELECT p.revision FROM modeltrail.gitops_sync p
          WHERE p.log = $1 AND p.kind = $2 AND p.cluster = $3 AND p.namespace = $4 AND p.name = $5
            AND p.part = 'sync' AND coalesce(p.at, p.started_at, p.observed_at) < $6
          ORDER BY coalesce(p.at, p.started_at, p.observed_at) DESC, p.log_index LIMIT 1))
    ORDER BY coalesce(s.at, s.started_at, s.observed_at), length(s.sync_id), s.sync_id, s.log_index, s.ordinal
    LIMIT 1;
END;

-- Who pressed the button. Argo CD merges an operation's state into that of the one before, so that the name of whoever
-- started an earlier one stays there, and so does "automated": of both together neither is told. Its history is written
-- anew each time, and decides.
CREATE FUNCTION modeltrail.button_of(run modeltrail.gitops_sync, own modeltrail.gitops_sync, OUT initiated_by text,
                                     OUT automated boolean)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN is_mixed THEN (own).initiated_by ELSE (run).initiated_by END,
           CASE WHEN is_mixed THEN (own).automated ELSE (run).automated END
    FROM (SELECT (run).part = 'operation' AND (run).initiated_by IS NOT NULL AND (run).automated IS TRUE AS is_mixed) mix;
END;

-- Whether nothing was synced before it, by this object or an earlier one of its name: Argo CD counts from 0; else the
-- object was seen before it had synced anything.
CREATE FUNCTION modeltrail.is_first_run(run modeltrail.gitops_sync, own modeltrail.gitops_sync) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ((run).tool = 'argocd' AND coalesce((own).sync_id, (run).sync_id) = '0' OR EXISTS (
               SELECT FROM (
                   SELECT s.log_index FROM modeltrail.gitops_sync s
                   WHERE s.log = (run).log AND s.kind = (run).kind AND s.name = (run).name
                     AND s.cluster = (run).cluster AND s.namespace = (run).namespace AND s.part = 'source'
                     AND s.uid = (run).uid AND s.position < (run).position
                   ORDER BY s.position, s.log_index LIMIT 1) seen
               WHERE NOT EXISTS (
                   SELECT FROM modeltrail.gitops_sync s
                   WHERE s.log = (run).log AND s.log_index = seen.log_index AND s.part <> 'source')))
        AND NOT EXISTS (
            SELECT FROM modeltrail.gitops_sync s
            WHERE s.log = (run).log AND s.kind = (run).kind AND s.name = (run).name AND s.cluster = (run).cluster
              AND s.namespace = (run).namespace AND s.part IN ('sync', 'operation')
              AND s.uid <> (run).uid AND s.position < (run).position);
END;

-- Where a run took from. A sync of Argo CD tells it itself; else it is what the spec said last before the instant. Flux
-- names the object that has the URL.
CREATE TYPE modeltrail.gitops_source AS (
    url text, path text, target_namespace text, recurses boolean, shaping text, is_one_of_several boolean
);
CREATE FUNCTION modeltrail.source_of(run modeltrail.gitops_sync, at timestamptz) RETURNS modeltrail.gitops_source
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    told modeltrail.gitops_sync := run;
    source modeltrail.gitops_source;
    parts text[];
BEGIN
    IF (run).url IS NULL THEN
        SELECT s.* INTO told FROM modeltrail.gitops_sync s
        WHERE s.log = (run).log AND s.kind = (run).kind AND s.name = (run).name AND s.cluster = (run).cluster
          AND s.namespace = (run).namespace AND s.part = 'source' AND s.uid = (run).uid AND NOT s.removed
          AND coalesce(s.at, s.started_at, s.observed_at) <= source_of.at + modeltrail.sync_slack()
        ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.log_index DESC, s.ordinal LIMIT 1;
    END IF;
    source.url := told.url;
    source.path := told.path;
    source.target_namespace := told.target_namespace;
    source.recurses := told.recurses;
    source.shaping := coalesce(told.shaping, CASE WHEN told.chart IS NOT NULL THEN 'helm' END);
    source.is_one_of_several := EXISTS (
        SELECT FROM modeltrail.gitops_sync s
        WHERE s.log = told.log AND s.log_index = told.log_index AND s.part = told.part
          AND s.sync_id IS NOT DISTINCT FROM told.sync_id AND s.revision IS NOT DISTINCT FROM told.revision
          AND s.ordinal <> told.ordinal)
        OR EXISTS (
            SELECT FROM modeltrail.gitops_sync s
            WHERE s.log = told.log AND s.log_index = told.log_index AND s.part = told.part
              AND s.sync_id = told.sync_id AND s.ordinal <> told.ordinal);
    parts := string_to_array(told.source, '/');
    IF source.url IS NULL AND cardinality(parts) = 3 THEN
        SELECT s.url INTO source.url FROM modeltrail.gitops_sync s
        WHERE s.log = (run).log AND s.kind = parts[1] AND s.name = parts[3] AND s.cluster = (run).cluster
          AND s.namespace = parts[2] AND s.part = 'source' AND s.url IS NOT NULL
          AND coalesce(s.at, s.started_at, s.observed_at) <= source_of.at + modeltrail.sync_slack()
        ORDER BY coalesce(s.at, s.started_at, s.observed_at) DESC, s.log_index DESC LIMIT 1;
    END IF;
    RETURN source;
END
$$;

-- Whether a file is among those that an application reads.
CREATE FUNCTION modeltrail.is_read(of_path text, source modeltrail.gitops_source) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN starts_with(of_path, modeltrail.folder_prefix((source).path))
           AND ((source).recurses IS TRUE
                OR strpos(substr(of_path, length(modeltrail.folder_prefix((source).path)) + 1), '/') = 0);

-- What a row says of an object to who reads one folder: what moved within it stayed as it was, and what moved into it
-- or out of it came or went.
CREATE FUNCTION modeltrail.is_change(p modeltrail.commit_path, source modeltrail.gitops_source, is_end boolean)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN is_end THEN (p).object_change = 'removed'
                     OR (p).object_change = 'moved' AND NOT modeltrail.is_read((p).moved_to, source)
                ELSE (p).object_change IN ('added', 'modified')
                     OR (p).object_change = 'moved' AND NOT modeltrail.is_read((p).moved_from, source) END;

-- Where a commit touched an object's manifest, whoever told it; NULL: nowhere. `is_end`: it took the manifest away.
-- A manifest without a namespace gets the application's; Flux sets that one on all.
CREATE FUNCTION modeltrail.touched_path(of_log smallint, of_commit text, of_key text, source modeltrail.gitops_source,
                                        of_tool text, of_group text, of_kind text, of_namespace text, of_name text,
                                        is_end boolean) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.path FROM modeltrail.commit_path p
    CROSS JOIN LATERAL (SELECT modeltrail.folder_prefix(($4).path) AS prefix) folder
    WHERE p.log = $1 AND p.kind = $7 AND p.name = $9 AND p.commit_id = $2 AND p.rendered
      AND modeltrail.repository_key(p.repository) = $3 AND coalesce(p.api_group, '') = $6
      AND modeltrail.is_read(p.path, $4) AND modeltrail.is_change(p, $4, is_end)
      AND CASE WHEN $5 = 'flux' AND ($4).target_namespace IS NOT NULL THEN ($4).target_namespace = $8
               WHEN p.namespace IS NOT NULL THEN p.namespace = $8
               WHEN ($4).target_namespace IS NOT NULL THEN ($4).target_namespace = $8
               -- It may be any namespace's, unless one of that name says that it is of one.
               ELSE NOT EXISTS (
                   SELECT FROM modeltrail.commit_path other
                   WHERE other.log = $1 AND other.kind = $7 AND other.name = $9 AND other.namespace IS NOT NULL
                     AND modeltrail.repository_key(other.repository) = $3 AND starts_with(other.path, folder.prefix)) END
    ORDER BY p.log_index, p.ordinal LIMIT 1;
END;

-- The last commit on the first-parent line from `target` back to `base` that touched the object, merged work before the
-- merge. The line is walked by the commits' parents, so a history that was rewritten, or a base on another line,
-- leads nowhere (`reason`). Without a base, back to the first one that is found.
CREATE FUNCTION modeltrail.commit_touching(of_log smallint, target text, base text, of_key text,
                                           source modeltrail.gitops_source, of_tool text, of_group text, of_kind text,
                                           of_namespace text, of_name text, is_end boolean, OUT commit_id text,
                                           OUT path text, OUT is_opaque boolean, OUT reason text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    here record;
    merged record;
    next text := target;
    prefix text := modeltrail.folder_prefix((source).path);
BEGIN
    commit_touching.is_opaque := false;
    FOR step IN 1..5000 LOOP
        IF next = base OR next IS NULL AND base IS NULL OR base IS NULL AND commit_touching.commit_id IS NOT NULL THEN
            RETURN;
        END IF;
        SELECT c.commit_id, c.parents, c.brought, c.collector, c.log_index INTO here FROM modeltrail.commit c
        WHERE c.log = of_log AND c.commit_id = next AND modeltrail.repository_key(c.repository) = of_key
        ORDER BY c.log_index + 0 LIMIT 1; -- not by the primary key's order, which would be walked
        IF NOT FOUND THEN
            commit_touching.reason := CASE WHEN base IS NULL THEN 'previous_unknown' ELSE 'commits_not_collected' END;
            RETURN;
        END IF;
        IF commit_touching.commit_id IS NULL THEN
            commit_touching.path := modeltrail.touched_path(of_log, next, of_key, source, of_tool, of_group, of_kind,
                                                            of_namespace, of_name, commit_touching.is_end);
            IF commit_touching.path IS NOT NULL THEN
                commit_touching.commit_id := next;
                SELECT c.commit_id, touched.path INTO merged
                FROM modeltrail.commit c
                CROSS JOIN LATERAL modeltrail.touched_path(of_log, c.commit_id, of_key, source, of_tool, of_group,
                    of_kind, of_namespace, of_name, commit_touching.is_end) AS touched (path)
                WHERE c.log = of_log AND c.commit_id = ANY (here.brought) AND c.collector = here.collector
                  AND modeltrail.repository_key(c.repository) = of_key AND touched.path IS NOT NULL
                ORDER BY c.log_index + 0 DESC LIMIT 1;
                IF FOUND THEN
                    commit_touching.commit_id := merged.commit_id;
                    commit_touching.path := merged.path;
                ELSIF cardinality(here.brought) >= 1000 THEN -- more than are told
                    commit_touching.reason := 'commits_not_collected';
                    RETURN;
                END IF;
            ELSE
                commit_touching.is_opaque := commit_touching.is_opaque OR EXISTS (
                    SELECT FROM modeltrail.commit_path p
                    WHERE p.log = of_log AND p.log_index = here.log_index AND NOT p.rendered
                      AND starts_with(p.path, prefix) AND p.path ~ '\.(ya?ml|json|tpl|gotmpl|jsonnet|libsonnet)$');
            END IF;
        END IF;
        next := here.parents[1];
        EXIT WHEN next IS NULL AND base IS NOT NULL;
    END LOOP;
    commit_touching.reason := CASE
        WHEN base IS NULL THEN 'previous_unknown'
        WHEN modeltrail.is_ancestor(of_log, target, base, of_key) THEN 'rolled_back'
        WHEN EXISTS (SELECT FROM modeltrail.commit c
                     WHERE c.log = of_log AND c.commit_id = base AND modeltrail.repository_key(c.repository) = of_key)
        THEN 'other_line' ELSE 'previous_unknown' END;
END
$$;

-- Whether a commit is on the first-parent line of another.
CREATE FUNCTION modeltrail.is_ancestor(of_log smallint, older text, newer text, of_key text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE line AS (
        SELECT newer COLLATE "C" AS commit_id, 1 AS depth
        UNION ALL
        SELECT parent.commit_id, line.depth + 1
        FROM line
        CROSS JOIN LATERAL (
            SELECT c.parents[1] AS commit_id FROM modeltrail.commit c
            WHERE c.log = $1 AND c.commit_id = line.commit_id AND modeltrail.repository_key(c.repository) = $4
            ORDER BY c.log_index + 0 LIMIT 1) parent
        WHERE line.commit_id <> $2 AND parent.commit_id IS NOT NULL AND line.depth < 5000)
    SELECT EXISTS (SELECT FROM line WHERE commit_id = $2);
END;

-- Whether several files of the folder have the same object, by what was told of each up to a commit: which of them is
-- applied is not told.
CREATE FUNCTION modeltrail.is_declared_twice(of_log smallint, target text, of_key text,
                                             source modeltrail.gitops_source, of_tool text, of_group text,
                                             of_kind text, of_namespace text, of_name text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH told AS MATERIALIZED (
        SELECT p.* FROM modeltrail.commit_path p
        WHERE p.log = $1 AND p.kind = $7 AND p.name = $9 AND p.rendered AND coalesce(p.api_group, '') = $6
          AND modeltrail.repository_key(p.repository) = $3 AND modeltrail.is_read(p.path, $4)
          AND (p.namespace IS NULL OR p.namespace = $8 OR $5 = 'flux' AND ($4).target_namespace IS NOT NULL)
          AND p.log_index <= (SELECT max(c.log_index) FROM modeltrail.commit c
                              WHERE c.log = $1 AND c.commit_id = $2 AND modeltrail.repository_key(c.repository) = $3)),
    newest AS (
        SELECT DISTINCT ON (path) * FROM told ORDER BY path, log_index DESC, ordinal DESC)
    SELECT count(*) > 1 FROM newest n
    WHERE n.object_change <> 'removed' AND n.moved_to IS NULL
      AND NOT EXISTS (SELECT FROM told away WHERE away.moved_from = n.path AND away.log_index > n.log_index);
END;

-- Whether a folder is made into something else before it is applied, as far as anything was told of it.
CREATE FUNCTION modeltrail.is_composed(of_log smallint, of_key text, prefix text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM unnest(ARRAY['kustomization.yaml', 'kustomization.yml', 'Kustomization', 'Chart.yaml']) AS file,
        LATERAL (
            SELECT p.path_change FROM modeltrail.commit_path p
            WHERE p.log = $1 AND p.path = $3 || file AND NOT p.rendered
              AND modeltrail.repository_key(p.repository) = $2
            ORDER BY p.log_index DESC LIMIT 1) newest
        WHERE newest.path_change IS DISTINCT FROM 'removed');
END;

-- Whether the tool wrote the object before, since an instant: what a run applies it applies once, and what it writes
-- again it puts back.
CREATE FUNCTION modeltrail.is_written_before(of_log smallint, of_cluster text, of_resource text, of_uid uuid,
                                             of_position bigint, since timestamptz) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT $6 IS NOT NULL AND EXISTS (
        SELECT FROM modeltrail.attribution mine
        JOIN modeltrail.request asked ON asked.log = mine.log AND asked.log_index = mine.request_index
        JOIN modeltrail.attribution other
          ON other.log = mine.log AND other.cluster = mine.cluster AND other.resource = mine.resource
         AND other.uid = mine.uid AND other.position < mine.position AND other.strength IN ('exact', 'unique')
        JOIN modeltrail.request earlier ON earlier.log = other.log AND earlier.log_index = other.request_index
        WHERE mine.log = $1 AND mine.cluster = $2 AND mine.resource = $3 AND mine.uid = $4 AND mine.position = $5
          AND mine.strength IN ('exact', 'unique')
          AND earlier.principal = asked.principal AND earlier.at >= $6);
END;

-- What became of the object between a request and a sync that was done later: 'again', the same principal wrote it
-- once more; 'unknown', somebody did, and who is not known; NULL, only its status was written. What a sync applies it
-- applies once, so the last write before the sync was done is the sync's.
CREATE FUNCTION modeltrail.later_write(of_log smallint, of_cluster text, of_resource text, of_uid uuid,
                                       of_position bigint, before timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH mine AS (
        SELECT r.principal, s.origin->'manager'->>'at' AS written_at
        FROM modeltrail.attribution a
        JOIN modeltrail.request r ON r.log = a.log AND r.log_index = a.request_index
        LEFT JOIN LATERAL (
            SELECT origin FROM modeltrail.state s
            WHERE s.log = a.log AND s.cluster = a.cluster AND s.resource = a.resource AND s.uid = a.uid
              AND s.position = a.position ORDER BY s.extractor DESC, s.log_index LIMIT 1) s ON true
        WHERE a.log = $1 AND a.cluster = $2 AND a.resource = $3 AND a.uid = $4 AND a.position = $5
          AND a.strength IN ('exact', 'unique') LIMIT 1)
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM mine
            JOIN modeltrail.attribution other
              ON other.log = $1 AND other.cluster = $2 AND other.resource = $3 AND other.uid = $4
             AND other.position > $5 AND other.strength IN ('exact', 'unique')
            JOIN modeltrail.request later ON later.log = other.log AND later.log_index = other.request_index
            WHERE later.principal = mine.principal AND later.at <= $6) THEN 'again'
        WHEN EXISTS (
            SELECT FROM modeltrail.state s
            WHERE s.log = $1 AND s.cluster = $2 AND s.resource = $3 AND s.uid = $4 AND s.position > $5
              AND s.at <= $6 AND s.origin->'manager'->>'at' IS DISTINCT FROM (SELECT written_at FROM mine)
               OR s.log = $1 AND s.cluster = $2 AND s.resource = $3 AND s.uid = $4 AND s.position > $5
              AND s.at <= $6 AND s.origin->'manager'->>'at' IS NULL) THEN 'unknown' END;
END;

-- The run that a request was part of, or why none is known.
CREATE TYPE modeltrail.gitops_run AS (
    run    modeltrail.gitops_sync,
    own    modeltrail.gitops_sync,      -- its entry of the history
    before modeltrail.gitops_sync,      -- what was applied before it
    reason text
);
CREATE FUNCTION modeltrail.run_of(kind text, place_cluster text, place_namespace text, app text, of_log smallint,
                                  of_cluster text, of_resource text, of_uid uuid, of_position bigint,
                                  at timestamptz) RETURNS modeltrail.gitops_run
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    found modeltrail.gitops_run;
    operations modeltrail.gitops_sync[];
    later text;
    one modeltrail.gitops_sync;
BEGIN
    SELECT array_agg((s.*)::modeltrail.gitops_sync) INTO operations
    FROM modeltrail.operations_at(of_log, kind, place_cluster, place_namespace, app, at) s;
    IF cardinality(operations) > 1 THEN
        found.reason := 'sync_ambiguous';
        RETURN found;
    ELSIF cardinality(operations) = 1 THEN
        one := operations[1];
        found.run := one;
        found.own := modeltrail.sync_of(one);
        found.before := modeltrail.run_before(one, found.own, (one).started_at);
        IF modeltrail.is_written_before(of_log, of_cluster, of_resource, of_uid, of_position,
                                        date_trunc('second', (one).started_at)) THEN
            found.reason := 'self_heal';
        END IF;
        RETURN found;
    END IF;
    one := modeltrail.sync_after(of_log, kind, place_cluster, place_namespace, app, at);
    IF (one).log IS NULL OR (one).started_at - modeltrail.sync_slack() > at OR EXISTS (
           -- It was made anew meanwhile.
           SELECT FROM modeltrail.gitops_sync s
           WHERE s.log = of_log AND s.kind = run_of.kind AND s.name = app AND s.cluster = place_cluster
             AND s.namespace = place_namespace AND s.part = 'source' AND (s.removed OR s.uid <> (one).uid)
             AND coalesce(s.at, s.started_at, s.observed_at) BETWEEN run_of.at AND coalesce((one).at, (one).observed_at)) THEN
        found.reason := 'sync_not_seen';
        RETURN found;
    END IF;
    found.run := one;
    found.own := one;
    found.before := modeltrail.run_before(one, one, at - interval '1 us');
    IF modeltrail.is_written_before(of_log, of_cluster, of_resource, of_uid, of_position,
                                    date_trunc('second', (one).started_at)) THEN
        found.reason := 'self_heal';
    ELSIF (one).started_at IS NULL AND at < coalesce((one).at, (one).observed_at) - interval '1 h' THEN
        found.reason := 'sync_not_seen'; -- no tool takes that long: what it wrote then it wrote outside of a sync
    ELSIF (one).started_at IS NULL THEN
        later := modeltrail.later_write(of_log, of_cluster, of_resource, of_uid, of_position,
                                        coalesce((one).at, (one).observed_at));
        IF later = 'unknown' OR later = 'again' AND (found.before).log IS NULL THEN
            found.reason := 'sync_not_seen';
        ELSIF later = 'again' THEN -- it wrote outside of a sync: what it last synced
            found.run := found.before;
            found.own := found.before;
            found.reason := 'self_heal';
        END IF;
    END IF;
    RETURN found;
END
$$;

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
    FROM modeltrail.commit_touching(of_log, target, base, key, source, (chain).tool,
                                    substr(of_resource, strpos(of_resource || '.', '.') + 1), of_kind, of_namespace,
                                    of_name, is_removal);
    IF found.reason IS NULL AND found.commit_id IS NOT NULL AND NOT is_removal AND modeltrail.is_declared_twice(
           of_log, target, key, source, (chain).tool, substr(of_resource, strpos(of_resource || '.', '.') + 1), of_kind,
           of_namespace, of_name) THEN
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

-- What a GitOps tool did when: the application that an object is of, its operations and syncs, and the one that a request
-- was part of. Facts that the tool's own objects told; where more than one is possible, none.

SET LOCAL ROLE modeltrail_owner;

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

CREATE INDEX gitops_sync_time ON modeltrail.gitops_sync
    (log, kind, name, cluster, namespace, part, (coalesce(at, started_at, observed_at)), log_index);

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
          AND s.sync_id IS NOT DISTINCT FROM told.sync_id AND s.ordinal <> told.ordinal
          AND (s.sync_id IS NOT NULL OR s.revision IS NOT DISTINCT FROM told.revision));
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
              AND s.at <= $6
              AND (s.origin->'manager'->>'at' IS DISTINCT FROM (SELECT written_at FROM mine)
                   OR s.origin->'manager'->>'at' IS NULL)) THEN 'unknown' END;
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

RESET ROLE;

-- Which commit between two revisions touched an object's manifest. Nothing is rendered, and where the parents of one
-- revision do not lead to the other nobody is named.

SET LOCAL ROLE modeltrail_owner;

CREATE INDEX commit_path_object ON modeltrail.commit_path (log, kind, name, commit_id) WHERE name IS NOT NULL;
CREATE INDEX commit_path_opaque ON modeltrail.commit_path (log, path, log_index) WHERE NOT rendered;

-- "main@sha1:1f2e..." and "1f2e..." name a commit; a chart's version does not.
CREATE FUNCTION modeltrail.revision_commit(revision text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN substring(revision FROM '(?:^|[:/])([0-9a-f]{40}|[0-9a-f]{64})$') COLLATE "C";

-- "./prod/" and "prod" are the folder prod/; "" and "." the whole repository.
CREATE FUNCTION modeltrail.folder_prefix(path text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN btrim(regexp_replace(coalesce(path, ''), '^\./', ''), '/') IN ('', '.') THEN ''
                ELSE btrim(regexp_replace(path, '^\./', ''), '/') || '/' END COLLATE "C";

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
                     AND modeltrail.repository_key(other.repository) = $3
                     AND starts_with(other.path, modeltrail.folder_prefix(($4).path))) END
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

RESET ROLE;

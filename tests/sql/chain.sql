-- From a GitOps tool's request to a commit's author (docs/attribution.md, Git and GitOps). One application syncs the
-- folder prod/ of a repository; each case is a request at an instant, and how far its chain reaches.
BEGIN;
SELECT plan(37);

CREATE FUNCTION pg_temp.day(clock text) RETURNS timestamptz LANGUAGE sql
    RETURN (('2026-03-02 ' || clock)::timestamp AT TIME ZONE 'UTC');
CREATE FUNCTION pg_temp.sha(n integer) RETURNS text LANGUAGE sql RETURN lpad(n::text, 40, 'a');

SELECT is(modeltrail.repository_key(url), 'git.example/team/models', url) FROM unnest(ARRAY[
    'https://git.example/team/models.git', 'https://bot@git.example/team/models/', 'ssh://git@git.example:22/team/models.git',
    'git@git.example:team/models.git', 'git.example/team/models']) AS url;
SELECT is(modeltrail.repository_key('file:///srv/git/models.git'), modeltrail.repository_key('/srv/git/models'), 'a local path');
SELECT is(modeltrail.revision_commit(revision), pg_temp.sha(1), revision)
FROM unnest(ARRAY[pg_temp.sha(1), 'main@sha1:' || pg_temp.sha(1), 'main/' || pg_temp.sha(1)]) AS revision;
SELECT is(modeltrail.revision_commit('1.2.3'), NULL, 'a chart''s version is no commit');
SELECT is(modeltrail.folder_prefix(path), prefix, coalesce(path, 'no path'))
FROM (VALUES ('./prod/', 'prod/'), ('prod', 'prod/'), ('.', ''), ('', ''), (NULL, '')) AS f (path, prefix);

INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind) VALUES
    ('argo', false, '-infinity', 1, '-infinity', 0, 'argocd', 'gitops'),
    ('alice@corp.example', false, '-infinity', 1, '-infinity', 0, 'alice', 'human');
INSERT INTO modeltrail.workload (cluster, resource, uid, log_index, kind, namespace, name)
SELECT 'c1', 'models.mlops.seldon.io', ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 2, 'Model', 'risk', 'm' || n
FROM generate_series(1, 3) AS n;
-- m1 is the application's; m2 says nothing; m3 is of one that nobody saw.
INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor, removed, detail, origin)
SELECT cluster, resource, uid, 1, 2, pg_temp.day('09:00'), 'audit', 1, false, '{}'::json, origin::json
FROM modeltrail.workload JOIN (VALUES
    ('m1', '{"gitops": {"tool": "argocd", "kind": "Application", "application": "argocd/risk", "evidence": "tracking_id"}}'),
    ('m3', '{"gitops": {"tool": "argocd", "kind": "Application", "application": "argocd/other", "evidence": "tracking_id"}}'))
    AS o (name, origin) USING (name)
UNION ALL
SELECT cluster, resource, uid, 1, 2, pg_temp.day('09:00'), 'audit', 1, false, '{}'::json, NULL::json FROM modeltrail.workload WHERE name = 'm2';

-- Six commits on main: 1 adds m1 (alice), 2 touches another object (bob), 3 is m1 again (carol, unmapped), 4 is a
-- merge that brought 41 (alice, m1), 5 the same name in another folder (bob), 6 takes m1 away.
CREATE FUNCTION pg_temp.declare_commit(at bigint, n integer, author text, brought text[], mainline boolean, parents integer[]) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.commit (log_index, cluster, repository, branch, commit_id, mainline, parents, brought, author_name, author_email,
        signature, tickets, approved_by, collector)
     VALUES (at, 'c1', 'https://git.example/models', 'main', pg_temp.sha(n), mainline, ARRAY(SELECT pg_temp.sha(p) FROM unnest(parents) AS p), brought, author, author, 'none',
             ARRAY['T-' || n], ARRAY['bob'], 'eu-1')$$;
CREATE FUNCTION pg_temp.touch(at bigint, n integer, path text, name text, change text) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.commit_path (log_index, ordinal, cluster, repository, branch, commit_id, path, path_change, rendered,
        api_group, kind, name, object_change)
     VALUES (at, 0, 'c1', 'https://git.example/models', 'main', pg_temp.sha(n), path, 'modified', name IS NOT NULL,
             'mlops.seldon.io', CASE WHEN name IS NOT NULL THEN 'Model' END, name, change)$$;
SELECT pg_temp.declare_commit(101, 1, 'Alice@corp.example', NULL, true, ARRAY[]::integer[]), pg_temp.touch(101, 1, 'prod/m1.yaml', 'm1', 'added'),
       pg_temp.declare_commit(102, 2, 'bob@corp.example', NULL, true, ARRAY[1]::integer[]), pg_temp.touch(102, 2, 'prod/m9.yaml', 'm9', 'added'),
       pg_temp.declare_commit(103, 3, 'carol', NULL, true, ARRAY[2]::integer[]), pg_temp.touch(103, 3, 'prod/m1.yaml', 'm1', 'modified'),
       pg_temp.declare_commit(104, 41, 'alice@corp.example', NULL, false, ARRAY[3]::integer[]), pg_temp.touch(104, 41, 'prod/m1.yaml', 'm1', 'modified'),
       pg_temp.declare_commit(105, 4, 'bob@corp.example', ARRAY[pg_temp.sha(41)], true, ARRAY[3, 41]::integer[]), pg_temp.touch(105, 4, 'prod/m1.yaml', 'm1', 'modified'),
       pg_temp.declare_commit(106, 5, 'bob@corp.example', NULL, true, ARRAY[4]::integer[]), pg_temp.touch(106, 5, 'dev/m1.yaml', 'm1', 'modified'),
       pg_temp.declare_commit(107, 6, 'carol', NULL, true, ARRAY[5]::integer[]), pg_temp.touch(107, 6, 'prod/m1.yaml', 'm1', 'removed'),
       -- Told again by another collector: they keep their place.
       pg_temp.declare_commit(201, 1, 'alice@corp.example', NULL, true, ARRAY[]::integer[]), pg_temp.touch(201, 1, 'prod/m1.yaml', 'm1', 'added'),
       pg_temp.declare_commit(202, 3, 'carol', NULL, true, ARRAY[2]::integer[]), pg_temp.touch(202, 3, 'prod/m1.yaml', 'm1', 'modified');

CREATE FUNCTION pg_temp.tell(at bigint, part text, id text, n integer, clock text, started text, finished text, by text DEFAULT NULL) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.gitops_sync (log_index, ordinal, cluster, tool, resource, kind, namespace, name, uid, position, observed_at,
        removed, part, sync_id, revision, at, started_at, finished_at, automated, initiated_by, url, path, is_local)
     VALUES (at, 0, 'hub', 'argocd', 'applications.argoproj.io', 'Application', 'argocd', 'risk', '00000000-0000-4000-8000-000000000099',
             at, coalesce(pg_temp.day(clock), pg_temp.day(finished), pg_temp.day('09:00')), false, part, id, pg_temp.sha(n), pg_temp.day(clock), pg_temp.day(started),
             pg_temp.day(finished), by IS NULL, by, CASE WHEN part <> 'operation' THEN 'git@git.example:models.git' END,
             CASE WHEN part <> 'operation' THEN 'prod' END, false)$$;
SELECT pg_temp.tell(300, 'source', NULL, 0, '09:00', NULL, NULL),
       pg_temp.tell(301, 'sync', '0', 2, '10:00:05', NULL, NULL), pg_temp.tell(302, 'operation', NULL, 2, NULL, '10:00:00', '10:00:05'),
       pg_temp.tell(303, 'operation', NULL, 2, NULL, '10:30:00', '10:30:02'), -- a self-heal
       pg_temp.tell(304, 'sync', '1', 3, '11:00:05', NULL, NULL), pg_temp.tell(305, 'operation', NULL, 3, NULL, '11:00:00', '11:00:05', 'bob'),
       pg_temp.tell(306, 'sync', '2', 5, '12:00:05', NULL, NULL), pg_temp.tell(307, 'operation', NULL, 5, NULL, '12:00:00', '12:00:05'),
       pg_temp.tell(308, 'sync', '3', 3, '13:00:05', NULL, NULL), pg_temp.tell(309, 'operation', NULL, 3, NULL, '13:00:00', '13:00:05', 'bob'),
       pg_temp.tell(310, 'sync', '4', 6, '14:00:05', NULL, NULL), pg_temp.tell(311, 'operation', NULL, 6, NULL, '14:00:00', '14:00:05'),
       pg_temp.tell(312, 'sync', '5', 77, '15:00:05', NULL, NULL), pg_temp.tell(313, 'operation', NULL, 77, NULL, '15:00:00', '15:00:05');

CREATE FUNCTION pg_temp.chain(name text, clock text, is_removal boolean DEFAULT false) RETURNS text LANGUAGE sql
AS $$SELECT concat_ws(' ', (c).chain_end, (c).chain_end_reason, ltrim((c).commit_id, 'a'), (c).path, (c).person, (c).initiated_by)
     FROM (SELECT modeltrail.chain_of(1::smallint, w.cluster, w.resource, w.uid, 1, pg_temp.day(clock), is_removal) AS c
           FROM modeltrail.workload w WHERE w.name = $1) chain$$;
SELECT is(pg_temp.chain('m2', '10:00:03'), 'request no_application', 'an object that names no application');
SELECT is(pg_temp.chain('m3', '10:00:03'), 'application application_not_collected', 'an application that nobody watches');
SELECT is(pg_temp.chain('m1', '10:00:03'), 'commit 1 prod/m1.yaml alice', 'the last commit that touched the object, not the head');
SELECT is(pg_temp.chain('m1', '10:00:07'), 'commit 1 prod/m1.yaml alice', 'clocks may differ by three seconds');
SELECT is(pg_temp.chain('m1', '10:30:01'), 'revision self_heal', 'the revision was synced before: the tool''s own doing');
SELECT is(pg_temp.chain('m1', '11:00:03'), 'commit 3 prod/m1.yaml carol bob', 'an unmapped author stands verbatim; bob pressed the button');
SELECT is(pg_temp.chain('m1', '12:00:03'), 'commit 41 prod/m1.yaml alice', 'what a merge brought, not the merge; not the other folder');
SELECT is(pg_temp.chain('m1', '13:00:03'), 'revision rolled_back bob', 'an older revision: no commit asked for it');
SELECT is(pg_temp.chain('m1', '14:00:03', true), 'commit 6 prod/m1.yaml carol', 'a removal is the commit''s that took the manifest away');
SELECT is(pg_temp.chain('m1', '12:00:03', true), 'revision not_touched', 'none took it away');
SELECT is(pg_temp.chain('m1', '15:00:03'), 'revision commits_not_collected', 'a revision that no source declared');
SELECT is(pg_temp.chain('m1', '16:00'), 'application sync_not_seen', 'nothing was synced yet');
SELECT is((SELECT (c).ticket || ' ' || (c).approved_by || ' ' || (c).synced_at FROM (
    SELECT modeltrail.chain_of(1::smallint, cluster, resource, uid, 1, pg_temp.day('12:00:03'), false) AS c FROM modeltrail.workload WHERE name = 'm1') x),
    'T-41 bob ' || pg_temp.day('12:00:05'), 'trailers are the commit''s');

-- Seldon's GitOps marks the namespace, and nothing tells of its syncs.
INSERT INTO modeltrail.namespace_label (cluster, namespace, position, log_index, at, labels, removed, gitops_tool, gitops_repository)
VALUES ('c1', 'risk', 1, 2, pg_temp.day('13:30'), '{}', false, 'seldon', 'https://git.example/models');
SELECT is(pg_temp.chain('m2', '13:00'), 'request no_application', 'the namespace was not marked yet');
SELECT is(pg_temp.chain('m2', '13:45'), 'application sync_not_seen', 'a namespace of Seldon''s GitOps');
SELECT is((SELECT (c).person || ' ' || (c).person_kind FROM (
    SELECT modeltrail.chain_of(1::smallint, cluster, resource, uid, 1, pg_temp.day('14:00:03'), true) AS c
    FROM modeltrail.workload WHERE name = 'm1') x), 'carol service', 'there an author whom nobody mapped is taken for no human');

-- Without operations (Flux, or a collector that was away): the sync that was done next.
DELETE FROM modeltrail.gitops_sync WHERE part = 'operation';
SELECT is(pg_temp.chain('m1', '10:59:50'), 'commit 3 prod/m1.yaml carol', 'the last write before the sync was done is the sync''s');
UPDATE modeltrail.gitops_sync SET started_at = pg_temp.day('11:00:00') WHERE sync_id = '1';
SELECT is(pg_temp.chain('m1', '10:59:50'), 'application sync_not_seen', 'it began later');
DELETE FROM modeltrail.gitops_sync WHERE sync_id IN ('0', '1');
SELECT is(pg_temp.chain('m1', '12:00:03'), 'commit 41 prod/m1.yaml alice', 'the application was seen before its first sync: any commit counts');
DELETE FROM modeltrail.gitops_sync WHERE part = 'source';
SELECT is(pg_temp.chain('m1', '12:00:03'), 'revision previous_unknown', 'what was synced before is not known');

-- Kustomize: nothing is rendered.
SELECT pg_temp.tell(300, 'source', NULL, 0, '09:00', NULL, NULL);
INSERT INTO modeltrail.commit_path (log_index, ordinal, cluster, repository, branch, commit_id, path, path_change, rendered)
VALUES (103, 9, 'c1', 'https://git.example/models', 'main', pg_temp.sha(3), 'prod/kustomization.yaml', 'added', false);
SELECT is(pg_temp.chain('m1', '12:00:03'), 'revision rendered', 'Kustomize composes the folder: nothing is rendered');
-- Two sources of one application.
INSERT INTO modeltrail.gitops_sync SELECT (jsonb_populate_record(s, '{"ordinal": 1, "url": "https://git.example/values"}')).*
FROM modeltrail.gitops_sync s WHERE s.part = 'sync' AND s.sync_id = '2';
SELECT is(pg_temp.chain('m1', '12:00:03'), 'revision several_sources', 'which of several sources an object is from is not told');
SELECT * FROM finish();
ROLLBACK;

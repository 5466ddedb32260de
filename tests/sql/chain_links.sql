-- What is no link of a GitOps chain (docs/attribution.md, Git and GitOps): each case has an application, a folder and an
-- object of its own name, all in one repository, synced from commit 1 to commit 50. Each stands for one condition, beside
-- something that only this condition keeps out.
BEGIN;
SELECT plan(31);

CREATE FUNCTION pg_temp.day(clock text) RETURNS timestamptz LANGUAGE sql
    RETURN (('2026-03-02 ' || clock)::timestamp AT TIME ZONE 'UTC');
CREATE FUNCTION pg_temp.sha(n integer) RETURNS text LANGUAGE sql RETURN lpad(n::text, 40, 'a');
-- A tool's times are of whole seconds, and are told as the ends of these.
CREATE FUNCTION pg_temp.told(clock text) RETURNS timestamptz LANGUAGE sql RETURN pg_temp.day(clock) + interval '999999 us';

-- An object of application NAME, told at a position.
CREATE FUNCTION pg_temp.object(name text, tool text DEFAULT 'argocd', kind text DEFAULT 'Application') RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.workload (cluster, resource, uid, log_index, kind, namespace, name)
     VALUES ('c1', 'models.mlops.seldon.io', md5(name)::uuid, 2, 'Model', 'risk', name);
     INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor, removed, detail, origin)
     VALUES ('c1', 'models.mlops.seldon.io', md5(name)::uuid, 1, 2, pg_temp.day('09:00'), 'audit', 1, false, '{}',
             json_build_object('gitops', json_build_object('tool', tool, 'kind', kind, 'application', 'argocd/' || name, 'evidence', 'labels')))$$;

-- A commit of main, or of another branch or repository.
CREATE FUNCTION pg_temp.declare_commit(index bigint, n integer, author text, parent integer DEFAULT NULL, mainline boolean DEFAULT true, brought text[] DEFAULT NULL,
                                       branch text DEFAULT 'main', repository text DEFAULT 'https://git.example/models') RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.commit (log_index, cluster, repository, branch, commit_id, parents, mainline, brought, author_email, signature, collector)
     VALUES (index, 'c1', repository, branch, pg_temp.sha(n), ARRAY[pg_temp.sha(parent)], mainline, brought, author, 'none', 'git-1')$$;
-- That it touched an object in the folder of its name, told in the newest commit with that index; no kind: an opaque file.
CREATE FUNCTION pg_temp.touch(index bigint, name text, file text DEFAULT 'm.yaml', api_group text DEFAULT 'mlops.seldon.io', kind text DEFAULT 'Model',
                              namespace text DEFAULT NULL, path_change text DEFAULT 'modified') RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.commit_path (log_index, ordinal, cluster, repository, branch, commit_id, path, path_change, rendered,
                                         api_group, kind, namespace, name, object_change)
     SELECT index, (SELECT count(*) FROM modeltrail.commit_path p WHERE p.log_index = index), 'c1', c.repository, c.branch, c.commit_id,
            touch.name || '/' || file, path_change, kind IS NOT NULL, api_group, kind, touch.namespace,
            CASE WHEN kind IS NOT NULL THEN touch.name END, CASE WHEN kind IS NOT NULL THEN 'modified' END
     FROM modeltrail.commit c WHERE c.log_index = index$$;

CREATE FUNCTION pg_temp.tell(index bigint, app text, part text, id text, n integer, clock text, started text DEFAULT NULL, finished text DEFAULT NULL,
                             url text DEFAULT 'https://git.example/models', seen text DEFAULT NULL, cluster text DEFAULT 'hub',
                             kind text DEFAULT 'Application', source text DEFAULT NULL) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.gitops_sync (log_index, ordinal, cluster, tool, resource, kind, namespace, name, uid, position, observed_at, removed,
                                         part, sync_id, revision, at, started_at, finished_at, automated, url, path, source, is_local)
     VALUES (index, (SELECT count(*) FROM modeltrail.gitops_sync g WHERE g.log_index = index), cluster, 'argocd', 'applications.argoproj.io', kind,
             'argocd', app, md5(app || 'Application')::uuid, index, coalesce(pg_temp.day(seen), pg_temp.day(clock), pg_temp.day('09:00')), false,
             part, id, pg_temp.sha(n), pg_temp.told(clock), pg_temp.told(started), pg_temp.told(finished), true,
             CASE WHEN part <> 'operation' THEN url END, CASE WHEN part <> 'operation' THEN app END, source, false)$$;
CREATE SEQUENCE pg_temp.next START 1000;
-- Synced to commit 1 at 10:00, and to commit 50 from 11:00:00 to 11:00:05.
CREATE FUNCTION pg_temp.synced(app text, url text DEFAULT 'https://git.example/models') RETURNS void LANGUAGE sql
AS $$SELECT pg_temp.tell(nextval('pg_temp.next'), app, 'sync', '3', 1, '10:00:05', '10:00:00', url => url);
     SELECT pg_temp.tell(nextval('pg_temp.next'), app, 'sync', '4', 50, '11:00:05', '11:00:00', url => url)$$;

CREATE FUNCTION pg_temp.chain(name text, clock text DEFAULT '11:00:03') RETURNS text LANGUAGE sql
AS $$SELECT concat_ws(' ', (c).chain_end, (c).chain_end_reason, (c).person)
     FROM (SELECT modeltrail.chain_of(1::smallint, 'c1', 'models.mlops.seldon.io', md5(name)::uuid, 1, pg_temp.day(clock), false) AS c) chain$$;

-- The line of main: 9, 1, 30 (a merge), 39 (dave), 40 (alice), 44 (bob), 50.
SELECT pg_temp.declare_commit(101, 1, 'base', 9), pg_temp.declare_commit(130, 30, 'merger', 1, brought => array_fill(pg_temp.sha(77), ARRAY[1000])),
       pg_temp.declare_commit(139, 39, 'dave', 30), pg_temp.declare_commit(140, 40, 'alice', 39), pg_temp.declare_commit(150, 50, 'head', 44);
-- Beside it, after alice's: another branch, another repository, a side that no merge brought.
SELECT pg_temp.declare_commit(141, 41, 'bob', 1, branch => 'release'), pg_temp.declare_commit(142, 42, 'bob', 1, repository => 'https://git.example/others'),
       pg_temp.declare_commit(143, 43, 'bob', 40, false), pg_temp.declare_commit(144, 44, 'bob', 40);

-- Which commits count.
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(140, name)
FROM unnest(ARRAY['branch', 'repository', 'side', 'kind', 'group', 'namespace', 'neighbour']) AS name;
SELECT pg_temp.touch(141, 'branch'), pg_temp.touch(142, 'repository'), pg_temp.touch(143, 'side'), pg_temp.touch(144, 'kind', kind => 'Pipeline'),
       pg_temp.touch(144, 'group', api_group => 'example.org'), pg_temp.touch(144, 'namespace', namespace => 'other'),
       pg_temp.touch(144, 'neighbour', 'README.md', kind => NULL);
UPDATE modeltrail.gitops_sync SET target_namespace = 'risk' WHERE name = 'namespace';
SELECT is(pg_temp.chain(name), 'commit alice', 'alice''s, not bob''s of ' || what) FROM (VALUES
    ('branch', 'another branch'), ('repository', 'another repository'), ('side', 'a side that is not merged'), ('kind', 'another kind'),
    ('group', 'another group'), ('namespace', 'another namespace'), ('neighbour', 'no object')) AS c (name, what);

-- The commit that was synced before is not between, nor is one that is told again.
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(101, name) FROM unnest(ARRAY['base', 'again']) AS name;
SELECT pg_temp.declare_commit(120, 1, 'base', 9), pg_temp.touch(120, 'again');
SELECT is(pg_temp.chain('base'), 'revision not_touched', 'the base itself is not between');
SELECT is(pg_temp.chain('again'), 'revision not_touched', 'a commit that is told again keeps its place');

-- A place is that on the branch of the newer commit, and on its first-parent line.
SELECT pg_temp.declare_commit(90, 1, 'base', 9, branch => 'release'), pg_temp.declare_commit(95, 9, 'bob'), pg_temp.declare_commit(110, 50, 'head', 44, false);
SELECT pg_temp.object(name), pg_temp.synced(name) FROM unnest(ARRAY['place', 'line']) AS name;
SELECT pg_temp.touch(95, 'place'), pg_temp.touch(140, 'line');
SELECT is(pg_temp.chain('place'), 'revision not_touched', 'the base has its place on this branch, wherever it was told first');
SELECT is(pg_temp.chain('line'), 'commit alice', 'the head has its place where it came to the line');

-- A merge that brought more than is told may have brought the one that counts.
SELECT pg_temp.object('merge'), pg_temp.synced('merge'), pg_temp.touch(130, 'merge');
SELECT is(pg_temp.chain('merge'), 'revision commits_not_collected', 'a merge of more commits than are told');

-- What is rendered.
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(140, name) FROM unnest(ARRAY['chart', 'helm', 'plain']) AS name;
SELECT pg_temp.touch(144, 'chart', 'Chart.yaml', kind => NULL), pg_temp.touch(95, 'plain', 'kustomization.yaml', kind => NULL),
       pg_temp.touch(101, 'plain', 'kustomization.yaml', kind => NULL, path_change => 'removed');
UPDATE modeltrail.gitops_sync SET chart = 'models' WHERE name = 'helm';
SELECT is(pg_temp.chain('chart'), 'revision rendered', 'a folder with a chart');
SELECT is(pg_temp.chain('helm'), 'revision rendered', 'a chart of a repository of charts');
SELECT is(pg_temp.chain('plain'), 'commit alice', 'Kustomize was there, and is no more');
SELECT pg_temp.touch(144, 'plain', 'values.yaml', kind => NULL);
SELECT is(pg_temp.chain('plain'), 'revision rendered', 'a later file that could not be read may hold the object too');
SELECT pg_temp.object('template'), pg_temp.synced('template'), pg_temp.touch(140, 'template', kind => NULL);
SELECT is(pg_temp.chain('template'), 'revision rendered', 'a file whose objects are not known');

-- Sources that the syncs do not tell: the spec's of that time, and the object that has the URL.
SELECT pg_temp.object(name), pg_temp.synced(name, NULL), pg_temp.touch(140, name) FROM unnest(ARRAY['several', 'reference', 'later', 'gone']) AS name;
SELECT pg_temp.tell(2001, 'several', 'source', NULL, 0, NULL), pg_temp.tell(2001, 'several', 'source', NULL, 0, NULL, url => 'https://git.example/values'),
       pg_temp.tell(2002, 'reference', 'source', NULL, 0, NULL, url => NULL, source => 'GitRepository/argocd/models'),
       pg_temp.tell(2003, 'models', 'source', NULL, 0, NULL, kind => 'GitRepository'),
       pg_temp.tell(2004, 'later', 'source', NULL, 0, NULL), pg_temp.tell(2005, 'later', 'source', NULL, 0, NULL, url => 'https://git.example/new', seen => '11:00:30'),
       pg_temp.tell(2006, 'gone', 'source', NULL, 0, NULL), pg_temp.tell(2007, 'gone', 'source', NULL, 0, NULL, url => 'https://git.example/new', seen => '10:59');
UPDATE modeltrail.gitops_sync SET path = name WHERE part = 'sync' AND name IN ('several', 'reference', 'later', 'gone');
UPDATE modeltrail.gitops_sync SET removed = true WHERE log_index = 2007;
SELECT is(pg_temp.chain('several'), 'revision several_sources', 'the spec has several sources');
SELECT is(pg_temp.chain('reference'), 'commit alice', 'the URL is told by the object that the source names');
SELECT is(pg_temp.chain('later'), 'commit alice', 'what the spec said later, though it is nearer, does not count');
SELECT is(pg_temp.chain('gone'), 'commit alice', 'what an application said as it was taken away does not count');

-- Which sync was before.
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(140, name) FROM unnest(ARRAY['order', 'former', 'twofold']) AS name;
DELETE FROM modeltrail.gitops_sync WHERE name = 'order';
SELECT pg_temp.tell(2101, 'order', 'sync', '9', 1, '10:00:05', '10:00:00'), pg_temp.tell(2101, 'order', 'sync', '10', 50, '10:00:05', '10:00:00'),
       pg_temp.tell(2102, 'order', 'sync', '11', 50, '11:00:05', '11:00:00');
SELECT is(pg_temp.chain('order'), 'revision self_heal', 'ids are numbers: the tenth was before, not the ninth');
DELETE FROM modeltrail.gitops_sync WHERE name = 'former' AND sync_id = '3';
INSERT INTO modeltrail.gitops_sync SELECT (jsonb_populate_record(s, '{"log_index": 900, "ordinal": 0, "position": 900, "part": "source", "at": null, "started_at": null,
    "observed_at": "2026-03-02T09:00:00Z", "uid": "00000000-0000-4000-8000-000000000001"}')).* FROM modeltrail.gitops_sync s WHERE name = 'former';
SELECT is(pg_temp.chain('former'), 'revision previous_unknown', 'a former application of that name had synced nothing: no word on this one');
SELECT pg_temp.object(name), pg_temp.touch(140, name) FROM unnest(ARRAY['first', 'retold']) AS name;
SELECT pg_temp.tell(2201, 'first', 'sync', '0', 50, '11:00:05', '11:00:00'), pg_temp.tell(2202, 'retold', 'sync', NULL, 1, NULL, seen => '10:00'),
       pg_temp.tell(2203, 'retold', 'sync', NULL, 1, NULL, seen => '10:40'), pg_temp.tell(2204, 'retold', 'sync', NULL, 50, NULL, seen => '11:00');
SELECT is(pg_temp.chain('first'), 'commit alice', 'the first by its number: nothing was synced before, though nobody saw that');
SELECT is(pg_temp.chain('retold', '10:30'), 'commit alice', 'a revision that is told again without a time is no sync');
-- The application of that name in two clusters, neither of them the object's.
SELECT pg_temp.tell(2103, 'twofold', 'source', NULL, 0, NULL, cluster => 'hub2');
SELECT is(pg_temp.chain('twofold'), 'application application_ambiguous', 'two clusters have an application of that name');

-- What the object said then, and who the author was then.
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(139, name) FROM unnest(ARRAY['moved', 'person']) AS name;
INSERT INTO modeltrail.state SELECT (jsonb_populate_record(s, '{"position": 2, "origin": {"gitops": {"tool": "argocd", "kind": "Application",
    "application": "argocd/nobody"}}}')).* FROM modeltrail.state s WHERE s.uid = md5('moved')::uuid;
SELECT is(pg_temp.chain('moved'), 'commit dave', 'the application that it was of then');
INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind) VALUES
    ('dave', false, '-infinity', 1, '-infinity', 0, 'dave@corp.example', 'human'),
    ('dave', false, pg_temp.day('18:00'), 3, pg_temp.day('18:00'), 0, 'carol@corp.example', 'human');
SELECT is(pg_temp.chain('person'), 'commit dave@corp.example', 'the person that the name was then');

-- A tool that does not tell when it began: what it wrote last before the sync was done is the sync's.
CREATE FUNCTION pg_temp.write(name text, at_position bigint, principal text, clock text) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.request (log_index, audit_id, stage, removes, cluster, resource, namespace, name, verb, principal, at, dry_run, evidence, via)
     VALUES (nextval('pg_temp.next'), 'a', 'ResponseComplete', false, 'c1', 'models.mlops.seldon.io', 'risk', name, 'patch', principal, pg_temp.day(clock), false, 'audit', 'audit_log');
     INSERT INTO modeltrail.attribution (cluster, resource, uid, position, request_index, strength)
     VALUES ('c1', 'models.mlops.seldon.io', md5(name)::uuid, at_position, currval('pg_temp.next'), 'exact')$$;
SELECT pg_temp.object(name), pg_temp.synced(name), pg_temp.touch(140, name), pg_temp.write(name, 1, 'flux', '10:30')
FROM unnest(ARRAY['once', 'twice', 'others']) AS name;
UPDATE modeltrail.gitops_sync SET started_at = NULL WHERE name IN ('once', 'twice', 'others');
SELECT pg_temp.write('once', 2, 'flux', '11:30'), pg_temp.write('twice', 2, 'flux', '10:59'), pg_temp.write('others', 2, 'alice', '10:59');
SELECT is(pg_temp.chain('once', '10:30'), 'commit alice', 'its next write came when the sync was done');
SELECT is(pg_temp.chain('twice', '10:30'), 'revision self_heal', 'it wrote once more: this one was its own doing');
SELECT is(pg_temp.chain('others', '10:30'), 'commit alice', 'what somebody else wrote is no word on the tool');
SELECT * FROM finish();
ROLLBACK;

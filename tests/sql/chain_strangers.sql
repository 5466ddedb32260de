-- Whom a GitOps chain must not name (docs/attribution.md, Git and GitOps). Each case is a history in which the author of a
-- commit did not make the change that is asked about: the tool put back what somebody had changed by hand, the commit never
-- got to the branch, or what it touched is not what is applied. Why the chain ends is not asked here.
BEGIN;
SELECT plan(24);

CREATE FUNCTION pg_temp.day(clock text) RETURNS timestamptz LANGUAGE sql
    RETURN (('2026-03-02 ' || clock)::timestamp AT TIME ZONE 'UTC');
CREATE FUNCTION pg_temp.sha(n integer) RETURNS text LANGUAGE sql RETURN lpad(n::text, 40, 'a');

-- A tool's times are of whole seconds, and are told as the ends of these.
CREATE FUNCTION pg_temp.told(clock text) RETURNS timestamptz LANGUAGE sql RETURN pg_temp.day(clock) + interval '999999 us';

-- A case begins with a new Model risk/m1 of one application, and nothing told of it.
CREATE SEQUENCE pg_temp.life;
CREATE FUNCTION pg_temp.uid() RETURNS uuid LANGUAGE sql RETURN md5(currval('pg_temp.life')::text)::uuid;
CREATE FUNCTION pg_temp.begin(application text DEFAULT 'argocd/risk', tool text DEFAULT 'argocd', kind text DEFAULT 'Application') RETURNS void LANGUAGE sql
AS $$DELETE FROM modeltrail.commit; DELETE FROM modeltrail.commit_path; DELETE FROM modeltrail.gitops_sync; SELECT nextval('pg_temp.life');
     INSERT INTO modeltrail.workload (cluster, resource, uid, log_index, kind, namespace, name)
     VALUES ('c1', 'models.mlops.seldon.io', pg_temp.uid(), 2, 'Model', 'risk', 'm1');
     INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor, removed, detail, origin)
     VALUES ('c1', 'models.mlops.seldon.io', pg_temp.uid(), 1, 2, pg_temp.day('09:00'), 'audit', 1, false, '{}',
             json_build_object('gitops', json_build_object('tool', tool, 'kind', kind, 'application', application, 'evidence', 'tracking_id')))$$;

-- A commit of main on top of `parent`, and the object that it touched.
CREATE FUNCTION pg_temp.say(index bigint, n integer, author text, path text, parent integer, name text DEFAULT 'm1', change text DEFAULT 'modified',
                            namespace text DEFAULT NULL, collector text DEFAULT 'git-1', rewrote integer DEFAULT NULL) RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.commit (log_index, cluster, repository, branch, commit_id, parents, mainline, author_email, signature, collector, rewrote)
     VALUES (index, 'c1', 'https://git.example/models', 'main', pg_temp.sha(n), ARRAY[pg_temp.sha(parent)], true, author, 'none', collector, pg_temp.sha(rewrote));
     INSERT INTO modeltrail.commit_path (log_index, ordinal, cluster, repository, branch, commit_id, path, path_change, rendered, api_group, kind,
                                         namespace, name, object_change)
     VALUES (index, 0, 'c1', 'https://git.example/models', 'main', pg_temp.sha(n), path, 'modified', true, 'mlops.seldon.io', 'Model',
             say.namespace, name, change)$$;

CREATE FUNCTION pg_temp.tell(index bigint, part text, id text, n integer, clock text, started text, finished text, phase text DEFAULT 'Succeeded',
                             path text DEFAULT 'prod', seen text DEFAULT NULL, cluster text DEFAULT 'c1', tool text DEFAULT 'argocd',
                             kind text DEFAULT 'Application', application text DEFAULT 'argocd/risk') RETURNS void LANGUAGE sql
AS $$INSERT INTO modeltrail.gitops_sync (log_index, ordinal, cluster, tool, resource, kind, namespace, name, uid, position, observed_at, removed, part,
                                         sync_id, revision, at, phase, started_at, finished_at, automated, url, path)
     VALUES (index, (SELECT count(*) FROM modeltrail.gitops_sync g WHERE g.log_index = index), cluster, tool, lower(kind) || 's', kind,
             split_part(application, '/', 1), split_part(application, '/', 2), '00000000-0000-4000-8000-000000000099', index,
             coalesce(pg_temp.day(seen), pg_temp.day(clock), pg_temp.day(finished), pg_temp.day('09:00')), false, part, id, pg_temp.sha(n),
             pg_temp.told(clock), phase, pg_temp.told(started), pg_temp.told(finished), true,
             CASE WHEN part <> 'operation' THEN 'https://git.example/models' END, CASE WHEN part <> 'operation' THEN path END)$$;
-- Argo CD's sync and its operation, both told.
CREATE FUNCTION pg_temp.sync(index bigint, id text, n integer, started text, ended text) RETURNS void LANGUAGE sql
AS $$SELECT pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL) WHERE NOT EXISTS (SELECT FROM modeltrail.gitops_sync WHERE log_index = 300);
     SELECT pg_temp.tell(index, 'sync', id, n, ended, started, NULL); SELECT pg_temp.tell(index, 'operation', NULL, n, NULL, started, ended)$$;

CREATE FUNCTION pg_temp.author(clock text) RETURNS text LANGUAGE sql
AS $$SELECT coalesce((c).person, 'nobody') FROM (
     SELECT modeltrail.chain_of(1::smallint, 'c1', 'models.mlops.seldon.io', pg_temp.uid(), 1, pg_temp.day(clock), false) AS c) x$$;

-- What was synced before, by whatever is told of it.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'alice', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'bob', 'prod/m9.yaml', 1, 'm9'),
       pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL), pg_temp.tell(301, 'operation', NULL, 2, NULL, '10:00:00', '10:00:05'),
       pg_temp.tell(302, 'operation', NULL, 2, NULL, '11:00:00', '11:00:02');
SELECT is(pg_temp.author('11:00:01'), 'nobody', 'a self-heal of an application without history (revisionHistoryLimit: 0)');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1), pg_temp.sync(301, '0', 1, '09:30:00', '09:30:05'),
       pg_temp.tell(303, 'operation', NULL, 2, NULL, '10:00:00', '10:00:05', 'Failed'), pg_temp.sync(304, '1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.author('10:00:03'), 'alice', 'an operation that failed wrote what it wrote');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'the next one at that revision puts back what was changed since');

-- What is between two revisions.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1), pg_temp.say(103, 3, 'erin', 'prod/m9.yaml', 2, 'm9'),
       pg_temp.say(104, 4, 'bob', 'prod/m8.yaml', 1, 'm8'), pg_temp.say(105, 5, 'bob', 'prod/m1.yaml', 4), pg_temp.sync(301, '0', 3, '10:00:00', '10:00:05'),
       pg_temp.sync(302, '1', 5, '11:00:00', '11:00:05');
UPDATE modeltrail.commit SET parents = parents || pg_temp.sha(3) WHERE log_index = 105;
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'main merged into a branch that became main: the merge differs by what main had');
UPDATE modeltrail.commit SET brought = ARRAY[pg_temp.sha(2), pg_temp.sha(3)] WHERE log_index = 105;
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'the same, where it brought what was synced before');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'dave', 'prod/m9.yaml', 1, 'm9'), pg_temp.say(103, 3, 'alice', 'prod/m1.yaml', 2),
       pg_temp.say(104, 4, 'bob', 'prod/m9.yaml', 2, 'm9', rewrote => 3), pg_temp.sync(301, '0', 2, '10:00:00', '10:00:05'), pg_temp.sync(302, '1', 4, '11:00:00', '11:00:05');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'a commit that was forced away before it was synced');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1), pg_temp.say(103, 3, 'carol', 'prod/m1.yaml', 2),
       pg_temp.say(104, 4, 'alice', 'prod/m1.yaml', 1, rewrote => 3), pg_temp.sync(301, '0', 3, '10:00:00', '10:00:05'), pg_temp.sync(302, '1', 4, '11:00:00', '11:00:05');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'a branch that was forced back: whoever did it is not the author');

-- Two collectors, of which the one that is told first has the newer commits only.
SELECT pg_temp.begin(), pg_temp.say(101, 3, 'bob', 'prod/m9.yaml', 2, 'm9', collector => 'git-2'), pg_temp.say(102, 4, 'bob', 'prod/m1.yaml', 3, collector => 'git-2'),
       pg_temp.say(103, 5, 'bob', 'prod/m9.yaml', 4, 'm9', collector => 'git-2'), pg_temp.say(201, 1, 'alice', 'prod/m1.yaml', NULL), pg_temp.say(202, 2, 'dave', 'prod/m9.yaml', 1, 'm9'),
       pg_temp.say(203, 3, 'bob', 'prod/m9.yaml', 2, 'm9'), pg_temp.say(204, 4, 'bob', 'prod/m1.yaml', 3), pg_temp.say(205, 5, 'bob', 'prod/m9.yaml', 4, 'm9'),
       pg_temp.sync(301, '0', 5, '10:00:00', '10:00:05'), pg_temp.sync(302, '1', 2, '11:00:00', '11:00:05'), pg_temp.sync(303, '2', 5, '12:00:00', '12:00:05');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'back to an older commit, which was told later');
SELECT is(pg_temp.author('12:00:03'), 'bob', 'forward from a commit that was told later');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m9.yaml', NULL, 'm9'), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1),
       pg_temp.say(103, 3, 'bob', 'dev/m1.yaml', 2, collector => 'git-2'), pg_temp.say(104, 3, 'bob', 'prod/m1.yaml', 2), pg_temp.sync(301, '0', 1, '10:00:00', '10:00:05'),
       pg_temp.sync(302, '1', 3, '11:00:00', '11:00:05');
SELECT isnt(pg_temp.author('11:00:03'), 'alice', 'a commit of which two collectors tell other folders was there, and after alice''s');

-- What is applied.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'alice', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'bob', 'prod/archive/m1.yaml', 1), pg_temp.sync(301, '0', 1, '10:00:00', '10:00:05'),
       pg_temp.sync(302, '1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'Argo CD takes no files of folders within, unless it is told to');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'alice', 'prod/a.yaml', NULL, namespace => 'risk'), pg_temp.say(102, 2, 'bob', 'prod/b.yaml', 1),
       pg_temp.sync(301, '0', 1, '10:00:00', '10:00:05'), pg_temp.sync(302, '1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'the same name beside it, for the namespace that the application goes to');
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'bob', 'dev/m1.yaml', 1), pg_temp.say(103, 3, 'alice', 'prod/m1.yaml', 2),
       pg_temp.say(104, 4, 'bob', 'dev/m1.yaml', 3), pg_temp.tell(290, 'source', NULL, NULL, NULL, NULL, NULL, path => 'dev', seen => '09:00'),
       pg_temp.tell(290, 'sync', '0', 1, '09:00:00', '08:59:55', NULL, path => 'dev'), pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL, seen => '16:00'),
       pg_temp.sync(301, '1', 4, '12:00:00', '12:00:05');
SELECT isnt(pg_temp.author('12:00:03'), 'bob', 'the folder is that of the sync, not what was seen before it');

-- Whose application it is: not another cluster's that has the same name.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'dev/m1.yaml', NULL), pg_temp.say(102, 2, 'bob', 'dev/m1.yaml', 1),
       pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL, path => 'dev', cluster => 'c2'), pg_temp.tell(301, 'sync', '0', 1, '10:00:05', '10:00:00', NULL, path => 'dev', cluster => 'c2'),
       pg_temp.tell(302, 'sync', '1', 2, '11:00:05', '11:00:00', NULL, path => 'dev', cluster => 'c2');
SELECT is(pg_temp.author('11:00:03'), 'nobody', 'the application of that name of another cluster, which goes to that cluster');
SELECT pg_temp.begin('flux-system/apps', 'flux', 'Kustomization'), pg_temp.say(101, 1, 'dave', 'dev/m1.yaml', NULL), pg_temp.say(102, 2, 'bob', 'dev/m1.yaml', 1),
       pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL, 'Succeeded', 'dev', NULL, 'c2', 'flux', 'Kustomization', 'flux-system/apps'),
       pg_temp.tell(301, 'sync', NULL, 1, '10:00:05', NULL, NULL, 'Succeeded', 'dev', NULL, 'c2', 'flux', 'Kustomization', 'flux-system/apps'),
       pg_temp.tell(302, 'sync', NULL, 2, '11:00:05', NULL, NULL, 'Succeeded', 'dev', NULL, 'c2', 'flux', 'Kustomization', 'flux-system/apps');
SELECT is(pg_temp.author('10:59:00'), 'nobody', 'flux-system/apps is in every cluster, and each is its own');

-- Which operation: of whole seconds it is known when it began and ended.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1), pg_temp.sync(301, '0', 1, '09:30:00', '09:30:05'),
       pg_temp.tell(303, 'operation', NULL, 1, NULL, '10:00:00', '10:00:02'), pg_temp.sync(304, '1', 2, '10:00:02', '10:00:08');
SELECT is(pg_temp.author('10:00:01.5'), 'nobody', 'surely the first one''s, which was a self-heal');
SELECT is(pg_temp.author('10:00:02.5'), 'nobody', 'either''s, of two in one second');
SELECT is(pg_temp.author('10:00:06'), 'alice', 'surely the second one''s');
UPDATE modeltrail.gitops_sync SET started_at = pg_temp.told('10:00:03') WHERE log_index = 304;
SELECT is(pg_temp.author('10:00:02.6'), 'nobody', 'in the first one''s last second');
UPDATE modeltrail.gitops_sync SET started_at = pg_temp.told('10:00:04') WHERE log_index = 304;
SELECT is(pg_temp.author('10:00:03.5'), 'nobody', 'where none of two is chosen, the sync that was done next is not either');

-- One that was told while it ran, and whose end nobody heard; the history says when its sync was done.
SELECT pg_temp.begin(), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1), pg_temp.sync(301, '0', 1, '09:00:00', '09:00:05'),
       pg_temp.tell(302, 'operation', NULL, 2, NULL, '10:00:00', NULL, 'Running', seen => '10:00:01'), pg_temp.tell(400, 'sync', '1', 2, '10:00:05', '10:00:00', NULL, seen => '15:00'),
       pg_temp.tell(400, 'operation', NULL, 2, NULL, '14:00:00', '14:00:02', seen => '15:00');
SELECT is(pg_temp.author('10:00:03'), 'alice', 'while it ran');
SELECT is(pg_temp.author('12:00:01'), 'nobody', 'two hours after its sync was done');

-- A tool that does not tell when it began: it wrote once more before the sync was done, which nobody is credited with.
SELECT pg_temp.begin('flux-system/apps', 'flux', 'Kustomization'), pg_temp.say(101, 1, 'dave', 'prod/m1.yaml', NULL), pg_temp.say(102, 2, 'alice', 'prod/m1.yaml', 1),
       pg_temp.tell(300, 'source', NULL, NULL, NULL, NULL, NULL, 'Succeeded', 'prod', NULL, 'c1', 'flux', 'Kustomization', 'flux-system/apps'),
       pg_temp.tell(301, 'sync', NULL, 1, '10:00:05', NULL, NULL, 'Succeeded', 'prod', NULL, 'c1', 'flux', 'Kustomization', 'flux-system/apps'),
       pg_temp.tell(302, 'sync', NULL, 2, '11:00:05', NULL, NULL, 'Succeeded', 'prod', NULL, 'c1', 'flux', 'Kustomization', 'flux-system/apps');
SELECT is(pg_temp.author('10:59:00'), 'alice', 'its only write before the sync was done is the sync''s');
INSERT INTO modeltrail.state SELECT (jsonb_populate_record(s, '{"position": 2, "log_index": 5, "at": "2026-03-02T11:00:04Z"}')).* FROM modeltrail.state s WHERE s.uid = pg_temp.uid();
SELECT is(pg_temp.author('10:45:00'), 'nobody', 'the object changed once more before the sync was done: of the two the former was its own doing');
SELECT * FROM finish();
ROLLBACK;

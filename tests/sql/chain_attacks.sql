-- Histories in which a chain of GitOps could name somebody who did not make the change (docs/attribution.md). Each has
-- an application and a repository of its own, called after it; the workload is Model risk/m1 of cluster c1.
BEGIN;
SELECT plan(116);

\ir fixtures/history.sql

-- ---- which application ----

SELECT pg_temp.begin_history('elsewhere', told => false), pg_temp.commit(1, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, cluster => 'c2'), pg_temp.tell('operation', NULL, 1, '11:00:00', '11:00:05', cluster => 'c2'),
       pg_temp.tell('source', NULL, NULL, NULL, NULL, cluster => 'c2b', is_local => NULL);
SELECT is(pg_temp.chain('11:00:03'), 'application application_not_collected', 'another cluster has an application of that name for itself; of one it is not told');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, cluster => 'c3', is_local => false), pg_temp.tell('operation', NULL, 1, '11:00:00', '11:00:05', cluster => 'c3', is_local => false);
SELECT is(pg_temp.chain('11:00:03'), 'commit 1 prod/m1.yaml bob', 'one that applies to other clusters may be ours');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, cluster => 'c4', is_local => false);
SELECT is(pg_temp.chain('11:00:03'), 'application application_ambiguous', 'of two such, neither');

SELECT pg_temp.begin_history('flux-elsewhere', 'flux', told => false), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, cluster => 'c2'), pg_temp.tell('sync', NULL, 1, NULL, '10:00:05', cluster => 'c2'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05', cluster => 'c2');
SELECT is(pg_temp.chain('10:45'), 'application application_not_collected', 'each cluster has a Flux of its own, with the same names');

SELECT pg_temp.begin_history('outward'), pg_temp.commit(1, 'bob', 'prod/m1.yaml');
UPDATE modeltrail.gitops_sync SET is_local = false WHERE name = 'outward';
SELECT is(pg_temp.chain('10:00:03'), 'application application_not_collected', 'an application of our cluster that applies to another one is not ours');

SELECT pg_temp.begin_history('namesake-application'), pg_temp.commit(1, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, namespace => 'aaa'), pg_temp.run('0', 1, '10:00:00', '10:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml bob', 'another namespace has an application of that name');
SELECT pg_temp.read_state(2, '09:30', '{"gitops": {"tool": "argocd", "kind": "Application", "application": "namesake-application"}}');
SELECT is(pg_temp.chain('10:00:03', at_position => 2), 'application application_ambiguous', 'a mark that names no namespace may mean either');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml bob', 'what an object said later counts for later positions');

-- ---- which run ----

SELECT pg_temp.begin_history('no-history'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m9.yaml', name => 'm9');
SELECT pg_temp.tell('operation', NULL, 2, '10:00:00', '10:00:05'), pg_temp.tell('operation', NULL, 2, '11:00:00', '11:00:02');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml alice', 'Argo CD keeps no history: its first operation');
SELECT is(pg_temp.chain('11:00:01'), 'revision self_heal', 'the second at the same revision is no first sync');

SELECT pg_temp.begin_history('failed'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '09:30:00', '09:30:05'), pg_temp.tell('operation', NULL, 2, '10:00:00', '10:00:05', phase => 'Failed'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'commit 2 prod/m1.yaml alice', 'what a sync applied before it failed was asked for');
SELECT is(pg_temp.chain('11:00:03'), 'revision retried', 'what it puts back when it is tried again was not');

SELECT pg_temp.begin_history('selective'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '09:30:00', '09:30:05'), pg_temp.tell('operation', NULL, 2, '10:00:00', '10:00:05', by => 'carol'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'commit 2 prod/m1.yaml alice carol', 'a sync of single resources is in no history');
SELECT is(pg_temp.who('11:00:03'), 'nobody of revision', 'and was before the next of the same revision');

SELECT pg_temp.begin_history('back-to-back'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '09:30:00', '09:30:05'), pg_temp.tell('operation', NULL, 1, '10:00:00', '10:00:02'), pg_temp.run('1', 2, '10:00:02', '10:00:06');
SELECT is(pg_temp.chain('10:00:01.5'), 'revision self_heal', 'the next operation had not begun');
SELECT is(pg_temp.chain('10:00:02.6'), 'application sync_ambiguous', 'one that ended in this second, one that began in it');
SELECT is(pg_temp.chain('10:00:03'), 'commit 2 prod/m1.yaml alice', 'the first had ended');
UPDATE modeltrail.gitops_sync SET started_at = pg_temp.day('10:00:05'), at = at + interval '3 s' WHERE name = 'back-to-back' AND started_at = pg_temp.day('10:00:02');
SELECT is(pg_temp.chain('10:00:02.9'), 'revision self_heal', 'it ran until the second was over');
SELECT is(pg_temp.chain('10:00:03.5'), 'application sync_ambiguous', 'between the two, and clocks differ: neither, and not the sync that came next');

SELECT pg_temp.begin_history('written-twice'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:40');
SELECT pg_temp.write(3, '10:00:02'), pg_temp.write(4, '11:00:01', 'carol'), pg_temp.write(5, '11:00:02'), pg_temp.write(6, '11:00:10', 'carol'), pg_temp.write(7, '11:00:30');
SELECT is(pg_temp.chain('11:00:02', at_position => 5), 'commit 2 prod/m1.yaml alice', 'the first write of an operation, whoever wrote before it');
SELECT is(pg_temp.chain('11:00:30', at_position => 7), 'revision self_heal', 'the second one puts back what carol did meanwhile');

SELECT pg_temp.begin_history('told-twice'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.tell('operation', NULL, 2, '11:00:00', NULL, seen => '11:00:01', phase => 'Running');
SELECT is(pg_temp.chain('11:00:30'), 'application sync_not_seen', 'an operation that was seen running before: that it still did is not told yet');
SELECT pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:30'), 'application sync_not_seen', 'it had ended: what it said while it ran is overtaken');
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml alice', 'and is no operation before itself');
SELECT pg_temp.tell('operation', NULL, 2, '12:00:00', NULL, seen => '12:00:01', phase => 'Running'), pg_temp.tell('operation', NULL, 2, '12:00:00', '12:00:30');
SELECT is(pg_temp.chain('12:00:20'), 'revision self_heal', 'nor is it over when it was last seen running');

SELECT pg_temp.tell('operation', NULL, 2, '13:00:00', NULL, seen => '13:00:01', phase => 'Running'), pg_temp.tell('sync', '2', 2, '13:00:00', '13:00:30');
SELECT is(pg_temp.chain('13:00:20'), 'revision self_heal', 'of one whose end was not told the history says it');

SELECT pg_temp.begin_history('quick'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:00');
SELECT is(pg_temp.chain('11:00:00.4'), 'commit 2 prod/m1.yaml alice', 'an operation of less than a second is not what was before it');

SELECT pg_temp.begin_history('ids'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', '9', 1, NULL, '10:00:05'), pg_temp.tell('sync', '10', 2, NULL, '10:00:05'), pg_temp.run('11', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision self_heal', 'of two syncs in one second the tenth is behind the ninth');

SELECT pg_temp.begin_history('button'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05', 'frank'), pg_temp.tell('sync', '1', 2, '11:00:00', '11:00:05'), pg_temp.tell('operation', NULL, 2, '11:00:00', '11:00:05', 'frank', automated => true);
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml alice', 'who started an operation before stays in the state of the next: the history says that nobody did');
SELECT pg_temp.tell('operation', NULL, 2, '12:00:00', '12:00:05', 'frank', automated => true);
SELECT is(pg_temp.chain('12:00:03'), 'revision self_heal', 'and where no history says it, nobody is told');

SELECT pg_temp.begin_history('from-zero', told => false), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.run('0', 1, '10:00:00', '10:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml alice', 'Argo CD counts from nought: before that there was none');
SELECT pg_temp.begin_history('from-one', told => false), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.run('1', 1, '10:00:00', '10:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'revision previous_unknown', 'before this one there was another');
SELECT pg_temp.begin_history('flux-zero', 'flux', told => false), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added');
SELECT pg_temp.tell('sync', '0', 1, NULL, '10:00:05'), pg_temp.tell('source', NULL, NULL, NULL, NULL);
SELECT is(pg_temp.chain('10:00:03'), 'revision previous_unknown', 'Flux does not count so');
SELECT pg_temp.begin_history('first-of-name'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.tell('source', NULL, NULL, NULL, '12:00', object => 77), pg_temp.tell('operation', NULL, 1, '12:00:01', '12:00:05', object => 77);
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml alice', 'one that was made anew later was not before it');

-- Flux tells of no operations: a request is of the sync that was done next, if it is the last one before it.
SELECT pg_temp.begin_history('flux', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05');
SELECT pg_temp.write(5, '10:45', 'flux');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'commit 2 prod/m1.yaml alice', 'the only write before the sync was done');
SELECT pg_temp.read_state(6, '11:00:07');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'commit 2 prod/m1.yaml alice', 'one behind the sync changes nothing');
SELECT pg_temp.write(7, '10:50', 'carol');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'commit 2 prod/m1.yaml alice', 'nor does somebody else''s');
SELECT pg_temp.write(8, '11:00:06', 'flux');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'commit 2 prod/m1.yaml alice', 'nor the tool''s own behind it');
SELECT pg_temp.write(9, '11:00:04', 'flux');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'revision self_heal', 'the tool wrote again before: the first write was its own doing');
SELECT is(pg_temp.chain('11:00:04', at_position => 9), 'commit 2 prod/m1.yaml alice', 'and the last one is the sync''s');

SELECT is(pg_temp.chain('11:00:05', at_position => 4), 'commit 2 prod/m1.yaml alice', 'in the second in which the sync was done');

SELECT pg_temp.begin_history('flux-untimed', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, NULL, seen => '10:00:05'), pg_temp.tell('sync', NULL, 1, NULL, NULL, seen => '10:30'), pg_temp.tell('sync', NULL, 2, NULL, NULL, seen => '11:00:05');
SELECT is(pg_temp.chain('10:15'), 'commit 2 prod/m1.yaml alice', 'a revision that is told again without a time is no sync');

SELECT pg_temp.begin_history('flux-label', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05');
SELECT pg_temp.write(5, '10:45', 'flux'), pg_temp.read_state(6, '11:00:04');
SELECT is(pg_temp.who('10:45', at_position => 5), 'nobody of application', 'somebody wrote again, a label alone, and it is not known who');

SELECT pg_temp.begin_history('flux-status', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05');
CREATE FUNCTION pg_temp.read_written(at_position bigint, clock text, written text) RETURNS void LANGUAGE sql
AS $$SELECT pg_temp.read_state($1, $2, (SELECT (origin::jsonb || jsonb_build_object('manager', jsonb_build_object('at', $3)))::json
                                        FROM modeltrail.state WHERE uid = pg_temp.me() AND position = 1))$$;
SELECT pg_temp.read_written(5, '10:45', '10:45'), pg_temp.write(5, '10:45', 'flux'), pg_temp.read_written(6, '10:50', '10:45'), pg_temp.read_written(7, '11:20', '11:20');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'commit 2 prod/m1.yaml alice', 'a later position of status alone, and one behind the sync, are no write');
SELECT pg_temp.read_written(8, '10:55', '10:55');
SELECT is(pg_temp.chain('10:45', at_position => 5), 'application sync_not_seen', 'one that another write made is');

-- One that tells when it began, as Flux's history does.
SELECT pg_temp.begin_history('flux-timed', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, '10:00:00', '10:00:05'), pg_temp.tell('sync', NULL, 2, '11:00:00', '11:00:05');
SELECT pg_temp.write(5, '11:00:02', 'flux'), pg_temp.read_state(6, '11:00:04');
SELECT is(pg_temp.chain('10:45'), 'application sync_not_seen', 'a write before the sync began is not its own');
SELECT is(pg_temp.chain('11:00:02', at_position => 5), 'commit 2 prod/m1.yaml alice', 'one within it is, whatever came then');

SELECT pg_temp.begin_history('flux-long', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '13:00:05');
SELECT is(pg_temp.chain('11:00'), 'application sync_not_seen', 'a write two hours before the next sync was done is not its own');

SELECT pg_temp.begin_history('flux-first', 'flux'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.tell('sync', NULL, 1, NULL, '10:00:05');
SELECT pg_temp.write(5, '10:00:01', 'flux'), pg_temp.write(6, '10:00:03', 'flux');
SELECT is(pg_temp.chain('10:00:01', at_position => 5), 'application sync_not_seen', 'of two writes before the first sync the first is of none');
SELECT is(pg_temp.chain('10:00:03', at_position => 6), 'commit 1 prod/m1.yaml alice', 'and the last is the sync''s');

SELECT pg_temp.begin_history('flux-anew', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'carol', 'prod/m1.yaml', 'removed'),
       pg_temp.commit(3, 'dave', 'prod/m9.yaml', name => 'm9');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('source', NULL, NULL, NULL, '10:30', removed => true),
       pg_temp.tell('source', NULL, NULL, NULL, '12:00', object => 77), pg_temp.tell('sync', NULL, 3, NULL, '12:00:05', object => 77);
SELECT is(pg_temp.who('10:30', true), 'nobody of application', 'the Kustomization went away with what it had made; a commit that came later had no part in it');
SELECT alike(pg_temp.who('11:00', true), 'nobody%', 'nor while there was none');

SELECT is(pg_temp.chain('12:00:02'), 'revision previous_unknown', 'what the new one writes is of its sync');

SELECT pg_temp.begin_history('flux-unseen', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'carol', 'prod/m1.yaml', 'removed');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('source', NULL, NULL, NULL, '10:40'), pg_temp.tell('sync', NULL, 2, NULL, '12:00:05', object => 77);
SELECT is(pg_temp.who('10:30', true), 'nobody of application', 'the old one was still there, and its end was not seen');

SELECT pg_temp.begin_history('anew'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.tell('source', NULL, NULL, NULL, '12:00', object => 77),
       pg_temp.tell('sync', '0', 1, '12:00:01', '12:00:05', 'frank', object => 77), pg_temp.tell('operation', NULL, 1, '12:00:01', '12:00:05', 'frank', object => 77);
SELECT is(pg_temp.chain('12:00:03'), 'revision previous_unknown frank', 'an application that was made anew heals nothing, and its first sync is not the first');

-- ---- which source ----

SELECT pg_temp.begin_history('switched', told => false), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'dev/m1.yaml', 'added'), pg_temp.commit(3, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, path => 'dev'), pg_temp.tell('sync', '0', 2, '10:00:00', '10:00:05', path => 'dev'),
       pg_temp.tell('source', NULL, NULL, NULL, '12:00'), pg_temp.run('1', 2, '12:00:01', '12:00:05');
SELECT is(pg_temp.chain('12:00:03'), 'revision source_changed', 'whoever changed the application''s folder made this, not the tool');
SELECT pg_temp.run('2', 3, '13:00:00', '13:00:05');
SELECT is(pg_temp.chain('13:00:03'), 'commit 3 prod/m1.yaml bob', 'then it is the same folder again');

SELECT pg_temp.begin_history('switched-repository'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', '0', 1, '10:00:00', '10:00:05', url => 'https://git.example/fork'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision source_changed', 'nor is a folder of that name in another repository the same');

SELECT pg_temp.begin_history('switched-away', told => false), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'dev/m1.yaml'),
       pg_temp.commit(3, 'alice', 'prod/m1.yaml'), pg_temp.commit(4, 'bob', 'dev/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, NULL, path => 'dev'), pg_temp.tell('sync', '0', 1, '08:59:55', '09:00:00', path => 'dev', in_last => true),
       pg_temp.tell('source', NULL, NULL, NULL, '16:00'), pg_temp.tell('sync', '1', 4, '12:00:00', '12:00:05', in_last => true),
       pg_temp.tell('operation', NULL, 4, '12:00:00', '12:00:05', in_last => true);
SELECT is(pg_temp.chain('12:00:03'), 'revision source_changed', 'the history says itself where a sync took from, though the change of folder was not seen');

SELECT pg_temp.begin_history('spec', told => false), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('source', NULL, NULL, NULL, '08:00', path => 'dev'), pg_temp.tell('source', NULL, NULL, NULL, '09:00'), pg_temp.tell('operation', NULL, 1, '10:00:00', '10:00:05'),
       pg_temp.tell('operation', NULL, 2, '11:00:00', '11:00:05'), pg_temp.tell('source', NULL, NULL, NULL, '12:00', path => 'dev'),
       pg_temp.tell('source', NULL, NULL, NULL, '10:30', path => 'dev', object => 77);
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml bob', 'of an operation without history the folder that the spec named last, not before or later, nor that of another object');
SELECT pg_temp.tell('source', NULL, NULL, NULL, '10:40'), pg_temp.tell('source', NULL, NULL, NULL, '10:40', url => 'https://git.example/values', in_last => true);
SELECT is(pg_temp.chain('11:00:03'), 'revision several_sources', 'which of two sources of the spec an object is from is not told');

SELECT pg_temp.begin_history('two-sources'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.tell('sync', '1', 2, '11:00:00', '11:00:05'), pg_temp.tell('sync', '1', 1, '11:00:00', '11:00:05', in_last => true, url => 'https://git.example/values'),
       pg_temp.tell('operation', NULL, 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision several_sources', 'nor of two of the history');

SELECT pg_temp.begin_history('chart'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
UPDATE modeltrail.gitops_sync SET chart = 'models' WHERE name = 'chart';
SELECT is(pg_temp.chain('11:00:03'), 'revision rendered', 'a chart is rendered');

-- A Kustomization names the object that has the URL.
SELECT pg_temp.begin_history('reference', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05');
INSERT INTO modeltrail.gitops_sync SELECT (jsonb_populate_record(s, jsonb_build_object('log_index', nextval('log_index'), 'kind', 'GitRepository', 'name', 'models')
    || decoy::jsonb)).* FROM modeltrail.gitops_sync s, unnest(ARRAY['{}', '{"cluster": "c2", "url": "https://git.example/merge", "observed_at": "2026-03-02T09:30:00Z"}',
    '{"namespace": "other", "url": "https://git.example/merge", "observed_at": "2026-03-02T09:30:00Z"}',
    '{"url": "https://git.example/merge", "observed_at": "2026-03-02T12:00:00Z"}']) AS decoy WHERE s.name = 'reference' AND s.part = 'source';
UPDATE modeltrail.gitops_sync SET url = NULL, source = 'GitRepository/flux-system/models' WHERE name = 'reference' AND part = 'source';
SELECT is(pg_temp.chain('10:45'), 'commit 2 prod/m1.yaml bob', 'its URL then, in its cluster and namespace');

SELECT pg_temp.begin_history('archive'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/archive/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision not_touched', 'Argo CD does not look into folders of the folder');
UPDATE modeltrail.gitops_sync SET recurses = true WHERE name = 'archive';
SELECT is(pg_temp.chain('11:00:03'), 'revision declared_twice', 'unless it is told to: then it has the object twice');
UPDATE modeltrail.gitops_sync SET shaping = 'include' WHERE name = 'archive';
SELECT is(pg_temp.chain('11:00:03'), 'revision rendered', 'which files a pattern takes is not told');

SELECT pg_temp.begin_history('production'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'production/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision not_touched', 'a folder whose name only begins so');

SELECT pg_temp.begin_history('namesakes'), pg_temp.commit(1, 'alice', 'prod/a.yaml', 'added', namespace => 'risk'), pg_temp.commit(2, 'bob', 'prod/b.yaml'),
       pg_temp.commit(3, 'bob', 'prod/c.yaml', namespace => 'other'), pg_temp.commit(4, 'bob', 'prod/d.yaml', kind => 'Pipeline', namespace => 'risk'),
       pg_temp.commit(5, 'bob', 'prod/e.yaml', api_group => 'example.com', namespace => 'risk');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05'), pg_temp.run('2', 5, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision not_touched', 'a manifest without a namespace, where one of that name says ours');
SELECT is(pg_temp.chain('12:00:03'), 'revision not_touched', 'another namespace, kind or group is another object');
UPDATE modeltrail.gitops_sync SET target_namespace = 'other' WHERE name = 'namesakes';
SELECT is(pg_temp.chain('11:00:03'), 'revision not_touched', 'the application puts it into another namespace');
UPDATE modeltrail.gitops_sync SET target_namespace = 'risk' WHERE name = 'namesakes';
SELECT is(pg_temp.chain('11:00:03'), 'revision declared_twice', 'the application puts it into ours, where another file has it too');

SELECT pg_temp.begin_history('elsewhere-named'), pg_temp.commit(1, 'dave', 'dev/m1.yaml', 'added', namespace => 'risk'), pg_temp.commit(2, 'bob', 'prod/m1.yaml'), pg_temp.commit(3, 'erin', 'prod/m1.yaml', namespace => 'risk');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05'), pg_temp.run('2', 3, '12:00:00', '12:00:05');
UPDATE modeltrail.gitops_sync SET target_namespace = 'other' WHERE name = 'elsewhere-named';
SELECT is(pg_temp.chain('12:00:03'), 'commit 3 prod/m1.yaml erin', 'Argo CD keeps a namespace that is written, whatever the application''s');
SELECT pg_temp.begin_history('other-folder-named'), pg_temp.commit(1, 'dave', 'dev/m1.yaml', 'added', namespace => 'risk'), pg_temp.commit(2, 'bob', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml bob', 'a manifest of that name in another folder says nothing of this one');

SELECT pg_temp.begin_history('flux-namespace', 'flux'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added', namespace => 'risk'), pg_temp.commit(2, 'bob', 'prod/m1.yaml', namespace => 'risk');
SELECT pg_temp.tell('sync', NULL, 1, NULL, '10:00:05'), pg_temp.tell('sync', NULL, 2, NULL, '11:00:05');
SELECT is(pg_temp.chain('10:45'), 'commit 2 prod/m1.yaml bob', 'Flux takes the namespace that is written');
UPDATE modeltrail.gitops_sync SET target_namespace = 'other' WHERE name = 'flux-namespace';
SELECT is(pg_temp.chain('10:45'), 'revision not_touched', 'but for a target, which it writes into all');

SELECT pg_temp.begin_history('composed'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml'), pg_temp.also('prod/Chart.yaml', 'added', NULL);
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision rendered', 'a chart');
SELECT pg_temp.commit(3, 'bob', 'prod/Chart.yaml', 'removed', name => NULL), pg_temp.commit(4, 'carol', 'prod/m1.yaml'), pg_temp.run('2', 4, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('12:00:03'), 'commit 4 prod/m1.yaml carol', 'that is gone');

SELECT pg_temp.begin_history('composed-still'), pg_temp.commit(1, 'bob', 'prod/Chart.yaml', 'added', name => NULL);
SELECT pg_temp.begin_history('composed-elsewhere'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.run('0', 1, '10:00:00', '10:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml alice', 'a chart of another repository');

SELECT pg_temp.begin_history('opaque'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/all.yaml', name => NULL);
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision rendered', 'a file that could not be read may hold it');

SELECT pg_temp.commit(3, 'bob', 'prod/m9.yaml', name => 'm9'), pg_temp.commit(4, 'bob', 'prod/all.yaml', name => NULL), pg_temp.run('2', 4, '12:00:00', '12:00:05');
SELECT pg_temp.commit(5, 'bob', 'prod/README.md', name => NULL), pg_temp.commit(6, 'bob', 'dev/all.yaml', name => NULL), pg_temp.run('3', 6, '13:00:00', '13:00:05');
SELECT is(pg_temp.chain('12:00:03'), 'revision rendered', 'also where an earlier commit of the stretch could be read');
SELECT is(pg_temp.chain('13:00:03'), 'revision not_touched', 'no manifest, or none of the folder, holds nothing of it');

-- ---- which commit ----

SELECT pg_temp.begin_history('dropped'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'dave', 'prod/m9.yaml', name => 'm9'),
       pg_temp.commit(3, 'mallory', 'prod/m1.yaml'), pg_temp.commit(4, 'bob', 'prod/m9.yaml', parents => '{2}', name => 'm9');
SELECT pg_temp.run('0', 2, '10:00:00', '10:00:05'), pg_temp.run('1', 4, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision not_touched', 'a commit that was forced away before any sync');

SELECT pg_temp.begin_history('forced-back'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'), pg_temp.commit(3, 'carol', 'prod/m1.yaml'),
       pg_temp.commit(22, 'alice', 'prod/m1.yaml', parents => '{1}');
SELECT pg_temp.run('0', 3, '10:00:00', '10:00:05'), pg_temp.run('1', 22, '11:00:00', '11:00:05'), pg_temp.run('2', 1, '12:00:00', '12:00:05', 'frank');
SELECT is(pg_temp.chain('11:00:03'), 'revision other_line', 'whoever forced the branch back made this, not the author of a commit that was there before');
SELECT is(pg_temp.chain('12:00:03'), 'revision rolled_back frank', 'back on the same line');

-- `git pull` and push: the merge's first parent is the merger's own line, and it differs from that by all that main had.
SELECT pg_temp.begin_history('foxtrot'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'), pg_temp.commit(3, 'erin', 'prod/m9.yaml', name => 'm9'),
       pg_temp.commit(4, 'bob', 'prod/m8.yaml', parents => '{1}', name => 'm8'), pg_temp.commit(5, 'bob', 'prod/m1.yaml', parents => '{4,3}'), pg_temp.commit(6, 'carol', 'prod/m1.yaml');
SELECT pg_temp.run('0', 3, '10:00:00', '10:00:05'), pg_temp.run('1', 5, '11:00:00', '11:00:05'), pg_temp.run('2', 6, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision other_line', 'neither the merger nor an author whose commit was synced before');
SELECT is(pg_temp.chain('12:00:03'), 'commit 6 prod/m1.yaml carol', 'the next one is upon it');
UPDATE modeltrail.commit SET brought = ARRAY[pg_temp.sha(2), pg_temp.sha(3)] WHERE repository = 'https://git.example/foxtrot' AND commit_id = pg_temp.sha(5);
SELECT is(pg_temp.chain('11:00:03'), 'revision other_line', 'nor when it is told what the merge brought');

SELECT pg_temp.begin_history('gap'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(5, 'alice', 'prod/m1.yaml'), pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 5, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision commits_not_collected', 'a commit between the two was not told');

SELECT pg_temp.begin_history('merge'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(21, 'alice', 'prod/m1.yaml', parents => '{1}', mainline => false),
       pg_temp.commit(22, 'erin', 'prod/m1.yaml', parents => '{21}', mainline => false), pg_temp.commit(23, 'erin', 'dev/m1.yaml', parents => '{22}', mainline => false),
       pg_temp.commit(3, 'bob', 'prod/m1.yaml', parents => '{1,23}', brought => '{21,22,23}'), pg_temp.commit(4, 'bob', 'prod/m9.yaml', name => 'm9');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 4, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 22 prod/m1.yaml erin', 'the last that a merge brought, and that touched it');
SELECT pg_temp.commit(21, 'alice', 'prod/m1.yaml', parents => '{1}', mainline => false, collector => 'git-2');
SELECT is(pg_temp.chain('11:00:03'), 'commit 22 prod/m1.yaml erin', 'whatever another collector has told of it so far');
SELECT pg_temp.commit(5, 'bob', 'prod/m1.yaml', parents => '{4,51}', brought => ARRAY(SELECT generate_series(1001, 2000))), pg_temp.run('2', 5, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('12:00:03'), 'revision commits_not_collected', 'a merge of more than are told');
SELECT pg_temp.commit(6, 'bob', 'prod/m1.yaml', parents => '{5,61}', brought => '{61}'), pg_temp.run('3', 6, '13:00:00', '13:00:05');
SELECT isnt(pg_temp.who('13:00:03'), 'erin', 'a merge whose commits say nothing of it names none of another merge');

SELECT pg_temp.begin_history('two-collectors'), pg_temp.commit(3, 'bob', 'prod/m9.yaml', name => 'm9', collector => 'git-2'), pg_temp.commit(4, 'bob', 'prod/m1.yaml', collector => 'git-2'),
       pg_temp.commit(5, 'bob', 'prod/m9.yaml', name => 'm9', collector => 'git-2'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'dave', 'prod/m9.yaml', name => 'm9'),
       pg_temp.commit(3, 'bob', 'prod/m9.yaml', name => 'm9'), pg_temp.commit(4, 'bob', 'prod/m1.yaml'), pg_temp.commit(5, 'bob', 'prod/m9.yaml', name => 'm9');
SELECT pg_temp.run('0', 5, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05', 'frank'), pg_temp.run('2', 5, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision rolled_back frank', 'what is older was told later');
SELECT is(pg_temp.chain('12:00:03'), 'commit 4 prod/m1.yaml bob', 'and forward again');

SELECT pg_temp.begin_history('two-folders'), pg_temp.commit(1, 'dave', 'prod/m9.yaml', name => 'm9'), pg_temp.commit(2, 'alice', 'prod/m1.yaml', 'added'),
       pg_temp.commit(3, 'bob', 'dev/m1.yaml', collector => 'git-2'), pg_temp.commit(3, 'bob', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 3, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 3 prod/m1.yaml bob', 'one collector tells this folder of a commit, the other that one');

SELECT pg_temp.begin_history('other-branch'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'bob', 'prod/m1.yaml'), pg_temp.commit(3, 'bob', 'prod/m1.yaml'),
       pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added', branch => 'release'), pg_temp.commit(12, 'alice', 'prod/m1.yaml', parents => '{1}', branch => 'release');
SELECT pg_temp.run('0', 3, '10:00:00', '10:00:05'), pg_temp.run('1', 12, '11:00:00', '11:00:05'), pg_temp.run('2', 1, '12:00:00', '12:00:05'), pg_temp.run('3', 12, '13:00:00', '13:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision other_line', 'whoever changed the branch that is followed made this');
SELECT is(pg_temp.chain('13:00:03'), 'commit 12 prod/m1.yaml alice', 'from where the branches part it is the commit''s');

SELECT pg_temp.begin_history('tag'), pg_temp.commit(1, 'alice', 'prod/m1.yaml', 'added'), pg_temp.tell('operation', NULL, NULL, '10:00:00', '10:00:05');
SELECT is(pg_temp.chain('10:00:03'), 'revision sync_not_seen', 'an operation that names no revision');
UPDATE modeltrail.gitops_sync SET revision = 'main' WHERE name = 'tag' AND part = 'operation';
SELECT is(pg_temp.chain('10:00:03'), 'revision not_a_commit', 'a branch is no commit');

SELECT pg_temp.begin_history('signature'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'), pg_temp.commit(2, 'alice', 'prod/m1.yaml', signature => 'bad', collector => 'git-2');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision bad_signature', 'one of two collectors checks signatures, and found it bad');
SELECT is(pg_temp.who('11:00:03'), 'nobody of revision', 'its author is not whom it names');

SELECT pg_temp.begin_history('mapped'), pg_temp.commit(1, 'trudy', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'trudy', 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '13:00:00', '13:00:05');
INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind)
VALUES ('trudy', false, pg_temp.day('12:00'), 1, pg_temp.day('12:00'), 0, 'carol', 'human');
SELECT is(pg_temp.chain('10:00:03'), 'commit 1 prod/m1.yaml trudy', 'a name means whom it meant then');
SELECT is(pg_temp.chain('13:00:03'), 'commit 2 prod/m1.yaml carol', 'and later whom it means since');

-- ---- moved files ----

SELECT pg_temp.begin_history('renamed'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'),
       pg_temp.commit(3, 'bob', 'prod/fraud.yaml', 'moved', moved_from => 'prod/m1.yaml'), pg_temp.also('prod/m1.yaml', 'moved', moved_to => 'prod/fraud.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 3, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml alice', 'whoever renames a file changes nothing in it');
SELECT is(pg_temp.chain('11:00:03', true), 'revision not_touched', 'and takes nothing away');

SELECT pg_temp.begin_history('joined'), pg_temp.commit(1, 'dave', 'prod/a.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/a.yaml'), pg_temp.commit(3, 'erin', 'prod/b.yaml', 'added'),
       pg_temp.commit(4, 'bob', 'prod/c.yaml', 'modified', moved_from => 'prod/b.yaml'), pg_temp.also('prod/b.yaml', 'moved', moved_to => 'prod/c.yaml'), pg_temp.also('prod/a.yaml', 'moved', moved_to => 'prod/c.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 3, '11:00:00', '11:00:05'), pg_temp.run('2', 4, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'revision declared_twice', 'two files have it: which is applied is not told');
SELECT is(pg_temp.chain('12:00:03'), 'commit 4 prod/c.yaml bob', 'whoever joined them decided which');

SELECT pg_temp.begin_history('renamed-wide'), pg_temp.commit(1, 'dave', 'prod/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'), pg_temp.commit(3, 'bob', 'prod/fraud.yaml', 'moved', moved_from => 'prod/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 3, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/m1.yaml alice', 'the old file''s word did not fit the event');

SELECT pg_temp.begin_history('three-files'), pg_temp.commit(1, 'dave', 'prod/a.yaml', 'added'), pg_temp.also('prod/b.yaml', 'added'), pg_temp.also('prod/c.yaml', 'added'),
       pg_temp.commit(2, 'carol', 'prod/c.yaml', 'removed'), pg_temp.commit(3, 'erin', 'prod/b.yaml', 'removed'), pg_temp.commit(4, 'alice', 'prod/a.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05'), pg_temp.run('2', 4, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03', true), 'commit 2 prod/c.yaml carol', 'taken out of one of three files');
SELECT is(pg_temp.chain('12:00:03'), 'commit 4 prod/a.yaml alice', 'when the others are gone it is in one');

SELECT pg_temp.begin_history('unlike'), pg_temp.commit(1, 'dave', 'prod/b.yaml', 'added', kind => 'Pipeline'), pg_temp.also('prod/c.yaml', 'added', api_group => 'example.com'),
       pg_temp.also('prod/d.yaml', 'added', namespace => 'other'), pg_temp.commit(2, 'alice', 'prod/a.yaml', 'added', namespace => 'risk');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 2, '11:00:00', '11:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 2 prod/a.yaml alice', 'another kind, group or namespace is no second place of it');

SELECT pg_temp.begin_history('promoted'), pg_temp.commit(1, 'dave', 'dev/m1.yaml', 'added'), pg_temp.commit(2, 'alice', 'prod/m1.yaml'),
       pg_temp.commit(3, 'bob', 'prod/m1.yaml', 'moved', moved_from => 'dev/m1.yaml'), pg_temp.also('dev/m1.yaml', 'moved', moved_to => 'prod/m1.yaml'),
       pg_temp.commit(4, 'carol', 'prod/archive/m1.yaml', 'moved', moved_from => 'prod/m1.yaml'), pg_temp.also('prod/m1.yaml', 'moved', moved_to => 'prod/archive/m1.yaml');
SELECT pg_temp.run('0', 1, '10:00:00', '10:00:05'), pg_temp.run('1', 3, '11:00:00', '11:00:05'), pg_temp.run('2', 4, '12:00:00', '12:00:05');
SELECT is(pg_temp.chain('11:00:03'), 'commit 3 prod/m1.yaml bob', 'whoever moves a file into the folder puts it there');
SELECT is(pg_temp.chain('12:00:03', true), 'commit 4 prod/m1.yaml carol', 'whoever moves it to where nobody looks takes it away');
UPDATE modeltrail.gitops_sync SET recurses = true WHERE name = 'promoted';
SELECT is(pg_temp.chain('12:00:03', true), 'revision not_touched', 'but not where folders of the folder are read');
SELECT is(pg_temp.chain('12:00:03'), 'revision not_touched', 'and there it stays as it was');

SELECT * FROM finish();
ROLLBACK;

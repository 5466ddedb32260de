-- How far who did it can be proven in a cluster, by what its requests show (docs/attribution.md), and what is missing.
BEGIN;
\ir fixtures/rows.sql
CREATE SEQUENCE pg_temp.index;
-- A write of `ago`, shown as its source shows it.
CREATE FUNCTION pg_temp.wrote(cluster text, ago interval, shows text, namespace text DEFAULT 'dev', verb text DEFAULT 'patch', who text DEFAULT 'alice') RETURNS bigint LANGUAGE sql
    AS $$INSERT INTO modeltrail.request (log_index, cluster, audit_id, stage, verb, resource, kind, namespace, name, uid, position, generation, removes, code, dry_run, at, principal, via, evidence, level)
         SELECT i, cluster, 'a-' || i, 'ResponseComplete', verb, 'models.mlops.seldon.io', 'Model', namespace, 'fraud',
                CASE WHEN shows IN ('answers', 'policy', 'admission', 'label', 'sent') THEN '00000000-0000-4000-8000-000000000001'::uuid END,
                CASE WHEN shows = 'answers' THEN i END, CASE WHEN shows IN ('answers', 'policy', 'admission') THEN 2 END, false,
                CASE shows WHEN 'admission' THEN NULL WHEN 'refused' THEN 403 ELSE 200 END, shows = 'dry run', now() - ago, who,
                CASE shows WHEN 'admission' THEN 'admission' ELSE 'audit_log' END, CASE shows WHEN 'admission' THEN 'admission' ELSE 'audit' END,
                CASE shows WHEN 'answers' THEN 'RequestResponse' WHEN 'table' THEN 'RequestResponse' WHEN 'admission' THEN NULL ELSE 'Metadata' END
         FROM nextval('pg_temp.index') AS i RETURNING log_index$$;
CREATE FUNCTION pg_temp.look(cluster text, aspect text, since interval, ago interval DEFAULT '0') RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, watched_since, through, installed)
         SELECT nextval('pg_temp.index'), 'eu-1', cluster, aspect, 'audit_log', '', '', now() - since, now() - ago, true$$;
-- A change of `ago` by the request, or by nobody.
CREATE FUNCTION pg_temp.changed(cluster text, ago interval, request bigint DEFAULT NULL, strength text DEFAULT 'exact') RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.workload (cluster, resource, uid, log_index, kind, namespace, name)
         VALUES (cluster, 'models.mlops.seldon.io', '00000000-0000-4000-8000-000000000001', 1, 'Model', 'dev', 'fraud') ON CONFLICT DO NOTHING;
         INSERT INTO modeltrail.change (cluster, resource, uid, position, component, change_id, change_type, happened_at, time_source, role, recorded_index, revised_index)
         VALUES (cluster, 'models.mlops.seldon.io', '00000000-0000-4000-8000-000000000001', nextval('pg_temp.index'), 'model', 'c-' || currval('pg_temp.index'),
                 'upgraded', now() - ago, 'managed_fields', 'live', 1, 1);
         INSERT INTO modeltrail.attribution (cluster, resource, uid, position, request_index, strength)
         SELECT cluster, 'models.mlops.seldon.io', '00000000-0000-4000-8000-000000000001', currval('pg_temp.index'), request, strength WHERE request IS NOT NULL$$;
CREATE FUNCTION pg_temp.level(of text) RETURNS text LANGUAGE sql
    AS $$SELECT level FROM modeltrail_v1.attribution_levels WHERE cluster = of$$;
CREATE FUNCTION pg_temp.step(of text) RETURNS text LANGUAGE sql
    AS $$SELECT next_step FROM modeltrail_v1.attribution_levels WHERE cluster = of$$;
CREATE FUNCTION pg_temp.fell(of text) RETURNS text LANGUAGE sql
    AS $$SELECT array_to_string(fell, ', ') FROM modeltrail_v1.attribution_levels WHERE cluster = of$$;
SELECT plan(46);

SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_levels', 'no cluster, no level');
SELECT pg_temp.look('watch', 'state', '1 day');
SELECT is(pg_temp.level('watch'), 'watch', 'nobody is named by a watch');
SELECT matches(pg_temp.step('watch'), 'source audit_log .*admission-webhook.yaml', 'and what would name somebody');
SELECT pg_temp.look(c, 'state', '40 days'), pg_temp.look(c, 'actor', '40 days') FROM unnest('{bare,policy,answers,both,mute,removed,stopped,mixed,none}'::text[]) c;
SELECT pg_temp.look('gone', 'state', '90 days'), pg_temp.look('gone', 'actor', '90 days', '31 days');
INSERT INTO modeltrail.watched (log_index, collector, cluster, aspect, source, namespace, resource, kind, watched_since, through, installed)
SELECT nextval('pg_temp.index'), 'eu-1', c, 'state', 'kubernetes', '', 'models.mlops.seldon.io', 'Model', now() - interval '1 day', now(), true FROM unnest('{both,removed,mixed}'::text[]) c;
SELECT pg_temp.look('reviewed', 'state', '40 days'), pg_temp.look('reviewed', 'actor', '40 days');
SELECT is(pg_temp.level('mute'), 'unknown', 'a who-source that told no write proves nothing yet');
SELECT matches(pg_temp.step('mute'), 'attribution-policy.yaml', 'what to see to before one comes');
SELECT is(pg_temp.level('gone'), 'watch', 'a who-source that ended a month ago is none');

-- What one write shows.
SELECT pg_temp.wrote('none', '1 day', 'refused'), pg_temp.wrote('none', '1 day', 'dry run'), pg_temp.wrote('none', '1 day', 'table'),
       pg_temp.wrote('none', '1 day', 'sent', 'dev', 'update'), pg_temp.wrote('none', '31 days', 'policy'), pg_temp.wrote('none', '1 day', 'none', 'dev', 'delete');
SELECT is(pg_temp.level('none'), 'unknown', 'what was refused, tried, answered with something else, old, or names a uid that its sender knew shows nothing');
SELECT pg_temp.wrote('bare', '1 day', 'none');
SELECT is(pg_temp.level('bare'), 'name_and_time', 'neither answer nor annotation');
SELECT matches(pg_temp.step('bare'), '^kubectl apply -f deploy/kubernetes/attribution-policy.yaml', 'the policy is one step up');
SELECT pg_temp.wrote('policy', '1 day', 'policy');
SELECT is(pg_temp.level('policy'), 'policy', 'a generation without an answer is of the policy');
SELECT pg_temp.wrote('policy', '1 hour', 'label');
SELECT is(pg_temp.level('policy'), 'policy', 'so is the uid of what was patched: a label raises no generation');
SELECT is((SELECT last_write_at FROM modeltrail_v1.attribution_levels WHERE cluster = 'policy'), now() - interval '1 hour', 'the newest that tells');
SELECT pg_temp.wrote('answers', '1 day', 'answers');
SELECT is(pg_temp.level('answers'), 'answers', 'a position is of an answer');
SELECT is(pg_temp.step('answers'), NULL, 'the highest has no step up');
SELECT pg_temp.wrote('reviewed', '1 day', 'admission');
SELECT is(pg_temp.level('reviewed'), 'admission', 'reviews alone');
SELECT matches(pg_temp.step('reviewed'), 'audit-webhook.yaml', 'answers are one step up');

INSERT INTO modeltrail.request (log_index, cluster, audit_id, stage, verb, resource, namespace, name, removes, code, dry_run, at, principal, via, evidence, level)
VALUES (nextval('pg_temp.index'), 'policy', 'app', 'ResponseComplete', 'patch', 'applications.argoproj.io', 'argocd', 'risk', false, 200, false, now(), 'bob', 'audit_log', 'audit', 'Metadata');
SELECT is(pg_temp.level('policy') || pg_temp.fell('policy'), 'policy', 'objects of GitOps tools are none of the policy''s');

-- Several sources.
SELECT pg_temp.wrote('both', '1 day', 'none'), pg_temp.wrote('both', interval '1 day' + interval '3 s', 'admission');
SELECT is(pg_temp.level('both'), 'admission', 'a bare audit log beside reviews takes nothing away');
SELECT is(pg_temp.fell('both'), '', 'and nothing fell');
SELECT pg_temp.wrote('both', '2 hours', 'none');
SELECT is(pg_temp.level('both'), 'name_and_time', 'a write without a review: they stopped');
SELECT matches(pg_temp.fell('both'), '^Model in dev: reviews came until 20', 'which is said');
SELECT pg_temp.wrote('both', '1 minute', 'admission');
SELECT is(pg_temp.level('both') || pg_temp.fell('both'), 'admission', 'they came again');
SELECT pg_temp.wrote('reviewed', '3 days', 'none');
SELECT is(pg_temp.level('reviewed') || pg_temp.fell('reviewed'), 'admission', 'an audit log of days ago is not read any more');

-- What was removed.
SELECT pg_temp.wrote('removed', '2 days', 'policy'), pg_temp.wrote('removed', '1 day', 'none');
SELECT is(pg_temp.level('removed'), 'name_and_time', 'the newest write counts');
SELECT is(pg_temp.fell('removed'), 'Model in dev: the policy was there until ' || modeltrail.instant_text(now() - interval '2 days'), 'the policy was removed');
SELECT pg_temp.wrote('removed', '1 hour', 'policy');
SELECT is(pg_temp.level('removed') || pg_temp.fell('removed'), 'policy', 'and applied again');

-- Namespaces that differ.
SELECT pg_temp.wrote('mixed', '1 day', 'policy', ns) FROM unnest('{a,b,c,d}'::text[]) ns;
SELECT is((SELECT parts FROM modeltrail_v1.attribution_levels WHERE cluster = 'mixed'), '{}', 'all alike: nothing to tell apart');
SELECT pg_temp.wrote('mixed', '1 day', 'none', 'e');
SELECT is(pg_temp.level('mixed'), 'name_and_time', 'a cluster is as good as its weakest part');
SELECT is((SELECT parts FROM modeltrail_v1.attribution_levels WHERE cluster = 'mixed'),
          '{"policy: Model in a, Model in b, Model in c and 1 more","name_and_time: Model in e"}', 'which is told');

-- What became of the changes.
SELECT pg_temp.changed('answers', '2 hours', pg_temp.wrote('answers', '2 hours', 'answers'), word) FROM unnest('{exact,unique,ambiguous}'::text[]) word;
SELECT pg_temp.changed('answers', '31 days', pg_temp.wrote('answers', '31 days', 'answers')), pg_temp.changed('answers', '1 hour');
SELECT pg_temp.rows_are($$SELECT changes, exact_changes, unique_changes, ambiguous_changes, missing_changes, pending_changes, not_collected_changes
                          FROM modeltrail_v1.attribution_levels WHERE cluster = 'answers'$$, $$VALUES (4, 1, 1, 1, 1, 0, 0)$$, 'by word, of thirty days');
SELECT pg_temp.rows_are($$SELECT attribution, count(*) FROM modeltrail_v1.changes WHERE cluster = 'answers' AND happened_at > now() - interval '30 days' GROUP BY 1 ORDER BY 1$$,
                        $$VALUES ('ambiguous', 1), ('exact', 1), ('missing', 1), ('unique', 1)$$, 'the words of view changes');
SELECT is(pg_temp.fell('answers'), '', 'one that is missing is told by its count');
SELECT pg_temp.changed('answers', '50 minutes');
SELECT matches(pg_temp.fell('answers'), '^Model in dev: 2 changes since 20.* are nobody''s$', 'two behind one that was named are no accident');
SELECT pg_temp.changed('watch', '1 hour'), pg_temp.changed('watch', '2 hours');
SELECT is(pg_temp.level('watch') || pg_temp.fell('watch'), 'watch', 'where nobody ever was named nothing fell');
SELECT is((SELECT not_collected_changes FROM modeltrail_v1.attribution_levels WHERE cluster = 'watch'), 2, 'and all is not_collected');
SELECT pg_temp.changed('mute', '1 hour');
SELECT is(pg_temp.level('mute'), 'unknown', 'a change that nobody told of proves no level');

-- Hints.
SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_hints', 'no application, no hint');
SELECT pg_temp.wrote('answers', '3 hours', 'answers', 'dev', 'patch', 'system:serviceaccount:argocd:controller') AS written \gset
SELECT pg_temp.changed('answers', '3 hours', :written);
CREATE FUNCTION pg_temp.says(how text, of text, manager text DEFAULT 'argocd-controller') RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor, removed, detail, origin)
         SELECT c.cluster, c.resource, c.uid, c.position, nextval('pg_temp.index'), now(), 'audit', 1, false, '{}',
                json_build_object('gitops', json_build_object('tool', 'argocd', 'application', of, 'evidence', how),
                                  'manager', json_build_object('name', manager))
         FROM modeltrail.change c JOIN modeltrail.attribution a USING (log, cluster, resource, uid, position)
         JOIN modeltrail.request r ON r.log_index = a.request_index WHERE r.principal LIKE 'system:%'$$;
SELECT pg_temp.says('instance_label', 'chart');
SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_hints', 'a label that charts set too is no hint');
SELECT pg_temp.says('tracking_id', 'argocd/risk', 'kube-controller-manager');
SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_hints', 'an autoscaler that writes it is no hint');
SELECT pg_temp.says('tracking_id', 'argocd/risk');
SELECT pg_temp.rows_are('SELECT hint, cluster, subject, applications FROM modeltrail_v1.attribution_hints',
    $$VALUES ('unmapped_service', 'answers', 'system:serviceaccount:argocd:controller', '{argocd/risk}'::text[])$$, 'a service account that nobody mapped');
SELECT matches((SELECT next_step FROM modeltrail_v1.attribution_hints),
    '- \{service: argocd, kind: gitops, principals: \["system:serviceaccount:argocd:controller"\]\}', 'the line to add');
INSERT INTO modeltrail.central (log_index, applied_by, applied_at, content) VALUES (3000, 'root', now(), '{}');
INSERT INTO modeltrail.person (log_index, person, kind, principal) VALUES (3000, 'argocd', 'gitops', 'system:serviceaccount:argocd:controller');
SELECT modeltrail.map_people(1::smallint, 3000);
SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_hints', 'nor is one that is mapped');

CREATE FUNCTION pg_temp.application(i bigint, name text, url text, chart text DEFAULT NULL, removed boolean DEFAULT false) RETURNS void LANGUAGE sql
    AS $$INSERT INTO modeltrail.gitops_sync (log_index, ordinal, cluster, tool, resource, kind, namespace, name, uid, position, observed_at, removed, part, url, chart)
         VALUES (i, 0, 'answers', 'argocd', 'applications.argoproj.io', 'Application', 'argocd', name, '00000000-0000-4000-8000-000000000002', i, now(), removed, 'source', url, chart)$$;
SELECT pg_temp.application(4000, 'old', 'https://git.example/old.git'), pg_temp.application(4001, 'old', 'https://git.example/models.git'),
       pg_temp.application(4002, 'chart', 'https://charts.example', 'kserve'), pg_temp.application(4003, 'image', 'oci://registry.example/models'),
       pg_temp.application(4004, 'ended', 'https://git.example/ended.git', NULL, true);
SELECT pg_temp.rows_are('SELECT hint, subject, applications FROM modeltrail_v1.attribution_hints',
    $$VALUES ('undeclared_repository', 'https://git.example/models.git', '{Application/argocd/old}'::text[])$$, 'the repositories that are taken from now, and are of git');
SELECT matches((SELECT next_step FROM modeltrail_v1.attribution_hints), '- git: \{url: "https://git.example/models.git", branch: BRANCH\}', 'the source to add');
INSERT INTO modeltrail.commit (log_index, cluster, repository, branch, commit_id, mainline, signature, collector)
VALUES (5000, 'hub', 'ssh://git@git.example:22/models', 'main', 'c0', true, 'none', 'eu-1');
SELECT is_empty('SELECT * FROM modeltrail_v1.attribution_hints', 'declared by any collector, however it is spelled');
SELECT is_empty($$SELECT next_step FROM modeltrail_v1.attribution_levels WHERE level NOT IN ('answers') AND next_step NOT LIKE '%docs/attribution.md%'$$, 'every step tells where to read on');
SELECT * FROM finish();
ROLLBACK;

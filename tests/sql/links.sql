-- The chain link by link, and which readings are compared (0019_chain.sql). That of GitOps is in chain.sql.
BEGIN;
\ir fixtures/rows.sql
\ir fixtures/small.sql
SELECT plan(31);

CREATE FUNCTION pg_temp.links(id text) RETURNS text LANGUAGE sql
    AS $$SELECT string_agg(concat_ws(' ', step, link, strength), ', ' ORDER BY step) FROM modeltrail_v1.chain(id)$$;
CREATE FUNCTION pg_temp.subject(id text, step integer) RETURNS text LANGUAGE sql
    AS $$SELECT subject FROM modeltrail_v1.chain(id) c WHERE c.step = $2$$;
CREATE FUNCTION pg_temp.note(id text, step integer) RETURNS text LANGUAGE sql
    AS $$SELECT note FROM modeltrail_v1.chain(id) c WHERE c.step = $2$$;
CREATE FUNCTION pg_temp.last_word(id text) RETURNS text LANGUAGE sql
    AS $$SELECT note FROM modeltrail_v1.chain(id) c WHERE link = 'end'$$;

SELECT is(pg_temp.links('c-0000000000000004'), '1 object exact, 2 request exact, 3 person stated, 4 end', 'an audited change of a mapped person');
SELECT is(pg_temp.subject('c-0000000000000004', 1), 'c1/risk-prod/SeldonDeployment/fraud at position 200', 'the object is the reading');
SELECT is(pg_temp.subject('c-0000000000000004', 2), 'patch InferenceService/fraud by alice as system:admin, audit id a21', 'both names of an impersonation');
SELECT pg_temp.rows_are($$SELECT subject, person, evidence, event_id, note FROM modeltrail_v1.chain('c-0000000000000004') WHERE step = 3$$,
    $$VALUES ('alice', 'alice@corp.example', 'principal', '_store:1700000000000:30', 'human; logged in, and acted as system:admin')$$,
    'whose name it is says the central file in force');
SELECT is(pg_temp.note('d-0000000000000009', 3), 'human; nobody mapped the name; system:serviceaccount:proxy:gateway spoke for this user', 'a gateway; a deployment''s chain is that of its version');
SELECT is(pg_temp.last_word('d-0000000000000010'), 'ends at a program (ci): on whose behalf it acted is not proven', 'a service is no person');
SELECT is(pg_temp.last_word('c-0000000000000004'), 'ends at the person who sent the request', 'a person is an end');
SELECT is(pg_temp.links('c-0000000000000008'), '1 object exact, 2 request ambiguous, 3 request ambiguous, 4 end', 'several candidates, and nobody is named');
SELECT is_empty($$SELECT 1 FROM modeltrail_v1.chain('c-0000000000000008') WHERE person IS NOT NULL$$, 'really nobody');
SELECT is(pg_temp.links('c-0000000000000006'), '1 object inferred, 2 end', 'a removal that a listing tells');
SELECT is((SELECT event_id FROM modeltrail_v1.chain('c-0000000000000006') WHERE step = 1), 'eu-1:1700000000000:12', 'the listing');
SELECT is(pg_temp.last_word('c-0000000000000006'), 'ends at the object: requests of then have not been read yet', 'pending');
SELECT is(pg_temp.last_word('c-0000000000000007'), 'ends at the object: requests of then were collected, and none of them made it', 'missing');
SELECT is(pg_temp.last_word('c-0000000000000011'), 'ends at the object: requests of then were not collected', 'not collected');
SELECT is_empty($$SELECT * FROM modeltrail_v1.chain('c-ffffffffffffffff')$$, 'no such change');
SELECT is_empty($$SELECT * FROM modeltrail_v1.readings('c-ffffffffffffffff')$$, 'nor its readings');

-- Told by a second collector too, and reviewed: still one request.
INSERT INTO modeltrail.request (log_index, cluster, audit_id, stage, verb, resource, kind, namespace, name, uid, position,
                                removes, code, dry_run, at, principal, via, evidence)
SELECT i, cluster, CASE i WHEN 31 THEN audit_id ELSE 'review' END, CASE i WHEN 31 THEN stage ELSE 'Review' END,
       verb, resource, kind, namespace, name, uid, position, removes, code, dry_run, at,
       principal, 'other', CASE i WHEN 31 THEN 'audit' ELSE 'admission' END
FROM modeltrail.request, (VALUES (31), (32)) AS other (i) WHERE log_index = 23;
INSERT INTO modeltrail.attribution (cluster, resource, uid, position, request_index, strength)
SELECT cluster, resource, uid, position, i, 'ambiguous' FROM modeltrail.attribution, (VALUES (31), (32)) AS other (i) WHERE request_index = 23;
SELECT is(pg_temp.links('c-0000000000000008'), '1 object exact, 2 request ambiguous, 3 request ambiguous, 4 end', 'what two collectors told, and a review of it, is one');
SELECT ok(pg_temp.note('c-0000000000000008', 3) LIKE '%one of 2 that can have made it; reviewed as eu-1:1700000000000:32', 'the review is named');
-- A shared account, and one that a rule or an address leads to.
INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind) VALUES
    ('carol', false, '-infinity', 33, '-infinity', NULL, 'night-shift', 'shared');
SELECT is(pg_temp.last_word('d-0000000000000009'), 'ends at a shared account: which of its users it was is not known', 'a shared account');
SELECT is(modeltrail.mapping_event(1::smallint, 'ALICE@laptop', now(), 'alice@corp.example', 'email'), 30::bigint, 'the event behind an address');
INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind) VALUES
    ('^arn:.*/(.*)$', true, '-infinity', 34, '-infinity', 1, '\1@corp.example', 'human'), ('([', true, '-infinity', 35, '-infinity', 2, 'x', 'human');
SELECT is(modeltrail.mapping_event(1::smallint, 'arn:x/bob', now(), 'bob@corp.example', 'rule'), 34::bigint, 'the event behind a rule, beside one that is no pattern');

-- Every end of a GitOps chain has words, of one that is not known here its own.
SELECT is((SELECT count(*) FILTER (WHERE strpos(modeltrail.gitops_end(jsonb_populate_record(NULL::modeltrail.gitops_chain,
                      jsonb_build_object('chain_end', 'revision', 'application', 'a/b', 'chain_end_reason', reason[1]))), reason[1]) = 0) || ' of ' || count(*)
           FROM regexp_matches(col_description('modeltrail_v1.changes'::regclass, (
               SELECT attnum FROM pg_attribute WHERE attrelid = 'modeltrail_v1.changes'::regclass AND attname = 'chain_end_reason')),
               '[a-z]+(?:_[a-z]+)+', 'g') AS reason), '16 of 16', 'every reason that the view names is a sentence');
SELECT is(modeltrail.gitops_end(jsonb_populate_record(NULL::modeltrail.gitops_chain, '{"chain_end": "revision", "chain_end_reason": "new_word"}')),
    'ends at the revision: new_word', 'one of a later version is not lost');

-- Seldon's GitOps marks the namespace alone.
INSERT INTO modeltrail.person_map (name, is_rule, from_at, log_index, since, rank, person, kind) VALUES
    ('system:serviceaccount:ci:deployer', false, '-infinity', 36, '-infinity', NULL, 'seldon', 'gitops');
INSERT INTO modeltrail.namespace_label (cluster, namespace, position, log_index, at, labels, removed, gitops_tool, gitops_repository)
VALUES ('c1', 'risk-prod', 60, 32, pg_temp.day('09:32'), '{}', false, 'seldon', 'git.example/models');
SELECT pg_temp.rows_are($$SELECT link, subject, strength, event_id FROM modeltrail_v1.chain('c-0000000000000010') WHERE step = 4$$,
    $$VALUES ('application', 'seldon namespace risk-prod, repository git.example/models', 'weak', 'eu-1:1700000000000:32')$$, 'a namespace of Seldon''s GitOps');
SELECT is(pg_temp.last_word('c-0000000000000010'), 'ends at the namespace: seldon tells of no sync', 'which is where it ends');

-- What the object says: claims, and the tool only where nobody is credited.
INSERT INTO modeltrail.state (cluster, resource, uid, position, log_index, at, at_source, extractor, removed, detail, origin)
SELECT cluster, resource, uid, position, later, at, at_source, 2, removed, detail,
       '{"claims": {"ticket": "T-1"}, "manager": {"name": "kubectl", "operation": "Apply", "at": "2026-03-02T10:00:00Z"}}'
FROM (SELECT *, log_index + 20 AS later FROM modeltrail.state WHERE log_index IN (5, 10)) s;
SELECT is(pg_temp.links('c-0000000000000007'), '1 object exact, 2 claim claim, 3 tool weak, 4 end', 'the tool, where nobody is credited');
SELECT is(pg_temp.links('c-0000000000000004'), '1 object exact, 2 request exact, 3 person stated, 4 claim claim, 5 end', 'the claim alone beside a request');

-- Readings to compare.
SELECT pg_temp.rows_are($$SELECT event_id, before_event_id, note FROM modeltrail_v1.readings('c-0000000000000004')$$,
    $$VALUES ('_store:1700000000000:30', 'eu-1:1700000000000:9', NULL)$$, 'the reading that counts there, and the newest one below');
SELECT is((SELECT note FROM modeltrail_v1.readings('c-0000000000000001')), 'the object was created: there was nothing before', 'a request made it');
SELECT is((SELECT note FROM modeltrail_v1.readings('c-0000000000000006')), 'no reading shows this end of the object', 'a listing has no object');

CREATE ROLE link_reader IN ROLE modeltrail_reader;
SET LOCAL ROLE link_reader;
SELECT ok((SELECT count(*) = 5 FROM modeltrail_v1.chain('c-0000000000000004')), 'readers may ask');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;

-- The chain behind one change, link by link, as `modeltrail show` prints it: what told it, the API request, the
-- person, the GitOps tool's sync, the commit, its author, what annotations claim, and why it goes no further.

SET LOCAL ROLE modeltrail_owner;

-- Where a change or a deployment stands: the position whose chain is asked for.
CREATE TYPE modeltrail.chain_place AS (
    log         smallint,
    cluster     text,
    resource    text,
    uid         uuid,
    "position"  bigint,
    at          timestamptz,
    after       timestamptz,
    time_source text,
    attribution text,
    is_removal  boolean,
    told_index  bigint      -- event that first told it; NULL: its reading does
);

CREATE TYPE modeltrail.chain_link AS (
    part      integer,      -- links are sorted by part, then by place
    place     bigint,
    link      text,
    subject   text,
    person    text,
    at        timestamptz,
    strength  text,
    evidence  text,
    log_index bigint,       -- event that tells it
    note      text
);

-- One at a time, by the key: of the few rows of a chain the planner knows no number, and would rather read the log.
CREATE FUNCTION modeltrail.event_name(of_log smallint, of_index bigint) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT e.event_id FROM modeltrail.event e WHERE e.log = $1 AND e.log_index = $2 LIMIT 1;
END;

-- A deployment's chain is that of the position that brought its version, as its columns of actors are.
CREATE FUNCTION modeltrail.place_of(of_change text) RETURNS modeltrail.chain_place
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(c.log, c.cluster, c.resource, c.uid, c.position, c.happened_at, c.happened_after, c.time_source,
               told.attribution, c.change_type = 'removed', c.recorded_index)::modeltrail.chain_place
    FROM modeltrail.change c
    JOIN modeltrail_v1.changes told ON told.change_id = c.change_id
    WHERE c.change_id = $1
    UNION ALL
    SELECT ROW(p.log, p.cluster, p.resource, p.uid, p.deployed_position, p.deployed_at, p.deployed_after,
               p.time_source, told.attribution, false, NULL)::modeltrail.chain_place
    FROM modeltrail.placement p
    JOIN modeltrail.deployment told ON told.placement_id = p.placement_id
    WHERE p.placement_id = $1
    LIMIT 1;
END;

-- The reading that counts at the position (rule 2). A removal that only a listing or a request tells has none.
CREATE FUNCTION modeltrail.reading_at(place modeltrail.chain_place) RETURNS SETOF modeltrail.state
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT s.* FROM modeltrail.state s
    WHERE s.log = ($1).log AND s.cluster = ($1).cluster AND s.resource = ($1).resource AND s.uid = ($1).uid
      AND s.position = ($1).position
    ORDER BY s.extractor DESC, s.log_index LIMIT 1;
END;

CREATE FUNCTION modeltrail.reading_before(place modeltrail.chain_place) RETURNS SETOF modeltrail.state
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT s.* FROM modeltrail.state s
    WHERE s.log = ($1).log AND s.cluster = ($1).cluster AND s.resource = ($1).resource AND s.uid = ($1).uid
      AND s.position < ($1).position
    ORDER BY s.position DESC, s.extractor DESC, s.log_index LIMIT 1;
END;

-- Requests that the fold found for the position, each once: two collectors may both have told it, and a review and its
-- audit event are one. `also` is the event of the other word on it.
CREATE FUNCTION modeltrail.requests_of(place modeltrail.chain_place)
    RETURNS TABLE (log_index bigint, strength text, also bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
    WITH found AS (
        SELECT a.strength, r.* FROM modeltrail.attribution a
        JOIN modeltrail.request r ON r.log = a.log AND r.log_index = a.request_index
        WHERE a.log = ($1).log AND a.cluster = ($1).cluster AND a.resource = ($1).resource
          AND a.uid = ($1).uid AND a.position = ($1).position),
    once AS (
        SELECT f.*, (
            SELECT min(other.log_index) FROM modeltrail.request other
            WHERE other.log = f.log AND other.cluster = f.cluster AND other.resource = f.resource
              AND other.principal = f.principal AND other.evidence <> f.evidence AND other.dry_run = f.dry_run
              AND other.at BETWEEN f.at - interval '5 s' AND f.at + interval '5 s'
              AND other.namespace IS NOT DISTINCT FROM f.namespace AND other.name IS NOT DISTINCT FROM f.name
              AND (other.verb = f.verb OR other.verb = 'patch' AND f.verb IN ('create', 'update')
                   OR f.verb = 'patch' AND other.verb IN ('create', 'update'))
              AND coalesce(other.generation = f.generation, true)) AS also
        FROM found f
        WHERE NOT EXISTS (
            SELECT FROM found earlier
            WHERE earlier.audit_id = f.audit_id AND earlier.stage = f.stage AND earlier.log_index < f.log_index))
    SELECT o.log_index, o.strength, o.also FROM once o
    WHERE o.evidence <> 'admission' OR o.also IS NULL OR o.also NOT IN (SELECT f.log_index FROM found f WHERE f.strength = o.strength);
END;

-- The event that says whose a name is: that of the mapping in force at the instant. NULL for a name that nobody mapped.
CREATE FUNCTION modeltrail.mapping_event(of_log smallint, of_principal text, at timestamptz, of_person text,
                                         matched_by text) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT m.log_index FROM modeltrail.person_map m
    WHERE m.log = $1 AND m.from_at <= $3
      AND CASE $5
          WHEN 'principal' THEN NOT m.is_rule AND m.name = $2 AND m.person = $4
          WHEN 'email' THEN NOT m.is_rule AND m.person = $4
                            AND lower($2) IN (lower(m.name), lower(m.person))
          WHEN 'rule' THEN m.is_rule AND CASE WHEN modeltrail.is_pattern(m.name)
                           THEN $2 ~ m.name AND regexp_replace($2, m.name, m.person) = $4 END
          ELSE false END
    ORDER BY m.log_index DESC LIMIT 1;
END;

-- Name to person. The strength is the central file's word, or none where the name stands for itself.
CREATE FUNCTION modeltrail.person_link(part integer, of_log smallint, principal text, person text, kind text,
                                       matched_by text, at timestamptz, note text) RETURNS modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ROW(part, 0, 'person', principal, person, NULL,
               CASE WHEN matched_by = 'none' THEN 'verbatim' ELSE 'stated' END, matched_by,
               modeltrail.mapping_event(of_log, principal, at, person, matched_by),
               concat_ws('; ', kind, CASE WHEN matched_by = 'none' THEN 'nobody mapped the name' END, note))
           ::modeltrail.chain_link;

-- 1: the reading, or what tells of a removal that no reading shows.
CREATE FUNCTION modeltrail.object_link(place modeltrail.chain_place) RETURNS modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(1, 0, 'object',
               concat_ws('/', w.cluster, nullif(w.namespace, ''), w.kind, w.name)
               || CASE WHEN s.log IS NOT NULL THEN ' at position ' || s.position ELSE '' END
               || coalesce(', generation ' || s.generation, ''),
               NULL, ($1).at,
               CASE WHEN s.log IS NOT NULL OR ($1).position = 9223372036854775807 THEN 'exact' ELSE 'inferred' END,
               ($1).time_source, coalesce(s.log_index, ($1).told_index),
               concat_ws('; ',
                   CASE WHEN s.removed THEN 'it is gone: this is how it was last'
                        WHEN s.log IS NOT NULL THEN NULL
                        WHEN ($1).position = 9223372036854775807 THEN 'its end is told by the request alone'
                        ELSE 'its end was not seen: a listing lacks it' END,
                   'not before ' || modeltrail.instant_text(($1).after)))::modeltrail.chain_link
    FROM modeltrail.workload w
    LEFT JOIN modeltrail.reading_at($1) s ON true
    WHERE w.log = ($1).log AND w.cluster = ($1).cluster AND w.resource = ($1).resource AND w.uid = ($1).uid;
END;

-- 2: the requests. What a controller deleted for somebody stands before the request that asked for it; several that
-- can have made it name nobody.
CREATE FUNCTION modeltrail.request_links(place modeltrail.chain_place) RETURNS SETOF modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(2, row_number() OVER (ORDER BY q.strength <> 'executed', r.at, r.log_index), 'request',
               concat(r.verb, ' ' || nullif(r.subresource, ''), ' ' || coalesce(r.kind, r.resource), '/' || r.name, ' by ', r.applied_by,
                      ' as ' || r.impersonated, ', audit id ' || r.audit_id),
               NULL, r.at, q.strength, r.evidence, r.log_index,
               concat_ws('; ', r.via || coalesce(', level ' || r.level, ''), 'answered ' || r.code, r.user_agent,
                   CASE q.strength
                       WHEN 'executed' THEN 'a controller, for the request that follows'
                       WHEN 'ambiguous' THEN CASE count(*) OVER () WHEN 1 THEN 'can have made it, and nothing proves it'
                           ELSE 'one of ' || count(*) OVER () || ' that can have made it' END
                       END,
                   CASE r.evidence WHEN 'audit' THEN 'reviewed as ' ELSE 'audited as ' END
                   || modeltrail.event_name(($1).log, q.also)))
           ::modeltrail.chain_link
    FROM modeltrail.requests_of($1) q
    JOIN modeltrail.request_actor r ON r.log = ($1).log AND r.log_index = q.log_index;
END;

-- 3: who is accountable for the one request that is credited.
CREATE FUNCTION modeltrail.requester_link(place modeltrail.chain_place) RETURNS SETOF modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT modeltrail.person_link(3, r.log, r.accountable, r.person, r.person_kind, r.matched_by, r.at,
               CASE WHEN r.impersonated IS NOT NULL AND r.accountable = r.applied_by
                    THEN 'logged in, and acted as ' || r.impersonated
                    WHEN r.impersonated IS NOT NULL THEN r.applied_by || ' spoke for this user' END)
    FROM modeltrail.requests_of($1) q
    JOIN modeltrail.request_actor r ON r.log = ($1).log AND r.log_index = q.log_index
    WHERE q.strength IN ('exact', 'unique');
END;

-- What GitOps tells behind the credited request; NULL when no GitOps tool sent it.
CREATE FUNCTION modeltrail.gitops_of(place modeltrail.chain_place) RETURNS modeltrail.gitops_chain
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT modeltrail.chain_of(($1).log, ($1).cluster, ($1).resource, ($1).uid, ($1).position, r.at, ($1).is_removal)
    FROM modeltrail.requests_of($1) q
    JOIN modeltrail.request_actor r ON r.log = ($1).log AND r.log_index = q.log_index
    WHERE q.strength IN ('exact', 'unique') AND r.person_kind = 'gitops';
END;

-- 4: the tool's application, and the sync during which the request came.
CREATE FUNCTION modeltrail.sync_links(place modeltrail.chain_place, chain modeltrail.gitops_chain)
    RETURNS SETOF modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
    SELECT ROW(4, 0, 'application', concat_ws(' ', ($2).tool, ($2).kind, ($2).application), NULL, NULL,
               CASE ($2).belonging WHEN 'tracking_id' THEN 'exact' WHEN 'labels' THEN 'stated' ELSE 'weak' END,
               ($2).belonging,
               -- What the newest reading said by then, as chain_of has it.
               (SELECT s.log_index FROM modeltrail.state s
                WHERE s.log = ($1).log AND s.cluster = ($1).cluster AND s.resource = ($1).resource
                  AND s.uid = ($1).uid AND s.position <= ($1).position
                ORDER BY s.position DESC, s.removed, s.extractor DESC, s.log_index LIMIT 1),
               CASE ($2).belonging WHEN 'tracking_id' THEN 'the object''s annotation names the application and the object'
                                   WHEN 'labels' THEN 'the tool''s own labels'
                                   ELSE 'a label that other tools set too' END)::modeltrail.chain_link
    WHERE ($2).application IS NOT NULL
    UNION ALL
    -- Seldon's own GitOps marks the namespace.
    SELECT ROW(4, 0, 'application', concat(($2).tool, ' namespace ', w.namespace, ', repository ' || ($2).repository),
               NULL, NULL, 'weak', 'namespace',
               (SELECT n.log_index FROM modeltrail.namespace_label n
                WHERE n.log = w.log AND n.cluster = w.cluster AND n.namespace = w.namespace AND n.at <= ($1).at
                ORDER BY n.position DESC, n.log_index DESC LIMIT 1),
               'the namespace is marked, the object is not')::modeltrail.chain_link
    FROM modeltrail.workload w
    WHERE ($2).application IS NULL AND ($2).tool IS NOT NULL
      AND w.log = ($1).log AND w.cluster = ($1).cluster AND w.resource = ($1).resource AND w.uid = ($1).uid
    UNION ALL
    SELECT ROW(4, 1, 'sync',
               concat('revision ', coalesce(($2).revision, 'not told'), ', before it ',
                      CASE ($2).previous_revision WHEN '' THEN 'none'
                           ELSE coalesce(($2).previous_revision, 'not known') END),
               NULL, ($2).synced_at, 'unique', ($2).tool, ($2).sync_index,
               concat_ws('; ', 'started ' || modeltrail.instant_text(($2).synced_from),
                   'started by ' || ($2).initiated_by || ', as the tool says',
                   CASE WHEN ($2).is_automated THEN 'automated' END,
                   CASE WHEN ($2).chain_end_reason = 'self_heal' THEN 'self-heal: nothing new was synced' END,
                   'joined by time'))::modeltrail.chain_link
    WHERE ($2).sync_index IS NOT NULL;
END;

-- 5: the commit, whose times are what the clocks of its author and committer said, and the author. Nobody checks who
-- calls himself author but a signature.
CREATE FUNCTION modeltrail.commit_links(place modeltrail.chain_place, chain modeltrail.gitops_chain)
    RETURNS SETOF modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
BEGIN ATOMIC
    SELECT ROW(5, 0, 'commit', concat_ws(' ', c.commit_id, ($2).path, 'of', c.repository), NULL, c.authored_at, 'exact',
               'git', c.log_index,
               concat_ws('; ', '"' || c.subject || '"',
                   'signature ' || c.signature || coalesce(' of ' || c.signer, ''),
                   'committed by ' || concat_ws(' ', c.committer_name, '<' || c.committer_email || '>')
                   || coalesce(' ' || modeltrail.instant_text(c.committed_at), ''),
                   'ticket ' || nullif(array_to_string(c.tickets, ', '), ''),
                   'approved by ' || nullif(array_to_string(c.approved_by, ', '), ''),
                   'co-authored by ' || nullif(array_to_string(c.co_authored_by, ', '), ''),
                   'signed off by ' || nullif(array_to_string(c.signed_off_by, ', '), ''),
                   'times and names as the commit claims them'))::modeltrail.chain_link
    FROM modeltrail.commit c
    WHERE c.log = ($1).log AND c.log_index = ($2).commit_index
    UNION ALL
    SELECT modeltrail.person_link(6, ($1).log, ($2).author, ($2).person, ($2).person_kind, ($2).matched_by, ($1).at,
               'author of the commit'
               || CASE WHEN c.signature = 'good' THEN '' ELSE ', which no signature proves' END)
    FROM modeltrail.commit c
    WHERE c.log = ($1).log AND c.log_index = ($2).commit_index;
END;

-- 7: what the object itself says: claims of its annotations and, where no request is credited, the tool that wrote it.
-- A removal has none: what the object said of its last version is no word on its end.
CREATE FUNCTION modeltrail.claim_links(place modeltrail.chain_place) RETURNS SETOF modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(7, claim.place, 'claim', claim.word || ' ' || claim.said, NULL, NULL, 'claim', 'annotation', s.log_index,
               'anybody who may write the object may write this')::modeltrail.chain_link
    FROM modeltrail.reading_at($1) s
    CROSS JOIN LATERAL (VALUES (1, 'requested by', s.origin->'claims'->>'requested_by'),
                               (2, 'approved by', s.origin->'claims'->>'approved_by'),
                               (3, 'ticket', s.origin->'claims'->>'ticket')) AS claim (place, word, said)
    WHERE claim.said IS NOT NULL AND NOT s.removed
    UNION ALL
    SELECT ROW(7, 4, 'tool', concat_ws(' ', s.origin->'manager'->>'name', s.origin->'manager'->>'operation'), NULL,
               (s.origin->'manager'->>'at')::timestamptz, 'weak', 'managed_fields', s.log_index,
               'names the program that wrote the object, never a person')::modeltrail.chain_link
    FROM modeltrail.reading_at($1) s
    WHERE s.origin->'manager'->>'name' IS NOT NULL AND NOT s.removed
      AND ($1).attribution NOT IN ('exact', 'unique');
END;

-- Why a GitOps chain goes no further, in words.
CREATE FUNCTION modeltrail.gitops_end(chain modeltrail.gitops_chain) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE (chain).chain_end_reason
        WHEN 'no_application' THEN 'ends at the request: the object does not say which application it is of'
        WHEN 'application_not_collected' THEN 'ends at the application: its object was not collected'
        WHEN 'application_ambiguous' THEN 'ends at the application: several are called so'
        WHEN 'sync_not_seen' THEN CASE WHEN (chain).application IS NULL
            THEN 'ends at the namespace: ' || (chain).tool || ' tells of no sync'
            ELSE 'ends at the application: no sync of it is known that the request was part of' END
        WHEN 'self_heal' THEN 'ends at the revision: it was synced before, so that the tool acted by itself'
        WHEN 'retried' THEN 'ends at the revision: an operation that failed had begun with it, so that either may have made this change'
        WHEN 'other_line' THEN 'ends at the revision: the one before is not on its first-parent line (rewritten, or another branch)'
        WHEN 'source_changed' THEN 'ends at the revision: the application takes from another repository or folder than before'
        WHEN 'bad_signature' THEN 'ends at the revision: the signature of the commit that touched the manifest is wrong'
        WHEN 'sync_ambiguous' THEN 'ends at the application: two operations met in that second'
        WHEN 'declared_twice' THEN 'ends at the revision: two files of its folder have this object, and which is applied is not told'
        WHEN 'rolled_back' THEN 'ends at the revision: it is older than the one before, so that no commit asked for it'
        WHEN 'rendered' THEN 'ends at the revision: the manifest is rendered, so which commit changed this object is not known'
        WHEN 'not_touched' THEN 'ends at the revision: no commit since the sync before touched the manifest'
        WHEN 'not_a_commit' THEN 'ends at the revision: it is no commit, but a version'
        WHEN 'commits_not_collected' THEN 'ends at the revision: the commits up to it were not collected'
        WHEN 'previous_unknown' THEN 'ends at the revision: what was synced before it is not known, so neither is what it changed'
        WHEN 'several_sources' THEN 'ends at the revision: the application takes from several places, and which of them this object is from is not told'
        ELSE concat_ws(': ', 'ends at the ' || (chain).chain_end, (chain).chain_end_reason) END;

-- 8: why there is no further link.
CREATE FUNCTION modeltrail.end_link(place modeltrail.chain_place, chain modeltrail.gitops_chain)
    RETURNS modeltrail.chain_link
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT ROW(8, 0, 'end', NULL, NULL, NULL, NULL, NULL, NULL, CASE
        WHEN ($2).chain_end = 'commit' THEN 'ends at the commit''s author'
        WHEN ($2).chain_end IS NOT NULL THEN modeltrail.gitops_end($2)
        WHEN ($1).attribution = 'ambiguous' THEN CASE (SELECT count(*) FROM modeltrail.requests_of($1))
            WHEN 1 THEN 'ends at the request: it can have made it and nothing proves it, so nobody is named'
            ELSE 'ends at the requests: several can have made it, and nobody is named' END
        WHEN ($1).attribution = 'pending' THEN 'ends at the object: requests of then have not been read yet'
        WHEN ($1).attribution = 'missing' THEN 'ends at the object: requests of then were collected, and none of them made it'
        WHEN ($1).attribution = 'not_collected' THEN 'ends at the object: requests of then were not collected'
        WHEN who.person_kind = 'human' THEN 'ends at the person who sent the request'
        WHEN who.person_kind = 'shared' THEN 'ends at a shared account: which of its users it was is not known'
        ELSE 'ends at a program (' || who.person_kind || '): on whose behalf it acted is not proven' END)
        ::modeltrail.chain_link
    FROM (VALUES (1)) AS always (x)
    LEFT JOIN LATERAL (
        SELECT r.person_kind FROM modeltrail.requests_of($1) q
        JOIN modeltrail.request_actor r ON r.log = ($1).log AND r.log_index = q.log_index
        WHERE q.strength IN ('exact', 'unique') LIMIT 1) AS who ON true;
END;

CREATE FUNCTION modeltrail_v1.chain(of_change text)
    RETURNS TABLE (step integer, link text, subject text, person text, at timestamptz, strength text,
                   evidence text, event_id text, note text)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
BEGIN ATOMIC
    WITH place AS MATERIALIZED (SELECT modeltrail.place_of($1) AS it),
    start AS MATERIALIZED (SELECT place.it, modeltrail.gitops_of(place.it) AS gitops FROM place WHERE (place.it).log IS NOT NULL),
    told AS (
        SELECT l.* FROM start, LATERAL modeltrail.object_link(start.it) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.request_links(start.it) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.requester_link(start.it) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.sync_links(start.it, start.gitops) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.commit_links(start.it, start.gitops) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.claim_links(start.it) l
        UNION ALL SELECT l.* FROM start, LATERAL modeltrail.end_link(start.it, start.gitops) l)
    SELECT (row_number() OVER (ORDER BY t.part, t.place))::integer, t.link, t.subject, t.person, t.at, t.strength,
           t.evidence, modeltrail.event_name((start.it).log, t.log_index), nullif(t.note, '')
    FROM told t
    CROSS JOIN start
    ORDER BY t.part, t.place;
END;
COMMENT ON FUNCTION modeltrail_v1.chain(text) IS
    'The chain behind a change (c-...) or a deployment (d-...: the position that brought its version), one row per link, the object first: object (the reading that told it), request (the API requests; what a controller did for somebody has two), person (whose name that is), application and sync (of a GitOps tool), commit, person (its author), claim (of annotations), tool (by managedFields, where nobody is credited), end (note says why it goes no further). strength: exact; unique (the only candidate in its time); ambiguous (one of several: nobody is named); executed (a controller''s, for the request behind it); inferred (a listing lacked the object); stated (the central file or the tool says so); verbatim (nobody mapped the name); weak; claim (proves nothing). event_id: the event that tells it; NULL for a name that nobody mapped and at the end. at is NULL where a link has no time of its own. No rows: there is no such id.';

CREATE FUNCTION modeltrail_v1.readings(of_change text)
    RETURNS TABLE (event_id text, generation bigint, before_event_id text, before_generation bigint,
                   before_at timestamptz, note text)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
BEGIN ATOMIC
    SELECT modeltrail.event_name(place.log, s.log_index), s.generation,
           modeltrail.event_name(place.log, b.log_index), b.generation, b.at, CASE
        WHEN s.log IS NULL THEN 'no reading shows this end of the object'
        WHEN b.log IS NULL AND EXISTS (
            SELECT FROM modeltrail.requests_of(place) q
            JOIN modeltrail.request r ON r.log = place.log AND r.log_index = q.log_index
            WHERE q.strength IN ('exact', 'unique') AND (r.verb = 'create' OR r.code = 201))
            THEN 'the object was created: there was nothing before'
        WHEN b.log IS NULL AND s.generation = 1
            THEN 'the first reading of the object, whose spec is as it was created: nothing was read before'
        WHEN b.log IS NULL THEN 'the first reading that was collected: what the object was before is not known'
        WHEN s.generation - b.generation = 2
            THEN 'generation ' || b.generation + 1 || ' was not read: several requests may have made the difference'
        WHEN s.generation - b.generation > 2
            THEN 'generations ' || b.generation + 1 || ' to ' || s.generation - 1
                 || ' were not read: several requests may have made the difference' END
    FROM modeltrail.place_of($1) AS place
    LEFT JOIN modeltrail.reading_at(place) s ON true
    LEFT JOIN modeltrail.reading_before(place) b ON s.log IS NOT NULL
    WHERE place.log IS NOT NULL;
END;
COMMENT ON FUNCTION modeltrail_v1.readings(text) IS
    'The two readings whose objects `modeltrail show` compares: that at the position of a change (c-...) or a deployment (d-...: the position that brought its version), and the newest one below it. One row. event_id is NULL when no reading shows the end of an object, before_event_id when nothing was read before; note says why, or that generations between them were not read, and is NULL otherwise. The objects are in raw_events, for auditors.';

RESET ROLE;

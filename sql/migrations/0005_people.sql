-- Who: from the name in a request to the accountable person or service, by the mapping of the instant. A name
-- that nobody mapped stands for itself.

SET LOCAL ROLE modeltrail_owner;

-- Whether PostgreSQL takes it for a regular expression. `apply` asks before it writes; what another hand
-- wrote into the log must not make every answer fail.
CREATE FUNCTION modeltrail.is_pattern(pattern text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN '' ~ (pattern COLLATE "C") IS NOT NULL;
EXCEPTION WHEN invalid_regular_expression OR program_limit_exceeded THEN
    RETURN false;
END
$$;

-- What every name that an anchored pattern matches begins with: cheap to compare, where a regular expression has to
-- be compiled first. The last character may have a quantifier behind it.
CREATE FUNCTION modeltrail.pattern_beginning(pattern text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN left(substring(pattern FROM '^\^([A-Za-z0-9:/@_-]*)'), -1);

-- Derives person_map from one central file; each builds on those before it. The first mapping of a name
-- reaches back to the beginning, unless its entry says since when it holds; later ones start when they say;
-- a name that the file lacks is mapped to nobody. A rule that only reached back is written again where the file
-- itself begins to hold, for its place among the others. The last condition is D32. A service account is never a
-- human, whatever a file says that `apply` did not check.
CREATE FUNCTION modeltrail.map_people(of_log smallint, of_index bigint) RETURNS void
    LANGUAGE sql
BEGIN ATOMIC
    WITH applied AS (
        SELECT coalesce(c.from_at, c.applied_at) AS at FROM modeltrail.central c
        WHERE c.log = $1 AND c.log_index = $2),
    named AS (
        SELECT p.principal AS name, p.is_rule, p.person, p.kind, p.rank, p.from_at
        FROM modeltrail.person p
        WHERE p.log = $1 AND p.log_index = $2
          AND CASE WHEN p.is_rule THEN modeltrail.is_pattern(p.principal)
                   ELSE p.kind <> 'human' OR p.principal NOT LIKE 'system:serviceaccount:%' END),
    known AS (
        SELECT DISTINCT m.name, m.is_rule, true AS is_known FROM modeltrail.person_map m WHERE m.log = $1),
    told AS (
        SELECT name, is_rule, named.person, named.kind, named.rank, coalesce(known.is_known, false) AS is_known,
               named.from_at AS own, coalesce(named.from_at, applied.at) AS at
        FROM named FULL JOIN known USING (name, is_rule) CROSS JOIN applied)
    INSERT INTO modeltrail.person_map (log, name, is_rule, from_at, log_index, since, rank, person, kind)
    SELECT $1, told.name, told.is_rule,
           CASE WHEN told.is_known OR told.own IS NOT NULL THEN told.at ELSE '-infinity' END,
           $2, told.at, told.rank, told.person, told.kind
    FROM told
    LEFT JOIN LATERAL (
        SELECT m.person, m.kind, m.rank, m.since, m.log_index FROM modeltrail.person_map m
        WHERE m.log = $1 AND m.name = told.name AND m.is_rule = told.is_rule AND m.from_at <= told.at
        ORDER BY m.log_index DESC LIMIT 1) present ON true
    WHERE (told.person, told.kind, told.rank) IS DISTINCT FROM (present.person, present.kind, present.rank)
       OR told.is_rule AND present.since > told.at
       OR EXISTS (
           SELECT FROM modeltrail.person_map m
           WHERE m.log = $1 AND m.name = told.name AND m.is_rule = told.is_rule
             AND m.from_at > told.at AND m.log_index > coalesce(present.log_index, 0));
END;
GRANT EXECUTE ON FUNCTION modeltrail.is_pattern(text), modeltrail.map_people(smallint, bigint)
    TO modeltrail_writer;

-- Rule 20. What is no name of Kubernetes' own is taken for a person: an identity provider or a client
-- certificate gave it. A service with such a name is mapped in the central file.
CREATE FUNCTION modeltrail.principal_kind(principal text, mapped_kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(mapped_kind,
                    CASE WHEN principal LIKE 'system:serviceaccount:%' THEN 'service'
                         WHEN principal LIKE 'system:%' THEN 'system'
                         WHEN principal IS NOT NULL THEN 'human' END);

-- Who a name was over all time: persons[i] holds from since[i] on, and since[1] is the beginning; the one at an
-- instant is persons[width_bucket(instant, since)]. One row, that a query over many requests of one principal
-- fetches once, whatever their times. The ladder: the principal itself; else the first rule that matches; else an
-- address that equals, ignoring case, a mapped name of one person alone; else itself. Rules and addresses are tried
-- only where the principal is not mapped at some instant. Among rules those of the file in force go before those
-- that only reach back to the instant.
CREATE FUNCTION modeltrail.persons_of(of_log smallint, of_principal text)
    RETURNS TABLE (since timestamptz[], persons text[], kinds text[], matches text[])
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 500 ROWS 1
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    rows_exact bigint;
    is_settled boolean;
    is_address boolean := of_principal ~ '^[^@[:space:]]+@[^@[:space:]]+$'
                          AND of_principal NOT LIKE 'system:%';
    is_service boolean := of_principal LIKE 'system:serviceaccount:%';
    address text := lower(of_principal COLLATE "C");
BEGIN
    SELECT count(*), bool_and(m.person IS NOT NULL) AND bool_or(m.from_at = '-infinity')
    INTO rows_exact, is_settled
    FROM modeltrail.person_map m WHERE m.log = of_log AND m.name = of_principal AND NOT m.is_rule;
    IF rows_exact = 1 AND is_settled THEN
        RETURN QUERY
        SELECT ARRAY['-infinity'::timestamptz], ARRAY[m.person], ARRAY[m.kind], ARRAY['principal']
        FROM modeltrail.person_map m WHERE m.log = of_log AND m.name = of_principal AND NOT m.is_rule;
        RETURN;
    END IF;
    IF rows_exact = 0 AND NOT is_address
       AND NOT EXISTS (SELECT FROM modeltrail.person_map m WHERE m.log = of_log AND m.is_rule) THEN
        RETURN QUERY
        SELECT ARRAY['-infinity'::timestamptz], ARRAY[of_principal],
               ARRAY[modeltrail.principal_kind(of_principal, NULL)], ARRAY['none'];
        RETURN;
    END IF;
    RETURN QUERY
    WITH exact AS MATERIALIZED (
        SELECT m.* FROM modeltrail.person_map m
        WHERE m.log = of_log AND m.name = of_principal AND NOT m.is_rule),
    rule AS MATERIALIZED (
        SELECT m.* FROM modeltrail.person_map m
        WHERE m.log = of_log AND m.is_rule AND is_settled IS NOT TRUE
          AND m.name IN (SELECT r.name FROM (
                             SELECT DISTINCT d.name FROM modeltrail.person_map d
                             WHERE d.log = of_log AND d.is_rule) r
                         WHERE CASE WHEN starts_with(of_principal, modeltrail.pattern_beginning(r.name))
                                    THEN of_principal ~ r.name END)),
    namesake AS MATERIALIZED (
        SELECT m.*, address IN (lower(m.name), lower(m.person)) AS is_same FROM modeltrail.person_map m
        WHERE m.log = of_log AND NOT m.is_rule AND is_address AND is_settled IS NOT TRUE
          AND m.name IN (SELECT n.name FROM modeltrail.person_map n
                         WHERE n.log = of_log AND NOT n.is_rule AND lower(n.name) = address
                         UNION
                         SELECT n.name FROM modeltrail.person_map n
                         WHERE n.log = of_log AND NOT n.is_rule AND lower(n.person) = address)),
    turn AS (
        SELECT timestamptz '-infinity' AS at
        UNION SELECT from_at FROM exact
        UNION SELECT from_at FROM rule
        UNION SELECT since FROM rule
        UNION SELECT from_at FROM namesake),
    found AS (
        SELECT turn.at, rung.person, rung.kind, rung.matched_by
        FROM turn
        LEFT JOIN LATERAL (
            (SELECT 1 AS step, e.person, e.kind, 'principal' AS matched_by
             FROM (SELECT * FROM exact WHERE from_at <= turn.at ORDER BY log_index DESC LIMIT 1) e
             WHERE e.person IS NOT NULL)
            UNION ALL
            (SELECT 2, regexp_replace(of_principal, r.name, r.person), r.kind, 'rule'
             FROM (SELECT DISTINCT ON (name) * FROM rule WHERE from_at <= turn.at
                   ORDER BY name, log_index DESC) r
             WHERE r.person IS NOT NULL AND NOT (is_service AND r.kind IN ('human', 'shared'))
             ORDER BY r.since > turn.at, CASE WHEN r.since > turn.at THEN r.log_index END, r.rank,
                      r.log_index, r.name
             LIMIT 1)
            UNION ALL
            (SELECT 3, min(n.person), min(n.kind), 'email'
             FROM (SELECT DISTINCT ON (name) * FROM namesake WHERE from_at <= turn.at
                   ORDER BY name, log_index DESC) n
             WHERE n.person IS NOT NULL AND n.is_same
             HAVING count(DISTINCT n.person) = 1)
            ORDER BY step LIMIT 1) rung ON true)
    SELECT array_agg(f.at ORDER BY f.at), array_agg(coalesce(f.person, of_principal) ORDER BY f.at),
           array_agg(modeltrail.principal_kind(of_principal, f.kind) ORDER BY f.at),
           array_agg(coalesce(f.matched_by, 'none') ORDER BY f.at)
    FROM found f;
END
$$;

-- The same at one instant. One row; none for no principal.
CREATE FUNCTION modeltrail.person_of(of_log smallint, of_principal text, at timestamptz)
    RETURNS TABLE (person text, kind text, matched_by text)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 10000 ROWS 1
BEGIN ATOMIC
    SELECT p.persons[width_bucket($3, p.since)], p.kinds[width_bucket($3, p.since)],
           p.matches[width_bucket($3, p.since)]
    FROM modeltrail.persons_of($1, $2) p;
END;

-- Who is accountable for a request at an instant, of what persons_of tells of its two names. Under impersonation
-- the person who logged in is; when a service did (a proxy that speaks for its users), the user in whose name it
-- spoke is.
CREATE FUNCTION modeltrail.accountable_at(at timestamptz, own_since timestamptz[], own_values text[],
                                          proxy_since timestamptz[], proxy_kinds text[],
                                          proxy_values text[])
    RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN proxy_kinds[width_bucket(at, proxy_since)] = 'human'
                THEN proxy_values[width_bucket(at, proxy_since)]
                ELSE own_values[width_bucket(at, own_since)] END;
GRANT EXECUTE ON FUNCTION modeltrail.persons_of(smallint, text),
    modeltrail.person_of(smallint, text, timestamptz),
    modeltrail.accountable_at(timestamptz, timestamptz[], text[], timestamptz[], text[], text[])
    TO modeltrail_reader;

-- Requests with their actor.
CREATE VIEW modeltrail.request_actor AS
SELECT r.*,
       coalesce(r.impersonated_by, r.principal) AS applied_by,
       CASE WHEN r.impersonated_by IS NOT NULL THEN r.principal END AS impersonated,
       CASE WHEN proxy.kinds[width_bucket(r.at, proxy.since)] = 'human' THEN r.impersonated_by
            ELSE r.principal END AS accountable,
       modeltrail.accountable_at(r.at, own.since, own.persons, proxy.since, proxy.kinds, proxy.persons)
           COLLATE "C" AS person,
       modeltrail.accountable_at(r.at, own.since, own.kinds, proxy.since, proxy.kinds, proxy.kinds)
           COLLATE "C" AS person_kind,
       modeltrail.accountable_at(r.at, own.since, own.matches, proxy.since, proxy.kinds, proxy.matches)
           COLLATE "C" AS matched_by
FROM modeltrail.request r
CROSS JOIN LATERAL (SELECT * FROM modeltrail.persons_of(r.log, r.principal) OFFSET 0) own
LEFT JOIN LATERAL (
    SELECT * FROM modeltrail.persons_of(r.log, r.impersonated_by) OFFSET 0) proxy ON true;

-- The one request that is credited with a position. `ambiguous` rows name nobody (rule 19), so they are
-- not here. Who its names are is for the reading view to look up (persons_of), beside its other look-ups: below a
-- join of many rows the planner would repeat the call for each.
CREATE VIEW modeltrail.credit AS
SELECT a.log, a.cluster, a.resource, a.uid, a.position, a.strength, a.request_index,
       r.principal, r.impersonated_by,
       coalesce(r.impersonated_by, r.principal) AS applied_by,
       CASE WHEN r.impersonated_by IS NOT NULL THEN r.principal END AS impersonated,
       r.via, r.evidence, r.at AS requested_at, r.audit_id
FROM modeltrail.attribution a
JOIN modeltrail.request r ON r.log = a.log AND r.log_index = a.request_index
WHERE a.strength IN ('exact', 'unique');

-- A position has one author at most; without this a second one would double its rows in the views.
CREATE UNIQUE INDEX attribution_credit ON modeltrail.attribution (log, cluster, resource, uid, position)
    WHERE strength IN ('exact', 'unique');

-- Whether an audit event tells of the request that a review announced, and of what came of it. They have no id in common:
-- the same name for the same object within five seconds (a review has its collector's clock), and the same generation
-- where both know it.
CREATE FUNCTION modeltrail.is_audited(of_log smallint, of_review bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE COST 100
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM modeltrail.request review
        JOIN modeltrail.request told
          ON told.principal = review.principal AND told.evidence = 'audit'
         AND told.at BETWEEN review.at - interval '5 s' AND review.at + interval '5 s'
         AND told.log = review.log AND told.cluster = review.cluster AND told.resource = review.resource
         AND told.namespace IS NOT DISTINCT FROM review.namespace
         AND told.name IS NOT DISTINCT FROM review.name AND told.dry_run = review.dry_run
         AND (told.verb = review.verb OR told.verb = 'patch' AND review.verb IN ('create', 'update'))
         AND coalesce(told.generation = review.generation, true)
        WHERE review.log = $1 AND review.log_index = $2);
END;
GRANT EXECUTE ON FUNCTION modeltrail.is_audited(smallint, bigint) TO modeltrail_reader;

-- Refused, failed and dry-run requests, each once: two collectors may both have read it.
CREATE VIEW modeltrail.attempt AS
SELECT r.*
FROM modeltrail.request_actor r
WHERE (r.code >= 400 OR r.dry_run)
  AND NOT EXISTS (
      SELECT FROM modeltrail.request earlier
      WHERE (earlier.code >= 400 OR earlier.dry_run)
        AND earlier.log = r.log AND earlier.cluster = r.cluster AND earlier.audit_id = r.audit_id
        AND earlier.stage = r.stage AND earlier.log_index < r.log_index)
  AND NOT (r.evidence = 'admission' AND modeltrail.is_audited(r.log, r.log_index));

-- What somebody asked the API server to write, whatever came of it, each once. Controllers report their progress
-- through `status` and `finalize`; that asks for nothing. Twins have the principal and the instant in common,
-- which an index leads to.
CREATE VIEW modeltrail.write_request AS
SELECT r.*
FROM modeltrail.request_actor r
WHERE r.verb IN ('create', 'update', 'patch', 'delete', 'deletecollection')
  AND coalesce(r.subresource, '') NOT IN ('status', 'finalize')
  AND NOT EXISTS (
      SELECT FROM modeltrail.request earlier
      WHERE earlier.principal = r.principal AND earlier.at = r.at
        AND earlier.log = r.log AND earlier.cluster = r.cluster AND earlier.audit_id = r.audit_id
        AND earlier.stage = r.stage AND earlier.log_index < r.log_index)
  AND NOT (r.evidence = 'admission' AND modeltrail.is_audited(r.log, r.log_index));

-- Kubernetes says "InferenceService" on objects and "inferenceservices" in requests and grants.
CREATE FUNCTION modeltrail.kind_of(of_log smallint, of_cluster text, of_resource text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT w.kind FROM modeltrail.workload w
         WHERE w.log = $1 AND w.cluster = $2 AND w.resource = $3 LIMIT 1),
        (SELECT l.kind FROM modeltrail.listing l
         WHERE l.log = $1 AND l.cluster = $2 AND l.resource = $3 LIMIT 1),
        (SELECT w.kind FROM modeltrail.watched w
         WHERE w.log = $1 AND w.cluster = $2 AND w.resource = $3 AND w.kind IS NOT NULL LIMIT 1),
        nullif($3, ''));
END;
GRANT EXECUTE ON FUNCTION modeltrail.kind_of(smallint, text, text),
    modeltrail.principal_kind(text, text) TO modeltrail_reader;

-- Every name seen in requests, which are many for few names: the query steps through the index.
CREATE VIEW modeltrail.known_principal AS
WITH RECURSIVE name AS (
    (SELECT principal FROM modeltrail.request ORDER BY principal LIMIT 1)
    UNION ALL
    SELECT further.principal FROM name, LATERAL (
        SELECT r.principal FROM modeltrail.request r
        WHERE r.principal > name.principal ORDER BY r.principal LIMIT 1) AS further)
SELECT principal FROM name
UNION
SELECT impersonated_by FROM modeltrail.request WHERE impersonated_by IS NOT NULL;

-- Who is mapped now: by a principal, or by a rule, whose person may be a template.
CREATE VIEW modeltrail.person_now AS
SELECT present.* FROM (
    SELECT DISTINCT ON (log, name, is_rule) log, name, is_rule, person, kind
    FROM modeltrail.person_map
    WHERE from_at <= now()
    ORDER BY log, name, is_rule, log_index DESC) present
WHERE present.person IS NOT NULL;

CREATE VIEW modeltrail_v1.identities AS
SELECT name.principal, p.persons[present.i] COLLATE "C" AS person, p.kinds[present.i] COLLATE "C" AS kind,
       p.matches[present.i] <> 'none' AS is_mapped, p.matches[present.i] COLLATE "C" AS matched_by
FROM (
    SELECT name AS principal FROM modeltrail.person_now WHERE NOT is_rule
    UNION
    SELECT principal FROM modeltrail.known_principal) AS name
CROSS JOIN LATERAL modeltrail.persons_of(1::smallint, name.principal) p
CROSS JOIN LATERAL (SELECT width_bucket(now(), p.since) AS i) present;

COMMENT ON VIEW modeltrail_v1.identities IS
    'One row per name under which somebody acts, as mapped now: principals of the central file, and all seen in requests.';
COMMENT ON COLUMN modeltrail_v1.identities.principal IS 'The name as the API server knows it, verbatim.';
COMMENT ON COLUMN modeltrail_v1.identities.person IS
    'The person or service it belongs to now; the principal itself when nobody mapped it.';
COMMENT ON COLUMN modeltrail_v1.identities.kind IS
    'human, ci, gitops, controller, shared as mapped; else service (system:serviceaccount:*), system (other system:*), human.';
COMMENT ON COLUMN modeltrail_v1.identities.is_mapped IS 'True when the central file says whose it is: matched_by is not none.';
COMMENT ON COLUMN modeltrail_v1.identities.matched_by IS
    'principal (the file names it), rule (the first of the file''s rules that matches), email (an address that a mapped person has, ignoring case), none.';

RESET ROLE;

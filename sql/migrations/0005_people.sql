-- Who: from the name in a request to the accountable person or service. A name that nobody mapped stands
-- for itself. The mapping is the newest central file's (docs/events.md, central.applied).

SET LOCAL ROLE modeltrail_owner;

CREATE VIEW modeltrail.person_now AS
SELECT p.log, p.principal, p.person, p.kind
FROM modeltrail.person p
WHERE p.log_index = (SELECT max(c.log_index) FROM modeltrail.central c WHERE c.log = p.log);

-- Rule 20. What is no name of Kubernetes' own is taken for a person: an identity provider or a client
-- certificate gave it. A service with such a name is mapped in the central file.
CREATE FUNCTION modeltrail.principal_kind(principal text, mapped_kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN coalesce(mapped_kind,
                    CASE WHEN principal LIKE 'system:serviceaccount:%' THEN 'service'
                         WHEN principal LIKE 'system:%' THEN 'system'
                         WHEN principal IS NOT NULL THEN 'human' END);

-- Requests with their actor. Under impersonation the person who logged in is accountable; when a
-- service did (a proxy that speaks for its users), the user in whose name it spoke is.
CREATE VIEW modeltrail.request_actor AS
SELECT r.*,
       coalesce(r.impersonated_by, r.principal) AS applied_by,
       CASE WHEN r.impersonated_by IS NOT NULL THEN r.principal END AS impersonated,
       accountable.principal AS accountable,
       coalesce(n.person, accountable.principal) AS person,
       modeltrail.principal_kind(accountable.principal, n.kind) AS person_kind
FROM modeltrail.request r
LEFT JOIN modeltrail.person_now proxy ON proxy.log = r.log AND proxy.principal = r.impersonated_by
CROSS JOIN LATERAL (
    SELECT CASE WHEN modeltrail.principal_kind(r.impersonated_by, proxy.kind) = 'human'
                THEN r.impersonated_by ELSE r.principal END AS principal) accountable
LEFT JOIN modeltrail.person_now n ON n.log = r.log AND n.principal = accountable.principal;

-- The one request that is credited with a position. `ambiguous` rows name nobody (rule 19), so they are
-- not here.
CREATE VIEW modeltrail.credit AS
SELECT a.log, a.cluster, a.resource, a.uid, a.position, a.strength, a.request_index,
       r.person AS deployed_by, r.person_kind AS deployed_by_kind, r.applied_by, r.impersonated,
       r.via, r.evidence, r.accountable, r.at AS requested_at, r.audit_id
FROM modeltrail.attribution a
JOIN modeltrail.request_actor r ON r.log = a.log AND r.log_index = a.request_index
WHERE a.strength IN ('exact', 'unique');

-- A position has one author at most; without this a second one would double its rows in the views.
CREATE UNIQUE INDEX attribution_credit ON modeltrail.attribution (log, cluster, resource, uid, position)
    WHERE strength IN ('exact', 'unique');

-- Refused, failed and dry-run requests, each once: two collectors may both have read it.
CREATE VIEW modeltrail.attempt AS
SELECT r.*
FROM modeltrail.request_actor r
WHERE (r.code >= 400 OR r.dry_run)
  AND NOT EXISTS (
      SELECT FROM modeltrail.request earlier
      WHERE (earlier.code >= 400 OR earlier.dry_run)
        AND earlier.log = r.log AND earlier.cluster = r.cluster AND earlier.audit_id = r.audit_id
        AND earlier.stage = r.stage AND earlier.log_index < r.log_index);

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
        AND earlier.stage = r.stage AND earlier.log_index < r.log_index);

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

CREATE VIEW modeltrail_v1.identities AS
SELECT principal,
       coalesce(max(person), principal) AS person,
       modeltrail.principal_kind(principal, max(kind)) AS kind,
       max(person) IS NOT NULL AS is_mapped
FROM (
    SELECT principal, person, kind FROM modeltrail.person_now
    UNION ALL
    SELECT principal, NULL, NULL FROM modeltrail.known_principal) AS name
GROUP BY principal;

COMMENT ON VIEW modeltrail_v1.identities IS
    'One row per name under which somebody acts: those of the newest central file, and all seen in requests.';
COMMENT ON COLUMN modeltrail_v1.identities.principal IS 'The name as the API server knows it, verbatim.';
COMMENT ON COLUMN modeltrail_v1.identities.person IS
    'The person or service it belongs to; the principal itself when nobody mapped it.';
COMMENT ON COLUMN modeltrail_v1.identities.kind IS
    'human, ci, gitops, controller, shared as mapped; else service (system:serviceaccount:*), system (other system:*), human.';
COMMENT ON COLUMN modeltrail_v1.identities.is_mapped IS 'True when the newest central file names this principal.';

CREATE VIEW modeltrail_v1.people AS
WITH name AS (
    SELECT person, max(kind) AS kind, array_agg(principal ORDER BY principal) AS principals,
           bool_or(is_mapped) AS is_mapped
    FROM modeltrail_v1.identities GROUP BY person),
credited AS (
    SELECT k.deployed_by AS person, count(*) AS changes
    FROM modeltrail.credit k
    JOIN modeltrail.change c USING (log, cluster, resource, uid, position)
    GROUP BY k.deployed_by),
tried AS (
    SELECT person, count(*) AS attempts FROM modeltrail.attempt GROUP BY person),
acted AS (
    SELECT person, max(at) AS last_active_at FROM modeltrail.request_actor GROUP BY person)
SELECT name.person, name.kind, name.principals,
       coalesce(credited.changes, 0)::integer AS changes,
       coalesce(tried.attempts, 0)::integer AS attempts,
       acted.last_active_at,
       name.is_mapped
FROM name
LEFT JOIN credited USING (person)
LEFT JOIN tried USING (person)
LEFT JOIN acted USING (person);

COMMENT ON VIEW modeltrail_v1.people IS
    'One row per person or service: those of the newest central file, and every principal seen that nobody mapped.';
COMMENT ON COLUMN modeltrail_v1.people.person IS 'Person or service; an unmapped principal stands verbatim.';
COMMENT ON COLUMN modeltrail_v1.people.kind IS
    'human, ci, gitops, controller, system, shared or service; unmapped ordinary users count as human.';
COMMENT ON COLUMN modeltrail_v1.people.principals IS 'All names under which this person acts, sorted.';
COMMENT ON COLUMN modeltrail_v1.people.changes IS
    'Changes credited to this person (attribution exact or unique).';
COMMENT ON COLUMN modeltrail_v1.people.attempts IS 'Requests that were refused, failed, or were dry runs.';
COMMENT ON COLUMN modeltrail_v1.people.last_active_at IS
    'Time of the newest request, of any outcome; NULL when none was seen.';
COMMENT ON COLUMN modeltrail_v1.people.is_mapped IS 'True when the newest central file names this person.';

RESET ROLE;

// What `list` offers besides deployments, changes and models: one statement and one column table
// each.

#include "query/resource.h"

#include <string.h>

#include "query/changes.h"
#include "query/deployments.h"
#include "query/flags.h"
#include "query/models.h"

const struct column event_columns[] = {
    {"recorded_at", COLUMN_TIME, COLUMN_TABLE, "recorded"},
    {"event_id", COLUMN_TEXT, COLUMN_TABLE, "id"},
    {"type", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"namespace", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"workload", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"quarantine_reason", COLUMN_TEXT, COLUMN_TABLE, "quarantined"},
    {"occurred_at", COLUMN_TIME, COLUMN_WIDE, "occurred"},
    {"log_index", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"collector", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"epoch", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {"seq", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {"is_quarantined", COLUMN_BOOLEAN, COLUMN_ALL, NULL},
    {"body_digest", COLUMN_TEXT, COLUMN_ALL, NULL},
    {0},
};

static const struct column people_columns[] = {
    {"person", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"kind", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"changes", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"attempts", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"last_active_at", COLUMN_TIME, COLUMN_TABLE, "last active"},
    {"principals", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"is_mapped", COLUMN_BOOLEAN, COLUMN_WIDE, "mapped"},
    {0},
};

static const struct column environment_columns[] = {
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"environment_order", COLUMN_NUMBER, COLUMN_TABLE, "order"},
    {"models", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"deployments", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"scopes", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"clusters", COLUMN_LIST, COLUMN_WIDE, NULL},
    {"is_declared", COLUMN_BOOLEAN, COLUMN_WIDE, "declared"},
    {0},
};

static const struct column cluster_columns[] = {
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"is_live", COLUMN_BOOLEAN, COLUMN_TABLE, "live"},
    {"is_actor_live", COLUMN_BOOLEAN, COLUMN_TABLE, "actor live"},
    {"collectors", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"namespaces", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"workloads", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"deployments", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"last_observed_at", COLUMN_TIME, COLUMN_TABLE, "observed"},
    {"clock_skew", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"first_observed_at", COLUMN_TIME, COLUMN_WIDE, "first observed"},
    {"actor_observed_at", COLUMN_TIME, COLUMN_WIDE, "actor observed"},
    {0},
};

static const struct column collector_columns[] = {
    {"collector", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"is_live", COLUMN_BOOLEAN, COLUMN_TABLE, "live"},
    {"seen_at", COLUMN_TIME, COLUMN_TABLE, "seen"},
    {"seq", COLUMN_NUMBER, COLUMN_TABLE, "events"},
    {"gaps", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"quarantined", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"clock_skew", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"program", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"trouble", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"epoch", COLUMN_NUMBER, COLUMN_WIDE, NULL},
    {"is_allowed", COLUMN_BOOLEAN, COLUMN_WIDE, "allowed"},
    {"fork_since", COLUMN_TIME, COLUMN_WIDE, NULL},
    {"refused_since", COLUMN_TIME, COLUMN_ALL, NULL},
    {"refused_reason", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"recent_gaps", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {"recent_quarantined", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {0},
};

static const struct column coverage_columns[] = {
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"namespace", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"kind", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"aspect", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"covered_from", COLUMN_TIME, COLUMN_TABLE, "from"},
    {"covered_to", COLUMN_TIME, COLUMN_TABLE, "to"},
    {"is_live", COLUMN_BOOLEAN, COLUMN_TABLE, "live"},
    {"collector", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"gap_reason", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"resource", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {0},
};

const struct column attempt_columns[] = {
    {"attempted_at", COLUMN_TIME, COLUMN_TABLE, "when"},
    {"person", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"verb", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"outcome", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"code", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"namespace", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"workload", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"attempt_id", COLUMN_TEXT, COLUMN_TABLE, "id"},
    {"applied_by", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"message", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"via", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"user_agent", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"source_ip", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"event_id", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"person_kind", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"impersonated", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"principal", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"is_dry_run", COLUMN_BOOLEAN, COLUMN_ALL, NULL},
    {"subresource", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"audit_id", COLUMN_TEXT, COLUMN_ALL, NULL},
    {0},
};

const struct column request_columns[] = {
    {"requested_at", COLUMN_TIME, COLUMN_TABLE, "when"},
    {"person", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"verb", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"subresource", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"outcome", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"code", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"changes", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"environment", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"cluster", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"namespace", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"workload", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"request_id", COLUMN_TEXT, COLUMN_TABLE, "id"},
    {"applied_by", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"message", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"via", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"user_agent", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"source_ip", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"audit_id", COLUMN_TEXT, COLUMN_WIDE, NULL},
    {"event_id", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"person_kind", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"impersonated", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"principal", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"groups", COLUMN_LIST, COLUMN_ALL, NULL},
    {"evidence", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"collector", COLUMN_TEXT, COLUMN_ALL, NULL},
    {"epoch", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {"seq", COLUMN_NUMBER, COLUMN_ALL, NULL},
    {0},
};

// clang-format off
static const char events_sql[] =
    "SELECT * FROM modeltrail_v1.events"
    " WHERE " SQL_IN("cluster", "$5") " AND " SQL_IN("namespace", "$6") " AND " SQL_IN_WORKLOAD
    " AND " SQL_IN_RANGE("recorded_at")
    " ORDER BY log_index DESC" SQL_LIMIT;

static const char collectors_sql[] =
    "SELECT * FROM modeltrail_v1.collectors WHERE " SQL_IN("cluster", "$5")
    " ORDER BY collector" SQL_LIMIT;

// What was seen of a whole cluster was seen of each of its namespaces.
static const char coverage_sql[] =
    "SELECT * FROM modeltrail_v1.coverage"
    " WHERE " SQL_IN("cluster", "$5") " AND (namespace IS NULL OR " SQL_IN("namespace", "$6") ")"
    " ORDER BY cluster, namespace NULLS FIRST, kind, aspect, covered_from" SQL_LIMIT;

static const char attempts_sql[] =
    "SELECT * FROM modeltrail_v1.attempts"
    " WHERE " SQL_IN_SCOPE " AND " SQL_IN_RANGE("attempted_at")
    " ORDER BY attempted_at DESC, attempt_id" SQL_LIMIT;

static const char requests_sql[] =
    "SELECT * FROM modeltrail_v1.requests"
    " WHERE " SQL_IN_SCOPE " AND " SQL_IN_RANGE("requested_at")
    " ORDER BY requested_at DESC, request_id" SQL_LIMIT;

// Of some clusters only their own part of each environment is shown and counted.
static const char environments_sql[] =
    "SELECT e.environment, e.environment_order, e.is_declared,"
    "  CASE WHEN $5::text IS NULL THEN e.models ELSE here.models END AS models,"
    "  CASE WHEN $5::text IS NULL THEN e.deployments ELSE here.deployments END AS deployments,"
    "  ARRAY(SELECT c FROM unnest(e.clusters) AS c WHERE " SQL_IN("c", "$5") ") AS clusters,"
    "  ARRAY(SELECT s FROM unnest(e.scopes) AS s"
    "   WHERE " SQL_IN("split_part(s, '/', 1)", "$5") ") AS scopes"
    " FROM modeltrail_v1.environments AS e LEFT JOIN LATERAL ("
    "  SELECT count(DISTINCT d.model)::integer AS models, count(*)::integer AS deployments"
    "  FROM modeltrail_v1.deployments AS d WHERE d.environment = e.environment"
    "   AND d.cluster = ANY (string_to_array($5, ','))) AS here ON $5 IS NOT NULL"
    " WHERE $5 IS NULL OR e.clusters && string_to_array($5, ',')"
    " ORDER BY environment_order NULLS LAST, environment" SQL_LIMIT;
// clang-format on

static const struct resource others[] = {
    {.noun = "events",
     .kind = "EventList",
     .one = "event",
     .summary = "the log: what was learned, newest first",
     .key = "event_id",
     .aspect = NULL,
     .flags = FLAG_CLUSTER | FLAG_NAMESPACE | FLAG_WORKLOAD | FLAG_RANGE,
     .live = events_sql,
     .columns = event_columns},
    {.noun = "people",
     .kind = "PersonList",
     .one = "person",
     .summary = "people and services, with all their names",
     .key = "person",
     .aspect = NULL,
     .flags = 0,
     .live = "SELECT * FROM modeltrail_v1.people ORDER BY person" SQL_LIMIT,
     .columns = people_columns},
    {.noun = "environments",
     .kind = "EnvironmentList",
     .one = "environment",
     .summary = "the stages, in their order",
     .key = "environment",
     .aspect = NULL,
     .flags = FLAG_CLUSTER,
     .live = environments_sql,
     .columns = environment_columns},
    {.noun = "clusters",
     .kind = "ClusterList",
     .one = "cluster",
     .summary = "clusters, and whether they are watched",
     .key = "cluster",
     .aspect = NULL,
     .flags = 0,
     .live = "SELECT * FROM modeltrail_v1.clusters ORDER BY cluster" SQL_LIMIT,
     .columns = cluster_columns},
    {.noun = "collectors",
     .kind = "CollectorList",
     .one = "collector",
     .summary = "collectors, and when they last spoke",
     .key = "collector",
     .aspect = NULL,
     .flags = FLAG_CLUSTER,
     .live = collectors_sql,
     .columns = collector_columns},
    {.noun = "coverage",
     .kind = "CoverageList",
     .one = "covered scope",
     .summary = "what was really observed, and when",
     .key = "cluster",
     .aspect = NULL,
     .flags = FLAG_CLUSTER | FLAG_NAMESPACE,
     .live = coverage_sql,
     .columns = coverage_columns},
    {.noun = "attempts",
     .kind = "AttemptList",
     .one = "attempt",
     .summary = "requests that changed nothing: refused, failed, dry runs; newest first",
     .key = "attempt_id",
     .aspect = "actor",
     .flags = FLAGS_SCOPE | FLAG_AS_OF | FLAG_RANGE,
     .live = attempts_sql,
     .columns = attempt_columns},
    {.noun = "requests",
     .kind = "RequestList",
     .one = "request",
     .summary = "every request to write a workload, whatever came of it; newest first",
     .key = "request_id",
     .aspect = "actor",
     .flags = FLAGS_SCOPE | FLAG_AS_OF | FLAG_RANGE,
     .live = requests_sql,
     .columns = request_columns},
};

const struct resource *resource_at(size_t index)
{
    static const struct resource *const first[] = {&deployments_resource, &changes_resource,
                                                   &models_resource, &versions_resource};
    const size_t first_count = sizeof(first) / sizeof(*first);
    if (index < first_count)
        return first[index];
    index -= first_count;
    return index < sizeof(others) / sizeof(*others) ? &others[index] : NULL;
}

const struct resource *resource_find(const char *noun)
{
    for (size_t i = 0; resource_at(i) != NULL; i++) {
        if (strcmp(resource_at(i)->noun, noun) == 0)
            return resource_at(i);
    }
    return NULL;
}

// Models and their versions: what was ever deployed, and where it is.

#include "query/models.h"

#include "query/flags.h"

static const struct column model_columns[] = {
    {"model", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"versions", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"deployments", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"environments", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"clusters", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"last_deployed_at", COLUMN_TIME, COLUMN_TABLE, "last deployed"},
    {"first_deployed_at", COLUMN_TIME, COLUMN_WIDE, "first deployed"},
    {"last_changed_at", COLUMN_TIME, COLUMN_WIDE, "last changed"},
    {"is_deployed", COLUMN_BOOLEAN, COLUMN_ALL, NULL},
    {0},
};

static const struct column version_columns[] = {
    {"model", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"version", COLUMN_TEXT, COLUMN_TABLE, NULL},
    {"deployments", COLUMN_NUMBER, COLUMN_TABLE, NULL},
    {"environments", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"clusters", COLUMN_LIST, COLUMN_TABLE, NULL},
    {"first_deployed_at", COLUMN_TIME, COLUMN_TABLE, "first deployed"},
    {"last_deployed_at", COLUMN_TIME, COLUMN_TABLE, "last deployed"},
    {"removed_at", COLUMN_TIME, COLUMN_TABLE, "removed"},
    {"artifacts", COLUMN_LIST, COLUMN_WIDE, NULL},
    {"artifact_digests", COLUMN_LIST, COLUMN_WIDE, NULL},
    {"is_deployed", COLUMN_BOOLEAN, COLUMN_ALL, NULL},
    {0},
};

// clang-format off
// Where each model (key: "model" or "model, version") is: worked out from the deployments that match
// all filters at once, for a model may be in one environment here and in another one there.
#define HERE(source, key)                                                                          \
    "open AS MATERIALIZED (SELECT model, version, cluster, environment, environment_order"         \
    "  FROM " source " WHERE " SQL_IN_SCOPE "),"                                                   \
    " stage AS (SELECT " key ", environment, max(environment_order) AS place, count(*) AS count"   \
    "  FROM open GROUP BY " key ", environment),"                                                  \
    " staged AS (SELECT " key ", sum(count)::integer AS deployments,"                              \
    "  array_agg(environment ORDER BY place NULLS LAST, environment) AS environments"              \
    "  FROM stage GROUP BY " key "),"                                                              \
    " spread AS (SELECT " key ", array_agg(DISTINCT cluster ORDER BY cluster) AS clusters"         \
    "  FROM open GROUP BY " key ")"
#define HERE_COLUMNS                                                                               \
    "coalesce(staged.deployments, 0) AS deployments,"                                              \
    " coalesce(staged.environments, '{}') AS environments,"                                        \
    " coalesce(spread.clusters, '{}') AS clusters, staged.model IS NOT NULL AS is_deployed"
#define IF_ASKED                                                                                   \
    " WHERE coalesce($4, $5, $6, $7) IS NULL OR staged.model IS NOT NULL"

#define OPEN_NOW "modeltrail_v1.deployments"
#define OPEN_THEN "modeltrail_v1.deployments_at($1::timestamptz)"
#define EVER_NOW "ever AS (SELECT * FROM modeltrail_v1."

#define SQL_MODELS(ever, open)                                                                     \
    "WITH " ever ", " HERE(open, "model")                                                          \
    " SELECT ever.model, ever.versions, " HERE_COLUMNS ", ever.first_deployed_at,"                 \
    "  ever.last_deployed_at, ever.last_changed_at"                                                \
    " FROM ever LEFT JOIN staged USING (model) LEFT JOIN spread USING (model)"                     \
    IF_ASKED " ORDER BY model" SQL_LIMIT
#define MODELS_THEN                                                                                \
    "ever AS (SELECT model, count(DISTINCT version)::integer AS versions,"                         \
    "  min(deployed_at) AS first_deployed_at, max(deployed_at) AS last_deployed_at,"               \
    "  max(CASE WHEN valid_to <= $1 THEN valid_to ELSE valid_from END) AS last_changed_at"         \
    "  FROM modeltrail_v1.deployment_history WHERE valid_from <= $1 GROUP BY model)"

#define SAME_VERSION(table)                                                                        \
    table " ON " table ".model = ever.model AND " table ".version IS NOT DISTINCT FROM ever.version"
#define SQL_VERSIONS(ever, open)                                                                   \
    "WITH " ever ", " HERE(open, "model, version")                                                 \
    " SELECT ever.model, ever.version, " HERE_COLUMNS ", ever.first_deployed_at,"                  \
    "  ever.last_deployed_at, ever.removed_at, ever.artifacts, ever.artifact_digests"              \
    " FROM ever LEFT JOIN " SAME_VERSION("staged") " LEFT JOIN " SAME_VERSION("spread")            \
    IF_ASKED " ORDER BY model, version" SQL_LIMIT
#define ALL_OF(column)                                                                             \
    "coalesce(array_agg(DISTINCT " column " ORDER BY " column ")"                                  \
    " FILTER (WHERE " column " IS NOT NULL), '{}') AS " column "s"
#define VERSIONS_THEN                                                                              \
    "ever AS (SELECT model, version, min(deployed_at) AS first_deployed_at,"                       \
    "  max(deployed_at) AS last_deployed_at,"                                                      \
    "  CASE WHEN bool_and(valid_to <= $1) THEN max(valid_to) END AS removed_at,"                   \
    "  " ALL_OF("artifact") ", " ALL_OF("artifact_digest")                                         \
    "  FROM modeltrail_v1.deployment_history WHERE valid_from <= $1 GROUP BY model, version)"
// clang-format on

const struct resource models_resource = {
    .noun = "models",
    .kind = "ModelList",
    .one = "model",
    .summary = "every model that was ever deployed",
    .key = "model",
    .aspect = "state",
    .flags = FLAGS_SCOPE | FLAG_AS_OF,
    .live = SQL_MODELS(EVER_NOW "models)", OPEN_NOW),
    .past = SQL_MODELS(MODELS_THEN, OPEN_THEN),
    .columns = model_columns,
};

const struct resource versions_resource = {
    .noun = "versions",
    .kind = "ModelVersionList",
    .one = "version",
    .summary = "every version of every model that was ever deployed",
    .key = "version",
    .name = "concat_ws('@', model, coalesce(version, 'unknown'))",
    .aspect = "state",
    .flags = FLAGS_SCOPE | FLAG_AS_OF,
    .live = SQL_VERSIONS(EVER_NOW "model_versions)", OPEN_NOW),
    .past = SQL_VERSIONS(VERSIONS_THEN, OPEN_THEN),
    .columns = version_columns,
};

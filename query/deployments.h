#pragma once

#include "query/resource.h"

// The statement about open placements that where, matrix and `list deployments` share.

// clang-format off
// Routes speak of workloads, not of placements (R15), so they stand beside the row.
#define SQL_ROUTES(at)                                                                             \
    " FROM modeltrail_v1.routes r WHERE r.cluster = d.cluster AND r.namespace = d.namespace"       \
    " AND r.target_workload = d.workload AND r.valid_from <= " at                                  \
    " AND (r.valid_to IS NULL OR r.valid_to > " at ")"

// The same for programs.
#define SQL_ROUTE_ITEMS(at)                                                                        \
    "(SELECT coalesce(json_agg(json_build_object("                                                 \
    "  'route', r.route, 'role', r.role, 'percent', r.percent) ORDER BY r.route, r.role), '[]')"   \
    SQL_ROUTES(at) ")"

// "c1/prod/Model/a via Experiment/x 50 %", one line per route.
#define SQL_VIA_LINES(at)                                                                          \
    "(SELECT string_agg(concat_ws('/', d.cluster, d.namespace, d.workload) || ' via ' || r.route"  \
    "  || coalesce(' ' || trim_scale(r.percent) || ' %', '')"                                      \
    "  || CASE WHEN r.role = 'candidate' THEN '' ELSE ' (' || r.role || ')' END,"                  \
    "  E'\\n' ORDER BY r.route, r.role)" SQL_ROUTES(at) ")"

// The open placements of `source` that meet the condition and the scope's filters, in the order in
// which people read them.
#define SQL_DEPLOYMENTS(source, at, condition)                                                     \
    "SELECT d.*, " SQL_ROUTE_ITEMS(at) " AS routes, " SQL_VIA_LINES(at) " AS via_lines"            \
    " FROM " source " AS d"                                                                        \
    " WHERE " condition " AND " SQL_IN_SCOPE                                                       \
    " ORDER BY environment_order NULLS LAST, environment, cluster, namespace, workload, component,"\
    "  model, version" SQL_LIMIT
#define SQL_DEPLOYMENTS_LIVE(condition)                                                            \
    SQL_DEPLOYMENTS("modeltrail_v1.deployments", "now()", condition)
#define SQL_DEPLOYMENTS_PAST(condition)                                                            \
    SQL_DEPLOYMENTS("modeltrail_v1.deployments_at($1::timestamptz)", "$1", condition)
// clang-format on

extern const struct column deployment_columns[];
extern const struct resource deployments_resource;

#pragma once

#include "query/column.h"

// What can be asked for: the SQL, the columns of its rows, and what a "no" about it rests on.
//
// Every statement takes the same eleven parameters (query/question.c binds them): $1 as of, $2
// since, $3 until, $4 environments, $5 clusters, $6 namespaces (each a comma list), $7 workload,
// $8 row limit, $9 word, $10 its model part, $11 its version part. NULL means "not asked".
struct resource {
    const char *noun;    // as `list` spells it
    const char *kind;    // in JSON
    const char *one;     // for messages: "deployment"
    const char *summary; // for help
    const char *key;     // the column that -o name prints
    const char *name;    // what it prints instead, an SQL text; NULL: the key
    const char *aspect;  // coverage that a "no" needs: "state", "actor"; NULL when it needs none
    unsigned flags;      // options of `list` that make sense
    const char *live;    // the statement for now
    const char *past;    // for --as-of; NULL when it cannot be asked
    const struct column *columns;
    bool is_record; // people see each row as lines "name: value" (`show`)
};

// The resource of that noun, or NULL; resources are listed from `index` 0 until NULL.
const struct resource *resource_find(const char *noun);
const struct resource *resource_at(size_t index);

// Parts of WHERE that many statements share.
#define SQL_IN(column, parameter)                                                                  \
    "(" parameter "::text IS NULL OR " column " = ANY (string_to_array(" parameter ", ',')))"
#define SQL_IN_SCOPE                                                                               \
    SQL_IN("environment", "$4")                                                                    \
    " AND " SQL_IN("cluster", "$5") " AND " SQL_IN("namespace", "$6") " AND " SQL_IN_WORKLOAD
#define SQL_IN_WORKLOAD "($7::text IS NULL OR workload = $7 OR split_part(workload, '/', 2) = $7)"
#define SQL_IN_RANGE(column)                                                                       \
    "($2::timestamptz IS NULL OR " column " >= $2) AND ($3::timestamptz IS NULL OR " column        \
    " <= $3)"
#define SQL_LIMIT " LIMIT $8::bigint"

extern const struct column event_columns[];
extern const struct column attempt_columns[];
extern const struct column request_columns[];

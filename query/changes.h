#pragma once

#include "query/resource.h"

// The statement about changes that history and `list changes` share.
#define SQL_CHANGES(condition)                                                                     \
    "SELECT * FROM modeltrail_v1.changes WHERE " condition " AND " SQL_IN_SCOPE                    \
    " AND " SQL_IN_RANGE("happened_at") " ORDER BY happened_at DESC, change_id" SQL_LIMIT

extern const struct column change_columns[];
extern const struct resource changes_resource;

// One row by store in the control table store_trouble, updated in place. A store that never was in
// trouble has none, so that hosts that come and go do not fill it.

#include "store/trouble.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"

void trouble_name_store(const char *endpoint, char name[STORE_NAME_BYTES])
{
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof(host) - 1);
    snprintf(name, STORE_NAME_BYTES, "store %s at %.400s", host, endpoint);
}

// The first telling counts for as long as it is not mended.
static const char tell_sql[] =
    "INSERT INTO modeltrail.store_trouble AS t (store, trouble, since, told_at)"
    " VALUES ($1::text, $2::text, clock_timestamp(), clock_timestamp())"
    " ON CONFLICT (log, store) DO UPDATE SET trouble = excluded.trouble,"
    " since = CASE WHEN t.trouble IS NULL THEN excluded.since ELSE t.since END,"
    " told_at = excluded.told_at";
static const char mend_sql[] =
    "UPDATE modeltrail.store_trouble SET trouble = NULL, told_at = clock_timestamp()"
    " WHERE log = 1 AND store = $1::text AND trouble IS NOT NULL";

// Names of files may be any bytes, and PostgreSQL takes UTF-8 alone.
bool trouble_note(struct database *db, const char *store, const char *trouble, struct error *err)
{
    SCOPED_BUFFER visible = {0};
    if (trouble != NULL)
        text_append_visible(&visible, trouble, strlen(trouble));
    const char *params[] = {store, visible.data};
    return database_query(db, trouble != NULL ? tell_sql : mend_sql, trouble != NULL ? 2 : 1,
                          params, NULL, err) ||
           fail_in(err, "trouble of the store");
}

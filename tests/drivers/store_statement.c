// Opens a database, waits for a line on stdin, sends one statement with a large parameter, and says
// what came of it: argv is conninfo, timeout in milliseconds, bytes.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/database.h"

int main(int argc, char **argv)
{
    struct database *db;
    struct error err;
    if (argc != 4 ||
        !database_open(argv[1], "store_statement", DATABASE_READS, atoi(argv[2]), &db, &err))
        return 2;
    puts("open");
    fflush(stdout);
    getchar();
    size_t bytes = strtoul(argv[3], NULL, 10);
    char *large = xcalloc(bytes + 1, 1);
    memset(large, 'x', bytes);
    const char *params[] = {large};
    bool done = database_query(db, "SELECT length($1::text)", 1, params, NULL, &err);
    puts(done ? "done" : err.text);
    database_close(db);
    free(large);
    return done ? 0 : 1;
}

#pragma once

#include <stddef.h>

#include "common/memory.h"

// The servers that a conninfo names, with what PG* variables and service files add to it.
struct database_host {
    char *host;     // NULL when none is named
    char *hostaddr; // NULL when none is named: then host is to be looked up
    char *port;     // NULL when none is named
};

struct database_hosts {
    struct database_host *items;
    size_t count;
    char *session_attrs;    // target_session_attrs
    int connect_timeout_ms; // 0: none is set
};

// What libpq makes of these keywords and values (PQconnectStartParams, expanding dbname when
// `expand`). Values that libpq will refuse give one host without a name. The caller resets it.
struct database_hosts database_hosts_read(const char *const keys[], const char *const values[],
                                          int expand);
void database_hosts_reset(struct database_hosts *hosts);

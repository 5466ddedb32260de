#pragma once

#include <stdint.h>

// Keeps an idle collector small. Starting touches code of some fifty libraries (TLS, Kerberos, LDAP
// ... that libcurl brings), nearly none of which runs again; the pages would count as the
// collector's memory for as long as it lives.

struct footprint {
    int64_t next_ms; // 0: not yet planned
};

// Every few minutes, and first some seconds after the start: lets go of the pages of code and
// constants, which come back from the page cache when they are used, and of free heap.
void footprint_step(struct footprint *footprint, int64_t now_ms);

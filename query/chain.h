#pragma once

#include <stdio.h>

#include "query/session.h"

// Prints a chain, a JSON array of rows of modeltrail_v1.chain, as a table for people.
void chain_print(const struct session *session, const char *links, FILE *to);

#pragma once

#include <stdint.h>

#include "common/memory.h"

// Inside the Kubernetes source: finds out which of our kinds of one API group are installed, and in
// which version.

struct kubernetes;
struct discovery;

// The group's name is borrowed from kinds.h.
struct discovery *discovery_new(struct kubernetes *kubernetes, const char *group);
// What is wrong, borrowed; NULL while all is well.
const char *discovery_trouble(const struct discovery *discovery);

void discovery_free(struct discovery *discovery);

// Asks when that is due and resolves the group's streams; returns in how many milliseconds it wants
// to be called again, -1 = never.
int64_t discovery_run(struct discovery *discovery, int64_t now_ms);

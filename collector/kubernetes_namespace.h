#pragma once

#include <stdint.h>

#include "common/memory.h"

// Inside the Kubernetes source: with rights in single namespaces only, each namespace's labels are
// asked for by its name, when that is allowed at all.

struct stream;
struct namespace_poll;

// The stream stands for the namespace: its kind is NULL and its namespace set.
struct namespace_poll *namespace_poll_new(struct stream *stream);
void namespace_poll_free(struct namespace_poll *poll);

// Asks when that is due; returns in how many milliseconds it wants to be called again, -1 = never.
int64_t namespace_poll_run(struct namespace_poll *poll, int64_t now_ms);

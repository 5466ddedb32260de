#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

// Takes secrets out of a Kubernetes object by byte ranges, before anything else reads it
// (docs/architecture.md, invariant 4). The bytes that stay are the object's own, but for white
// space between tokens.
//
// A value becomes the JSON string "[redacted]" when it is
// - the value of an environment variable: `value` in lists, and members of maps and of maps in
//   them, called env, envs, envVars, extraEnv, serverEnv, environment ...; STORAGE_URI, where
//   KServe keeps the artifact, stays as a clean URI, and valueFrom, which holds no value;
// - a member with a secret's name (secret_name.h), whatever it holds: true, false, null and counts
//   such as max_tokens: 4096 stay; objects called secret and serviceAccountToken (volumes) keep
//   names, keys, paths and modes;
// - the `value` or `values` beside a `name` or `key` that is a secret's name;
// - kubectl.kubernetes.io/last-applied-configuration, or managedFields' fieldsV1;
// - an argument behind one such as --token.
// All other strings lose what redact_text.h takes out of texts.

#define REDACT_MAX_DEPTH 240 // leaves room for the event around the object, below JSON_MAX_DEPTH
#define REDACT_MAX_PATH_BYTES 1024
#define REDACT_MAX_PATHS_BYTES 65536

// JSON Pointers (RFC 6901) of what was taken out, as the inside of a JSON array: `"/a/0","/b"`.
struct redactions {
    struct buffer paths;
    size_t count;   // pointers in `paths`
    size_t unnamed; // taken out as well, but beyond the limits above
};

// Frees the pointers.
void redactions_reset(struct redactions *redactions);

// Appends the redacted object to `out`. REJECT when the bytes are no acceptable JSON object.
bool redact_object(const char *bytes, size_t length, struct buffer *out,
                   struct redactions *redactions, struct error *err) WARN_UNUSED;

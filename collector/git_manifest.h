#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

// The Kubernetes objects that a manifest holds: YAML of one or more documents, JSON, and Lists of
// objects. Nothing is rendered: a template is not read.

#define GIT_MANIFEST_MAX_BYTES (1024 * 1024)
#define GIT_MANIFEST_MAX_OBJECTS 1000
#define GIT_MANIFEST_NAME 254 // of any part of an object's name, and NUL

struct git_object {
    char group[GIT_MANIFEST_NAME]; // "" is the core group
    char kind[GIT_MANIFEST_NAME];
    char namespace[GIT_MANIFEST_NAME]; // "" when the manifest names none
    char name[GIT_MANIFEST_NAME];
    uint8_t digest[DIGEST_BYTES]; // of what it says: comments and layout are no part of it
};

struct git_manifest {
    struct git_object *objects;
    size_t count;
    size_t capacity;
    bool readable; // it is YAML that holds objects and nothing that wants rendering
};

// Reads it; the caller frees with git_manifest_reset. Bytes of any kind are taken.
void git_manifest_read(const char *bytes, size_t length, struct git_manifest *out);
void git_manifest_reset(struct git_manifest *manifest);

// True when a file of this name may hold objects.
bool git_manifest_is_path(const char *path);

// True when both are the same object, whatever they say.
bool git_object_is(const struct git_object *left, const struct git_object *right);

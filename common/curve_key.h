#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

// A Curve25519 key, and the room for its hex digits with NUL. Hex and not Z85 as ZeroMQ's own tools
// write: it needs no quoting in YAML or a shell.
#define CURVE_KEY_BYTES 32
#define CURVE_KEY_HEX 65

struct curve_key {
    // The halves as raw bytes: ZeroMQ takes them in this form too.
    uint8_t secret[CURVE_KEY_BYTES];
    uint8_t public[CURVE_KEY_BYTES];
};

// Makes a new key pair, writes the secret half as hex into a new file of mode 0600 (never replaces
// one), and gives the pair.
bool curve_key_create(const char *path, struct curve_key *key, struct error *err) WARN_UNUSED;

// Overwrites both halves. Whoever has a key wipes it as soon as it was handed on.
void curve_key_wipe(struct curve_key *key);

// Wipes the key when it leaves its scope: SCOPED_CURVE_KEY key = {0};
#define SCOPED_CURVE_KEY __attribute__((cleanup(curve_key_wipe))) struct curve_key

// Reads the secret key file and derives the public half. Refuses files that others may read and the
// published test keys of the ZeroMQ manual.
bool curve_key_load(const char *path, struct curve_key *key, struct error *err) WARN_UNUSED;

// Reads a public key of 64 hex digits; refuses the published test keys.
bool curve_public_from_hex(const char *hex, uint8_t public_key[CURVE_KEY_BYTES],
                           struct error *err) WARN_UNUSED;

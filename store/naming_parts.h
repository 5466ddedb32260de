#pragma once

#include "store/naming.h"

// What the ladder (naming.c) is made of; nobody else includes this.

// An image reference as oci:// URI with its registry spelt out.
const char *naming_normalise_image(const char *image, struct fold_arena *arena);

// The version-like segment of a normalised URI that is nearest its end; NULL when there is none.
const char *naming_version_of_path(const char *uri, struct fold_arena *arena);

// Finds the first pattern that the normalised artifact matches. *model and *version are NULL when
// the pattern does not name them.
bool naming_match_patterns(const struct naming_rules *rules, const char *artifact,
                           struct fold_arena *arena, const char **model, const char **version);

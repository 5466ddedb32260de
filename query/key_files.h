#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

// Looks at the rights of key files, and never into them. Without paths, at those of the folder in
// which docs/setup.md puts them. Appends what was found, for people; false when a file is missing
// that was named, or when anybody but its owner has a right to one.
bool key_files_check(const char *const *paths, size_t count, struct buffer *detail);

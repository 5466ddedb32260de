#pragma once

#include <stddef.h>

#include "common/buffer.h"

// Looks at the rights of key files, and never into them. Without paths, at those of the folder in
// which docs/setup.md puts them. Appends what was found, for people, and what to do about it:
// nothing when every file is there and only its owner has a right to it.
void key_files_check(const char *const *paths, size_t count, struct buffer *detail,
                     struct buffer *next_step);

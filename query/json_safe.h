#pragma once

#include "common/buffer.h"

// Appends JSON text with the same meaning in which no character acts on a terminal: DEL, C1
// controls and invisible format characters, which JSON may hold verbatim, become \u escapes. Line
// breaks between tokens become spaces, so that one item is one line.
void json_append_safe(struct buffer *out, const char *json);

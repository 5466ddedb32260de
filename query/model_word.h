#pragma once

#include <stdbool.h>

#include "common/error.h"

// MODEL[@VERSION] as a person writes it.
struct model_word {
    const char *whole;   // borrowed
    char *model;         // before the last '@'; NULL for a URI or a digest
    const char *version; // behind it, borrowed; NULL when there is none
};

// Splits at the last '@'; a word that ends with it names no version and is refused.
bool model_word_split(struct model_word *word, const char *text, struct error *err) WARN_UNUSED;
void model_word_reset(struct model_word *word);

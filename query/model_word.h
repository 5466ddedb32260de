#pragma once

// MODEL[@VERSION] as a person writes it.
struct model_word {
    const char *whole;   // borrowed
    char *model;         // before the last '@'; NULL for a URI or a digest
    const char *version; // behind it, borrowed; NULL when there is none
};

void model_word_split(struct model_word *word, const char *text);
void model_word_reset(struct model_word *word);

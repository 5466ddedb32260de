#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/git_repository.h"
#include "common/error.h"

// How far a branch was told: what the git source's cursor remembers. Names are "" where there is
// none.
struct git_progress {
    char done[GIT_ID_BYTES];    // all that it reaches was told
    char target[GIT_ID_BYTES];  // the head that is being told
    char rewrote[GIT_ID_BYTES]; // the head that it took the place of, when history was rewritten
    int64_t sent;               // commits between the two that were told, in the walk's order
    int64_t since;              // seconds; how far back a first reading goes, 0 = to the beginning
};

// All commits up to the target were told: the way to it need not be remembered.
void git_progress_finish(struct git_progress *progress);

// The cursor's text; the caller frees it.
char *git_progress_print(const struct git_progress *progress);

// Reads such a text. STOP when it is none.
bool git_progress_parse(const char *text, struct git_progress *out, struct error *err) WARN_UNUSED;

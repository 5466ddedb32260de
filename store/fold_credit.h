#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/fold_history.h"

// Which requests are credited with a position (docs/fold.md 5).

// How sure it is. The numbers stand in checkpoints.
enum fold_strength {
    STRENGTH_AMBIGUOUS, // one of several
    STRENGTH_EXACT,     // position, generation or uid say so
    STRENGTH_UNIQUE,    // the only one that can have been
    STRENGTH_EXECUTED,  // a controller's, in the course of another request
};

// The strength as table attribution has it, such as "unique".
const char *fold_strength_name(enum fold_strength strength);

struct fold_credit {
    int64_t request_index;
    enum fold_strength strength;
};

struct fold_credits {
    struct fold_credit *items; // ascending by request_index, in the arena
    size_t count;
};

// A list of requests, borrowed from the input.
struct fold_request_list {
    const struct fold_request **items;
    size_t count;
};

// The requests that matter, by the questions that are asked of them.
// Several orders, because a position is asked for by its number, by its generation and by its time.
struct fold_requests {
    struct fold_request_list by_position;   // with a position; then by age
    struct fold_request_list by_generation; // with a generation, no scale; then by age
    struct fold_request_list reviews;       // the same of admission
    struct fold_request_list windowed;      // by age
    struct fold_request_list removals;      // what may have removed it, and causes; by age
};

// A position whose author is asked for, and what lies before it. Of a removal it is the position at
// which the deletion began.
struct fold_question {
    const struct fold_moment *moment;
    int64_t newest_before; // the greatest generation below it, or FOLD_NONE
    bool is_removal;
    bool has_previous; // a position lies before it; the next two tell of it
    struct fold_evidence previous_upper;
    struct fold_bound previous_lower;
    bool has_other_spec; // its raw placements are not those of the position before
    int64_t first_time;  // of the workload's first position; asked for by removals only
};

// Sorts the requests that matter; memory is the arena's (docs/fold.md 5).
void fold_requests_build(const struct fold_input *in, struct fold_arena *arena,
                         struct fold_requests *out);

// What a moment is credited with by itself; not what it inherits.
void fold_credits_of(const struct fold_requests *requests, const struct fold_question *question,
                     struct fold_arena *arena, struct fold_credits *out);

// The greatest request index; 0 when there is none.
int64_t fold_credits_index(const struct fold_credits *credits);

// Below: shared by the files fold_credit.c, fold_window.c and fold_removal.c.

// Orders by instant, then by log index.
int fold_request_compare_age(const struct fold_request *a, const struct fold_request *b);

// By what a list is sorted.
typedef int64_t fold_request_key(const struct fold_request *request);

// The place of the first request whose key is at least this; its count
// when there is none. The list is sorted by it.
size_t fold_requests_from(const struct fold_request_list *list, fold_request_key *key,
                          int64_t value);

// True when the position brings a generation that none before it had.
bool fold_question_raises(const struct fold_question *question);

// The last instant at which a request may have been received that made the moment, as far as clocks
// can be trusted.
int64_t fold_window_end(const struct fold_moment *moment);

// Credits one request.
void fold_credits_give(struct fold_credits *out, const struct fold_request *request,
                       enum fold_strength strength, struct fold_arena *arena);

// Credits all of `found` as ambiguous beside what is credited already, each request once however
// often it was read. Sorts `found`.
void fold_credits_share(struct fold_credits *out, struct fold_request_list *found,
                        struct fold_arena *arena);

// Leaves each request of the list once, that which is first by age. Sorts it by audit id.
void fold_requests_unite(struct fold_request_list *list);

// True when all of the list ran in the name of one principal and, if at all, for one impersonator.
bool fold_requests_are_of_one(const struct fold_request_list *list);

// fold_window.c: adds to `found` what may have made the position by its time alone; there is room
// for all of requests->windowed. False when nothing bounds the window from below: then one stands
// for all, and it proves nobody.
bool fold_window_find(const struct fold_requests *requests, const struct fold_question *question,
                      struct fold_request_list *found);

// fold_window.c: takes from `found`, which is by age, the reviews and collections that are too far
// from the position to have made it. Returns the first of the rest that is a proof; NULL when none
// is, so that nobody is named.
const struct fold_request *fold_window_sift(const struct fold_question *question,
                                            struct fold_request_list *found);

// fold_removal.c: who removed the workload, and for whom. The question's moment is the position at
// which the deletion began: the terminal one, unless finalizers held the object.
void fold_removal_credit(const struct fold_requests *requests, const struct fold_question *question,
                         struct fold_arena *arena, struct fold_credits *out);

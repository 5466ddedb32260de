// Gap, fork or repeat. Nothing that differs from what is stored is ever acknowledged as a repeat.

#include "store/batch_part.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "store/envelope.h"

bool part_next_line(const struct batch_part *part, size_t *at, struct part_line *line)
{
    if (*at >= part->length)
        return false;
    const char *end = memchr(part->lines + *at, '\n', part->length - *at);
    size_t length = end ? (size_t)(end - part->lines) - *at : part->length - *at;
    *line = (struct part_line){part->lines + *at, length};
    *at += length + 1;
    return true;
}

// The header's count is only a claim; numbers are given by it, so it must be the number of lines.
static int64_t count_lines(const struct batch_part *part)
{
    struct part_line line;
    size_t at = 0;
    int64_t count = 0;
    while (part_next_line(part, &at, &line))
        count++;
    return count;
}

// The chain behind the part's first `count` lines.
static void chain_over(const struct batch_part *part, int64_t count, uint8_t chain[DIGEST_BYTES])
{
    struct part_line line;
    size_t at = 0;
    memcpy(chain, part->chain, DIGEST_BYTES);
    for (int64_t i = 0; i < count && part_next_line(part, &at, &line); i++)
        digest_chain(chain, line.bytes, line.length, chain);
}

static bool refuse(struct batch_part *part, enum part_outcome outcome, const char *format, ...)
    PRINTF_LIKE(3, 4);
// Returns true: a refusal is an answer, not a failure of the batch.
static bool refuse(struct batch_part *part, enum part_outcome outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(part->message, sizeof(part->message), format, args);
    va_end(args);
    part->outcome = outcome;
    return true;
}

// Salt and digest tell whether a line is the stored one without reading its body.
static bool query_stored(struct database *db, const struct batch_part *part, PGresult **out,
                         struct error *err)
{
    char numbers[3][24];
    snprintf(numbers[0], sizeof(numbers[0]), "%" PRId64, part->epoch);
    snprintf(numbers[1], sizeof(numbers[1]), "%" PRId64, part->first);
    snprintf(numbers[2], sizeof(numbers[2]), "%" PRId64, part->first + part->count - 1);
    const char *params[] = {part->collector, numbers[0], numbers[1], numbers[2]};
    return database_query(db,
                          "SELECT encode(b.salt, 'hex'), encode(e.body_digest, 'hex')"
                          " FROM modeltrail.event e JOIN modeltrail.event_body b"
                          "   ON b.log = e.log AND b.log_index = e.log_index"
                          " WHERE e.log = 1 AND e.collector = $1 AND e.epoch = $2::bigint"
                          "   AND e.seq BETWEEN $3::bigint AND $4::bigint ORDER BY e.seq",
                          4, params, out, err);
}

static bool is_stored(const PGresult *result, int row, const struct part_line *line)
{
    uint8_t salt[SALT_BYTES];
    uint8_t stored[DIGEST_BYTES];
    uint8_t digest[DIGEST_BYTES];
    if (!hex_decode(PQgetvalue(result, row, 0), salt, SALT_BYTES) ||
        !hex_decode(PQgetvalue(result, row, 1), stored, DIGEST_BYTES))
        return false;
    envelope_body_digest(salt, line->bytes, line->length, digest);
    return memcmp(digest, stored, DIGEST_BYTES) == 0;
}

// A part that ends before the mark: the mark's chain cannot tell, so line is compared with line.
// This happens when frames are sent again whose commit went unheard.
// A body that retention took away cannot be compared, and what cannot be compared is no repeat
// (R26).
static bool check_inside(struct database *db, struct batch_part *part, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!query_stored(db, part, &result, err))
        return fail_in(err, "repeat of %s", part->collector);
    if (PQntuples(result) != part->count)
        return refuse(part, PART_FORK, "events %" PRId64 " and on are no longer stored in full",
                      part->first);
    struct part_line line;
    size_t at = 0;
    for (int i = 0; part_next_line(part, &at, &line); i++) {
        if (!is_stored(result, i, &line))
            return refuse(part, PART_FORK, "event %" PRId64 " differs from the stored one",
                          part->first + i);
    }
    return true;
}

// The order matters: an old epoch is a fork whatever its numbers are, and a chain can be compared
// only when the part reaches up to the mark. A chain that agrees at the mark vouches for every line
// before it.
bool part_check(struct database *db, struct batch_part *part, const struct mark *mark,
                int64_t *repeats, struct error *err)
{
    part->outcome = PART_STORED;
    part->message[0] = '\0';
    *repeats = 0;
    if (mark->newest > part->epoch)
        return refuse(part, PART_FORK,
                      "epoch %" PRId64 " is older than %" PRId64 ", which is known", part->epoch,
                      mark->newest);
    if (part->first < 1 || part->count < 1 || count_lines(part) != part->count)
        return refuse(part, PART_GAP, "frame does not hold the %" PRId64 " events that it says",
                      part->count);
    if (part->first > mark->seq + 1)
        return refuse(part, PART_GAP, "event %" PRId64 " follows %" PRId64, part->first, mark->seq);
    int64_t overlap = mark->seq - part->first + 1;
    *repeats = overlap < part->count ? overlap : part->count;
    // With the mark at 10: 11..12 is new; 9..12 has two repeats, over which the chains must agree;
    // 5..8 lies inside; 13.. is a gap.
    if (overlap > part->count)
        return check_inside(db, part, err);
    uint8_t chain[DIGEST_BYTES];
    chain_over(part, overlap, chain);
    if (memcmp(chain, mark->chain, DIGEST_BYTES) != 0)
        return refuse(part, PART_FORK, "chain at event %" PRId64 " differs from the stored one",
                      mark->seq);
    return true;
}

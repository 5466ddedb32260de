// Beats: what the sources have seen until now, and what troubles them. They are not in the spool:
// one that is lost is made up for by the next.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/clock.h"
#include "collector/publisher_parts.h"
#include "common/text.h"
#include "common/timestamp.h"

#define LOOKS_EVERY_MS 1000
#define BEAT_EVERY_MS 10000 // when there is nothing new to say

void publisher_begin_beats(struct publisher *publisher)
{
    publisher->beat.asked_ms = 0;
    publisher->beat.sent_ms = 0;
}

void publisher_end_beats(struct publisher *publisher)
{
    free(publisher->beat.looks);
    free(publisher->beat.looks_sent);
    publisher->beat.looks = NULL;
    publisher->beat.looks_sent = NULL;
}

int64_t publisher_looks_due_ms(const struct publisher *publisher)
{
    return publisher->beat.asked_ms + LOOKS_EVERY_MS;
}

// While looks wait for an ack, newer ones would only wait longer.
bool publisher_wants_looks(struct publisher *publisher)
{
    return publisher->stage == STAGE_STREAMING && publisher->beat.looks == NULL &&
           monotonic_ms() >= publisher_looks_due_ms(publisher);
}

// Cut within no character: an event's reader refuses what is no UTF-8.
static void set_words(struct beat *beat, const char *trouble)
{
    snprintf(beat->words, sizeof(beat->words), "%s", trouble);
    size_t length = strlen(beat->words);
    while (!text_is_utf8(beat->words, length))
        beat->words[--length] = '\0';
}

// News go at once. Looks that stand still are repeated now and then, since a beat says too that the
// collector lives.
void publisher_offer_looks(struct publisher *publisher, const char *looks, const char *trouble)
{
    struct beat *beat = &publisher->beat;
    beat->asked_ms = monotonic_ms();
    set_words(beat, trouble);
    bool same = text_equal(looks, beat->looks_sent) && strcmp(beat->words, beat->words_sent) == 0;
    if (publisher->stage != STAGE_STREAMING ||
        (same && beat->asked_ms - beat->sent_ms < BEAT_EVERY_MS))
        return;
    free(beat->looks);
    beat->looks = xstrdup(looks);
    beat->seq = spool_last(publisher->spool);
}

// Looks say "nothing more happened until then", which is only true for a reader who has all events
// that were spooled before the looks were taken.
void publisher_send_beat(struct publisher *publisher)
{
    struct beat *beat = &publisher->beat;
    if (beat->looks == NULL || publisher->flights.acked < beat->seq)
        return;
    struct frame frame = {.kind = FRAME_BEAT,
                          .epoch = spool_epoch(publisher->spool),
                          .at = clock_now(),
                          .body = beat->looks,
                          .body_length = strlen(beat->looks)};
    memcpy(frame.message, beat->words, sizeof(frame.message));
    if (!publisher_send(publisher, &frame))
        return;
    memcpy(beat->words_sent, beat->words, sizeof(beat->words));
    free(beat->looks_sent);
    beat->looks_sent = beat->looks;
    beat->looks = NULL;
    beat->sent_ms = monotonic_ms();
}

// With events that are not acknowledged the looks of now would claim too much: then those that were
// sent before are sent again, with the word that this is the end.
void publisher_say_goodbye(struct publisher *publisher, const char *looks)
{
    struct beat *beat = &publisher->beat;
    if (publisher->stage != STAGE_STREAMING)
        return;
    bool drained = publisher->flights.acked == spool_last(publisher->spool);
    const char *last = drained ? looks : beat->looks_sent;
    if (last == NULL)
        return;
    free(beat->looks);
    beat->looks = xstrdup(last);
    beat->seq = publisher->flights.acked;
    set_words(beat, TROUBLE_STOPPED);
    publisher_send_beat(publisher);
    if (publisher->link != NULL)
        link_linger(publisher->link);
}

// From the inbox to PostgreSQL and back: one transaction for all frames that wait, then an answer
// to each. What the transaction does is batch.c's.

#include "store/batch.h"
#include "store/receiver_parts.h"

// Only now is anything acknowledged: what a collector hears of here, it forgets. A session that has
// gone since needs no answer, for the mark has it, and the next welcome tells.
static void answer_part(struct receiver *receiver, const struct inbox_entry *entry,
                        const struct batch_part *part)
{
    struct session *session = session_find(&receiver->sessions, &entry->peer);
    if (session == NULL || session->refused)
        return;
    if (part->outcome == PART_STORED) {
        session->acked = part->acked;
        struct frame ack = {.kind = FRAME_ACK, .seq = part->acked};
        if (session->wire > 1) // version 1 knows no window
            ack.window = receiver_window(receiver);
        receiver_send(receiver, &entry->peer, &ack);
        return;
    }
    receiver_refuse_session(receiver, session, part->outcome == PART_FORK ? NACK_FORK : NACK_GAP,
                            part->acked, part->message);
}

// Short pieces alone, since the database's answer waits meanwhile. A store that stops reads no
// more: its last batch is to end soon.
bool receiver_work_ahead(struct receiver *receiver)
{
    // ZeroMQ's thread waits when nobody takes what the monitor tells.
    listeners_log_handshakes(receiver->listeners);
    return !receiver->halt->stopping && ahead_work(&receiver->ahead, receiver->listeners);
}

static bool idle_work(void *context)
{
    return receiver_work_ahead(context);
}

// The next batch is received and read while PostgreSQL works on this one. Taken off again, since
// no other call waits long enough for it.
static bool store_parts(struct receiver *receiver, struct batch_part *parts, struct error *err)
{
    struct database *db = receiver->storage->db;
    database_set_idle(db, (struct database_idle){idle_work, receiver});
    bool stored = batch_store(db, parts, receiver->inbox.count, err);
    database_set_idle(db, (struct database_idle){0});
    return stored;
}

// On failure the inbox stays as it is and is tried again: when only the answer to COMMIT was lost,
// the marks find repeats.
void receiver_commit(struct receiver *receiver)
{
    struct inbox *inbox = &receiver->inbox;
    if (inbox->count == 0 || !storage_ready(receiver->storage))
        return;
    struct error err;
    SCOPED(xfree_part) struct batch_part *parts = inbox_parts(inbox);
    if (!store_parts(receiver, parts, &err)) {
        storage_failed(receiver->storage, &err);
        return;
    }
    storage_worked(receiver->storage);
    for (size_t i = 0; i < inbox->count; i++)
        answer_part(receiver, &inbox->entries[i], &parts[i]);
    inbox_clear(inbox);
}

// The sessions count these frames as received, so they end with them.
void receiver_drop_batch(struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->inbox.count; i++)
        session_end(&receiver->sessions, &receiver->inbox.entries[i].peer);
    inbox_clear(&receiver->inbox);
}

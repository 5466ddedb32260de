// The nacks that the store sends on its own accord.

#include "store/dismissal.h"

#include <stdio.h>

#include "common/log.h"

// A peer that takes nothing is gone, or will find out with its next message.
static void dismiss(struct session *session, struct listeners *listeners, enum nack_reason reason,
                    const char *message)
{
    struct frame nack = {.kind = FRAME_NACK, .reason = reason};
    snprintf(nack.message, sizeof(nack.message), "%s", message);
    SCOPED_BUFFER out = {0};
    frame_write(&nack, &out);
    session->refused = true;
    bool told = listeners_send(listeners, &session->peer, &out);
    log_line(LOG_INFO, "session ended", "collector", session->collector, "reason", message, "told",
             told ? "yes" : "no", NULL);
}

void dismiss_all(struct session_table *sessions, struct listeners *listeners,
                 const struct inbox *waiting)
{
    for (size_t i = 0; i < sessions->count; i++) {
        struct session *session = &sessions->items[i];
        bool waits = waiting != NULL && inbox_has(waiting, session->collector);
        if (!session->refused && !waits)
            dismiss(session, listeners, NACK_DRAINING, "the store is stopping");
    }
}

static bool is_allowed(const struct session *session, const struct allow_list *list)
{
    const struct allowed *allowed = allow_list_by_name(list, session->collector);
    return allowed != NULL && allowed_has_key(allowed, session->peer.key);
}

// Backwards, since the last session moves into a gap.
void dismiss_unwelcome(struct session_table *sessions, struct listeners *listeners,
                       const struct allow_list *allowed)
{
    for (size_t i = sessions->count; i-- > 0;) {
        struct session *session = &sessions->items[i];
        if (!is_allowed(session, allowed))
            dismiss(session, listeners, NACK_NOT_ALLOWED, "this key is not in the allow-list");
        else if (listeners_is_leaving(listeners, &session->peer))
            dismiss(session, listeners, NACK_DRAINING, "the store no longer listens here");
        else
            continue;
        struct peer peer = session->peer;
        session_end(sessions, &peer);
    }
}

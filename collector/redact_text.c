// What is taken out of a text, in order: keys first, for their lines are no assignments, then URIs,
// then values of secret names.

#include "collector/redact_text.h"

#include "collector/redact_assignment.h"
#include "collector/redact_private_key.h"
#include "collector/redact_scan.h"
#include "collector/redact_uri.h"
#include "collector/secret_name.h"

// Most texts hold nothing secret, and are not copied.
bool redact_text(const char *text, size_t length, struct buffer *out)
{
    SCOPED_BUFFER without_keys = {0};
    SCOPED_BUFFER without_uris = {0};
    bool changed = redact_private_keys(text, length, &without_keys);
    if (changed) {
        text = without_keys.data;
        length = without_keys.length;
    }
    if (redact_uris(text, length, &without_uris)) {
        changed = true;
        text = without_uris.data != NULL ? without_uris.data : "";
        length = without_uris.length;
    }
    if (redact_assignments(text, length, out))
        return true;
    if (changed)
        buffer_append(out, text, length);
    return changed;
}

bool redact_names_next(const char *text, size_t length)
{
    if (length < 2 || text[0] != '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!scan_is_name(text[i]))
            return false;
    }
    return secret_classify(text, length) == SECRET_YES;
}

// The canonical form of a log entry and its leaf hash: the one byte string that checkpoints and
// proofs will rest on, so it must never depend on a library's taste (docs/architecture.md).

#include "store/envelope.h"

#include <inttypes.h>
#include <string.h>

#include "common/timestamp.h"

void envelope_body_digest(const uint8_t salt[SALT_BYTES], const void *body, size_t length,
                          uint8_t digest[DIGEST_BYTES])
{
    digest_pair(salt, SALT_BYTES, body, length, digest);
}

// The short escapes where JSON has them, \u00xx in lower case for other control characters, all
// else as it is: the string form of RFC 8785.
// Not buffer_append_json_string: that one has no short escapes, and may change without harm; this
// may not.
static void write_string(const char *text, struct buffer *out)
{
    static const char letters[] = "\b\t\n\f\r\"\\";
    static const char escapes[] = "btnfr\"\\";
    buffer_append_char(out, '"');
    for (const char *c = text; *c; c++) {
        const char *found = strchr(letters, *c);
        if (found != NULL)
            buffer_printf(out, "\\%c", escapes[found - letters]);
        else if ((unsigned char)*c < 0x20)
            buffer_printf(out, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            buffer_append_char(out, *c);
    }
    buffer_append_char(out, '"');
}

// Written by hand, member by member in the order of their names, and not through cJSON: a printer
// that is updated may escape otherwise, and every proof made before would be void.
void envelope_write(const struct envelope *envelope, struct buffer *out)
{
    char digest[DIGEST_HEX];
    hex_encode(envelope->body_digest, DIGEST_BYTES, digest);
    buffer_printf(out, "{\"body\":\"%s\",\"collector\":", digest);
    write_string(envelope->collector, out);
    buffer_printf(out, ",\"epoch\":\"%" PRId64 "\",\"id\":", envelope->epoch);
    write_string(envelope->event_id, out);
    buffer_printf(out, ",\"seq\":\"%" PRId64 "\",\"time\":", envelope->seq);
    if (envelope->time == TIMESTAMP_NONE) {
        buffer_append_text(out, "null");
    } else {
        char time[TIMESTAMP_TEXT];
        timestamp_format(envelope->time, time);
        write_string(time, out);
    }
    buffer_append_text(out, ",\"type\":");
    write_string(envelope->type, out);
    buffer_append_char(out, '}');
}

void envelope_leaf_hash(const struct envelope *envelope, struct buffer *scratch,
                        uint8_t leaf[DIGEST_BYTES])
{
    buffer_clear(scratch);
    // The prefix of leaves in RFC 6962: no inner node of the tree can pass for a leaf.
    buffer_append_char(scratch, '\0');
    envelope_write(envelope, scratch);
    digest_sha256(scratch->data, scratch->length, leaf);
}

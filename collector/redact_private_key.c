// Private keys in PEM, with all lines between the first and the last.

#define _GNU_SOURCE // memmem

#include "collector/redact_private_key.h"

#include <string.h>

#include "collector/redact_text.h"

// The block from a private key's first line to its last, or to the end of the text.
static const char *private_key_end(const char *begin, const char *end)
{
    static const char closing[] = "-----END ";
    const char *last = memmem(begin, (size_t)(end - begin), closing, sizeof(closing) - 1);
    if (last == NULL)
        return end;
    const char *name = last + sizeof(closing) - 1;
    const char *dashes = memmem(name, (size_t)(end - name), "-----", 5);
    return dashes != NULL ? dashes + 5 : end;
}

// PKCS#8, RSA, EC, OpenSSH and encrypted keys alike; certificates and public keys are passed over.
static const char *find_private_key(const char *at, const char *end)
{
    static const char opening[] = "-----BEGIN ";
    while ((at = memmem(at, (size_t)(end - at), opening, sizeof(opening) - 1)) != NULL) {
        const char *name = at + sizeof(opening) - 1;
        const char *dashes = memmem(name, (size_t)(end - name), "-----", 5);
        size_t length = (size_t)((dashes != NULL ? dashes : end) - name);
        if (memmem(name, length, "PRIVATE KEY", 11) != NULL)
            return at;
        at = name;
    }
    return NULL;
}

bool redact_private_keys(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    const char *copied = text;
    const char *at;
    while ((at = find_private_key(copied, end)) != NULL) {
        buffer_append(out, copied, (size_t)(at - copied));
        buffer_append_text(out, REDACTED);
        copied = private_key_end(at, end);
    }
    if (copied != text)
        buffer_append(out, copied, (size_t)(end - copied));
    return copied != text;
}

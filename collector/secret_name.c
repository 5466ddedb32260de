// The list of words that make a name a secret's, and the exceptions that keep references readable.

#define _GNU_SOURCE // memrchr

#include "collector/secret_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define PLAIN_BYTES 256

// The name in lower case without separators: its last part when it is longer than the buffer.
static void plain_name(const char *name, size_t length, char plain[PLAIN_BYTES])
{
    const char *slash = length > 0 ? memrchr(name, '/', length) : NULL;
    if (slash != NULL) {
        length -= (size_t)(slash + 1 - name);
        name = slash + 1;
    }
    if (length > PLAIN_BYTES - 1) {
        name += length - (PLAIN_BYTES - 1);
        length = PLAIN_BYTES - 1;
    }
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        if (c != '_' && c != '-' && c != '.' && c != '\0')
            plain[used++] = (char)tolower((unsigned char)c);
    }
    plain[used] = '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_length = strlen(text);
    size_t end_length = strlen(end);
    return text_length >= end_length && strcmp(text + text_length - end_length, end) == 0;
}

static bool is_reference(const char *plain)
{
    static const char *const ends[] = {"name",
                                       "names",
                                       "ref",
                                       "refs",
                                       "file",
                                       "path",
                                       "dir",
                                       "url",
                                       "uri",
                                       "type",
                                       "class",
                                       "provider",
                                       "enabled",
                                       "endpoint",
                                       "namespace",
                                       "imagepullsecret",
                                       "imagepullsecrets",
                                       NULL};
    for (size_t i = 0; ends[i] != NULL; i++) {
        if (ends_with(plain, ends[i]))
            return true;
    }
    return false;
}

enum secret_class secret_classify(const char *name, size_t length)
{
    static const char *const words[] = {
        "password",   "passwd",    "passphrase",    "secret",           "credential", "apikey",
        "privatekey", "accesskey", "authorization", "connectionstring", NULL};
    char plain[PLAIN_BYTES];
    plain_name(name, length, plain);
    bool secret = false;
    for (size_t i = 0; words[i] != NULL && !secret; i++)
        secret = strstr(plain, words[i]) != NULL;
    const char *token = strstr(plain, "token");
    if (!secret && token != NULL)
        secret = strncmp(token, "tokeniz", 7) != 0 && strncmp(token, "tokenis", 7) != 0;
    if (!secret)
        return SECRET_NO;
    return is_reference(plain) ? SECRET_REFERENCE : SECRET_YES;
}

int secret_is_count(const char *name, size_t length)
{
    char plain[PLAIN_BYTES];
    plain_name(name, length, plain);
    return strstr(plain, "tokens") != NULL;
}

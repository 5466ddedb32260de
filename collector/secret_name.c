// The list of words that make a name a secret's, and the exceptions that keep references readable.

#define _GNU_SOURCE // memrchr

#include "collector/secret_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

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
            plain[used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
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

// "tokenizer" and "tokenise" are about text.
static bool is_token(const char *at)
{
    return strncmp(at, "token", 5) == 0 && strncmp(at, "tokeniz", 7) != 0 &&
           strncmp(at, "tokenis", 7) != 0;
}

// True when a secret's word begins here. Every key and word of every object comes by, so only the
// words with the right first letter are compared.
static bool begins_secret(const char *at)
{
    static const char *const a_words[] = {"apikey",     "accesskey",       "authorization",
                                          "accountkey", "azurestoragekey", NULL};
    static const char *const c_words[] = {"credential", "connectionstring", "clientkey", NULL};
    static const char *const d_words[] = {"dockerconfigjson", NULL};
    static const char *const e_words[] = {"encryptionkey", NULL};
    static const char *const p_words[] = {"password",   "passwd", "passphrase",
                                          "privatekey", "pwd",    NULL};
    static const char *const s_words[] = {"secret", "signingkey", "sharedaccesssignature", NULL};
    const char *const *words;
    switch (*at) {
    case 'a':
        words = a_words;
        break;
    case 'c':
        words = c_words;
        break;
    case 'd':
        words = d_words;
        break;
    case 'e':
        words = e_words;
        break;
    case 'p':
        words = p_words;
        break;
    case 's':
        words = s_words;
        break;
    case 't':
        return is_token(at);
    default:
        return false;
    }
    while (*words != NULL && !text_starts_with(at, *words))
        words++;
    return *words != NULL;
}

// "pass" is a secret's word at the end of a name and on its own (DB_PASS, dbPass): "bypass" and
// "pass-through" are not. "--auth" takes a secret; a field of that name describes a method.
// So do "jwt" and "bearer" at the end: jwtIssuer is none. "auths" holds a registry's logins.
static bool is_short_secret(const char *name, size_t length, const char *plain)
{
    if (ends_with(plain, "jwt") || ends_with(plain, "bearer") || strcmp(plain, "auths") == 0)
        return true;
    if (length > 0 && name[0] == '-' && strcmp(plain, "auth") == 0)
        return true;
    if (length < 4 || strncasecmp(name + length - 4, "pass", 4) != 0)
        return false;
    const char *word = name + length - 4;
    return word == name || !isalnum((unsigned char)word[-1]) ||
           (*word == 'P' && islower((unsigned char)word[-1]));
}

enum secret_class secret_classify(const char *name, size_t length)
{
    char plain[PLAIN_BYTES];
    plain_name(name, length, plain);
    if (is_short_secret(name, length, plain))
        return SECRET_YES;
    const char *at = plain;
    while (*at != '\0' && !begins_secret(at))
        at++;
    if (*at == '\0')
        return SECRET_NO;
    return is_reference(plain) ? SECRET_REFERENCE : SECRET_YES;
}

bool secret_is_end(const char *name, size_t length)
{
    static const char *const ends[] = {"password", "passwd",    "passphrase", "pwd",       "pass",
                                       "secret",   "token",     "apikey",     "accesskey", "jwt",
                                       "bearer",   "secretkey", "privatekey", NULL};
    char plain[PLAIN_BYTES];
    plain_name(name, length, plain);
    for (size_t i = 0; ends[i] != NULL; i++) {
        if (ends_with(plain, ends[i]))
            return true;
    }
    return false;
}

int secret_is_count(const char *name, size_t length)
{
    char plain[PLAIN_BYTES];
    plain_name(name, length, plain);
    return strstr(plain, "tokens") != NULL;
}

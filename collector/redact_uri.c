// Credentials and queries of URIs. Unlike all else that is taken out, what identifies an artifact
// must stay: hosts, paths, and what '@' means in some schemes.

#define _GNU_SOURCE // memmem, memrchr

#include "collector/redact_uri.h"

#include <string.h>

#include "collector/redact_scan.h"

static bool is_scheme_char(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

// True where another URI of a list begins (nats://u:p@a,nats://u:p@b), behind the separator.
static bool begins_uri(const char *at, const char *end)
{
    const char *scheme = at;
    while (at < end && is_scheme_char(*at))
        at++;
    return at > scheme && end - at >= 3 && memcmp(at, "://", 3) == 0;
}

static bool ends_uri(const char *at, const char *end)
{
    bool separates = *at == ',' || *at == ';' || *at == '|';
    return scan_ends_text(*at) || (separates && begins_uri(at + 1, end));
}

bool uri_find(const char *text, const char *at, const char *end, struct uri *uri)
{
    while (at < end) {
        const char *mark = memmem(at, (size_t)(end - at), "://", 3);
        if (mark == NULL)
            return false;
        const char *scheme = mark;
        while (scheme > text && scheme > at && is_scheme_char(scheme[-1]))
            scheme--;
        if (scheme < mark) {
            uri->scheme = scheme;
            uri->authority = mark + 3;
            uri->end = uri->authority;
            while (uri->end < end && !ends_uri(uri->end, end))
                uri->end++;
            return true;
        }
        at = mark + 3;
    }
    return false;
}

static const char *find_any(const char *from, const char *end, const char *any_of)
{
    while (from < end && strchr(any_of, *from) == NULL)
        from++;
    return from;
}

// '@' also writes revisions (hf://gpt2@main), digests (oci://model@sha256:...) and Azure
// containers.
static bool at_sign_is_identity(const struct uri *uri, const char *at_sign, bool has_colon)
{
    static const char *const schemes[] = {"hf",    "oci",  "oci+native", "docker", "abfs",
                                          "abfss", "wasb", "wasbs",      NULL};
    bool digest = uri->end - at_sign > 7 && memcmp(at_sign + 1, "sha256:", 7) == 0;
    return scan_is_word(uri->scheme, uri->authority - 3, schemes) && (digest || !has_colon);
}

// True when what follows ':' in the authority is no port: then it is a password in which
// somebody left '/', '?' or '#' unescaped, and the '@' comes later.
static bool is_no_port(const char *colon, const char *authority_end)
{
    return !scan_is_number(colon + 1, authority_end);
}

// Where the host begins: behind the userinfo, if any.
static const char *behind_userinfo(const struct uri *uri)
{
    const char *authority_end = find_any(uri->authority, uri->end, "/?#");
    size_t length = (size_t)(authority_end - uri->authority);
    const char *at_sign = memrchr(uri->authority, '@', length);
    const char *colon = memchr(uri->authority, ':', length);
    if (at_sign != NULL) {
        bool has_colon = colon != NULL && colon < at_sign;
        return at_sign_is_identity(uri, at_sign, has_colon) ? uri->authority : at_sign + 1;
    }
    bool bracketed = uri->authority < uri->end && *uri->authority == '[';
    if (colon == NULL || bracketed || !is_no_port(colon, authority_end))
        return uri->authority;
    at_sign = memrchr(colon, '@', (size_t)(uri->end - colon));
    bool image_tag = at_sign != NULL && at_sign_is_identity(uri, at_sign, true);
    return at_sign == NULL || image_tag ? uri->authority : at_sign + 1;
}

bool redact_uris(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    const char *copied = text;
    const char *at = text;
    bool changed = false;
    struct uri uri;
    while (uri_find(text, at, end, &uri)) {
        const char *host = behind_userinfo(&uri);
        const char *query = find_any(host, uri.end, "?");
        if (host != uri.authority || query != uri.end) {
            buffer_append(out, copied, (size_t)(uri.authority - copied));
            buffer_append(out, host, (size_t)(query - host));
            copied = uri.end;
            changed = true;
        }
        at = uri.end;
    }
    if (changed)
        buffer_append(out, copied, (size_t)(end - copied));
    return changed;
}

// Secrets inside texts. It would rather take too much than too little: what it takes is gone from
// the raw object only, except for URIs, where what identifies an artifact must stay.

#define _GNU_SOURCE // memmem, memrchr

#include "collector/redact_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "collector/secret_name.h"

static bool is_scheme_char(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

// A URI in running text ends at white space, quotes or angle brackets. Commas and the like may be
// part of a query, so they do not end it.
static bool ends_text(char c)
{
    return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>';
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
    return ends_text(*at) || (separates && begins_uri(at + 1, end));
}

struct uri {
    const char *scheme;
    const char *authority; // behind "://"
    const char *end;
};

// Finds the next URI from `at` on; false when there is none.
static bool find_uri(const char *text, const char *at, const char *end, struct uri *uri)
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

static bool scheme_is(const struct uri *uri, const char *const names[])
{
    size_t length = (size_t)(uri->authority - 3 - uri->scheme);
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strlen(names[i]) == length && strncasecmp(uri->scheme, names[i], length) == 0)
            return true;
    }
    return false;
}

// '@' also writes revisions (hf://gpt2@main), digests (oci://model@sha256:...) and Azure
// containers.
static bool at_sign_is_identity(const struct uri *uri, const char *at_sign, bool has_colon)
{
    static const char *const schemes[] = {"hf",    "oci",  "oci+native", "docker", "abfs",
                                          "abfss", "wasb", "wasbs",      NULL};
    bool digest = uri->end - at_sign > 7 && memcmp(at_sign + 1, "sha256:", 7) == 0;
    return scheme_is(uri, schemes) && (digest || !has_colon);
}

// True when what follows ':' in the authority is no port: then it is a password in which
// somebody left '/', '?' or '#' unescaped, and the '@' comes later.
static bool is_no_port(const char *colon, const char *authority_end)
{
    if (colon + 1 == authority_end)
        return false;
    for (const char *at = colon + 1; at < authority_end; at++) {
        if (!isdigit((unsigned char)*at))
            return true;
    }
    return false;
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
    while (find_uri(text, at, end, &uri)) {
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

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

// An opening quote. Inside other quotes (JSON in JSON) it and its closing one have backslashes.
struct quote {
    char mark; // 0 when there is none
    size_t backslashes;
};

static const char *skip_quote(const char *at, const char *end, struct quote *quote)
{
    const char *mark = at;
    while (mark < end && *mark == '\\')
        mark++;
    *quote = (struct quote){'\0', (size_t)(mark - at)};
    if (mark == end || (*mark != '"' && *mark != '\''))
        return at;
    quote->mark = *mark;
    return mark + 1;
}

// The closing quote of a text that begins at `at`, or the end. Quotes with more backslashes than
// the opening one are part of the text.
static const char *closing_quote(const char *at, const char *end, struct quote quote)
{
    size_t backslashes = 0;
    for (const char *to = at; to < end; to++) {
        if (*to == quote.mark && backslashes <= quote.backslashes)
            return to - backslashes;
        backslashes = *to == '\\' ? backslashes + 1 : 0;
    }
    return end;
}

// Where an unquoted value ends, beside at blanks and quotes.
struct bounds {
    const char *end;
    const char *stops; // characters that end it
};

static const char *word_end(const char *at, const struct bounds *bounds)
{
    while (at < bounds->end && (unsigned char)*at > ' ' && *at != '"' && *at != '\'' &&
           strchr(bounds->stops, *at) == NULL)
        at++;
    return at;
}

static bool is_word(const char *from, const char *to, const char *const words[])
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strlen(words[i]) == (size_t)(to - from) &&
            strncasecmp(words[i], from, (size_t)(to - from)) == 0)
            return true;
    }
    return false;
}

// Behind the bracket that closes the one at `at`, or the end. Brackets inside quotes do not count.
static const char *bracket_end(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        struct quote quote;
        const char *inside = skip_quote(at, end, &quote);
        if (quote.mark != '\0') {
            const char *close = closing_quote(inside, end, quote);
            while (close < end && *close == '\\')
                close++;
            at = close < end ? close + 1 : end;
            continue;
        }
        if (*at == '[' || *at == '{')
            depth++;
        else if ((*at == ']' || *at == '}') && --depth == 0)
            return at + 1;
        at++;
    }
    return end;
}

// The end of the value that begins at `at`: a quoted text, a JSON list or object, or a word.
// "Bearer x" is both words, and a YAML block goes on to the end of the text.
static const char *value_end(const char *at, const struct bounds *bounds, struct quote quote)
{
    static const char *const schemes[] = {"bearer", "basic", "token", "digest", NULL};
    static const char *const blocks[] = {"|", ">", "|-", ">-", "|+", ">+", NULL};
    const char *end = bounds->end;
    if (quote.mark != '\0')
        return closing_quote(at, end, quote);
    if (at < end && (*at == '[' || *at == '{'))
        return bracket_end(at, end);
    const char *to = word_end(at, bounds);
    if (is_word(at, to, blocks))
        return end;
    if (is_word(at, to, schemes) && skip_blanks(to, end) > to)
        return word_end(skip_blanks(to, end), bounds);
    return to;
}

static bool is_variable_reference(const char *from, const char *to)
{
    return to - from > 3 && from[0] == '$' &&
           ((from[1] == '(' && to[-1] == ')') || (from[1] == '{' && to[-1] == '}'));
}

static bool is_count(const char *name, size_t name_length, const char *from, const char *to)
{
    while (from < to && isdigit((unsigned char)*from))
        from++;
    return from == to && secret_is_count(name, name_length);
}

// A value that a secret name is given.
struct assigned {
    const char *from;
    const char *to; // == from when there is none
    bool keep;      // a reference or a count: nothing secret
};

// A ':' without a blank behind it, where no image:tag can be meant.
static bool is_tight_colon(const char *text, const char *name, const char *name_end)
{
    bool begins = name == text || strchr(" \t\r\n\"'{,;", name[-1]) != NULL;
    return begins && *name != '-' && secret_is_end(name, (size_t)(name_end - name));
}

// An argument that begins with '-' is the next flag, unless it has one '-' and is no single letter.
static bool is_flag(const char *at, const char *end)
{
    return *at == '-' && (end - at < 3 || at[1] == '-' || !is_name_char(at[2]));
}

// Finds the beginning of a value behind a name: '=', ':' behind a quote or before a blank
// (image:tag is none), or white space behind a flag. NULL when nothing is assigned.
static const char *find_sign(const char *text, const char *name, const char *name_end,
                             const char *end)
{
    struct quote quote;
    const char *at = skip_blanks(skip_quote(name_end, end, &quote), end);
    if (at == end)
        return NULL;
    bool last = at + 1 == end;
    if (*at == '=')
        return at + 1;
    if (*at == ':' && !last && at[1] == '=')
        return at + 2;
    if (*at == ':') {
        bool loose = quote.mark != '\0' || last || strchr(" \t\r\n\"'", at[1]) != NULL;
        return loose || is_tight_colon(text, name, name_end) ? at + 1 : NULL;
    }
    return *name == '-' && at > name_end && !is_flag(at, end) ? at : NULL;
}

static size_t blanks_before(const char *line, const char *end)
{
    return (size_t)(skip_blanks(line, end) - line);
}

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline != NULL ? newline : end;
}

// What YAML puts below a key: the lines that are indented more, and a list's that are not less.
// `at` is behind the key's line. Empty when there are none.
static struct assigned find_block(const char *text, const char *name, const char *at,
                                  const char *end)
{
    const char *line = name;
    while (line > text && line[-1] != '\n')
        line--;
    size_t indent = blanks_before(line, end);
    struct assigned block = {at, at, false};
    while (at < end) {
        const char *next = line_end(at, end);
        const char *from = skip_blanks(at, next);
        size_t depth = (size_t)(from - at);
        bool empty = from == next || *from == '\r';
        bool listed = !empty && *from == '-' && depth == indent;
        if (!empty && !listed && depth <= indent)
            break;
        if (!empty && block.to == block.from)
            block.from = from;
        if (!empty)
            block.to = next;
        at = next < end ? next + 1 : end;
    }
    return block;
}

// A walk over the names in a text, which knows what each stands in.
struct walk {
    const char *text;
    const char *end;
    struct uri uri; // the latest that was looked up
    bool no_more_uris;
    bool in_remote; // inside an rclone remote with its options, :s3,key=value:bucket/path
};

// Looks ahead only from names of secrets on, and never twice: most texts have none.
static bool is_in_uri(struct walk *walk, const char *at)
{
    if (walk->uri.end == NULL)
        walk->uri.end = walk->text;
    while (!walk->no_more_uris && walk->uri.end <= at)
        walk->no_more_uris = !find_uri(walk->text, walk->uri.end, walk->end, &walk->uri);
    return !walk->no_more_uris && at >= walk->uri.authority;
}

// What stands behind a secret in an artifact's place tells versions apart and stays. Only a segment
// of a path is one: behind ';' a database's password may hold a '/'.
static struct bounds find_bounds(struct walk *walk, const char *name)
{
    if (name > walk->text && name[-1] == '/' && is_in_uri(walk, name))
        return (struct bounds){walk->uri.end, "/"};
    return (struct bounds){walk->end, walk->in_remote ? ",:" : ""};
}

#define REMOTE_NAME_MAX 32

static void note_remote(struct walk *walk, const char *at)
{
    if (ends_text(*at))
        walk->in_remote = false;
    if (*at != ':' || (at > walk->text && !ends_text(at[-1]) && at[-1] != '='))
        return;
    const char *name = at + 1;
    const char *to = name;
    while (to < walk->end && to - name < REMOTE_NAME_MAX && is_name_char(*to))
        to++;
    walk->in_remote = walk->in_remote || (to > name && to < walk->end && *to == ',');
}

static struct assigned find_value(struct walk *walk, const char *name, const char *name_end)
{
    struct quote quote;
    const char *end = walk->end;
    const char *sign = find_sign(walk->text, name, name_end, end);
    if (sign == NULL)
        return (struct assigned){name_end, name_end, true};
    const char *at = skip_blanks(sign, end);
    if (sign[-1] == ':' && at < end && (*at == '\r' || *at == '\n')) {
        const char *newline = line_end(at, end);
        struct assigned block =
            find_block(walk->text, name, newline < end ? newline + 1 : end, end);
        block.keep = block.to == block.from;
        return block;
    }
    struct assigned value = {.from = skip_quote(at, end, &quote)};
    struct bounds bounds = find_bounds(walk, name);
    if (bounds.end < value.from)
        bounds = (struct bounds){end, ""};
    value.to = value_end(value.from, &bounds, quote);
    value.keep = value.to == value.from || is_variable_reference(value.from, value.to) ||
                 is_count(name, (size_t)(name_end - name), value.from, value.to);
    return value;
}

// Of user:password behind -u or --user only the password goes; numbers are a user and a group.
static void keep_user(const char *name, size_t length, struct assigned *value)
{
    static const char *const flags[] = {"-u", "--user", NULL};
    size_t size = (size_t)(value->to - value->from);
    const char *colon = size > 0 ? memchr(value->from, ':', size) : NULL;
    value->keep = value->keep || colon == NULL || !is_word(name, name + length, flags) ||
                  !is_no_port(colon, value->to);
    if (!value->keep)
        value->from = colon + 1;
}

static bool redact_assignments(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    const char *copied = text;
    const char *at = text;
    struct walk walk = {.text = text, .end = end};
    while (at < end) {
        if (!is_name_char(*at)) {
            note_remote(&walk, at++);
            continue;
        }
        const char *name = at;
        while (at < end && is_name_char(*at))
            at++;
        size_t size = (size_t)(at - name);
        bool is_user = *name == '-' && size >= 2 && name[size > 2 ? 2 : 1] == 'u';
        if (!is_user && secret_classify(name, size) != SECRET_YES)
            continue;
        struct assigned value = find_value(&walk, name, at);
        if (is_user)
            keep_user(name, size, &value);
        if (value.keep && is_user)
            continue; // what follows is a text like any other
        at = value.to;
        if (value.keep)
            continue;
        buffer_append(out, copied, (size_t)(value.from - copied));
        buffer_append_text(out, REDACTED);
        copied = at;
    }
    if (copied != text)
        buffer_append(out, copied, (size_t)(end - copied));
    return copied != text;
}

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

static bool redact_private_keys(const char *text, size_t length, struct buffer *out)
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

// Where the value of an API server's complaint begins, behind one of its phrases; NULL when there
// is none from `at` on.
static const char *find_complaint(const char *at, const char *end)
{
    static const char *const phrases[] = {
        "Invalid value: ", "Unsupported value: ", "Duplicate value: ", "Not found: ", NULL};
    const char *first = NULL;
    for (size_t i = 0; phrases[i] != NULL; i++) {
        size_t length = strlen(phrases[i]);
        const char *found = memmem(at, (size_t)(end - at), phrases[i], length);
        if (found != NULL && (first == NULL || found + length < first))
            first = found + length;
    }
    return first;
}

// What is complained of: quoted as Go does it, or a printed structure whose end cannot be told.
static const char *complaint_end(const char *from, const char *end, const char **to)
{
    struct quote quote;
    const char *inside = skip_quote(from, end, &quote);
    if (quote.mark != '\0') {
        *to = closing_quote(inside, end, quote);
        return inside;
    }
    const char *word = from;
    while (word < end && (is_name_char(*word) || *word == '+'))
        word++;
    bool is_number = word == end || *word == ':' || *word == ',';
    *to = is_number ? from : end;
    return from;
}

bool redact_message(const char *text, size_t length, struct buffer *out)
{
    SCOPED_BUFFER without_values = {0};
    const char *end = text + length;
    const char *copied = text;
    const char *at;
    while ((at = find_complaint(copied, end)) != NULL) {
        const char *to;
        const char *from = complaint_end(at, end, &to);
        buffer_append(&without_values, copied, (size_t)(from - copied));
        if (to > from)
            buffer_append_text(&without_values, REDACTED);
        copied = to;
    }
    bool changed = copied != text;
    buffer_append(&without_values, copied, (size_t)(end - copied));
    if (redact_text(without_values.data, without_values.length, out))
        return true;
    if (changed)
        buffer_append(out, without_values.data, without_values.length);
    return changed;
}

bool redact_names_next(const char *text, size_t length)
{
    if (length < 2 || text[0] != '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_name_char(text[i]))
            return false;
    }
    return secret_classify(text, length) == SECRET_YES;
}

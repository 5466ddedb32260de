// Values that are given to names of secrets, however they are written down: command lines, shell,
// JSON, YAML, and pieces of these in each other. It would rather take too much than too little:
// what it takes is gone from the raw object only.

#include "collector/redact_assignment.h"

#include <string.h>

#include "collector/redact_scan.h"
#include "collector/redact_text.h"
#include "collector/redact_uri.h"
#include "collector/secret_name.h"

// Where an unquoted value ends, beside at blanks and quotes.
struct bounds {
    const char *end;
    const char *stops; // characters that end it
};

// A word has no quotes: behind one, in JSON or in a shell, something else begins.
static const char *word_end(const char *at, const struct bounds *bounds)
{
    while (at < bounds->end && (unsigned char)*at > ' ' && *at != '"' && *at != '\'' &&
           strchr(bounds->stops, *at) == NULL)
        at++;
    return at;
}

// The end of the value that begins at `at`: a quoted text, a JSON list or object, or a word.
// "Bearer x" is both words, and a YAML block goes on to the end of the text.
static const char *value_end(const char *at, const struct bounds *bounds, struct quote quote)
{
    static const char *const schemes[] = {"bearer", "basic", "token", "digest", NULL};
    static const char *const blocks[] = {"|", ">", "|-", ">-", "|+", ">+", NULL};
    const char *end = bounds->end;
    if (quote.mark != '\0')
        return scan_close_quote(at, end, quote);
    if (at < end && (*at == '[' || *at == '{'))
        return scan_close_bracket(at, end);
    const char *to = word_end(at, bounds);
    if (scan_is_word(at, to, blocks))
        return end;
    if (scan_is_word(at, to, schemes) && scan_blanks(to, end) > to)
        return word_end(scan_blanks(to, end), bounds);
    return to;
}

// $(NAME) or ${NAME}: filled in later by Kubernetes or a shell, so the text holds no secret.
static bool is_variable_reference(const char *from, const char *to)
{
    return to - from > 3 && from[0] == '$' &&
           ((from[1] == '(' && to[-1] == ')') || (from[1] == '{' && to[-1] == '}'));
}

// Counts such as max_tokens=100 are settings, and stay readable.
static bool is_count(const char *name, size_t name_length, const char *from, const char *to)
{
    return scan_is_number(from, to) && secret_is_count(name, name_length);
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
    return *at == '-' && (end - at < 3 || at[1] == '-' || !scan_is_name(at[2]));
}

// Finds the beginning of a value behind a name: '=', ':' behind a quote or before a blank
// (image:tag is none), or white space behind a flag. NULL when nothing is assigned.
static const char *find_sign(const char *text, const char *name, const char *name_end,
                             const char *end)
{
    struct quote quote;
    const char *at = scan_blanks(scan_open_quote(name_end, end, &quote), end);
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
    return (size_t)(scan_blanks(line, end) - line);
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
        const char *next = scan_line_end(at, end);
        const char *from = scan_blanks(at, next);
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
        walk->no_more_uris = !uri_find(walk->text, walk->uri.end, walk->end, &walk->uri);
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

// Longer names of remotes are not looked for, so that a text is not read again at each colon.
#define REMOTE_NAME_MAX 32

// Called with each character that belongs to no name: a remote begins behind white space, quotes or
// '=', and ends with its word.
static void note_remote(struct walk *walk, const char *at)
{
    if (scan_ends_text(*at))
        walk->in_remote = false;
    if (*at != ':' || (at > walk->text && !scan_ends_text(at[-1]) && at[-1] != '='))
        return;
    const char *name = at + 1;
    const char *to = name;
    while (to < walk->end && to - name < REMOTE_NAME_MAX && scan_is_name(*to))
        to++;
    walk->in_remote = walk->in_remote || (to > name && to < walk->end && *to == ',');
}

// The value of the name, and whether it is one to be taken. A key with nothing on its own line has
// what YAML puts below it.
static struct assigned find_value(struct walk *walk, const char *name, const char *name_end)
{
    struct quote quote;
    const char *end = walk->end;
    const char *sign = find_sign(walk->text, name, name_end, end);
    if (sign == NULL)
        return (struct assigned){name_end, name_end, true};
    const char *at = scan_blanks(sign, end);
    if (sign[-1] == ':' && at < end && (*at == '\r' || *at == '\n')) {
        const char *newline = scan_line_end(at, end);
        struct assigned block =
            find_block(walk->text, name, newline < end ? newline + 1 : end, end);
        block.keep = block.to == block.from;
        return block;
    }
    struct assigned value = {.from = scan_open_quote(at, end, &quote)};
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
    value->keep = value->keep || colon == NULL || !scan_is_word(name, name + length, flags) ||
                  scan_is_number(colon + 1, value->to);
    if (!value->keep)
        value->from = colon + 1;
}

// One pass over the names of the text; behind a value that was found it goes on, not inside of it.
bool redact_assignments(const char *text, size_t length, struct buffer *out)
{
    const char *end = text + length;
    const char *copied = text;
    const char *at = text;
    struct walk walk = {.text = text, .end = end};
    while (at < end) {
        if (!scan_is_name(*at)) {
            note_remote(&walk, at++);
            continue;
        }
        const char *name = at;
        while (at < end && scan_is_name(*at))
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

// One spelling for one place: URIs and image references normalised, and the look of a version.
// Two spellings of one place would be two versions, and a change that never was; so what does not
// matter to the storage behind is removed, and nothing else.

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "store/naming.h"
#include "store/naming_parts.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The length of "scheme:" without the colon; 0 when the text has none.
static size_t scheme_length(const char *uri)
{
    if (!is_letter(*uri))
        return 0;
    size_t length = 1;
    while (is_letter(uri[length]) || is_digit(uri[length]) || strchr("+-.", uri[length]) != NULL) {
        if (uri[length] == '\0')
            return 0;
        length++;
    }
    return uri[length] == ':' ? length : 0;
}

static void append_lower(struct buffer *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        buffer_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

// Other spellings of the same scheme.
static const char *scheme_alias(const char *scheme)
{
    static const char *const aliases[][2] = {
        {"gcs", "gs"}, {"s3a", "s3"}, {"s3n", "s3"}, {"oci+native", "oci"}, {"docker", "oci"}};
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(scheme, aliases[i][0]) == 0)
            return aliases[i][1];
    }
    return scheme;
}

// In these the part behind // is a name whose case matters, no host.
// A host's case does not matter, a model's does.
static bool has_host(const char *scheme)
{
    return strcmp(scheme, "hf") != 0 && strcmp(scheme, "models") != 0 &&
           strcmp(scheme, "model-registry") != 0 && strcmp(scheme, "file") != 0;
}

// Registries (oci) are reached by https.
static const char *default_port(const char *scheme)
{
    if (strcmp(scheme, "http") == 0)
        return ":80";
    return strcmp(scheme, "https") == 0 || strcmp(scheme, "oci") == 0 ? ":443" : "";
}

// Appends the authority: no user, lower case, no default port.
// The last '@' counts: a password may hold one itself, and no part of it may stay.
static void append_authority(struct buffer *out, const char *scheme, const char *text,
                             size_t length)
{
    for (size_t i = length; i > 0; i--) {
        if (text[i - 1] == '@') {
            text += i;
            length -= i;
            break;
        }
    }
    const char *port = default_port(scheme);
    size_t port_length = strlen(port);
    if (port_length > 0 && length > port_length &&
        memcmp(text + length - port_length, port, port_length) == 0)
        length -= port_length;
    append_lower(out, text, length);
}

// Slashes at the end go, but never those of "//". Paths keep their case and their dots: object
// stores take both literally.
// S3A://User@Bucket/Path/ becomes s3://bucket/Path, https://Host:443/m becomes https://host/m, and
// hf://Org/Name stays as it is.
const char *naming_normalise_uri(const char *uri, struct fold_arena *arena)
{
    SCOPED_BUFFER out = {0};
    buffer_append(&out, "", 0);
    size_t length = scheme_length(uri);
    const char *rest = uri;
    size_t fixed = 0; // what must stay when slashes at the end go
    if (length > 0) {
        append_lower(&out, uri, length);
        const char *scheme = scheme_alias(fold_arena_bytes(arena, out.data, out.length));
        buffer_clear(&out);
        buffer_append_text(&out, scheme);
        buffer_append_char(&out, ':');
        rest = uri + length + 1;
        if (rest[0] == '/' && rest[1] == '/') {
            buffer_append_text(&out, "//");
            rest += 2;
            fixed = out.length;
            size_t authority = strcspn(rest, "/");
            // An oci reference without a path has its digest or tag in there: leave the '@' alone.
            if (has_host(scheme) && (rest[authority] == '/' || strcmp(scheme, "oci") != 0)) {
                append_authority(&out, scheme, rest, authority);
                rest += authority;
            }
        }
    }
    buffer_append_text(&out, rest);
    while (out.length > fixed && out.length > 1 && out.data[out.length - 1] == '/')
        out.length--;
    return fold_arena_bytes(arena, out.data, out.length);
}

// The first part of a reference is a registry when it looks like a host (the rule of container
// tools).
static bool names_registry(const char *image)
{
    size_t first = strcspn(image, "/");
    if (image[first] != '/')
        return false;
    if (first == strlen("localhost") && strncmp(image, "localhost", first) == 0)
        return true;
    return memchr(image, '.', first) != NULL || memchr(image, ':', first) != NULL;
}

// Short names are spelt out as container tools do, so that `nginx` and `docker.io/library/nginx`
// are one place.
const char *naming_normalise_image(const char *image, struct fold_arena *arena)
{
    SCOPED_BUFFER out = {0};
    buffer_append_text(&out, "oci://");
    if (!names_registry(image)) {
        buffer_append_text(&out, "docker.io/");
        // A single name is one of the library's.
        if (strchr(image, '/') == NULL)
            buffer_append_text(&out, "library/");
    } else if (text_starts_with(image, "index.docker.io/")) {
        image += strlen("index.");
    }
    buffer_append_text(&out, image);
    return naming_normalise_uri(out.data, arena);
}

static size_t span_digits(const char *text, size_t length)
{
    size_t count = 0;
    while (count < length && is_digit(text[count]))
        count++;
    return count;
}

static bool all_of(const char *text, size_t length, const char *others)
{
    for (size_t i = 0; i < length; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) &&
            (text[i] == '\0' || strchr(others, text[i]) == NULL))
            return false;
    }
    return true;
}

// 2026-01-31, 2026_01_31 or 20260131, and a time behind it.
// Months and days are looked at: eight digits alone are more often a number than a date.
static bool is_date(const char *text, size_t length)
{
    if (length < 8 || span_digits(text, length) < 4)
        return false;
    char mark = text[4];
    bool marked = mark == '-' || mark == '_';
    size_t date = marked ? 10 : 8;
    if (length < date ||
        (marked ? text[7] != mark || span_digits(text + 5, 2) != 2 || span_digits(text + 8, 2) != 2
                : span_digits(text, 8) != 8))
        return false;
    size_t month = marked ? 5 : 4;
    size_t day = marked ? 8 : 6;
    int months = (text[month] - '0') * 10 + text[month + 1] - '0';
    int days = (text[day] - '0') * 10 + text[day + 1] - '0';
    if (months < 1 || months > 12 || days < 1 || days > 31)
        return false;
    for (size_t i = date; i < length; i++) {
        if (!is_digit(text[i]) && (text[i] == '\0' || strchr("TZtz:._-", text[i]) == NULL))
            return false;
    }
    return true;
}

// A commit, a run or a UUID: 7 to 64 lower-case hex digits, letters and digits among them.
// Digits and letters must both be there: `effaced` is a word and `1234567` a number.
static bool is_commit(const char *text, size_t length)
{
    size_t digits = 0;
    size_t letters = 0;
    size_t dashes = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_digit(text[i]))
            digits++;
        else if (text[i] >= 'a' && text[i] <= 'f')
            letters++;
        else if (text[i] == '-' && (i == 8 || i == 13 || i == 18 || i == 23))
            dashes++;
        else
            return false;
    }
    if (dashes > 0)
        return dashes == 4 && length == 36;
    return length >= 7 && length <= 64 && digits > 0 && letters > 0;
}

// v3, 3, 1.4.0, v1.4.0-rc.1, 1.4rc1: a suffix only behind a v or a dot.
// With needs_mark a bare number is none: in `bert-768` it is a size, in a folder of its own a
// version.
static bool is_number(const char *text, size_t length, bool needs_mark)
{
    bool marked = length > 1 && (text[0] == 'v' || text[0] == 'V');
    size_t at = marked ? 1 : 0;
    size_t digits = span_digits(text + at, length - at);
    // More than 18 digits are an id and not a version.
    if (digits == 0 || digits > 18)
        return false;
    at += digits;
    while (at < length && text[at] == '.' &&
           (digits = span_digits(text + at + 1, length - at - 1)) > 0) {
        marked = true;
        at += digits + 1;
    }
    if (at == length)
        return marked || !needs_mark;
    if (!marked)
        return false;
    if (strchr("-+_", text[at]) != NULL)
        return length - at > 1 && all_of(text + at + 1, length - at - 1, ".+_-");
    return length - at > 2 && text[at] == 'r' && text[at + 1] == 'c' &&
           span_digits(text + at + 2, length - at - 2) == length - at - 2;
}

bool naming_is_version(const char *segment, size_t length)
{
    return length > 0 && length <= 128 &&
           (is_number(segment, length, false) || is_date(segment, length) ||
            is_commit(segment, length));
}

// Archives and model files are named NAME.EXTENSION: the extension says nothing about the version.
static size_t without_extension(const char *segment, size_t length)
{
    static const char *const extensions[] = {".tar.gz", ".tgz", ".tar",    ".zip", ".mar", ".onnx",
                                             ".pt",     ".bst", ".joblib", ".pkl", ".bin", ".gguf"};
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        size_t size = strlen(extensions[i]);
        if (length > size && memcmp(segment + length - size, extensions[i], size) == 0)
            return length - size;
    }
    return length;
}

// The version in one path segment: all of it, or what stands behind its first fitting - or _.
// Behind a dash a commit does not count: too many words of a name look like one.
static bool version_in(const char *segment, size_t length, const char **version, size_t *size)
{
    length = without_extension(segment, length);
    if (length > 256)
        return false;
    for (size_t from = 0; from < length; from++) {
        bool whole = from == 0;
        if (!whole && segment[from - 1] != '-' && segment[from - 1] != '_')
            continue;
        const char *rest = segment + from;
        size_t rest_length = length - from;
        if (whole ? naming_is_version(rest, rest_length)
                  : is_number(rest, rest_length, true) || is_date(rest, rest_length)) {
            *version = rest;
            *size = rest_length;
            return true;
        }
    }
    return false;
}

// From the end: what is nearest the file is the version, folders above it are collections.
const char *naming_version_of_path(const char *uri, struct fold_arena *arena)
{
    size_t scheme = scheme_length(uri);
    const char *path = uri + (scheme > 0 ? scheme + 1 : 0);
    if (scheme > 0 && path[0] == '/' && path[1] == '/')
        path += 2 + strcspn(path + 2, "/"); // a bucket or host is no version
    size_t end = strlen(path);
    while (end > 0) {
        size_t from = end;
        while (from > 0 && path[from - 1] != '/')
            from--;
        const char *version;
        size_t size;
        if (version_in(path + from, end - from, &version, &size))
            return fold_arena_bytes(arena, version, size);
        end = from > 0 ? from - 1 : 0;
    }
    return NULL;
}

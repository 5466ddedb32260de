// A byte-wise machine over the outermost levels of a Kubernetes list. It keeps one item at a time
// and leaves grammar, UTF-8 and depth to the checks that each item meets later.

#include "collector/list_splitter.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

// Longer keys are none that are looked for; their beginning is enough to tell.
#define KEY_MAX 64
#define METADATA_MAX ((size_t)64 * 1024)

enum place {
    AT_START,     // before the outermost {
    AT_KEY,       // before a key or }
    IN_KEY,       // inside a key's quotes
    AT_COLON,     // between key and value
    AT_VALUE,     // before a member's value
    IN_VALUE,     // inside a member's value that is not `items`
    BEHIND_VALUE, // before , or }
    AT_ITEM,      // before an item or ]
    IN_ITEM,      // inside an item
    BEHIND_ITEM,  // before , or ]
    AT_END,       // behind the outermost }
};

enum value_form { FORM_CONTAINER, FORM_STRING, FORM_SCALAR };

struct list_splitter {
    enum place place;
    enum value_form form;
    unsigned depth; // open brackets within the value
    bool in_string; // of the value
    bool escaped;   // the next character is escaped
    bool keep;      // the value is kept: an item, or the metadata
    bool cut;       // the item was longer than it may be
    bool done_item; // `current` holds an item that was handed out
    bool has_items;
    bool has_metadata;
    char key[KEY_MAX + 1];
    size_t key_length;
    size_t item_max_bytes;
    struct buffer current; // the item or metadata being read
    struct buffer metadata;
};

struct list_splitter *list_splitter_new(size_t item_max_bytes)
{
    struct list_splitter *splitter = xcalloc(1, sizeof(*splitter));
    splitter->item_max_bytes = item_max_bytes;
    return splitter;
}

void list_splitter_free(struct list_splitter *splitter)
{
    if (splitter == NULL)
        return;
    buffer_reset(&splitter->current);
    buffer_reset(&splitter->metadata);
    free(splitter);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool key_is(const struct list_splitter *splitter, const char *name)
{
    return strcmp(splitter->key, name) == 0;
}

// Appends a run of the value's bytes, up to the most that is kept.
static void keep_bytes(struct list_splitter *splitter, const char *bytes, size_t length)
{
    if (!splitter->keep)
        return;
    size_t room = splitter->item_max_bytes - splitter->current.length;
    if (length > room) {
        splitter->cut = true;
        length = room;
    }
    buffer_append(&splitter->current, bytes, length);
}

// Starts a value at its first character, which read_value then takes.
static void begin_value(struct list_splitter *splitter, char c, bool keep)
{
    splitter->form = c == '{' || c == '[' ? FORM_CONTAINER : c == '"' ? FORM_STRING : FORM_SCALAR;
    splitter->depth = 0;
    splitter->in_string = false;
    splitter->escaped = false;
    splitter->keep = keep;
    splitter->cut = false;
    buffer_clear(&splitter->current);
}

// Takes one character of a string; true when it was the closing quote.
static bool string_ends(struct list_splitter *splitter, char c)
{
    if (splitter->escaped)
        splitter->escaped = false;
    else if (c == '\\')
        splitter->escaped = true;
    else if (c == '"')
        return true;
    return false;
}

// Takes one character of the value; true when the value ended with it.
static bool value_ends(struct list_splitter *splitter, char c)
{
    if (splitter->in_string) {
        if (!string_ends(splitter, c))
            return false;
        splitter->in_string = false;
        return splitter->form == FORM_STRING;
    }
    if (c == '"')
        splitter->in_string = true;
    else if (c == '{' || c == '[')
        splitter->depth++;
    else if (c == '}' || c == ']')
        return --splitter->depth == 0;
    return false;
}

// Numbers and literals have no end of their own: it is seen at what follows, which is not theirs.
static bool ends_scalar(char c)
{
    return c == ',' || c == '}' || c == ']' || is_space(c);
}

// Reads on inside a value; true when it ended, with *at behind its last byte.
static bool read_value(struct list_splitter *splitter, const char *bytes, size_t length, size_t *at)
{
    size_t from = *at;
    size_t i = from;
    bool ended = false;
    while (i < length && !ended) {
        if (splitter->form == FORM_SCALAR) {
            if (ends_scalar(bytes[i])) {
                ended = true;
                break;
            }
        } else {
            ended = value_ends(splitter, bytes[i]);
        }
        i++;
    }
    keep_bytes(splitter, bytes + from, i - from);
    *at = i;
    return ended;
}

// Starts a member's value. `items` given twice could hide one list behind another.
static bool begin_member(struct list_splitter *splitter, char c, struct error *err)
{
    if (key_is(splitter, "items")) {
        if (splitter->has_items)
            return fail(err, REACT_REJECT, "list has `items` twice");
        splitter->has_items = true;
        if (c == '[') {
            splitter->place = AT_ITEM;
            return true;
        }
        if (c != 'n') // Go prints an empty list of built-in objects as null
            return fail(err, REACT_REJECT, "`items` of the list is no array");
    }
    bool metadata = key_is(splitter, "metadata");
    if (metadata && splitter->has_metadata)
        return fail(err, REACT_REJECT, "list has `metadata` twice");
    splitter->has_metadata = splitter->has_metadata || metadata;
    begin_value(splitter, c, metadata);
    splitter->place = IN_VALUE;
    return true;
}

// The value of a member that is not `items` ended; metadata is put aside until the list's end.
static bool end_member(struct list_splitter *splitter, struct error *err)
{
    splitter->place = BEHIND_VALUE;
    if (!splitter->keep)
        return true;
    if (splitter->cut || splitter->current.length > METADATA_MAX)
        return fail(err, REACT_REJECT, "`metadata` of the list is too long");
    buffer_append(&splitter->metadata, splitter->current.data, splitter->current.length);
    splitter->keep = false;
    return true;
}

static bool unexpected(char c, struct error *err)
{
    return fail(err, REACT_REJECT, "unexpected byte 0x%02x in a list", (unsigned char)c);
}

// Escapes are left as they are: none of the keys that matter has any.
static bool read_key(struct list_splitter *splitter, char c)
{
    if (string_ends(splitter, c)) {
        splitter->key[splitter->key_length] = '\0';
        splitter->place = AT_COLON;
    } else if (splitter->key_length < KEY_MAX) {
        splitter->key[splitter->key_length++] = c;
    }
    return true;
}

// Takes one character outside of values.
static bool take_structure(struct list_splitter *splitter, char c, struct error *err)
{
    if (splitter->place == IN_KEY)
        return read_key(splitter, c);
    if (is_space(c))
        return true;
    enum place place = splitter->place;
    bool more = c == ',';
    if (place == AT_START && c == '{') {
        splitter->place = AT_KEY;
    } else if (place == AT_KEY && c == '"') {
        splitter->key_length = 0;
        splitter->escaped = false;
        splitter->place = IN_KEY;
    } else if ((place == AT_KEY || place == BEHIND_VALUE) && c == '}') {
        splitter->place = AT_END;
    } else if (place == AT_COLON && c == ':') {
        splitter->place = AT_VALUE;
    } else if (place == BEHIND_VALUE && more) {
        splitter->place = AT_KEY;
    } else if ((place == AT_ITEM || place == BEHIND_ITEM) && c == ']') {
        splitter->place = BEHIND_VALUE;
    } else if (place == BEHIND_ITEM && more) {
        splitter->place = AT_ITEM;
    } else {
        return unexpected(c, err);
    }
    return true;
}

// Takes what begins a value: a member's at the top, or an item. *taken is false for the first byte
// of a value, which read_value looks at again.
static bool take_boundary(struct list_splitter *splitter, char c, bool *taken, struct error *err)
{
    *taken = true;
    if (splitter->place == AT_VALUE && !is_space(c)) {
        if (c == ',' || c == '}' || c == ']' || c == ':')
            return unexpected(c, err);
        if (!begin_member(splitter, c, err))
            return false;
        *taken = splitter->place == AT_ITEM; // the bracket of `items` itself
        return true;
    }
    if (splitter->place == AT_ITEM && !is_space(c) && c != ']') {
        if (c != '{')
            return unexpected(c, err);
        begin_value(splitter, c, true);
        splitter->place = IN_ITEM;
        *taken = false;
        return true;
    }
    return take_structure(splitter, c, err);
}

enum split_result list_splitter_feed(struct list_splitter *splitter, const char *bytes,
                                     size_t length, size_t *used, struct error *err)
{
    size_t at = 0;
    while (at < length) {
        if (splitter->place == IN_VALUE || splitter->place == IN_ITEM) {
            bool item = splitter->place == IN_ITEM;
            if (!read_value(splitter, bytes, length, &at))
                continue;
            if (item) {
                splitter->place = BEHIND_ITEM;
                *used = at;
                return SPLIT_ITEM;
            }
            if (!end_member(splitter, err))
                return SPLIT_BAD;
            continue;
        }
        bool taken;
        if (!take_boundary(splitter, bytes[at], &taken, err))
            return SPLIT_BAD;
        at += taken;
    }
    *used = length;
    return SPLIT_MORE;
}

const struct buffer *list_splitter_item(const struct list_splitter *splitter, bool *cut)
{
    *cut = splitter->cut;
    return &splitter->current;
}

bool list_splitter_finish(struct list_splitter *splitter, char **resource_version,
                          char **continue_token, struct error *err)
{
    if (splitter->place != AT_END)
        return fail(err, REACT_RETRY, "list ends too early");
    if (!splitter->has_items || !splitter->has_metadata)
        return fail(err, REACT_REJECT, "answer is no list: it has no `items` or no `metadata`");
    SCOPED(cJSON_Delete)
    cJSON *metadata = json_parse(splitter->metadata.data, splitter->metadata.length, 16, err);
    if (metadata == NULL)
        return fail_in(err, "metadata of a list");
    const char *version = json_text(metadata, "resourceVersion");
    const char *token = json_text(metadata, "continue");
    if (version == NULL)
        return fail(err, REACT_REJECT, "list without metadata.resourceVersion");
    *resource_version = xstrdup(version);
    *continue_token = xstrdup(token != NULL ? token : "");
    return true;
}

// Walks over one string that begins at bytes[at]; gives the index behind its closing quote.
static size_t skim_string(const char *bytes, size_t length, size_t at)
{
    for (at++; at < length && bytes[at] != '"'; at++) {
        if (bytes[at] == '\\')
            at++;
    }
    return at < length ? at + 1 : length;
}

static bool range_is(const char *bytes, size_t from, size_t to, const char *text)
{
    size_t length = strlen(text);
    return to - from == length + 2 && memcmp(bytes + from + 1, text, length) == 0;
}

// Looks for metadata.uid without a parser, since the object is one that no parser took: strings are
// skipped, braces counted, and whatever stands in the wrong place is no uid.
bool object_uid_skim(const char *bytes, size_t length, char *uid, size_t capacity)
{
    unsigned depth = 0;
    bool in_metadata = false; // the last key at depth 1 was "metadata"
    bool is_uid = false;      // the last key at depth 2 in it was "uid"
    for (size_t i = 0; i < length;) {
        char c = bytes[i];
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth > 0)
            depth--;
        if (c != '"') {
            i++;
            continue;
        }
        size_t to = skim_string(bytes, length, i);
        if (depth == 2 && in_metadata && is_uid) {
            size_t size = to - i - 2;
            if (to - i < 2 || size >= capacity)
                return false;
            memcpy(uid, bytes + i + 1, size);
            uid[size] = '\0';
            return true;
        }
        bool key = to < length && bytes[to] == ':';
        if (depth == 1 && key)
            in_metadata = range_is(bytes, i, to, "metadata");
        if (depth == 2 && key)
            is_uid = range_is(bytes, i, to, "uid");
        i = to;
    }
    return false;
}

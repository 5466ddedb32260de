// The pull scanner: one pass, no recursion, no allocation.
// It is run over every byte that a program receives, so its cost is part of each event's: plain
// text goes by eight bytes at a time, and UTF-8 is checked only where a byte above 0x7f was seen.

#include "common/json_scan.h"

#include <string.h>

#include "common/text.h"

// What may come next. FIRST is behind an opening bracket, where the closing one may follow at once;
// NEXT is behind a value, where a comma must stand before anything else does.
enum expect { EXPECT_VALUE, EXPECT_FIRST, EXPECT_KEY, EXPECT_COLON, EXPECT_NEXT, EXPECT_END };

void json_scan_init(struct json_scan *scan, const char *bytes, size_t length, unsigned max_depth)
{
    *scan = (struct json_scan){.bytes = bytes, .length = length, .expect = EXPECT_VALUE};
    scan->max_depth = max_depth < JSON_MAX_DEPTH ? max_depth : JSON_MAX_DEPTH;
}

static bool bad(const struct json_scan *scan, struct error *err, const char *what)
{
    return fail(err, REACT_REJECT, "invalid JSON at byte %zu: %s", scan->at, what);
}

static bool in_object(const struct json_scan *scan)
{
    unsigned level = scan->depth - 1;
    return (scan->in_object[level / 64] >> (level % 64)) & 1;
}

// One bit a level instead of a stack of kinds: the whole scanner fits on the caller's stack.
static bool push(struct json_scan *scan, bool object, struct error *err)
{
    if (scan->depth >= scan->max_depth)
        return bad(scan, err, "nested too deeply");
    unsigned level = scan->depth++;
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (object)
        scan->in_object[level / 64] |= bit;
    else
        scan->in_object[level / 64] &= ~bit;
    scan->expect = EXPECT_FIRST;
    return true;
}

static void skip_space(struct json_scan *scan)
{
    while (scan->at < scan->length) {
        char c = scan->bytes[scan->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        scan->at++;
    }
}

// Does not move: a low surrogate is looked at before it is known to be one.
static bool read_hex4(const struct json_scan *scan, size_t at, unsigned *value)
{
    if (at + 4 > scan->length)
        return false;
    *value = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = scan->bytes[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

// Reads what follows "\u"; scan->at stands on the first digit and ends behind the last one.
// PostgreSQL refuses a lone surrogate and a NUL, cJSON takes the one and cuts at the other: text
// that both would read differently never gets that far.
static bool read_unicode_escape(struct json_scan *scan, struct error *err)
{
    unsigned high;
    unsigned low;
    if (!read_hex4(scan, scan->at, &high))
        return bad(scan, err, "bad \\u escape");
    if (high == 0)
        return bad(scan, err, "\\u0000 in a string");
    scan->at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    bool paired = high < 0xdc00 && scan->at + 6 <= scan->length &&
                  memcmp(scan->bytes + scan->at, "\\u", 2) == 0 &&
                  read_hex4(scan, scan->at + 2, &low) && low >= 0xdc00 && low <= 0xdfff;
    if (!paired)
        return bad(scan, err, "lone surrogate in a string");
    scan->at += 6;
    return true;
}

static bool read_escape(struct json_scan *scan, struct error *err)
{
    scan->at++; // the backslash
    if (scan->at >= scan->length)
        return bad(scan, err, "ends inside a string");
    char c = scan->bytes[scan->at++];
    if (c == 'u')
        return read_unicode_escape(scan, err);
    // strchr finds the NUL that ends its own list.
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
        return bad(scan, err, "bad escape");
    return true;
}

// True when one of eight bytes is no plain ASCII: a control character, '"', '\\' or above 0x7f. It
// may also be true of eight plain ones that have none, never the other way round.
// Taking 1 from a byte that is zero sets its top bit, and so does taking 0x20 from a control
// character; a borrow may reach the byte above, which is where a false alarm comes from. The slow
// loop of skip_plain then finds out.
static bool has_special(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quotes = word ^ (ones * '"');
    uint64_t backslashes = word ^ (ones * '\\');
    uint64_t found = (quotes - ones) | (backslashes - ones) | (word - ones * 0x20) | word;
    return (found & (ones * 0x80)) != 0;
}

// Moves over plain ASCII, the bulk of any JSON, eight bytes at a time.
static void skip_plain(struct json_scan *scan)
{
    uint64_t word;
    for (; scan->length - scan->at >= sizeof(word); scan->at += sizeof(word)) {
        memcpy(&word, scan->bytes + scan->at, sizeof(word));
        if (has_special(word))
            break;
    }
    for (; scan->at < scan->length; scan->at++) {
        unsigned char c = (unsigned char)scan->bytes[scan->at];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            return;
    }
}

// scan->at stands on the opening quote and ends behind the closing one.
static bool read_string(struct json_scan *scan, struct error *err)
{
    size_t run = ++scan->at; // since the last escape
    bool ascii = true;
    for (skip_plain(scan); scan->at < scan->length; skip_plain(scan)) {
        unsigned char c = (unsigned char)scan->bytes[scan->at];
        if (c >= 0x80) {
            ascii = false;
            scan->at++;
            continue;
        }
        if (c < 0x20)
            return bad(scan, err, "control character in a string");
        if (!ascii && !text_is_utf8(scan->bytes + run, scan->at - run))
            return bad(scan, err, "string is not valid UTF-8");
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (!read_escape(scan, err))
            return false;
        run = scan->at;
        ascii = true;
    }
    return bad(scan, err, "ends inside a string");
}

static size_t read_digits(struct json_scan *scan)
{
    size_t from = scan->at;
    while (scan->at < scan->length && scan->bytes[scan->at] >= '0' && scan->bytes[scan->at] <= '9')
        scan->at++;
    return scan->at - from;
}

static bool at_char(const struct json_scan *scan, const char *any_of)
{
    return scan->at < scan->length && scan->bytes[scan->at] != '\0' &&
           strchr(any_of, scan->bytes[scan->at]) != NULL;
}

// The grammar alone; nothing is converted, since who needs a value reads the range in its own way.
static bool read_number(struct json_scan *scan, struct error *err)
{
    if (at_char(scan, "-"))
        scan->at++;
    bool zero = at_char(scan, "0");
    size_t digits = read_digits(scan);
    if (digits == 0 || (zero && digits > 1))
        return bad(scan, err, "bad number");
    if (at_char(scan, ".")) {
        scan->at++;
        if (read_digits(scan) == 0)
            return bad(scan, err, "bad number");
    }
    if (at_char(scan, "eE")) {
        scan->at++;
        if (at_char(scan, "+-"))
            scan->at++;
        size_t exponent = read_digits(scan);
        // 1e1000000 becomes null in cJSON and an error in PostgreSQL.
        if (exponent == 0 || exponent > 3)
            return bad(scan, err, "bad or oversized exponent");
    }
    return true;
}

// What follows a literal needs no look here: `truex` fails at the next token, which must be a comma
// or an end.
static bool read_literal(struct json_scan *scan, struct error *err)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(literals[i]);
        if (scan->length - scan->at >= length &&
            memcmp(scan->bytes + scan->at, literals[i], length) == 0) {
            scan->at += length;
            return true;
        }
    }
    return bad(scan, err, "unexpected character");
}

// Depth 0 means that the one value of the text is over.
static void after_value(struct json_scan *scan)
{
    scan->expect = scan->depth == 0 ? EXPECT_END : EXPECT_NEXT;
}

// An opening bracket is a token of its own; what is in it comes with the next calls, so that a
// caller can stop or skip anywhere.
static bool read_value(struct json_scan *scan, struct json_token *token, struct error *err)
{
    char c = scan->bytes[scan->at];
    if (c == '{' || c == '[') {
        token->kind = c == '{' ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
        if (!push(scan, c == '{', err))
            return false;
        scan->at++;
    } else {
        token->kind = c == '"'                               ? JSON_STRING
                      : (c == '-' || (c >= '0' && c <= '9')) ? JSON_NUMBER
                                                             : JSON_LITERAL;
        bool read = token->kind == JSON_STRING   ? read_string(scan, err)
                    : token->kind == JSON_NUMBER ? read_number(scan, err)
                                                 : read_literal(scan, err);
        if (!read)
            return false;
        after_value(scan);
    }
    token->to = scan->at;
    return true;
}

static bool read_close(struct json_scan *scan, struct json_token *token)
{
    token->kind = in_object(scan) ? JSON_OBJECT_END : JSON_ARRAY_END;
    scan->at++;
    token->to = scan->at;
    token->depth = --scan->depth;
    after_value(scan);
    return true;
}

// Takes the colon too: behind a key there is always a value to read or to skip.
static bool read_key(struct json_scan *scan, struct json_token *token, struct error *err)
{
    if (scan->bytes[scan->at] != '"')
        return bad(scan, err, "expected a key");
    token->kind = JSON_KEY;
    if (!read_string(scan, err))
        return false;
    token->to = scan->at;
    skip_space(scan);
    if (scan->at >= scan->length || scan->bytes[scan->at] != ':')
        return bad(scan, err, "expected ':'");
    scan->at++;
    scan->expect = EXPECT_VALUE;
    return true;
}

// A comma obliges: behind it `expect` is never FIRST, so that `[1,]` and `{"a":1,}` are refused
// although an end may follow an opening bracket at once.
bool json_scan_next(struct json_scan *scan, struct json_token *token, struct error *err)
{
    skip_space(scan);
    *token = (struct json_token){.kind = JSON_DONE, .from = scan->at, .depth = scan->depth};
    if (scan->expect == EXPECT_END) {
        token->to = scan->at;
        return scan->at == scan->length || bad(scan, err, "text behind the value");
    }
    if (scan->at >= scan->length)
        return bad(scan, err, "ends too early");
    bool first = scan->expect == EXPECT_FIRST;
    if (scan->expect == EXPECT_NEXT || first) {
        if (scan->bytes[scan->at] == (in_object(scan) ? '}' : ']'))
            return read_close(scan, token);
        if (!first) {
            if (scan->bytes[scan->at] != ',')
                return bad(scan, err, "expected ',' or the end");
            scan->at++;
            skip_space(scan);
            if (scan->at >= scan->length)
                return bad(scan, err, "ends too early");
            token->from = scan->at;
        }
        scan->expect = in_object(scan) ? EXPECT_KEY : EXPECT_VALUE;
    }
    if (scan->expect == EXPECT_KEY)
        return read_key(scan, token, err);
    return read_value(scan, token, err);
}

// What is skipped is checked all the same: no part of a text goes by unread.
bool json_scan_skip(struct json_scan *scan, const struct json_token *begin, size_t *to,
                    struct error *err)
{
    *to = begin->to;
    if (begin->kind != JSON_OBJECT_BEGIN && begin->kind != JSON_ARRAY_BEGIN)
        return true;
    struct json_token token;
    do {
        if (!json_scan_next(scan, &token, err))
            return false;
    } while (token.depth != begin->depth ||
             (token.kind != JSON_OBJECT_END && token.kind != JSON_ARRAY_END));
    *to = token.to;
    return true;
}

bool json_check(const char *bytes, size_t length, unsigned max_depth, struct error *err)
{
    struct json_scan scan;
    struct json_token token;
    json_scan_init(&scan, bytes, length, max_depth);
    do {
        if (!json_scan_next(&scan, &token, err))
            return false;
    } while (token.kind != JSON_DONE);
    return true;
}

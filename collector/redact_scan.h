#pragma once

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

// Steps through a text that may hold secrets: words, quotes, brackets. Texts are [from, end), and
// need not end with NUL.

// True for what names of fields, flags and variables are made of.
static inline bool scan_is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

// True where a word or a URI in running text ends: white space, quotes or angle brackets. Commas
// and the like may be part of a query, so they do not end it.
static inline bool scan_ends_text(char c)
{
    return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>';
}

// Skips blanks and tabs.
const char *scan_blanks(const char *at, const char *end);

// The newline behind `at`, or the end.
const char *scan_line_end(const char *at, const char *end);

// True when there are only digits, or nothing.
bool scan_is_number(const char *from, const char *to);

// True when the text is one of the words, which end with NULL; without regard to case.
bool scan_is_word(const char *from, const char *to, const char *const words[]);

// An opening quote. Inside other quotes (JSON in JSON) it and its closing one have backslashes.
struct quote {
    char mark; // 0 when there is none
    size_t backslashes;
};

// Skips an opening quote, if there is one at `at`.
const char *scan_open_quote(const char *at, const char *end, struct quote *quote);

// The closing quote of a text that begins at `at`, or the end. Quotes with more backslashes than
// the opening one are part of the text.
const char *scan_close_quote(const char *at, const char *end, struct quote quote);

// Behind the bracket that closes the one at `at`, or the end. Brackets inside quotes do not count.
const char *scan_close_bracket(const char *at, const char *end);

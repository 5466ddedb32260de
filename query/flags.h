#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "query/when.h"

// The options of the command line: one table for all commands, of which each command takes a part.

enum flag {
    FLAG_AS_OF = 1 << 0,
    FLAG_RANGE = 1 << 1, // --since, --until
    FLAG_ENVIRONMENT = 1 << 2,
    FLAG_CLUSTER = 1 << 3,
    FLAG_NAMESPACE = 1 << 4,
    FLAG_WORKLOAD = 1 << 5,
    FLAG_OUTPUT = 1 << 6, // -o, --columns, --no-headers
    FLAG_LIMIT = 1 << 7,
    FLAG_CONNECTION = 1 << 8, // --service, --dsn
    FLAG_RAW = 1 << 9,        // --no-raw, --full-diff
    FLAG_HELP = 1 << 10,
    FLAG_COUNTS = 1 << 11,
    FLAGS_SCOPE = FLAG_ENVIRONMENT | FLAG_CLUSTER | FLAG_NAMESPACE | FLAG_WORKLOAD,
    FLAGS_ANSWER = FLAG_OUTPUT | FLAG_LIMIT | FLAG_CONNECTION | FLAG_HELP,
    FLAGS_ALL = (1 << 12) - 1,
};

enum format {
    FORMAT_TABLE,
    FORMAT_WIDE,
    FORMAT_JSON,
    FORMAT_JSONL,
    FORMAT_CSV,
    FORMAT_TSV,
    FORMAT_NAME,
};

// Texts are borrowed from argv and the environment; NULL when not given.
struct flags {
    const char *as_of;
    const char *since;
    const char *until;
    const char *timezone;
    const char *environment;
    const char *cluster;
    const char *namespace;
    const char *workload;
    const char *output;
    const char *columns;
    const char *limit;
    const char *service;
    const char *dsn;
    bool no_headers;
    bool no_raw;
    bool full_diff;
    bool counts;
    bool help;
    // What flags_check makes of them:
    enum format format;
    struct when as_of_when;
    struct when since_when;
    struct when until_when;
    int64_t limit_rows; // 0: all
};

// Reads options that `mask` allows and moves the words to the front of argv (common/options.h).
bool flags_parse(unsigned mask, int argc, char **argv, struct flags *flags, int *words,
                 struct error *err) WARN_UNUSED;

// Reads the values: format, instants, limit; refuses empty ones.
bool flags_check(struct flags *flags, struct error *err) WARN_UNUSED;

// For questions over a range: --as-of is another word for its end.
bool flags_end_range(struct flags *flags, struct error *err) WARN_UNUSED;
// Appends the aligned list of the options that `mask` allows.
void flags_help(unsigned mask, struct buffer *out);

// True when a format is for people: table or wide.
bool format_is_for_people(enum format format);

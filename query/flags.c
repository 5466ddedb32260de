// The option table and the checks of its values.

#include "query/flags.h"

#include <string.h>

#include "common/options.h"
#include "common/text.h"
#include "query/nearest.h"

#define FLAG_COUNT_MAX 24

// Fills `table` with the options of `mask`, bound to `flags`.
static void make_table(unsigned mask, struct flags *flags, struct option_spec table[FLAG_COUNT_MAX])
{
    const struct {
        unsigned flag;
        struct option_spec option;
    } all[] = {
        {FLAG_AS_OF | FLAG_RANGE,
         {"timezone", 0, OPTION_VALUE, "ZONE", "zone of dates without a time (default UTC)",
          &flags->timezone, NULL}},
        {FLAG_AS_OF,
         {"as-of", 0, OPTION_VALUE, "WHEN",
          "answer for that instant: RFC 3339, a date's end, or 3d", &flags->as_of, NULL}},
        {FLAG_RANGE,
         {"since", 0, OPTION_VALUE, "WHEN", "nothing older than this; a date counts from its start",
          &flags->since, NULL}},
        {FLAG_RANGE,
         {"until", 0, OPTION_VALUE, "WHEN", "nothing newer than this; a date counts to its end",
          &flags->until, NULL}},
        {FLAG_ENVIRONMENT,
         {"environment", 0, OPTION_VALUE, "NAME,...", "only these environments",
          &flags->environment, NULL}},
        {FLAG_CLUSTER,
         {"cluster", 0, OPTION_VALUE, "NAME,...", "only these clusters", &flags->cluster, NULL}},
        {FLAG_NAMESPACE,
         {"namespace", 'n', OPTION_VALUE, "NAME,...", "only these namespaces", &flags->namespace,
          NULL}},
        {FLAG_WORKLOAD,
         {"workload", 0, OPTION_VALUE, "NAME", "only this workload: name or Kind/name",
          &flags->workload, NULL}},
        {FLAG_OUTPUT,
         {"output", 'o', OPTION_VALUE, "FORMAT", "table, wide, json, jsonl, csv, tsv or name",
          &flags->output, NULL}},
        {FLAG_OUTPUT,
         {"columns", 0, OPTION_VALUE, "A,B,...", "these columns, in this order", &flags->columns,
          NULL}},
        {FLAG_OUTPUT,
         {"no-headers", 0, OPTION_FLAG, NULL, "leave the line of headings out", NULL,
          &flags->no_headers}},
        {FLAG_LIMIT, {"limit", 0, OPTION_VALUE, "N", "at most N rows", &flags->limit, NULL}},
        {FLAG_RAW,
         {"no-raw", 0, OPTION_FLAG, NULL, "leave the raw object out; needs no auditor's right",
          NULL, &flags->no_raw}},
        {FLAG_RAW,
         {"full-diff", 0, OPTION_FLAG, NULL,
          "compare status, managedFields, generation and resourceVersion too", NULL,
          &flags->full_diff}},
        {FLAG_COUNTS,
         {"counts", 0, OPTION_FLAG, NULL, "how much in each environment, and no single activity",
          NULL, &flags->counts}},
        {FLAG_CONNECTION,
         {"service", 0, OPTION_VALUE, "NAME", "connection service of pg_service.conf",
          &flags->service, NULL}},
        {FLAG_CONNECTION,
         {"dsn", 0, OPTION_VALUE, "CONNINFO", "libpq connection string or URI (default: PG*)",
          &flags->dsn, NULL}},
        {FLAG_HELP, {"help", 'h', OPTION_FLAG, NULL, "print this help", NULL, &flags->help}},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        if (all[i].flag & mask)
            table[count++] = all[i].option;
    }
    table[count] = (struct option_spec){0};
}

bool flags_parse(unsigned mask, int argc, char **argv, struct flags *flags, int *words,
                 struct error *err)
{
    struct option_spec table[FLAG_COUNT_MAX];
    make_table(mask, flags, table);
    return options_parse(table, argc, argv, words, err);
}

void flags_help(unsigned mask, struct buffer *out)
{
    struct flags unused = {0};
    struct option_spec table[FLAG_COUNT_MAX];
    make_table(mask, &unused, table);
    options_help(table, out);
}

bool format_is_for_people(enum format format)
{
    return format == FORMAT_TABLE || format == FORMAT_WIDE;
}

static bool check_format(struct flags *flags, struct error *err)
{
    static const char *const names[] = {"table", "wide", "json", "jsonl", "csv", "tsv", "name"};
    size_t count = sizeof(names) / sizeof(*names);
    if (flags->output == NULL)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], flags->output) == 0) {
            flags->format = (enum format)i;
            return true;
        }
    }
    const char *near = nearest_word(flags->output, names, count);
    if (near != NULL)
        return fail(err, REACT_STOP, "no output format '%.60s'; hint: did you mean '%s'?",
                    flags->output, near);
    return fail(err, REACT_STOP,
                "no output format '%.60s'; hint: table, wide, json, jsonl, csv, tsv or name",
                flags->output);
}

// One row more than the limit is fetched, hence the bound.
static bool check_limit(struct flags *flags, struct error *err)
{
    if (flags->limit == NULL)
        return true;
    if (!text_to_int64(flags->limit, &flags->limit_rows) || flags->limit_rows < 1 ||
        flags->limit_rows > INT32_MAX)
        return fail(err, REACT_STOP, "--limit '%.60s' is no count; hint: a number from 1 on",
                    flags->limit);
    return true;
}

// An empty value is a variable that a script forgot to set. Taken as "no filter" it would answer
// another question than the one that was meant. Values come from variables too, hence UTF-8.
static bool check_values(const struct flags *flags, struct error *err)
{
    const struct {
        const char *name;
        const char *value;
    } values[] = {
        {"as-of", flags->as_of},
        {"since", flags->since},
        {"until", flags->until},
        {"timezone", flags->timezone},
        {"environment", flags->environment},
        {"cluster", flags->cluster},
        {"namespace", flags->namespace},
        {"workload", flags->workload},
        {"columns", flags->columns},
        {"service", flags->service},
        {"output", flags->output},
        {"limit", flags->limit},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        if (values[i].value == NULL)
            continue;
        if (!text_is_utf8(values[i].value, strlen(values[i].value)))
            return fail(err, REACT_STOP,
                        "--%s is no UTF-8 text; hint: check the terminal's encoding",
                        values[i].name);
        if (*values[i].value == '\0')
            return fail(err, REACT_STOP, "--%s is empty; hint: leave it out or give a value",
                        values[i].name);
    }
    return true;
}

bool flags_check(struct flags *flags, struct error *err)
{
    if (flags->service != NULL && flags->dsn != NULL)
        return fail(err, REACT_STOP,
                    "--service and --dsn exclude each other; hint: a connection "
                    "string may say service=NAME itself");
    return check_values(flags, err) && check_format(flags, err) && check_limit(flags, err) &&
           when_parse("as-of", flags->as_of, &flags->as_of_when, err) &&
           when_parse("since", flags->since, &flags->since_when, err) &&
           when_parse("until", flags->until, &flags->until_when, err);
}

bool flags_end_range(struct flags *flags, struct error *err)
{
    if (flags->as_of == NULL)
        return true;
    if (flags->until != NULL)
        return fail(err, REACT_STOP,
                    "--as-of and --until both name the end of the range; hint: leave one out");
    flags->until_when = flags->as_of_when;
    return true;
}

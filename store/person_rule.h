#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/database.h"

// A rule of the central file's people: a regular expression over principals, and the person whose
// name may hold \1 to \9 for its groups.

#define PERSON_RULE_BYTES 1000 // longest pattern, and longest name of a person by rules
#define PERSON_RULES 1000      // most rules of one file

// Says what is wrong with the form of a pattern, or NULL: it must be anchored at both ends, and use
// neither back references nor what begins with "(?". *groups receives how many groups it has.
// What PostgreSQL thinks of it is for person_rule_check.
const char *person_rule_fault(const char *pattern, unsigned *groups);

// Says what is wrong with a person's name under a pattern of that many groups, or NULL.
const char *person_rule_name_fault(const char *name, unsigned groups);

// True when the name has a \ in it: it names nobody by itself.
bool person_rule_is_template(const char *name);

// Rules in the order of a file, each with its line. Zeroed storage ({0}) holds none.
struct person_rules {
    struct person_rule {
        char *pattern;
        size_t line;
    } * items;
    size_t count;
    size_t capacity;
};
void person_rules_add(struct person_rules *rules, const char *pattern, size_t line);
void person_rules_reset(struct person_rules *rules);

// Lets PostgreSQL compile each rule, since it is PostgreSQL that will match them; the first that it
// refuses, or takes too long for, is the error, with its line in `path`.
bool person_rules_check(const struct person_rules *rules, struct database *db, const char *path,
                        struct error *err) WARN_UNUSED;

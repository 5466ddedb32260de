// The central file as facts of the event that applied it.
// central_file.c checks the file for people; here the event is checked again,
// since what the log holds may come from any version of the program. Beliefs are not touched:
// batch.c folds anew when the patterns changed.

#include "store/central.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/json_scan.h"
#include "common/text.h"
#include "common/timestamp.h"
#include "store/person_rule.h"

#define MAX_ITEMS 20000 // environments, scopes or principals in one file

// Sorting finds what is named twice without comparing all with all.
static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

static void names_add(struct names *names, char *owned)
{
    names->items = xgrow(names->items, &names->capacity, names->count + 1, sizeof(char *));
    names->items[names->count++] = owned;
}

// Refuses what occurs twice, and frees the names.
static void names_close(struct names *names, struct field_reader *reader, const char *key)
{
    if (names->count > 1)
        qsort(names->items, names->count, sizeof(char *), compare_texts);
    for (size_t i = 1; i < names->count; i++) {
        // The event was checked when it was made; it may be of another version, or of another hand.
        if (strcmp(names->items[i - 1], names->items[i]) == 0)
            field_refuse(reader, key, "names something twice");
    }
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static void check_size(struct field_reader *reader, const cJSON *array, const char *key)
{
    if (array != NULL && cJSON_GetArraySize(array) > MAX_ITEMS)
        field_refuse(reader, key, "is too long");
}

// A scope in two environments would let the order in the file decide, so `seen` spans all of them.
static void read_scopes(struct field_reader *reader, const cJSON *scopes, struct names *seen)
{
    for (const cJSON *item = scopes ? scopes->child : NULL; item && !reader->bad;
         item = item->next) {
        struct field_reader scope = {.object = item, .err = reader->err};
        const char *cluster = field_text(&scope, "cluster", TEXT_INDEXED);
        const char *namespace = field_optional_text(&scope, "namespace", TEXT_INDEXED);
        reader->bad = scope.bad;
        if (!scope.bad)
            names_add(seen, xasprintf("%s/%s", cluster, namespace ? namespace : ""));
    }
    check_size(reader, scopes, "environments");
}

static void add_environment(struct copy *row, int64_t log_index, const char *name, bool has_order,
                            int64_t order)
{
    copy_row(row, 3);
    copy_int64(row, log_index);
    copy_text(row, name);
    if (has_order)
        copy_int32(row, (int32_t)order);
    else
        copy_null(row);
}

// Mappings are not rows here: map_sql derives them from the content, in the database, where the
// earlier ones are.
static void read_environments(struct field_reader *reader, int64_t log_index, struct copy *rows)
{
    const cJSON *list = field_array(reader, "environments", false);
    struct names names = {0};
    struct names scopes = {0};
    check_size(reader, list, "environments");
    for (const cJSON *item = list ? list->child : NULL; item && !reader->bad; item = item->next) {
        struct field_reader one = {.object = item, .err = reader->err};
        int64_t order = 0;
        const char *name = field_text(&one, "name", TEXT_INDEXED);
        bool has_order = field_optional_int64(&one, "order", &order);
        // The column is an integer.
        if (order < INT32_MIN || order > INT32_MAX)
            field_refuse(&one, "order", "is too large");
        read_scopes(&one, field_array(&one, "scopes", true), &scopes);
        reader->bad = one.bad;
        if (one.bad)
            break;
        names_add(&names, xstrdup(name));
        add_environment(rows, log_index, name, has_order, order);
    }
    names_close(&names, reader, "environments");
    names_close(&scopes, reader, "environments");
}

// What people are known by, over the whole file: nothing may be named twice, and rules have a
// place.
struct people_seen {
    struct names principals;
    struct names rules;
};

// Rows are written as they are read; central_take throws them away when something is wrong further
// on. `key` is "principals" or "rules".
static void read_person_names(struct field_reader *one, const char *key, int64_t log_index,
                              struct copy *rows, struct names *seen)
{
    const char *person = field_text(one, "person", TEXT_INDEXED);
    const char *kind = field_text(one, "kind", TEXT_INDEXED);
    int64_t from = field_optional_time(one, "from");
    const cJSON *list = field_array(one, key, true);
    bool is_rule = strcmp(key, "rules") == 0;
    for (const cJSON *item = list ? list->child : NULL; item && !one->bad; item = item->next) {
        if (!cJSON_IsString(item) || strlen(item->valuestring) > 1024) {
            field_refuse(one, key, "holds no text or one that is too long");
            return;
        }
        // A principal that were two people would make every "who" ambiguous.
        names_add(seen, xstrdup(item->valuestring));
        copy_row(rows, 7);
        copy_int64(rows, log_index);
        copy_text(rows, person);
        copy_text(rows, kind);
        copy_text(rows, item->valuestring);
        copy_bool(rows, is_rule);
        copy_int32(rows, is_rule ? (int32_t)seen->count : 0);
        copy_time(rows, from);
    }
}

static void read_person(struct field_reader *reader, const cJSON *item, int64_t log_index,
                        struct copy *rows, struct people_seen *seen)
{
    struct field_reader one = {.object = item, .err = reader->err};
    read_person_names(&one, "principals", log_index, rows, &seen->principals);
    read_person_names(&one, "rules", log_index, rows, &seen->rules);
    reader->bad = one.bad;
}

static void read_people(struct field_reader *reader, int64_t log_index, struct copy *rows)
{
    const cJSON *list = field_array(reader, "people", false);
    struct people_seen seen = {0};
    check_size(reader, list, "people");
    for (const cJSON *item = list ? list->child : NULL; item && !reader->bad; item = item->next)
        read_person(reader, item, log_index, rows, &seen);
    if (seen.rules.count > PERSON_RULES)
        field_refuse(reader, "people", "holds too many rules");
    names_close(&seen.principals, reader, "people");
    names_close(&seen.rules, reader, "people");
}

// The whole content is kept: a rebuild reads rules and mappings from it, whatever happens to the
// event's body.
static void add_central(struct facts *facts, const struct batch_event *event,
                        const char *applied_by, int64_t from)
{
    SCOPED(xfree_char) char *content = json_print(event->data);
    struct copy *row = &facts->central;
    copy_row(row, 5);
    copy_int64(row, event->log_index);
    copy_text(row, applied_by);
    copy_time(row, event->occurred_at);
    copy_time(row, from);
    copy_text(row, content);
    facts->centrals = xgrow(facts->centrals, &facts->central_capacity, facts->central_count + 1,
                            sizeof(*facts->centrals));
    facts->centrals[facts->central_count++] = event->log_index;
}

// Moves rows behind those that are there.
// Binary rows have no state between them, so bytes behind bytes are rows behind rows.
static void append_rows(struct copy *to, const struct copy *from)
{
    buffer_append(&to->rows, from->rows.data, from->rows.length);
    to->count += from->count;
}

// Rows go to their own buffers first: an event that is refused half way must leave none behind.
bool central_take(struct facts *facts, const struct batch_event *event, struct error *err)
{
    struct field_reader reader = {.object = event->data, .err = err};
    struct copy environments = {0};
    struct copy people = {0};
    const char *applied_by = field_text(&reader, "applied_by", TEXT_ANY);
    int64_t from = field_optional_time(&reader, "from");
    if (event->occurred_at == TIMESTAMP_NONE)
        field_refuse(&reader, "applied_by", "comes without a time of the event");
    field_array(&reader, "artifacts", false); // what is no string in it names nothing
    read_environments(&reader, event->log_index, &environments);
    read_people(&reader, event->log_index, &people);
    if (!reader.bad) {
        append_rows(&facts->environment, &environments);
        append_rows(&facts->person, &people);
        add_central(facts, event, applied_by, from);
    }
    copy_reset(&environments);
    copy_reset(&people);
    return !reader.bad;
}

// The first mapping of a scope reaches back to the beginning, later ones start when they say; a
// scope that the file no longer names is mapped to nothing.
// The last condition is D32: where an older file put a mapping behind this file's instant,
// this file's is written again even when both say the same up to there, so that the newest file
// governs from its instant on.
static const char map_sql[] =
    "WITH applied AS ("
    "  SELECT coalesce(from_at, applied_at) AS at, content FROM modeltrail.central"
    "  WHERE log = 1 AND log_index = $1::bigint),"
    " named AS ("
    "  SELECT s.value->>'cluster' AS cluster, coalesce(s.value->>'namespace', '') AS namespace,"
    "         e.value->>'name' AS environment"
    "  FROM applied, json_array_elements(content->'environments') e,"
    "       json_array_elements(CASE json_typeof(e.value->'scopes') WHEN 'array'"
    "                           THEN e.value->'scopes' ELSE '[]' END) s),"
    " present AS ("
    "  SELECT DISTINCT ON (cluster, namespace) cluster, namespace, environment"
    "  FROM modeltrail.environment_map, applied WHERE log = 1"
    "  ORDER BY cluster, namespace, from_at <= at DESC,"
    "           CASE WHEN from_at <= at THEN log_index END DESC, from_at, log_index DESC)"
    " INSERT INTO modeltrail.environment_map (cluster, namespace, from_at, log_index, environment)"
    " SELECT cluster, namespace,"
    "        CASE WHEN EXISTS (SELECT FROM present p"
    "                          WHERE p.cluster = both_.cluster AND p.namespace = both_.namespace)"
    "             THEN (SELECT at FROM applied) ELSE '-infinity' END,"
    "        $1::bigint, both_.named"
    " FROM (SELECT cluster, namespace, named.environment AS named, present.environment AS present"
    "       FROM named FULL JOIN present USING (cluster, namespace)) both_"
    " WHERE named IS DISTINCT FROM present"
    "    OR EXISTS (SELECT FROM modeltrail.environment_map m WHERE m.log = 1"
    "               AND m.cluster = both_.cluster AND m.namespace = both_.namespace"
    "               AND m.from_at > (SELECT at FROM applied))";

// Derived in the database and not from memory: the mappings before this file are rows there.
bool central_send(struct facts *facts, struct database *db, struct error *err)
{
    if (!copy_send(db, "modeltrail.central (log_index, applied_by, applied_at, from_at, content)",
                   &facts->central, err) ||
        !copy_send(db, "modeltrail.environment (log_index, name, sort_order)", &facts->environment,
                   err) ||
        !copy_send(db,
                   "modeltrail.person (log_index, person, kind, principal, is_rule, rank, from_at)",
                   &facts->person, err))
        return false;
    // Each file builds on the mapping before it; there is hardly ever more than one in a batch.
    for (size_t i = 0; i < facts->central_count; i++) {
        char index[24];
        snprintf(index, sizeof(index), "%" PRId64, facts->centrals[i]);
        if (!database_query(db, map_sql, 1, (const char *const[]){index}, NULL, err))
            return fail_in(err, "environment_map");
        if (!database_query(db, "SELECT modeltrail.map_people(1::smallint, $1::bigint)", 1,
                            (const char *const[]){index}, NULL, err))
            return fail_in(err, "person_map");
    }
    return true;
}

void central_rules_reset(struct central_rules *rules)
{
    naming_rules_reset(&rules->rules);
    *rules = (struct central_rules){0};
}

// One cheap row a batch instead of all files: another store may have applied one meanwhile.
static bool read_newest(struct database *db, int64_t *newest, uint8_t leaf[DIGEST_BYTES],
                        struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    *newest = 0;
    memset(leaf, 0, DIGEST_BYTES);
    if (!database_query(db,
                        "SELECT c.log_index, encode(e.leaf_hash, 'hex') FROM modeltrail.central c"
                        " JOIN modeltrail.event e ON e.log = 1 AND e.log_index = c.log_index"
                        " WHERE c.log = 1 ORDER BY c.log_index DESC LIMIT 1",
                        0, NULL, &result, err))
        return false;
    if (PQntuples(result) == 1 && (!text_to_int64(PQgetvalue(result, 0, 0), newest) ||
                                   !hex_decode(PQgetvalue(result, 0, 1), leaf, DIGEST_BYTES)))
        return fail(err, REACT_STOP, "table central holds no log index or leaf");
    return true;
}

// All of them, in order: the patterns in force have the log index of the event that brought them,
// which may be older than the newest file.
static bool read_all(struct database *db, struct naming_rules *rules, struct error *err)
{
    SCOPED(PQclear) PGresult *result = NULL;
    if (!database_query(db,
                        "SELECT log_index, content FROM modeltrail.central WHERE log = 1"
                        " ORDER BY log_index",
                        0, NULL, &result, err))
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t index = 0;
        const char *text = PQgetvalue(result, i, 1);
        SCOPED(cJSON_Delete) cJSON *content = json_parse(text, strlen(text), JSON_MAX_DEPTH, err);
        if (content == NULL || !text_to_int64(PQgetvalue(result, i, 0), &index)) {
            err->react = REACT_STOP;
            return fail_in(err, "table central");
        }
        // What it returns matters to tests alone: the index that it sets says whether the patterns
        // changed.
        (void)naming_rules_apply(rules, content, index);
    }
    return true;
}

// When reading fails half way, `newest` stays 0, and the next call reads all of it again.
bool central_rules_read(struct central_rules *rules, struct database *db, struct error *err)
{
    int64_t newest;
    uint8_t leaf[DIGEST_BYTES];
    if (!read_newest(db, &newest, leaf, err))
        return false;
    if (newest == rules->newest && memcmp(leaf, rules->newest_leaf, DIGEST_BYTES) == 0)
        return true;
    central_rules_reset(rules);
    if (!read_all(db, &rules->rules, err))
        return false;
    rules->newest = newest;
    memcpy(rules->newest_leaf, leaf, DIGEST_BYTES);
    return true;
}

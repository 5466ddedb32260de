// Takes the lists of a conninfo apart. libpq tries one host after another itself, but its
// asynchronous calls wait for each of them as long as the kernel does, and they look names up
// without any deadline; so we hand it one server at a time.

#include "common/database_hosts.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define MAX_KEYWORDS 16
#define CONNECT_TIMEOUT_LEAST_S 2 // as libpq has it

static size_t count_items(const char *list)
{
    size_t count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

// The item at an index of a comma-separated list; NULL for an empty one.
static char *copy_item(const char *list, size_t index)
{
    for (; index > 0; index--)
        list = strchr(list, ',') + 1;
    size_t length = strcspn(list, ",");
    return length > 0 ? xstrndup(list, length) : NULL;
}

// libpq resolves conninfo, service file and variables, and tells by PQconninfo. With a mode of SSL
// that does not exist it does so without opening any connection.
static PQconninfoOption *resolve_options(const char *const keys[], const char *const values[],
                                         int expand)
{
    const char *all_keys[MAX_KEYWORDS];
    const char *all_values[MAX_KEYWORDS];
    size_t count = 0;
    for (; keys[count] != NULL && count < MAX_KEYWORDS - 2; count++) {
        all_keys[count] = keys[count];
        all_values[count] = values[count];
    }
    all_keys[count] = "sslmode";
    all_values[count++] = "none: only to be asked";
    all_keys[count] = NULL;
    all_values[count] = NULL;
    PGconn *asked = PQconnectStartParams(all_keys, all_values, expand);
    PQconninfoOption *options = PQconninfo(asked);
    PQfinish(asked);
    return options;
}

// NULL when it is not set or empty.
static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
    }
    return NULL;
}

// Lists that do not fit together, or have empty items, are left to libpq: it has a word for each.
static bool lists_fit(const char *host, const char *hostaddr, const char *port, size_t count)
{
    const char *lists[] = {host, hostaddr, port};
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        if (lists[i] == NULL)
            continue;
        size_t items = count_items(lists[i]);
        if (items != count && !(lists[i] == port && items == 1))
            return false;
        for (size_t item = 0; item < items; item++) {
            SCOPED(xfree_char) char *text = copy_item(lists[i], item);
            if (text == NULL)
                return false;
        }
    }
    return true;
}

static void take_lists(struct database_hosts *hosts, const PQconninfoOption *options)
{
    const char *host = option_value(options, "host");
    const char *hostaddr = option_value(options, "hostaddr");
    const char *port = option_value(options, "port");
    const char *leading = hostaddr != NULL ? hostaddr : host;
    hosts->count = leading != NULL ? count_items(leading) : 1;
    bool fit = leading != NULL && lists_fit(host, hostaddr, port, hosts->count);
    if (!fit)
        hosts->count = 1;
    hosts->items = xcalloc(hosts->count, sizeof(*hosts->items));
    for (size_t i = 0; fit && i < hosts->count; i++) {
        struct database_host *item = &hosts->items[i];
        item->host = host != NULL ? copy_item(host, i) : NULL;
        item->hostaddr = hostaddr != NULL ? copy_item(hostaddr, i) : NULL;
        if (port != NULL)
            item->port = copy_item(port, count_items(port) == 1 ? 0 : i);
    }
}

struct database_hosts database_hosts_read(const char *const keys[], const char *const values[],
                                          int expand)
{
    struct database_hosts hosts = {0};
    PQconninfoOption *options = resolve_options(keys, values, expand);
    take_lists(&hosts, options);
    const char *attrs = option_value(options, "target_session_attrs");
    hosts.session_attrs = xstrdup(attrs != NULL ? attrs : "any");
    const char *seconds_text = option_value(options, "connect_timeout");
    int64_t seconds;
    if (seconds_text != NULL && text_to_int64(seconds_text, &seconds) && seconds > 0) {
        if (seconds < CONNECT_TIMEOUT_LEAST_S)
            seconds = CONNECT_TIMEOUT_LEAST_S;
        hosts.connect_timeout_ms = seconds < 3600 ? (int)seconds * 1000 : 3600 * 1000;
    }
    PQconninfoFree(options);
    return hosts;
}

void database_hosts_reset(struct database_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        free(hosts->items[i].host);
        free(hosts->items[i].hostaddr);
        free(hosts->items[i].port);
    }
    free(hosts->items);
    free(hosts->session_attrs);
    *hosts = (struct database_hosts){0};
}

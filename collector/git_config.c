// From YAML to the options of a git source. What a URL or a branch may be is git_repository.c's
// business.

#include "collector/git_config.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

// A map of names to folders of the repository.
static bool read_folders(const struct yaml_node *map, struct git_options *out,
                         struct git_folder **folders, struct error *err)
{
    const struct yaml_node *node = yaml_get(map, "folders");
    if (node == NULL)
        return true;
    if (node->kind != YAML_MAP || node->count == 0)
        return fail(err, REACT_STOP,
                    "'folders' (line %zu) must be a map; hint: folders: {prod: overlays/prod}",
                    node->line);
    *folders = xcalloc(node->count, sizeof(**folders));
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = &node->items[i];
        if (item->kind != YAML_SCALAR)
            return fail(err, REACT_STOP, "folder '%.64s' (line %zu) must be a path", item->key,
                        item->line);
        (*folders)[i] = (struct git_folder){.name = item->key, .path = item->scalar};
    }
    out->folders = *folders;
    out->folder_count = node->count;
    return true;
}

// Days, hours or minutes: 90d, 12h, 30m.
static bool read_since(const struct yaml_node *map, int64_t *seconds, struct error *err)
{
    const char *text = yaml_text(map, "since");
    if (text == NULL)
        return true;
    size_t length = strlen(text);
    SCOPED(xfree_char) char *digits = xstrndup(text, length > 0 ? length - 1 : 0);
    char unit = length > 0 ? text[length - 1] : ' ';
    int64_t unit_s = unit == 'd' ? 86400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : 0;
    if (unit_s == 0 || !text_to_int64(digits, seconds) || *seconds < 1 || *seconds > 1000000)
        return fail(err, REACT_STOP, "'since' is '%.40s'; hint: 90d, 12h or 30m", text);
    *seconds *= unit_s;
    return true;
}

static bool read_poll(const struct yaml_node *map, int64_t *poll_ms, struct error *err)
{
    const char *text = yaml_text(map, "poll_s");
    int64_t seconds = 60;
    if (text != NULL && (!text_to_int64(text, &seconds) || seconds < 1 || seconds > 86400))
        return fail(err, REACT_STOP, "'poll_s' is '%.40s'; hint: a number from 1 to 86400", text);
    *poll_ms = seconds * 1000;
    return true;
}

// A number that somebody raises, not a switch: a switch that stays on would tell all at each start.
static bool read_again(const struct yaml_node *map, int64_t *again, struct error *err)
{
    const char *text = yaml_text(map, "again");
    if (text != NULL && (!text_to_int64(text, again) || *again < 0))
        return fail(err, REACT_STOP, "'again' is '%.40s'; hint: a number that is raised", text);
    return true;
}

bool git_config_read(const struct yaml_node *map, struct git_options *out,
                     struct git_folder **folders, struct error *err)
{
    static const char *const known[] = {
        "url",     "repository",  "branch",   "folders",         "poll_s", "since", "credentials",
        "ssh_key", "known_hosts", "gpg_home", "allowed_signers", "again",  NULL};
    if (!yaml_check_keys(map, "git", known, err) || !read_folders(map, out, folders, err) ||
        !read_since(map, &out->since_s, err) || !read_poll(map, &out->poll_ms, err) ||
        !read_again(map, &out->again, err))
        return false;
    out->url = yaml_text(map, "url");
    out->repository = yaml_text(map, "repository");
    out->branch = yaml_get(map, "branch") != NULL ? yaml_text(map, "branch") : "main";
    out->credentials = yaml_text(map, "credentials");
    out->ssh_key = yaml_text(map, "ssh_key");
    out->known_hosts = yaml_text(map, "known_hosts");
    out->allowed_signers = yaml_text(map, "allowed_signers");
    out->gpg_home = yaml_text(map, "gpg_home");
    if (out->url == NULL || out->branch == NULL || *out->url == '\0')
        return fail(err, REACT_STOP, "git (line %zu) lacks '%s'", map->line,
                    out->branch == NULL ? "branch" : "url");
    return true;
}

// The limit on open files (RLIMIT_NOFILE).

#include "collector/file_limit.h"

#include <stdio.h>
#include <sys/resource.h>

#include "common/log.h"

#define OTHER_FILES 64 // spool, log files, sockets of the store, lists beside the watches

void file_limit_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); // a refusal leaves what there was, and the check tells
}

void file_limit_check(size_t watches)
{
    struct rlimit limit;
    size_t needed = watches + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    char needed_text[24];
    char limit_text[24];
    snprintf(needed_text, sizeof(needed_text), "%zu", needed);
    snprintf(limit_text, sizeof(limit_text), "%llu", (unsigned long long)limit.rlim_cur);
    log_line(LOG_WARN, "watches may need more open files than are allowed", "needed", needed_text,
             "allowed", limit_text, "hint",
             "raise the hard limit (ulimit -Hn, LimitNOFILE=), or watch the whole cluster", NULL);
}

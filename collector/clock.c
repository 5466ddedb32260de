// The one clock of the process, as the wall clock is. What a step means for what was observed is
// the sources' business.

#include "collector/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "common/timestamp.h"

#define BOOT_ID_BYTES 37
// Reading two clocks takes time, and what is less is no harm.
#define STEP_LEAST_US 200000

static bool agreed;
static int64_t ahead_us; // the wall clock less the clock since boot

// Goes on while the machine sleeps, as the wall clock does.
static int64_t since_boot(void)
{
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (int64_t)up.tv_sec * 1000000 + up.tv_nsec / 1000;
}

// "" where the kernel does not tell: then nothing is ever gone on with.
static void read_boot_id(char id[BOOT_ID_BYTES])
{
    id[0] = '\0';
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL)
        return;
    if (fgets(id, BOOT_ID_BYTES, file) == NULL)
        id[0] = '\0';
    fclose(file);
}

int64_t clock_now(void)
{
    return agreed ? since_boot() + ahead_us : timestamp_now();
}

int64_t clock_agree(void)
{
    int64_t by_us = timestamp_now() - since_boot() - ahead_us;
    bool runs_on = agreed && by_us > -STEP_LEAST_US && by_us < STEP_LEAST_US;
    if (runs_on)
        return 0;
    ahead_us += by_us;
    by_us = agreed ? by_us : 0;
    agreed = true;
    return by_us;
}

char *clock_print(void)
{
    char id[BOOT_ID_BYTES];
    read_boot_id(id);
    return xasprintf("%s %" PRId64, id, ahead_us);
}

bool clock_resume(const char *text)
{
    char id[BOOT_ID_BYTES];
    int64_t ahead;
    read_boot_id(id);
    size_t length = strlen(id);
    agreed = length > 0 && strncmp(text, id, length) == 0 &&
             sscanf(text + length, " %" SCNd64, &ahead) == 1;
    if (agreed)
        ahead_us = ahead;
    return agreed;
}

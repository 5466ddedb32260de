// Ages as people read them.

#include "query/age.h"

// Two units of resolution are kept (179m, not 2h): "how long ago" wants no rounding surprises.
void age_append(struct buffer *out, int64_t at, int64_t now)
{
    int64_t seconds = now > at ? (now - at) / 1000000 : 0;
    if (seconds < 120)
        buffer_printf(out, "%llds", (long long)seconds);
    else if (seconds < 3 * 3600)
        buffer_printf(out, "%lldm", (long long)(seconds / 60));
    else if (seconds < 48 * 3600)
        buffer_printf(out, "%lldh", (long long)(seconds / 3600));
    else
        buffer_printf(out, "%lldd", (long long)(seconds / 86400));
}

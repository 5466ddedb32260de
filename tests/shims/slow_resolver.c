// A resolver that does not answer: every look-up of a name that ends with .slow takes a minute, and
// standby.test is 127.0.0.1.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name != NULL ? strlen(name) : 0;
    // A numeric look-up asks nobody.
    if (hints == NULL || !(hints->ai_flags & AI_NUMERICHOST)) {
        if (length > 5 && strcmp(name + length - 5, ".slow") == 0)
            sleep(60);
        if (length > 0 && strcmp(name, "standby.test") == 0)
            name = "127.0.0.1";
    }
    return real(name, service, hints, found);
}

// Feeds the files of folders to a fuzz target, so that any compiler's build replays a corpus:
//   fuzz_NAME FOLDER...

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

// In memory of just its size, so that a sanitizer sees reading beyond it.
static void replay_file(const char *path, size_t size)
{
    uint8_t *bytes = malloc(size);
    FILE *file = fopen(path, "rb");
    if (file == NULL || (size > 0 && (bytes == NULL || fread(bytes, 1, size, file) != size))) {
        perror(path);
        exit(2);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
}

static size_t replay_folder(const char *folder)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        perror(folder);
        exit(2);
    }
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[4096];
        struct stat about;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (stat(path, &about) != 0 || !S_ISREG(about.st_mode))
            continue;
        replay_file(path, (size_t)about.st_size);
        count++;
    }
    closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    printf("%zu inputs replayed\n", count);
    return count > 0 ? 0 : 2; // a test of nothing is no test
}

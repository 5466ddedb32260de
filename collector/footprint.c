// Which pages may go: those of segments that are never written. Segments that may be written hold
// relocated addresses even where they are read-only by now, and are left alone.

#define _GNU_SOURCE // dl_iterate_phdr

#include "collector/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_MS 10000
#define INTERVAL_MS 300000

// A library whose code was relocated in place would lose that.
static bool has_text_relocations(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_DYNAMIC)
            continue;
        // An address that the loader itself hands out as a number.
        const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return true;
        }
    }
    return false;
}

static void release_segment(const struct dl_phdr_info *object, const ElfW(Phdr) * header)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (object->dlpi_addr + header->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + header->p_vaddr + header->p_filesz) & ~(page - 1);
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED); // no more than advice: may fail
}

static int release_object(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (has_text_relocations(object))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) == 0)
            release_segment(object, header);
    }
    return 0;
}

void footprint_step(struct footprint *footprint, int64_t now_ms)
{
    if (footprint->next_ms == 0)
        footprint->next_ms = now_ms + FIRST_MS;
    if (now_ms < footprint->next_ms)
        return;
    footprint->next_ms = now_ms + INTERVAL_MS;
    malloc_trim(0);
    dl_iterate_phdr(release_object, NULL);
}

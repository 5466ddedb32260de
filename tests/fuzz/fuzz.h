#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// What every fuzz target has: its one function, and a check that no build leaves out.
// A target is tests/fuzz/NAME.c; libFuzzer calls its function with inputs that it makes up
// (preset `fuzz`), replay.c with those of tests/fuzz/corpus/NAME.

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

// Ends the program when something does not hold that must hold for every input.
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

// A number that depends on every byte (FNV-1a), for choices that an input makes besides its text.
static inline uint32_t fuzz_number(const uint8_t *bytes, size_t length)
{
    uint32_t number = 2166136261u;
    for (size_t i = 0; i < length; i++)
        number = (number ^ bytes[i]) * 16777619u;
    return number ^ number >> 16;
}

#ifndef LASER_TESTS_FUZZ_DECK_H
#define LASER_TESTS_FUZZ_DECK_H

#include <stddef.h>
#include <stdint.h>

/* The name that libFuzzer looks for; aborts on a broken promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

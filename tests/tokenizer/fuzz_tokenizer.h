#ifndef LASER_TESTS_FUZZ_TOKENIZER_H
#define LASER_TESTS_FUZZ_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

/* Takes the bytes for a tokenizer.json and, if it loads, encodes and decodes a few texts with it.  Returns 0;
 * fails only by crashing or by what the sanitizers find. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

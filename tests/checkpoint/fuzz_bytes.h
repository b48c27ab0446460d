/* What the fuzzers of binary formats share: seeds from files, mutations with a fixed seed. */
#ifndef LASER_TESTS_FUZZ_BYTES_H
#define LASER_TESTS_FUZZ_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef LASER_LIBFUZZER
enum { FUZZ_MAX_BYTES = 1 << 16 };

static uint64_t fuzz_state = 20240607;

static inline uint32_t fuzz_below(uint32_t n)
{
    fuzz_state = fuzz_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fuzz_state >> 33) % n;
}

static inline size_t fuzz_load(const char *path, uint8_t *bytes)
{
    FILE *f = fopen(path, "rb");
    const size_t n = f != NULL ? fread(bytes, 1, FUZZ_MAX_BYTES, f) : 0;

    if (n == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    return n;
}

/* Some bytes are changed, moved or cut. */
static inline size_t fuzz_mutate(uint8_t *bytes, size_t n, size_t most)
{
    static const uint8_t loved[] = {0, 1, 0x7f, 0x80, 0xff, 0x28, 0x2e};

    for (uint32_t k = fuzz_below(6) + 1; k > 0 && n > 1; k--) {
        const uint32_t at = fuzz_below((uint32_t)(n < most ? n : most));

        switch (fuzz_below(5)) {
        case 0:
            bytes[at] = (uint8_t)fuzz_below(256);
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << fuzz_below(8));
            break;
        case 2:
            bytes[at] = loved[fuzz_below(sizeof loved)];
            break;
        case 3: {
            const size_t from = fuzz_below((uint32_t)n), length = fuzz_below(16);

            if (from + length < n && at + length < n)
                memmove(bytes + at, bytes + from, length);
            break;
        }
        default:
            if (fuzz_below(4) == 0)
                n -= fuzz_below((uint32_t)n);
        }
    }
    return n;
}

/* Runs the target on mutations of the seeds, mostly of their first `most` bytes. */
static inline int fuzz_run(const char *const *seeds, int n_seeds, int runs, size_t most)
{
    static uint8_t seed[FUZZ_MAX_BYTES], bytes[FUZZ_MAX_BYTES];

    for (int s = 0; s < n_seeds; s++) {
        const size_t length = fuzz_load(seeds[s], seed);

        LLVMFuzzerTestOneInput(seed, length);
        for (int i = 0; i < runs; i++) {
            /* Memory of its own size, so that a sanitizer sees a read behind the end. */
            uint8_t *own;
            size_t n;

            memcpy(bytes, seed, length);
            n = fuzz_mutate(bytes, length, most);
            own = malloc(n + 1);
            if (own == NULL)
                return 1;
            memcpy(own, bytes, n);
            LLVMFuzzerTestOneInput(own, n);
            free(own);
        }
    }
    return 0;
}
#endif

#endif

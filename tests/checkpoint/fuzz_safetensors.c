/* The safetensors parser under damaged input.
 *
 * As a program (make check) it mutates a few headers with a fixed seed.  By hand, for as long as wanted:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DLASER_LIBFUZZER -D_GNU_SOURCE -Isrc -I. \
 *       tests/checkpoint/fuzz_safetensors.c src/base/[a-z]*.c src/checkpoint/dtype.c src/checkpoint/io.c \
 *       src/checkpoint/json.c src/checkpoint/safetensors.c -ljansson -lutf8proc -lxxhash -lm -o fuzz && ./fuzz
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the parser promises of a file that it accepts: every tensor lies in the file, they follow each other,
 * and their sizes are those of their shapes. */
static int is_sound(const struct laser_safetensors_header *h, int64_t size)
{
    int64_t end = h->data_start;

    for (int64_t i = 0; i < h->n_tensors; i++) {
        const struct laser_tensor *t = &h->tensors[i];
        int64_t bytes = (int64_t)laser_dtype_size(t->dtype);

        for (int d = 0; d < t->n_dims; d++)
            bytes *= t->shape[d];
        if (t->name == NULL || t->name[0] == '\0' || t->offset != end || t->size_bytes != bytes)
            return 0;
        end += bytes;
    }
    return end == size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};
    const int code = laser_safetensors_parse("fuzz", data, (int64_t)size, (int64_t)size, &h, &err);

    if (code == LASER_OK) {
        if (!is_sound(&h, (int64_t)size))
            abort();
        laser_safetensors_header_free(&h);
    } else if (code != LASER_EINPUT || err.text[0] == '\0') {
        abort();
    }
    return 0;
}

#ifndef LASER_LIBFUZZER
enum { RUNS = 60000, MAX_BYTES = 1024 };

static uint64_t random_state = 20240607;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

static size_t make_seed(uint32_t which, uint8_t *bytes)
{
    static const char *const headers[] = {
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"BF16\","
        "\"shape\":[4],"
        "\"data_offsets\":[24,32]},\"__metadata__\":{\"format\":\"pt\"}}   ",
        "{\"x.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[1,8,2],\"data_offsets\":[0,16]},\"s\":{\"dtype\":"
        "\"F64\","
        "\"shape\":[],\"data_offsets\":[16,24]},\"e\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[24,"
        "24]}}",
        "{}",
    };
    static const size_t data[] = {32, 24, 0};
    const size_t length = strlen(headers[which]);

    memset(bytes, 0, MAX_BYTES);
    bytes[0] = (uint8_t)(length & 0xff);
    bytes[1] = (uint8_t)(length >> 8);
    memcpy(bytes + 8, headers[which], length);
    return 8 + length + data[which];
}

/* One small damage: a bit, a byte, a number's digit, a run removed or doubled, a cut. */
static size_t mutate(uint8_t *bytes, size_t n)
{
    static const char alphabet[] = "{}[]\",:0123456789-.eE \\untflsaN";
    const uint32_t at = random_below((uint32_t)n);
    const size_t run = 1 + random_below(12);

    switch (random_below(7)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << random_below(8));
        return n;
    case 1:
        bytes[at] = (uint8_t)random_below(256);
        return n;
    case 2:
    case 3:
        bytes[at] = (uint8_t)alphabet[random_below(sizeof alphabet - 1)];
        return n;
    case 4:
        if (at + run >= n)
            return n;
        memmove(bytes + at, bytes + at + run, n - at - run);
        return n - run;
    case 5:
        if (at + run >= n || n + run > MAX_BYTES)
            return n;
        memmove(bytes + at + run, bytes + at, n - at);
        return n + run;
    default:
        return random_below(8) == 0 && at > 0 ? at : n;
    }
}

/* Keeps most damaged headers readable: the length follows the text, so that deeper checks are reached. */
static void repair_length(uint8_t *bytes, size_t n, size_t n_data)
{
    const size_t length = n >= 8 + n_data ? n - 8 - n_data : 0;

    for (size_t i = 0; i < 8 && i < n; i++)
        bytes[i] = (uint8_t)(length >> (8 * i) & 0xff);
}

int main(void)
{
    static const size_t data[] = {32, 24, 0};
    long n_accepted = 0;

    for (int run = 0; run < RUNS; run++) {
        uint8_t bytes[MAX_BYTES];
        const uint32_t which = random_below(3);
        size_t n = make_seed(which, bytes);
        const uint32_t n_mutations = random_below(5);
        struct laser_safetensors_header h;
        uint8_t *exact;

        for (uint32_t i = 0; i < n_mutations; i++)
            n = mutate(bytes, n);
        if (random_below(3) > 0)
            repair_length(bytes, n, data[which]);
        exact = malloc(n); /* of its own, so that a read beyond it is seen by a checker */
        if (exact == NULL)
            return 1;
        memcpy(exact, bytes, n);
        LLVMFuzzerTestOneInput(exact, n);
        if (laser_safetensors_parse("fuzz", exact, (int64_t)n, (int64_t)n, &h, NULL) == LASER_OK) {
            n_accepted++;
            laser_safetensors_header_free(&h);
        }
        free(exact);
    }
    printf("%d inputs, %ld accepted\n", RUNS, n_accepted);
    /* Both must occur, or the mutations test nothing. */
    return n_accepted > RUNS / 100 && n_accepted < RUNS / 2 ? 0 : 1;
}
#endif

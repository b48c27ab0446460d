/* The pickle machine and the directory of archives under damaged input.
 *
 * As a program (make check) it mutates golden files with a fixed seed.  By hand, for as long as wanted:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DLASER_LIBFUZZER -D_GNU_SOURCE -Isrc -I. \
 *       tests/checkpoint/fuzz_pickle.c src/base/[a-z]*.c \
 *       src/checkpoint/{dtype,dtype_convert,io,pickle,pickle_objects,pickle_values,zip}.c -ljansson -lutf8proc -lxxhash -lm -o fuzz && \
 *       ./fuzz CORPUS tests/golden/torch/plain
 */
#include "config.h" /* _GNU_SOURCE */

#include "fuzz_bytes.h"

#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"

/* What the machine promises: names, and every element in its storage. */
static int is_sound(const struct laser_pickle *p)
{
    for (int64_t i = 0; i < p->n_tensors; i++) {
        const struct laser_pickle_tensor *t = &p->tensors[i];
        int64_t last = t->offset, n = 1;

        if (t->name == NULL || t->name[0] == '\0' || t->storage == NULL || t->n_dims > LASER_MAX_DIMS ||
            t->offset < 0)
            return 0;
        for (int d = 0; d < t->n_dims; d++) {
            n *= t->shape[d];
            last += (t->shape[d] - 1) * t->stride[d];
        }
        if (n > 0 && (last < 0 || last >= t->storage_elements))
            return 0;
    }
    return p->n_tensors > 0;
}

static void try_pickle(const uint8_t *data, size_t size)
{
    struct laser_pickle p;
    struct laser_error err = {0};
    const int code = laser_pickle_parse("fuzz", data, (int64_t)size, &p, &err);

    if (code == LASER_OK) {
        if (!is_sound(&p))
            abort();
        laser_pickle_free(&p);
    } else if (code != LASER_EINPUT || err.text[0] == '\0') {
        abort();
    }
}

static void try_directory(const uint8_t *data, size_t size)
{
    struct laser_error err = {0};
    struct laser_zip zip = {0};
    int64_t wants = -1, at = 0, length = 0;
    int code = laser_zip_find("fuzz", data, (int64_t)size, (int64_t)size, NULL, &wants, &at, &length, &err);

    if (code == LASER_OK && wants >= 0)
        code = laser_zip_find("fuzz", data, (int64_t)size, (int64_t)size, data + wants, &wants, &at, &length,
                              &err);
    if (code == LASER_OK)
        code = laser_zip_parse("fuzz", data + at, length, (int64_t)size, &zip, &err);
    for (int64_t i = 0; code == LASER_OK && i < zip.n_entries; i++)
        if (zip.entries[i].header < 0 || zip.entries[i].size_bytes < 0 ||
            zip.entries[i].header + zip.entries[i].size_bytes > (int64_t)size)
            abort();
    if (code != LASER_OK && (code != LASER_EINPUT || err.text[0] == '\0'))
        abort();
    laser_zip_free(&zip);
}

/* The pickle in a file of torch.save begins behind the first header: it is found by its first opcodes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *pickle = memmem(data, size, "\x80\x02", 2);

    pickle = pickle != NULL ? pickle : memmem(data, size, "\x80\x04", 2);
    try_directory(data, size);
    if (pickle != NULL)
        try_pickle(pickle, (size_t)(data + size - pickle));
    return 0;
}

#ifndef LASER_LIBFUZZER
int main(void)
{
    static const char *const seeds[] = {SRCDIR "/tests/golden/torch/plain/pytorch_model.bin",
                                        SRCDIR "/tests/golden/torch/protocol4/pytorch_model.bin",
                                        SRCDIR "/tests/golden/torch/refused/runs.bin"};

    return fuzz_run(seeds, 3, 10000, 2400) || fuzz_run(seeds, 3, 5000, FUZZ_MAX_BYTES);
}
#endif

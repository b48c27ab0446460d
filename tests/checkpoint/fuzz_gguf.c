/* The GGUF parser under damaged input.
 *
 * As a program (make check) it mutates golden files with a fixed seed.  By hand, for as long as wanted:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DLASER_LIBFUZZER -D_GNU_SOURCE -Isrc -I. \
 *       tests/checkpoint/fuzz_gguf.c src/base/[a-z]*.c \
 *       src/checkpoint/{dtype,dtype_convert,ggml,gguf,io}.c -ljansson -lutf8proc -lxxhash -lm -o fuzz && \
 *       ./fuzz CORPUS tests/golden/gguf
 */
#include "fuzz_bytes.h"

#include "checkpoint/gguf.h"

/* What the parser promises of a file that it accepts: every tensor lies in the file, at the size of its
 * shape. */
static int is_sound(const struct laser_gguf *g, int64_t size)
{
    for (int64_t i = 0; i < g->n_tensors; i++) {
        const struct laser_gguf_tensor *t = &g->tensors[i];
        int64_t n = 1;

        for (int d = 0; d < t->n_dims; d++)
            n *= t->shape[d];
        if (t->name == NULL || laser_ggml_name(t->type) == NULL || t->offset < g->data_start ||
            t->offset > size || t->size_bytes > size - t->offset ||
            n / laser_ggml_block(t->type) * laser_ggml_block_bytes(t->type) != t->size_bytes)
            return 0;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laser_gguf g;
    struct laser_error err = {0};
    bool more = false;
    const int code =
        laser_gguf_parse("fuzz", data, (int64_t)size, (int64_t)size, size % 2 == 1, &g, &more, &err);

    if (code == LASER_OK) {
        if (!is_sound(&g, (int64_t)size))
            abort();
        laser_gguf_free(&g);
    } else if (code != LASER_EINPUT || more || err.text[0] == '\0') {
        abort();
    }
    return 0;
}

#ifndef LASER_LIBFUZZER
int main(void)
{
    static const char *const seeds[] = {SRCDIR "/tests/golden/gguf/llama.gguf",
                                        SRCDIR "/tests/golden/gguf/types.gguf"};

    return fuzz_run(seeds, 2, 20000, 2048);
}
#endif

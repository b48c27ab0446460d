/* A fuzz target for malformed tokenizer.json files.  By hand with libFuzzer, from the build folder, SRC the
 * sources:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -I SRC/src -I SRC/tests SRC/tests/tokenizer/fuzz_tokenizer.c \
 *       SRC/src/tokenizer/[a-z]*.c SRC/src/base/[a-z]*.c -ljansson -lpcre2-8 -lutf8proc -lxxhash -lm \
 *       -o fuzz_tokenizer
 *   ./fuzz_tokenizer CORPUS SRC/tests/golden/tokenizer */
#include "fuzz_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = {
        "", "Hello, world!  \n\n\t12 don't", "\u00e9 e\u0301 \u4e2d\u6587 \U0001f600 <s>a</s><mask> x",
        "\u2581a \u0130\ufb01 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"};
    struct laser_tokenizer *t;
    struct laser_error err;
    if (laser_tokenizer_load_buffer((const char *)data, size, "fuzz", &t, &err) != LASER_OK)
        return 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int32_t *ids;
        int64_t n;
        char *text;
        if (laser_tokenizer_encode(t, texts[i], strlen(texts[i]), true, &ids, &n, &err) != LASER_OK)
            continue;
        if (laser_tokenizer_decode(t, ids, n, true, &text, NULL, &err) == LASER_OK)
            free(text);
        free(ids);
    }
    laser_tokenizer_free(t);
    return 0;
}

/* A trained model on real text: stories260K and 100,000 bytes of TinyStories, by laserRMT's convention,
 * against the perplexity that laserRMT's own code prints on a CPU.  Needs the shared data ($LASER_SHARED, or
 * ../shared). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "testing.h"
#include "tokenizer/tokenizer.h"

enum { WINDOW = 128, TEXT_BYTES = 100000 };

static void shared_path(char *path, size_t size, const char *name)
{
    const char *dir = getenv("LASER_SHARED");

    if (dir)
        snprintf(path, size, "%s/%s", dir, name);
    else
        snprintf(path, size, "%s/../shared/%s", SRCDIR, name);
}

/* The windows of the text as sequences of a golden case without golden losses. */
static void windows_open(struct golden *g)
{
    char path[1024], *text = malloc(TEXT_BYTES);
    struct laser_error err = {0};
    struct laser_tokenizer *tokenizer = NULL;
    int32_t *ids = NULL;
    int64_t n = 0;
    FILE *file;

    memset(g, 0, sizeof *g);
    shared_path(path, sizeof path, "data/text/tinystories_1000.txt");
    file = fopen(path, "rb");
    if (!file || !text) {
        free(text);
        print_message("%s is not there\n", path);
        skip();
        return; /* skip does not return, which the compiler cannot know */
    }
    assert_int_equal(fread(text, 1, TEXT_BYTES, file), TEXT_BYTES);
    fclose(file);
    shared_path(path, sizeof path, "data/models/stories260K");
    assert_int_equal(laser_checkpoint_open(path, &g->checkpoint, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_load(path, &tokenizer, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_encode(tokenizer, text, TEXT_BYTES, true, &ids, &n, &err), LASER_OK);
    laser_tokenizer_free(tokenizer);
    free(text);
    g->length = WINDOW;
    g->sequences = n / WINDOW;
    g->tokens = ids;
    g->targets = malloc((size_t)n * sizeof *g->targets);
    assert_non_null(g->targets);
    for (int64_t i = 0; i < n; i++)
        g->targets[i] = (i + 1) % WINDOW ? ids[i + 1 < n ? i + 1 : i] : -1;
}

/* exp of the mean over the windows of their mean loss, 16 windows at a time. */
static double perplexity(const struct golden *g, int shards, enum laser_precision precision)
{
    double sum = 0;

    for (int64_t first = 0; first < g->sequences; first += 16) {
        struct golden part = *g;
        struct laser_error err = {0};
        double nll[16 * WINDOW] = {0};

        part.sequences = g->sequences - first < 16 ? g->sequences - first : 16;
        part.tokens += first * WINDOW;
        part.targets += first * WINDOW;
        assert_int_equal(nll_by_shards(&part, precision, shards, nll, &err), LASER_OK);
        for (int64_t i = 0; i < part.sequences * WINDOW; i++)
            sum += nll[i];
    }
    return exp(sum / (double)(g->sequences * (WINDOW - 1)));
}

static void the_perplexity_is_that_of_laserrmt(void **state)
{
    struct golden g;

    (void)state;
    windows_open(&g);
    assert_true(fabs(perplexity(&g, 1, LASER_FLOAT32) / 6.391550 - 1) < 1e-6);
    golden_close(&g);
}

static void three_shards_have_the_perplexity_of_one(void **state)
{
    struct golden g;

    (void)state;
    windows_open(&g);
    g.sequences = 32;
    assert_true(fabs(perplexity(&g, 3, LASER_FLOAT32) / perplexity(&g, 1, LASER_FLOAT32) - 1) < 1e-6);
    golden_close(&g);
}

static void bfloat16_has_nearly_the_perplexity_of_float32(void **state)
{
    struct golden g;

    (void)state;
    windows_open(&g);
    g.sequences = 64;
    assert_true(fabs(log(perplexity(&g, 1, LASER_BFLOAT16)) / log(perplexity(&g, 1, LASER_FLOAT32)) - 1) <
                1e-3);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_perplexity_is_that_of_laserrmt),
        cmocka_unit_test(three_shards_have_the_perplexity_of_one),
        cmocka_unit_test(bfloat16_has_nearly_the_perplexity_of_float32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The forward pass against transformers, and its shards against one process.  Golden values: make_models.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "testing.h"

static const char *const cases[] = {"llama",
                                    "llama-llama3",
                                    "llama-linear",
                                    "llama-dynamic",
                                    "llama-yarn",
                                    "llama-yarn-mscale",
                                    "mistral",
                                    "qwen2",
                                    "qwen3",
                                    "mixtral",
                                    "qwen2_moe",
                                    "qwen3_moe",
                                    "phi",
                                    "phi-qk",
                                    "phi3",
                                    "phi3-short",
                                    "phi3-long",
                                    "gemma",
                                    "gemma2",
                                    "gpt2",
                                    "gpt2-options",
                                    "gptj",
                                    "gpt_neox",
                                    "gpt_neox-serial",
                                    "roberta",
                                    "xlm-roberta",
                                    "mixtral-stacked",
                                    "qwen2_moe-stacked",
                                    "qwen3_moe-stacked"};
enum { CASES = sizeof cases / sizeof cases[0] };

static double *nll_of(const struct golden *g, enum laser_precision precision, int shards)
{
    double *nll = calloc((size_t)(g->sequences * g->length), sizeof *nll);
    struct laser_error err = {0};

    assert_non_null(nll);
    if (nll_by_shards(g, precision, shards, nll, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return nll;
}

/* The largest relative difference of [B, T] losses from golden [B, T - 1] ones. */
static double worst_error(const struct golden *g, const double *nll)
{
    double worst = 0;

    for (int64_t i = 0; i < g->sequences; i++)
        for (int64_t j = 0; j + 1 < g->length; j++) {
            double expected = g->nll[i * (g->length - 1) + j];
            worst = fmax(worst, fabs(nll[i * g->length + j] - expected) / expected);
        }
    return worst;
}

static void the_loss_is_that_of_transformers(void **state)
{
    struct golden g;
    double *nll, error;

    golden_open(&g, *state);
    nll = nll_of(&g, LASER_FLOAT32, 1);
    error = worst_error(&g, nll);
    if (!(error < 1e-5))
        fail_msg("%s: relative error %.2e", (const char *)*state, error);
    free(nll);
    golden_close(&g);
}

/* Mean loss of window i. */
static double window_loss(const struct golden *g, const double *nll, int64_t i)
{
    double sum = 0;

    for (int64_t j = 0; j + 1 < g->length; j++)
        sum += nll[i * g->length + j];
    return sum / (double)(g->length - 1);
}

static void shards_give_the_loss_of_one_process(void **state)
{
    static const int counts[] = {2, 3, 4, 6, 13};
    struct golden g;
    double *whole;

    golden_open(&g, *state);
    whole = nll_of(&g, LASER_FLOAT32, 1);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        double *nll = nll_of(&g, LASER_FLOAT32, counts[k]), token = 0, window = 0;

        for (int64_t i = 0; i < g.sequences * g.length; i++)
            if (g.targets[i] >= 0)
                token = fmax(token, fabs(nll[i] - whole[i]) / whole[i]);
        for (int64_t i = 0; i < g.sequences; i++)
            window = fmax(window, fabs(window_loss(&g, nll, i) / window_loss(&g, whole, i) - 1));
        if (!(window < 1e-6 && token < 1e-5))
            fail_msg("%s in %d shards: relative difference %.2e, of one token %.2e", (const char *)*state,
                     counts[k], window, token);
        free(nll);
    }
    free(whole);
    golden_close(&g);
}

int main(void)
{
    struct CMUnitTest tests[2 * CASES];
    static char names[2 * CASES][96];
    int n = 0;

    for (int i = 0; i < CASES; i++) {
        snprintf(names[n], sizeof names[n], "the_loss_is_that_of_transformers: %s", cases[i]);
        tests[n] =
            (struct CMUnitTest){names[n], the_loss_is_that_of_transformers, NULL, NULL, (void *)cases[i]};
        n++;
        snprintf(names[n], sizeof names[n], "shards_give_the_loss_of_one_process: %s", cases[i]);
        tests[n] =
            (struct CMUnitTest){names[n], shards_give_the_loss_of_one_process, NULL, NULL, (void *)cases[i]};
        n++;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

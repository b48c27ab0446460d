/* The backward pass against torch's autograd, and its shards against one process.  Golden values:
 * make_gradients.py. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gradient_testing.h"
#include "testing.h"

static const char *const cases[] = {"afmoe",
                                    "apertus",
                                    "arcee",
                                    "aria_text",
                                    "axk1",
                                    "bamba",
                                    "bert",
                                    "biogpt",
                                    "bloom",
                                    "camembert",
                                    "codegen",
                                    "cohere",
                                    "cohere2",
                                    "cwm",
                                    "data2vec-text",
                                    "deepseek_v2",
                                    "deepseek_v2-lite",
                                    "deepseek_v3",
                                    "deepseek_v32",
                                    "distilbert",
                                    "dots1",
                                    "electra",
                                    "electra-same",
                                    "ernie",
                                    "ernie4_5",
                                    "ernie4_5_moe",
                                    "exaone",
                                    "exaone4",
                                    "exaone_moe",
                                    "falcon-11b",
                                    "falcon-40b",
                                    "falcon-7b",
                                    "falcon-serial",
                                    "falcon_h1",
                                    "falcon_h1-norm",
                                    "falcon_mamba",
                                    "flex_olmo",
                                    "flint",
                                    "gemma",
                                    "gemma2",
                                    "gemma3_text",
                                    "gemma4_text",
                                    "glm",
                                    "glm4",
                                    "glm4_moe",
                                    "glm4_moe_lite",
                                    "glm_moe_dsa",
                                    "gpt-sw3",
                                    "gpt2",
                                    "gpt2-options",
                                    "gpt_bigcode",
                                    "gpt_bigcode-heads",
                                    "gpt_neo",
                                    "gpt_neox",
                                    "gpt_neox-serial",
                                    "gpt_neox_japanese",
                                    "gpt_oss",
                                    "gptj",
                                    "granite",
                                    "granite_swa",
                                    "granitemoe",
                                    "granitemoe_swa",
                                    "granitemoehybrid",
                                    "granitemoehybrid-dense",
                                    "granitemoeshared",
                                    "helium",
                                    "hunyuan_v1_dense",
                                    "hunyuan_v1_moe",
                                    "hy_v3",
                                    "hyperclovax",
                                    "internlm3",
                                    "iquestcoder",
                                    "jais2",
                                    "jamba",
                                    "kolibri1",
                                    "lfm2",
                                    "lfm2_moe",
                                    "llama",
                                    "llama-dynamic",
                                    "llama-linear",
                                    "llama-llama3",
                                    "llama-yarn",
                                    "llama-yarn-mscale",
                                    "llama4_text",
                                    "mamba",
                                    "mamba2",
                                    "mamba2-biased",
                                    "megatron-bert",
                                    "mellum",
                                    "minicpm3",
                                    "minimax",
                                    "minimax-rounded",
                                    "minimax_m2",
                                    "ministral",
                                    "ministral3",
                                    "mistral",
                                    "mixtral",
                                    "mixtral-stacked",
                                    "modernbert",
                                    "modernbert-decoder",
                                    "mpt",
                                    "nanochat",
                                    "nemotron",
                                    "olmo",
                                    "olmo2",
                                    "olmo3",
                                    "olmoe",
                                    "openai-gpt",
                                    "opt",
                                    "persimmon",
                                    "phi",
                                    "phi-qk",
                                    "phi3",
                                    "phi3-long",
                                    "phi3-short",
                                    "phimoe",
                                    "qwen2",
                                    "qwen2_moe",
                                    "qwen2_moe-stacked",
                                    "qwen3",
                                    "qwen3_5_moe_text",
                                    "qwen3_5_text",
                                    "qwen3_moe",
                                    "qwen3_moe-stacked",
                                    "qwen3_next",
                                    "roberta",
                                    "roberta-prelayernorm",
                                    "sarvam_mla",
                                    "seed_oss",
                                    "smollm3",
                                    "solar_open",
                                    "stablelm",
                                    "stablelm-12b",
                                    "starcoder2",
                                    "vaultgemma",
                                    "xlm-roberta",
                                    "xlm-roberta-xl",
                                    "youtu"};
enum { CASES = sizeof cases / sizeof cases[0] };

/* signs() of make_gradients.py */
static void fill_signs(double *s, int64_t n)
{
    uint32_t state = 1;

    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        s[i] = state >> 31 ? 1 : -1;
    }
}

/* sums[n] = x[n, width] signs. */
static void project(const double *x, int64_t n, int64_t width, const double *signs, double *sums)
{
    for (int64_t i = 0; i < n; i++) {
        sums[i] = 0;
        for (int64_t j = 0; j < width; j++)
            sums[i] += x[i * width + j] * signs[j];
    }
}

/* least: what the numbers are compared with at least. */
static double error_of(const double *found, int64_t n, const json_t *matrix, const char *what, double least)
{
    const json_t *expected = json_object_get(matrix, what);
    struct norm_difference d = {0};

    assert_int_equal(json_array_size(expected), n);
    for (int64_t i = 0; i < n; i++)
        norm_difference_add(&d, found[i], json_number_value(json_array_get(expected, (size_t)i)));
    d.size = fmax(d.size, least * least);
    return norm_difference_relative(&d);
}

/* The largest relative error of one matrix: of its norm, and of its projections on signs, which are of the size of
 * the norm, but nearly cancel where a few tokens reached an expert. */
static double worst_error(const struct gradient_matrix *m, int64_t n, const json_t *golden)
{
    double signs[1024], sums[1024], norm = 0, expected = json_number_value(json_object_get(golden, "norm")),
                                    worst;

    assert_true(n < 1024 && m->rows < 1024 && m->columns < 1024);
    fill_signs(signs, 1024);
    for (int64_t i = 0; i < n * m->rows; i++)
        norm += m->delta[i] * m->delta[i];
    worst = fabs(sqrt(norm) - expected) / expected;
    project(m->delta, n, m->rows, signs, sums);
    worst = fmax(worst, error_of(sums, n, golden, "rows", expected));
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m->rows; j++)
            sums[j] += signs[i] * m->delta[i * m->rows + j];
    worst = fmax(worst, error_of(sums, m->rows, golden, "columns", expected));
    project(m->x, n, m->columns, signs, sums);
    return fmax(worst, error_of(sums, n, golden, "input", 0));
}

static json_t *golden_gradients(const char *name)
{
    char path[1024];
    json_t *root;

    snprintf(path, sizeof path, "%s/tests/golden/gradient/%s.json", SRCDIR, name);
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

/* What float32 allows, `times` what torch's own float32 loses on the model, where that is more than `least`: these
 * models have large random weights, and some (states that decay, norms of small rows) make much of small differences.
 */
static double allowed(const char *name, double times, double least)
{
    json_t *root = golden_gradients(name);
    double single = json_number_value(json_object_get(root, "float32"));

    json_decref(root);
    return fmax(least, times * single);
}

static void gradients_are_those_of_torch(void **state)
{
    struct golden g;
    struct gradient_job job;
    json_t *root = golden_gradients(*state), *matrices = json_object_get(root, "matrices");
    size_t reached = 0;
    double loss = 0, limit = allowed(*state, 3, 1e-5);

    golden_open(&g, *state);
    gradient_start(&job, &g);
    gradient_run(&job, 1);
    for (int i = 0; i < job.count; i++) {
        const json_t *golden = json_object_get(matrices, job.matrices[i].name);
        double error;

        reached += job.matrices[i].reached > 0;
        if (job.matrices[i].reached == 0)
            continue;
        if (!golden)
            fail_msg("%s: torch has no %s", (const char *)*state, job.matrices[i].name);
        error = worst_error(&job.matrices[i], job.n, golden);
        if (!(error < limit))
            fail_msg("%s, %s: relative error %.2e", (const char *)*state, job.matrices[i].name, error);
    }
    assert_int_equal(reached, json_object_size(matrices));
    for (int64_t i = 0; i < job.n; i++)
        loss += (double)job.weights[i] * job.nll[i];
    assert_true(fabs(loss / json_number_value(json_object_get(root, "loss")) - 1) < 1e-5);
    gradient_discard(&job);
    golden_close(&g);
    json_decref(root);
}

static void shards_give_the_gradients_of_one_process(void **state)
{
    static const int counts[] = {2, 3, 4, 7};
    struct golden g;
    struct gradient_job whole;

    golden_open(&g, *state);
    gradient_start(&whole, &g);
    gradient_run(&whole, 1);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct gradient_job job;
        struct gradient_difference s;

        gradient_start(&job, &g);
        gradient_run(&job, counts[k]);
        s = gradient_compare(&job, &whole);
        if (!(s.worst < allowed(*state, 4, 3e-6)))
            fail_msg("%s in %d shards, %s: relative difference %.2e", (const char *)*state, counts[k],
                     s.where, s.worst);
        for (int i = 1; i < counts[k]; i++)
            assert_int_equal(job.calls[i], job.calls[0]);
        gradient_discard(&job);
    }
    gradient_discard(&whole);
    golden_close(&g);
}

int main(void)
{
    struct CMUnitTest tests[2 * CASES];
    static char names[2 * CASES][96];
    int n = 0;

    for (int i = 0; i < CASES; i++) {
        snprintf(names[n], sizeof names[n], "gradients_are_those_of_torch: %s", cases[i]);
        tests[n] = (struct CMUnitTest){names[n], gradients_are_those_of_torch, NULL, NULL, (void *)cases[i]};
        n++;
        snprintf(names[n], sizeof names[n], "shards_give_the_gradients_of_one_process: %s", cases[i]);
        tests[n] = (struct CMUnitTest){names[n], shards_give_the_gradients_of_one_process, NULL, NULL,
                                       (void *)cases[i]};
        n++;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

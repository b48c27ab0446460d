/* The forward pass against transformers, and its shards against one process.  Golden values: make_models.py.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "testing.h"

enum { MOST_CASES = 512 };

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

static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int print_errors(struct dirent **found, int n)
{
    static const int counts[] = {1, 2, 3, 4};

    for (int i = 0; i < n; i++) {
        struct golden g;
        double worst = 0;

        golden_open(&g, found[i]->d_name);
        for (int k = 0; k < 4; k++) {
            double *nll = nll_of(&g, LASER_FLOAT32, counts[k]);

            worst = fmax(worst, worst_error(&g, nll));
            free(nll);
        }
        printf("%s %.1e\n", found[i]->d_name, worst);
        golden_close(&g);
    }
    return 0;
}

/* Every directory of tests/golden/model is a case.  With --errors: each one and its largest difference on 1
 * to 4 shards, for doc/models.md (tools/make_models_page.py). */
int main(int argc, char **argv)
{
    static struct CMUnitTest tests[2 * MOST_CASES];
    static char names[2 * MOST_CASES][96];
    struct dirent **found = NULL;
    int n = 0, cases = scandir(SRCDIR "/tests/golden/model", &found, is_case, alphasort), result;

    if (cases < 1 || cases > MOST_CASES)
        return 1;
    if (argc > 1 && strcmp(argv[1], "--errors") == 0)
        return print_errors(found, cases);
    for (int i = 0; i < cases; i++) {
        char *name = found[i]->d_name;

        if (argc > 1 && strcmp(argv[1], name) != 0)
            continue;
        snprintf(names[n], sizeof names[n], "the_loss_is_that_of_transformers: %.50s", name);
        tests[n] = (struct CMUnitTest){names[n], the_loss_is_that_of_transformers, NULL, NULL, name};
        n++;
        snprintf(names[n], sizeof names[n], "shards_give_the_loss_of_one_process: %.50s", name);
        tests[n] = (struct CMUnitTest){names[n], shards_give_the_loss_of_one_process, NULL, NULL, name};
        n++;
    }
    result = _cmocka_run_group_tests("model", tests, (size_t)n, NULL, NULL);
    for (int i = 0; i < cases; i++)
        free(found[i]);
    free(found);
    return result;
}

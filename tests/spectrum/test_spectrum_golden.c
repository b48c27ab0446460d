/* Rules and metrics against numpy, scipy and WeightWatcher: tests/golden/spectrum.txt, made by
 * tools/golden/make_spectrum.py. */
#include "testing.h"

#include "spectrum/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 256 };

struct golden {
    FILE *file;
    char name[32];
    int rows, columns, n;
    double s[LIMIT];
};

/* The next numbers of the current line. */
static double number(struct golden *golden)
{
    char text[64];
    if (fscanf(golden->file, "%63s", text) != 1)
        fail_msg("%s: the golden file ends early", golden->name);
    return strtod(text, NULL);
}

static void word(struct golden *golden, char text[32])
{
    if (fscanf(golden->file, "%31s", text) != 1)
        fail_msg("%s: the golden file ends early", golden->name);
}

static void near(const struct golden *golden, const char *what, double value, double expected,
                 double tolerance)
{
    int same = isnan(expected)   ? isnan(value)
               : isinf(expected) ? value == expected
                                 : fabs(value - expected) <= tolerance * fmax(fabs(expected), 1e-15);
    if (!same)
        fail_msg("%s, %s: %.17g, expected %.17g", golden->name, what, value, expected);
}

static int next_case(struct golden *golden)
{
    char key[32];
    if (fscanf(golden->file, "%31s", key) != 1)
        return 0;
    assert_string_equal(key, "case");
    word(golden, golden->name);
    golden->rows = (int)number(golden);
    golden->columns = (int)number(golden);
    golden->n = golden->rows < golden->columns ? golden->rows : golden->columns;
    assert_in_range(golden->n, 1, LIMIT);
    word(golden, key);
    assert_string_equal(key, "s");
    for (int i = 0; i < golden->n; i++)
        golden->s[i] = number(golden);
    return 1;
}

static void check_cut(struct golden *golden)
{
    struct laser_rule rule;
    struct laser_cut cut;
    char text[32];
    word(golden, text);
    assert_string_equal(text, "cut");
    word(golden, text);
    assert_int_equal(laser_rule_parse(text, &rule, NULL), LASER_OK);
    laser_rule_apply(&rule, golden->s, golden->rows, golden->columns, &cut);
    near(golden, text, cut.threshold, number(golden), 1e-12);
    assert_int_equal(cut.k, (int64_t)number(golden));
    near(golden, text, cut.signal, number(golden), 1e-13);
    near(golden, text, cut.noise, number(golden), 1e-13);
    double snr = number(golden);
    near(golden, text, cut.snr, snr, 1e-12);
    near(golden, text, cut.snr_normalized, snr / golden->s[0], 1e-12);
}

static void check_metrics(struct golden *golden)
{
    struct laser_rule rule = {LASER_RULE_MARCHENKO_PASTUR, 0};
    struct laser_metrics metrics;
    char key[32];
    assert_int_equal(laser_metrics_fill(&rule, golden->s, golden->rows, golden->columns, &metrics, NULL),
                     LASER_OK);
    word(golden, key);
    assert_string_equal(key, "fit");
    near(golden, "alpha", metrics.alpha, number(golden), 1e-9);
    near(golden, "D", metrics.ks_distance, number(golden), 1e-9);
    near(golden, "xmin", metrics.xmin, number(golden), 1e-12);
    near(golden, "xmax", metrics.xmax, number(golden), 1e-12);
    word(golden, key);
    assert_string_equal(key, "norms");
    near(golden, "frobenius", metrics.frobenius, number(golden), 1e-12);
    near(golden, "stable_rank", metrics.stable_rank, number(golden), 1e-12);
    near(golden, "log_norm", metrics.log_norm, number(golden), 1e-12);
    /* the logarithm of a value near 1: absolute */
    assert_true(fabs(metrics.log_spectral_norm - number(golden)) < 1e-12);
    assert_true(fabs(metrics.alpha_weighted - number(golden)) < 1e-8);
    near(golden, "log_alpha_norm", metrics.log_alpha_norm, number(golden), 1e-8);
    word(golden, key);
    assert_string_equal(key, "ranks");
    assert_int_equal(metrics.matrix_rank, (int64_t)number(golden));
    near(golden, "entropy", metrics.entropy, number(golden), 1e-9);
    near(golden, "effective_rank", metrics.effective_rank, number(golden), 1e-12);
    assert_string_equal(metrics.status, "success");
}

static void spectra_have_the_numbers_of_the_references(void **state)
{
    struct golden golden = {.file = fopen(SRCDIR "/tests/golden/spectrum.txt", "r")};
    char line[256];
    int cases = 0;
    (void)state;
    assert_non_null(golden.file);
    assert_non_null(fgets(line, sizeof line, golden.file));
    while (next_case(&golden)) {
        for (int rule = 0; rule < 5; rule++)
            check_cut(&golden);
        check_metrics(&golden);
        cases++;
    }
    assert_int_equal(cases, 8);
    fclose(golden.file);
}

static void fill(const double *s, int64_t rows, int64_t columns, struct laser_metrics *metrics)
{
    struct laser_rule rule = {LASER_RULE_MARCHENKO_PASTUR, 0};
    assert_int_equal(laser_metrics_fill(&rule, s, rows, columns, metrics, NULL), LASER_OK);
}

static void zero_matrix_has_no_ranks_and_no_fit(void **state)
{
    double s[3] = {0, 0, 0};
    struct laser_metrics metrics;
    (void)state;
    fill(s, 3, 5, &metrics);
    assert_true(metrics.stable_rank == 0 && metrics.effective_rank == 0 && metrics.frobenius == 0);
    assert_true(metrics.energy_kept == 1 && metrics.matrix_rank == 0 && metrics.num_spikes == 0);
    assert_true(isnan(metrics.alpha) && isnan(metrics.mp_softrank) && isnan(metrics.sigma_mp));
    assert_true(isinf(metrics.log_norm) && metrics.log_norm < 0);
    assert_string_equal(metrics.status, "failed");
    assert_string_equal(metrics.warning, "");
}

static void scale_changes_neither_ranks_nor_shares(void **state)
{
    enum { N = 40 };
    static const double scales[] = {1e-170, 1e-30, 1e30, 1e170};
    double s[N];
    struct laser_metrics one, scaled;
    (void)state;
    for (int i = 0; i < N; i++)
        s[i] = exp(-0.1 * i);
    fill(s, N, 2 * N, &one);
    for (int scale = 0; scale < 4; scale++) {
        for (int i = 0; i < N; i++)
            s[i] = exp(-0.1 * i) * scales[scale];
        fill(s, N, 2 * N, &scaled);
        assert_true(fabs(scaled.stable_rank - one.stable_rank) < 1e-12);
        assert_true(fabs(scaled.effective_rank - one.effective_rank) < 1e-11);
        assert_true(fabs(scaled.energy_kept - one.energy_kept) < 1e-14);
        assert_true(fabs(scaled.sigma_mp - one.sigma_mp) < 1e-14);
        assert_true(fabs(scaled.mp_softrank - one.mp_softrank) < 1e-13);
        assert_true(fabs(scaled.log_norm - one.log_norm - 2 * log10(scales[scale])) < 1e-11);
        assert_int_equal(scaled.num_spikes, one.num_spikes);
    }
}

static void noise_has_unit_sigma_and_planted_spikes_are_counted(void **state)
{
    enum { N = 2000, SPIKES = 7 };
    static double s[N];
    struct laser_metrics metrics;
    (void)state;
    for (int i = 0; i < N; i++) /* the quarter circle by its quantiles, sigma = 0.03 */
        s[i] = 0.03 * sqrt(N) * 2 * cos(M_PI / 2 * pow((i + 0.5) / N, 0.66));
    fill(s, N, N, &metrics);
    double sigma = metrics.noise_sigma;
    for (int i = 0; i < SPIKES; i++)
        s[i] = metrics.mp_edge * (3 - 0.1 * i);
    fill(s, N, N, &metrics);
    assert_int_equal(metrics.num_spikes, SPIKES);
    assert_true(fabs(metrics.noise_sigma / sigma - 1) < 1e-12);
    assert_true(fabs(metrics.mp_softrank - 1. / 9) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectra_have_the_numbers_of_the_references),
        cmocka_unit_test(zero_matrix_has_no_ranks_and_no_fit),
        cmocka_unit_test(scale_changes_neither_ranks_nor_shares),
        cmocka_unit_test(noise_has_unit_sigma_and_planted_spikes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

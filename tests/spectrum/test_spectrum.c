/* Rules, scores, the Marchenko-Pastur law and edits. */
#include "testing.h"

#include "spectrum/edit.h"
#include "spectrum/mp.h"
#include "spectrum/rule.h"

#include "spectrum/metrics.h"
#include <math.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const double BETAS[] = {1, .75, 2. / 3, .5, 1. / 3, 2. / 7, .25};

static void close_to(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.15g, expected %.15g within %g", value, expected, tolerance);
}

/* n singular values at the mid quantiles of the law, largest first: noise without sampling error. */
static void ideal_noise(double beta, double *s, int n)
{
    for (int i = 0; i < n; i++)
        s[n - 1 - i] = sqrt(laser_mp_quantile(beta, (i + 0.5) / n));
}

static void true_edge_over_compat_threshold(void **state)
{
    static const double kappa[] = {1.5433, 1.8352, 1.9614, 2.2946, 2.8413, 3.0776, 3.2969};
    (void)state;
    for (size_t i = 0; i < COUNT(BETAS); i++)
        close_to(laser_compat_kappa(BETAS[i]), kappa[i], 6e-5);
}

static void omega_of_gavish_donoho(void **state)
{
    static const double omega[] = {2.8584, 2.5014, 2.3897, 2.1712, 1.9514, 1.8866, 1.8369};
    (void)state;
    for (size_t i = 0; i < COUNT(BETAS); i++)
        close_to(laser_omega(BETAS[i]), omega[i], 6e-5);
}

static void compat_rule_on_pure_noise(void **state)
{
    static const double kept[] = {.2370, .3952, .4652, .6485, .9118, .9869, 1};
    static const double snr[] = {.7917, 1.519, 1.960, 3.900, 20.67, 150.5};
    enum { N = 20000 };
    static double s[N];
    struct laser_rule rule;
    struct laser_cut cut;
    (void)state;
    assert_int_equal(laser_rule_parse("laserrmt", &rule, NULL), LASER_OK);
    for (size_t i = 0; i < COUNT(BETAS); i++) {
        ideal_noise(BETAS[i], s, N);
        laser_rule_apply(&rule, s, N, (int64_t)round(N / BETAS[i]), &cut);
        close_to((double)cut.k / N, kept[i], 1e-4);
        if (i < COUNT(snr))
            close_to(cut.snr / snr[i], 1, i == 5 ? 2e-2 : 2e-3);
        else
            assert_true(isinf(cut.snr) && isinf(cut.snr_normalized));
    }
}

static void compat_rule_never_cuts_below_its_limit(void **state)
{
    struct laser_rule compat = {LASER_RULE_LASERRMT, 0}, other = {LASER_RULE_GAVISH_DONOHO, 0};
    (void)state;
    close_to(laser_compat_beta_limit(), 0.27038, 5e-6);
    assert_true(laser_rule_never_cuts(&compat, 27037, 100000));
    assert_false(laser_rule_never_cuts(&compat, 100000, 27040));
    assert_false(laser_rule_never_cuts(&other, 1, 100000));
}

static void median_of_the_law_halves_it(void **state)
{
    (void)state;
    /* quarter circle: (t + sin t) / pi = 1/2 at t = 0.8317111935796787 */
    close_to(laser_mp_median(1), 2 - 2 * cos(0.8317111935796787), 1e-12);
    for (double beta = 1e-6; beta < 1; beta = beta * 1.7 + 1e-3)
        close_to(laser_mp_cumulative(beta, 3, 9 * laser_mp_median(beta)), 0.5, 1e-12);
}

/* Midpoint rule in the angle of x = 1 + beta - 2 sqrt(beta) cos t, where the integrand is smooth. */
static void density_integrates_to_the_cumulative_law(void **state)
{
    enum { STEPS = 2000 };
    (void)state;
    for (size_t b = 0; b < COUNT(BETAS); b++) {
        double beta = BETAS[b], sigma = 0.7, sum = 0, c = sqrt(beta);
        for (int i = 0; i < STEPS; i++) {
            double t = M_PI * (i + 0.5) / STEPS, x = sigma * sigma * (1 + beta - 2 * c * cos(t));
            sum += laser_mp_density(beta, sigma, x) * 2 * c * sigma * sigma * sin(t) * M_PI / STEPS;
            double end = M_PI * (i + 1.) / STEPS;
            if (i % 100 == 99)
                close_to(laser_mp_cumulative(beta, sigma, sigma * sigma * (1 + beta - 2 * c * cos(end))), sum,
                         1e-6);
        }
        close_to(sum, 1, 1e-6);
    }
}

static void density_vanishes_outside_the_edges(void **state)
{
    (void)state;
    assert_true(laser_mp_density(.5, 1, laser_mp_upper_edge(.5, 1) * 1.0001) == 0);
    assert_true(laser_mp_density(.5, 1, laser_mp_lower_edge(.5, 1) * 0.9999) == 0);
    assert_true(laser_mp_density(.5, 1, laser_mp_upper_edge(.5, 1) * 0.9999) > 0);
    assert_true(isnan(laser_mp_density(1.5, 1, 1)) && isnan(laser_mp_median(0)));
    close_to(laser_mp_singular_density(1, 2, 0), 1 / M_PI, 1e-12);
    close_to(laser_mp_singular_density(1, 2, 1e-9), 1 / M_PI, 1e-9);
}

static void quantiles_interpolate_as_numpy_does(void **state)
{
    const double s[] = {10, 7, 4, 2, 1};
    (void)state;
    close_to(laser_quantile(s, 5, 0.25), 2, 0);
    close_to(laser_quantile(s, 5, 0.6), 4 + 0.4 * 3, 1e-15);
    close_to(laser_quantile(s, 5, 1), 10, 0);
    close_to(laser_quantile(s, 1, 0.75), 10, 0);
    close_to(laser_quantile(s, 4, 0.5), 5.5, 0);
}

static void rank_of_a_share_has_no_slip(void **state)
{
    (void)state;
    assert_int_equal(laser_rank_of_share((10 - 9.9) * 0.1, 1000), 10);
    assert_int_equal(laser_rank_of_share(0.29, 100), 29);
    assert_int_equal(laser_rank_of_share(0.999, 1000), 999);
    assert_int_equal(laser_rank_of_share(0.5, 3), 1);
    assert_int_equal(laser_rank_of_share(0, 7), 0);
    assert_int_equal(laser_rank_of_share(1, 7), 7);
}

static void energy_takes_the_smallest_rank(void **state)
{
    const double s[] = {3e-170, 4e-171, 0};
    struct laser_rule rule = {LASER_RULE_ENERGY, 0.9};
    struct laser_cut cut;
    (void)state;
    laser_rule_apply(&rule, s, 3, 9, &cut);
    assert_int_equal(cut.k, 1);
    assert_true(isnan(cut.threshold));
    rule.value = 1;
    laser_rule_apply(&rule, s, 3, 9, &cut);
    assert_int_equal(cut.k, 2);
    rule.value = 0;
    laser_rule_apply(&rule, s, 3, 9, &cut);
    assert_int_equal(cut.k, 0);
}

static void scores_compare_both_parts(void **state)
{
    const double s[] = {8, 4, 2, 1, 1};
    struct laser_cut cut;
    (void)state;
    laser_cut_at(s, 5, 2, &cut);
    close_to(cut.snr, 3, 0);
    close_to(cut.snr_normalized, 3. / 8, 0);
    laser_cut_at(s, 5, 5, &cut);
    assert_true(isinf(cut.snr));
}

static void zero_matrix_has_no_score(void **state)
{
    const double s[] = {0, 0, 0};
    const char *rules[] = {"laserrmt", "marchenko-pastur", "gavish-donoho", "rank:0.5", "energy:0.9"};
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct laser_rule rule;
        struct laser_cut cut;
        assert_int_equal(laser_rule_parse(rules[i], &rule, NULL), LASER_OK);
        laser_rule_apply(&rule, s, 3, 4, &cut);
        assert_true(isnan(cut.snr) && isnan(cut.snr_normalized));
    }
}

static void texts_of_edits_come_back(void **state)
{
    const char *texts[] = {
        "none",         "laserrmt", "marchenko-pastur", "gavish-donoho", "rank:0.29",
        "energy:0.999", "rank=17",  "shrink:0.5",       "wiener:0.25",   "rank:0.1234567890123456"};
    char text[LASER_RULE_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct laser_edit edit;
        assert_int_equal(laser_edit_parse(texts[i], &edit, NULL), LASER_OK);
        laser_edit_print(&edit, text);
        assert_string_equal(text, texts[i]);
    }
}

static void wrong_texts_are_refused_with_the_valid_ones(void **state)
{
    const char *texts[] = {"",          "rank",        "rank:",
                           "rank:1.5",  "rank:-0.1",   "rank:nan",
                           "rank: 0.5", "rank:0.5x",   "energy:inf",
                           "rank=",     "rank=-1",     "rank=1.5",
                           "shrink:0",  "wiener:-1",   "laserRMT",
                           "shrink",    "rank:0x1",    "rank:1e5",
                           "gavish",    "energy:0,5",  "rank=99999999999999999999",
                           "shrink:11", "wiener:1e-4", "values:0123"};
    struct laser_error err;
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct laser_edit edit;
        assert_int_equal(laser_edit_parse(texts[i], &edit, &err), LASER_EUSAGE);
        assert_string_equal(err.where, texts[i]);
        assert_non_null(strstr(err.text, "shrink:F or wiener:F with 0.001 <= F <= 10"));
    }
    struct laser_rule rule;
    assert_int_equal(laser_rule_parse("shrink:0.5", &rule, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "rank:SHARE or energy:SHARE with 0 <= SHARE <= 1"));
}

static void shrinkage_inverts_the_growth_of_a_spike(void **state)
{
    /* A rank-one signal x in noise shows at y = sqrt((x + 1/x)(x + beta/x)); the optimal value is x c(x)
     * c~(x), which eta(y) equals (Gavish and Donoho 2017, equation 7). */
    enum { N = 101 };
    double s[N], s_new[N], beta = 0.5, x = 3, y = sqrt((x + 1 / x) * (x + beta / x));
    struct laser_edit edit;
    (void)state;
    for (int i = 0; i < N; i++)
        s[i] = i == 0 ? y : sqrt(laser_mp_median(beta));
    assert_int_equal(laser_edit_parse("shrink:1", &edit, NULL), LASER_OK);
    assert_int_equal(laser_edit_apply(&edit, s, N, 2 * N, s_new), 1);
    double left = (pow(x, 4) - beta) / (pow(x, 4) + beta * x * x),
           right = (pow(x, 4) - beta) / (pow(x, 4) + x * x);
    close_to(s_new[0], x * sqrt(left * right), 1e-12);
    assert_true(s_new[1] == 0);
}

static void wiener_halves_at_the_noise(void **state)
{
    double s[3] = {5, 2, 1}, s_new[3], a;
    struct laser_edit edit;
    (void)state;
    assert_int_equal(laser_edit_parse("wiener:0.5", &edit, NULL), LASER_OK);
    a = 0.5 * laser_noise_level(s, 3, 3);
    assert_int_equal(laser_edit_apply(&edit, s, 3, 3, s_new), 3);
    for (int i = 0; i < 3; i++)
        close_to(s_new[i], pow(s[i], 3) / (s[i] * s[i] + a * a), 1e-14);
}

static void hard_cuts_zero_the_tail(void **state)
{
    double s[4] = {4, 3, 2, 1};
    struct laser_edit edit;
    (void)state;
    assert_int_equal(laser_edit_parse("rank=2", &edit, NULL), LASER_OK);
    assert_int_equal(laser_edit_apply(&edit, s, 4, 4, s), 2);
    assert_true(s[0] == 4 && s[1] == 3 && s[2] == 0 && s[3] == 0);
}

static void a_value_on_the_threshold_is_noise(void **state)
{
    /* More than half of the values are zero: so are median and threshold. */
    const double s[5] = {5, 1, 0, 0, 0};
    struct laser_rule rule;
    struct laser_cut cut;
    (void)state;
    assert_int_equal(laser_rule_parse("marchenko-pastur", &rule, NULL), LASER_OK);
    laser_rule_apply(&rule, s, 5, 5, &cut);
    assert_true(cut.threshold == 0);
    assert_int_equal(cut.k, 2);
}

static void shrinkage_zeroes_what_lies_between_noise_and_edge(void **state)
{
    /* The second value is above the noise level and below the edge. */
    double s[5] = {9, 1.3, 1, 0.9, 0.8}, s_new[5];
    struct laser_edit edit;
    (void)state;
    assert_int_equal(laser_edit_parse("shrink:1", &edit, NULL), LASER_OK);
    assert_true(s[1] > laser_noise_level(s, 5, 10));
    assert_int_equal(laser_edit_apply(&edit, s, 5, 10, s_new), 1);
    for (int i = 1; i < 5; i++)
        assert_true(s_new[i] == 0);
}

static void the_energy_kept_is_that_of_the_kept_values(void **state)
{
    const double s[3] = {4, 2, 1};
    struct laser_metrics m;
    struct laser_rule rule;
    struct laser_error err;
    (void)state;
    assert_int_equal(laser_rule_parse("rank:0.67", &rule, &err), LASER_OK);
    assert_int_equal(laser_metrics_fill(&rule, s, 3, 3, &m, &err), LASER_OK);
    assert_int_equal(m.cut.k, 2);
    close_to(m.energy_kept, 20.0 / 21, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_edge_over_compat_threshold),
        cmocka_unit_test(omega_of_gavish_donoho),
        cmocka_unit_test(compat_rule_on_pure_noise),
        cmocka_unit_test(compat_rule_never_cuts_below_its_limit),
        cmocka_unit_test(median_of_the_law_halves_it),
        cmocka_unit_test(density_integrates_to_the_cumulative_law),
        cmocka_unit_test(density_vanishes_outside_the_edges),
        cmocka_unit_test(quantiles_interpolate_as_numpy_does),
        cmocka_unit_test(rank_of_a_share_has_no_slip),
        cmocka_unit_test(energy_takes_the_smallest_rank),
        cmocka_unit_test(scores_compare_both_parts),
        cmocka_unit_test(zero_matrix_has_no_score),
        cmocka_unit_test(texts_of_edits_come_back),
        cmocka_unit_test(wrong_texts_are_refused_with_the_valid_ones),
        cmocka_unit_test(shrinkage_inverts_the_growth_of_a_spike),
        cmocka_unit_test(wiener_halves_at_the_noise),
        cmocka_unit_test(hard_cuts_zero_the_tail),
        cmocka_unit_test(a_value_on_the_threshold_is_noise),
        cmocka_unit_test(shrinkage_zeroes_what_lies_between_noise_and_edge),
        cmocka_unit_test(the_energy_kept_is_that_of_the_kept_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

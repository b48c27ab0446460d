/* Cuts of a matrix by what they cost: against numpy (tests/golden/compress.json,
 * tools/golden/make_compress.py) and against their definition. */
#include "testing.h"

#include "compress/compress.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *array_of(const json_t *object, const char *key, size_t *count)
{
    const json_t *list = json_object_get(object, key);
    double *x = malloc((json_array_size(list) + 1) * sizeof *x);

    assert_non_null(x);
    for (size_t i = 0; i < json_array_size(list); ++i)
        x[i] = json_number_value(json_array_get(list, i));
    if (count != NULL)
        *count = json_array_size(list);
    return x;
}

static json_t *golden(void)
{
    json_t *list = json_load_file(SRCDIR "/tests/golden/compress.json", 0, NULL);

    assert_true(json_array_size(list) > 0);
    return list;
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static double random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0 - 0.5;
}

static double *random_matrix(int64_t count, uint64_t seed)
{
    double *x = malloc((size_t)count * sizeof *x);

    assert_non_null(x);
    for (int64_t i = 0; i < count; ++i)
        x[i] = random_next(&seed);
    return x;
}

/* c[m, n] = a[m, k] b[k, n] */
static double *product(const double *a, const double *b, int64_t m, int64_t k, int64_t n)
{
    double *c = calloc((size_t)(m * n), sizeof *c);

    assert_non_null(c);
    for (int64_t i = 0; i < m; ++i)
        for (int64_t l = 0; l < k; ++l)
            for (int64_t j = 0; j < n; ++j)
                c[i * n + j] += a[i * k + l] * b[l * n + j];
    return c;
}

static double norm(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; ++i)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static double distance(const double *x, const double *y, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; ++i)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

/* sum x x^T of `tokens` random rows of `n`. */
static double *covariance(int64_t n, int64_t tokens, uint64_t seed)
{
    double *x = random_matrix(n * tokens, seed), *c = calloc((size_t)(n * n), sizeof *c);

    assert_non_null(c);
    for (int64_t t = 0; t < tokens; ++t)
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < n; ++j)
                c[i * n + j] += x[t * n + i] * x[t * n + j] * (double)(1 + i % 5) * (double)(1 + j % 5);
    free(x);
    return c;
}

/* The cut of w, which stays as it is; c, r: sums or NULL. */
static struct laser_whitened_cut cut_of(const double *w, int64_t rows, int64_t columns, const double *c,
                                        const double *r, double tokens)
{
    struct laser_root inputs, gradients;
    struct laser_whitened_cut cut;
    struct laser_error err = {0};
    double *copy = malloc((size_t)(rows * columns) * sizeof *copy);

    assert_non_null(copy);
    memcpy(copy, w, (size_t)(rows * columns) * sizeof *copy);
    if (c != NULL && laser_root_make(c, columns, tokens, &inputs, &err) != LASER_OK)
        fail_msg("%s", err.text);
    if (r != NULL && laser_root_make(r, rows, tokens, &gradients, &err) != LASER_OK)
        fail_msg("%s", err.text);
    if (laser_cut_make(copy, rows, columns, c ? &inputs : NULL, r ? &gradients : NULL, &cut, &err) !=
        LASER_OK)
        fail_msg("%s", err.text);
    if (c != NULL)
        laser_root_free(&inputs);
    if (r != NULL)
        laser_root_free(&gradients);
    free(copy);
    return cut;
}

static double *cut_product(const struct laser_whitened_cut *cut, int64_t k)
{
    double *a = malloc((size_t)(cut->rows * k) * sizeof *a),
           *b = malloc((size_t)(cut->columns * k) * sizeof *b);
    double *w;

    assert_true(a != NULL && b != NULL);
    laser_cut_factors(cut, k, a, b);
    w = product(a, b, cut->rows, k, cut->columns);
    free(a);
    free(b);
    return w;
}

static void values_and_products_are_those_of_numpy(void **state)
{
    json_t *list = golden();
    size_t i;
    json_t *o;

    (void)state;
    json_array_foreach(list, i, o)
    {
        int64_t rows = integer(o, "rows"), columns = integer(o, "columns"), k = integer(o, "k");
        size_t n;
        double *w = array_of(o, "w", NULL), *c = array_of(o, "c", NULL), *r = array_of(o, "r", NULL);
        double *s = array_of(o, "s", &n), *expected = array_of(o, "product", NULL);
        struct laser_whitened_cut cut =
            cut_of(w, rows, columns, json_is_true(json_object_get(o, "inputs")) ? c : NULL,
                   json_is_true(json_object_get(o, "gradients")) ? r : NULL, (double)integer(o, "tokens"));
        double *found = cut_product(&cut, k);

        assert_int_equal(cut.n, n);
        for (size_t j = 0; j < n; ++j)
            if (!(fabs(cut.s[j] - s[j]) <= 1e-11 * s[0]))
                fail_msg("%s: value %zu is %.17g, numpy has %.17g",
                         json_string_value(json_object_get(o, "name")), j, cut.s[j], s[j]);
        assert_true(distance(found, expected, rows * columns) <= 1e-9 * norm(expected, rows * columns));
        laser_cut_free(&cut);
        free(found);
        free(expected);
        free(s);
        free(r);
        free(c);
        free(w);
    }
    json_decref(list);
}

static void predicted_loss_is_that_of_the_product(void **state)
{
    json_t *list = golden();
    size_t i;
    json_t *o;

    (void)state;
    json_array_foreach(list, i, o)
    {
        double *w = array_of(o, "w", NULL), *c = array_of(o, "c", NULL), *r = array_of(o, "r", NULL);
        struct laser_whitened_cut cut =
            cut_of(w, integer(o, "rows"), integer(o, "columns"),
                   json_is_true(json_object_get(o, "inputs")) ? c : NULL,
                   json_is_true(json_object_get(o, "gradients")) ? r : NULL, (double)integer(o, "tokens"));
        double loss = json_real_value(json_object_get(o, "loss"));

        assert_true(fabs(laser_cut_loss(cut.s, cut.n, integer(o, "k")) - loss) <= 1e-9 * loss);
        laser_cut_free(&cut);
        free(r);
        free(c);
        free(w);
    }
    json_decref(list);
}

static void identities_give_the_plain_cut(void **state)
{
    enum { ROWS = 24, COLUMNS = 17, RANK = 6 };
    double *w = random_matrix(ROWS * COLUMNS, 3), *c = calloc(COLUMNS * COLUMNS, sizeof *c),
           *r = calloc(ROWS * ROWS, sizeof *r);
    struct laser_whitened_cut plain, whitened;
    double *p, *q, factor = sqrt(1 + LASER_ROOT_DAMPING);

    (void)state;
    assert_true(c != NULL && r != NULL);
    for (int i = 0; i < COLUMNS; ++i)
        c[i * COLUMNS + i] = 100;
    for (int i = 0; i < ROWS; ++i)
        r[i * ROWS + i] = 100;
    plain = cut_of(w, ROWS, COLUMNS, NULL, NULL, 100);
    whitened = cut_of(w, ROWS, COLUMNS, c, r, 100);
    for (int i = 0; i < COLUMNS; ++i)
        assert_true(fabs(whitened.s[i] - plain.s[i] * factor * factor) <= 1e-13 * plain.s[0]);
    p = cut_product(&plain, RANK);
    q = cut_product(&whitened, RANK);
    assert_true(distance(p, q, ROWS * COLUMNS) <= 1e-13 * norm(p, ROWS * COLUMNS));
    laser_cut_free(&plain);
    laser_cut_free(&whitened);
    free(p);
    free(q);
    free(r);
    free(c);
    free(w);
}

static void full_rank_gives_the_matrix_back(void **state)
{
    enum { ROWS = 20, COLUMNS = 31 };
    double *w = random_matrix(ROWS * COLUMNS, 5), *c = covariance(COLUMNS, 12, 6),
           *r = covariance(ROWS, 9, 7);
    struct laser_whitened_cut cut = cut_of(w, ROWS, COLUMNS, c, r, 12);
    double *p = cut_product(&cut, ROWS);

    (void)state;
    assert_true(distance(p, w, ROWS * COLUMNS) <= 1e-9 * norm(w, ROWS * COLUMNS));
    laser_cut_free(&cut);
    free(p);
    free(r);
    free(c);
    free(w);
}

/* |R^(1/2) D C^(1/2)|^2 with the undamped covariances: sum over tokens of (d^T D x)^2 if they were
 * independent. */
static double weighed(const double *diff, const double *c, const double *r, int64_t rows, int64_t columns,
                      double tokens)
{
    double *t = product(r, diff, rows, rows, columns), *u = product(t, c, rows, columns, columns), sum = 0;

    for (int64_t i = 0; i < rows * columns; ++i)
        sum += u[i] * diff[i];
    free(t);
    free(u);
    return sum / tokens / tokens;
}

static void no_other_cut_of_the_same_rank_costs_less(void **state)
{
    enum { ROWS = 18, COLUMNS = 22, RANK = 5, TOKENS = 200 };
    double *w = random_matrix(ROWS * COLUMNS, 9), *c = covariance(COLUMNS, TOKENS, 10),
           *r = covariance(ROWS, TOKENS, 11), loss[3];

    (void)state;
    for (int method = 0; method < 3; ++method) {
        struct laser_whitened_cut cut =
            cut_of(w, ROWS, COLUMNS, method > 0 ? c : NULL, method > 1 ? r : NULL, TOKENS);
        double *p = cut_product(&cut, RANK);
        for (int64_t i = 0; i < ROWS * COLUMNS; ++i)
            p[i] -= w[i];
        loss[method] = weighed(p, c, r, ROWS, COLUMNS, TOKENS);
        laser_cut_free(&cut);
        free(p);
    }
    assert_true(loss[2] < loss[1] && loss[1] < loss[0]);
    free(r);
    free(c);
    free(w);
}

static void the_rank_of_a_covariance_is_told(void **state)
{
    double *c = covariance(12, 5, 13);
    struct laser_root root;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_root_make(c, 12, 5, &root, &err), LASER_OK);
    assert_int_equal(root.rank, 5);
    assert_true(root.roots[11] > 0);
    laser_root_free(&root);
    free(c);
}

static void inputs_that_no_token_reached_leave_the_matrix_as_it_is(void **state)
{
    enum { N = 7 };
    double *w = random_matrix(N * N, 15), c[N * N] = {0};
    struct laser_whitened_cut plain = cut_of(w, N, N, NULL, NULL, 1), empty = cut_of(w, N, N, c, c, 1);

    (void)state;
    for (int i = 0; i < N; ++i)
        if (!(fabs(plain.s[i] - empty.s[i]) <= N * DBL_EPSILON * plain.s[0]))
            fail_msg("%.17g %.17g", plain.s[i], empty.s[i]);
    laser_cut_free(&plain);
    laser_cut_free(&empty);
    free(w);
}

static void factors_of_one_direction_are_of_equal_length(void **state)
{
    enum { ROWS = 9, COLUMNS = 16, RANK = 4 };
    double *w = random_matrix(ROWS * COLUMNS, 17), *c = covariance(COLUMNS, 40, 18), a[ROWS * RANK],
           b[RANK * COLUMNS];
    struct laser_whitened_cut cut = cut_of(w, ROWS, COLUMNS, c, NULL, 40);

    (void)state;
    laser_cut_factors(&cut, RANK, a, b);
    for (int i = 0; i < RANK; ++i) {
        double p = 0;
        for (int r = 0; r < ROWS; ++r)
            p += a[r * RANK + i] * a[r * RANK + i];
        assert_true(fabs(sqrt(p) - norm(b + i * COLUMNS, COLUMNS)) <= 1e-12 * sqrt(p));
    }
    laser_cut_free(&cut);
    free(c);
    free(w);
}

static void a_matrix_of_zeros_can_be_cut(void **state)
{
    double w[6] = {0}, a[2], b[3];
    struct laser_whitened_cut cut = cut_of(w, 2, 3, NULL, NULL, 1);

    (void)state;
    laser_cut_factors(&cut, 1, a, b);
    for (int i = 0; i < 2; ++i)
        assert_true(a[i] == 0);
    for (int i = 0; i < 3; ++i)
        assert_true(isfinite(b[i]));
    laser_cut_free(&cut);
}

static void what_is_not_finite_is_named(void **state)
{
    double c[4] = {1, 0, NAN, 1}, w[6] = {0, 1, 2, 3, INFINITY, 5};
    struct laser_root root;
    struct laser_whitened_cut cut;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_root_make(c, 2, 3, &root, &err), LASER_ENUMERIC);
    assert_non_null(strstr(err.text, "(1, 0)"));
    assert_int_equal(laser_cut_make(w, 2, 3, NULL, NULL, &cut, &err), LASER_ENUMERIC);
    assert_non_null(strstr(err.text, "(1, 1)"));
}

static void a_covariance_of_another_size_is_refused(void **state)
{
    double c[4] = {1, 0, 0, 1}, w[6] = {0, 1, 2, 3, 4, 5};
    struct laser_root root;
    struct laser_whitened_cut cut;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_root_make(c, 2, 3, &root, &err), LASER_OK);
    assert_int_equal(laser_cut_make(w, 2, 3, &root, NULL, &cut, &err), LASER_EINTERNAL);
    laser_root_free(&root);
}

static void methods_are_found_by_name(void **state)
{
    (void)state;
    assert_string_equal(laser_compress_methods[0].name, "both");
    assert_true(laser_compress_method_find("both")->inputs && laser_compress_method_find("both")->gradients);
    assert_true(laser_compress_method_find("inputs")->inputs);
    assert_false(laser_compress_method_find("inputs")->gradients);
    assert_false(laser_compress_method_find("plain")->inputs);
    assert_null(laser_compress_method_find("cholesky"));
}

/* What the functions say of themselves, and the sums and the matrix that they are given. */
static void memory_is_that_of_the_largest_step(void **state)
{
    const struct laser_compress_method *both = laser_compress_method_find("both"),
                                       *inputs = laser_compress_method_find("inputs"),
                                       *plain = laser_compress_method_find("plain");
    double cut = (double)laser_cut_bytes(300, 500);

    (void)state;
    assert_true(laser_cut_memory(300, 500, plain) == 8 * 300 * 500 + cut);
    assert_true(laser_cut_memory(300, 500, inputs) == 2 * 8 * 500 * 500 + 8 * 300 * 500 + cut);
    assert_true(laser_cut_memory(300, 500, both) == 2 * 8 * (300 * 300 + 500 * 500) + 8 * 300 * 500 + cut);
    /* a long side whose root takes more than the cut */
    assert_true(laser_cut_memory(10, 5000, inputs) == 8.0 * 5000 * 5000 + (double)laser_root_bytes(5000));
}

static void the_product_of_the_factors_is_the_cut(void **state)
{
    double *w = random_matrix(7 * 5, 3), a[7 * 5], b[5 * 5], made[7 * 5];
    struct laser_whitened_cut cut = cut_of(w, 7, 5, NULL, NULL, 1);

    (void)state;
    laser_cut_factors(&cut, 5, a, b);
    laser_cut_product(7, 5, 5, a, b, made);
    assert_true(distance(made, w, 7 * 5) < 1e-13 * norm(w, 7 * 5));
    laser_cut_free(&cut);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_products_are_those_of_numpy),
        cmocka_unit_test(predicted_loss_is_that_of_the_product),
        cmocka_unit_test(identities_give_the_plain_cut),
        cmocka_unit_test(full_rank_gives_the_matrix_back),
        cmocka_unit_test(no_other_cut_of_the_same_rank_costs_less),
        cmocka_unit_test(the_rank_of_a_covariance_is_told),
        cmocka_unit_test(inputs_that_no_token_reached_leave_the_matrix_as_it_is),
        cmocka_unit_test(factors_of_one_direction_are_of_equal_length),
        cmocka_unit_test(a_matrix_of_zeros_can_be_cut),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(a_covariance_of_another_size_is_refused),
        cmocka_unit_test(methods_are_found_by_name),
        cmocka_unit_test(memory_is_that_of_the_largest_step),
        cmocka_unit_test(the_product_of_the_factors_is_the_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reference route, the bounds that decide between the routes, and edited matrices. */
#include "testing_linalg.h"

#include "linalg/accuracy.h"
#include "linalg/basis.h"
#include "linalg/blas.h"
#include "linalg/factors.h"
#include "linalg/project.h"
#include "linalg/reference.h"
#include "plan/solver_cost.h"
#include "spectrum/edit.h"

static void reference_values(const double *a, int64_t rows, int64_t columns, int64_t count, double *s)
{
    struct laser_reference reference;
    int64_t n = rows < columns ? rows : columns, total = rows < columns ? columns : rows;
    double *slab = malloc((size_t)(count * n) * sizeof *slab);
    assert_non_null(slab);
    assert_int_equal(laser_reference_init(&reference, rows, columns, NULL), LASER_OK);
    for (int64_t first = 0; first < total; first += count) {
        int64_t here = total - first < count ? total - first : count;
        copy_slab(a, rows, columns, first, here, slab);
        assert_int_equal(laser_reference_add(&reference, slab, here, NULL), LASER_OK);
    }
    assert_int_equal(laser_reference_values(&reference, s, NULL), LASER_OK);
    laser_reference_free(&reference);
    free(slab);
}

static void check_reference(int64_t rows, int64_t columns, double bottom, double scale)
{
    int64_t n = rows < columns ? rows : columns;
    double *s = calloc((size_t)n, sizeof *s), *found = calloc((size_t)n, sizeof *found);
    assert_true(s != NULL && found != NULL);
    for (int64_t i = 0; i < n; i++)
        s[i] = n == 1 ? 1 : pow(bottom, (double)i / (double)(n - 1));
    double *a = known_matrix(rows, columns, s, scale);
    reference_values(a, rows, columns, 29, found);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(found[i] / scale - s[i]) <= 1e-12))
            fail_msg("%d x %d: S[%d] = %.17g, expected %.17g", (int)rows, (int)columns, (int)i,
                     found[i] / scale, s[i]);
    free(a);
    free(s);
    free(found);
}

static void reference_is_exact_for_every_shape_and_scale(void **state)
{
    (void)state;
    check_reference(120, 50, 1e-14, 1);
    check_reference(50, 120, 1e-14, 1);
    check_reference(100, 100, 1e-10, 1);
    check_reference(1, 70, 1, 1);
    check_reference(70, 1, 1, 1);
    check_reference(60, 40, 1e-9, 1e-170);
    check_reference(40, 60, 1e-9, 1e200);
}

static void reference_of_a_zero_matrix(void **state)
{
    double a[15] = {0}, s[3];
    (void)state;
    reference_values(a, 5, 3, 2, s);
    assert_true(s[0] == 0 && s[2] == 0);
}

static void reference_refuses_not_a_number(void **state)
{
    double rows[4] = {1, 2, 3, INFINITY};
    struct laser_reference reference;
    struct laser_error err;
    (void)state;
    assert_int_equal(laser_reference_init(&reference, 2, 2, NULL), LASER_OK);
    assert_int_equal(laser_reference_add(&reference, rows, 2, &err), LASER_ENUMERIC);
    assert_string_equal(err.text, "entry [1, 1] is infinite");
    laser_reference_free(&reference);
}

/* The Gram matrix of all of a, in slabs of 31. */
static void gather(const double *a, int64_t rows, int64_t columns, struct laser_gram *gram)
{
    int64_t n = rows < columns ? rows : columns, total = rows < columns ? columns : rows;
    double *slab = malloc((size_t)(31 * n) * sizeof *slab);
    assert_non_null(slab);
    assert_int_equal(laser_gram_init(gram, rows, columns, NULL), LASER_OK);
    for (int64_t first = 0; first < total; first += 31) {
        int64_t here = total - first < 31 ? total - first : 31;
        copy_slab(a, rows, columns, first, here, slab);
        assert_int_equal(laser_gram_add(gram, slab, here, NULL), LASER_OK);
    }
    free(slab);
}

static void bounds_cover_the_errors_of_the_gram_route(void **state)
{
    enum { M = 260, N = 200 };
    static const double bottoms[] = {0.1, 1e-3, 1e-6, 1e-9};
    static double s[N], found[N], bound[N];
    struct laser_gram gram;
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        for (int i = 0; i < N; i++) /* geometric, or two levels */
            s[i] = kind < 4 ? pow(bottoms[kind], i / (N - 1.)) : i < N / 4 ? 1 : bottoms[kind - 4];
        double *a = known_matrix(M, N, s, 1);
        gather(a, M, N, &gram);
        assert_int_equal(laser_gram_values(&gram, LASER_STAGES_TWO, found, NULL), LASER_OK);
        laser_gram_free(&gram);
        laser_gram_errors(found, N, bound);
        for (int i = 0; i < N; i++)
            if (!(fabs(found[i] - s[i]) <= bound[i]))
                fail_msg("kind %d: S[%d] = %g off by %g, bound %g", kind, i, s[i], found[i] - s[i], bound[i]);
        free(a);
    }
}

static void good_spectra_stay_with_the_gram_route(void **state)
{
    enum { N = 400 };
    static const char *const rules[] = {"laserrmt", "marchenko-pastur", "gavish-donoho", "rank:0.5",
                                        "energy:0.9"};
    static double s[N];
    (void)state;
    for (int i = 0; i < N; i++)
        s[i] = 10 * pow(1 - i / (N + 1.), 2) * (i == 0 ? 20 : 1);
    for (size_t i = 0; i < 5; i++) {
        struct laser_rule rule;
        char reason[160] = "";
        assert_int_equal(laser_rule_parse(rules[i], &rule, NULL), LASER_OK);
        if (!laser_gram_is_enough(s, N, 3 * N, &rule, LASER_SCORE_TOLERANCE, reason, sizeof reason))
            fail_msg("%s: %s", rules[i], reason);
    }
}

static void doubtful_spectra_go_to_the_reference(void **state)
{
    struct laser_rule compat = {LASER_RULE_LASERRMT, 0}, energy = {LASER_RULE_ENERGY, 0.5};
    struct laser_rule edge_rule = {LASER_RULE_MARCHENKO_PASTUR, 0};
    double zeros[4] = {4, 2, 1, 0}, flat[4] = {1, 1, 1, 1}, steep[40], edge[5] = {3, 2, 1, 0.5, 0.25};
    char reason[160];
    (void)state;
    assert_false(laser_gram_is_enough(zeros, 4, 4, &compat, 1e-9, reason, sizeof reason));
    assert_non_null(strstr(reason, "told from zero"));
    assert_false(laser_gram_is_enough(flat, 4, 4, &energy, 1e-9, reason, sizeof reason));
    assert_non_null(strstr(reason, "energy"));
    for (int i = 0; i < 40; i++)
        steep[i] = i < 4 ? 1 : 2e-5 * (1 - i * 0.01);
    assert_false(laser_gram_is_enough(steep, 40, 40, &edge_rule, 1e-9, reason, sizeof reason));
    assert_non_null(strstr(reason, "score"));
    /* the quartiles are entries 1 and 3: put entry 0 on the threshold */
    edge[0] = (edge[1] - edge[3]) / 1.349 * 2;
    assert_false(laser_gram_is_enough(edge, 5, 5, &compat, 1e-9, reason, sizeof reason));
    assert_non_null(strstr(reason, "threshold"));
}

static void zero_matrix_needs_no_reference(void **state)
{
    struct laser_rule compat = {LASER_RULE_LASERRMT, 0};
    double s[3] = {0, 0, 0};
    (void)state;
    assert_true(laser_gram_is_enough(s, 3, 3, &compat, 1e-9, NULL, 0));
}

/* |x - y|_F / |y|_F, or |x|_F if y = 0. */
static double distance(const double *x, const double *y, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += (x[i] - y[i]) * (x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return sqrt(difference) / (norm > 0 ? sqrt(norm) : 1);
}

/* The edited matrix through the filter, in slabs of 23. */
static void edit_by_filter(const struct laser_basis *basis, const double *s_new, const double *a, double *out)
{
    int64_t rows = basis->rows, columns = basis->columns, n = basis->n,
            total = rows < columns ? columns : rows;
    double *filter = malloc((size_t)(n * n) * sizeof *filter), *in = malloc((size_t)(46 * n) * sizeof *in);
    double *result = in + 23 * n;
    assert_true(filter != NULL && in != NULL);
    assert_int_equal(laser_basis_filter(basis, s_new, filter, NULL), LASER_OK);
    for (int64_t first = 0; first < total; first += 23) {
        int64_t here = total - first < 23 ? total - first : 23;
        copy_slab(a, rows, columns, first, here, in);
        assert_int_equal(laser_filter_apply(basis, filter, in, here, result, NULL), LASER_OK);
        if (rows >= columns)
            memcpy(out + first * columns, result, (size_t)(here * columns) * sizeof *out);
        else
            for (int64_t i = 0; i < rows; i++)
                memcpy(out + i * columns + first, result + i * here, (size_t)here * sizeof *out);
    }
    free(filter);
    free(in);
}

static void edit_by_factors(const struct laser_basis *basis, const double *s_new, int64_t k, const double *a,
                            double *out)
{
    int64_t rows = basis->rows, columns = basis->columns;
    double *left = calloc((size_t)(rows * k + 1), sizeof *left),
           *right = calloc((size_t)(k * columns + 1), sizeof *right);
    assert_true(left != NULL && right != NULL);
    assert_int_equal(laser_basis_short_factor(basis, s_new, k, rows >= columns ? right : left, NULL),
                     LASER_OK);
    assert_int_equal(laser_basis_long_factor(basis, s_new, k, a, rows >= columns ? rows : columns,
                                             rows >= columns ? left : right, NULL),
                     LASER_OK);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += left[i * k + l] * right[l * columns + j];
            out[i * columns + j] = sum;
        }
    free(left);
    free(right);
}

/* The same from the matrix's coordinates, in slabs of 23; all vectors from `basis`. */
static void edit_by_projection(const struct laser_basis *basis, const double *s_new, const double *a,
                               double *out)
{
    int64_t rows = basis->rows, columns = basis->columns, n = basis->n,
            total = rows < columns ? columns : rows;
    double *slab = malloc((size_t)(69 * n) * sizeof *slab);
    assert_non_null(slab);
    double *projected = slab + 23 * n, *scratch = projected + 23 * n;
    for (int64_t first = 0; first < total; first += 23) {
        int64_t here = total - first < 23 ? total - first : 23;
        copy_slab(a, rows, columns, first, here, slab);
        assert_int_equal(laser_basis_project(basis, slab, here, projected, NULL), LASER_OK);
        assert_int_equal(laser_basis_edit(basis, s_new, slab, projected, here, scratch, slab, NULL),
                         LASER_OK);
        if (rows >= columns)
            memcpy(out + first * columns, slab, (size_t)(here * columns) * sizeof *out);
        else
            for (int64_t i = 0; i < rows; i++)
                memcpy(out + i * columns + first, slab + i * here, (size_t)here * sizeof *out);
    }
    free(slab);
}

static void check_edit(int64_t rows, int64_t columns, const char *text)
{
    int64_t n = rows < columns ? rows : columns, size = rows * columns, first, end;
    struct laser_edit edit;
    struct laser_gram gram;
    struct laser_basis basis;
    double *s = malloc((size_t)(2 * n + 3 * size) * sizeof *s);
    assert_non_null(s);
    double *s_new = s + n, *expected = s_new + n, *found = expected + size, *copy = found + size;
    for (int64_t i = 0; i < n; i++)
        s[i] = 3 * pow(1e-4, (double)i / (double)n);
    double *a = known_matrix(rows, columns, s, 1);
    assert_int_equal(laser_edit_parse(text, &edit, NULL), LASER_OK);
    int64_t k = laser_edit_apply(&edit, s, rows, columns, s_new);
    laser_basis_range(s, s_new, n, &first, &end);
    gather(a, rows, columns, &gram);
    assert_int_equal(laser_basis_init(&basis, &gram, first, end, NULL), LASER_OK);
    memcpy(copy, a, (size_t)size * sizeof *a);
    assert_int_equal(laser_rebuild_reference(copy, rows, columns, s_new, expected, NULL), LASER_OK);
    /* the vectors' own values, for edits that depend on them */
    k = laser_edit_apply(&edit, basis.s, rows, columns, s_new);
    assert_true(laser_basis_error(&basis, s_new) < 1e-8);
    edit_by_filter(&basis, s_new, a, found);
    double off = distance(found, expected, size);
    if (!(off < 1e-10))
        fail_msg("%d x %d %s: off by %g", (int)rows, (int)columns, text, off);
    edit_by_projection(&basis, s_new, a, found);
    off = distance(found, expected, size);
    if (!(off < 1e-10))
        fail_msg("%d x %d %s: by projection off by %g", (int)rows, (int)columns, text, off);
    if (first == 0 && k <= end) {
        edit_by_factors(&basis, s_new, k, a, found);
        assert_true(distance(found, expected, size) < 1e-10);
    }
    laser_basis_free(&basis);
    free(a);
    free(s);
}

static void edited_matrices_equal_those_of_the_full_decomposition(void **state)
{
    static const char *const edits[] = {"rank=0",     "rank=1",       "rank=9",     "rank=15",
                                        "rank=30",    "rank=39",      "rank=40",    "shrink:0.5",
                                        "wiener:0.5", "wiener:0.125", "energy:0.99"};
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        check_edit(70, 40, edits[i]);
        check_edit(40, 70, edits[i]);
        check_edit(40, 40, edits[i]);
    }
}

/* Every rank, against the expansion by dgesdd; the vectors are orthonormal, W - W_k is orthogonal to them. */
static void every_rank_is_the_best_approximation(void **state)
{
    enum { ROWS = 33, COLUMNS = 21 };
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        const int64_t rows = wide ? COLUMNS : ROWS, columns = wide ? ROWS : COLUMNS, n = COLUMNS;
        double s[COLUMNS], s_new[COLUMNS], found[ROWS * COLUMNS], expected[ROWS * COLUMNS],
            copy[ROWS * COLUMNS];
        struct laser_gram gram;
        struct laser_basis basis;
        for (int i = 0; i < COLUMNS; i++)
            s[i] = 5 * pow(0.8, i);
        double *a = known_matrix(rows, columns, s, 7);
        gather(a, rows, columns, &gram);
        assert_int_equal(laser_basis_init(&basis, &gram, 0, n, NULL), LASER_OK);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double dot = 0;
                for (int64_t t = 0; t < n; t++)
                    dot += basis.vectors[i * n + t] * basis.vectors[j * n + t];
                assert_true(fabs(dot - (i == j)) < 1e-13);
            }
        for (int64_t k = 0; k <= n; k++) {
            for (int64_t i = 0; i < n; i++)
                s_new[i] = i < k ? basis.s[i] : 0;
            edit_by_filter(&basis, s_new, a, found);
            memcpy(copy, a, sizeof copy);
            assert_int_equal(laser_rebuild_reference(copy, rows, columns, s_new, expected, NULL), LASER_OK);
            assert_true(distance(found, expected, rows * columns) < 1e-12);
            double rest = 0, left = 0;
            for (int64_t i = 0; i < rows * columns; i++)
                rest += (a[i] - found[i]) * (a[i] - found[i]);
            for (int64_t i = k; i < n; i++)
                left += basis.s[i] * basis.s[i];
            assert_true(fabs(sqrt(rest) - sqrt(left)) < 1e-12);
        }
        laser_basis_free(&basis);
        free(a);
    }
}

/* One decomposition serves edits that need fewer of its vectors, and those that change few values. */
static void one_basis_serves_all_edits(void **state)
{
    static const char *const edits[] = {"rank=3", "rank=0", "rank=17", "rank=30", "none", "wiener:0.5"};
    enum { ROWS = 30, COLUMNS = 50 };
    double s[ROWS], s_new[ROWS], expected[ROWS * COLUMNS], found[ROWS * COLUMNS], copy[ROWS * COLUMNS];
    struct laser_gram gram;
    struct laser_basis basis;
    struct laser_edit edit;
    (void)state;
    for (int i = 0; i < ROWS; i++)
        s[i] = 30 - i;
    double *a = known_matrix(ROWS, COLUMNS, s, 1);
    gather(a, ROWS, COLUMNS, &gram);
    assert_int_equal(laser_basis_init(&basis, &gram, 0, ROWS, NULL), LASER_OK);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        assert_int_equal(laser_edit_parse(edits[i], &edit, NULL), LASER_OK);
        laser_edit_apply(&edit, basis.s, ROWS, COLUMNS, s_new);
        memcpy(copy, a, sizeof copy);
        assert_int_equal(laser_rebuild_reference(copy, ROWS, COLUMNS, s_new, expected, NULL), LASER_OK);
        edit_by_projection(&basis, s_new, a, found);
        if (!(distance(found, expected, ROWS * COLUMNS) < 1e-10))
            fail_msg("%s: off by %g", edits[i], distance(found, expected, ROWS * COLUMNS));
    }
    laser_basis_free(&basis);
    free(a);
}

static void cut_between_equal_values_is_seen_as_ill_posed(void **state)
{
    enum { N = 20 };
    double s[N], s_new[N];
    struct laser_gram gram;
    struct laser_basis basis;
    (void)state;
    for (int i = 0; i < N; i++)
        s[i] = i < 10 ? 2 : 1;
    double *a = known_matrix(N, N, s, 1);
    gather(a, N, N, &gram);
    assert_int_equal(laser_basis_init(&basis, &gram, 0, N, NULL), LASER_OK);
    for (int i = 0; i < N; i++)
        s_new[i] = i < 10 ? basis.s[i] : 0;
    assert_true(laser_basis_error(&basis, s_new) < 1e-12);
    s_new[9] = 0;
    assert_true(laser_basis_error(&basis, s_new) > 1e-3);
    laser_basis_free(&basis);
    free(a);
}

static void vectors_outside_the_range_are_missed(void **state)
{
    double s[6] = {6, 5, 4, 3, 2, 1}, s_new[6] = {6, 5, 0, 0, 0, 0}, filter[36];
    struct laser_gram gram;
    struct laser_basis basis;
    (void)state;
    double *a = known_matrix(6, 6, s, 1);
    gather(a, 6, 6, &gram);
    assert_int_equal(laser_basis_init(&basis, &gram, 0, 1, NULL), LASER_OK);
    assert_int_equal(laser_basis_filter(&basis, s_new, filter, NULL), LASER_EINTERNAL);
    assert_int_equal(laser_basis_short_factor(&basis, s_new, 2, filter, NULL), LASER_EINTERNAL);
    laser_basis_free(&basis);
    free(a);
}

static void costs_grow_and_agree_with_the_formulas(void **state)
{
    (void)state;
    assert_true(laser_solver_flops_gather(LASER_SOLVER_GRAM, 4096, 14336) == 4096. * 4096 * 14336);
    assert_true(laser_solver_seconds(6e10, LASER_SOLVER_GRAM, 4096, 4096) <
                laser_solver_seconds(6e10, LASER_SOLVER_GESVD, 4096, 4096));
    assert_true(laser_solver_seconds(6e10, LASER_SOLVER_GRAM, 576, 1536) ==
                laser_solver_seconds(6e10, LASER_SOLVER_GRAM, 1536, 576));
    assert_true(laser_solver_bytes(LASER_SOLVER_GRAM, 4096, 14336, 64 << 20) <
                24ll * 4096 * 4096 + 200000000);
    assert_true(laser_solver_measure_gemm() > 1e8);
}

static void blas_says_what_it_is(void **state)
{
    (void)state;
    assert_true(strlen(laser_blas_description()) > 0);
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    assert_null(laser_blas_better_core());
}

static void a_value_that_cannot_be_told_from_zero_goes_to_the_reference(void **state)
{
    const double s[4] = {1, 0.5, 0.4, 1e-9};
    struct laser_rule rule = {LASER_RULE_RANK, 0.25};
    char reason[200];

    (void)state;
    assert_int_equal(laser_gram_is_enough(s, 4, 4, &rule, 1e-4, reason, sizeof reason), 0);
    assert_non_null(strstr(reason, "value 4 of 4"));
    assert_non_null(strstr(reason, "cannot be told from zero"));
}

static void a_direction_without_length_stays_without(void **state)
{
    double w[4] = {2, 0, 0, 0}, filter[4];
    const double s_new[2] = {1, 0};
    struct laser_basis basis;

    (void)state;
    assert_int_equal(laser_factors_basis(w, 2, 2, &basis, NULL), LASER_OK);
    basis.s[1] = 0; /* not the rounding of it */
    assert_int_equal(laser_basis_filter(&basis, s_new, filter, NULL), LASER_OK);
    assert_float_equal(filter[0], 0.5, 1e-14);
    for (int i = 1; i < 4; i++)
        assert_float_equal(filter[i], 0, 1e-14);
    laser_basis_free(&basis);
}

/* W = diag(3, 2) with a row of zeros, or its transpose: half of the second direction alone. */
static void chosen_directions_make_two_thin_matrices(void **state)
{
    const int second = 1;
    const double half = 0.5;

    (void)state;
    for (int tall = 0; tall < 2; tall++) {
        int rows = tall ? 3 : 2, columns = tall ? 2 : 3;
        double w[6] = {0}, copy[6], a[3], b[3];
        struct laser_basis basis;
        w[0] = 3;
        w[columns + 1] = 2;
        memcpy(copy, w, sizeof w);
        assert_int_equal(laser_factors_basis(copy, rows, columns, &basis, NULL), LASER_OK);
        assert_int_equal(laser_factors_make(&basis, w, &second, &half, 1, a, b, NULL), LASER_OK);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                assert_float_equal(a[i] * b[j], i == 1 && j == 1 ? 1 : 0, 1e-14);
        laser_basis_free(&basis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_exact_for_every_shape_and_scale),
        cmocka_unit_test(reference_of_a_zero_matrix),
        cmocka_unit_test(reference_refuses_not_a_number),
        cmocka_unit_test(bounds_cover_the_errors_of_the_gram_route),
        cmocka_unit_test(good_spectra_stay_with_the_gram_route),
        cmocka_unit_test(doubtful_spectra_go_to_the_reference),
        cmocka_unit_test(zero_matrix_needs_no_reference),
        cmocka_unit_test(edited_matrices_equal_those_of_the_full_decomposition),
        cmocka_unit_test(every_rank_is_the_best_approximation),
        cmocka_unit_test(one_basis_serves_all_edits),
        cmocka_unit_test(cut_between_equal_values_is_seen_as_ill_posed),
        cmocka_unit_test(vectors_outside_the_range_are_missed),
        cmocka_unit_test(costs_grow_and_agree_with_the_formulas),
        cmocka_unit_test(blas_says_what_it_is),
        cmocka_unit_test(a_value_that_cannot_be_told_from_zero_goes_to_the_reference),
        cmocka_unit_test(a_direction_without_length_stays_without),
        cmocka_unit_test(chosen_directions_make_two_thin_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

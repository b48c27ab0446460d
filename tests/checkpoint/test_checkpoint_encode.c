/* Edited values of quantised weights in their own format again: fixtures of tools/golden/make_quantised.py. */
#include "checkpoint_fixture.h"

#include <math.h>

#include "checkpoint/coded.h"
#include "checkpoint/encode.h"
#include "checkpoint/step.h"
#include "checkpoint/writer.h"

#define QUANTISED SRCDIR "/tests/golden/quantised"

static const char *const methods[] = {"packed4",    "packed8", "packed3", "float_quantized",
                                      "fp8_padded", "mxfp4",   "nvfp4",   "mlx3",
                                      "mlx4",       "mlx6"};
#define N_METHODS (sizeof methods / sizeof *methods)

/* The matrices that can be edited, and what is done with each. */
typedef void visit(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, double *x,
                   int64_t n);

static void for_each(struct laser_checkpoint *c, visit *what)
{
    const struct laser_matrix_options all = {.include = (const char *const[]){"*"}, .n_include = 1};
    struct laser_matrix_list list;
    struct laser_error err = {0};
    int n_seen = 0;

    assert_int_equal(laser_matrix_list(c, &all, &list, &err), LASER_OK);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];
        const int64_t n = m->rows * m->cols;
        double *x = malloc((size_t)n * sizeof *x);
        void *bytes = malloc((size_t)n * 8);

        if (c->tensors[m->tensor].coded != NULL && laser_matrix_encodes(c, m)) {
            assert_int_equal(laser_matrix_read(c, m, 0, m->rows, 0, m->cols, x, m->cols, &err), LASER_OK);
            what(c, m, bytes, x, n);
            n_seen++;
        }
        free(x);
        free(bytes);
    }
    assert_true(n_seen > 0);
    laser_matrix_list_free(&list);
}

static void snap(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, const double *from,
                 double *to, int64_t n)
{
    struct laser_error err = {0};

    laser_dtype_from_f64(m->dtype, from, n, bytes);
    if (laser_matrix_snap(c, m, bytes, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    laser_dtype_to_f64(m->dtype, bytes, n, to);
}

static void check_near(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, double *x,
                       int64_t n)
{
    double *y = calloc((size_t)n, sizeof *y), *z = calloc((size_t)n, sizeof *z);

    for (int64_t i = 0; i < n; i++) /* a thousandth: far less than half a step */
        y[i] = x[i] * (i % 2 == 0 ? 1.001 : 0.999);
    snap(c, m, bytes, y, z, n);
    for (int64_t i = 0; i < n; i++)
        if (z[i] != x[i])
            fail_msg("%s: %.17g near %.17g became %.17g", m->name, y[i], x[i], z[i]);
    free(y);
    free(z);
}

static void a_value_near_another_becomes_it(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_METHODS; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, methods[k]));

        for_each(c, check_near);
        laser_checkpoint_close(c);
    }
}

static void check_far(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, double *x,
                      int64_t n)
{
    double *y = calloc((size_t)n, sizeof *y), *z = calloc((size_t)n, sizeof *z);
    int64_t moved = 0;

    for (int64_t i = 0; i < n; i++)
        y[i] = 0.6 * x[i];
    snap(c, m, bytes, y, z, n);
    for (int64_t i = 0; i < n; i++) {
        moved += z[i] != x[i];
        if (!(fabs(z[i] - y[i]) <= fabs(x[i] - y[i]) * 1.01))
            fail_msg("%s: %.17g became %.17g, and %.17g is nearer", m->name, y[i], z[i], x[i]);
    }
    assert_true(moved > n / 4);
    memcpy(y, z, (size_t)n * sizeof *y);
    snap(c, m, bytes, y, z, n);
    assert_memory_equal(y, z, (size_t)n * sizeof *y);
    free(y);
    free(z);
}

static void what_was_rounded_stays_and_nothing_is_farther_than_what_was_there(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_METHODS; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, methods[k]));

        for_each(c, check_far);
        laser_checkpoint_close(c);
    }
}

static char folder[600], edit[700];

/* Puts 0.6 times the matrix in its place. */
static void redirect(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, double *x,
                     int64_t n)
{
    struct laser_safetensors_item item = {
        .name = m->name, .dtype = m->dtype, .n_dims = 2, .shape = {m->rows, m->cols}, .data = bytes};
    struct laser_error err = {0};

    for (int64_t i = 0; i < n; i++)
        x[i] *= 0.6;
    snap(c, m, bytes, x, x, n);
    snprintf(edit, sizeof edit, "%s-%lld-%lld.safetensors", folder, (long long)m->tensor,
             (long long)m->first);
    assert_int_equal(laser_safetensors_write(edit, &item, 1, &err), LASER_OK);
    assert_int_equal(laser_matrix_redirect(c, m, edit, &err), LASER_OK);
}

static void written_weights_are_read_as_they_were_evaluated(void **state)
{
    const char *dir = *state;

    for (size_t k = 0; k < N_METHODS; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, methods[k])), *again;
        struct laser_error err = {0};

        snprintf(folder, sizeof folder, "%s/%s", dir, methods[k]);
        c->requantise = true;
        for_each(c, redirect);
        if (laser_checkpoint_write(c, folder, &err) != LASER_OK)
            fail_msg("%s: %s", err.where, err.text);
        again = open_model(folder);
        assert_int_equal(again->n_tensors, c->n_tensors);
        for (int64_t i = 0; i < c->n_tensors; i++) {
            char *wanted = read_tensor(c, &c->tensors[i]), *found = read_tensor(again, &again->tensors[i]);

            assert_string_equal(laser_coded_format(&again->tensors[i]), laser_coded_format(&c->tensors[i]));
            if (memcmp(found, wanted, (size_t)c->tensors[i].size_bytes) != 0)
                fail_msg("%s of %s is another", c->tensors[i].name, methods[k]);
            free(wanted);
            free(found);
        }
        laser_checkpoint_close(again);
        laser_checkpoint_close(c);
    }
}

static void formats_whose_codes_are_not_made_again_are_refused_with_the_way_out(void **state)
{
    static const char *const others[] = {"gptq", "awq", "bitsandbytes"};

    const char *dir = *state;

    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, others[k]));
        struct laser_writer *w;
        struct laser_error err = {0};

        c->requantise = true;
        snprintf(folder, sizeof folder, "%s/%s", dir, others[k]);
        assert_int_equal(laser_writer_open(c, folder, &w, &err), LASER_EUSAGE);
        assert_non_null(strstr(err.text, "--write-dtype bfloat16"));
        laser_checkpoint_close(c);
    }
}

/* sqrt(mean of squares / 12) of the scales, which all hold for as many elements. */
static double noise_of_scales(const struct laser_checkpoint *c, const char *name)
{
    const struct laser_tensor *s = laser_checkpoint_find(c, name)->coded->parts[LASER_PART_SCALE];
    const int64_t n = s->size_bytes / (int64_t)laser_dtype_size(s->dtype);
    struct laser_error err = {0};
    double *scales, sum = 0;

    assert_int_equal(laser_coded_doubles(c, s, n, 0, 1, 0, n, &scales, &err), LASER_OK);
    for (int64_t i = 0; i < n; i++)
        sum += scales[i] * scales[i];
    free(scales);
    return sqrt(sum / (double)n / 12);
}

static void check_step(struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes, double *x,
                       int64_t n)
{
    struct laser_error err = {0};
    double sigma;

    (void)bytes;
    (void)x;
    (void)n;
    assert_int_equal(laser_matrix_step_noise(c, m, &sigma, &err), LASER_OK);
    assert_true(fabs(sigma / noise_of_scales(c, m->name) - 1) < 1e-2); /* bfloat16 rounds the values */
}

static void the_noise_of_integers_follows_from_their_scales(void **state)
{
    struct laser_checkpoint *c = open_model(QUANTISED "/packed8");

    (void)state;
    for_each(c, check_step);
    laser_checkpoint_close(c);
}

static void weights_that_are_not_quantised_have_no_step(void **state)
{
    struct laser_checkpoint *c = open_model(QUANTISED "/packed8/expect");
    struct laser_matrix_list list;
    struct laser_error err = {0};
    double sigma = 1;

    (void)state;
    assert_int_equal(laser_matrix_list(c, NULL, &list, &err), LASER_OK);
    assert_int_equal(laser_matrix_step_noise(c, &list.matrices[0], &sigma, &err), LASER_OK);
    assert_true(sigma == 0);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_near_another_becomes_it),
        cmocka_unit_test(the_noise_of_integers_follows_from_their_scales),
        cmocka_unit_test(weights_that_are_not_quantised_have_no_step),
        cmocka_unit_test(what_was_rounded_stays_and_nothing_is_farther_than_what_was_there),
        cmocka_unit_test_setup_teardown(written_weights_are_read_as_they_were_evaluated, make_temporary,
                                        remove_temporary),
        cmocka_unit_test_setup_teardown(formats_whose_codes_are_not_made_again_are_refused_with_the_way_out,
                                        make_temporary, remove_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

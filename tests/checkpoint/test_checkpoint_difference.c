/* W_tuned - W_base: fixtures of tools/golden/make_difference.py. */
#include "checkpoint_fixture.h"

#include "checkpoint/coded.h"
#include "checkpoint/difference.h"
#include "checkpoint/matrix.h"
#include "checkpoint/source.h"

#define DIFFERENCE SRCDIR "/tests/golden/difference"

static struct laser_checkpoint *open_difference(struct laser_difference *found)
{
    struct laser_checkpoint *tuned = open_model(DIFFERENCE "/tuned"), *base = open_model(DIFFERENCE "/base");
    struct laser_error err = {0};

    if (laser_checkpoint_subtract(tuned, base, found, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    laser_checkpoint_close(base);
    return tuned;
}

/* Every matrix that c lists, against numpy's. */
static int64_t check_matrices(const struct laser_checkpoint *c)
{
    struct laser_checkpoint *golden = open_model(DIFFERENCE "/expect");
    struct laser_matrix_list list;
    struct laser_error err = {0};
    int64_t n;

    assert_int_equal(laser_matrix_list(c, NULL, &list, &err), LASER_OK);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];
        const struct laser_tensor *expected = laser_checkpoint_find(golden, m->name);
        double values[80 * 48], wanted[80 * 48];

        assert_non_null(expected);
        assert_int_equal(laser_matrix_read(c, m, 0, m->rows, 0, m->cols, values, m->cols, &err), LASER_OK);
        assert_int_equal(laser_checkpoint_read(golden, expected, 0, expected->size_bytes, wanted, &err),
                         LASER_OK);
        assert_memory_equal(values, wanted, (size_t)(m->rows * m->cols) * sizeof(double));
    }
    n = list.n_matrices;
    laser_matrix_list_free(&list);
    laser_checkpoint_close(golden);
    return n;
}

static void differences_are_those_of_numpy_to_the_bit(void **state)
{
    struct laser_difference found;
    struct laser_checkpoint *c = open_difference(&found);

    (void)state;
    assert_int_equal(check_matrices(c), 7);
    laser_checkpoint_close(c);
}

static void a_packed_difference_unpacks_to_the_same(void **state)
{
    struct laser_difference found;
    struct laser_checkpoint *c = open_difference(&found), *copy = NULL;
    struct laser_error err = {0};
    void *packed = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    laser_checkpoint_close(c);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    free(packed);
    assert_int_equal(check_matrices(copy), 7);
    laser_checkpoint_close(copy);
}

static const char *reason_of(const struct laser_checkpoint *c, const char *name)
{
    const struct laser_tensor *t = laser_checkpoint_find(c, name);

    assert_non_null(t);
    return laser_coded_reason(t) != NULL ? laser_coded_reason(t) : "";
}

static void tensors_without_a_partner_are_named(void **state)
{
    struct laser_difference found;
    struct laser_checkpoint *c = open_difference(&found);

    (void)state;
    assert_int_equal(found.n_compared, 7);
    assert_int_equal(found.n_reshaped, 1);
    assert_int_equal(found.n_only_here, 1);
    assert_int_equal(found.n_only_base, 1);
    assert_string_equal(reason_of(c, "model.embed_tokens.weight"), "of another shape in the base");
    assert_string_equal(reason_of(c, "model.layers.0.mlp.new.weight"), "not in the base");
    assert_string_equal(reason_of(c, "model.layers.0.mlp.old.weight"), "only in the base");
    laser_checkpoint_close(c);
}

static void the_fingerprint_is_not_that_of_the_tuned_model(void **state)
{
    struct laser_difference found;
    struct laser_checkpoint *c = open_difference(&found), *tuned = open_model(DIFFERENCE "/tuned");

    (void)state;
    assert_true(laser_checkpoint_fingerprint(c).content != laser_checkpoint_fingerprint(tuned).content);
    laser_checkpoint_close(c);
    laser_checkpoint_close(tuned);
}

static void another_architecture_or_other_names_are_refused(void **state)
{
    struct laser_checkpoint *tuned = open_model(DIFFERENCE "/tuned"), *other = open_model(GOLDEN "/gpt2");
    struct laser_difference found;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_checkpoint_subtract(tuned, other, &found, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "its model_type is \"gpt2\""));
    laser_checkpoint_close(other);
    other = open_model(GOLDEN "/dtypes.safetensors");
    assert_int_equal(laser_checkpoint_subtract(tuned, other, &found, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no tensor has the name and shape"));
    laser_checkpoint_close(other);
    laser_checkpoint_close(tuned);
}

/* Both catalogues, the matrices of the tuned model that have a difference, and the place of one of them. */
struct pair {
    struct laser_checkpoint *tuned, *change;
    struct laser_matrix_list list;
};

static const struct laser_matrix *matrix_of(const struct pair *p, const char *name)
{
    for (int64_t i = 0; i < p->list.n_matrices; i++) {
        if (strcmp(p->list.matrices[i].name, name) == 0)
            return &p->list.matrices[i];
    }
    return NULL;
}

static int open_pair(void **state)
{
    static struct pair p;
    struct laser_difference found;
    struct laser_error err = {0};
    const struct laser_matrix_options all = {.include = (const char *const[]){"*"}, .n_include = 1};

    p.tuned = open_model(DIFFERENCE "/tuned");
    p.change = open_difference(&found);
    assert_int_equal(laser_matrix_list(p.tuned, &all, &p.list, &err), LASER_OK);
    assert_int_equal(laser_matrix_list_changed(p.tuned, p.change, &p.list, &err), LASER_OK);
    *state = &p;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *p = *state;

    laser_matrix_list_free(&p->list);
    laser_checkpoint_close(p->tuned);
    laser_checkpoint_close(p->change);
    return 0;
}

static void matrices_without_a_difference_are_skipped_with_the_reason(void **state)
{
    const struct pair *p = *state;
    int n = 0;

    assert_int_equal(p->list.n_matrices, 7);
    for (int64_t i = 0; i < p->list.n_skipped; i++) {
        const struct laser_matrix_skip *s = &p->list.skipped[i];
        const char *name = p->tuned->tensors[s->tensor].name;

        n += strcmp(name, "model.embed_tokens.weight") == 0 &&
             strcmp(s->reason, "of another shape in the base") == 0;
        n += strcmp(name, "model.layers.0.mlp.new.weight") == 0 && strcmp(s->reason, "not in the base") == 0;
    }
    assert_int_equal(n, 2);
}

static void a_difference_of_zero_leaves_the_base_and_the_whole_one_the_model(void **state)
{
    const struct pair *p = *state;
    const struct laser_matrix *m = matrix_of(p, "model.layers.3.mlp.up_proj.weight");
    struct laser_checkpoint *base = open_model(DIFFERENCE "/base");
    struct laser_matrix_source source;
    struct laser_matrix in_base;
    struct laser_error err = {0};
    double change[80 * 48] = {0}, w[80 * 48];
    float bytes[80 * 48], stored[80 * 48];

    assert_non_null(m);
    assert_int_equal(laser_matrix_source_open(p->tuned, p->change, m, &source, &err), LASER_OK);
    assert_int_equal(laser_matrix_source_write(&source, 0, 80, 0, 48, change, 48, bytes, &err), LASER_OK);
    in_base = *m;
    in_base.tensor = laser_checkpoint_find_index(base, m->name);
    in_base.dtype = LASER_BF16;
    assert_int_equal(laser_matrix_read(base, &in_base, 0, 80, 0, 48, w, 48, &err), LASER_OK);
    for (int i = 0; i < 80 * 48; i++)
        assert_true(bytes[i] == (float)w[i]);
    assert_int_equal(laser_matrix_source_read(&source, 0, 80, 0, 48, change, 48, &err), LASER_OK);
    /* In two windows, the second one narrower than its rows. */
    assert_int_equal(laser_matrix_source_write(&source, 0, 30, 0, 48, change, 48, bytes, &err), LASER_OK);
    assert_int_equal(laser_matrix_source_write(&source, 30, 50, 0, 20, change + 30 * 48, 48, bytes, &err),
                     LASER_OK);
    assert_int_equal(
        laser_matrix_source_write(&source, 30, 50, 20, 28, change + 30 * 48 + 20, 48, bytes, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_read(p->tuned, laser_checkpoint_find(p->tuned, m->name), 0,
                                           sizeof stored, stored, &err),
                     LASER_OK);
    assert_memory_equal(bytes, stored, sizeof stored);
    laser_checkpoint_close(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_those_of_numpy_to_the_bit),
        cmocka_unit_test(a_packed_difference_unpacks_to_the_same),
        cmocka_unit_test(tensors_without_a_partner_are_named),
        cmocka_unit_test(the_fingerprint_is_not_that_of_the_tuned_model),
        cmocka_unit_test(another_architecture_or_other_names_are_refused),
        cmocka_unit_test_setup_teardown(matrices_without_a_difference_are_skipped_with_the_reason, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_difference_of_zero_leaves_the_base_and_the_whole_one_the_model,
                                        open_pair, close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

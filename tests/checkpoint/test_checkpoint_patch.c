/* Parts of tensors read from other files (laser_matrix_redirect), on the fused and stacked tensors of small
 * models. */
#include "checkpoint_fixture.h"

#include "checkpoint/matrix.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/writer.h"

static char directory[400];

static struct laser_checkpoint *open_golden(const char *name)
{
    struct laser_checkpoint *c;
    struct laser_error err = {0};
    char path[1024];

    snprintf(path, sizeof path, SRCDIR "/tests/golden/model/%s", name);
    if (laser_checkpoint_open(path, &c, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return c;
}

static struct laser_matrix_list parts_of(const struct laser_checkpoint *c)
{
    const struct laser_matrix_options options = {.split_fused = true};
    struct laser_matrix_list list;
    struct laser_error err = {0};

    if (laser_matrix_list(c, &options, &list, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return list;
}

/* A file with new elements of one matrix, which are also put into `tensor`, the bytes of the whole. */
static void make_edit(const struct laser_checkpoint *c, const struct laser_matrix *m, int seed,
                      const char *path, void *tensor)
{
    const struct laser_matrix alone = laser_matrix_alone(m);
    const size_t count = (size_t)(m->rows * m->cols);
    double *values = malloc(count * sizeof *values);
    void *bytes = malloc(count * laser_dtype_size(m->dtype));
    struct laser_error err = {0};
    const struct laser_safetensors_item item = {
        .name = m->name, .dtype = m->dtype, .n_dims = 2, .shape = {m->rows, m->cols}, .data = bytes};

    for (size_t i = 0; i < count; i++)
        values[i] = (double)((i * 37 + (size_t)seed * 11) % 251) - 125;
    assert_int_equal(laser_matrix_write(c, &alone, 0, m->rows, 0, m->cols, values, m->cols, bytes, &err),
                     LASER_OK);
    assert_int_equal(laser_matrix_write(c, m, 0, m->rows, 0, m->cols, values, m->cols, tensor, &err),
                     LASER_OK);
    assert_int_equal(laser_safetensors_write(path, &item, 1, &err), LASER_OK);
    free(bytes);
    free(values);
}

/* Reads a tensor in pieces of so many elements. */
static void read_pieces(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t elements,
                        char *bytes)
{
    const int64_t piece = elements * (int64_t)laser_dtype_size(t->dtype);
    struct laser_error err = {0};

    for (int64_t at = 0; at < t->size_bytes; at += piece) {
        const int64_t n = t->size_bytes - at < piece ? t->size_bytes - at : piece;
        if (laser_checkpoint_read(c, t, at, n, bytes + at, &err) != LASER_OK)
            fail_msg("%s: %s", err.where, err.text);
    }
}

/* Redirects every matrix of a tensor, one after another; the tensor must read as if written over. */
static void check_tensor(struct laser_checkpoint *c, const struct laser_matrix_list *list, int64_t tensor)
{
    const struct laser_tensor *t = &c->tensors[tensor];
    char *expected = malloc((size_t)t->size_bytes), *got = malloc((size_t)t->size_bytes), path[500];
    struct laser_error err = {0};

    read_pieces(c, t, t->size_bytes, expected);
    for (int64_t i = 0; i < list->n_matrices; i++) {
        const struct laser_matrix *m = &list->matrices[i];
        if (m->tensor != tensor)
            continue;
        snprintf(path, sizeof path, "%s/edit-%d.safetensors", directory, (int)i);
        make_edit(c, m, (int)i, path, expected);
        if (laser_matrix_redirect(c, m, path, &err) != LASER_OK)
            fail_msg("%s: %s", err.where, err.text);
        assert_true(laser_checkpoint_is_redirected(c, t));
        for (int64_t piece = 7; piece < 10000; piece *= 11) {
            memset(got, 0, (size_t)t->size_bytes);
            read_pieces(c, t, piece, got);
            assert_memory_equal(got, expected, (size_t)t->size_bytes);
        }
    }
    free(got);
    free(expected);
}

static void a_redirected_part_changes_its_elements_and_no_others(void **state)
{
    static const char *const models[] = {"phi3", "gpt2", "gpt_neox", "mixtral-stacked", "llama"};

    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        struct laser_checkpoint *c = open_golden(models[k]);
        struct laser_matrix_list list = parts_of(c);
        int n_parts = 0;

        for (int64_t i = 0; i < list.n_matrices; i++) {
            n_parts += !laser_matrix_is_whole(c, &list.matrices[i]);
            if (i == 0 || list.matrices[i].tensor != list.matrices[i - 1].tensor)
                check_tensor(c, &list, list.matrices[i].tensor);
        }
        assert_true(k == 4 ? n_parts == 0 : n_parts > 0);
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void a_part_goes_back_to_the_checkpoint(void **state)
{
    struct laser_checkpoint *c = open_golden("phi3");
    struct laser_matrix_list list = parts_of(c);
    const struct laser_matrix *m = &list.matrices[0];
    const struct laser_tensor *t;
    char *before, *after, path[500];
    struct laser_error err = {0};

    (void)state;
    for (int64_t i = 0; laser_matrix_is_whole(c, m); i++)
        m = &list.matrices[i];
    t = &c->tensors[m->tensor];
    before = malloc((size_t)t->size_bytes);
    after = malloc((size_t)t->size_bytes);
    read_pieces(c, t, 1000, before);
    snprintf(path, sizeof path, "%s/back.safetensors", directory);
    memcpy(after, before, (size_t)t->size_bytes);
    make_edit(c, m, 1, path, after);
    assert_int_equal(laser_matrix_redirect(c, m, path, &err), LASER_OK);
    assert_int_equal(laser_matrix_redirect(c, m, path, &err), LASER_OK); /* replaces itself */
    assert_int_equal(laser_matrix_redirect(c, m, NULL, &err), LASER_OK);
    assert_false(laser_checkpoint_is_redirected(c, t));
    read_pieces(c, t, 1000, after);
    assert_memory_equal(before, after, (size_t)t->size_bytes);
    free(before);
    free(after);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void a_file_with_another_matrix_is_refused(void **state)
{
    struct laser_checkpoint *c = open_golden("phi3");
    struct laser_matrix_list list = parts_of(c);
    struct laser_matrix other = list.matrices[0];
    char *tensor = calloc(1, (size_t)c->tensors[other.tensor].size_bytes), path[500], name[] = "another";
    struct laser_error err = {0};

    (void)state;
    snprintf(path, sizeof path, "%s/other.safetensors", directory);
    other.name = name;
    make_edit(c, &other, 1, path, tensor);
    for (int64_t i = 0; i < list.n_matrices; i++)
        assert_int_equal(laser_matrix_redirect(c, &list.matrices[i], path, &err), LASER_EINPUT);
    snprintf(path, sizeof path, "%s/none.safetensors", directory);
    for (int64_t i = 0; i < list.n_matrices; i++)
        assert_int_not_equal(laser_matrix_redirect(c, &list.matrices[i], path, &err), LASER_OK);
    for (int64_t i = 0; i < c->n_tensors; i++)
        assert_false(laser_checkpoint_is_redirected(c, &c->tensors[i]));
    free(tensor);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_redirected_part_changes_its_elements_and_no_others),
        cmocka_unit_test(a_part_goes_back_to_the_checkpoint),
        cmocka_unit_test(a_file_with_another_matrix_is_refused),
    };
    void *state;
    int failed;

    if (make_temporary(&state) != 0)
        return 1;
    snprintf(directory, sizeof directory, "%s", (char *)state);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_temporary(&state);
    return failed;
}

/* GGUF files as models: fixtures of tools/golden/make_gguf.py. */
#include "checkpoint_fixture.h"

#include "checkpoint/coded.h"
#include "checkpoint/gguf.h"
#include "checkpoint/matrix.h"

#define GGUF SRCDIR "/tests/golden/gguf"

/* Every tensor of the golden file, and no other, with its type, shape and bytes. */
static void check_model(const char *file, const char *golden_dir)
{
    struct laser_checkpoint *c = open_model(path_of(GGUF, file)), *copy = NULL;
    struct laser_checkpoint *golden = open_model(path_of(GGUF, golden_dir));
    struct laser_error err = {0};
    void *packed = NULL;
    size_t n = 0;

    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    free(packed);
    assert_int_equal(c->n_tensors, golden->n_tensors);
    for (int64_t i = 0; i < golden->n_tensors; i++) {
        const struct laser_tensor *expected = &golden->tensors[i],
                                  *t = laser_checkpoint_find(copy, expected->name);
        char *found, *wanted;

        if (t == NULL)
            fail_msg("%s is not in the catalogue", expected->name);
        if (t->dtype != expected->dtype || t->n_dims != expected->n_dims ||
            t->size_bytes != expected->size_bytes ||
            memcmp(t->shape, expected->shape, (size_t)t->n_dims * sizeof t->shape[0]) != 0)
            fail_msg("%s has another type or shape", t->name);
        found = read_tensor(copy, t);
        wanted = read_tensor(golden, expected);
        if (memcmp(found, wanted, (size_t)t->size_bytes) != 0)
            fail_msg("%s has other values", t->name);
        free(found);
        free(wanted);
    }
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
    laser_checkpoint_close(golden);
}

static void every_type_of_block_is_widened_to_the_bit(void **state)
{
    (void)state;
    check_model("types.gguf", "types");
}

static void llama_has_the_names_and_the_rows_of_transformers(void **state)
{
    (void)state;
    check_model("llama.gguf", "llama");
}

static void stacks_of_experts_become_tensors_of_their_own(void **state)
{
    (void)state;
    check_model("mixtral.gguf", "mixtral");
}

static int64_t config_int(const struct laser_checkpoint *c, const char *key)
{
    return json_integer_value(json_object_get(c->config, key));
}

static void the_metadata_make_the_configuration(void **state)
{
    struct laser_checkpoint *c = open_model(GGUF "/llama.gguf");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(c->config, "model_type")), "llama");
    assert_int_equal(config_int(c, "hidden_size"), 64);
    assert_int_equal(config_int(c, "intermediate_size"), 96);
    assert_int_equal(config_int(c, "num_hidden_layers"), 1);
    assert_int_equal(config_int(c, "num_attention_heads"), 4);
    assert_int_equal(config_int(c, "num_key_value_heads"), 2);
    assert_int_equal(config_int(c, "vocab_size"), 40);
    assert_int_equal(config_int(c, "bos_token_id"), 1);
    assert_true(json_real_value(json_object_get(c->config, "rope_theta")) == 10000);
    assert_true(json_is_true(json_object_get(c->config, "tie_word_embeddings")));
    laser_checkpoint_close(c);
}

static void experts_are_named_in_the_configuration(void **state)
{
    struct laser_checkpoint *c = open_model(GGUF "/mixtral.gguf");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(c->config, "model_type")), "mixtral");
    assert_int_equal(config_int(c, "num_local_experts"), 3);
    assert_int_equal(config_int(c, "num_experts_per_tok"), 2);
    laser_checkpoint_close(c);
}

static void a_window_of_turned_rows_is_that_of_the_whole(void **state)
{
    struct laser_checkpoint *c = open_model(GGUF "/llama.gguf");
    struct laser_matrix_list list;
    struct laser_error err = {0};
    double whole[64 * 64], part[64 * 64];

    (void)state;
    assert_int_equal(laser_matrix_list(c, NULL, &list, &err), LASER_OK);
    assert_int_equal(list.n_matrices, 7);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];

        if (m->rows * m->cols > 64 * 64)
            continue;
        assert_int_equal(laser_matrix_read(c, m, 0, m->rows, 0, m->cols, whole, m->cols, &err), LASER_OK);
        assert_int_equal(laser_matrix_read(c, m, 3, 11, 5, 41, part, 41, &err), LASER_OK);
        for (int64_t r = 0; r < 11; r++)
            assert_memory_equal(part + r * 41, whole + (3 + r) * m->cols + 5, 41 * sizeof *part);
    }
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void a_directory_with_one_gguf_file_is_that_model(void **state)
{
    size_t n = 0;
    char *bytes = get_file(GGUF "/llama.gguf", &n);
    struct laser_checkpoint *c;

    put_file(path_of(*state, "a.gguf"), bytes, n);
    c = open_model(*state);
    assert_int_equal(c->n_tensors, 11 + 0);
    laser_checkpoint_close(c);
    put_file(path_of(*state, "b.gguf"), bytes, n);
    assert_refused(*state, LASER_EINPUT, "several GGUF files");
    free(bytes);
}

static void truncated_files_are_refused_wherever_they_end(void **state)
{
    size_t n = 0;
    char *bytes = get_file(GGUF "/llama.gguf", &n);
    const char *path = path_of(*state, "cut.gguf");

    for (size_t cut = 4; cut < n; cut += cut < 1500 ? 7 : 4001) {
        put_file(path, bytes, cut);
        assert_refused(path, LASER_EINPUT, "truncated");
    }
    put_file(path, bytes, n - 1);
    assert_refused(path, LASER_EINPUT, "truncated");
    free(bytes);
}

static void other_files_versions_and_types_are_named(void **state)
{
    size_t n = 0;
    char *bytes = get_file(GGUF "/types.gguf", &n);
    const char *path = path_of(*state, "other.gguf");
    char *name;

    bytes[4] = 9;
    put_file(path, bytes, n);
    assert_refused(path, LASER_EINPUT, "GGUF version 9, expected 2 or 3");
    bytes[4] = 3;
    name = memmem(bytes, n, "blk.0.Q4_0.weight", 17);
    assert_non_null(name);
    name[17 + 4 + 16] = 16; /* IQ2_XXS */
    put_file(path, bytes, n);
    assert_refused(path, LASER_EINPUT, "\"blk.0.Q4_0.weight\" is of GGUF type 16, which is not read");
    bytes[0] = 'X';
    put_file(path, bytes, n);
    assert_refused(path, LASER_EINPUT, "does not begin with GGUF");
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_of_block_is_widened_to_the_bit),
        cmocka_unit_test(llama_has_the_names_and_the_rows_of_transformers),
        cmocka_unit_test(stacks_of_experts_become_tensors_of_their_own),
        cmocka_unit_test(the_metadata_make_the_configuration),
        cmocka_unit_test(experts_are_named_in_the_configuration),
        cmocka_unit_test(a_window_of_turned_rows_is_that_of_the_whole),
        cmocka_unit_test_setup_teardown(a_directory_with_one_gguf_file_is_that_model, make_temporary,
                                        remove_temporary),
        cmocka_unit_test_setup_teardown(truncated_files_are_refused_wherever_they_end, make_temporary,
                                        remove_temporary),
        cmocka_unit_test_setup_teardown(other_files_versions_and_types_are_named, make_temporary,
                                        remove_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

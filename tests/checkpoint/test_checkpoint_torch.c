/* pytorch_model.bin, read without running anything: fixtures of tools/golden/make_torch.py. */
#include "checkpoint_fixture.h"

#include "checkpoint/pickle.h"

#define TORCH SRCDIR "/tests/golden/torch"

/* Every tensor of c is that of the golden file; returns their number. */
static int64_t check_tensors(const struct laser_checkpoint *c)
{
    struct laser_checkpoint *golden = open_model(TORCH "/plain/parts");
    const int64_t n = golden->n_tensors;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i], *expected = laser_checkpoint_find(golden, t->name);
        char *found, *wanted;

        if (expected == NULL || t->dtype != expected->dtype || t->n_dims != expected->n_dims ||
            t->size_bytes != expected->size_bytes ||
            memcmp(t->shape, expected->shape, (size_t)t->n_dims * sizeof t->shape[0]) != 0)
            fail_msg("%s has another type or shape, or should not be there", t->name);
        found = read_tensor(c, t);
        wanted = read_tensor(golden, expected);
        if (memcmp(found, wanted, (size_t)t->size_bytes) != 0)
            fail_msg("%s has other values", t->name);
        free(found);
        free(wanted);
    }
    laser_checkpoint_close(golden);
    return n;
}

static void every_tensor_is_what_torch_sees(void **state)
{
    struct laser_checkpoint *c = open_model(TORCH "/plain"), *copy = NULL;
    struct laser_error err = {0};
    void *packed = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(c->n_tensors, check_tensors(c));
    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    free(packed);
    check_tensors(copy);
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
}

static void a_file_may_be_named_by_itself(void **state)
{
    struct laser_checkpoint *c = open_model(TORCH "/plain/pytorch_model.bin");

    (void)state;
    assert_int_equal(c->n_tensors, check_tensors(c));
    laser_checkpoint_close(c);
}

static void protocol_4_is_read(void **state)
{
    struct laser_checkpoint *c = open_model(TORCH "/protocol4");

    (void)state;
    check_tensors(c);
    assert_int_equal(c->n_tensors, 4);
    laser_checkpoint_close(c);
}

static void shards_are_found_by_their_index(void **state)
{
    struct laser_checkpoint *c = open_model(TORCH "/sharded");

    (void)state;
    check_tensors(c);
    assert_int_equal(c->n_tensors, 4);
    assert_int_equal(c->n_files, 2);
    laser_checkpoint_close(c);
}

static void safetensors_win_over_pickles(void **state)
{
    size_t n = 0;
    char *bytes = get_file(TORCH "/plain/pytorch_model.bin", &n);
    struct laser_checkpoint *c;

    put_file(path_of(*state, "pytorch_model.bin"), bytes, n);
    free(bytes);
    put_safetensors(path_of(*state, "model.safetensors"),
                    "{\"only\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    c = open_model(*state);
    assert_int_equal(c->n_tensors, 1);
    laser_checkpoint_close(c);
}

static void a_pickle_that_would_run_something_is_refused_and_runs_nothing(void **state)
{
    char *old = realpath(".", NULL);

    assert_non_null(old);
    assert_int_equal(chdir(*state), 0);
    assert_refused(TORCH "/refused/runs.bin", LASER_EINPUT, "the pickle names posix.system");
    assert_int_equal(access("RAN", F_OK), -1);
    assert_int_equal(chdir(old), 0);
    free(old);
}

static void views_with_gaps_or_repetitions_are_refused(void **state)
{
    (void)state;
    assert_refused(TORCH "/refused/strides.bin", LASER_EINPUT,
                   "\"w\" is a view with gaps or repeated elements (strides 6, 2)");
    assert_refused(TORCH "/refused/expanded.bin", LASER_EINPUT, "(strides 1, 0)");
}

static void what_is_no_state_dict_is_named(void **state)
{
    (void)state;
    assert_refused(TORCH "/refused/training.bin", LASER_EINPUT, "a dict of 2 entries, none of them a tensor");
    assert_refused(TORCH "/refused/tensor.bin", LASER_EINPUT, "no dict of tensors");
    assert_refused(TORCH "/refused/old.bin", LASER_EINPUT,
                   "no archive as torch.save writes them since version 1.6");
}

static void truncated_archives_are_refused_wherever_they_end(void **state)
{
    size_t n = 0;
    char *bytes = get_file(TORCH "/plain/pytorch_model.bin", &n);
    const char *path = path_of(*state, "cut.bin");

    for (size_t cut = 0; cut < n; cut += 61) {
        put_file(path, bytes, cut);
        assert_refused(path, LASER_EINPUT, "");
    }
    free(bytes);
}

/* What the parser says of a pickle of these bytes. */
static const char *message(const char *bytes, size_t n)
{
    static struct laser_error err;
    struct laser_pickle p;

    memset(&err, 0, sizeof err);
    assert_int_equal(laser_pickle_parse("a", bytes, (int64_t)n, &p, &err), LASER_EINPUT);
    return err.text;
}

static void other_opcodes_are_refused_by_number(void **state)
{
    (void)state;
    assert_non_null(strstr(message("\x80\x02}i", 4), "opcode 0x69"));           /* INST */
    assert_non_null(strstr(message("\x80\x02}\x81", 4), "opcode 0x81"));        /* NEWOBJ */
    assert_non_null(strstr(message("\x80\x02P1\n.", 6), "opcode 0x50"));        /* PERSID */
    assert_non_null(strstr(message("\x80\x02\x82\x01.", 5), "opcode 0x82"));    /* EXT1 */
    assert_non_null(strstr(message("cbuiltins\neval\n", 15), "builtins.eval")); /* GLOBAL */
}

static void tensors_outside_their_storage_are_refused(void **state)
{
    static const char pickle[] =
        "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
        "FloatStorage\nX\1\0\0\0"
        "0X\3\0\0\0cpuK\5tQK\2K\2K\2\x86K\2K\1\x86\x89}tRs.";

    (void)state;
    assert_non_null(strstr(message(pickle, sizeof pickle - 1), "leaves its storage"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_what_torch_sees),
        cmocka_unit_test(a_file_may_be_named_by_itself),
        cmocka_unit_test(protocol_4_is_read),
        cmocka_unit_test(shards_are_found_by_their_index),
        cmocka_unit_test_setup_teardown(safetensors_win_over_pickles, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(a_pickle_that_would_run_something_is_refused_and_runs_nothing,
                                        make_temporary, remove_temporary),
        cmocka_unit_test(views_with_gaps_or_repetitions_are_refused),
        cmocka_unit_test(what_is_no_state_dict_is_named),
        cmocka_unit_test_setup_teardown(truncated_archives_are_refused_wherever_they_end, make_temporary,
                                        remove_temporary),
        cmocka_unit_test(other_opcodes_are_refused_by_number),
        cmocka_unit_test(tensors_outside_their_storage_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

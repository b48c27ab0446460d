#include "checkpoint_fixture.h"

/* A small model of three tensors in a folder that may be changed. */
static const char *make_model(void **state, const char *name)
{
    const char *dir = path_of(*state, name);

    assert_int_equal(mkdir(dir, 0777), 0);
    put_safetensors(path_of(dir, "model.safetensors"),
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                    "\"b\":{\"dtype\":\"U8\",\"shape\":[2,4],\"data_offsets\":[8,16]}}",
                    16);
    return dir;
}

static void read_all(const struct laser_checkpoint *c, const char *name, unsigned char *bytes)
{
    const struct laser_tensor *t = laser_checkpoint_find(c, name);
    struct laser_error err = {0};

    if (laser_checkpoint_read(c, t, 0, t->size_bytes, bytes, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
}

static void parts_of_a_tensor_are_read(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "parts"));
    const struct laser_tensor *b = laser_checkpoint_find(c, "b");
    struct laser_error err = {0};
    unsigned char bytes[3] = {0};

    assert_int_equal(laser_checkpoint_read(c, b, 5, 3, bytes, &err), LASER_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bytes[i], (8 + 5 + i) * 7 + 1);
    laser_checkpoint_close(c);
}

static void reads_beyond_a_tensor_are_refused(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "beyond"));
    const struct laser_tensor *a = laser_checkpoint_find(c, "a");
    struct laser_error err = {0};
    unsigned char bytes[16];

    assert_int_equal(laser_checkpoint_read(c, a, 5, 4, bytes, &err), LASER_EINTERNAL);
    assert_int_equal(laser_checkpoint_read(c, a, -1, 4, bytes, &err), LASER_EINTERNAL);
    assert_int_equal(laser_checkpoint_read(c, a, 0, INT64_MAX, bytes, &err), LASER_EINTERNAL);
    assert_int_equal(laser_checkpoint_read(c, a, INT64_MAX, 4, bytes, &err), LASER_EINTERNAL);
    laser_checkpoint_close(c);
}

static void a_file_that_shrinks_before_the_first_read_is_noticed(void **state)
{
    const char *dir = make_model(state, "shrunk");
    struct laser_checkpoint *c = open_model(dir);
    struct laser_error err = {0};
    unsigned char bytes[8];

    assert_int_equal(truncate(path_of(dir, "model.safetensors"), c->files[0].size_bytes - 4), 0);
    assert_int_equal(laser_checkpoint_read(c, laser_checkpoint_find(c, "b"), 0, 8, bytes, &err), LASER_EIO);
    assert_non_null(strstr(err.text, "has changed"));
    laser_checkpoint_close(c);
}

static void a_short_read_names_position_found_and_expected(void **state)
{
    const char *dir = make_model(state, "short");
    struct laser_checkpoint *c = open_model(dir);
    const struct laser_tensor *b = laser_checkpoint_find(c, "b");
    struct laser_error err = {0};
    char expected[200];
    unsigned char bytes[8];

    read_all(c, "a", bytes); /* the file is open now */
    assert_int_equal(truncate(path_of(dir, "model.safetensors"), c->files[0].size_bytes - 3), 0);
    assert_int_equal(laser_checkpoint_read(c, b, 0, 8, bytes, &err), LASER_EIO);
    snprintf(expected, sizeof expected, "5 bytes found at byte %lld, expected 8", (long long)b->offset);
    assert_non_null(strstr(err.where, "short/model.safetensors"));
    assert_non_null(strstr(err.text, expected));
    laser_checkpoint_close(c);
}

static void a_packed_catalogue_unpacks_to_the_same(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama"), *copy = NULL;
    struct laser_error err = {0};
    void *bytes = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(laser_checkpoint_pack(c, &bytes, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(bytes, n, &copy, &err), LASER_OK);
    free(bytes);
    assert_int_equal(copy->n_tensors, c->n_tensors);
    assert_int_equal(copy->n_files, c->n_files);
    assert_string_equal(copy->dir, c->dir);
    assert_string_equal(copy->index, c->index);
    assert_int_equal(copy->total_size_bytes, c->total_size_bytes);
    assert_true(json_equal(copy->config, c->config));
    assert_true(laser_checkpoint_fingerprint(copy).content == laser_checkpoint_fingerprint(c).content);
    assert_true(laser_checkpoint_fingerprint(copy).times == laser_checkpoint_fingerprint(c).times);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        unsigned char x[2048], y[2048];

        read_all(c, c->tensors[i].name, x);
        read_all(copy, c->tensors[i].name, y);
        assert_memory_equal(x, y, (size_t)c->tensors[i].size_bytes);
    }
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
}

static void damaged_packed_catalogues_are_refused(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2"), *copy = NULL;
    struct laser_error err = {0};
    char *bytes = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(laser_checkpoint_pack(c, (void **)&bytes, &n, &err), LASER_OK);
    for (size_t cut = 0; cut < n; cut += 1 + cut / 16) {
        char *part = malloc(cut + 1); /* of its own, so that a read beyond it is seen */

        assert_non_null(part);
        memcpy(part, bytes, cut);
        assert_int_equal(laser_checkpoint_unpack(part, cut, &copy, &err), LASER_EINPUT);
        assert_null(copy);
        free(part);
    }
    free(bytes);
    laser_checkpoint_close(c);
}

static void a_redirected_tensor_is_read_from_its_new_file(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "redirected"));
    const char *raw = path_of(*state, "raw.bin");
    struct laser_error err = {0};
    unsigned char bytes[8], b_before[8], b_after[8];

    put_text(raw, "....ABCDEFGH");
    read_all(c, "b", b_before);
    assert_int_equal(laser_checkpoint_redirect(c, "a", raw, 4, &err), LASER_OK);
    assert_true(laser_checkpoint_is_redirected(c, laser_checkpoint_find(c, "a")));
    assert_false(laser_checkpoint_is_redirected(c, laser_checkpoint_find(c, "b")));
    read_all(c, "a", bytes);
    assert_memory_equal(bytes, "ABCDEFGH", 8);
    assert_int_equal(laser_checkpoint_read(c, laser_checkpoint_find(c, "a"), 2, 3, bytes, &err), LASER_OK);
    assert_memory_equal(bytes, "CDE", 3);
    read_all(c, "b", b_after);
    assert_memory_equal(b_before, b_after, 8);
    laser_checkpoint_close(c);
}

static void a_redirection_can_be_undone(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "undone"));
    const char *raw = path_of(*state, "raw2.bin");
    struct laser_error err = {0};
    unsigned char before[8], after[8];

    put_text(raw, "ABCDEFGH");
    read_all(c, "a", before);
    assert_int_equal(laser_checkpoint_redirect(c, "a", raw, 0, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_redirect(c, "a", NULL, 0, &err), LASER_OK);
    read_all(c, "a", after);
    assert_memory_equal(before, after, 8);
    laser_checkpoint_close(c);
}

static void an_overlay_in_safetensors_is_found_by_name(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "overlay"));
    const char *overlay = path_of(*state, "overlay.safetensors");
    struct laser_safetensors_item item = {
        .name = "b", .dtype = LASER_U8, .n_dims = 2, .shape = {2, 4}, .data = "abcdefgh"};
    struct laser_error err = {0};
    unsigned char bytes[8];

    assert_int_equal(laser_safetensors_write(overlay, &item, 1, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_redirect(c, "b", overlay, -1, &err), LASER_OK);
    read_all(c, "b", bytes);
    assert_memory_equal(bytes, "abcdefgh", 8);
    assert_int_equal(laser_checkpoint_redirect(c, "a", overlay, -1, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no tensor \"a\""));
    item.shape[0] = 1;
    assert_int_equal(laser_safetensors_write(overlay, &item, 1, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_redirect(c, "b", overlay, -1, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "another shape or dtype"));
    laser_checkpoint_close(c);
}

static void a_redirection_to_a_file_that_is_too_short_is_refused(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "tooshort"));
    const char *raw = path_of(*state, "raw3.bin");
    struct laser_error err = {0};

    put_text(raw, "ABCDEFGH");
    assert_int_equal(laser_checkpoint_redirect(c, "a", raw, 1, &err), LASER_EINPUT);
    assert_int_equal(laser_checkpoint_redirect(c, "a", "/no/such/file", 0, &err), LASER_EIO);
    assert_int_equal(laser_checkpoint_redirect(c, "nothing", raw, 0, &err), LASER_EINPUT);
    assert_false(laser_checkpoint_is_redirected(c, laser_checkpoint_find(c, "a")));
    laser_checkpoint_close(c);
}

static void redirections_travel_with_the_packed_catalogue(void **state)
{
    struct laser_checkpoint *c = open_model(make_model(state, "travel")), *copy = NULL;
    const char *raw = path_of(*state, "raw4.bin");
    struct laser_error err = {0};
    unsigned char bytes[8];
    void *packed = NULL;
    size_t n = 0;

    put_text(raw, "..ABCDEFGH");
    assert_int_equal(laser_checkpoint_redirect(c, "a", raw, 2, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    read_all(copy, "a", bytes);
    assert_memory_equal(bytes, "ABCDEFGH", 8);
    free(packed);
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
}

static void the_fingerprint_tells_models_apart(void **state)
{
    const char *dir = make_model(state, "print");
    struct laser_checkpoint *c = open_model(dir);
    const struct laser_checkpoint_fingerprint before = laser_checkpoint_fingerprint(c);
    struct laser_checkpoint_fingerprint after;

    laser_checkpoint_close(c);
    c = open_model(dir);
    after = laser_checkpoint_fingerprint(c);
    assert_true(after.content == before.content && after.times == before.times);
    laser_checkpoint_close(c);
    /* the same shapes under another name, and then a config beside the old one */
    put_safetensors(path_of(dir, "model.safetensors"),
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
                    "\"c\":{\"dtype\":\"U8\",\"shape\":[2,4],\"data_offsets\":[8,16]}}",
                    16);
    c = open_model(dir);
    after = laser_checkpoint_fingerprint(c);
    assert_true(after.content != before.content);
    laser_checkpoint_close(c);
    put_text(path_of(dir, "config.json"), "{}");
    c = open_model(dir);
    assert_true(laser_checkpoint_fingerprint(c).content != after.content);
    laser_checkpoint_close(c);
}

static void a_touched_file_changes_only_the_times(void **state)
{
    const char *dir = make_model(state, "touched");
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct laser_checkpoint *c = open_model(dir);
    const struct laser_checkpoint_fingerprint before = laser_checkpoint_fingerprint(c);
    struct laser_checkpoint_fingerprint after;

    laser_checkpoint_close(c);
    assert_int_equal(utimensat(AT_FDCWD, path_of(dir, "model.safetensors"), times, 0), 0);
    c = open_model(dir);
    after = laser_checkpoint_fingerprint(c);
    assert_true(after.content == before.content);
    assert_true(after.times != before.times);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_tensor_are_read),
        cmocka_unit_test(reads_beyond_a_tensor_are_refused),
        cmocka_unit_test(a_file_that_shrinks_before_the_first_read_is_noticed),
        cmocka_unit_test(a_short_read_names_position_found_and_expected),
        cmocka_unit_test(a_packed_catalogue_unpacks_to_the_same),
        cmocka_unit_test(damaged_packed_catalogues_are_refused),
        cmocka_unit_test(a_redirected_tensor_is_read_from_its_new_file),
        cmocka_unit_test(a_redirection_can_be_undone),
        cmocka_unit_test(an_overlay_in_safetensors_is_found_by_name),
        cmocka_unit_test(a_redirection_to_a_file_that_is_too_short_is_refused),
        cmocka_unit_test(redirections_travel_with_the_packed_catalogue),
        cmocka_unit_test(the_fingerprint_tells_models_apart),
        cmocka_unit_test(a_touched_file_changes_only_the_times),
    };

    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}

#include "checkpoint_fixture.h"

#include "checkpoint/safetensors.h"

/* Parses a header with n_data bytes of data after it. */
static int parse(const char *header, int64_t n_data, struct laser_safetensors_header *h,
                 struct laser_error *err)
{
    const size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length);
    int code;

    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> (8 * i) & 0xff);
    memcpy(bytes + 8, header, length);
    code = laser_safetensors_parse("test.safetensors", bytes, (int64_t)length + 8,
                                   (int64_t)length + 8 + n_data, h, err);
    free(bytes);
    return code;
}

static void assert_bad(const char *header, int64_t n_data, const char *text)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    assert_int_equal(parse(header, n_data, &h, &err), LASER_EINPUT);
    assert_string_equal(err.where, "test.safetensors");
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err.text);
}

static void a_good_header_gives_tensors_in_order_of_offset(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(parse("{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},"
                           "\"a\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
                           "\"__metadata__\":{\"format\":\"pt\"}}  ",
                           12, &h, &err),
                     LASER_OK);
    assert_int_equal(h.n_tensors, 2);
    assert_string_equal(h.tensors[0].name, "a");
    assert_int_equal(h.tensors[0].offset, h.data_start);
    assert_int_equal(h.tensors[1].offset, h.data_start + 4);
    assert_int_equal(h.tensors[1].dtype, LASER_F32);
    assert_int_equal(h.tensors[0].n_dims, 2);
    laser_safetensors_header_free(&h);
}

static void scalars_and_empty_tensors_are_allowed(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(parse("{\"s\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]},"
                           "\"e\":{\"dtype\":\"F16\",\"shape\":[0,9],\"data_offsets\":[2,2]}}",
                           2, &h, &err),
                     LASER_OK);
    assert_int_equal(h.n_tensors, 2);
    laser_safetensors_header_free(&h);
}

static void an_empty_file_is_refused(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_safetensors_parse("f", "", 0, 0, &h, &err), LASER_EINPUT);
    assert_string_equal(err.text, "the file is empty");
}

static void a_file_shorter_than_a_length_is_refused(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_safetensors_parse("f", "\1\0\0", 3, 3, &h, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "too short"));
}

static void a_header_beyond_the_file_is_refused(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_safetensors_parse("f", "\x40\0\0\0\0\0\0\0{}", 10, 10, &h, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "header length 64, but only 2 bytes follow"));
}

static void a_header_over_100_mb_is_refused_before_it_is_read(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    /* 100,000,001 and the largest length there is; the files claim to be long enough. */
    assert_int_equal(laser_safetensors_parse("f", "\x01\xe1\xf5\x05\0\0\0\0", 8, INT64_C(1) << 40, &h, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "100000001"));
    assert_int_equal(laser_safetensors_parse("f", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, INT64_MAX, &h, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "at most 100000000"));
}

static void a_header_that_is_no_object_is_refused(void **state)
{
    (void)state;
    assert_bad("[]", 0, "does not start with {");
    assert_bad(" {}", 0, "does not start with {");
    assert_bad("", 0, "does not start with {");
    assert_bad("{\"a\":", 0, "not valid JSON");
    assert_bad("{} x", 0, "not valid JSON");
}

static void overlapping_offsets_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
               "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
               6, "overlap");
}

static void a_hole_between_tensors_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
               "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[6,10]}}",
               10, "hole");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[1,5]}}", 5, "hole");
}

static void bytes_after_the_last_tensor_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5,
               "take 4 bytes, but 5 follow");
}

static void a_truncated_file_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 3, "truncated?");
}

static void a_name_that_occurs_twice_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
               "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
               2, "duplicate");
}

static void a_shape_that_does_not_fill_its_data_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "has 8 bytes of data");
}

static void a_shape_product_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
               "overflows");
    assert_bad("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
               "bytes overflows");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551617],\"data_offsets\":[0,1]}}", 1,
               "too big integer");
}

static void an_unknown_dtype_is_refused_with_the_known_ones(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"F128\",\"shape\":[1],\"data_offsets\":[0,16]}}", 16,
               "unknown dtype \"F128\"");
    assert_bad("{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,16]}}", 16, "dtype is an integer");
    assert_bad("{\"a\":{\"shape\":[1],\"data_offsets\":[0,16]}}", 16, "dtype is nothing");
}

static void negative_and_fractional_numbers_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1,
               "shape[0] is a negative number");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, "fractional");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1,
               "data_offsets[0] is negative");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1e0]}}", 1, "fractional");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\"0\",1]}}", 1, "a string");
}

static void offsets_that_run_backwards_or_are_no_pair_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "run backwards");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "array of two");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, "array of two");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "array of two");
}

static void entries_of_a_wrong_kind_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"a\":7}", 0, "is an integer, expected an object");
    assert_bad("{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "empty name");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "shape is an integer");
    assert_bad("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
               "9 dimensions");
    assert_bad("{\"__metadata__\":[]}", 0, "__metadata__ is an array");
    assert_bad("{\"__metadata__\":{\"format\":1}}", 0, "expected a string");
}

static void deep_nesting_is_refused(void **state)
{
    enum { DEPTH = 100000 };
    char *text = malloc(6 + DEPTH + 1);

    (void)state;
    assert_non_null(text);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', DEPTH);
    text[5 + DEPTH] = '\0';
    assert_bad(text, 0, "not valid JSON"); /* the JSON library's own limit */
    for (int i = 0; i < 100; i++)
        text[5 + 100 + i] = ']';
    memcpy(text + 5 + 200, "}", 2);
    assert_bad(text, 0, "nested deeper than 64");
    free(text);
}

static void written_files_read_back(void **state)
{
    const float values[6] = {1, 2, 3, 4, 5, 6};
    const uint16_t half[3] = {0x3c00, 0x4000, 0x4200};
    const struct laser_safetensors_item items[] = {
        {.name = "small", .dtype = LASER_F16, .n_dims = 1, .shape = {3}, .data = half},
        {.name = "b", .dtype = LASER_F32, .n_dims = 2, .shape = {2, 3}, .data = values},
        {.name = "a", .dtype = LASER_F32, .n_dims = 0, .data = values},
    };
    const char *path = path_of(*state, "new.safetensors");
    struct laser_error err = {0};
    struct laser_checkpoint *c;
    float back[6];

    assert_int_equal(laser_safetensors_write(path, items, 3, &err), LASER_OK);
    c = open_model(path);
    assert_int_equal(c->n_tensors, 3);
    assert_int_equal(c->files[0].data_start % 8, 0);
    /* the library's layout: 4-byte types before 2-byte ones, then by name */
    assert_true(laser_checkpoint_find(c, "a")->offset < laser_checkpoint_find(c, "b")->offset);
    assert_true(laser_checkpoint_find(c, "b")->offset < laser_checkpoint_find(c, "small")->offset);
    assert_int_equal(laser_checkpoint_read(c, laser_checkpoint_find(c, "b"), 0, 24, back, &err), LASER_OK);
    assert_memory_equal(back, values, 24);
    laser_checkpoint_close(c);
}

static void writing_a_name_twice_is_refused_and_leaves_nothing(void **state)
{
    const struct laser_safetensors_item items[] = {
        {.name = "a", .dtype = LASER_F16, .n_dims = 1, .shape = {0}, .data = ""},
        {.name = "a", .dtype = LASER_F16, .n_dims = 1, .shape = {0}, .data = ""},
    };
    struct laser_error err = {0};

    assert_int_equal(laser_safetensors_write(path_of(*state, "twice.safetensors"), items, 2, &err),
                     LASER_EUSAGE);
    assert_int_not_equal(access(path_of(*state, "twice.safetensors"), F_OK), 0);
    assert_int_not_equal(access(path_of(*state, ".twice.safetensors.partial"), F_OK), 0);
}

/* What the safetensors library wrote is what we write, byte for byte. */
static void the_layout_is_that_of_the_library(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/dtypes.safetensors");
    struct laser_safetensors_item *items = calloc((size_t)c->n_tensors, sizeof *items);
    struct laser_error err = {0};

    assert_non_null(items);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        void *data = malloc((size_t)t->size_bytes + 1);

        assert_non_null(data);
        assert_int_equal(laser_checkpoint_read(c, t, 0, t->size_bytes, data, &err), LASER_OK);
        items[i] = (struct laser_safetensors_item){t->name, t->dtype, t->n_dims, {0}, data};
        memcpy(items[i].shape, t->shape, sizeof t->shape);
    }
    assert_int_equal(
        laser_safetensors_write(path_of(*state, "copy.safetensors"), items, (int)c->n_tensors, &err),
        LASER_OK);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        struct laser_checkpoint *copy = open_model(path_of(*state, "copy.safetensors"));

        assert_int_equal(copy->tensors[i].size_bytes, c->tensors[i].size_bytes);
        laser_checkpoint_close(copy);
        free((void *)items[i].data);
    }
    free(items);
    laser_checkpoint_close(c);
    assert_same_file(path_of(*state, "copy.safetensors"), GOLDEN "/dtypes.safetensors");
}

static void assert_good(const char *header, int64_t n_data)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    if (parse(header, n_data, &h, &err) != LASER_OK)
        fail_msg("%s: %s", header, err.text);
    laser_safetensors_header_free(&h);
}

/* Types of newer checkpoints: known by size, so that the other tensors can be read. */
static void types_that_are_not_read_are_known(void **state)
{
    static const struct {
        const char *name;
        int bytes;
    } types[] = {{"F8_E8M0", 16}, {"F8_E4M3FNUZ", 16}, {"F8_E5M2FNUZ", 16}, {"C64", 128},
                 {"F4", 8},       {"F6_E2M3", 12},     {"F6_E3M2", 12}};
    char header[256];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[4,4],\"data_offsets\":[0,%d]}}",
                 types[i].name, types[i].bytes);
        assert_good(header, types[i].bytes);
    }
    assert_bad("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2,
               "do not fill whole bytes");
    assert_good("{\"__metadata__\":null,\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
}

static void a_shape_that_fills_less_than_its_data_is_refused_for_itself(void **state)
{
    (void)state;
    assert_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
               "\"a\" has 8 bytes of data, its shape and dtype F32 make 4");
}

static void a_header_that_ends_just_behind_the_file_is_refused(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    /* 4 bytes of header are said to follow, 2 do. */
    assert_int_equal(laser_safetensors_parse("f", "\4\0\0\0\0\0\0\0{}", 10, 10, &h, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "header length 4, but only 2 bytes follow"));
}

static void an_empty_tensor_may_have_a_later_name_than_what_follows_it(void **state)
{
    struct laser_safetensors_header h;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(parse("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                           "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                           4, &h, &err),
                     LASER_OK);
    assert_string_equal(h.tensors[0].name, "z");
    laser_safetensors_header_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_header_gives_tensors_in_order_of_offset),
        cmocka_unit_test(scalars_and_empty_tensors_are_allowed),
        cmocka_unit_test(types_that_are_not_read_are_known),
        cmocka_unit_test(an_empty_file_is_refused),
        cmocka_unit_test(a_file_shorter_than_a_length_is_refused),
        cmocka_unit_test(a_header_beyond_the_file_is_refused),
        cmocka_unit_test(a_header_over_100_mb_is_refused_before_it_is_read),
        cmocka_unit_test(a_header_that_is_no_object_is_refused),
        cmocka_unit_test(overlapping_offsets_are_refused),
        cmocka_unit_test(a_hole_between_tensors_is_refused),
        cmocka_unit_test(bytes_after_the_last_tensor_are_refused),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(a_name_that_occurs_twice_is_refused),
        cmocka_unit_test(a_shape_that_does_not_fill_its_data_is_refused),
        cmocka_unit_test(a_shape_product_that_overflows_is_refused),
        cmocka_unit_test(an_unknown_dtype_is_refused_with_the_known_ones),
        cmocka_unit_test(negative_and_fractional_numbers_are_refused),
        cmocka_unit_test(offsets_that_run_backwards_or_are_no_pair_are_refused),
        cmocka_unit_test(entries_of_a_wrong_kind_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(writing_a_name_twice_is_refused_and_leaves_nothing),
        cmocka_unit_test(the_layout_is_that_of_the_library),
        cmocka_unit_test(a_shape_that_fills_less_than_its_data_is_refused_for_itself),
        cmocka_unit_test(a_header_that_ends_just_behind_the_file_is_refused),
        cmocka_unit_test(an_empty_tensor_may_have_a_later_name_than_what_follows_it),
    };

    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}

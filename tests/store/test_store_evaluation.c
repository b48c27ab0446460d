/* windows.h5 there and back, torn ones and others', and token ids from HDF5 files. */
#include "testing.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durability.h"
#include "store/h5ids.h"
#include "store/windows.h"

static char directory[64];

/* The n-th file of a test. */
static const char *file_of(int n)
{
    static char paths[4][128];

    snprintf(paths[n], sizeof paths[n], "%s/file%d.h5", directory, n);
    return paths[n];
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/laser_evaluation_XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

/* ---- windows ---- */

static const struct laser_windows_note notes[] = {
    {"model", "a model"}, {"convention", "laserrmt"}, {"precision", "float32"}};
static const struct laser_window both[] = {{8, 1, 8, 0, 7, -1}, {0, 0, 8, 0, 7, -1}, {0, 1, 8, 0, 7, 2}};
static const struct laser_window_nll losses[] = {{21.5, 70}, {14.25, 30}, {1e-300, 0}};

static void make_datasets(struct laser_dataset sets[2], uint64_t hash)
{
    static char names[4][24] = {"first", "somewhere/first.txt", "zweiter \xc3\xa4", "ids.i32"};

    memset(sets, 0, 2 * sizeof *sets);
    sets[0].name = names[0];
    sets[0].path = names[1];
    sets[0].n_tokens = 8;
    sets[0].n_bytes = 33;
    sets[0].n_words = 5;
    sets[0].hash = hash;
    sets[1].name = names[2];
    sets[1].path = names[3];
    sets[1].n_tokens = 16;
    sets[1].hash = UINT64_MAX;
}

static void write_windows(const char *path, uint64_t hash, int64_t n)
{
    struct laser_dataset sets[2];
    struct laser_error err = {0};

    make_datasets(sets, hash);
    assert_int_equal(laser_windows_write(path, notes, 3, sets, 2, both, losses, n, &err), LASER_OK);
}

static void test_windows_come_back_as_they_were_in_the_order_of_the_texts(void **state)
{
    struct laser_windows w;
    struct laser_error err = {0};

    (void)state;
    write_windows(file_of(0), 17, 3);
    assert_int_equal(laser_windows_read(file_of(0), &w, &err), LASER_OK);
    assert_string_equal(w.model, "a model");
    assert_string_equal(w.convention, "laserrmt");
    assert_string_equal(w.precision, "float32");
    assert_int_equal(w.n_datasets, 2);
    assert_string_equal(w.datasets[1].name, "zweiter \xc3\xa4");
    assert_string_equal(w.datasets[1].path, "ids.i32");
    assert_true(w.datasets[1].hash == UINT64_MAX && w.datasets[0].hash == 17);
    assert_true(w.datasets[0].n_tokens == 8 && w.datasets[0].n_bytes == 33 && w.datasets[0].n_words == 5);
    assert_int_equal(w.n_windows, 3);
    for (int i = 0; i < 3; ++i) {
        int was = i == 0 ? 1 : i == 1 ? 2 : 0;
        assert_memory_equal(&w.windows[i], &both[was], sizeof *both);
        assert_memory_equal(&w.nll[i], &losses[was], sizeof *losses);
    }
    laser_windows_free(&w);
}

/* Reads two files and says whether they match. */
static int match(const char *a, const char *b, struct laser_error *err)
{
    struct laser_windows x, y;
    int code;

    assert_int_equal(laser_windows_read(a, &x, err), LASER_OK);
    assert_int_equal(laser_windows_read(b, &y, err), LASER_OK);
    code = laser_windows_match(a, &x, b, &y, err);
    laser_windows_free(&x);
    laser_windows_free(&y);
    return code;
}

static void test_what_cannot_be_compared_is_named(void **state)
{
    struct laser_error err = {0};

    (void)state;
    write_windows(file_of(0), 17, 3);
    write_windows(file_of(1), 17, 3);
    assert_int_equal(match(file_of(0), file_of(1), &err), LASER_OK);
    write_windows(file_of(1), 18, 3);
    assert_int_equal(match(file_of(0), file_of(1), &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "first has other tokens"));
    write_windows(file_of(1), 17, 2);
    assert_int_equal(match(file_of(0), file_of(1), &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "2 windows"));
}

static void test_a_torn_file_of_windows_is_refused_wherever_it_ends(void **state)
{
    struct laser_windows w;
    struct stat whole;

    (void)state;
    write_windows(file_of(0), 17, 3);
    assert_int_equal(stat(file_of(0), &whole), 0);
    for (off_t size = 0; size < whole.st_size; size += 1 + size / 16) {
        struct laser_error err = {0};
        write_windows(file_of(0), 17, 3);
        assert_int_equal(truncate(file_of(0), size), 0);
        assert_int_equal(laser_windows_read(file_of(0), &w, &err), LASER_EINPUT);
        assert_string_equal(err.where, file_of(0));
    }
}

static void test_a_window_of_no_data_set_is_refused(void **state)
{
    const struct laser_window window = {0, 7, 8, 0, 7, -1};
    struct laser_dataset sets[2];
    struct laser_windows w;
    struct laser_error err = {0};

    (void)state;
    make_datasets(sets, 1);
    assert_int_equal(laser_windows_write(file_of(0), notes, 3, sets, 2, &window, losses, 1, &err), LASER_OK);
    assert_int_equal(laser_windows_read(file_of(0), &w, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "missing or torn"));
}

static void test_windows_that_cannot_be_written_are_an_error(void **state)
{
    struct laser_dataset sets[2];
    struct laser_error err = {0};
    char path[160];

    (void)state;
    make_datasets(sets, 1);
    snprintf(path, sizeof path, "%s/none/windows.h5", directory);
    assert_int_equal(laser_windows_write(path, notes, 3, sets, 2, both, losses, 3, &err), LASER_EIO);
    assert_string_equal(err.where, path);
}

/* ---- token ids ---- */

static void put(hid_t file, const char *name, hid_t type, hid_t memory, int n_dims, const hsize_t *shape,
                const void *values)
{
    hid_t space = H5Screate_simple(n_dims, shape, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(set >= 0);
    assert_true(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static int read_ids(const char *path, const char *name, int32_t **ids, int64_t *n, struct laser_error *err)
{
    memset(err, 0, sizeof *err);
    return laser_h5_token_ids(path, name, ids, n, err);
}

static void test_token_ids_of_any_integer_type_and_shape_are_read_row_by_row(void **state)
{
    const int64_t values[6] = {1, 2, 65535, 4, 5, 6};
    const hsize_t shape[2] = {2, 3}, three = 3;
    const double other[3] = {1, 2, 3};
    hid_t types[3] = {H5T_STD_U16BE, H5T_STD_I32LE, H5T_STD_I64LE};
    struct laser_error err;
    int32_t *ids;
    int64_t n;

    (void)state;
    for (int t = 0; t < 3; ++t) {
        hid_t file = H5Fcreate(file_of(0), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        put(file, "train", types[t], H5T_NATIVE_INT64, 2, shape, values);
        put(file, "weights", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 1, &three, other);
        H5Fclose(file);
        assert_int_equal(read_ids(file_of(0), NULL, &ids, &n, &err), LASER_OK);
        assert_int_equal(n, 6);
        for (int i = 0; i < 6; ++i)
            assert_int_equal(ids[i], values[i]);
        free(ids);
    }
    assert_int_equal(read_ids(file_of(0), "weights", &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "does not hold integers"));
    assert_int_equal(read_ids(file_of(0), "other", &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no data set other"));
}

static void test_of_several_data_sets_one_is_to_be_chosen(void **state)
{
    const int64_t values[3] = {7, 8, 9};
    const hsize_t three = 3;
    struct laser_error err;
    int32_t *ids;
    int64_t n;
    hid_t file = H5Fcreate(file_of(0), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    (void)state;
    put(file, "a", H5T_STD_I32LE, H5T_NATIVE_INT64, 1, &three, values);
    put(file, "b", H5T_STD_I32LE, H5T_NATIVE_INT64, 1, &three, values);
    H5Fclose(file);
    assert_int_equal(read_ids(file_of(0), NULL, &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "a, b"));
    assert_int_equal(read_ids(file_of(0), "b", &ids, &n, &err), LASER_OK);
    assert_int_equal(n, 3);
    free(ids);
}

static void test_ids_that_are_none_are_told_by_their_place(void **state)
{
    const int64_t bad[2][3] = {{1, -2, 3}, {1, 2, INT64_C(1) << 31}};
    const hsize_t three = 3, none = 0;
    struct laser_error err;
    int32_t *ids;
    int64_t n;
    hid_t file;

    (void)state;
    for (int i = 0; i < 2; ++i) {
        file = H5Fcreate(file_of(0), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        put(file, "ids", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, &three, bad[i]);
        H5Fclose(file);
        assert_int_equal(read_ids(file_of(0), NULL, &ids, &n, &err), LASER_EINPUT);
        assert_non_null(strstr(err.text, i == 0 ? "token 1 has id -2" : "token 2 has id 2147483648"));
        assert_null(ids);
    }
    file = H5Fcreate(file_of(0), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "ids", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, &none, bad[0]);
    H5Fclose(file);
    assert_int_equal(read_ids(file_of(0), NULL, &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "empty"));
    assert_int_equal(read_ids("/nonexistent/ids.h5", NULL, &ids, &n, &err), LASER_EINPUT);
}

static void test_windows_with_another_prefix_token_cannot_be_compared(void **state)
{
    struct laser_dataset sets[2];
    struct laser_window other[3];
    struct laser_error err = {0};

    (void)state;
    make_datasets(sets, 17);
    memcpy(other, both, sizeof other);
    other[2].prefix = 3;
    write_windows(file_of(0), 17, 3);
    assert_int_equal(laser_windows_write(file_of(1), notes, 3, sets, 2, other, losses, 3, &err), LASER_OK);
    assert_int_equal(match(file_of(0), file_of(1), &err), LASER_EINPUT);
}

static void test_windows_are_on_the_disk_before_they_have_their_name(void **state)
{
    (void)state;
    durable[0] = '\0';
    write_windows(file_of(0), 17, 3);
    assert_string_equal(durable, "frd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_come_back_as_they_were_in_the_order_of_the_texts),
        cmocka_unit_test(test_what_cannot_be_compared_is_named),
        cmocka_unit_test(test_a_torn_file_of_windows_is_refused_wherever_it_ends),
        cmocka_unit_test(test_a_window_of_no_data_set_is_refused),
        cmocka_unit_test(test_windows_that_cannot_be_written_are_an_error),
        cmocka_unit_test(test_token_ids_of_any_integer_type_and_shape_are_read_row_by_row),
        cmocka_unit_test(test_of_several_data_sets_one_is_to_be_chosen),
        cmocka_unit_test(test_ids_that_are_none_are_told_by_their_place),
        cmocka_unit_test(test_windows_with_another_prefix_token_cannot_be_compared),
        cmocka_unit_test(test_windows_are_on_the_disk_before_they_have_their_name),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

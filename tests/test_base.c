#include "config.h" /* unshare() */

#include "testing.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/mcnemar.h"
#include "base/number.h"
#include "base/text.h"
#include "durability.h"

static char dir[] = "test-base-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void path_of(const char *name, char path[64])
{
    snprintf(path, 64, "%s/%s", dir, name);
}

static void assert_contents(const char *path, const char *expected)
{
    struct laser_error err = {0};
    char *data;
    size_t size;

    assert_int_equal(laser_file_read(path, 1000, &data, &size, &err), LASER_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(data, expected);
    free(data);
}

static void test_replace_makes_a_file_and_then_a_new_one(void **state)
{
    struct laser_error err = {0};
    char path[64], temporary[64];

    (void)state;
    path_of("a", path);
    path_of("a.tmp", temporary);
    assert_int_equal(laser_file_replace(path, "one", 3, &err), LASER_OK);
    assert_contents(path, "one");
    assert_int_equal(laser_file_replace(path, "", 0, &err), LASER_OK);
    assert_contents(path, "");
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(unlink(path), 0);
}

static void test_a_file_that_cannot_grow_leaves_the_old_one(void **state)
{
    static char large[100000];
    struct laser_error err = {0};
    struct rlimit old, tight;
    char path[64], temporary[64];
    int rc;

    (void)state;
    path_of("b", path);
    path_of("b.tmp", temporary);
    assert_int_equal(laser_file_replace(path, "old", 3, &err), LASER_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    rc = laser_file_replace(path, large, sizeof large, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, LASER_EIO);
    assert_string_equal(err.where, path);
    assert_non_null(strstr(err.text, "cannot write"));
    assert_contents(path, "old");
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(unlink(path), 0);
}

/* In a process of its own: a file system of one page, seen by nobody else.  0 good, 77 not to be had here. */
static int replace_on_a_full_disk(void)
{
    static char large[100000];
    struct laser_error err = {0};
    char path[64], temporary[64];

    path_of("c", path);
    path_of("c.tmp", temporary);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return 77;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", dir, "tmpfs", 0, "size=8k") != 0)
        return 77;
    if (laser_file_replace(path, "old", 3, &err) != LASER_OK)
        return 1;
    if (laser_file_replace(path, large, sizeof large, &err) != LASER_EIO)
        return 2;
    if (strstr(err.text, "100000 bytes are needed") == NULL)
        return 3;
    if (access(temporary, F_OK) == 0)
        return 4;
    return laser_file_replace(path, "new", 3, &err) == LASER_OK ? 0 : 5;
}

static void test_a_full_disk_is_told_with_the_bytes_needed(void **state)
{
    int status;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(replace_on_a_full_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("no private file system to be had here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_replacing_in_a_missing_directory_is_an_io_error(void **state)
{
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_file_replace("no-such-dir/x", "a", 1, &err), LASER_EIO);
    assert_string_equal(err.where, "no-such-dir/x");
}

static void test_reading_refuses_what_is_no_file_or_too_large(void **state)
{
    struct laser_error err = {0};
    char path[64];
    char *data;
    size_t size;

    (void)state;
    assert_int_equal(laser_file_read(dir, 10, &data, &size, &err), LASER_EINPUT);
    assert_null(data);
    assert_int_equal(laser_file_read("no-such-file", 10, &data, &size, &err), LASER_EINPUT);
    path_of("fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(laser_file_read(path, 10, &data, &size, &err), LASER_EINPUT);
    assert_int_equal(unlink(path), 0);
    path_of("d", path);
    assert_int_equal(laser_file_replace(path, "12345678901", 11, &err), LASER_OK);
    assert_int_equal(laser_file_read(path, 10, &data, &size, &err), LASER_EINPUT);
    assert_int_equal(unlink(path), 0);
}

static void assert_joined(const char *base, const char *name, const char *expected)
{
    char *path = laser_file_join(base, name);

    assert_string_equal(path, expected);
    free(path);
}

static void test_join_and_directory_agree_with_the_shell(void **state)
{
    char *directory = laser_file_directory("a/b/c");

    (void)state;
    assert_joined("a", "b", "a/b");
    assert_joined("a/", "b", "a/b");
    assert_joined("/", "b", "/b");
    assert_joined(".", "b", "b");
    assert_joined("", "b", "b");
    assert_joined("a", "/b", "/b");
    assert_string_equal(directory, "a/b");
    free(directory);
    directory = laser_file_directory("/c");
    assert_string_equal(directory, "/");
    free(directory);
    directory = laser_file_directory("c");
    assert_string_equal(directory, ".");
    free(directory);
}

static void test_shortest_numbers_are_those_of_python(void **state)
{
    FILE *file = fopen(SRCDIR "/tests/golden/report_numbers.tsv", "r");
    char line[200], text[LASER_NUMBER_SIZE];
    int seen = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *tab = strchr(line, '\t');
        double value = strtod(line, NULL);

        assert_non_null(tab);
        tab[1 + strcspn(tab + 1, "\n")] = '\0';
        assert_string_equal(laser_number_shortest(value, text), tab + 1);
        seen++;
    }
    fclose(file);
    assert_true(seen > 4000);
    assert_string_equal(laser_number_shortest(0.0, text), "0.0");
    assert_string_equal(laser_number_shortest(-0.0, text), "-0.0");
    assert_string_equal(laser_number_shortest(-INFINITY, text), "-Infinity");
    assert_string_equal(laser_number_shortest(NAN, text), "NaN");
}

static void test_bytes_and_times_for_people(void **state)
{
    char text[LASER_NUMBER_SIZE];

    (void)state;
    assert_string_equal(laser_number_bytes(0, text), "0 B");
    assert_string_equal(laser_number_bytes(1536, text), "1.5 KiB");
    assert_string_equal(laser_number_bytes(1048575.0 * 1024, text), "1.0 GiB");
    assert_string_equal(laser_number_bytes(300.0 * 1048576, text), "300 MiB");
    assert_string_equal(laser_number_time(0.04, text), "0.0 s");
    assert_string_equal(laser_number_time(59.4, text), "59 s");
    assert_string_equal(laser_number_time(245, text), "4 min 05 s");
    assert_string_equal(laser_number_time(9000, text), "2 h 30 min");
    assert_string_equal(laser_number_time(90000, text), "1 d 1 h");
    assert_string_equal(laser_number_time(NAN, text), "?");
}

static void test_wrapping_keeps_words_and_width(void **state)
{
    struct laser_text t = {0};

    (void)state;
    laser_text_puts(&t, "ab ");
    laser_text_wrap(&t, "one two three\nfour superlongword x", 3, 3, 10);
    assert_string_equal(t.data, "ab one two\n   three\n   four\n   superlongword\n   x");
    laser_text_free(&t);
    assert_int_equal(laser_text_columns("é×…"), 3);
}

static void test_taking_an_empty_text_gives_an_empty_string(void **state)
{
    struct laser_text t = {0};
    char *data = laser_text_take(&t);

    (void)state;
    assert_string_equal(data, "");
    free(data);
}

static void test_rendered_json_reads_back(void **state)
{
    const char *source = "{\"a\":[1,-2.5,true,false,null,{}],\"b\":{\"c\\n\\\"\\u0001é\":\"x\"},\"d\":[]}";
    json_t *value = json_loads(source, 0, NULL), *again;
    struct laser_text plain = {0}, indented = {0};

    (void)state;
    assert_non_null(value);
    laser_json_render(&plain, value, 0);
    assert_string_equal(plain.data, source);
    laser_json_render(&indented, value, 2);
    again = json_loads(indented.data, 0, NULL);
    assert_true(json_equal(value, again));
    assert_memory_equal(indented.data, "{\n  \"a\": [\n    1,\n", 18);
    json_decref(value);
    json_decref(again);
    laser_text_free(&plain);
    laser_text_free(&indented);
}

static void test_quoting_mends_what_is_not_utf8(void **state)
{
    struct laser_text t = {0};

    (void)state;
    laser_json_quote(&t, "a\xff\xc3", 0);
    assert_string_equal(t.data, "\"a\\ufffd\\ufffd\"");
    laser_text_free(&t);
    laser_json_quote(&t, "\xf0\x9f\x98\x80", 1);
    assert_string_equal(t.data, "\"\\ud83d\\ude00\"");
    laser_text_free(&t);
}

static void test_numbers_that_json_lacks_become_strings(void **state)
{
    json_t *value = laser_json_real(INFINITY);

    (void)state;
    assert_string_equal(json_string_value(value), "Infinity");
    json_decref(value);
    value = laser_json_real(0.5);
    assert_true(json_real_value(value) == 0.5);
    json_decref(value);
}

static void test_a_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old(void **state)
{
    struct laser_error err = {0};
    char path[64];

    (void)state;
    path_of("durable", path);
    durable[0] = '\0';
    assert_int_equal(laser_file_replace(path, "new", 3, &err), LASER_OK);
    assert_string_equal(durable, "frd");
    assert_int_equal(unlink(path), 0);
}

static void test_a_file_of_just_the_limit_is_read(void **state)
{
    struct laser_error err = {0};
    char path[64], *data;
    size_t size;

    (void)state;
    path_of("ten", path);
    assert_int_equal(laser_file_replace(path, "1234567890", 10, &err), LASER_OK);
    assert_int_equal(laser_file_read(path, 10, &data, &size, &err), LASER_OK);
    assert_int_equal(size, 10);
    free(data);
    assert_int_equal(unlink(path), 0);
}

/* Exact: sums of binomial coefficients over powers of two. */
static void test_mcnemar_is_the_tail_of_the_binomial_law(void **state)
{
    (void)state;
    assert_float_equal(laser_mcnemar_p(3, 1), 5.0 / 16, 1e-14);
    assert_float_equal(laser_mcnemar_p(4, 0), 1.0 / 16, 1e-14);
    assert_float_equal(laser_mcnemar_p(0, 4), 1, 0);
    assert_float_equal(laser_mcnemar_p(5, 5), 638.0 / 1024, 1e-14);
}

static void test_csv_unpacks_quotes_and_passes_a_byte_order_mark(void **state)
{
    char text[] = "\xef\xbb\xbf"
                  "a,\"b \"\"c\"\" d\"\r\n1,2";
    struct laser_csv csv;
    struct laser_csv_field field;
    struct laser_error err = {0};
    static const char *const expected[] = {"a", "b \"c\" d", "1", "2"};

    (void)state;
    laser_csv_begin(&csv, "x.csv", text, strlen(text));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(laser_csv_next(&csv, &field, &err), LASER_OK);
        assert_int_equal(field.n, strlen(expected[i]));
        assert_memory_equal(field.text, expected[i], field.n);
        assert_int_equal(field.last, i % 2);
    }
}

static void test_control_characters_are_escaped_in_json(void **state)
{
    struct laser_text t = {0};

    (void)state;
    laser_json_quote(&t, "\x01\x1f\n ", 0);
    assert_string_equal(t.data, "\"\\u0001\\u001f\\n \"");
    laser_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_makes_a_file_and_then_a_new_one),
        cmocka_unit_test(test_a_file_that_cannot_grow_leaves_the_old_one),
        cmocka_unit_test(test_a_full_disk_is_told_with_the_bytes_needed),
        cmocka_unit_test(test_replacing_in_a_missing_directory_is_an_io_error),
        cmocka_unit_test(test_reading_refuses_what_is_no_file_or_too_large),
        cmocka_unit_test(test_join_and_directory_agree_with_the_shell),
        cmocka_unit_test(test_shortest_numbers_are_those_of_python),
        cmocka_unit_test(test_bytes_and_times_for_people),
        cmocka_unit_test(test_wrapping_keeps_words_and_width),
        cmocka_unit_test(test_taking_an_empty_text_gives_an_empty_string),
        cmocka_unit_test(test_rendered_json_reads_back),
        cmocka_unit_test(test_quoting_mends_what_is_not_utf8),
        cmocka_unit_test(test_numbers_that_json_lacks_become_strings),
        cmocka_unit_test(test_a_new_file_is_on_the_disk_before_it_takes_the_place_of_the_old),
        cmocka_unit_test(test_a_file_of_just_the_limit_is_read),
        cmocka_unit_test(test_mcnemar_is_the_tail_of_the_binomial_law),
        cmocka_unit_test(test_csv_unpacks_quotes_and_passes_a_byte_order_mark),
        cmocka_unit_test(test_control_characters_are_escaped_in_json),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

#include "config.h" /* unshare() */

#include "durability.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
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
#include "base/json_read.h"
#include "base/json_text.h"
#include "base/mcnemar.h"
#include "base/node.h"
#include "base/number.h"
#include "base/output.h"
#include "base/text.h"
#include "base/traffic.h"

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
    path_of(".a.partial", temporary);
    assert_int_equal(laser_file_replace(path, "one", 3, &err), LASER_OK);
    assert_contents(path, "one");
    assert_int_equal(laser_file_replace(path, "", 0, &err), LASER_OK);
    assert_contents(path, "");
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(unlink(path), 0);
}

static void test_a_file_is_on_the_disk_before_its_name_and_then_its_name(void **state)
{
    struct laser_error err = {0};
    char path[64];

    (void)state;
    path_of("a", path);
    durable[0] = '\0';
    assert_int_equal(laser_file_replace(path, "one", 3, &err), LASER_OK);
    assert_string_equal(durable, "frd");
    assert_int_equal(unlink(path), 0);
}

static void test_bytes_read_and_written_are_counted_apart(void **state)
{
    const struct laser_traffic before = laser_traffic_so_far();
    struct laser_traffic after;
    struct laser_error err = {0};
    char path[64], *data;
    size_t size;

    (void)state;
    path_of("a", path);
    assert_int_equal(laser_file_replace(path, "12345", 5, &err), LASER_OK);
    after = laser_traffic_so_far();
    assert_int_equal(after.written_bytes - before.written_bytes, 5);
    assert_int_equal(after.read_bytes - before.read_bytes, 0);
    assert_int_equal(laser_file_read(path, 100, &data, &size, &err), LASER_OK);
    free(data);
    after = laser_traffic_so_far();
    assert_int_equal(after.written_bytes - before.written_bytes, 5);
    assert_int_equal(after.read_bytes - before.read_bytes, 5);
    assert_int_equal(unlink(path), 0);
}

static void test_what_a_library_writes_by_name_is_counted(void **state)
{
    const struct laser_traffic before = laser_traffic_so_far();
    struct laser_output out;
    struct laser_error err = {0};
    char path[64];
    FILE *f;

    (void)state;
    path_of("a", path);
    assert_int_equal(laser_output_begin(path, &out, &err), LASER_OK);
    assert_int_equal(laser_output_write(&out, "12", 2, &err), LASER_OK);
    f = fopen(out.temporary, "a");
    assert_non_null(f);
    fputs("345", f);
    fclose(f);
    assert_int_equal(laser_output_commit(&out, &err), LASER_OK);
    assert_contents(path, "12345");
    assert_int_equal(laser_traffic_so_far().written_bytes - before.written_bytes, 5);
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
    path_of(".b.partial", temporary);
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
    path_of(".c.partial", temporary);
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

static void test_a_number_for_people_is_never_minus_zero(void **state)
{
    char text[LASER_NUMBER_SIZE];

    (void)state;
    assert_string_equal(laser_number_fixed(-0.0, 6, text), "0.000000");
    assert_string_equal(laser_number_fixed(-1e-9, 6, text), "0.000000");
    assert_string_equal(laser_number_fixed(-0.5, 2, text), "-0.50");
    assert_string_equal(laser_number_change(-0.0, 6, text), "+0.000000");
    assert_string_equal(laser_number_change(-4e-7, 6, text), "+0.000000");
    assert_string_equal(laser_number_change(-0.25, 4, text), "-0.2500");
    assert_string_equal(laser_number_change_power(-0.0, 2, text), "+0.00e+00");
    assert_string_equal(laser_number_change_power(-0.0427, 2, text), "-4.27e-02");
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

static json_t *read_json(const char *text, enum laser_json_words words)
{
    json_error_t error;

    return laser_json_read(text, strlen(text), JSON_DECODE_ANY, words, &error);
}

static void assert_reads_as(const char *text, enum laser_json_words words, const char *expected)
{
    json_t *value = read_json(text, words);
    char *found;

    if (value == NULL)
        fail_msg("%s is not read", text);
    found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(found, expected);
    free(found);
    json_decref(value);
}

/* json.loads of Python reads each of these. */
static void test_json_that_python_reads_is_read(void **state)
{
    (void)state;
    assert_reads_as("[NaN, -Infinity, Infinity, 1]", LASER_JSON_WORDS_STRING,
                    "[\"NaN\",\"-Infinity\",\"Infinity\",1]");
    assert_reads_as("{\"a\": NaN, \"b\": \"NaN \\\" NaN\"}", LASER_JSON_WORDS_NULL,
                    "{\"a\":null,\"b\":\"NaN \\\" NaN\"}");
    assert_reads_as("1e999", LASER_JSON_WORDS_STRING, "\"Infinity\"");
    assert_reads_as("[-1e999]", LASER_JSON_WORDS_NULL, "[null]");
    assert_reads_as("[18446744073709551615, 9223372036854775807]", LASER_JSON_WORDS_NULL,
                    "[1.8446744073709552e19,9223372036854775807]");
    assert_reads_as("1000000000000000019884624838656", LASER_JSON_WORDS_NULL, "1e30");
    assert_reads_as("[\"\\ud83d\\ude00\", \"\\ud83d\", NaN]", LASER_JSON_WORDS_NULL,
                    "[\"\xf0\x9f\x98\x80\",\"\xef\xbf\xbd\",null]");
    assert_reads_as("[\"a\\\\\", NaN]", LASER_JSON_WORDS_NULL, "[\"a\\\\\",null]");
}

static void test_what_is_no_json_in_python_is_none(void **state)
{
    static const char *const bad[] = {"",     "[nan]", "[1,]", "{\"a\": NaN", "[01]",  "[\"\\",
                                      "[1e]", "[-]",   "Nan",  "\"\\ud8",     "[NaNa]"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_json(bad[i], LASER_JSON_WORDS_NULL) != NULL)
            fail_msg("%s is read", bad[i]);
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

/* A file below dir, its directories too; `gone` removes them again. */
static void put_file(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    for (char *slash = path; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
    }
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static double control_groups(const char *list)
{
    char path[64], root[64];

    put_file("list", list);
    path_of("list", path);
    path_of("groups", root);
    return laser_control_group_memory(path, root);
}

static int remove_groups(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s/groups %s/list", dir, dir);
    return system(command);
}

static void test_a_control_group_of_version_2_limits_memory(void **state)
{
    (void)state;
    put_file("groups/job.slice/step/memory.max", "max\n");
    put_file("groups/job.slice/memory.max", "2000000000\n");
    assert_float_equal(control_groups("0::/job.slice/step\n"), 2e9, 0);
    put_file("groups/job.slice/step/memory.high", "1500000000\n");
    assert_float_equal(control_groups("0::/job.slice/step\n"), 1.5e9, 0);
}

static void test_a_control_group_of_version_1_limits_memory(void **state)
{
    (void)state;
    put_file("groups/memory/slurm/uid_0/job_7/memory.limit_in_bytes", "3000000000\n");
    put_file("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_float_equal(control_groups("9:cpu:/x\n4:memory:/slurm/uid_0/job_7\n0::/\n"), 3e9, 0);
}

static void test_a_control_group_mounted_with_others_limits_memory(void **state)
{
    (void)state;
    put_file("groups/cpu,memory/a/memory.limit_in_bytes", "1000000000\n");
    assert_float_equal(control_groups("3:cpu,memory:/a\n"), 1e9, 0);
}

static void test_a_control_group_whose_name_holds_colons_limits_memory(void **state)
{
    (void)state;
    put_file("groups/memory/pod.slice:docker:1f/memory.limit_in_bytes", "1000000000\n");
    assert_float_equal(control_groups("4:memory:/pod.slice:docker:1f\n"), 1e9, 0);
}

static void test_without_control_groups_there_is_no_limit(void **state)
{
    (void)state;
    assert_true(isinf(control_groups("9:cpu:/x\n")));
    assert_true(isinf(laser_control_group_memory("no-such-file", dir)));
}

/* What a child with that limit says is left, in MiB at most 200. */
static int left_with_limit(int resource, rlim_t bytes)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit limit = {bytes, bytes};
        struct laser_address_space space;
        if (setrlimit(resource, &limit) != 0)
            _exit(255);
        space = laser_address_space();
        _exit(space.name != NULL && space.limit_bytes == (double)bytes ? (int)(space.left_bytes / (1 << 20))
                                                                       : 254);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_limits_of_the_process_are_known(void **state)
{
    int left;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    left = left_with_limit(RLIMIT_DATA, 200 << 20);
    assert_in_range(left, 100, 200);
    /* Below what is used already: nothing is left. */
    assert_int_equal(left_with_limit(RLIMIT_AS, 1 << 20), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_makes_a_file_and_then_a_new_one),
        cmocka_unit_test(test_a_file_is_on_the_disk_before_its_name_and_then_its_name),
        cmocka_unit_test(test_bytes_read_and_written_are_counted_apart),
        cmocka_unit_test(test_what_a_library_writes_by_name_is_counted),
        cmocka_unit_test(test_a_file_that_cannot_grow_leaves_the_old_one),
        cmocka_unit_test(test_a_full_disk_is_told_with_the_bytes_needed),
        cmocka_unit_test(test_replacing_in_a_missing_directory_is_an_io_error),
        cmocka_unit_test(test_reading_refuses_what_is_no_file_or_too_large),
        cmocka_unit_test(test_join_and_directory_agree_with_the_shell),
        cmocka_unit_test(test_shortest_numbers_are_those_of_python),
        cmocka_unit_test(test_bytes_and_times_for_people),
        cmocka_unit_test(test_a_number_for_people_is_never_minus_zero),
        cmocka_unit_test(test_wrapping_keeps_words_and_width),
        cmocka_unit_test(test_taking_an_empty_text_gives_an_empty_string),
        cmocka_unit_test(test_rendered_json_reads_back),
        cmocka_unit_test(test_quoting_mends_what_is_not_utf8),
        cmocka_unit_test(test_numbers_that_json_lacks_become_strings),
        cmocka_unit_test(test_json_that_python_reads_is_read),
        cmocka_unit_test(test_what_is_no_json_in_python_is_none),
        cmocka_unit_test(test_a_file_of_just_the_limit_is_read),
        cmocka_unit_test(test_mcnemar_is_the_tail_of_the_binomial_law),
        cmocka_unit_test(test_csv_unpacks_quotes_and_passes_a_byte_order_mark),
        cmocka_unit_test(test_control_characters_are_escaped_in_json),
        cmocka_unit_test_teardown(test_a_control_group_of_version_2_limits_memory, remove_groups),
        cmocka_unit_test_teardown(test_a_control_group_of_version_1_limits_memory, remove_groups),
        cmocka_unit_test_teardown(test_a_control_group_mounted_with_others_limits_memory, remove_groups),
        cmocka_unit_test_teardown(test_a_control_group_whose_name_holds_colons_limits_memory, remove_groups),
        cmocka_unit_test_teardown(test_without_control_groups_there_is_no_limit, remove_groups),
        cmocka_unit_test(test_limits_of_the_process_are_known),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

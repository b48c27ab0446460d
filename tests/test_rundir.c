#include "testing.h"

#include "search/rundir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];

static const char *in_base(const char *name)
{
    static char paths[4][256];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", base, name);
    return paths[turn];
}

static int make_base(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/laser_rundir_XXXXXX");
    return mkdtemp(base) == NULL || mkdir(in_base("model"), 0777) != 0;
}

static int remove_base(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command);
}

static int open_at(const char *path, struct laser_rundir *dir, struct laser_error *err)
{
    return laser_rundir_open(path, in_base("model"), dir, err);
}

static void test_directory_and_parents_are_made(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};
    struct stat st;

    (void)state;
    assert_int_equal(open_at(in_base("a/b/c"), &dir, &err), LASER_OK);
    assert_int_equal(stat(in_base("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_string_equal(dir.path + strlen(dir.path) - 6, "/a/b/c");
    assert_int_equal(dir.path[0], '/');
    laser_rundir_close(&dir);
}

static void test_symbolic_links_are_resolved(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(mkdir(in_base("real"), 0777), 0);
    assert_int_equal(symlink("real", in_base("link")), 0);
    assert_int_equal(open_at(in_base("link"), &dir, &err), LASER_OK);
    assert_string_equal(dir.path + strlen(dir.path) - 5, "/real");
    laser_rundir_close(&dir);
}

static void refused(const char *path, int code, const char *where, const char *words)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    assert_int_equal(open_at(path, &dir, &err), code);
    assert_non_null(strstr(err.where, where));
    assert_non_null(strstr(err.text, words));
    laser_rundir_close(&dir);
}

static void test_model_directory_is_refused(void **state)
{
    (void)state;
    refused(in_base("model"), LASER_EUSAGE, "/model", "is the model directory");
    refused(in_base("model/."), LASER_EUSAGE, "/model", "is the model directory");
    refused(in_base("a/../model"), LASER_EUSAGE, "/model", "is the model directory");
}

static void test_inside_the_model_directory_is_refused_before_anything_is_made(void **state)
{
    (void)state;
    refused(in_base("model/x/y"), LASER_EUSAGE, "/model/x/y", "inside the model directory");
    assert_int_equal(access(in_base("model/x"), F_OK), -1);
}

static void test_beside_the_model_directory_is_fine(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(open_at(in_base("model-scan"), &dir, &err), LASER_OK);
    laser_rundir_close(&dir);
}

static void test_a_file_in_the_way_is_an_error(void **state)
{
    FILE *f = fopen(in_base("file"), "w");

    (void)state;
    assert_non_null(f);
    fclose(f);
    refused(in_base("file"), LASER_EIO, "/file", "not a directory");
    refused(in_base("file/x"), LASER_EIO, "/file", "directory");
}

static void test_a_path_that_is_too_long_is_an_error(void **state)
{
    char path[6000];
    struct laser_error err = {0};

    (void)state;
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(laser_directory_make(path, &err), LASER_EUSAGE);
}

/* The lock is one of processes: another one has to try. */
static int try_in_a_child(const char *path)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct laser_rundir dir;
        struct laser_error err = {0};
        int code = open_at(path, &dir, &err);
        if (code == LASER_EUSAGE && strstr(err.text, "another run works") == NULL)
            code = 99;
        _exit(code);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_a_second_process_is_refused_until_the_first_lets_go(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(open_at(in_base("held"), &dir, &err), LASER_OK);
    assert_int_equal(try_in_a_child(in_base("held")), LASER_EUSAGE);
    laser_rundir_close(&dir);
    assert_int_equal(try_in_a_child(in_base("held")), LASER_OK);
}

static void test_a_killed_holder_leaves_the_directory_free(void **state)
{
    int pipes[2], status;
    char ready;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        struct laser_rundir dir;
        struct laser_error err = {0};
        char code = (char)open_at(in_base("killed"), &dir, &err);
        if (write(pipes[1], &code, 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    assert_int_equal(ready, LASER_OK);
    assert_int_equal(try_in_a_child(in_base("killed")), LASER_EUSAGE);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_int_equal(try_in_a_child(in_base("killed")), LASER_OK);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_the_model_may_be_unknown(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_rundir_open(in_base("free"), NULL, &dir, &err), LASER_OK);
    laser_rundir_close(&dir);
    laser_rundir_close(&dir); /* harmless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_and_parents_are_made),
        cmocka_unit_test(test_symbolic_links_are_resolved),
        cmocka_unit_test(test_model_directory_is_refused),
        cmocka_unit_test(test_inside_the_model_directory_is_refused_before_anything_is_made),
        cmocka_unit_test(test_beside_the_model_directory_is_fine),
        cmocka_unit_test(test_a_file_in_the_way_is_an_error),
        cmocka_unit_test(test_a_path_that_is_too_long_is_an_error),
        cmocka_unit_test(test_a_second_process_is_refused_until_the_first_lets_go),
        cmocka_unit_test(test_a_killed_holder_leaves_the_directory_free),
        cmocka_unit_test(test_the_model_may_be_unknown),
    };

    return cmocka_run_group_tests(tests, make_base, remove_base);
}

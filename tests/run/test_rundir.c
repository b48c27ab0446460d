#include "testing.h"

#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];
static int has_locks = 1;

/* The C library's, but for file systems without locks. */
int fcntl(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (command == F_SETLK && !has_locks) {
        errno = ENOLCK;
        return -1;
    }
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

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

static int there_are_no_locks(void **state)
{
    (void)state;
    has_locks = 0;
    return 0;
}

static int there_are_locks(void **state)
{
    (void)state;
    has_locks = 1;
    unsetenv("SLURM_JOB_ID");
    return 0;
}

/* A lock file as a run that is no more would have left it. */
static const char *left_behind_by(const char *name, const char *holder)
{
    struct laser_error err = {0};
    char path[400];
    FILE *file;

    assert_int_equal(laser_directory_make(in_base(name), &err), LASER_OK);
    snprintf(path, sizeof path, "%s/lock.held", in_base(name));
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(holder, file);
    fclose(file);
    return in_base(name);
}

static void test_without_locks_a_file_holds_the_directory(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(open_at(in_base("nolocks"), &dir, &err), LASER_OK);
    assert_int_equal(access(in_base("nolocks/lock.held"), F_OK), 0);
    assert_int_equal(try_in_a_child(in_base("nolocks")), LASER_EUSAGE);
    assert_int_equal(access(in_base("nolocks/lock.held"), F_OK), 0);
    laser_rundir_close(&dir);
    assert_int_equal(access(in_base("nolocks/lock.held"), F_OK), -1);
    assert_int_equal(try_in_a_child(in_base("nolocks")), LASER_OK);
}

static void test_without_locks_a_killed_holder_leaves_the_directory_free(void **state)
{
    test_a_killed_holder_leaves_the_directory_free(state);
}

static void test_without_locks_another_host_holds_the_directory_and_is_named(void **state)
{
    const char *path = left_behind_by("elsewhere", "host n17.cluster process 4711 job 12\n");
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(open_at(path, &dir, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "host n17.cluster process 4711 job 12"));
    assert_non_null(strstr(err.text, "lock.held"));
    assert_int_equal(access(in_base("elsewhere/lock.held"), F_OK), 0);
}

static void test_without_locks_a_later_start_of_the_same_job_takes_over(void **state)
{
    const char *path = left_behind_by("requeued", "host n17.cluster process 4711 job 12\n");
    struct laser_rundir dir;
    struct laser_error err = {0};

    (void)state;
    setenv("SLURM_JOB_ID", "13", 1);
    assert_int_equal(open_at(path, &dir, &err), LASER_EUSAGE);
    setenv("SLURM_JOB_ID", "12", 1);
    assert_int_equal(open_at(path, &dir, &err), LASER_EUSAGE); /* another task of the same start */
    setenv("SLURM_RESTART_COUNT", "1", 1);
    assert_int_equal(open_at(path, &dir, &err), LASER_OK);
    laser_rundir_close(&dir);
    path = left_behind_by("requeued", "host n17.cluster process 4711 job 12 start 1\n");
    assert_int_equal(open_at(path, &dir, &err), LASER_EUSAGE);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    assert_int_equal(open_at(path, &dir, &err), LASER_OK);
    laser_rundir_close(&dir);
    unsetenv("SLURM_RESTART_COUNT");
    unsetenv("SLURM_JOB_ID");
}

static void test_without_locks_a_process_number_that_is_ours_now_holds_nothing(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};
    char host[256] = "", holder[400];

    (void)state;
    gethostname(host, sizeof host - 1);
    snprintf(holder, sizeof holder, "host %s process %ld\n", host, (long)getpid());
    assert_int_equal(open_at(left_behind_by("again", holder), &dir, &err), LASER_OK);
    laser_rundir_close(&dir);
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

static void test_a_directory_that_is_inside_the_model_directory_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_base("model/there"), 0777), 0);
    refused(in_base("model/there"), LASER_EUSAGE, "/model/there", "inside the model directory");
    assert_int_equal(rmdir(in_base("model/there")), 0);
}

static void test_a_current_directory_that_is_no_more_is_an_error(void **state)
{
    struct laser_rundir dir;
    struct laser_error err = {0};
    char before[4096];

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(mkdir(in_base("gone"), 0777), 0);
    assert_int_equal(chdir(in_base("gone")), 0);
    assert_int_equal(rmdir(in_base("gone")), 0);
    assert_int_equal(open_at("a/b", &dir, &err), LASER_EIO);
    assert_string_equal(err.where, "a/b");
    assert_non_null(strstr(err.text, "the current directory cannot be resolved: No such file"));
    assert_int_equal(chdir(before), 0);
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
        cmocka_unit_test_setup_teardown(test_without_locks_a_file_holds_the_directory, there_are_no_locks,
                                        there_are_locks),
        cmocka_unit_test_setup_teardown(test_without_locks_a_killed_holder_leaves_the_directory_free,
                                        there_are_no_locks, there_are_locks),
        cmocka_unit_test_setup_teardown(test_without_locks_another_host_holds_the_directory_and_is_named,
                                        there_are_no_locks, there_are_locks),
        cmocka_unit_test_setup_teardown(test_without_locks_a_later_start_of_the_same_job_takes_over,
                                        there_are_no_locks, there_are_locks),
        cmocka_unit_test_setup_teardown(test_without_locks_a_process_number_that_is_ours_now_holds_nothing,
                                        there_are_no_locks, there_are_locks),
        cmocka_unit_test(test_the_model_may_be_unknown),
        cmocka_unit_test(test_a_directory_that_is_inside_the_model_directory_is_refused),
        cmocka_unit_test(test_a_current_directory_that_is_no_more_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_base, remove_base);
}

/* Part files, one for each rank and read by any, and spectra.h5 there and back. */
#include "base/durability.h"
#include "testing.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/decisions.h"
#include "store/parts.h"
#include "store/spectra.h"

static char output[64];

static const char *in_output(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", output, name);
    return path;
}

static int make_output(void **state)
{
    (void)state;
    snprintf(output, sizeof output, "/tmp/laser_store_XXXXXX");
    return mkdtemp(output) == NULL || mkdir(in_output("work"), 0777) != 0;
}

static int remove_output(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", output);
    return system(command);
}

static void test_parts_that_are_written_side_by_side_are_read_each(void **state)
{
    enum { RANKS = 4 };
    struct laser_part_writer writers[RANKS];
    struct laser_part_record all[RANKS][3];
    struct laser_error err = {0};

    (void)state;
    for (int r = 0; r < RANKS; ++r)
        assert_int_equal(laser_part_open(output, r, &writers[r], &err), LASER_OK);
    for (int i = 0; i < 3; ++i)
        for (int r = 0; r < RANKS; ++r) {
            double values[5] = {100 * r + i, 4, 3, 2, 1};
            assert_int_equal(laser_part_append(&writers[r], values, 3 + i, &all[r][i], &err), LASER_OK);
        }
    for (int r = 0; r < RANKS; ++r)
        laser_part_close(&writers[r]);
    for (int r = 0; r < RANKS; ++r)
        for (int i = 0; i < 3; ++i) {
            double values[5];
            assert_int_equal(all[r][i].count, 3 + i);
            assert_int_equal(laser_part_read(output, &all[r][i], values, &err), LASER_OK);
            assert_true(values[0] == 100 * r + i && values[2] == 3);
        }
}

static void test_a_part_that_is_opened_again_goes_on_at_its_end(void **state)
{
    struct laser_part_writer writer;
    struct laser_part_record first, second;
    struct laser_error err = {0};
    double values[2] = {2, 1}, back[2];
    int part = 1000;

    (void)state;
    assert_int_equal(laser_part_open(output, part, &writer, &err), LASER_OK);
    assert_int_equal(laser_part_append(&writer, values, 2, &first, &err), LASER_OK);
    laser_part_close(&writer);
    assert_int_equal(laser_part_open(output, part, &writer, &err), LASER_OK);
    values[0] = 9;
    assert_int_equal(laser_part_append(&writer, values, 2, &second, &err), LASER_OK);
    laser_part_close(&writer);
    assert_int_equal(second.offset, 16);
    assert_int_equal(laser_part_read(output, &first, back, &err), LASER_OK);
    assert_true(back[0] == 2);
    assert_int_equal(laser_part_read(output, &second, back, &err), LASER_OK);
    assert_true(back[0] == 9);
}

static void test_torn_altered_and_missing_records_are_noticed(void **state)
{
    struct laser_part_writer writer;
    struct laser_part_record record, past, gone;
    struct laser_error err = {0};
    double values[4] = {4, 3, 2, 1}, back[8];
    int part = 2000;

    (void)state;
    assert_int_equal(laser_part_open(output, part, &writer, &err), LASER_OK);
    assert_int_equal(laser_part_append(&writer, values, 4, &record, &err), LASER_OK);
    past = gone = record;
    past.count = 8;
    gone.part = 999999;
    assert_int_equal(laser_part_read(output, &past, back, &err), LASER_EIO);
    assert_int_equal(laser_part_read(output, &gone, back, &err), LASER_EIO);
    assert_int_equal(pwrite(writer.fd, "x", 1, 9), 1);
    assert_int_equal(laser_part_read(output, &record, back, &err), LASER_EIO);
    assert_int_equal(ftruncate(writer.fd, 24), 0);
    assert_int_equal(laser_part_read(output, &record, back, &err), LASER_EIO);
    laser_part_close(&writer);
}

/* ---- spectra.h5 ---- */

static double sigma[] = {5, 4, 3, 2, 1, 0.5};

static struct laser_spectra_matrix scanned(const char *name)
{
    struct laser_spectra_matrix m = {.name = (char *)(uintptr_t)name,
                                     .type = (char *)(uintptr_t) "mlp.up_proj",
                                     .dtype = (char *)(uintptr_t) "BF16",
                                     .layer = 3,
                                     .sigma = sigma};
    struct laser_rule rule;
    struct laser_error err = {0};

    assert_int_equal(laser_rule_parse("marchenko-pastur", &rule, &err), LASER_OK);
    m.outcome.status = LASER_OUTCOME_SCANNED;
    m.outcome.solver = LASER_SOLVER_GESVD;
    m.outcome.read_s = 0.25;
    assert_int_equal(laser_metrics_fill(&rule, sigma, 8, 6, &m.outcome.metrics, &err), LASER_OK);
    return m;
}

static void write_file(const char *path)
{
    static const char *const names[] = {"a/b%c", "z"}, *const statuses[] = {"scanned", "failed"};
    static const char *const reasons[] = {"", "NaN"};
    struct laser_spectra_matrix good = scanned("a/b%c"), bad = {.name = (char *)(uintptr_t) "z",
                                                                .type = (char *)(uintptr_t) "z",
                                                                .dtype = (char *)(uintptr_t) "F32",
                                                                .layer = -1};
    struct laser_spectra_writer *w;
    struct laser_error err = {0};

    bad.outcome.status = LASER_OUTCOME_FAILED;
    bad.outcome.metrics.rows = bad.outcome.metrics.columns = 2;
    snprintf(bad.outcome.reason, sizeof bad.outcome.reason, "row 1, column 0 is NaN");
    assert_int_equal(laser_spectra_create(path, &w, &err), LASER_OK);
    assert_int_equal(laser_spectra_text(w, "model", "org/name", &err), LASER_OK);
    assert_int_equal(laser_spectra_text(w, "rule", "", &err), LASER_OK);
    assert_int_equal(laser_spectra_add(w, &bad, &err), LASER_OK);
    assert_int_equal(laser_spectra_add(w, &good, &err), LASER_OK);
    assert_int_equal(laser_spectra_tensors(w, names, statuses, reasons, 2, &err), LASER_OK);
    assert_int_equal(laser_spectra_finish(w, 1, &err), LASER_OK);
}

static void test_spectra_come_back_to_the_bit(void **state)
{
    struct laser_spectra s;
    struct laser_spectra_matrix in;
    struct laser_error err = {0};

    (void)state;
    in = scanned("a/b%c");
    write_file(in_output("spectra.h5"));
    assert_int_equal(laser_spectra_read(in_output("spectra.h5"), &s, &err), LASER_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.model, "org/name");
    assert_string_equal(s.rule, "");
    assert_null(s.deck);
    assert_string_equal(s.matrices[0].name, "a/b%c");
    assert_string_equal(s.matrices[0].type, "mlp.up_proj");
    assert_string_equal(s.matrices[0].dtype, "BF16");
    assert_int_equal(s.matrices[0].layer, 3);
    assert_int_equal(s.matrices[0].outcome.solver, LASER_SOLVER_GESVD);
    assert_memory_equal(s.matrices[0].sigma, sigma, sizeof sigma);
    for (int i = 0; i < laser_n_metric_fields; ++i)
        assert_memory_equal((char *)&s.matrices[0].outcome.metrics + laser_metric_fields[i].offset,
                            (char *)&in.outcome.metrics + laser_metric_fields[i].offset, 8);
    assert_int_equal(s.matrices[1].outcome.status, LASER_OUTCOME_FAILED);
    assert_string_equal(s.matrices[1].outcome.reason, "row 1, column 0 is NaN");
    assert_int_equal(s.matrices[1].layer, -1);
    assert_null(s.matrices[1].sigma);
    assert_int_equal(s.n_tensors, 2);
    assert_string_equal(s.tensors[0].name, "a/b%c");
    assert_string_equal(s.tensors[1].status, "failed");
    assert_string_equal(s.tensors[1].reason, "NaN");
    laser_spectra_free(&s);
}

static void test_spectra_that_are_thrown_away_leave_the_old_file(void **state)
{
    struct laser_spectra_writer *w;
    struct laser_spectra s;
    struct laser_error err = {0};

    (void)state;
    write_file(in_output("kept.h5"));
    assert_int_equal(laser_spectra_create(in_output("kept.h5"), &w, &err), LASER_OK);
    assert_int_equal(laser_spectra_finish(w, 0, &err), LASER_OK);
    assert_int_equal(access(in_output(".kept.h5.partial"), F_OK), -1);
    assert_int_equal(laser_spectra_read(in_output("kept.h5"), &s, &err), LASER_OK);
    assert_int_equal(s.n, 2);
    laser_spectra_free(&s);
}

static void unreadable(const char *name, const char *words)
{
    struct laser_spectra s;
    struct laser_error err = {0};

    assert_int_equal(laser_spectra_read(in_output(name), &s, &err), LASER_EINPUT);
    assert_non_null(strstr(err.where, name));
    assert_non_null(strstr(err.text, words));
}

static void test_files_that_are_no_spectra_are_refused(void **state)
{
    FILE *f;

    (void)state;
    unreadable("missing.h5", "no such file");
    f = fopen(in_output("text.h5"), "w");
    assert_non_null(f);
    fputs("this is text", f);
    fclose(f);
    unreadable("text.h5", "this is not a readable HDF5 file (HDF5: file signature not found)");
    write_file(in_output("short.h5"));
    assert_int_equal(truncate(in_output("short.h5"), 1500), 0);
    unreadable("short.h5", "truncated file");
}

/* Opens a good file to spoil it. */
static hid_t spoil(const char *name)
{
    hid_t file;

    write_file(in_output(name));
    file = H5Fopen(in_output(name), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void test_spectra_of_another_version_are_refused(void **state)
{
    hid_t file, attribute;
    int64_t version = 9;

    (void)state;
    file = spoil("version.h5");
    attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT64, &version) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
    unreadable("version.h5", "format version 9 found, 1 expected");
}

static void test_a_torn_account_of_the_tensors_is_refused(void **state)
{
    hid_t file;

    (void)state;
    file = spoil("account.h5");
    assert_true(H5Ldelete(file, "tensors/reason", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    unreadable("account.h5", "/tensors/reason is missing");
    file = spoil("texts.h5");
    assert_true(H5Ldelete(file, "tensors/status", H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_hard(file, "matrices/a%2Fb%25c/singular_values", file, "tensors/status",
                               H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    unreadable("texts.h5", "/tensors/status is torn: 2 texts were expected");
}

static void test_a_file_without_an_account_is_read(void **state)
{
    struct laser_spectra s;
    struct laser_error err = {0};
    hid_t file;

    (void)state;
    file = spoil("plain.h5");
    assert_true(H5Ldelete(file, "tensors", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    assert_int_equal(laser_spectra_read(in_output("plain.h5"), &s, &err), LASER_OK);
    assert_int_equal(s.n_tensors, 0);
    laser_spectra_free(&s);
}

static void test_a_file_that_cannot_be_made_is_an_error(void **state)
{
    struct laser_spectra_writer *w;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_spectra_create(in_output("no/such/folder.h5"), &w, &err), LASER_EIO);
    assert_non_null(strstr(err.where, "no/such/folder.h5"));
}

static void test_a_locked_file_is_said_to_be_locked(void **state)
{
    struct laser_spectra s;
    struct laser_error err = {0};
    int fd;

    (void)state;
    write_file(in_output("locked.h5"));
    fd = open(in_output("locked.h5"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(laser_spectra_read(in_output("locked.h5"), &s, &err), LASER_EIO);
    assert_non_null(strstr(err.where, "locked.h5"));
    assert_non_null(strstr(err.text, "is locked (unable to lock file, errno = 11"));
    assert_non_null(strstr(err.text, "another process has it open for writing"));
    assert_non_null(strstr(err.text, "HDF5_USE_FILE_LOCKING=FALSE"));
    close(fd);
    assert_int_equal(laser_spectra_read(in_output("locked.h5"), &s, &err), LASER_OK);
    laser_spectra_free(&s);
}

static void test_hdf5_files_are_on_the_disk_before_their_names_and_then_their_names(void **state)
{
    const struct laser_spectra_decision decision = {.tensor = "t", .edit = "e", .reason = ""};
    struct laser_error err = {0};

    (void)state;
    durable[0] = '\0';
    write_file(in_output("durable.h5"));
    assert_string_equal(durable, "frd");
    durable[0] = '\0';
    assert_int_equal(laser_spectra_decisions(in_output("durable.h5"), &decision, 1, &err), LASER_OK);
    assert_string_equal(durable, "frd");
}

static void test_a_file_that_cannot_grow_is_an_error_with_its_cause(void **state)
{
    const struct laser_spectra_decision decision = {.tensor = "t", .edit = "e", .reason = ""};
    struct laser_error err = {0};
    struct rlimit old, tight;
    int code;

    (void)state;
    write_file(in_output("tight.h5"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = 1024;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    code = laser_spectra_decisions(in_output("tight.h5"), &decision, 1, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(code, LASER_EIO);
    assert_non_null(strstr(err.text, "File too large"));
    assert_int_equal(access(in_output(".tight.h5.partial"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_that_are_written_side_by_side_are_read_each),
        cmocka_unit_test(test_a_part_that_is_opened_again_goes_on_at_its_end),
        cmocka_unit_test(test_torn_altered_and_missing_records_are_noticed),
        cmocka_unit_test(test_spectra_come_back_to_the_bit),
        cmocka_unit_test(test_spectra_that_are_thrown_away_leave_the_old_file),
        cmocka_unit_test(test_files_that_are_no_spectra_are_refused),
        cmocka_unit_test(test_spectra_of_another_version_are_refused),
        cmocka_unit_test(test_a_torn_account_of_the_tensors_is_refused),
        cmocka_unit_test(test_a_file_without_an_account_is_read),
        cmocka_unit_test(test_a_file_that_cannot_be_made_is_an_error),
        cmocka_unit_test(test_a_locked_file_is_said_to_be_locked),
        cmocka_unit_test(test_hdf5_files_are_on_the_disk_before_their_names_and_then_their_names),
        cmocka_unit_test(test_a_file_that_cannot_grow_is_an_error_with_its_cause),
    };

    return cmocka_run_group_tests(tests, make_output, remove_output);
}

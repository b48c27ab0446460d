#include "testing.h"

#include "run/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/durability.h"
#include <xxhash.h>

static char path[] = "/tmp/laser_ledger_XXXXXX";

struct seen {
    int n;
    char names[8][64];
    double last;
};

static int remember(void *context, const struct laser_ledger_entry *entry, struct laser_error *err)
{
    struct seen *seen = context;

    (void)err;
    assert_true(seen->n < 8);
    snprintf(seen->names[seen->n++], 64, "%s", laser_ledger_get(entry, "name"));
    seen->last = laser_ledger_get_real(entry, "x", NAN);
    return LASER_OK;
}

static void append(struct laser_ledger *ledger, const char *name, double x)
{
    struct laser_ledger_line line;
    struct laser_error err = {0};

    laser_ledger_line_begin(&line, "matrix");
    laser_ledger_line_text(&line, "name", name);
    laser_ledger_line_real(&line, "x", x);
    laser_ledger_line_int(&line, "k", -7);
    assert_int_equal(laser_ledger_append(ledger, &line, false, &err), LASER_OK);
}

static struct seen reopen(int expected_code, int64_t expected_torn)
{
    struct seen seen = {0};
    struct laser_ledger *ledger;
    struct laser_error err = {0};
    int64_t torn = -1;

    assert_int_equal(laser_ledger_open(path, remember, &seen, &torn, &ledger, &err), expected_code);
    if (expected_code == LASER_OK) {
        assert_int_equal(torn, expected_torn);
        assert_int_equal(laser_ledger_close(ledger, &err), LASER_OK);
    }
    return seen;
}

static int two_entries(void **state)
{
    struct laser_ledger *ledger;
    struct laser_error err = {0};

    (void)state;
    unlink(path);
    assert_int_equal(laser_ledger_open(path, NULL, NULL, NULL, &ledger, &err), LASER_OK);
    append(ledger, "a name with blanks = and 100 %\n", 0.1);
    append(ledger, "second", 1.0 / 3);
    assert_int_equal(laser_ledger_close(ledger, &err), LASER_OK);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void test_entries_come_back_in_order_with_the_same_bits(void **state)
{
    struct seen seen = reopen(LASER_OK, 0);

    (void)state;
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.names[0], "a name with blanks = and 100 %\n");
    assert_string_equal(seen.names[1], "second");
    assert_true(seen.last == 1.0 / 3);
}

static void test_a_torn_tail_is_cut_off_at_every_length(void **state)
{
    FILE *f = fopen(path, "rb");
    char text[1024];
    size_t n = fread(text, 1, sizeof text, f), first = 0;

    (void)state;
    fclose(f);
    /* The second entry's line begins after the second newline. */
    for (int newlines = 0; newlines < 2; ++first)
        newlines += text[first] == '\n';
    for (size_t cut = first + 1; cut < n; ++cut) {
        f = fopen(path, "wb");
        fwrite(text, 1, cut, f);
        fclose(f);
        assert_int_equal(reopen(LASER_OK, (int64_t)(cut - first)).n, 1);
        assert_int_equal(reopen(LASER_OK, 0).n, 1);
    }
}

static void flip_byte(long from_start)
{
    FILE *f = fopen(path, "r+b");

    fseek(f, from_start, SEEK_SET);
    fputc('#', f);
    fclose(f);
}

static void test_damage_in_the_middle_is_an_error(void **state)
{
    (void)state;
    flip_byte(40);
    reopen(LASER_EIO, 0);
}

static void test_another_version_is_refused(void **state)
{
    char line[64] = "laser_mpi-ledger 2";
    FILE *f = fopen(path, "wb");

    (void)state;
    fprintf(f, "%s *%08x\n", line, (unsigned)(XXH3_64bits(line, strlen(line)) & 0xffffffffu));
    fclose(f);
    reopen(LASER_EUSAGE, 0);
}

static void test_a_file_that_is_no_ledger_is_refused(void **state)
{
    FILE *f = fopen(path, "wb");

    (void)state;
    fputs("some other file\nof two lines\n", f);
    fclose(f);
    reopen(LASER_EIO, 0);
}

static void test_a_line_reads_back_field_by_field(void **state)
{
    struct laser_ledger_entry entry;

    (void)state;
    assert_false(laser_ledger_parse("matrix name=x *00000000", &entry));
    assert_false(laser_ledger_parse("", &entry));
    assert_null(entry.text);
}

static void test_every_digit_of_the_checksum_counts(void **state)
{
    struct laser_ledger_entry entry;
    FILE *f = fopen(path, "rb");
    char line[512];

    (void)state;
    assert_non_null(fgets(line, sizeof line, f));
    fclose(f);
    line[strcspn(line, "\n")] = '\0';
    assert_true(laser_ledger_parse(line, &entry));
    laser_ledger_entry_free(&entry);
    for (size_t i = strlen(line) - 8; line[i] != '\0'; ++i) {
        char digit = line[i];
        line[i] = digit == '0' ? '1' : '0';
        assert_false(laser_ledger_parse(line, &entry));
        line[i] = digit;
    }
}

static void test_a_durable_line_is_on_the_disk_when_its_writer_goes_on(void **state)
{
    struct laser_ledger *ledger;
    struct laser_ledger_line line;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_ledger_open(path, NULL, NULL, NULL, &ledger, &err), LASER_OK);
    durable[0] = '\0';
    laser_ledger_line_begin(&line, "decision");
    assert_int_equal(laser_ledger_append(ledger, &line, true, &err), LASER_OK);
    assert_string_equal(durable, "s");
    assert_int_equal(laser_ledger_close(ledger, &err), LASER_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries_come_back_in_order_with_the_same_bits, two_entries,
                                        remove_file),
        cmocka_unit_test_setup_teardown(test_a_torn_tail_is_cut_off_at_every_length, two_entries,
                                        remove_file),
        cmocka_unit_test_setup_teardown(test_damage_in_the_middle_is_an_error, two_entries, remove_file),
        cmocka_unit_test_setup_teardown(test_another_version_is_refused, two_entries, remove_file),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_ledger_is_refused, two_entries, remove_file),
        cmocka_unit_test(test_a_line_reads_back_field_by_field),
        cmocka_unit_test_setup_teardown(test_every_digit_of_the_checksum_counts, two_entries, remove_file),
        cmocka_unit_test_setup_teardown(test_a_durable_line_is_on_the_disk_when_its_writer_goes_on,
                                        two_entries, remove_file),
    };

    close(mkstemp(path));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

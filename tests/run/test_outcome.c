#include "testing.h"

#include "run/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct laser_outcome outcome;
static int n_seen;

static int read_it(void *context, const struct laser_ledger_entry *entry, struct laser_error *err)
{
    (void)err;
    ++n_seen;
    assert_string_equal(laser_ledger_get(entry, "name"), context);
    laser_outcome_read(entry, &outcome);
    return LASER_OK;
}

/* Through a ledger file and back. */
static void through_the_ledger(const struct laser_outcome *in, const char *name)
{
    char path[] = "/tmp/laser_outcome_XXXXXX";
    struct laser_ledger_line line;
    struct laser_ledger *ledger;
    struct laser_error err = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(laser_ledger_open(path, NULL, NULL, NULL, &ledger, &err), LASER_OK);
    laser_outcome_write(name, in, &line);
    assert_int_equal(laser_ledger_append(ledger, &line, true, &err), LASER_OK);
    assert_int_equal(laser_ledger_close(ledger, &err), LASER_OK);
    n_seen = 0;
    assert_int_equal(laser_ledger_open(path, read_it, (void *)(uintptr_t)name, NULL, &ledger, &err),
                     LASER_OK);
    laser_ledger_close(ledger, &err);
    unlink(path);
    assert_int_equal(n_seen, 1);
}

static struct laser_outcome scanned(void)
{
    struct laser_outcome o = {.status = LASER_OUTCOME_SCANNED,
                              .solver = LASER_SOLVER_GESVD,
                              .ranks = 3,
                              .bytes_read = INT64_C(1) << 40,
                              .read_s = 0.1,
                              .solve_s = 1.0 / 3};

    o.values = (struct laser_part_record){
        .part = 7, .offset = INT64_C(1) << 41, .count = 4096, .hash = UINT64_C(0xfedcba9876543210)};
    o.metrics.cut.k = 12;
    o.metrics.cut.snr = INFINITY;
    o.metrics.cut.threshold = NAN;
    return o;
}

static void test_where_the_values_are_survives_the_ledger(void **state)
{
    struct laser_outcome in = scanned();

    (void)state;
    through_the_ledger(&in, "model.layers.0.a b%.weight");
    assert_int_equal(outcome.status, LASER_OUTCOME_SCANNED);
    assert_int_equal(outcome.solver, LASER_SOLVER_GESVD);
    assert_int_equal(outcome.values.part, 7);
    assert_true(outcome.values.offset == INT64_C(1) << 41);
    assert_int_equal(outcome.values.count, 4096);
    assert_true(outcome.values.hash == UINT64_C(0xfedcba9876543210));
}

static void test_numbers_of_the_work_survive_the_ledger_to_the_bit(void **state)
{
    struct laser_outcome in = scanned();

    (void)state;
    through_the_ledger(&in, "x");
    assert_int_equal(outcome.ranks, 3);
    assert_true(outcome.bytes_read == INT64_C(1) << 40);
    assert_true(outcome.read_s == 0.1 && outcome.solve_s == 1.0 / 3);
}

static void test_a_failure_keeps_its_code_and_reason(void **state)
{
    struct laser_outcome in = {.status = LASER_OUTCOME_FAILED, .code = LASER_ENUMERIC, .ranks = 1};

    (void)state;
    memset(in.reason, 'r', sizeof in.reason - 1);
    in.reason[10] = '\n';
    through_the_ledger(&in, "x");
    assert_int_equal(outcome.status, LASER_OUTCOME_FAILED);
    assert_int_equal(outcome.code, LASER_ENUMERIC);
    assert_string_equal(outcome.reason, in.reason);
}

static void test_every_metric_has_a_name_of_its_own_and_a_place(void **state)
{
    (void)state;
    for (int i = 0; i < laser_n_metric_fields; ++i) {
        assert_true(laser_metric_fields[i].offset + 8 <= sizeof(struct laser_metrics));
        assert_true(strlen(laser_metric_fields[i].help) > 0);
        for (int j = 0; j < i; ++j) {
            assert_string_not_equal(laser_metric_fields[i].name, laser_metric_fields[j].name);
            assert_int_not_equal(laser_metric_fields[i].offset, laser_metric_fields[j].offset);
        }
    }
}

static void test_warnings_follow_alpha(void **state)
{
    struct laser_metrics m = {.alpha = 1.5};

    (void)state;
    laser_metrics_texts(&m);
    assert_string_equal(m.warning, "over-trained");
    m.alpha = 6.5;
    laser_metrics_texts(&m);
    assert_string_equal(m.warning, "under-trained");
    m.alpha = 3;
    laser_metrics_texts(&m);
    assert_string_equal(m.warning, "");
    assert_string_equal(m.status, "success");
    m.alpha = NAN;
    laser_metrics_texts(&m);
    assert_string_equal(m.status, "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_values_are_survives_the_ledger),
        cmocka_unit_test(test_numbers_of_the_work_survive_the_ledger_to_the_bit),
        cmocka_unit_test(test_a_failure_keeps_its_code_and_reason),
        cmocka_unit_test(test_every_metric_has_a_name_of_its_own_and_a_place),
        cmocka_unit_test(test_warnings_follow_alpha),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_text.h"
#include "report/fit.h"
#include "report/pick.h"
#include "report/progress.h"
#include "report/scan_report.h"

enum { MOST_ROWS = 64 };

static struct laser_scan_row rows[MOST_ROWS];
static size_t nrows;
static char *rows_text;

static const struct laser_scan_meta meta = {
    .command = "scan",
    .version = "0.1.0",
    .model = "org/some_model",
    .model_id = "org/some_model",
    .threshold = "laserrmt",
    .score = "snr",
    .never_cuts_below_beta = 0.27038,
    .ranks = 3,
    .seconds = 12.5,
    .top_percent = 45,
    .lm_head = "lm_head.weight",
    .embedding = "model.embed_tokens.weight",
};

static char *read_golden(const char *name)
{
    struct laser_error err = {0};
    char path[512], *data = NULL;
    size_t size;

    snprintf(path, sizeof path, SRCDIR "/tests/golden/%s", name);
    if (laser_file_read(path, 1 << 20, &data, &size, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return data;
}

/* The rows of report_rows.tsv: name, type, layer, score. */
static int load_rows(void **state)
{
    char *save = NULL;

    (void)state;
    rows_text = read_golden("report_rows.tsv");
    for (char *line = strtok_r(rows_text, "\n", &save); line != NULL && nrows < MOST_ROWS;
         line = strtok_r(NULL, "\n", &save)) {
        struct laser_scan_row *row = &rows[nrows++];
        char *field[4] = {line, NULL, NULL, NULL};

        for (int i = 1; i < 4; i++) {
            field[i] = strchr(field[i - 1], '\t');
            if (field[i] == NULL)
                return 1;
            *field[i]++ = '\0';
        }
        row->name = field[0];
        row->type = field[1];
        row->layer = atoi(field[2]);
        row->snr = row->score = strtod(field[3], NULL);
        row->rows = strstr(row->type, "k_proj") != NULL ? 512 : 2048;
        row->columns = 2048;
        row->rank = strstr(row->type, "k_proj") != NULL ? 512 : 100;
        row->dtype = "BF16";
        row->solver = "gram";
        row->threshold = 1.25;
        row->s_max = 9.5;
        row->s_min = 0.25;
        row->seconds = 0.5;
    }
    return nrows < 20;
}

static int free_rows(void **state)
{
    (void)state;
    free(rows_text);
    return 0;
}

static void assert_golden(struct laser_text *text, const char *name)
{
    char *expected = read_golden(name);

    assert_false(text->failed);
    assert_string_equal(text->data, expected);
    free(expected);
    laser_text_free(text);
}

static void test_the_flat_scan_has_the_bytes_of_python(void **state)
{
    struct laser_text text = {0};

    (void)state;
    laser_scan_json_flat(&text, rows, nrows);
    assert_golden(&text, "report_flat.json");
}

static void test_the_sorted_scan_has_the_bytes_of_python(void **state)
{
    struct laser_text text = {0};

    (void)state;
    laser_scan_json_sorted(&text, rows, nrows);
    assert_golden(&text, "report_sorted.json");
}

static void render_unfrozen(struct laser_text *text, const struct laser_scan_meta *about,
                            const struct laser_scan_row *list, size_t count)
{
    struct laser_pick_rule rule = {.percent = about->top_percent};
    struct laser_pick pick;

    assert_true(laser_pick_make(&pick, list, count, &rule));
    laser_scan_unfrozen_yaml(text, about, list, &pick);
    laser_pick_free(&pick);
}

static void test_the_unfrozen_parameters_have_the_layout_of_axolotl(void **state)
{
    struct laser_text text = {0};

    (void)state;
    render_unfrozen(&text, &meta, rows, nrows);
    assert_golden(&text, "report_unfrozen.yaml");
}

static void test_a_tied_model_has_no_line_for_its_head(void **state)
{
    struct laser_scan_meta tied = meta;
    struct laser_text text = {0};

    (void)state;
    tied.lm_head = NULL;
    render_unfrozen(&text, &tied, rows, 0);
    assert_string_equal(text.data, "unfrozen_parameters:\n- ^model.embed_tokens.weight$\n");
    laser_text_free(&text);
}

static void test_a_name_that_yaml_would_misread_is_quoted(void **state)
{
    struct laser_scan_row row = {.name = "a: b #c\n.weight", .type = "x\ny", .status = LASER_SCAN_SCANNED};
    struct laser_scan_meta all = meta;
    struct laser_text text = {0};

    (void)state;
    all.lm_head = all.embedding = NULL;
    all.top_percent = 100;
    render_unfrozen(&text, &all, &row, 1);
    assert_string_equal(text.data, "unfrozen_parameters:\n# x?y layers\n- \"a: b #c\\n\"\n");
    laser_text_free(&text);
}

static void test_a_scan_of_nothing_is_an_empty_object(void **state)
{
    struct laser_scan_row row = {.name = "norm.weight", .type = "norm", .status = LASER_SCAN_SKIPPED};
    struct laser_text text = {0};

    (void)state;
    laser_scan_json_flat(&text, &row, 1);
    assert_string_equal(text.data, "{}");
    laser_text_free(&text);
    laser_scan_json_sorted(&text, &row, 1);
    assert_string_equal(text.data, "{}");
    laser_text_free(&text);
}

static void assert_id(const char *model, const char *id, const char *slug)
{
    char *found = laser_scan_model_id(model);
    struct laser_text text = {0};

    assert_string_equal(found, id);
    laser_scan_slug(&text, found);
    assert_string_equal(text.data, slug);
    free(found);
    laser_text_free(&text);
}

static void test_model_ids_and_slugs(void **state)
{
    (void)state;
    assert_id("org/some_model", "org/some_model", "org-some-model");
    assert_id("/models/TinyLlama_1.1B/", "TinyLlama_1.1B", "TinyLlama-1.1B");
    assert_id("./demo-model", "demo-model", "demo-model");
    assert_id("demo", "demo", "demo");
    assert_id("x/y/z.safetensors", "z", "z");
    assert_id("/c/hub/models--org--na_me/snapshots/abc", "org/na_me", "org-na-me");
    assert_id("..", "..", "-.");
    assert_id("/", "model", "model");
}

static void test_results_hold_every_row_as_strict_json(void **state)
{
    static const struct laser_scan_number numbers[] = {
        {"alpha", NAN, 0}, {"num_spikes", 3, 1}, {"rank", 512, 1}};
    struct laser_scan_row some[3] = {
        {.name = "a.weight",
         .type = "a",
         .layer = 2,
         .rows = 512,
         .columns = 2048,
         .dtype = "F16",
         .rank = 512,
         .snr = INFINITY,
         .score = INFINITY,
         .solver = "gesvd",
         .threshold = 0.1,
         .numbers = numbers,
         .nnumbers = 3},
        {.name = "b", .layer = -1, .status = LASER_SCAN_SKIPPED, .reason = "not a matrix"},
        {.name = "c\xff", .layer = -1, .status = LASER_SCAN_FAILED, .reason = "NaN at 3"},
    };
    json_t *results = laser_scan_results(&meta, some, 3), *again, *first, *second;
    struct laser_text text = {0};
    json_error_t error;

    (void)state;
    assert_non_null(results);
    laser_json_render(&text, results, 2);
    again = json_loads(text.data, JSON_REJECT_DUPLICATES, &error);
    if (again == NULL)
        fail_msg("line %d: %s", error.line, error.text);
    assert_string_equal(json_string_value(json_object_get(again, "command")), "scan");
    assert_string_equal(json_string_value(json_object_get(again, "version")), "0.1.0");
    assert_int_equal(json_integer_value(json_object_get(again, "ranks")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(again, "counts"), "failed")), 1);
    first = json_array_get(json_object_get(again, "matrices"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "snr")), "Infinity");
    assert_string_equal(json_string_value(json_object_get(first, "alpha")), "NaN");
    assert_int_equal(json_integer_value(json_object_get(first, "num_spikes")), 3);
    assert_int_equal(json_integer_value(json_object_get(first, "rank")), 512);
    assert_int_equal(json_integer_value(json_object_get(first, "layer")), 2);
    second = json_array_get(json_object_get(again, "matrices"), 1);
    assert_string_equal(json_string_value(json_object_get(second, "reason")), "not a matrix");
    assert_true(json_is_null(json_object_get(second, "layer")));
    assert_null(json_object_get(second, "snr"));
    json_decref(results);
    json_decref(again);
    laser_text_free(&text);
}

static void test_the_scan_files_get_their_names(void **state)
{
    static const char *const names[] = {
        "snr_results_org-some-model.json", "snr_results_org-some-model_sorted.json",
        "snr_results_org-some-model_unfrozenparameters_45percent.yaml", "results.json"};
    struct laser_error err = {0};
    char dir[] = "test-report-XXXXXX", path[200];
    json_t *results = laser_scan_results(&meta, rows, nrows);

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(laser_scan_write_files(dir, &meta, rows, nrows, &err), LASER_OK);
    assert_int_equal(laser_results_write(dir, results, &err), LASER_OK);
    json_decref(results);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(laser_scan_write_files(dir, &meta, rows, nrows, &err), LASER_EIO);
}

/* No line of text is wider than width. */
static void assert_width(const char *text, size_t width)
{
    while (*text != '\0') {
        char line[2000];
        size_t n = strcspn(text, "\n");

        assert_true(n < sizeof line);
        memcpy(line, text, n);
        line[n] = '\0';
        if (laser_text_columns(line) > width)
            fail_msg("%zu columns: %s", laser_text_columns(line), line);
        if (n > 0 && line[n - 1] == ' ')
            fail_msg("blank at the end: %s", line);
        text += n + (text[n] == '\n');
    }
}

static void test_the_table_respects_the_width(void **state)
{
    static const int widths[] = {66, 72, 80, 100, 120, 200};
    struct laser_scan_row more[MOST_ROWS + 2];

    (void)state;
    memcpy(more, rows, sizeof rows);
    more[nrows] = (struct laser_scan_row){
        .name = "a.very.long.name.of.a.tensor.that.failed.with.a.long.reason.to.be.told.weight",
        .type = "x",
        .status = LASER_SCAN_FAILED,
        .reason = "NaN in row 17, column 4, of 4096 x 14336; the checkpoint is broken"};
    more[nrows + 1] =
        (struct laser_scan_row){.name = "norm", .status = LASER_SCAN_SKIPPED, .reason = "not a matrix"};
    for (int utf8 = 0; utf8 < 2; utf8++) {
        for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
            struct laser_scan_style style = {widths[i], utf8};
            struct laser_text text = {0};

            laser_scan_table(&text, &meta, more, nrows + 2, &style);
            assert_false(text.failed);
            assert_width(text.data, (size_t)widths[i]);
            laser_text_free(&text);
        }
    }
}

static void test_the_table_says_where_the_rule_cannot_cut(void **state)
{
    struct laser_scan_style style = {120, 0};
    struct laser_text text = {0};

    (void)state;
    laser_scan_table(&text, &meta, rows, nrows, &style);
    assert_non_null(strstr(text.data, "no-op: beta 0.25 < 0.2704, the laserrmt rule cannot cut"));
    assert_null(strstr(text.data, "cuts"));
    laser_text_free(&text);
}

static void test_the_verdict_counts_what_is_cut(void **state)
{
    struct laser_scan_row some[3] = {
        {.name = "a", .type = "t", .rows = 8, .columns = 8, .rank = 8},
        {.name = "b", .type = "t", .rows = 8, .columns = 8, .rank = 3},
        {.name = "c", .type = "t", .rows = 8, .columns = 8, .rank = 0},
    };
    struct laser_scan_style style = {80, 0};
    struct laser_text text = {0};

    (void)state;
    laser_scan_table(&text, &meta, some, 3, &style);
    assert_non_null(strstr(text.data, "cuts 2 of 3, 1 to nothing"));
    assert_non_null(strstr(text.data, " 45.8%"));
    laser_text_free(&text);
    laser_scan_table(&text, &meta, some, 1, &style);
    assert_non_null(strstr(text.data, "no-op: nothing lies below the threshold"));
    laser_text_free(&text);
}

static void test_an_ascii_table_is_ascii(void **state)
{
    struct laser_scan_style style = {80, 0};
    struct laser_text text = {0};

    (void)state;
    laser_scan_table(&text, &meta, rows, nrows - 1, &style);
    for (const char *p = text.data; *p != '\0'; p++)
        assert_true((unsigned char)*p < 0x80);
    laser_text_free(&text);
}

static void test_the_table_names_what_failed_and_why(void **state)
{
    struct laser_scan_row some[3] = {
        {.name = "a", .status = LASER_SCAN_SKIPPED, .reason = "not a matrix"},
        {.name = "b", .status = LASER_SCAN_SKIPPED, .reason = "not a matrix"},
        {.name = "c.weight", .status = LASER_SCAN_FAILED, .reason = "NaN at row 3"},
    };
    struct laser_scan_style style = {80, 1};
    struct laser_text text = {0};

    (void)state;
    laser_scan_table(&text, &meta, some, 3, &style);
    assert_non_null(strstr(text.data, "skipped 2: not a matrix (2)\n"));
    assert_non_null(strstr(text.data, "failed 1:\n  c.weight\n    NaN at row 3\n"));
    laser_text_free(&text);
}

static void test_experts_of_one_kind_share_a_line(void **state)
{
    struct laser_scan_row some[2] = {
        {.name = "l.0.mlp.experts.0.up.weight",
         .type = "mlp.experts.0.up",
         .rows = 4,
         .columns = 8,
         .rank = 1},
        {.name = "l.0.mlp.experts.11.up.weight",
         .type = "mlp.experts.11.up",
         .rows = 4,
         .columns = 8,
         .rank = 2},
    };
    struct laser_scan_style style = {100, 0};
    struct laser_text text = {0};

    (void)state;
    laser_scan_table(&text, &meta, some, 2, &style);
    assert_non_null(strstr(text.data, "mlp.experts.*.up     2"));
    laser_text_free(&text);
}

static void test_progress_counts_only_this_run(void **state)
{
    struct laser_progress p = {.what = "matrices", .done = 30, .total = 40, .resumed = 20, .elapsed_s = 5.0};
    struct laser_text text = {0};

    (void)state;
    assert_true(fabs(laser_progress_left(&p) - 5.0) < 1e-12);
    laser_progress_line(&text, &p);
    assert_string_equal(
        text.data, "30/40 matrices (75 %), 20 from an earlier run, 2.0 per second, 5.0 s so far, 5.0 s left");
    laser_text_free(&text);
    p.done = 20;
    assert_true(isnan(laser_progress_left(&p)));
    p.done = 40;
    assert_true(laser_progress_left(&p) == 0.0);
}

static void test_progress_knows_that_large_pieces_come_first(void **state)
{
    struct laser_progress p = {
        .what = "matrices", .done = 1, .total = 11, .work_done = 50.0, .work_total = 100.0, .elapsed_s = 8.0};

    (void)state;
    assert_true(laser_progress_share(&p) == 0.5);
    assert_true(laser_progress_left(&p) == 8.0);
}

static void test_the_bar_fits_its_width(void **state)
{
    struct laser_progress p = {.what = "matrices", .done = 20, .total = 40, .elapsed_s = 100.0, .failed = 1};
    struct laser_text text = {0};

    (void)state;
    for (int width = 1; width < 130; width++) {
        for (int utf8 = 0; utf8 < 2; utf8++) {
            laser_progress_bar(&text, &p, width, utf8);
            assert_true(laser_text_columns(text.data) <= (size_t)width);
            laser_text_free(&text);
        }
    }
    laser_progress_bar(&text, &p, 80, 0);
    assert_string_equal(text.data,
                        "[############............]  50% 20/40 matrices, 1 failed  0.2/s  1 min 40 s left");
    laser_text_free(&text);
}

static void test_lines_become_rarer_and_the_last_one_always_comes(void **state)
{
    struct laser_progress p = {.what = "matrices", .done = 1, .total = 40};

    (void)state;
    p.elapsed_s = 9.0;
    assert_false(laser_progress_due(&p, -1.0, 0));
    assert_true(laser_progress_due(&p, -1.0, 1));
    p.elapsed_s = 10.0;
    assert_true(laser_progress_due(&p, -1.0, 0));
    p.elapsed_s = 100.0;
    assert_false(laser_progress_due(&p, 80.0, 0));
    assert_true(laser_progress_due(&p, 70.0, 0));
    assert_false(laser_progress_due(&p, 99.9, 1));
    p.done = 40;
    assert_true(laser_progress_due(&p, 99.9, 0));
}

static void test_picks_leave_out_what_has_no_score_and_may_take_the_worst(void **state)
{
    struct laser_scan_row four[4] = {{.name = "a", .type = "t", .score = 3},
                                     {.name = "b", .type = "t", .score = NAN},
                                     {.name = "c", .type = "t", .score = 1},
                                     {.name = "d", .type = "t", .score = 2}};
    struct laser_pick pick;

    (void)state;
    for (int i = 0; i < 4; i++)
        four[i].status = LASER_SCAN_SCANNED;
    assert_true(laser_pick_make(&pick, four, 4, &(struct laser_pick_rule){.percent = 100}));
    assert_int_equal(pick.n_picked, 3);
    assert_int_equal(pick.picked[1], 0);
    laser_pick_free(&pick);
    assert_true(laser_pick_make(&pick, four, 4, &(struct laser_pick_rule){.percent = 25, .bottom = 1}));
    assert_int_equal(pick.n_picked, 1);
    assert_int_equal(pick.picked[2], 1);
    laser_pick_free(&pick);
}

static void test_a_name_that_is_too_long_keeps_both_ends(void **state)
{
    struct laser_text t = {0};

    (void)state;
    laser_text_fit(&t, "model.layers.0.mlp.down_proj", 13, "~", 0);
    assert_string_equal(t.data, "mode~own_proj");
    laser_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_flat_scan_has_the_bytes_of_python),
        cmocka_unit_test(test_the_sorted_scan_has_the_bytes_of_python),
        cmocka_unit_test(test_the_unfrozen_parameters_have_the_layout_of_axolotl),
        cmocka_unit_test(test_a_tied_model_has_no_line_for_its_head),
        cmocka_unit_test(test_a_name_that_yaml_would_misread_is_quoted),
        cmocka_unit_test(test_a_scan_of_nothing_is_an_empty_object),
        cmocka_unit_test(test_model_ids_and_slugs),
        cmocka_unit_test(test_results_hold_every_row_as_strict_json),
        cmocka_unit_test(test_the_scan_files_get_their_names),
        cmocka_unit_test(test_the_table_respects_the_width),
        cmocka_unit_test(test_the_table_says_where_the_rule_cannot_cut),
        cmocka_unit_test(test_the_verdict_counts_what_is_cut),
        cmocka_unit_test(test_an_ascii_table_is_ascii),
        cmocka_unit_test(test_the_table_names_what_failed_and_why),
        cmocka_unit_test(test_experts_of_one_kind_share_a_line),
        cmocka_unit_test(test_progress_counts_only_this_run),
        cmocka_unit_test(test_progress_knows_that_large_pieces_come_first),
        cmocka_unit_test(test_the_bar_fits_its_width),
        cmocka_unit_test(test_lines_become_rarer_and_the_last_one_always_comes),
        cmocka_unit_test(test_picks_leave_out_what_has_no_score_and_may_take_the_worst),
        cmocka_unit_test(test_a_name_that_is_too_long_keeps_both_ends),
    };

    return cmocka_run_group_tests(tests, load_rows, free_rows);
}

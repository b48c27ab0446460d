/* Scans of Spectrum and WeightWatcher, whole and broken. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange/foreign.h"

static char path[] = "test_exchange_foreign.tmp";

static int read_bytes(const char *text, size_t size, struct laser_foreign_scan *scan, struct laser_error *err)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    memset(err, 0, sizeof *err);
    return laser_foreign_read(path, scan, err);
}

static int read_text(const char *text, struct laser_foreign_scan *scan, struct laser_error *err)
{
    return read_bytes(text, strlen(text), scan, err);
}

/* The file is refused; the message names what. */
static void assert_refused(const char *text, const char *where, const char *what)
{
    struct laser_foreign_scan scan;
    struct laser_error err;
    int code = read_text(text, &scan, &err);

    laser_foreign_free(&scan);
    if (code != LASER_EINPUT || strstr(err.where, where) == NULL || strstr(err.text, what) == NULL)
        fail_msg("%s\n%d: %s: %s; expected %s: %s", text, code, err.where, err.text, where, what);
}

static double number(const struct laser_scan_row *row, const char *name)
{
    for (int i = 0; i < row->nnumbers; i++)
        if (strcmp(row->numbers[i].name, name) == 0)
            return row->numbers[i].value;
    fail_msg("%s has no %s", row->name, name);
    return NAN;
}

static void the_flat_layout_is_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("\xef\xbb\xbf{\"model.layers.10.mlp.down_proj\": {\"snr\": 2.5, \"type\": "
                               "\"mlp.down_proj\"},\r\n \"lm_head\": {\"snr\": 1, \"type\": \"lm_head\"}}",
                               &scan, &err),
                     LASER_OK);
    assert_int_equal(scan.kind, LASER_FOREIGN_SPECTRUM);
    assert_int_equal(scan.n, 2);
    assert_string_equal(scan.rows[0].name, "model.layers.10.mlp.down_proj.weight");
    assert_string_equal(scan.rows[0].type, "mlp.down_proj");
    assert_int_equal(scan.rows[0].layer, 10);
    assert_true(scan.rows[0].score == 2.5 && scan.rows[0].snr == 2.5);
    assert_int_equal(scan.rows[0].status, LASER_SCAN_SCANNED);
    assert_string_equal(scan.rows[1].name, "lm_head.weight");
    assert_int_equal(scan.rows[1].layer, -1);
    laser_foreign_free(&scan);
}

/* Such files give both towers of a model one type. */
static void towers_of_one_type_are_told_apart(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(
        read_text("{\"q_proj\": {\"text.layers.0.q_proj\": 3.0, \"vision.layers.0.q_proj\": 2.0}, "
                  "\"fc1\": {\"vision.layers.0.fc1\": 2.0}}",
                  &scan, &err),
        LASER_OK);
    assert_string_equal(scan.rows[0].type, "text.layers:q_proj");
    assert_string_equal(scan.rows[1].type, "vision.layers:q_proj");
    assert_string_equal(scan.rows[2].type, "fc1");
    laser_foreign_free(&scan);
}

static void the_sorted_layout_is_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"mlp.up_proj\": {\"model.layers.1.mlp.up_proj\": 3.0, "
                               "\"model.layers.0.mlp.up_proj\": 2.0}, \"lm_head\": {\"lm_head\": 0.5}}",
                               &scan, &err),
                     LASER_OK);
    assert_int_equal(scan.kind, LASER_FOREIGN_SPECTRUM_SORTED);
    assert_int_equal(scan.n, 3);
    assert_string_equal(scan.rows[1].name, "model.layers.0.mlp.up_proj.weight");
    assert_string_equal(scan.rows[1].type, "mlp.up_proj");
    assert_true(scan.rows[1].score == 2.0);
    assert_string_equal(scan.rows[2].type, "lm_head");
    laser_foreign_free(&scan);
}

static void bare_infinity_and_nan_are_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"t\": {\"a\": Infinity, \"b\": NaN, \"c\": -Infinity}}", &scan, &err),
                     LASER_OK);
    assert_true(isinf(scan.rows[0].score) && scan.rows[0].score > 0);
    assert_true(isnan(scan.rows[1].score));
    assert_true(isinf(scan.rows[2].score) && scan.rows[2].score < 0);
    laser_foreign_free(&scan);
}

static void a_scan_with_a_single_matrix_is_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"h.0.attn\": {\"snr\": 1e-3, \"type\": \"attn\"}}", &scan, &err), LASER_OK);
    assert_int_equal(scan.n, 1);
    laser_foreign_free(&scan);
    assert_int_equal(read_text("longname,alpha\n0,2\n", &scan, &err), LASER_OK);
    assert_string_equal(scan.rows[0].name, "0.weight");
    assert_string_equal(scan.rows[0].type, "0");
    laser_foreign_free(&scan);
}

static void broken_json_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("{\n\"a\": {\"snr\": 1.0, \"type\": \"t\"},\n\"b\": {\"snr\"", path, "line 3");
    assert_refused("[1, 2]", path, "an array found");
    assert_refused("{}", path, "no matrix");
    assert_refused(" \n", path, "empty");
    assert_refused("{\"a\": {\"snr\": \"x\", \"type\": \"t\"}}", path, "a: the SNR is a string");
    assert_refused("{\"a\": {\"snr\": null, \"type\": \"t\"}}", path, "a: the SNR is null");
    assert_refused("{\"a\": {\"snr\": 1, \"type\": \"t\"}, \"b\": {\"snr\": 1}}", path, "b: an object with");
    assert_refused("{\"a\": {\"snr\": 1, \"type\": \"t\"}, \"b\": 3}", path, "an integer found");
    assert_refused("{\"t\": {\"a\": 1}, \"u\": 3}", path, "u: an object of names and SNRs");
    assert_refused("{\"t\": {\"a\": {\"x\": 1}}}", path, "a: the SNR is an object");
    assert_refused("{\"t\": {\"a\": 1, \"a\": 2}}", path, "");
    assert_refused("{\"t\": {\"a\": 1}, \"u\": {\"a\": 2}}", path, "a.weight is there twice");
    assert_refused("{\"format\": 1, \"matrices\": []}", path, "results.json of laser_mpi");
}

static const char details[] =
    ",layer_id,name,D,M,N,Q,alpha,alpha_weighted,entropy,layer_type,longname,matrix_rank,num_pl_spikes,sigma,"
    "sv_max,sv_min,status,warning,xmax,xmin,my_column\r\n"
    "0,2,embed_tokens,0.0527,64,512,8.0,2.348,7.8,0.45,embedding,model.embed_tokens,64,35,0.228,45.7,1.29,"
    "success,,2090.0,11.3,x\r\n"
    "1,6,q_proj,-1,64,64,1.0,-1,-1,0.5,dense,model.layers.3.self_attn.q_proj,64,-1,-1,10.8,,failed,"
    "\"a, b\",-1,-1,y\r\n";

static void weightwatchers_csv_is_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text(details, &scan, &err), LASER_OK);
    assert_int_equal(scan.kind, LASER_FOREIGN_WEIGHTWATCHER);
    assert_string_equal(scan.score, "alpha");
    assert_int_equal(scan.n, 2);
    assert_string_equal(scan.rows[0].name, "model.embed_tokens.weight");
    assert_string_equal(scan.rows[0].type, "model.embed_tokens");
    assert_int_equal(scan.rows[0].rows, 512);
    assert_int_equal(scan.rows[0].columns, 64);
    assert_true(scan.rows[0].score == 2.348);
    assert_true(scan.rows[0].s_max == 45.7);
    assert_true(number(&scan.rows[0], "ks_distance") == 0.0527);
    assert_true(number(&scan.rows[0], "tail") == 35);
    assert_string_equal(scan.rows[1].type, "self_attn.q_proj");
    assert_int_equal(scan.rows[1].layer, 3);
    assert_string_equal(scan.ignored, "my_column");
    laser_foreign_free(&scan);
}

static void a_failed_fit_of_weightwatcher_is_no_number(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text(details, &scan, &err), LASER_OK);
    assert_true(isnan(scan.rows[1].score));
    assert_true(isnan(number(&scan.rows[1], "alpha")));
    assert_true(isnan(number(&scan.rows[1], "tail")));
    assert_true(isnan(scan.rows[1].s_min));
    assert_true(number(&scan.rows[1], "entropy") == 0.5);
    laser_foreign_free(&scan);
}

static void broken_csv_is_refused_with_its_line(void **state)
{
    char bytes[] = "longname,alpha\nx,\0\n";
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_refused("layer,score\na,1\n", ":1", "longname or name was expected, found are: layer, score");
    assert_refused("longname,beta\na,1\n", ":1", "column alpha was expected, found are: longname, beta");
    assert_refused("longname,alpha,alpha\na,1,2\n", ":1", "alpha is there twice");
    assert_refused("longname,alpha\na,1\nb,2,3\n", ":3", "3 fields where the header line has 2");
    assert_refused("longname,alpha\na,1\nb", ":3", "1 fields where the header line has 2");
    assert_refused("longname,alpha\na,two\n", ":2", "column alpha: a number was expected, \"two\" found");
    assert_refused("longname,alpha,N\na,2,-3\n", ":2", "column N: a size");
    assert_refused("longname,alpha\n,2\n", ":2", "no name");
    assert_refused("longname,alpha\n\"a,2\n", ":2", "does not end");
    assert_refused("longname,alpha\n", path, "no matrix");
    assert_refused("longname,alpha\na,2\na,3\n", path, "a.weight is there twice");
    assert_int_equal(read_bytes(bytes, sizeof bytes - 1, &scan, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no text"));
    laser_foreign_free(&scan);
}

static void numbers_beside_the_range_are_read(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("name,alpha,stable_rank,num_spikes\na,inf,nan,\nb,,1e300,7\n", &scan, &err),
                     LASER_OK);
    assert_true(isinf(scan.rows[0].score));
    assert_true(isnan(number(&scan.rows[0], "stable_rank")));
    assert_true(isnan(number(&scan.rows[0], "num_spikes")));
    assert_true(isnan(scan.rows[1].score));
    assert_true(number(&scan.rows[1], "num_spikes") == 7);
    laser_foreign_free(&scan);
}

static void a_missing_file_is_refused(void **state)
{
    struct laser_foreign_scan scan;
    struct laser_error err;

    (void)state;
    assert_int_equal(laser_foreign_read("no-such-file.json", &scan, &err), LASER_EINPUT);
    assert_string_equal(err.where, "no-such-file.json");
    laser_foreign_free(&scan);
}

static int clean(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flat_layout_is_read),
        cmocka_unit_test(towers_of_one_type_are_told_apart),
        cmocka_unit_test(the_sorted_layout_is_read),
        cmocka_unit_test(bare_infinity_and_nan_are_read),
        cmocka_unit_test(a_scan_with_a_single_matrix_is_read),
        cmocka_unit_test(broken_json_is_refused_with_its_place),
        cmocka_unit_test(weightwatchers_csv_is_read),
        cmocka_unit_test(a_failed_fit_of_weightwatcher_is_no_number),
        cmocka_unit_test(broken_csv_is_refused_with_its_line),
        cmocka_unit_test(numbers_beside_the_range_are_read),
        cmocka_unit_test(a_missing_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, clean);
}

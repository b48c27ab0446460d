/* report.html: what stands in it, and that it stands bad input. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "report/draw_spectrum.h"
#include "report/page.h"
#include "report/spectrum_bins.h"
#include "spectrum/mp.h"
#include "spectrum/rule.h"

/* ---- spectra to draw ---- */

/* The n most typical singular values of noise of unit variance, largest first, and a few spikes. */
static double *noise_values(int64_t n, int64_t m, int spikes)
{
    double *s = malloc((size_t)n * sizeof *s), beta = (double)n / (double)m;

    assert_non_null(s);
    for (int64_t i = 0; i < n; i++)
        s[i] = sqrt((double)m * laser_mp_quantile(beta, ((double)(n - i) - 0.5) / (double)n));
    for (int i = 0; i < spikes; i++)
        s[i] = s[0] * (10 - i);
    for (int i = 0; i < spikes; i++)
        for (int j = i + 1; j < spikes; j++)
            if (s[j] > s[i]) {
                double t = s[i];
                s[i] = s[j];
                s[j] = t;
            }
    return s;
}

static double trapezoids(double beta, int want_median)
{
    double u[LASER_NOISE_CURVE], f[LASER_NOISE_CURVE], sum = 0;

    laser_noise_density(beta, u, f);
    for (int i = 1; i < LASER_NOISE_CURVE; i++) {
        double piece = (u[i] - u[i - 1]) * (f[i] + f[i - 1]) / 2;
        if (want_median && sum + piece >= 0.5)
            return u[i - 1] + (u[i] - u[i - 1]) * (0.5 - sum) / piece;
        sum += piece;
    }
    return sum;
}

static void test_the_curve_integrates_to_1(void **state)
{
    static const double betas[] = {1, 0.999, 0.75, 0.5, 0.2857, 0.25, 0.05, 0.001};

    (void)state;
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++)
        assert_true(fabs(trapezoids(betas[i], 0) - 1) < 1e-3);
}

static void test_the_curve_reaches_from_edge_to_edge(void **state)
{
    double u[LASER_NOISE_CURVE], f[LASER_NOISE_CURVE];

    (void)state;
    laser_noise_density(0.25, u, f);
    assert_true(fabs(u[0] - 0.5) < 1e-15);
    assert_true(fabs(u[LASER_NOISE_CURVE - 1] - 1.5) < 1e-15);
    assert_true(f[0] == 0);
    assert_true(f[LASER_NOISE_CURVE - 1] == 0);
    assert_true(f[LASER_NOISE_CURVE / 2] > 0.9);
}

static void test_the_curve_has_the_median_of_the_law(void **state)
{
    static const double betas[] = {1, 0.5, 0.25};

    (void)state;
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++)
        assert_true(fabs(trapezoids(betas[i], 1) - sqrt(laser_mp_median(betas[i]))) < 1e-3);
}

static void test_bins_of_noise_follow_the_law(void **state)
{
    double *s = noise_values(2000, 4000, 0), width, cumulative = 0;
    struct laser_spectrum_bins k;

    (void)state;
    laser_spectrum_bins_make(s, 2000, 4000, NAN, LASER_SPECTRUM_BINS, LASER_SPECTRUM_POINTS, &k);
    width = (k.high - k.low) / k.n_bins;
    assert_true(fabs(k.level - sqrt(4000)) < 0.01 * sqrt(4000));
    for (int i = 0; i < k.n_bins; i++) {
        double end = (k.low + (i + 1) * width) / k.level;
        cumulative += (double)k.counts[i] / 2000;
        assert_true(fabs(cumulative - laser_mp_cumulative(0.5, 1, end * end)) < 0.005);
    }
    free(s);
}

static void test_bins_lose_no_value(void **state)
{
    static const int64_t sizes[] = {1, 2, 7, 63, 64, 65, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double *s = noise_values(sizes[i], 1000, sizes[i] > 10 ? 3 : 0);
        struct laser_spectrum_bins k;
        int64_t sum;
        laser_spectrum_bins_make(s, 1000, sizes[i], 30, LASER_SPECTRUM_BINS, LASER_SPECTRUM_POINTS, &k);
        sum = k.above;
        for (int j = 0; j < k.n_bins; j++)
            sum += k.counts[j];
        assert_int_equal(sum, sizes[i]);
        assert_true(k.low <= k.edge && k.edge <= k.high);
        assert_true(k.low <= k.compat && k.compat <= k.high);
        assert_true(k.low <= 30 && 30 <= k.high);
        free(s);
    }
}

static void test_bins_have_the_first_and_the_last_value(void **state)
{
    static const int64_t sizes[] = {1, 2, 63, 64, 65, 100, 16384};
    int64_t ranks[LASER_SPECTRUM_POINTS];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int n = laser_spectrum_ranks(sizes[i], LASER_SPECTRUM_POINTS, ranks);
        assert_int_equal(n, sizes[i] < LASER_SPECTRUM_POINTS ? sizes[i] : LASER_SPECTRUM_POINTS);
        assert_int_equal(ranks[0], 0);
        assert_int_equal(ranks[n - 1], sizes[i] - 1);
        for (int j = 1; j < n; j++)
            assert_true(ranks[j] > ranks[j - 1]);
    }
}

static void test_bins_have_the_compat_threshold(void **state)
{
    double *s = noise_values(500, 500, 2);
    struct laser_rule rule = {.kind = LASER_RULE_LASERRMT};
    struct laser_spectrum_bins k;
    struct laser_cut cut;

    (void)state;
    laser_rule_apply(&rule, s, 500, 500, &cut);
    laser_spectrum_bins_make(s, 500, 500, NAN, 16, 16, &k);
    assert_true(k.compat == cut.threshold);
    assert_true(isnan(k.threshold));
    assert_true(fabs(k.edge / k.compat - laser_compat_kappa(1)) < 0.02);
    free(s);
}

/* ---- the page ---- */

static const struct laser_page_note provenance[] = {{"program", "0.1.0"}},
                                    notices[] = {{"results.json", "torn"}};

static char *page_of(const struct laser_page_run *runs, int n, size_t *size)
{
    struct laser_text html = {0};

    laser_page_render(&html, runs, n);
    assert_false(html.failed);
    if (size != NULL)
        *size = html.size;
    return laser_text_take(&html);
}

/* The data inside a page, as a browser finds it. */
static json_t *data_of(const char *html)
{
    static const char begin[] = "id=\"data\">";
    const char *from = strstr(html, begin), *to;
    json_error_t error;
    json_t *data;

    assert_non_null(from);
    from += sizeof begin - 1;
    to = strstr(from, "</script>");
    assert_non_null(to);
    assert_null(memchr(from, '<', (size_t)(to - from)));
    data = json_loadb(from, (size_t)(to - from), 0, &error);
    if (data == NULL)
        fail_msg("%s", error.text);
    return data;
}

static json_t *run_of(json_t *data, size_t i)
{
    return json_array_get(json_object_get(data, "runs"), i);
}

static struct laser_scan_row scanned(const char *name, const char *type, int64_t layer, const double *sigma)
{
    static const struct laser_scan_number numbers[] = {
        {"snr", 0.5, 0}, {"rank", 3, 1}, {"alpha", NAN, 0}, {"stable_rank", INFINITY, 0}};

    return (struct laser_scan_row){.name = name,
                                   .type = type,
                                   .layer = layer,
                                   .rows = 40,
                                   .columns = 100,
                                   .dtype = "BF16",
                                   .score = 0.5,
                                   .snr = 0.5,
                                   .rank = 3,
                                   .threshold = NAN,
                                   .numbers = numbers,
                                   .nnumbers = 4,
                                   .sigma = sigma};
}

static void test_a_page_is_whole_and_needs_no_network(void **state)
{
    double *s = noise_values(40, 100, 3);
    struct laser_scan_row row = scanned("model.layers.0.mlp.up_proj.weight", "mlp.up_proj", 0, s);
    struct laser_page_run run = {
        .label = "a", .model = "org/m", .command = "scan", .rows = &row, .n_rows = 1};
    char *html = page_of(&run, 1, NULL);
    json_t *data = data_of(html);

    (void)state;
    assert_memory_equal(html, "<!DOCTYPE html>", 15);
    assert_non_null(strstr(html, "<title>org/m - laser_mpi</title>"));
    assert_string_equal(html + strlen(html) - 8, "</html>\n");
    assert_null(strstr(html, "<!--"));
    assert_null(strstr(html, "https://"));
    assert_null(strstr(html, "src="));
    assert_non_null(strstr(html, "default-src 'none'"));
    assert_int_equal(json_array_size(json_object_get(data, "curves")), 1);
    assert_int_equal(json_array_size(json_object_get(run_of(data, 0), "names")), 1);
    json_decref(data);
    free(html);
    free(s);
}

static void test_markup_in_names_stays_text(void **state)
{
    static const char evil[] = "</script><script>alert(1)</script><!--&\"\xff.weight";
    const struct laser_page_note note = {evil, evil};
    double *s = noise_values(40, 100, 3);
    json_t *results =
        json_pack("{s:s, s:[{s:s}]}", "command", "</script><b>", "decisions", "tensor", "<img>");
    struct laser_scan_row rows[2] = {scanned(evil, evil, 0, s), {.name = evil, .status = LASER_SCAN_SKIPPED}};
    struct laser_page_run run = {.label = evil,
                                 .model = evil,
                                 .command = evil,
                                 .deck = evil,
                                 .rows = rows,
                                 .n_rows = 2,
                                 .results = results,
                                 .notices = &note,
                                 .n_notices = 1,
                                 .provenance = &note,
                                 .n_provenance = 1};
    char *html = page_of(&run, 1, NULL), *at = html;
    json_t *data = data_of(html);
    int scripts = 0;

    (void)state;
    while ((at = strstr(at, "</script>")) != NULL) {
        scripts++;
        at++;
    }
    assert_int_equal(scripts, 2);
    assert_null(strstr(html, "alert(1)</"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(run_of(data, 0), "names"), 0)),
                        "</script><script>alert(1)</script><!--&\"\xef\xbf\xbd.weight");
    json_decref(data);
    json_decref(results);
    free(html);
    free(s);
}

static void test_nan_and_infinity_are_told(void **state)
{
    double *s = noise_values(40, 100, 3);
    struct laser_scan_row rows[2] = {scanned("a.weight", "a", -1, s), scanned("b.weight", "b", -1, s)};
    struct laser_page_run run = {.rows = rows, .n_rows = 2};
    char *html;
    json_t *data, *metrics;

    (void)state;
    rows[0].score = INFINITY;
    rows[1].score = NAN;
    html = page_of(&run, 1, NULL);
    data = data_of(html);
    metrics = json_object_get(run_of(data, 0), "metrics");
    assert_string_equal(json_string_value(json_array_get(json_object_get(metrics, "score"), 0)), "Infinity");
    assert_true(json_is_null(json_array_get(json_object_get(metrics, "score"), 1)));
    assert_string_equal(json_string_value(json_array_get(json_object_get(metrics, "stable_rank"), 0)),
                        "Infinity");
    assert_null(json_object_get(metrics, "alpha")); /* not known of any */
    json_decref(data);
    free(html);
    free(s);
}

static void test_a_failed_matrix_is_shown_with_its_reason(void **state)
{
    struct laser_scan_row row = {.name = "a.weight",
                                 .type = "a",
                                 .rows = 4,
                                 .columns = 4,
                                 .status = LASER_SCAN_FAILED,
                                 .reason = "a NaN"};
    struct laser_page_run run = {.rows = &row, .n_rows = 1};
    char *html = page_of(&run, 1, NULL);
    json_t *data = data_of(html), *page = run_of(data, 0);

    (void)state;
    assert_string_equal(json_string_value(json_array_get(json_object_get(page, "failures"), 0)), "a NaN");
    assert_int_equal(json_object_size(json_object_get(json_object_get(data, "spectra"), "first")), 0);
    assert_true(json_is_null(json_array_get(json_object_get(json_object_get(data, "spectra"), "layers"), 0)));
    json_decref(data);
    free(html);
}

static void test_a_page_of_nothing_and_one_of_two_runs(void **state)
{
    struct laser_page_run runs[2] = {{.label = "a"}, {.label = "b", .notices = notices, .n_notices = 1}};
    char *html = page_of(runs, 2, NULL);
    json_t *data = data_of(html);

    (void)state;
    runs[0].provenance = provenance;
    assert_int_equal(json_array_size(json_object_get(data, "runs")), 2);
    assert_int_equal(json_array_size(json_object_get(run_of(data, 1), "notices")), 1);
    json_decref(data);
    free(html);
}

/* A compression has ranks of matrices that were not scanned: they are columns like those of a scan. */
static void test_matrices_of_a_compression_become_columns(void **state)
{
    json_t *results = json_pack("{s:s, s:[{s:s, s:i, s:n}, {s:s, s:i, s:i}]}", "command", "compress",
                                "matrices", "tensor", "model.layers.7.mlp.up_proj.weight", "of", 40, "rank",
                                "tensor", "lm_head.weight", "of", 40, "rank", 10);
    struct laser_page_run run = {.command = "compress", .results = results};
    char *html = page_of(&run, 1, NULL);
    json_t *data = data_of(html), *page = run_of(data, 0);
    json_t *left = json_object_get(json_object_get(page, "metrics"), "compressed");

    (void)state;
    assert_null(json_object_get(json_object_get(page, "results"), "matrices"));
    assert_true(json_number_value(json_array_get(left, 0)) == 1);
    assert_true(json_number_value(json_array_get(left, 1)) == 0.25);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(page, "layers"), 0)), 7);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(page, "layers"), 1)), -1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(data, "types"), 0)), "mlp.up_proj");
    assert_string_equal(json_string_value(json_array_get(json_object_get(data, "types"), 1)), "lm_head");
    assert_non_null(strstr(html, "id=\"figure-map\""));
    json_decref(data);
    json_decref(results);
    free(html);
}

/* What a browser does with a layer's text: base64, then inflate. */
static json_t *unpacked(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text), size = 0;
    unsigned char *bytes = malloc(n), *whole = malloc(10000000);
    z_stream z = {0};
    json_t *object;

    assert_non_null(bytes);
    assert_non_null(whole);
    assert_int_equal(n % 4, 0);
    for (size_t i = 0; i < n; i += 4) {
        unsigned bits = 0;
        for (size_t k = 0; k < 4; k++)
            bits = bits << 6 | (text[i + k] == '=' ? 0 : (unsigned)(strchr(digits, text[i + k]) - digits));
        for (size_t k = 0; k < 3 && text[i + k + 1] != '='; k++)
            bytes[size++] = (unsigned char)(bits >> (16 - 8 * k));
    }
    assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
    z.next_in = bytes;
    z.avail_in = (unsigned)size;
    z.next_out = whole;
    z.avail_out = 10000000;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    object = json_loadb((const char *)whole, z.total_out, 0, NULL);
    assert_non_null(object);
    inflateEnd(&z);
    free(bytes);
    free(whole);
    return object;
}

/* Appends a line of a drawing: the template's text, with the numbers after the first comma in the place of its own. */
static const char *fill_line(struct laser_text *out, const char *template, const char *numbers)
{
    while (*template != '\0') {
        size_t n = strspn(template, "0123456789"), m;
        if (n == 0) {
            laser_text_add(out, template ++, 1);
            continue;
        }
        if (template[n] == '.' && strspn(template + n + 1, "0123456789") > 0)
            n += 1 + strspn(template + n + 1, "0123456789");
        numbers += *numbers == ',';
        m = strcspn(numbers, ",;");
        laser_text_add(out, m > 0 ? numbers : template, m > 0 ? m : n);
        numbers += m;
        template += n;
    }
    return numbers;
}

static char *filled(const json_t *templates, const char *text)
{
    struct laser_text out = {0};

    while (*text != '\0') {
        size_t k = (size_t)strtol(text, (char **)(uintptr_t)&text, 10);
        text = fill_line(&out, json_string_value(json_array_get(templates, k)), text);
        laser_text_puts(&out, *text == ';' ? "\n" : "");
        text += *text == ';';
    }
    return laser_text_take(&out);
}

static void test_every_matrix_is_drawn_in_the_pack_of_its_layer(void **state)
{
    double *s = noise_values(40, 100, 3), *other = noise_values(40, 100, 7);
    struct laser_scan_row rows[3] = {scanned("b.0.x.weight", "x", 0, s), scanned("b.1.x.weight", "x", 1, s),
                                     scanned("b.1.y.weight", "y", 1, other)};
    struct laser_page_run run = {.rows = rows, .n_rows = 3};
    char *html = page_of(&run, 1, NULL), *drawing;
    json_t *data = data_of(html), *spectra = json_object_get(data, "spectra"), *numbers;
    json_t *layer = unpacked(json_string_value(json_array_get(json_object_get(spectra, "layers"), 1)));
    json_t *templates = unpacked(json_string_value(json_object_get(spectra, "templates")));
    struct laser_spectrum spectrum;
    struct laser_figure f = {0};
    struct laser_text svg = {0};
    int64_t sum;

    (void)state;
    assert_int_equal(json_object_size(json_object_get(spectra, "first")), 1);
    assert_int_equal(json_array_size(json_array_get(layer, 0)), 2);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(layer, 0), 1)), 2);
    /* Filled into its templates it is what is drawn into files. */
    laser_spectrum_make(&spectrum, &rows[2], NULL, LASER_SPECTRUM_BINS, LASER_SPECTRUM_POINTS);
    laser_draw_density_figure(&f, &spectrum);
    laser_figure_embed(&svg, &f, "panel", "spectrum");
    drawing = filled(templates, json_string_value(json_array_get(json_array_get(layer, 1), 1)));
    svg.data[svg.size - 1] = '\0'; /* the last line break */
    assert_string_equal(drawing, svg.data);
    numbers = json_array_get(json_array_get(layer, 3), 1);
    sum = json_integer_value(json_array_get(json_array_get(numbers, 0), 6));
    for (size_t i = 0; i < json_array_size(json_array_get(numbers, 1)); i++)
        sum += json_integer_value(json_array_get(json_array_get(numbers, 1), i));
    assert_int_equal(sum, 40);
    free(drawing);
    laser_text_free(&svg);
    laser_figure_free(&f);
    json_decref(templates);
    json_decref(layer);
    json_decref(data);
    free(html);
    free(other);
    free(s);
}

/* The page repaints cells: a letter for each of them and every metric. */
static void test_a_map_has_a_letter_for_each_cell(void **state)
{
    struct laser_scan_row rows[4] = {{.name = "b.0.x", .type = "x", .layer = 0, .score = 1},
                                     {.name = "b.1.x", .type = "x", .layer = 1, .score = NAN},
                                     {.name = "b.2.x", .type = "x", .layer = 2, .score = 3},
                                     {.name = "b.2.y", .type = "y", .layer = 2, .score = 100}};
    struct laser_page_run run = {.rows = rows, .n_rows = 4, .score = "snr"};
    char *html = page_of(&run, 1, NULL);
    json_t *data = data_of(html), *map = json_object_get(json_object_get(data, "maps"), "map");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(map, "first")), "score");
    assert_string_equal(json_string_value(json_object_get(map, "score/auto")), "score/log");
    assert_string_equal(json_string_value(json_array_get(json_object_get(map, "score/linear"), 0)), "A.B/");
    assert_string_equal(json_string_value(json_array_get(json_object_get(map, "score/log"), 0)), "A.P/");
    assert_string_equal(json_string_value(json_array_get(json_object_get(map, "score/rank"), 0)), "A.g/");
    json_decref(data);
    free(html);
}

static void test_figures_are_there_without_the_script(void **state)
{
    double *s = noise_values(40, 100, 3);
    struct laser_scan_row row = scanned("model.layers.0.mlp.up_proj.weight", "mlp.up_proj", 0, s);
    struct laser_page_run run = {.rows = &row, .n_rows = 1};
    char *html = page_of(&run, 1, NULL), *figure = strstr(html, "<figure id=\"figure-map\">");

    (void)state;
    assert_non_null(figure);
    assert_non_null(strstr(figure, "<svg class=\"wide\""));
    assert_non_null(strstr(figure, "<svg class=\"middle\""));
    assert_non_null(strstr(figure, "<svg class=\"narrow\""));
    assert_non_null(strstr(html, "--kept:#0072b2;"));
    free(html);
    free(s);
}

static void test_a_matrix_of_zeros_can_be_drawn(void **state)
{
    double zeros[40] = {0};
    struct laser_scan_row row = scanned("a.weight", "a", 0, zeros);
    struct laser_page_run run = {.rows = &row, .n_rows = 1};
    char *html = page_of(&run, 1, NULL);

    (void)state;
    json_decref(data_of(html));
    free(html);
}

static void test_126_layers_take_less_than_3_megabytes(void **state)
{
    enum { LAYERS = 126, TYPES = 7 };
    static const char *const types[TYPES] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                             "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                             "mlp.down_proj"};
    static struct laser_scan_row rows[LAYERS * TYPES];
    static struct laser_scan_number numbers[31];
    static char names[LAYERS * TYPES][64], keys[31][24];
    double *s = noise_values(2048, 4096, 10);
    struct laser_page_run run = {.model = "m", .rows = rows, .n_rows = LAYERS * TYPES};
    size_t size;
    char *html;

    (void)state;
    for (int i = 0; i < 31; i++) {
        snprintf(keys[i], sizeof keys[i], "metric_%d", i);
        numbers[i] = (struct laser_scan_number){keys[i], M_PI * (i + 1), 0};
    }
    for (int i = 0; i < LAYERS * TYPES; i++) {
        snprintf(names[i], sizeof names[i], "model.layers.%d.%s.weight", i / TYPES, types[i % TYPES]);
        rows[i] = scanned(names[i], types[i % TYPES], i / TYPES, s);
        rows[i].rows = 2048;
        rows[i].columns = 4096;
        rows[i].numbers = numbers;
        rows[i].nnumbers = 31;
    }
    html = page_of(&run, 1, &size);
    assert_true(size < 3000000);
    assert_true(size > 300000);
    json_decref(data_of(html));
    free(html);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_curve_integrates_to_1),
        cmocka_unit_test(test_the_curve_reaches_from_edge_to_edge),
        cmocka_unit_test(test_the_curve_has_the_median_of_the_law),
        cmocka_unit_test(test_bins_of_noise_follow_the_law),
        cmocka_unit_test(test_bins_lose_no_value),
        cmocka_unit_test(test_bins_have_the_first_and_the_last_value),
        cmocka_unit_test(test_bins_have_the_compat_threshold),
        cmocka_unit_test(test_a_page_is_whole_and_needs_no_network),
        cmocka_unit_test(test_markup_in_names_stays_text),
        cmocka_unit_test(test_nan_and_infinity_are_told),
        cmocka_unit_test(test_a_failed_matrix_is_shown_with_its_reason),
        cmocka_unit_test(test_a_page_of_nothing_and_one_of_two_runs),
        cmocka_unit_test(test_matrices_of_a_compression_become_columns),
        cmocka_unit_test(test_every_matrix_is_drawn_in_the_pack_of_its_layer),
        cmocka_unit_test(test_a_map_has_a_letter_for_each_cell),
        cmocka_unit_test(test_figures_are_there_without_the_script),
        cmocka_unit_test(test_a_matrix_of_zeros_can_be_drawn),
        cmocka_unit_test(test_126_layers_take_less_than_3_megabytes),
    };

    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}

#include "report/decision_list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "report/fit.h"

enum { EDIT = 16, RANK = 13, PPL = 13, CHANGE = 21, NARROWEST = 60, NAME = 20, REASON = 16 };

static const char *text_of(const json_t *decision, const char *key)
{
    const char *text = json_string_value(json_object_get(decision, key));

    return text != NULL ? text : "";
}

/* A number, or one of the strings that stand for what JSON has no number for, or null. */
static double real_of(const json_t *decision, const char *key)
{
    const json_t *value = json_object_get(decision, key);
    const char *text = json_string_value(value);

    if (text != NULL)
        return strcmp(text, "Infinity") == 0 ? INFINITY : strcmp(text, "-Infinity") == 0 ? -INFINITY : NAN;
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static int is_measured(const json_t *d)
{
    return strcmp(text_of(d, "reason"), "measured") == 0;
}

static void put_number(struct laser_text *out, const char *text, double value, int width)
{
    laser_text_printf(out, " %*s", width - 1, isnan(value) ? "-" : text);
}

/* "within error", or of one that was left early "early, 28/120". */
static void put_reason(struct laser_text *out, const json_t *d, int early)
{
    json_int_t seen = json_integer_value(json_object_get(d, "windows"));
    json_int_t of = json_integer_value(json_object_get(d, "of_windows"));
    char text[64];

    snprintf(text, sizeof text, "early, %lld/%lld", (long long)seen, (long long)of);
    laser_text_fit(out, early && of > 0 ? text : text_of(d, "reason"), REASON, "..", 0);
}

/* Bytes that all names begin with, up to a dot: "model.layers." tells nothing. */
static size_t common_begin(const json_t *decisions)
{
    const char *first = text_of(json_array_get(decisions, 0), "tensor");
    size_t n = strlen(first);

    for (size_t i = 1; i < json_array_size(decisions); i++) {
        const char *name = text_of(json_array_get(decisions, i), "tensor");
        size_t same = 0;
        while (same < n && name[same] == first[same])
            same++;
        n = same;
    }
    while (n > 0 && first[n - 1] != '.')
        n--;
    return json_array_size(decisions) > 1 ? n : 0;
}

/* Without what all names begin with and without ".weight", where it would not fit otherwise. */
static void put_tensor(struct laser_text *out, const char *name, size_t begin, size_t width)
{
    static const char end[] = ".weight";
    struct laser_text shorter = {0};
    size_t n = strlen(name);

    if (laser_text_columns(name) <= width) {
        laser_text_fit(out, name, width, "..", 1);
        return;
    }
    n -= n > begin + sizeof end && strcmp(name + n - (sizeof end - 1), end) == 0 ? sizeof end - 1 : 0;
    laser_text_add(&shorter, name + begin, n - begin);
    if (shorter.failed)
        out->failed = 1;
    else
        laser_text_fit(out, shorter.data, width, "..", 1);
    laser_text_free(&shorter);
}

static void put_decision(struct laser_text *out, const json_t *d, int rises, size_t begin, size_t width,
                         int colours)
{
    int kept = json_is_true(json_object_get(d, "kept")),
        early = strstr(text_of(d, "reason"), "early") != NULL;
    int with_rank = width >= 10 + 1 + EDIT + RANK + PPL + NAME;
    size_t used = 10 + 1 + EDIT + PPL + (with_rank ? RANK : 0);
    int with_change = with_rank && width >= used + CHANGE + NAME;
    int with_reason = with_change && width >= used + CHANGE + NAME + REASON + 2;
    size_t name = width - used - (with_change ? CHANGE : 0) - (with_reason ? 2 + REASON : 0);
    char text[64], number[LASER_NUMBER_SIZE];
    double value;

    name = name < 48 ? name : 48;
    if (colours)
        laser_text_puts(out, kept ? "\033[1;38;5;39m" : "\033[2m");
    laser_text_printf(out, "%-9s ", kept ? "kept" : is_measured(d) ? "measured" : "reverted");
    if (colours)
        laser_text_puts(out, "\033[0m");
    put_tensor(out, text_of(d, "tensor"), begin, name);
    laser_text_fill(out, ' ', 1);
    laser_text_fit(out, text_of(d, "edit"), EDIT, "..", 1);
    snprintf(text, sizeof text, "%lld/%lld", (long long)json_integer_value(json_object_get(d, "rank")),
             (long long)json_integer_value(json_object_get(d, "of")));
    if (with_rank)
        laser_text_printf(out, " %*s", RANK - 1, text);
    value = early ? (double)NAN : real_of(d, json_object_get(d, "ppl") != NULL ? "ppl" : "value");
    put_number(out, laser_number_fixed(value, rises ? 4 : 6, number), value, PPL);
    if (with_change) {
        value = real_of(d, "difference") * (rises ? -1 : 1);
        put_number(out, laser_number_change_power(value, 2, number), value, 10);
        snprintf(text, sizeof text, "+- %.1e", real_of(d, "difference_stderr"));
        laser_text_printf(out, " %*s", CHANGE - 11, isnan(real_of(d, "difference_stderr")) ? "" : text);
    }
    if (with_reason) {
        laser_text_puts(out, "  ");
        put_reason(out, d, early);
    }
    laser_text_fill(out, '\n', 1);
}

void laser_decision_list(struct laser_text *out, const json_t *decisions, int rises,
                         const struct laser_heat_style *style)
{
    size_t n = json_array_size(decisions), kept = 0, measured = 0, begin = common_begin(decisions);
    size_t width = style->width > NARROWEST ? (size_t)style->width : NARROWEST;

    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(decisions, i);
        kept += json_is_true(json_object_get(d, "kept"));
        measured += (size_t)is_measured(d);
    }
    if (measured == n && n > 0)
        laser_text_printf(out, "%zu edit%s measured, each alone\n", n, n == 1 ? "" : "s");
    else
        laser_text_printf(out, "%zu decisions: %zu kept, %zu reverted\n", n, kept, n - kept);
    for (size_t i = 0; i < n; i++)
        put_decision(out, json_array_get(decisions, i), rises, begin, width, style->colours);
}

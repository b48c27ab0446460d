/* Sizes and times as people write them, and back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

/* What a size may end in.  Those of the first half are written, too, the largest that divides it. */
static const struct {
    const char *name;
    int64_t bytes;
} units[] = {
    {"TiB", 1LL << 40},
    {"TB", 1000000000000LL},
    {"GiB", 1LL << 30},
    {"GB", 1000000000LL},
    {"MiB", 1LL << 20},
    {"MB", 1000000LL},
    {"KiB", 1LL << 10},
    {"kB", 1000LL},
    {"", 1},
    {"B", 1},
    {"k", 1LL << 10},
    {"K", 1LL << 10},
    {"M", 1LL << 20},
    {"G", 1LL << 30},
    {"T", 1LL << 40},
    {"KB", 1000LL},
};
enum { WRITTEN_UNITS = 8 };

/* Digits with at most one dot, at the start of text; *end is behind them. */
static int leading_number(const char *text, double *value, const char **end)
{
    size_t n = strspn(text, "0123456789"), fraction = 0;

    if (text[n] == '.')
        fraction = 1 + strspn(text + n + 1, "0123456789");
    if (n == 0 || fraction == 1 || n + fraction > 24)
        return 0;
    *value = strtod(text, NULL);
    *end = text + n + fraction;
    return 1;
}

int laser_units_size(const char *text, int64_t *size_bytes)
{
    const char *unit;
    double value;

    if (!leading_number(text, &value, &unit))
        return 0;
    while (*unit == ' ')
        unit++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t bytes = units[i].bytes, whole = strtoll(text, NULL, 10);

        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (!(value * (double)bytes <= 1e18))
            return 0;
        /* Whole numbers stay exact beyond 2^53. */
        *size_bytes = text[strspn(text, "0123456789")] == '.' || whole > 1000000000000000000LL / bytes
                          ? llround(value * (double)bytes)
                          : whole * bytes;
        return 1;
    }
    return 0;
}

/* "2:30" is minutes and seconds, "1:02:30" has hours, "3-12:00:00" days: SLURM's forms. */
static int clock_duration(const char *text, double *time_s)
{
    double part, days = 0.0, total = 0.0;
    const char *end;
    int parts = 0;

    if (!leading_number(text, &part, &end))
        return 0;
    if (*end == '-') {
        days = part;
        text = end + 1;
    }
    for (;; text = end + 1) {
        if (!leading_number(text, &part, &end) || ++parts > 3)
            return 0;
        total = total * 60.0 + part;
        if (*end != ':')
            break;
    }
    *time_s = days * 86400.0 + total;
    return *end == '\0' && (parts >= 2 || days != 0.0) && (days == 0.0 || parts == 3);
}

static const char duration_units[] = "dhms";
static const int unit_seconds[] = {86400, 3600, 60, 1};

int laser_units_duration(const char *text, double *time_s)
{
    const char *end, *unit, *allowed = duration_units;
    double part;

    if (strchr(text, ':') != NULL)
        return clock_duration(text, time_s);
    if (!leading_number(text, time_s, &end))
        return 0;
    if (*end == '\0')
        return 1;
    for (*time_s = 0.0; *text != '\0'; text = end + 1 + strspn(end + 1, " ")) {
        if (!leading_number(text, &part, &end) || *end == '\0' || (unit = strchr(allowed, *end)) == NULL)
            return 0;
        *time_s += part * unit_seconds[unit - duration_units];
        allowed = unit + 1; /* only smaller ones may follow */
    }
    return 1;
}

void laser_units_size_text(int64_t size_bytes, char text[32])
{
    int i = 0;

    while (i < WRITTEN_UNITS && (size_bytes == 0 || size_bytes % units[i].bytes != 0))
        i++;
    snprintf(text, 32, "%lld%s", (long long)(size_bytes / units[i].bytes), units[i].name);
}

void laser_units_duration_text(double time_s, char text[32])
{
    long long rest = (long long)time_s;
    int n = 0;

    if ((double)rest != time_s || rest == 0) {
        snprintf(text, 32, "%.9g%s", time_s, time_s == 0.0 ? "" : "s");
        return;
    }
    for (int i = 0; i < 4; i++) {
        if (rest >= unit_seconds[i])
            n += snprintf(text + n, 32 - (size_t)n, "%lld%c", rest / unit_seconds[i], duration_units[i]);
        rest %= unit_seconds[i];
    }
}

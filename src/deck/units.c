#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

/* Whole numbers stay exact beyond 2^53: value * scale in integers.  0 when it is not one or would not fit. */
static int whole_size(const char *text, double scale, int64_t *size_bytes)
{
    int64_t value = strtoll(text, NULL, 10), unit = (int64_t)scale;

    if (text[strspn(text, "0123456789")] == '.' || value > 1000000000000000000LL / unit)
        return 0;
    *size_bytes = value * unit;
    return 1;
}

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
    static const struct {
        const char *name;
        double bytes;
    } units[] = {
        {"", 1.0},
        {"B", 1.0},
        {"k", 1024.0},
        {"K", 1024.0},
        {"M", 1048576.0},
        {"G", 1073741824.0},
        {"T", 1099511627776.0},
        {"KiB", 1024.0},
        {"MiB", 1048576.0},
        {"GiB", 1073741824.0},
        {"TiB", 1099511627776.0},
        {"kB", 1e3},
        {"KB", 1e3},
        {"MB", 1e6},
        {"GB", 1e9},
        {"TB", 1e12},
    };
    const char *unit;
    double value;

    if (!leading_number(text, &value, &unit))
        return 0;
    while (*unit == ' ')
        unit++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (!(value * units[i].bytes <= 1e18))
            return 0;
        if (!whole_size(text, units[i].bytes, size_bytes))
            *size_bytes = llround(value * units[i].bytes);
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
    for (;;) {
        if (!leading_number(text, &part, &end) || ++parts > 3)
            return 0;
        total = total * 60.0 + part;
        if (*end != ':')
            break;
        text = end + 1;
    }
    if (*end != '\0' || (parts < 2 && days == 0.0) || (days > 0.0 && parts != 3))
        return 0;
    *time_s = days * 86400.0 + total;
    return 1;
}

int laser_units_duration(const char *text, double *time_s)
{
    static const char units[] = "dhms";
    static const double seconds[] = {86400.0, 3600.0, 60.0, 1.0};
    const char *end, *allowed = units;
    double part, total = 0.0;

    if (strchr(text, ':') != NULL)
        return clock_duration(text, time_s);
    if (!leading_number(text, &part, &end))
        return 0;
    if (*end == '\0') {
        *time_s = part;
        return 1;
    }
    while (*text != '\0') {
        const char *unit;

        if (!leading_number(text, &part, &end) || *end == '\0')
            return 0;
        unit = strchr(allowed, *end);
        if (unit == NULL)
            return 0;
        total += part * seconds[unit - units];
        allowed = unit + 1; /* only smaller ones may follow */
        text = end + 1;
        while (*text == ' ')
            text++;
    }
    *time_s = total;
    return 1;
}

void laser_units_size_text(int64_t size_bytes, char text[32])
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {
        {"TiB", 1LL << 40}, {"TB", 1000000000000LL}, {"GiB", 1LL << 30}, {"GB", 1000000000LL},
        {"MiB", 1LL << 20}, {"MB", 1000000LL},       {"KiB", 1LL << 10}, {"kB", 1000LL},
    };

    for (size_t i = 0; size_bytes > 0 && i < sizeof units / sizeof units[0]; i++) {
        if (size_bytes % units[i].bytes == 0) {
            snprintf(text, 32, "%lld%s", (long long)(size_bytes / units[i].bytes), units[i].name);
            return;
        }
    }
    snprintf(text, 32, "%lld", (long long)size_bytes);
}

void laser_units_duration_text(double time_s, char text[32])
{
    long long whole = (long long)time_s;
    int n = 0;

    if ((double)whole != time_s || whole == 0) {
        snprintf(text, 32, "%.9g%s", time_s, whole == 0 && time_s == 0.0 ? "" : "s");
        return;
    }
    if (whole >= 86400)
        n += snprintf(text + n, 32 - (size_t)n, "%lldd", whole / 86400);
    if (whole / 3600 % 24 > 0)
        n += snprintf(text + n, 32 - (size_t)n, "%lldh", whole / 3600 % 24);
    if (whole / 60 % 60 > 0)
        n += snprintf(text + n, 32 - (size_t)n, "%lldm", whole / 60 % 60);
    if (whole % 60 > 0)
        snprintf(text + n, 32 - (size_t)n, "%llds", whole % 60);
}

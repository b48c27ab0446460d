#include "report/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

double laser_progress_share(const struct laser_progress *p)
{
    double share = 0.0;

    if (p->total > 0 && p->done >= p->total)
        return 1.0;
    if (p->work_total > 0.0)
        share = p->work_done / p->work_total;
    else if (p->total > 0)
        share = (double)p->done / (double)p->total;
    return share > 0.0 ? share < 1.0 ? share : 1.0 : 0.0;
}

double laser_progress_left(const struct laser_progress *p)
{
    double done = p->work_total > 0.0 ? p->work_done - p->work_resumed : (double)(p->done - p->resumed);
    double left = p->work_total > 0.0 ? p->work_total - p->work_done : (double)(p->total - p->done);

    if (p->total > 0 && p->done >= p->total)
        return 0.0;
    if (p->total <= 0 || !(done > 0.0) || !(p->elapsed_s > 0.0))
        return NAN;
    return left > 0.0 ? left * p->elapsed_s / done : 0.0;
}

/* "3.2" pieces a second, or NaN before anything is known. */
static double rate_of(const struct laser_progress *p)
{
    return p->elapsed_s > 0.0 && p->done > p->resumed ? (double)(p->done - p->resumed) / p->elapsed_s : NAN;
}

/* Slow work is told per minute or hour: "0.00 per second" says nothing. */
static void rate_text(double rate, const char *second, const char *minute, const char *hour, char text[48])
{
    const char *unit = second;

    if (isnan(rate)) {
        text[0] = '\0';
        return;
    }
    if (rate < 0.095) {
        rate *= 60.0;
        unit = minute;
        if (rate < 0.95) {
            rate *= 60.0;
            unit = hour;
        }
    }
    snprintf(text, 48, "%.*f%s", rate < 99.95 ? 1 : 0, rate, unit);
}

static void tail_of(const struct laser_progress *p, struct laser_text *tail)
{
    char rate[48], time[LASER_NUMBER_SIZE];
    double left = laser_progress_left(p);

    laser_text_printf(tail, " %3.0f%% %lld/%lld %s", floor(100.0 * laser_progress_share(p)),
                      (long long)p->done, (long long)p->total, p->what);
    if (p->failed > 0)
        laser_text_printf(tail, ", %lld failed", (long long)p->failed);
    rate_text(rate_of(p), "/s", "/min", "/h", rate);
    if (*rate != '\0')
        laser_text_printf(tail, "  %s", rate);
    if (p->done >= p->total && p->total > 0)
        laser_text_printf(tail, "  %s", laser_number_time(p->elapsed_s, time));
    else if (!isnan(left))
        laser_text_printf(tail, "  %s left", laser_number_time(left, time));
}

void laser_progress_bar(struct laser_text *out, const struct laser_progress *p, int width, int utf8)
{
    const char *full = utf8 ? "█" : "#", *empty = utf8 ? "░" : ".";
    struct laser_text tail = {0};
    size_t columns, room, filled;

    tail_of(p, &tail);
    if (tail.failed || width < 1) {
        out->failed |= tail.failed;
        laser_text_free(&tail);
        return;
    }
    columns = laser_text_columns(tail.data);
    if (columns + 12 <= (size_t)width) {
        room = (size_t)width - columns - 2;
        room = room < 40 ? room : 40;
        filled = (size_t)(laser_progress_share(p) * (double)room);
        laser_text_fill(out, '[', 1);
        for (size_t i = 0; i < room; i++)
            laser_text_puts(out, i < filled ? full : empty);
        laser_text_fill(out, ']', 1);
    }
    /* Texts are ASCII but for p->what, which the program chooses; a cut by bytes never makes it longer. */
    laser_text_add(out, tail.data, columns > (size_t)width ? (size_t)width : tail.size);
    laser_text_free(&tail);
}

void laser_progress_line(struct laser_text *out, const struct laser_progress *p)
{
    char rate[48], time[LASER_NUMBER_SIZE];
    double left = laser_progress_left(p);

    if (p->total > 0)
        laser_text_printf(out, "%lld/%lld %s (%.0f %%)", (long long)p->done, (long long)p->total, p->what,
                          floor(100.0 * laser_progress_share(p)));
    else
        laser_text_printf(out, "%lld %s", (long long)p->done, p->what);
    if (p->resumed > 0)
        laser_text_printf(out, ", %lld from an earlier run", (long long)p->resumed);
    if (p->failed > 0)
        laser_text_printf(out, ", %lld failed", (long long)p->failed);
    rate_text(rate_of(p), " per second", " per minute", " per hour", rate);
    if (*rate != '\0')
        laser_text_printf(out, ", %s", rate);
    laser_text_printf(out, ", %s so far", laser_number_time(p->elapsed_s, time));
    if (!isnan(left) && p->done < p->total)
        laser_text_printf(out, ", %s left", laser_number_time(left, time));
}

int laser_progress_due(const struct laser_progress *p, double last_s, int is_bar)
{
    double since = last_s < 0.0 ? p->elapsed_s : p->elapsed_s - last_s;
    double pause = p->elapsed_s < 60.0     ? 10.0
                   : p->elapsed_s < 600.0  ? 30.0
                   : p->elapsed_s < 3600.0 ? 60.0
                                           : 300.0;

    if (p->total > 0 && p->done >= p->total)
        return 1;
    if (is_bar)
        return last_s < 0.0 || since >= 0.2;
    return since >= pause;
}

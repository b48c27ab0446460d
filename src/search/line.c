#include "search/line.h"

#include <math.h>
#include <string.h>

enum { MORE_ROUNDS = LASER_LINE_MOST - 3 };

static void ask(struct laser_line *line, double length)
{
    if (line->n < LASER_LINE_MAX)
        line->steps[line->n++] = (struct laser_line_step){.length = length};
}

void laser_line_begin(struct laser_line *line, double length, double z)
{
    memset(line, 0, sizeof *line);
    line->z = z;
    ask(line, length / 2);
    ask(line, length);
    ask(line, length * 2);
}

/* NaN is never lower. */
static int lowest(const struct laser_line *line, bool only_good)
{
    int best = -1;

    for (int i = 0; i < line->n_measured; ++i) {
        const struct laser_line_step *s = &line->steps[i];

        if (!isfinite(s->difference) || s->harms || (only_good && !(s->difference < -line->z * s->error)))
            continue;
        if (best < 0 || s->difference < line->steps[best].difference)
            best = i;
    }
    return best;
}

int laser_line_best(const struct laser_line *line)
{
    return lowest(line, true);
}

bool laser_line_go_on(struct laser_line *line)
{
    int best = lowest(line, false);
    double shortest = INFINITY, longest = 0;

    if (line->rounds++ >= MORE_ROUNDS)
        return false;
    for (int i = 0; i < line->n; ++i) {
        shortest = fmin(shortest, line->steps[i].length);
        longest = fmax(longest, line->steps[i].length);
    }
    if (best >= 0 && line->steps[best].difference < 0 && line->steps[best].length < longest &&
        line->steps[best].length > shortest)
        return false;
    if (best >= 0 && line->steps[best].difference < 0 && line->steps[best].length == longest)
        ask(line, longest * 2);
    else
        ask(line, shortest / 2);
    return line->n > line->n_measured;
}

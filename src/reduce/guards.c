/* What tune's guard texts say in the end. */
#include "reduce/reduce.h"

void laser_tune_say(const struct laser_reduction *r)
{
    const char *name;
    json_t *guard;

    json_object_foreach(json_object_get(r->report.tune, "guards"), name, guard)
    {
        const json_t *part = json_object_get(guard, "report");
        const char *which = "held out";

        if (!json_is_object(part)) {
            part = json_object_get(guard, "selection");
            which = "decided too";
        }
        laser_log_line(r->setup.run->log, "RESULT",
                       "guard %s: %+.5f +- %.5f nats on %" JSON_INTEGER_FORMAT " windows (%s)", name,
                       json_number_value(json_object_get(part, "difference")),
                       json_number_value(json_object_get(part, "stderr")),
                       json_integer_value(json_object_get(part, "windows")), which);
    }
}

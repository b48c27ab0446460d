/* The command `task convert`: a data set as it is distributed, made into a task file. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "commands/serial.h"
#include "task/convert.h"

/* How many records that are left out are told one by one. */
#define SAID_RECORDS 20

/* How long the shown beginning of the first question is. */
#define SHOWN_BYTES 300

/* The first question as it was written, so that a wrong template or field is seen. */
static void say_first(struct laser_run *run, const char *lines)
{
    size_t n = strcspn(lines, "\n"), shown = n < SHOWN_BYTES ? n : SHOWN_BYTES;

    while (shown < n && shown > 0 && ((unsigned char)lines[shown] & 0xc0) == 0x80)
        --shown; /* not inside of a character */
    laser_log_line(run->log, "TASK", "the first: %.*s%s", (int)shown, lines, shown < n ? " ..." : "");
}

static void say_converted(struct laser_run *run, const char *path,
                          const struct laser_task_converted *converted)
{
    if (converted->skipped > 0)
        laser_log_line(run->log, "TASK", "%" PRId64 " of %" PRId64 " records left out: %s",
                       converted->skipped, converted->records, converted->reason);
    if (converted->n_left_out > 0)
        laser_log_line(run->log, "WARNING", "%" PRId64 " of %" PRId64 " records are odd and are left out",
                       converted->n_left_out, converted->records);
    for (int64_t i = 0; i < converted->n_left_out && i < SAID_RECORDS; ++i)
        laser_log_line(run->log, "LEFT OUT", "%s:%s%" PRId64 ": %s", path,
                       converted->by_record ? " record " : "", converted->left_out[i].line,
                       converted->left_out[i].reason);
    if (converted->n_left_out > SAID_RECORDS)
        laser_log_line(run->log, "LEFT OUT", "and %" PRId64 " more", converted->n_left_out - SAID_RECORDS);
}

/* Rank 0. */
static int check_command(struct laser_run *run, const char *output, struct laser_error *err)
{
    if (strcmp(run->arguments[0], "convert") != 0)
        return laser_error_set(err, LASER_EUSAGE, run->arguments[0],
                               "usage: laser_mpi task convert --from NAME FILE --output TASK.jsonl");
    if (*run->settings->task.from == '\0')
        return laser_error_set(err, LASER_EUSAGE, "--from", "which data set? one of %s", LASER_TASK_ADAPTERS);
    if (!laser_deck_is_set(run->deck, LASER_KEY_output))
        return laser_error_set(err, LASER_EUSAGE, "--output", "where to? give --output TASK.jsonl");
    if (access(output, F_OK) == 0 && !run->settings->run.force)
        return laser_error_set(err, LASER_EUSAGE, output,
                               "the file is there already; --force writes over it, or choose another");
    return LASER_OK;
}

int laser_command_task(struct laser_run *run, struct laser_error *err)
{
    const char *from = run->settings->task.from, *path = run->arguments[1];
    const char *output = run->settings->output;
    struct laser_task_mapping mapping = {.prompt = run->settings->task.template};
    struct laser_task_converted converted;
    struct laser_text out = {0};
    int code = check_command(run, output, err);

    if (code != LASER_OK)
        return code;
    mapping.fields = run->settings->task.map.items;
    mapping.n_fields = run->settings->task.map.count;
    code = laser_task_convert(from, path, &mapping, &out, &converted, err);
    if (code == LASER_OK)
        code = laser_file_replace(output, out.data, out.size, err);
    if (code == LASER_OK) {
        say_converted(run, path, &converted);
        say_first(run, out.data);
        laser_log_line(run->log, "OUTPUT", "%s: %" PRId64 " questions", output, converted.questions);
    }
    laser_task_converted_free(&converted);
    laser_text_free(&out);
    return code;
}

/* The command `task convert`: a data set as it is distributed, made into a task file. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "comm/agree.h"
#include "commands/commands.h"
#include "task/convert.h"

/* Rank 0. */
static int convert(struct laser_mpi_run *run, struct laser_error *err)
{
    const char *from = laser_deck_string(run->deck, "task.from"), *path = run->arguments[1];
    const char *output = laser_deck_string(run->deck, "output");
    struct laser_task_mapping mapping = {.prompt = laser_deck_string(run->deck, "task.template")};
    struct laser_task_converted converted;
    struct laser_text out = {0};
    int code;

    if (strcmp(run->arguments[0], "convert") != 0)
        return laser_error_set(err, LASER_EUSAGE, run->arguments[0],
                               "usage: laser_mpi task convert --from NAME FILE --output TASK.jsonl");
    if (*from == '\0')
        return laser_error_set(err, LASER_EUSAGE, "--from", "which data set? one of %s", LASER_TASK_ADAPTERS);
    if (!laser_deck_is_set(run->deck, "output"))
        return laser_error_set(err, LASER_EUSAGE, "--output", "where to? give --output TASK.jsonl");
    mapping.fields = laser_deck_list(run->deck, "task.map", &mapping.n_fields);
    code = laser_task_convert(from, path, &mapping, &out, &converted, err);
    if (code == LASER_OK)
        code = laser_file_replace(output, out.data, out.size, err);
    laser_text_free(&out);
    if (code != LASER_OK)
        return code;
    if (converted.skipped > 0)
        laser_mpi_log_line(run->log, "TASK", "%" PRId64 " of %" PRId64 " records left out: %s",
                           converted.skipped, converted.records, converted.reason);
    laser_mpi_log_line(run->log, "OUTPUT", "%s: %" PRId64 " questions", output, converted.questions);
    return LASER_OK;
}

int laser_mpi_command_task(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = run->rank == 0 ? convert(run, err) : LASER_OK;

    return laser_mpi_agree(run->world, code, err);
}

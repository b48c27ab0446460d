/* The command `show`: the results of a run in a terminal, without the model. */
#include <stdio.h>
#include <unistd.h>

#include "checkpoint/json.h"
#include "commands/serial.h"
#include "report/decision_list.h"
#include "report/heat_map.h"
#include "report/sweep_map.h"
#include "run/terminal.h"
#include "store/results.h"
#include "store/scan_load.h"

static void show_map(struct laser_run *run, const struct laser_scan_input *in)
{
    struct laser_heat_style style = {.width = laser_terminal_style().width,
                                     .colours = laser_terminal_is_watched()};
    struct laser_text text = {0};

    if (in->program != NULL)
        laser_text_printf(&text, "%s: %s of each matrix, a scan of %s\n\n", in->path, in->score, in->program);
    else
        laser_text_printf(&text, "%s: %s of each matrix under the rule %s\n\n",
                          in->model != NULL ? in->model : "?", in->score, in->rule != NULL ? in->rule : "?");
    laser_heat_map(&text, in->rows, in->n, &style);
    if (text.data != NULL && !text.failed)
        laser_log_block(run->log, text.data);
    laser_text_free(&text);
}

static void show_sweep(struct laser_run *run, const json_t *results)
{
    struct laser_heat_style style = {.width = laser_terminal_style().width,
                                     .colours = laser_terminal_is_watched()};
    struct laser_text text = {0};

    laser_text_puts(&text, "\n");
    laser_sweep_map(&text, json_object_get(results, "sweep_table"), &style);
    if (text.data != NULL && !text.failed)
        laser_log_block(run->log, text.data);
    laser_text_free(&text);
}

static void show_decisions(struct laser_run *run, const json_t *results)
{
    static const char *const keys[] = {"sweep", "decisions"};
    struct laser_heat_style style = {.width = laser_terminal_style().width,
                                     .colours = laser_terminal_is_watched()};

    for (int i = 0; i < 2; ++i) {
        const json_t *list = json_object_get(results, keys[i]);
        struct laser_text text = {0};
        if (!json_is_array(list))
            continue;
        laser_text_puts(&text, "\n");
        laser_decision_list(&text, list, json_is_true(json_object_get(results, "objective_rises")), &style);
        if (text.data != NULL && !text.failed)
            laser_log_block(run->log, text.data);
        laser_text_free(&text);
    }
}

int laser_command_show(struct laser_run *run, struct laser_error *err)
{
    struct laser_scan_input in;
    json_t *results = NULL;
    char path[4300];
    int code = laser_scan_load(run->arguments[0], &in, err);

    if (code == LASER_OK) {
        show_map(run, &in);
        snprintf(path, sizeof path, "%.4200s/results.json", run->arguments[0]);
        if (access(path, F_OK) == 0)
            code = laser_json_load(path, 0, &results, err);
        if (json_object_get(results, "sweep_table") != NULL)
            show_sweep(run, results);
        show_decisions(run, results);
    }
    json_decref(results);
    laser_scan_input_free(&in);
    return code;
}

/* The command `generate`: texts that a model, or two side by side, go on with.  The first ranks hold the
 * models together in shards, one token after another; the others sleep until the end.  Rank 0 draws and
 * prints. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "commands/commands.h"
#include "evaluate/generate.h"
#include "generate/columns.h"
#include "plan/layout.h"
#include "plan/machine.h"
#include "plan/shards.h"
#include "run/terminal.h"
#include "store/results.h"

enum { MOST_VOICES = 2 };

struct generation {
    struct laser_run *run;
    struct laser_mpi_generator generators[MOST_VOICES];
    int n_generators;
    const char *const *prompts;
    int n_prompts;
    int64_t max_tokens;
    struct laser_sampling sampling;
    enum laser_precision precision;
    struct laser_mpi_team team;
    struct laser_mpi_shards shards;
    struct laser_text texts[MOST_VOICES]; /* rank 0: of the current prompt */
    struct laser_columns columns;         /* rank 0: with two models */
};

/* ---- opening ---- */

static int open_generators(struct generation *g, struct laser_error *err)
{
    struct laser_run *run = g->run;
    const char *against = run->settings->generate.against;
    int code = laser_mpi_generate_open(laser_mpi_world(run), run->settings->model, run->checkpoint, NULL,
                                       g->prompts, g->n_prompts, g->max_tokens, &g->generators[0], err);

    g->n_generators = 1;
    if (code == LASER_OK && run->rank == 0)
        laser_say_config(run->log, &g->generators[0].arch);
    if (code != LASER_OK || against[0] == '\0')
        return code;
    g->n_generators = 2;
    return laser_mpi_generate_open(laser_mpi_world(run), against, NULL, run->checkpoint->dir, g->prompts,
                                   g->n_prompts, g->max_tokens, &g->generators[1], err);
}

/* One token: weights are streamed from memory by every rank, and there are sums over the shards. */
static int measure(void *context, int shards, double *bytes, double *seconds, struct laser_error *err)
{
    const struct generation *g = context;

    *bytes = LASER_GENERATE_BASE_BYTES;
    *seconds = 0;
    for (int i = 0; i < g->n_generators; ++i) {
        double all, weights;
        int code = laser_mpi_generate_bytes(&g->generators[i], shards, g->precision, &all, &weights, err);

        if (code != LASER_OK)
            return code;
        *bytes += all;
        *seconds += weights / LASER_STREAM_BYTES_S +
                    laser_shards_sum_s(shards, (int)(2 * g->generators[i].arch.layers + 3), 0);
    }
    return LASER_OK;
}

/* The same on every rank. */
static int choose_shards(struct generation *g, int *shards, struct laser_error *err)
{
    const struct laser_run *run = g->run;
    double bytes, seconds;
    int asked = (int)run->settings->parallel.shards,
        most = asked > 0 && asked < run->size ? asked : run->size,
        code = laser_shards_choose(run, run->size, true, measure, g, shards, err);

    if (code != LASER_OK || *shards > 0)
        return code;
    code = measure(g, most, &bytes, &seconds, err);
    if (code != LASER_OK)
        return code;
    return laser_error_set(err, LASER_ENOMEM, run->checkpoint->model,
                           "needs about %.3g GB on each of %d ranks, a rank may use %.3g GB "
                           "(parallel.memory_per_rank): start more ranks",
                           bytes / 1e9, most, run->memory_limit_bytes / 1e9);
}

static int make_team(struct generation *g, int shards, struct laser_error *err)
{
    struct laser_run *run = g->run;
    struct laser_mpi_team *t = &g->team;

    *t = (struct laser_mpi_team){.world = laser_mpi_world(run),
                                 .rank = run->rank,
                                 .size = run->size,
                                 .n_workers = run->size,
                                 .group_size = shards,
                                 .n_groups = 1,
                                 .group = run->rank < shards ? 0 : -1,
                                 .group_rank = run->rank < shards ? run->rank : -1};
    if (MPI_Comm_split(laser_mpi_world(run), t->group < 0 ? MPI_UNDEFINED : 0, run->rank, &t->group_comm) !=
        MPI_SUCCESS)
        return laser_error_set(err, LASER_EINTERNAL, "generate", "ranks cannot be grouped");
    laser_mpi_shards_create(t, &g->shards);
    return LASER_OK;
}

static int open_all(struct generation *g, struct laser_error *err)
{
    struct laser_run *run = g->run;
    int shards, code = open_generators(g, err);

    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run), choose_shards(g, &shards, err), err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run), make_team(g, shards, err), err);
    if (code != LASER_OK)
        return code;
    for (int i = 0; i < g->n_generators && code == LASER_OK && g->team.group == 0; ++i)
        code = laser_mpi_generate_load(&g->generators[i], &g->shards, g->precision, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* ---- showing; rank 0 ---- */

static const char *ending_name(enum laser_mpi_ending ending)
{
    switch (ending) {
    case LASER_MPI_ENDING_STOP:
        return "end of text";
    case LASER_MPI_ENDING_LENGTH:
        return "as many as asked for";
    case LASER_MPI_ENDING_CONTEXT:
        return "no more positions";
    default:
        return "not ended";
    }
}

static void show(struct generation *g, struct laser_text *text)
{
    if (text->data != NULL && !text->failed)
        laser_log_block(g->run->log, text->data);
    laser_text_free(text);
}

static void show_prompt(struct generation *g, int prompt)
{
    struct laser_text text = {0};

    laser_columns_clean(g->prompts[prompt], strlen(g->prompts[prompt]), &text);
    laser_log_line(g->run->log, "PROMPT", "%s", text.data != NULL ? text.data : "");
    laser_text_free(&text);
    if (g->n_generators < 2)
        return;
    laser_columns_start(&g->columns, g->n_generators, (size_t)laser_terminal_style().width);
    for (int i = 0; i < g->n_generators; ++i) {
        laser_columns_push(&g->columns, i, g->generators[i].name, strlen(g->generators[i].name));
        laser_columns_push(&g->columns, i, "\n", 1);
        for (size_t k = 0; k < g->columns.width; ++k)
            laser_columns_push(&g->columns, i, "-", 1);
        laser_columns_push(&g->columns, i, "\n", 1);
    }
}

/* What a step of a generator added to its text. */
static void show_step(struct generation *g, int generator, size_t before)
{
    struct laser_text *all = &g->texts[generator], text = {0};

    if (g->n_generators == 1) {
        if (all->size > before)
            laser_columns_clean(all->data + before, all->size - before, &text);
    } else {
        if (all->size > before)
            laser_columns_push(&g->columns, generator, all->data + before, all->size - before);
        if (g->generators[generator].ending != LASER_MPI_ENDING_NONE)
            laser_columns_end(&g->columns, generator);
        laser_columns_take(&g->columns, &text);
    }
    show(g, &text);
}

static json_t *generator_json(const struct generation *g, const struct laser_mpi_generator *v,
                              const struct laser_text *text, int prompt)
{
    json_t *ids = json_array();

    for (int64_t i = v->n_prompt; i < v->n; ++i)
        json_array_append_new(ids, json_integer(v->ids[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:f}", "model", v->name, "prompt", g->prompts[prompt],
                     "text", text->data != NULL ? text->data : "", "tokens", ids, "ending",
                     ending_name(v->ending), "prompt_tokens", (json_int_t)v->n_prompt, "seconds", v->seconds);
}

static void say_difference(struct generation *g)
{
    const struct laser_mpi_generator *a = &g->generators[0], *b = &g->generators[1];
    int64_t n_a = a->n - a->n_prompt, n_b = b->n - b->n_prompt, same = 0;

    while (same < n_a && same < n_b && a->ids[a->n_prompt + same] == b->ids[b->n_prompt + same])
        ++same;
    if (same == n_a && same == n_b)
        laser_log_line(g->run->log, "SAME", "both models give the same %" PRId64 " tokens", same);
    else
        laser_log_line(g->run->log, "DIFFER", "from token %" PRId64 " on", same + 1);
}

static void show_end(struct generation *g, int prompt)
{
    if (g->n_generators == 1)
        laser_log_block(g->run->log, "\n");
    for (int i = 0; i < g->n_generators; ++i) {
        const struct laser_mpi_generator *v = &g->generators[i];
        int64_t n = v->n - v->n_prompt;

        laser_log_value(g->run->log, "GENERATION", "generation", generator_json(g, v, &g->texts[i], prompt));
        if (g->run->settings->log.format == LASER_DECK_LOG_JSON)
            continue;
        laser_log_line(g->run->log, "GENERATED", "%s%s%" PRId64 " token%s (%s), %.1f tokens/s",
                       g->n_generators > 1 ? v->name : "", g->n_generators > 1 ? ": " : "", n,
                       n == 1 ? "" : "s", ending_name(v->ending),
                       v->seconds > 0 ? (double)(n + 1) / v->seconds : 0);
    }
    if (g->n_generators == 2)
        say_difference(g);
}

/* ---- a prompt; collective over the group ---- */

static int generate(struct generation *g, int prompt, struct laser_error *err)
{
    bool root = g->run->rank == 0;
    int going = g->n_generators, code = LASER_OK;

    for (int i = 0; i < g->n_generators; ++i)
        laser_mpi_generate_begin(&g->generators[i], g->team.group_comm, prompt);
    if (root)
        show_prompt(g, prompt);
    while (going > 0 && code == LASER_OK) {
        for (int i = 0; i < g->n_generators && code == LASER_OK; ++i) {
            struct laser_mpi_generator *v = &g->generators[i];
            size_t before = g->texts[i].size;

            if (v->ending != LASER_MPI_ENDING_NONE)
                continue;
            code = laser_mpi_generate_step(v, g->team.group_comm, &g->sampling, g->max_tokens,
                                           (uint64_t)prompt, &g->texts[i], err);
            going -= v->ending != LASER_MPI_ENDING_NONE;
            if (root && code == LASER_OK)
                show_step(g, i, before);
        }
    }
    if (root && code == LASER_OK)
        show_end(g, prompt);
    else if (root)
        laser_log_block(g->run->log, "\n");
    for (int i = 0; i < g->n_generators; ++i)
        laser_text_free(&g->texts[i]);
    laser_columns_free(&g->columns);
    return code;
}

static void close_all(struct generation *g)
{
    for (int i = 0; i < MOST_VOICES; ++i)
        laser_mpi_generate_close(&g->generators[i]);
    laser_mpi_shards_free(&g->shards);
    laser_mpi_team_free(&g->team);
}

static int read_deck(struct generation *g, struct laser_error *err)
{
    const struct laser_settings *settings = g->run->settings;

    g->prompts = settings->generate.prompt.items;
    g->n_prompts = settings->generate.prompt.count;
    g->max_tokens = settings->generate.max_tokens;
    g->precision = settings->evaluate.precision;
    g->sampling = (struct laser_sampling){.temperature = settings->generate.temperature,
                                          .top_k = settings->generate.top_k,
                                          .top_p = settings->generate.top_p,
                                          .seed = (uint64_t)settings->generate.seed};
    if (g->n_prompts == 0)
        return laser_error_set(
            err, LASER_EUSAGE, "generate.prompt",
            "which text should be continued? give --prompt TEXT, or `prompt:` in a deck's generate "
            "section");
    return LASER_OK;
}

int laser_mpi_command_generate(struct laser_run *run, struct laser_error *err)
{
    struct generation g = {.run = run, .shards.sharers = MPI_COMM_NULL, .team.group_comm = MPI_COMM_NULL};
    int code = read_deck(&g, err);

    if (code == LASER_OK)
        code = laser_mpi_run_open_model(run, err);
    if (code != LASER_OK)
        return code;
    code = open_all(&g, err);
    if (code == LASER_OK) {
        for (int i = 0; i < g.n_prompts && code == LASER_OK && g.team.group == 0; ++i)
            code = generate(&g, i, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    close_all(&g);
    return code;
}

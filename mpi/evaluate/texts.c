/* The texts of an evaluation (evaluate/texts.h) on all ranks, cut into windows and batches. */
#include "evaluate/evaluation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "evaluate/texts.h"

/* The numbers of a data set that travel beside its tokens. */
struct dataset_numbers {
    int64_t n_tokens, n_documents, n_rows, n_bytes, n_words;
    uint64_t hash;
    char name[256], path[1024];
};

static int share_dataset(struct laser_evaluation *e, struct laser_dataset *d, struct laser_error *err)
{
    struct dataset_numbers numbers = {0};
    bool root = e->run->rank == 0;
    void *tokens, *starts;
    size_t n_tokens, n_starts;
    int code;

    if (root) {
        numbers = (struct dataset_numbers){.n_tokens = d->n_tokens,
                                           .n_documents = d->n_documents,
                                           .n_rows = d->n_rows,
                                           .n_bytes = d->n_bytes,
                                           .n_words = d->n_words,
                                           .hash = d->hash};
        snprintf(numbers.name, sizeof numbers.name, "%s", d->name);
        snprintf(numbers.path, sizeof numbers.path, "%s", d->path);
    }
    MPI_Bcast(&numbers, (int)sizeof numbers, MPI_BYTE, 0, laser_mpi_world(e->run));
    tokens = root ? d->tokens : NULL;
    starts = root ? d->document_start : NULL;
    n_tokens = (size_t)numbers.n_tokens * sizeof *d->tokens;
    n_starts = (size_t)(numbers.n_documents + 1) * sizeof *d->document_start;
    code = laser_mpi_share(laser_mpi_world(e->run), &tokens, &n_tokens, err);
    if (code == LASER_OK)
        code = laser_mpi_share(laser_mpi_world(e->run), &starts, &n_starts, err);
    if (code != LASER_OK || root)
        return code;
    d->tokens = tokens;
    d->document_start = starts;
    d->n_tokens = numbers.n_tokens;
    d->n_documents = numbers.n_documents;
    d->n_rows = numbers.n_rows;
    d->n_bytes = numbers.n_bytes;
    d->n_words = numbers.n_words;
    d->hash = numbers.hash;
    d->name = strdup(numbers.name);
    d->path = strdup(numbers.path);
    if (d->name == NULL || d->path == NULL)
        code = laser_error_set(err, LASER_ENOMEM, numbers.name, "no memory");
    return code;
}

static int share(struct laser_evaluation *e, struct laser_texts_header *header, struct laser_error *err)
{
    int code = LASER_OK;

    MPI_Bcast(header, (int)sizeof *header, MPI_BYTE, 0, laser_mpi_world(e->run));
    if (e->run->rank != 0) {
        e->datasets = calloc((size_t)header->n_datasets + 1, sizeof *e->datasets);
        if (e->datasets == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "evaluate.text", "no memory");
    }
    code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
    e->n_guards = header->n_guards;
    for (int i = 0; code == LASER_OK && i < header->n_datasets; ++i) {
        code = laser_mpi_agree(laser_mpi_world(e->run), share_dataset(e, &e->datasets[i], err), err);
        if (code == LASER_OK)
            e->n_datasets = i + 1;
    }
    return code;
}

int laser_mpi_texts_open(struct laser_run *run, struct laser_mpi_evaluation *whole, struct laser_error *err)
{
    struct laser_evaluation *e = &whole->evaluation;
    struct laser_window_options options = {0};
    struct laser_texts_header header = {0};
    int code = LASER_OK;

    laser_mpi_evaluation_init(whole);
    e->run = run;
    e->precision = run->settings->evaluate.precision;
    e->convention = run->settings->evaluate.convention;
    if (run->rank == 0)
        code = laser_texts_load(e, &header, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = share(e, &header, err);
    if (code != LASER_OK)
        return code;
    options.convention = e->convention;
    options.seqlen = run->settings->evaluate.seqlen;
    options.stride = run->settings->evaluate.stride;
    options.bos = header.bos;
    if (e->n_datasets > 0)
        code = laser_windows_make(e->datasets, e->n_datasets, &options, &e->windows, &e->n_windows, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_questions_open(e, err);
    return code == LASER_OK ? laser_mpi_agree(laser_mpi_world(run), laser_items_make(e, NULL, NULL, err), err)
                            : code;
}

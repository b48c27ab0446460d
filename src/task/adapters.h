/* Inside of the conversion: one adapter for each data set. */
#ifndef LASER_TASK_ADAPTERS_H
#define LASER_TASK_ADAPTERS_H

#include <jansson.h>

#include "task/convert.h"

#define LASER_ADAPTER_FIELDS 6
#define LASER_ADAPTER_OTHERS 8

/* Where an adapter is: the record and what the user said. */
struct laser_adapting {
    const struct laser_adapter *adapter;
    const json_t *record;
    const char *where;
    const char *prompt;                                   /* template */
    struct laser_task_field fields[LASER_ADAPTER_FIELDS]; /* as mapped */
    const json_t *file;                                   /* of a file that is one object; else NULL */
    const char *path;                                     /* of the file */
    int64_t number;                                       /* of the record, from 0 */
    const json_t *labels; /* what stands in the file of labels beside it; NULL: none */
    json_t *seen;         /* object: the adapter's own */
};

struct laser_adapter {
    const char *name;
    enum { LASER_READ_CSV, LASER_READ_JSON } format; /* JSON: an array, lines, or one object with a list */
    const char *list;                                /* key of that list, or NULL */
    const char *columns; /* of a CSV file without a header line, parted by commas, or NULL */
    const char *labels;  /* end of the name of a file beside, a label a line, instead of .jsonl; or NULL */
    const char *prompt;
    struct laser_task_field fields[LASER_ADAPTER_FIELDS];
    const char *reason; /* of skipped records */
    /* Where a field is in other layouts of the data set, tried in order unless the user maps it. */
    struct laser_task_field others[LASER_ADAPTER_OTHERS];
    /* *question: a new object, NULL for a record that is to be skipped.  LASER_EINPUT: it is odd. */
    int (*make)(struct laser_adapting *a, json_t **question, struct laser_error *err);
};

/* What each makes of a record (the member make). */
int laser_adapter_truthfulqa(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_counterfact(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_bigbench(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_fever(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_hotpotqa(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_gsm8k(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_bios(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_dpo(struct laser_adapting *a, json_t **question, struct laser_error *err);

int laser_adapter_generic(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_hellaswag(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_winogrande(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_mmlu(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_lambada(struct laser_adapting *a, json_t **question, struct laser_error *err);
int laser_adapter_boolq(struct laser_adapting *a, json_t **question, struct laser_error *err);

/* The key that a field is read from. */
const char *laser_adapting_key(const struct laser_adapting *a, const char *field);

/* "a.b.c" in a record; a key with a dot in it is looked for first.  NULL: not there. */
json_t *laser_adapting_find(const json_t *record, const char *key);

/* A field, where the user says, or the adapter; NULL: not there. */
json_t *laser_adapting_field(const struct laser_adapting *a, const char *field);
int laser_adapting_text(const struct laser_adapting *a, const char *field, const char **text,
                        struct laser_error *err);

/* LASER_EINPUT: a field is not there, or is something else than expected. */
int laser_adapting_lacks(const struct laser_adapting *a, const char *field, const char *expected,
                         struct laser_error *err);

/* The template with the text in it; the caller owns it.  NULL without memory. */
json_t *laser_adapting_prompt(const struct laser_adapting *a, const char *text);

/* The new question, or no memory where it is NULL. */
int laser_adapting_finish(json_t *question, json_t **out, const struct laser_adapting *a,
                          struct laser_error *err);

extern const struct laser_adapter laser_adapters[];
extern const int laser_n_adapters;

#endif

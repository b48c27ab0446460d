/* Data sets as they are distributed, made into task files (task/task.h); doc/tasks.md says where each is had.
 */
#ifndef LASER_TASK_CONVERT_H
#define LASER_TASK_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "task/task.h"

/* A field of an adapter and the key or column that it is read from, "a.b" for b inside of a; for choices also "a|b|c",
 * a text each; for an answer also "a@1", numbers from 1. */
struct laser_task_field {
    const char *field, *key;
};

/* What may be said otherwise than an adapter's defaults; all may be empty. */
struct laser_task_mapping {
    const char *prompt;        /* the prompt, with {prompt} where the text goes; NULL: the adapter's.  \n, \t
                                  and \\ stand for a line feed, a tab and a backslash */
    const char *const *fields; /* "field=key" */
    int n_fields;
};

/* The adapters' names, separated by '|'. */
#define LASER_TASK_ADAPTERS                                                                                      \
    "truthfulqa-csv|counterfact-json|bigbench-json|fever-jsonl|hotpotqa-json|bios|gsm8k-jsonl|dpo-jsonl|"        \
    "hellaswag-jsonl|winogrande-jsonl|arc-jsonl|mmlu-csv|piqa-jsonl|openbookqa-jsonl|lambada-jsonl|boolq-jsonl|" \
    "generic"

struct laser_task_converted {
    int64_t records, questions;
    int64_t skipped; /* records that the adapter passes over, for its reason */
    const char *reason;
    struct laser_task_left_out *left_out; /* records that cannot be made a question, each with its reason */
    int64_t n_left_out;
    bool by_record; /* their numbers are those of records of a list, not of lines */
};

/* Appends the lines of a task file made from the file at path.  A record that is odd - a field that is
 * missing or of another type, a row of another length, what a task file may not hold - is left out and
 * listed. LASER_EUSAGE: an adapter or a field that does not exist (named), a prompt without {prompt};
 * LASER_EINPUT (where = path:line or path: record N): malformed, nothing left (the first reason is told);
 * LASER_EIO, LASER_ENOMEM.  Free *converted in any case. */
int laser_task_convert(const char *adapter, const char *path, const struct laser_task_mapping *mapping,
                       struct laser_text *out, struct laser_task_converted *converted,
                       struct laser_error *err);

void laser_task_converted_free(struct laser_task_converted *converted);

#endif

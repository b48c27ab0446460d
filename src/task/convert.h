/* Data sets as they are distributed, made into task files (task/task.h); doc/tasks.md says where each is had.
 */
#ifndef LASER_TASK_CONVERT_H
#define LASER_TASK_CONVERT_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* A field of an adapter and the key or column that it is read from, "a.b" for b inside of a. */
struct laser_task_field {
    const char *field, *key;
};

/* What may be said otherwise than an adapter's defaults; all may be empty. */
struct laser_task_mapping {
    const char *prompt;        /* the prompt, with {prompt} where the text goes; NULL: the adapter's */
    const char *const *fields; /* "field=key" */
    int n_fields;
};

/* The adapters' names, separated by '|'. */
#define LASER_TASK_ADAPTERS                                                                                  \
    "truthfulqa-csv|counterfact-json|bigbench-json|fever-jsonl|hotpotqa-json|bios|gsm8k-jsonl|dpo-jsonl"

struct laser_task_converted {
    int64_t records, questions;
    int64_t skipped; /* records that are no question, for the adapter's reason */
    const char *reason;
};

/* Appends the lines of a task file made from the file at path.  LASER_EUSAGE: an adapter or a field that does
 * not exist (named), a prompt without {prompt}; LASER_EINPUT (where = path:line or path: record N):
 * malformed, a field that is missing or of another type, nothing left; LASER_EIO, LASER_ENOMEM. */
int laser_task_convert(const char *adapter, const char *path, const struct laser_task_mapping *mapping,
                       struct laser_text *out, struct laser_task_converted *converted,
                       struct laser_error *err);

#endif

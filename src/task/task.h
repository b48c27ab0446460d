/* Task files: questions that a model is judged by, one JSON object a line.
 *
 *   {"kind": "choice",     "prompt": "Q: ...\nA:", "choices": [" yes", " no"], "answer": 0}
 *   {"kind": "choice",     "prompts": ["He saw Ann", "He saw Tom"], "choices": [" run.", " run."], "answer": 1}
 *   {"kind": "completion", "prompt": "The capital of France is", "answers": [" Paris"]}
 *   {"kind": "preference", "prompt": "...", "chosen": "...", "rejected": "..."}
 *
 * kind may be left out: the other keys tell it.  "answer" of a completion may be one string.  A file holds
 * one kind; other keys ("id", ...) are passed over.  Prompt and option are put together as they stand, so an
 * option begins with the blank that parts it from the prompt; a choice may have a prompt for each of its choices.  Empty lines are passed over; gzip is unpacked.
 */
#ifndef LASER_TASK_TASK_H
#define LASER_TASK_TASK_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

enum laser_task_kind { LASER_TASK_CHOICE, LASER_TASK_COMPLETION, LASER_TASK_PREFERENCE, LASER_TASK_KINDS };

/* "choice", "completion", "preference". */
const char *laser_task_kind_name(enum laser_task_kind kind);

/* One question; owns its strings. */
struct laser_task_question {
    int64_t line;   /* in the file, from 1 */
    char *prompt;   /* or NULL, and */
    char **prompts; /* one for each option */
    char **options; /* choices; accepted answers; chosen and rejected */
    int n_options;
    int answer; /* of a choice: index of the right one; else 0 */
};

/* A row of a file that is no question, and why. */
struct laser_task_left_out {
    int64_t line;
    char reason[400];
};

struct laser_task {
    char *name, *path;
    enum laser_task_kind kind;
    struct laser_task_question *questions;
    int64_t n_questions;
    struct laser_task_left_out *left_out;
    int64_t n_left_out;
    uint64_t hash; /* XXH3 of all that is asked, in order */
};

/* Reads a task file.  A row that is no question is left out, with its line and the reason: a missing field or
 * one of another type (named), an answer index out of range, fewer than two choices, empty or repeated
 * options.  LASER_EINPUT (where = path:line): malformed JSON, several kinds in a file, no question at all
 * (the first reason is told), a file that is not there; LASER_EIO, LASER_ENOMEM.  Free with laser_task_free
 * also after an error. */
int laser_task_read(const char *name, const char *path, struct laser_task *task, struct laser_error *err);

void laser_task_free(struct laser_task *task);

/* Adds to a list that grows; false without memory. */
int laser_task_leave_out(struct laser_task_left_out **list, int64_t *n, int64_t line, const char *reason);

/* One question from its JSON object; *kind is set.  where: as in errors.  LASER_EINPUT: it is none. */
int laser_task_parse(const json_t *object, const char *where, enum laser_task_kind *kind,
                     struct laser_task_question *question, struct laser_error *err);
void laser_task_question_free(struct laser_task_question *question);

#endif

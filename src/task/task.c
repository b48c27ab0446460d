#include "task/task.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/json_read.h"
#include "corpus/reader.h"

const char *laser_task_kind_name(enum laser_task_kind kind)
{
    static const char *const names[] = {"choice", "completion", "preference"};

    return names[kind];
}

void laser_task_question_free(struct laser_task_question *q)
{
    for (int i = 0; q->options != NULL && i < q->n_options; ++i)
        free(q->options[i]);
    for (int i = 0; q->prompts != NULL && i < q->n_options; ++i)
        free(q->prompts[i]);
    free(q->options);
    free(q->prompts);
    free(q->prompt);
    memset(q, 0, sizeof *q);
}

void laser_task_free(struct laser_task *task)
{
    for (int64_t i = 0; i < task->n_questions; ++i)
        laser_task_question_free(&task->questions[i]);
    free(task->questions);
    free(task->left_out);
    free(task->name);
    free(task->path);
    memset(task, 0, sizeof *task);
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static int wrong_field(const json_t *object, const char *field, const char *expected, const char *where,
                       struct laser_error *err)
{
    const json_t *value = json_object_get(object, field);

    if (value == NULL)
        return laser_error_set(err, LASER_EINPUT, where, "field \"%s\" is missing, %s was expected", field,
                               expected);
    return laser_error_set(err, LASER_EINPUT, where, "field \"%s\" is %s, %s was expected", field,
                           type_name(value), expected);
}

static int copy_string(const json_t *value, char **out, const char *where, struct laser_error *err)
{
    if (strlen(json_string_value(value)) != json_string_length(value))
        return laser_error_set(err, LASER_EINPUT, where, "a text with a NUL character");
    *out = strdup(json_string_value(value));
    return *out != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, where, "no memory");
}

static int find_kind(const json_t *object, enum laser_task_kind *kind, const char *where,
                     struct laser_error *err)
{
    const json_t *value = json_object_get(object, "kind");

    if (value == NULL) {
        *kind = json_object_get(object, "choices") != NULL  ? LASER_TASK_CHOICE
                : json_object_get(object, "chosen") != NULL ? LASER_TASK_PREFERENCE
                                                            : LASER_TASK_COMPLETION;
        return LASER_OK;
    }
    for (int k = 0; json_is_string(value) && k < LASER_TASK_KINDS; ++k)
        if (strcmp(json_string_value(value), laser_task_kind_name((enum laser_task_kind)k)) == 0) {
            *kind = (enum laser_task_kind)k;
            return LASER_OK;
        }
    if (json_is_string(value))
        return laser_error_set(err, LASER_EINPUT, where,
                               "field \"kind\" is \"%s\"; choice, completion or preference was expected",
                               json_string_value(value));
    return wrong_field(object, "kind", "choice, completion or preference", where, err);
}

/* A list of strings, or one string; *n counts those that are the caller's to free. */
static int read_strings(const json_t *object, const char *field, bool one_will_do, const char *where,
                        char ***out, int *n_out, struct laser_error *err)
{
    const json_t *value = json_object_get(object, field);
    size_t n = json_is_string(value) && one_will_do ? 1 : json_array_size(value);
    int code = LASER_OK;

    if (!json_is_array(value) && n == 0)
        return wrong_field(object, field, one_will_do ? "a string or a list of strings" : "a list of strings",
                           where, err);
    if (n == 0 || n > 10000)
        return laser_error_set(err, LASER_EINPUT, where, "field \"%s\" has %zu items", field, n);
    *out = calloc(n, sizeof **out);
    if (*out == NULL)
        return laser_error_set(err, LASER_ENOMEM, where, "no memory");
    for (size_t i = 0; code == LASER_OK && i < n; ++i) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            return laser_error_set(err, LASER_EINPUT, where,
                                   "item %zu of field \"%s\" is %s, a string was expected", i, field,
                                   type_name(item));
        code = copy_string(item, &(*out)[i], where, err);
        *n_out += code == LASER_OK;
    }
    return code;
}

static int read_options(const json_t *object, const char *field, bool one_will_do, const char *where,
                        struct laser_task_question *q, struct laser_error *err)
{
    return read_strings(object, field, one_will_do, where, &q->options, &q->n_options, err);
}

static int read_text(const json_t *object, const char *field, char **out, const char *where,
                     struct laser_error *err)
{
    const json_t *value = json_object_get(object, field);

    if (!json_is_string(value))
        return wrong_field(object, field, "a string", where, err);
    return copy_string(value, out, where, err);
}

static int read_choice(const json_t *object, const char *where, struct laser_task_question *q,
                       struct laser_error *err)
{
    const json_t *answer = json_object_get(object, "answer");
    int code = read_options(object, "choices", false, where, q, err);

    if (code != LASER_OK)
        return code;
    if (q->n_options < 2)
        return laser_error_set(err, LASER_EINPUT, where, "field \"choices\" has one item, two are needed");
    if (!json_is_integer(answer))
        return wrong_field(object, "answer", "the index of a choice", where, err);
    if (json_integer_value(answer) < 0 || json_integer_value(answer) >= q->n_options)
        return laser_error_set(err, LASER_EINPUT, where,
                               "field \"answer\" is %lld, an index from 0 to %d was expected",
                               (long long)json_integer_value(answer), q->n_options - 1);
    q->answer = (int)json_integer_value(answer);
    return LASER_OK;
}

/* Of a choice whose options stand in its prompt, one after another: what follows is scored. */
static int read_prompts(const json_t *object, const char *where, struct laser_task_question *q,
                        struct laser_error *err)
{
    char **prompts = NULL;
    int n = 0, code = read_strings(object, "prompts", false, where, &prompts, &n, err);

    if (code == LASER_OK && n != q->n_options)
        code = laser_error_set(err, LASER_EINPUT, where,
                               "field \"prompts\" has %d items, \"choices\" %d: one for each was expected", n,
                               q->n_options);
    if (code == LASER_OK) {
        q->prompts = prompts;
        return LASER_OK;
    }
    for (int i = 0; i < n; ++i)
        free(prompts[i]);
    free(prompts);
    return code;
}

static int read_preference(const json_t *object, const char *where, struct laser_task_question *q,
                           struct laser_error *err)
{
    int code;

    q->options = calloc(2, sizeof *q->options);
    if (q->options == NULL)
        return laser_error_set(err, LASER_ENOMEM, where, "no memory");
    q->n_options = 2;
    code = read_text(object, "chosen", &q->options[0], where, err);
    return code == LASER_OK ? read_text(object, "rejected", &q->options[1], where, err) : code;
}

static const char *option_field(enum laser_task_kind kind, int i)
{
    return kind == LASER_TASK_CHOICE       ? "choices"
           : kind == LASER_TASK_COMPLETION ? "answers"
           : i == 0                        ? "chosen"
                                           : "rejected";
}

/* Nothing can be said about an option without text, nor about which of two equal ones is meant. */
static int check_options(const struct laser_task_question *q, enum laser_task_kind kind, const char *where,
                         struct laser_error *err)
{
    for (int i = 0; i < q->n_options; ++i) {
        if (q->options[i][strspn(q->options[i], " \t\r\n")] == '\0')
            return laser_error_set(err, LASER_EINPUT, where, "item %d of field \"%s\" is empty",
                                   kind == LASER_TASK_PREFERENCE ? 0 : i, option_field(kind, i));
        for (int j = 0; j < i; ++j)
            if (q->prompts != NULL && strcmp(q->prompts[i], q->prompts[j]) != 0)
                continue;
            else if (strcmp(q->options[i], q->options[j]) == 0 && kind == LASER_TASK_PREFERENCE)
                return laser_error_set(err, LASER_EINPUT, where,
                                       "fields \"chosen\" and \"rejected\" are the same");
            else if (strcmp(q->options[i], q->options[j]) == 0)
                return laser_error_set(err, LASER_EINPUT, where,
                                       "items %d and %d of field \"%s\" are the same: \"%.80s\"", j, i,
                                       option_field(kind, i), q->options[i]);
    }
    return LASER_OK;
}

int laser_task_parse(const json_t *object, const char *where, enum laser_task_kind *kind,
                     struct laser_task_question *q, struct laser_error *err)
{
    bool each;
    int code;

    memset(q, 0, sizeof *q);
    *kind = LASER_TASK_CHOICE;
    if (!json_is_object(object))
        return laser_error_set(err, LASER_EINPUT, where, "a JSON object was expected, found %s",
                               type_name(object));
    code = find_kind(object, kind, where, err);
    each = *kind == LASER_TASK_CHOICE && json_object_get(object, "prompts") != NULL;
    if (code == LASER_OK && !each)
        code = read_text(object, "prompt", &q->prompt, where, err);
    if (code == LASER_OK && *kind == LASER_TASK_CHOICE)
        code = read_choice(object, where, q, err);
    else if (code == LASER_OK && *kind == LASER_TASK_PREFERENCE)
        code = read_preference(object, where, q, err);
    else if (code == LASER_OK)
        code = read_options(object, json_object_get(object, "answers") != NULL ? "answers" : "answer", true,
                            where, q, err);
    if (code == LASER_OK && each)
        code = read_prompts(object, where, q, err);
    if (code == LASER_OK)
        code = check_options(q, *kind, where, err);
    if (code != LASER_OK)
        laser_task_question_free(q);
    return code;
}

static int add_question(struct laser_task *task, int64_t *room, const struct laser_task_question *q,
                        enum laser_task_kind kind, const char *where, struct laser_error *err)
{
    if (task->n_questions > 0 && kind != task->kind)
        return laser_error_set(err, LASER_EINPUT, where,
                               "a question of kind %s after those of kind %s; a file holds one kind",
                               laser_task_kind_name(kind), laser_task_kind_name(task->kind));
    if (task->n_questions == INT_MAX / 2)
        return laser_error_set(err, LASER_EINPUT, where, "more than %d questions", INT_MAX / 2);
    if (task->n_questions == *room) {
        int64_t more = 2 * *room + 64;
        struct laser_task_question *grown = realloc(task->questions, (size_t)more * sizeof *grown);
        if (grown == NULL)
            return laser_error_set(err, LASER_ENOMEM, where, "no memory for %lld questions", (long long)more);
        task->questions = grown;
        *room = more;
    }
    task->kind = kind;
    task->questions[task->n_questions++] = *q;
    return LASER_OK;
}

int laser_task_leave_out(struct laser_task_left_out **list, int64_t *n, int64_t line, const char *reason)
{
    /* Room in powers of two. */
    if ((*n & (*n - 1)) == 0) {
        struct laser_task_left_out *grown = realloc(*list, (size_t)(*n > 0 ? 2 * *n : 1) * sizeof *grown);
        if (grown == NULL)
            return 0;
        *list = grown;
    }
    (*list)[*n].line = line;
    snprintf((*list)[*n].reason, sizeof(*list)[*n].reason, "%.399s", reason);
    ++*n;
    return 1;
}

static int read_line(struct laser_task *task, int64_t *room, const char *line, size_t n, int64_t number,
                     struct laser_error *err)
{
    struct laser_task_question q;
    struct laser_error odd = {0};
    enum laser_task_kind kind;
    json_error_t problem;
    char where[512];
    json_t *object = laser_json_read(line, n, JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                                     LASER_JSON_WORDS_NULL, &problem);
    int code;

    snprintf(where, sizeof where, "%.480s:%lld", task->path, (long long)number);
    if (object == NULL)
        return laser_error_set(err, LASER_EINPUT, where, "not JSON: %s (column %d)", problem.text,
                               problem.column);
    code = laser_task_parse(object, where, &kind, &q, &odd);
    json_decref(object);
    if (code == LASER_EINPUT)
        return laser_task_leave_out(&task->left_out, &task->n_left_out, number, odd.text)
                   ? LASER_OK
                   : laser_error_set(err, LASER_ENOMEM, where, "no memory");
    if (code != LASER_OK)
        return laser_error_set(err, code, odd.where, "%s", odd.text);
    q.line = number;
    code = add_question(task, room, &q, kind, where, err);
    if (code != LASER_OK)
        laser_task_question_free(&q);
    return code;
}

static size_t leading_blank(const char *line, size_t n)
{
    size_t i = n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */

    while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
        ++i;
    return i;
}

static int read_lines(struct laser_task *task, struct laser_reader *reader, struct laser_error *err)
{
    int64_t room = 0;
    const char *line;
    size_t n;
    int code;

    while ((code = laser_reader_line(reader, &line, &n, err)) == LASER_OK && line != NULL) {
        size_t blank = leading_blank(line, n);
        if (blank == n)
            continue;
        code = read_line(task, &room, line + blank, n - blank, reader->line, err);
        if (code != LASER_OK)
            return code;
    }
    if (code == LASER_OK)
        code = laser_reader_unchanged(reader, err);
    if (code == LASER_OK && task->n_questions == 0 && task->n_left_out > 0)
        code = laser_error_set(err, LASER_EINPUT, task->path,
                               "there is no question in the file; line %lld, the first of %lld: %s",
                               (long long)task->left_out[0].line, (long long)task->n_left_out,
                               task->left_out[0].reason);
    else if (code == LASER_OK && task->n_questions == 0)
        code = laser_error_set(err, LASER_EINPUT, task->path, "there is no question in the file");
    return code;
}

static void hash_text(XXH3_state_t *state, const char *text)
{
    XXH3_64bits_update(state, text, strlen(text) + 1);
}

static int find_hash(struct laser_task *task, struct laser_error *err)
{
    XXH3_state_t *state = XXH3_createState();

    if (state == NULL)
        return laser_error_set(err, LASER_ENOMEM, task->path, "no memory");
    XXH3_64bits_reset(state);
    hash_text(state, laser_task_kind_name(task->kind));
    for (int64_t i = 0; i < task->n_questions; ++i) {
        const struct laser_task_question *q = &task->questions[i];
        int32_t numbers[2] = {q->n_options, q->answer};
        if (q->prompt != NULL)
            hash_text(state, q->prompt);
        for (int k = 0; k < q->n_options; ++k) {
            if (q->prompts != NULL)
                hash_text(state, q->prompts[k]);
            hash_text(state, q->options[k]);
        }
        XXH3_64bits_update(state, numbers, sizeof numbers);
    }
    task->hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return LASER_OK;
}

int laser_task_read(const char *name, const char *path, struct laser_task *task, struct laser_error *err)
{
    struct laser_text_source source;
    struct laser_reader reader;
    int code;

    memset(task, 0, sizeof *task);
    task->name = strdup(name);
    task->path = strdup(path);
    if (task->name == NULL || task->path == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory");
    source = (struct laser_text_source){.name = task->name, .path = task->path};
    code = laser_reader_open(&reader, &source, err);
    if (code != LASER_OK)
        return code;
    code = read_lines(task, &reader, err);
    laser_reader_close(&reader);
    return code == LASER_OK ? find_hash(task, err) : code;
}

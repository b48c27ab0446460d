#include "task/adapters.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The key that a field is read from. */
const char *laser_adapting_key(const struct laser_adapting *a, const char *field)
{
    for (int i = 0; i < LASER_ADAPTER_FIELDS && a->fields[i].field != NULL; ++i)
        if (strcmp(a->fields[i].field, field) == 0)
            return a->fields[i].key;
    return field;
}

/* "a.b.c" in a record; a key with a dot in it is looked for first. */
json_t *laser_adapting_find(const json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);
    const char *dot = strchr(key, '.');
    char first[128];

    if (value != NULL || dot == NULL || (size_t)(dot - key) >= sizeof first)
        return value;
    memcpy(first, key, (size_t)(dot - key));
    first[dot - key] = '\0';
    return laser_adapting_find(json_object_get(o, first), dot + 1);
}

/* Did the user say where a field is? */
static bool is_mapped(const struct laser_adapting *a, const char *field)
{
    for (int i = 0; i < LASER_ADAPTER_FIELDS && a->fields[i].field != NULL; ++i)
        if (strcmp(a->fields[i].field, field) == 0)
            return a->fields[i].key != a->adapter->fields[i].key;
    return false;
}

json_t *laser_adapting_field(const struct laser_adapting *a, const char *field)
{
    json_t *value = laser_adapting_find(a->record, laser_adapting_key(a, field));

    for (int i = 0; value == NULL && i < LASER_ADAPTER_OTHERS && a->adapter->others[i].field != NULL; ++i)
        if (strcmp(a->adapter->others[i].field, field) == 0 && !is_mapped(a, field))
            value = laser_adapting_find(a->record, a->adapter->others[i].key);
    return value;
}

/* A field is not there, or is something else: with the keys that are there, and how to say which is meant. */
int laser_adapting_lacks(const struct laser_adapting *a, const char *field, const char *expected,
                         struct laser_error *err)
{
    struct laser_text keys = {0};
    const char *key;
    json_t *value;
    int n = 0, code;

    json_object_foreach((json_t *)(uintptr_t)a->record, key, value) if (n++ < 12)
        laser_text_printf(&keys, "%s%.40s", n > 1 ? ", " : "", key);
    code =
        laser_error_set(err, LASER_EINPUT, a->where,
                        "field \"%s\" (%s): %s was expected; the record has %s%s; --map %s=KEY reads it from "
                        "another",
                        laser_adapting_key(a, field), field, expected,
                        keys.data != NULL ? keys.data : "no keys", n > 12 ? " ..." : "", field);
    laser_text_free(&keys);
    return code;
}

int laser_adapting_text(const struct laser_adapting *a, const char *field, const char **text,
                        struct laser_error *err)
{
    const json_t *value = laser_adapting_field(a, field);

    *text = json_string_value(value);
    return *text != NULL ? LASER_OK : laser_adapting_lacks(a, field, "a text", err);
}

/* The two fields that most data sets have. */
static int prompt_and_answer(const struct laser_adapting *a, const char **prompt, const char **answer,
                             struct laser_error *err)
{
    int code = laser_adapting_text(a, "prompt", prompt, err);

    return code == LASER_OK ? laser_adapting_text(a, "answer", answer, err) : code;
}

/* Without white space at both ends; the caller frees it. */
static char *trimmed(const char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        ++text;
    n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        --n;
    return strndup(text, n);
}

/* The template with the text in it; the caller owns it.  NULL without memory. */
json_t *laser_adapting_prompt(const struct laser_adapting *a, const char *text)
{
    const char *mark = strstr(a->prompt, "{prompt}");
    struct laser_text out = {0};
    json_t *value;

    laser_text_add(&out, a->prompt, (size_t)(mark - a->prompt));
    laser_text_puts(&out, text);
    laser_text_puts(&out, mark + strlen("{prompt}"));
    value = out.failed ? NULL : json_string(out.data);
    laser_text_free(&out);
    return value;
}

/* " text" without white space around it. */
static json_t *option_json(const char *text)
{
    char *clean = trimmed(text);
    json_t *value = clean != NULL ? json_sprintf(" %s", clean) : NULL;

    free(clean);
    return value;
}

/* Adds an option unless it is there or empty. */
static void add_option(json_t *options, const char *text)
{
    json_t *value = option_json(text), *other;
    size_t i;

    json_array_foreach(options, i, other) if (json_equal(other, value))
    {
        json_decref(value);
        return;
    }
    if (value != NULL && json_string_length(value) > 1)
        json_array_append(options, value);
    json_decref(value);
}

int laser_adapting_finish(json_t *question, json_t **out, const struct laser_adapting *a,
                          struct laser_error *err)
{
    *out = question;
    return question != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
}

static int choice(const struct laser_adapting *a, const char *prompt, json_t *options, int answer,
                  json_t **out, struct laser_error *err)
{
    return laser_adapting_finish(json_pack("{s:s, s:o, s:o, s:i}", "kind", "choice", "prompt",
                                           laser_adapting_prompt(a, prompt), "choices", options, "answer",
                                           answer),
                                 out, a, err);
}

static int completion(const struct laser_adapting *a, const char *prompt, json_t *answers, json_t **out,
                      struct laser_error *err)
{
    return laser_adapting_finish(json_pack("{s:s, s:o, s:o}", "kind", "completion", "prompt",
                                           laser_adapting_prompt(a, prompt), "answers", answers),
                                 out, a, err);
}

/* ---- TruthfulQA.csv: the best answer against the incorrect ones (MC1) ---- */

int laser_adapter_truthfulqa(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *question, *best, *incorrect;
    json_t *options;
    int code = prompt_and_answer(a, &question, &best, err);

    if (code == LASER_OK)
        code = laser_adapting_text(a, "incorrect", &incorrect, err);
    if (code != LASER_OK)
        return code;
    if (best[strspn(best, " \t\r\n")] == '\0')
        return laser_adapting_lacks(a, "answer", "a text that is not empty", err);
    options = json_array();
    add_option(options, best);
    while (*incorrect != '\0') { /* parted by semicolons */
        size_t n = strcspn(incorrect, ";");
        char *one = strndup(incorrect, n);
        if (one != NULL)
            add_option(options, one);
        free(one);
        incorrect += n + (incorrect[n] == ';');
    }
    if (json_array_size(options) < 2) {
        json_decref(options);
        *out = NULL;
        return LASER_OK;
    }
    return choice(a, question, options, 0, out, err);
}

/* ---- counterfact.json of ROME ---- */

int laser_adapter_counterfact(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *prompt, *subject = NULL, *target, *mark;
    struct laser_text text = {0};
    int code = laser_adapting_text(a, "prompt", &prompt, err);

    if (code == LASER_OK)
        code = laser_adapting_text(a, "answer", &target, err);
    mark = code == LASER_OK ? strstr(prompt, "{}") : NULL;
    if (mark != NULL)
        code = laser_adapting_text(a, "subject", &subject, err);
    if (code != LASER_OK)
        return code;
    if (mark == NULL) {
        laser_text_puts(&text, prompt);
    } else {
        laser_text_add(&text, prompt, (size_t)(mark - prompt));
        laser_text_puts(&text, subject);
        laser_text_puts(&text, mark + 2);
    }
    code = text.failed || text.data == NULL
               ? laser_error_set(err, LASER_ENOMEM, a->where, "no memory")
               : completion(a, text.data, json_pack("[o]", option_json(target)), out, err);
    laser_text_free(&text);
    return code;
}

/* ---- task.json of BIG-bench ---- */

static const char *affix(const struct laser_adapting *a, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(a->file, key));

    return text != NULL ? text : otherwise;
}

static char *bigbench_prompt(const struct laser_adapting *a, const char *input)
{
    struct laser_text text = {0};

    laser_text_puts(&text, affix(a, "task_prefix", ""));
    laser_text_puts(&text, affix(a, "example_input_prefix", "\nQ: "));
    laser_text_puts(&text, input);
    laser_text_puts(&text, affix(a, "example_output_prefix", "\nA: "));
    while (text.size > 0 && text.data[text.size - 1] == ' ') /* the options begin with it */
        text.data[--text.size] = '\0';
    return laser_text_take(&text);
}

/* {"choice": score, ...}: the one with the highest score is right. */
static int bigbench_choice(struct laser_adapting *a, const char *prompt, json_t *scores, json_t **out,
                           struct laser_error *err)
{
    json_t *options = json_array(), *value;
    double highest = -1e300, lowest = 1e300;
    int answer = 0, index = 0;
    const char *key;

    json_object_foreach(scores, key, value)
    {
        if (json_number_value(value) > highest) {
            highest = json_number_value(value);
            answer = index;
        }
        lowest = fmin(lowest, json_number_value(value));
        add_option(options, key);
        ++index;
    }
    if (json_array_size(options) != json_object_size(scores) || index < 2) {
        json_decref(options);
        *out = NULL;
        return LASER_OK;
    }
    if (!(lowest < highest)) {
        json_decref(options);
        return laser_adapting_lacks(a, "choices", "a score that is above another", err);
    }
    return choice(a, prompt, options, answer, out, err);
}

int laser_adapter_bigbench(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    json_t *scores = laser_adapting_field(a, "choices"), *target = laser_adapting_field(a, "answer"),
           *answers, *item;
    const char *input;
    char *prompt;
    size_t i;
    int code = laser_adapting_text(a, "prompt", &input, err);

    if (code != LASER_OK)
        return code;
    prompt = bigbench_prompt(a, input);
    if (prompt == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
    if (json_is_object(scores)) {
        code = bigbench_choice(a, prompt, scores, out, err);
    } else if (json_is_string(target) || json_is_array(target)) {
        answers = json_array();
        if (json_is_string(target))
            add_option(answers, json_string_value(target));
        json_array_foreach(target, i, item) if (json_is_string(item))
            add_option(answers, json_string_value(item));
        code = completion(a, prompt, answers, out, err);
    } else {
        code = laser_adapting_lacks(a, "answer", "a text or a list of texts (or target_scores)", err);
    }
    free(prompt);
    return code;
}

/* ---- FEVER ---- */

int laser_adapter_fever(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *claim, *label;
    int code = prompt_and_answer(a, &claim, &label, err);

    if (code != LASER_OK)
        return code;
    *out = NULL;
    /* Claims stand there several times, once for each annotation. */
    if (json_object_get(a->seen, claim) != NULL ||
        (strcmp(label, "SUPPORTS") != 0 && strcmp(label, "REFUTES") != 0))
        return LASER_OK;
    json_object_set_new(a->seen, claim, json_true());
    return choice(a, claim, json_pack("[s, s]", " false", " true"), strcmp(label, "SUPPORTS") == 0, out, err);
}

/* ---- HotpotQA and GSM8K ---- */

int laser_adapter_hotpotqa(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *question, *answer;
    char *clean;
    int code = prompt_and_answer(a, &question, &answer, err);

    if (code != LASER_OK)
        return code;
    clean = trimmed(question);
    if (clean == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
    code = completion(a, clean, json_pack("[o]", option_json(answer)), out, err);
    free(clean);
    return code;
}

/* The number behind "####". */
int laser_adapter_gsm8k(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *question, *answer, *mark;
    int code = prompt_and_answer(a, &question, &answer, err);

    if (code != LASER_OK)
        return code;
    mark = strstr(answer, "####");
    if (mark == NULL)
        return laser_adapting_lacks(a, "answer", "a solution that ends in \"#### NUMBER\"", err);
    return completion(a, question, json_pack("[o]", option_json(mark + 4)), out, err);
}

/* ---- Bias in Bios ---- */

/* In the order of the data set's numbers (Hugging Face LabHC/bias_in_bios). */
static const char professions[] =
    "accountant|architect|attorney|chiropractor|comedian|composer|dentist|dietitian|dj|filmmaker|interior "
    "designer|journalist|model|nurse|painter|paralegal|pastor|personal trainer|photographer|physician|poet|"
    "professor|psychologist|rapper|software engineer|surgeon|teacher|yoga teacher";

/* All names as options; returns the place of one that is given by name, or -1. */
static int add_names(json_t *options, const char *names, const char *wanted)
{
    int place = -1;

    for (int i = 0; *names != '\0'; ++i) {
        size_t n = strcspn(names, "|");
        char *one = strndup(names, n);
        if (one != NULL) {
            add_option(options, one);
            place = wanted != NULL && strcmp(one, wanted) == 0 ? i : place;
        }
        free(one);
        names += n + (names[n] == '|');
    }
    return place;
}

int laser_adapter_bios(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    bool gender = strstr(laser_adapting_key(a, "answer"), "gender") != NULL;
    const json_t *value = laser_adapting_field(a, "answer");
    const char *text, *name = json_string_value(value);
    json_t *options;
    int answer, code = laser_adapting_text(a, "prompt", &text, err);

    if (code != LASER_OK)
        return code;
    options = json_array();
    answer = add_names(options, gender ? "male|female" : professions, name);
    if (json_is_integer(value))
        answer = (int)json_integer_value(value);
    else if (name != NULL && *name != '\0' && name[strspn(name, "0123456789")] == '\0' && strlen(name) < 4)
        answer = atoi(name);
    if (answer < 0 || answer >= (int)json_array_size(options)) {
        json_decref(options);
        return laser_adapting_lacks(
            a, "answer", gender ? "0 (male) or 1 (female)" : "a profession or its number, 0 to 27", err);
    }
    return choice(a, text, options, answer, out, err);
}

/* ---- pairs for DPO ---- */

/* What a message says: {"role", "content"}, or ShareGPT's {"from", "value"}. */
static const char *said(const json_t *message)
{
    const json_t *content = json_object_get(message, "content");

    return json_string_value(content != NULL ? content : json_object_get(message, "value"));
}

/* A text, a message, or the last message of a conversation. */
static const char *reply(const json_t *value)
{
    if (json_is_array(value))
        value = json_array_get(value, json_array_size(value) - 1);
    return json_is_object(value) ? said(value) : json_string_value(value);
}

/* The first n messages of a conversation, a line each. */
static void add_messages(struct laser_text *text, const json_t *list, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const char *message = said(json_array_get(list, i));
        laser_text_printf(text, "%s%s", i > 0 ? "\n" : "", message != NULL ? message : "");
    }
}

/* A text or a conversation; of a record without either, all but the last message of the chosen one. */
static char *dpo_prompt(const struct laser_adapting *a)
{
    const json_t *prompt = laser_adapting_field(a, "prompt"), *chosen = laser_adapting_field(a, "chosen");
    const char *system = json_string_value(laser_adapting_field(a, "system")),
               *input = json_string_value(json_object_get(a->record, "input"));
    struct laser_text text = {0};

    if (!json_is_string(prompt) && json_array_size(prompt) == 0 && json_array_size(chosen) < 2)
        return NULL;
    if (system != NULL && *system != '\0')
        laser_text_printf(&text, "%s\n\n", system);
    if (json_is_string(prompt)) {
        laser_text_puts(&text, json_string_value(prompt));
        if (input != NULL && *input != '\0' && prompt == json_object_get(a->record, "instruction"))
            laser_text_printf(&text, "\n%s", input);
    } else if (json_array_size(prompt) > 0) {
        add_messages(&text, prompt, json_array_size(prompt));
    } else {
        add_messages(&text, chosen, json_array_size(chosen) - 1);
    }
    if (text.data == NULL)
        laser_text_puts(&text, "");
    return laser_text_take(&text);
}

int laser_adapter_dpo(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *chosen = reply(laser_adapting_field(a, "chosen")),
               *rejected = reply(laser_adapting_field(a, "rejected"));
    char *prompt;
    int code;

    if (chosen == NULL || rejected == NULL)
        return laser_adapting_lacks(a, chosen == NULL ? "chosen" : "rejected",
                                    "a text, a message or a list of messages", err);
    prompt = dpo_prompt(a);
    if (prompt == NULL)
        return laser_adapting_lacks(a, "prompt", "a text or a list of messages", err);
    *out = NULL;
    code = LASER_OK;
    if (strcmp(chosen, rejected) != 0 && *chosen != '\0' && *rejected != '\0')
        code = laser_adapting_finish(json_pack("{s:s, s:o, s:s, s:s}", "kind", "preference", "prompt",
                                               laser_adapting_prompt(a, prompt), "chosen", chosen, "rejected",
                                               rejected),
                                     out, a, err);
    free(prompt);
    return code;
}

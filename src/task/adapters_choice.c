/* Sets of questions with choices, and those of a last word, as lm-evaluation-harness asks them: prompts and options are
 * those of its tasks to the character, so that scores can be compared. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/text.h"
#include "task/adapters.h"

/* Choices of one question, and what they are called where they have names. */
struct choices {
    json_t *texts, *labels; /* lists; labels may be shorter: none */
};

static void choices_free(struct choices *c)
{
    json_decref(c->texts);
    json_decref(c->labels);
}

/* " text": what parts an option from the prompt is one blank, and nothing of the option is cut. */
static void add_choice(struct choices *c, const json_t *text, const json_t *label)
{
    if (json_is_string(text))
        json_array_append_new(c->texts, json_sprintf(" %s", json_string_value(text)));
    if (json_is_string(label))
        json_array_append_new(c->labels, json_string(json_string_value(label)));
}

/* Columns of their own: "A|B|C". */
static void add_columns(const struct laser_adapting *a, const char *keys, struct choices *c)
{
    for (size_t n; *keys != '\0'; keys += n + (keys[n] == '|')) {
        char *key;
        n = strcspn(keys, "|");
        key = strndup(keys, n);
        if (key != NULL)
            add_choice(c, laser_adapting_find(a->record, key), NULL);
        free(key);
    }
}

/* A list of texts, or of objects with a text and a label; lists of texts and labels; texts by their labels. */
static void add_value(const json_t *value, struct choices *c)
{
    const json_t *texts = json_object_get(value, "text"), *labels = json_object_get(value, "label");
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach((json_t *)(uintptr_t)value, i, item) if (json_is_object(item))
            add_choice(c, json_object_get(item, "text"), json_object_get(item, "label"));
        else add_choice(c, item, NULL);
    } else if (json_is_array(texts)) {
        json_array_foreach((json_t *)(uintptr_t)texts, i, item)
            add_choice(c, item, json_array_get(labels, i));
    } else {
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            add_choice(c, item, NULL);
            json_array_append_new(c->labels, json_string(key));
        }
    }
}

static int read_choices(const struct laser_adapting *a, struct choices *c, struct laser_error *err)
{
    const json_t *value = laser_adapting_field(a, "choices");
    const char *key = laser_adapting_key(a, "choices");

    *c = (struct choices){json_array(), json_array()};
    if (c->texts == NULL || c->labels == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
    if (value == NULL && strchr(key, '|') != NULL)
        add_columns(a, key, c);
    else
        add_value(value, c);
    if (json_array_size(c->texts) < 2)
        return laser_adapting_lacks(a, "choices", "a list of two texts or more, or keys of texts (A|B)", err);
    return LASER_OK;
}

/* "key@1": numbers begin at 1.  Returns what they begin at; *value is the field without that. */
static int first_number(const struct laser_adapting *a, const json_t **value)
{
    const char *key = laser_adapting_key(a, "answer"), *at = strrchr(key, '@');
    char bare[256];

    *value = laser_adapting_field(a, "answer");
    if (*value != NULL || at == NULL || strlen(at) != 2 || !isdigit((unsigned char)at[1]) ||
        (size_t)(at - key) >= sizeof bare)
        return 0;
    memcpy(bare, key, (size_t)(at - key));
    bare[at - key] = '\0';
    *value = laser_adapting_find(a->record, bare);
    return at[1] - '0';
}

static int place_of(const json_t *list, const char *text, size_t skipped)
{
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i,
                       item) if (strcmp(json_string_value(item) + skipped, text) == 0) return (int)i;
    return -1;
}

/* The right one: by its label, a letter, a number, or its text; -1: none of them. */
static int answer_of(const struct choices *c, const char *text, int first)
{
    char word[64];
    int place;

    snprintf(word, sizeof word, "%.63s", text + strspn(text, " \t\r\n"));
    for (size_t n = strlen(word); n > 0 && isspace((unsigned char)word[n - 1]); --n)
        word[n - 1] = '\0';
    place = place_of(c->labels, word, 0);
    if (place < 0 && isalpha((unsigned char)word[0]) && word[1] == '\0')
        place = toupper((unsigned char)word[0]) - 'A';
    else if (place < 0 && isdigit((unsigned char)word[0]) && word[strspn(word, "0123456789")] == '\0' &&
             strlen(word) < 6)
        place = atoi(word) - first;
    return place >= 0 ? place : place_of(c->texts, text, 1);
}

/* Of a record without one: in the file of labels beside. */
static const json_t *label_beside(const struct laser_adapting *a)
{
    return json_array_get(a->labels, (size_t)a->number);
}

static int read_answer(const struct laser_adapting *a, const struct choices *c, int *answer,
                       struct laser_error *err)
{
    const json_t *value;
    int first = first_number(a, &value), n = (int)json_array_size(c->texts);

    if (value == NULL)
        value = label_beside(a);
    *answer = json_is_integer(value) && json_integer_value(value) < n + first
                  ? (int)json_integer_value(value) - first
              : json_is_boolean(value) ? json_is_true(value)
              : json_is_string(value)  ? answer_of(c, json_string_value(value), first)
                                       : -1;
    if (*answer >= 0 && *answer < n)
        return LASER_OK;
    return laser_adapting_lacks(a, "answer", "the label, letter, number (from 0) or text of a choice", err);
}

static int choice(const struct laser_adapting *a, const char *prompt, json_t *texts, int answer, json_t **out,
                  struct laser_error *err)
{
    return laser_adapting_finish(json_pack("{s:s, s:o, s:O, s:i}", "kind", "choice", "prompt",
                                           laser_adapting_prompt(a, prompt), "choices", texts, "answer",
                                           answer),
                                 out, a, err);
}

static int choices_and_answer(const struct laser_adapting *a, struct choices *c, int *answer,
                              struct laser_error *err)
{
    int code = read_choices(a, c, err);

    return code == LASER_OK ? read_answer(a, c, answer, err) : code;
}

/* A question without choices is a completion of its answer, or of any in a list of them. */
static int generic_completion(const struct laser_adapting *a, const char *prompt, json_t **out,
                              struct laser_error *err)
{
    const json_t *value = laser_adapting_field(a, "answer"), *item;
    json_t *answers = json_array();
    size_t i;

    if (json_is_string(value))
        json_array_append_new(answers, json_sprintf(" %s", json_string_value(value)));
    json_array_foreach((json_t *)(uintptr_t)value, i, item) if (json_is_string(item))
        json_array_append_new(answers, json_sprintf(" %s", json_string_value(item)));
    if (json_array_size(answers) == 0) {
        json_decref(answers);
        return laser_adapting_lacks(a, "answer", "a text or a list of texts (or choices)", err);
    }
    return laser_adapting_finish(json_pack("{s:s, s:o, s:o}", "kind", "completion", "prompt",
                                           laser_adapting_prompt(a, prompt), "answers", answers),
                                 out, a, err);
}

/* ARC, OpenBookQA, PIQA, and whatever has a prompt, choices and an answer. */
int laser_adapter_generic(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    struct choices c = {0};
    const char *prompt;
    int answer = 0, code = laser_adapting_text(a, "prompt", &prompt, err);

    if (code != LASER_OK)
        return code;
    if (laser_adapting_field(a, "choices") == NULL && strchr(laser_adapting_key(a, "choices"), '|') == NULL)
        return generic_completion(a, prompt, out, err);
    code = choices_and_answer(a, &c, &answer, err);
    if (code == LASER_OK)
        code = choice(a, prompt, c.texts, answer, out, err);
    choices_free(&c);
    return code;
}

/* ---- HellaSwag: what WikiHow's marks leave is mended as the harness does ---- */

static bool is_blank(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* Without white space at both ends, as Python's strip: *n bytes from the pointer that is returned. */
static const char *strip(const char *text, size_t *n)
{
    const char *end = text + strlen(text), *last;
    utf8proc_int32_t c;
    utf8proc_ssize_t step;

    while (text < end && (step = utf8proc_iterate((const utf8proc_uint8_t *)text, end - text, &c)) > 0 &&
           is_blank(c))
        text += step;
    while (end > text) {
        for (last = end - 1; last > text && ((unsigned char)*last & 0xc0) == 0x80;)
            --last;
        if (utf8proc_iterate((const utf8proc_uint8_t *)last, end - last, &c) <= 0 || !is_blank(c))
            break;
        end = last;
    }
    *n = (size_t)(end - text);
    return text;
}

/* " [title]" becomes ". ", other brackets go with what is in them (of one line), then double blanks become single ones,
 * from left to right, once. */
static char *clean(const char *text)
{
    static const char title[] = " [title]";
    struct laser_text marked = {0}, bare = {0}, out = {0};
    size_t n;

    text = strip(text, &n);
    for (size_t i = 0; i < n;)
        if (n - i >= sizeof title - 1 && memcmp(text + i, title, sizeof title - 1) == 0) {
            laser_text_puts(&marked, ". ");
            i += sizeof title - 1;
        } else {
            laser_text_add(&marked, text + i++, 1);
        }
    for (size_t i = 0; i < marked.size;) {
        size_t close = marked.data[i] == '[' ? i + strcspn(marked.data + i, "]\n") : marked.size;
        if (close < marked.size && marked.data[close] == ']')
            i = close + 1;
        else
            laser_text_add(&bare, marked.data + i++, 1);
    }
    for (size_t i = 0; i < bare.size; ++i) {
        laser_text_add(&out, bare.data + i, 1);
        i += bare.data[i] == ' ' && i + 1 < bare.size && bare.data[i + 1] == ' ';
    }
    laser_text_puts(&out, "");
    out.failed = out.failed || marked.failed || bare.failed;
    laser_text_free(&marked);
    laser_text_free(&bare);
    return laser_text_take(&out);
}

/* The first character in upper case, all others in lower case. */
static void add_capitalised(struct laser_text *out, const char *text)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    utf8proc_int32_t c;
    utf8proc_ssize_t step;

    for (bool first = true; *at != 0 && (step = utf8proc_iterate(at, -1, &c)) > 0;
         at += step, first = false) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t n = utf8proc_encode_char(first ? utf8proc_totitle(c) : utf8proc_tolower(c), bytes);
        laser_text_add(out, (const char *)bytes, (size_t)n);
    }
}

static int clean_all(const struct laser_adapting *a, const struct choices *c, json_t **texts,
                     struct laser_error *err)
{
    const json_t *item;
    size_t i;

    *texts = json_array();
    json_array_foreach(c->texts, i, item)
    {
        char *one = clean(json_string_value(item) + 1);
        json_array_append_new(*texts, one != NULL ? json_sprintf(" %s", one) : NULL);
        free(one);
    }
    return json_array_size(*texts) == json_array_size(c->texts)
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
}

int laser_adapter_hellaswag(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    struct choices c = {0};
    struct laser_text text = {0};
    const char *activity, *first = NULL, *second = NULL;
    char *prompt = NULL;
    json_t *texts = NULL;
    int answer = 0, code = laser_adapting_text(a, "activity", &activity, err);

    if (code == LASER_OK)
        code = laser_adapting_text(a, "first", &first, err);
    if (code == LASER_OK)
        code = laser_adapting_text(a, "second", &second, err);
    if (code != LASER_OK)
        return code;
    laser_text_printf(&text, "%s: %s ", activity, first);
    add_capitalised(&text, second);
    if (!text.failed)
        prompt = clean(text.data);
    laser_text_free(&text);
    if (prompt == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
    code = choices_and_answer(a, &c, &answer, err);
    if (code == LASER_OK)
        code = clean_all(a, &c, &texts, err);
    if (code == LASER_OK)
        code = choice(a, prompt, texts, answer, out, err);
    json_decref(texts);
    choices_free(&c);
    free(prompt);
    return code;
}

/* ---- WinoGrande: each option in the sentence's gap, and what follows the gap is scored ---- */

int laser_adapter_winogrande(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    struct choices c = {0};
    const char *sentence, *gap, *rest;
    json_t *prompts = json_array(), *ends = json_array(), *item;
    size_t i, n = 0;
    int answer = 0, code = laser_adapting_text(a, "prompt", &sentence, err);

    gap = code == LASER_OK ? strchr(sentence, '_') : NULL;
    if (code == LASER_OK && gap == NULL)
        code = laser_adapting_lacks(a, "prompt", "a sentence with a gap (_)", err);
    if (code == LASER_OK)
        code = choices_and_answer(a, &c, &answer, err);
    if (code == LASER_OK) {
        rest = strip(gap + 1, &n);
        json_array_foreach(c.texts, i, item)
        {
            json_array_append_new(prompts, json_sprintf("%.*s%s", (int)(gap - sentence), sentence,
                                                        json_string_value(item) + 1));
            json_array_append_new(ends, json_sprintf(" %.*s", (int)n, rest));
        }
        code = laser_adapting_finish(json_pack("{s:s, s:O, s:O, s:i}", "kind", "choice", "prompts", prompts,
                                               "choices", ends, "answer", answer),
                                     out, a, err);
    }
    json_decref(prompts);
    json_decref(ends);
    choices_free(&c);
    return code;
}

/* ---- MMLU: the choices stand in the prompt, their letters are scored ---- */

/* Of the record, or of the file's name: high_school_biology_test.csv. */
static void add_subject(const struct laser_adapting *a, struct laser_text *text)
{
    const char *subject = json_string_value(laser_adapting_field(a, "subject")),
               *slash = strrchr(a->path, '/');
    static const char *const ends[] = {"_test.csv", "_val.csv", "_dev.csv", ".csv"};
    size_t n;

    if (subject == NULL)
        subject = slash != NULL ? slash + 1 : a->path;
    n = strlen(subject);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i)
        if (n > strlen(ends[i]) && strcmp(subject + n - strlen(ends[i]), ends[i]) == 0) {
            n -= strlen(ends[i]);
            break;
        }
    for (size_t i = 0; i < n; ++i)
        laser_text_add(text, subject[i] == '_' ? " " : subject + i, 1);
}

int laser_adapter_mmlu(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    struct choices c = {0};
    struct laser_text text = {0};
    json_t *letters = json_array(), *item;
    const char *question;
    size_t i, n;
    int answer = 0, code = laser_adapting_text(a, "prompt", &question, err);

    if (code == LASER_OK)
        code = choices_and_answer(a, &c, &answer, err);
    if (code == LASER_OK) {
        laser_text_puts(&text, "The following are multiple choice questions (with answers) about ");
        add_subject(a, &text);
        question = strip(question, &n);
        laser_text_printf(&text, ".\n\n%.*s", (int)n, question);
        json_array_foreach(c.texts, i, item)
        {
            laser_text_printf(&text, "\n%c.%s", 'A' + (char)i, json_string_value(item));
            json_array_append_new(letters, json_sprintf(" %c", 'A' + (char)i));
        }
        code = text.failed ? laser_error_set(err, LASER_ENOMEM, a->where, "no memory")
                           : choice(a, text.data, letters, answer, out, err);
    }
    laser_text_free(&text);
    json_decref(letters);
    choices_free(&c);
    return code;
}

/* ---- LAMBADA: the last word of a passage ---- */

int laser_adapter_lambada(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    const char *text, *blank;
    char *prompt;
    int code = laser_adapting_text(a, "prompt", &text, err);

    if (code != LASER_OK)
        return code;
    blank = strrchr(text, ' ');
    if (blank == NULL || blank == text || blank[1] == '\0')
        return laser_adapting_lacks(a, "prompt", "a passage of several words that ends in a word", err);
    prompt = strndup(text, (size_t)(blank - text));
    if (prompt == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->where, "no memory");
    code = laser_adapting_finish(json_pack("{s:s, s:o, s:[s]}", "kind", "completion", "prompt",
                                           laser_adapting_prompt(a, prompt), "answers", blank),
                                 out, a, err);
    free(prompt);
    return code;
}

/* ---- BoolQ: a passage, a question, no or yes ---- */

int laser_adapter_boolq(struct laser_adapting *a, json_t **out, struct laser_error *err)
{
    struct choices c = {json_pack("[s, s]", " no", " yes"), json_pack("[s, s]", "false", "true")};
    struct laser_text text = {0};
    const char *passage, *question = NULL;
    int answer = 0, code = laser_adapting_text(a, "passage", &passage, err);

    if (code == LASER_OK)
        code = laser_adapting_text(a, "prompt", &question, err);
    if (code == LASER_OK)
        code = read_answer(a, &c, &answer, err);
    if (code == LASER_OK) {
        laser_text_printf(&text, "%s\nQuestion: %s?", passage, question);
        code = text.failed ? laser_error_set(err, LASER_ENOMEM, a->where, "no memory")
                           : choice(a, text.data, c.texts, answer, out, err);
    }
    laser_text_free(&text);
    choices_free(&c);
    return code;
}

#include "config.h" /* strndup */

#include "base/json_read.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct rewriting {
    const char *text, *end;
    char *out;
    enum laser_json_words words;
};

static void copy(struct rewriting *r, size_t n)
{
    memcpy(r->out, r->text, n);
    r->out += n;
    r->text += n;
}

static void put(struct rewriting *r, const char *s)
{
    size_t n = strlen(s);

    memcpy(r->out, s, n);
    r->out += n;
}

/* In place of n bytes: a number that strict JSON does not have. */
static void put_word(struct rewriting *r, const char *word, size_t n)
{
    if (r->words == LASER_JSON_WORDS_NULL) {
        put(r, "null");
    } else {
        put(r, "\"");
        put(r, word);
        put(r, "\"");
    }
    r->text += n;
}

/* The code unit of \uXXXX; -1: there is none. */
static long code_unit(const char *s, const char *end)
{
    char hex[5] = "", *stop;
    long unit;

    if (end - s < 6 || s[0] != '\\' || s[1] != 'u' || strspn(s + 2, "0123456789abcdefABCDEF") < 4)
        return -1;
    memcpy(hex, s + 2, 4);
    unit = strtol(hex, &stop, 16);
    return unit;
}

static void rewrite_escape(struct rewriting *r)
{
    long unit = code_unit(r->text, r->end), next;

    if (unit < 0xd800 || unit > 0xdfff) {
        copy(r, r->end - r->text < 2 ? 1 : 2);
        return;
    }
    next = unit < 0xdc00 ? code_unit(r->text + 6, r->end) : -1;
    if (next >= 0xdc00 && next <= 0xdfff) {
        copy(r, 12);
        return;
    }
    put(r, "\\ufffd");
    r->text += 6;
}

static void rewrite_string(struct rewriting *r)
{
    copy(r, 1);
    while (r->text < r->end && *r->text != '"') {
        if (*r->text == '\\')
            rewrite_escape(r);
        else
            copy(r, 1);
    }
    if (r->text < r->end)
        copy(r, 1);
}

static void rewrite_number(struct rewriting *r)
{
    size_t n = 0;
    bool whole = true;
    char *number;

    while (r->text + n < r->end && strchr("+-.eE0123456789", r->text[n]) != NULL && r->text[n] != '\0') {
        whole = whole && strchr(".eE", r->text[n]) == NULL;
        ++n;
    }
    number = strndup(r->text, n);
    if (number != NULL && isinf(strtod(number, NULL))) {
        put_word(r, number[0] == '-' ? "-Infinity" : "Infinity", n);
    } else {
        copy(r, n);
        errno = 0;
        if (number != NULL && whole && n > 18 && (strtoll(number, NULL, 10), errno == ERANGE))
            put(r, ".0");
    }
    free(number);
}

static bool rewrite_word(struct rewriting *r)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(r->end - r->text) >= n && memcmp(r->text, words[i], n) == 0) {
            put_word(r, words[i], n);
            return true;
        }
    }
    return false;
}

/* Line ends stay where they are, so that errors name the same lines. */
static size_t rewrite(const char *text, size_t n, enum laser_json_words words, char *out)
{
    struct rewriting r = {.text = text, .end = text + n, .out = out, .words = words};

    while (r.text < r.end) {
        if (*r.text == '"')
            rewrite_string(&r);
        else if (!rewrite_word(&r)) {
            if (*r.text == '-' || (*r.text >= '0' && *r.text <= '9'))
                rewrite_number(&r);
            else
                copy(&r, 1);
        }
    }
    return (size_t)(r.out - out);
}

json_t *laser_json_read(const char *text, size_t n, size_t flags, enum laser_json_words words,
                        json_error_t *error)
{
    json_t *value = json_loadb(text, n, flags, error);
    char *lenient;

    /* Nothing grows to more than three times its length: "NaN" by 2 of 3, 1e999 to "Infinity". */
    if (value != NULL || n > SIZE_MAX / 4 || json_error_code(error) == json_error_out_of_memory ||
        (lenient = malloc(4 * n + 16)) == NULL)
        return value;
    value = json_loadb(lenient, rewrite(text, n, words, lenient), flags | JSON_ALLOW_NUL, error);
    free(lenient);
    return value;
}

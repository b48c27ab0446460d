#include "tokenizer/spellings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

struct entry {
    char *text; /* lower case, without white space around it */
    int32_t id;
};

struct laser_spellings {
    struct entry *entries; /* sorted by text, then id */
    int32_t *ids;          /* of the entries */
    int64_t n;
};

static bool is_space(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);

    return (c >= 9 && c <= 13) || (c >= 28 && c <= 31) || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* NULL without memory.  Ill-formed bytes stand for themselves. */
static char *normalize(const char *text)
{
    size_t n = strlen(text), at = 0, used = 0, end = 0;
    char *out = malloc(4 * n + 5);

    while (out != NULL && at < n) {
        utf8proc_int32_t c;
        utf8proc_ssize_t length =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(n - at), &c);
        if (length <= 0) {
            out[used++] = text[at++];
            end = used;
            continue;
        }
        at += (size_t)length;
        if (is_space(c) && used == 0)
            continue;
        used += (size_t)utf8proc_encode_char(utf8proc_tolower(c), (utf8proc_uint8_t *)out + used);
        if (!is_space(c))
            end = used;
    }
    if (out != NULL)
        out[end] = '\0';
    return out;
}

static int compare(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    int order = strcmp(a->text, b->text);

    return order != 0 ? order : a->id < b->id ? -1 : a->id > b->id;
}

void laser_spellings_free(struct laser_spellings *s)
{
    if (s == NULL)
        return;
    for (int64_t i = 0; i < s->n; ++i)
        free(s->entries[i].text);
    free(s->entries);
    free(s->ids);
    free(s);
}

static int add(struct laser_spellings *s, const struct laser_tokenizer *t, int32_t id,
               struct laser_error *err)
{
    char *text;
    int code;

    if (laser_tokenizer_id_to_token(t, id, NULL) == NULL)
        return LASER_OK;
    code = laser_tokenizer_decode(t, &id, 1, false, &text, NULL, err);
    if (code != LASER_OK)
        return code;
    s->entries[s->n] = (struct entry){.text = normalize(text), .id = id};
    free(text);
    if (s->entries[s->n].text == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the texts of tokens");
    ++s->n;
    return LASER_OK;
}

int laser_spellings_create(const struct laser_tokenizer *t, struct laser_spellings **out,
                           struct laser_error *err)
{
    int64_t end = laser_tokenizer_id_end(t);
    struct laser_spellings *s = calloc(1, sizeof *s);
    int code = LASER_OK;

    *out = NULL;
    if (s != NULL) {
        s->entries = calloc((size_t)end + 1, sizeof *s->entries);
        s->ids = calloc((size_t)end + 1, sizeof *s->ids);
    }
    if (s == NULL || s->entries == NULL || s->ids == NULL) {
        laser_spellings_free(s);
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the texts of tokens");
    }
    for (int64_t id = 0; code == LASER_OK && id < end; ++id)
        code = add(s, t, (int32_t)id, err);
    if (code != LASER_OK) {
        laser_spellings_free(s);
        return code;
    }
    qsort(s->entries, (size_t)s->n, sizeof *s->entries, compare);
    for (int64_t i = 0; i < s->n; ++i)
        s->ids[i] = s->entries[i].id;
    *out = s;
    return LASER_OK;
}

void laser_spellings_find(const struct laser_spellings *s, const char *text, const int32_t **ids, int64_t *n)
{
    char *wanted = normalize(text);
    int64_t low = 0, high = s->n;

    *ids = s->ids;
    *n = 0;
    if (wanted == NULL || *wanted == '\0') {
        free(wanted);
        return;
    }
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (strcmp(s->entries[middle].text, wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ids = s->ids + low;
    while (low + *n < s->n && strcmp(s->entries[low + *n].text, wanted) == 0)
        ++*n;
    free(wanted);
}

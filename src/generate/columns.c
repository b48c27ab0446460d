#include "generate/columns.h"

#include <string.h>

#include <utf8proc.h>

static const char separator[] = " | ", replacement[] = "\xef\xbf\xbd";

void laser_columns_start(struct laser_columns *c, int count, size_t width)
{
    size_t bars = (size_t)(count - 1) * strlen(separator);

    memset(c, 0, sizeof *c);
    c->count = count;
    c->width = width > bars + 8 * (size_t)count ? (width - bars) / (size_t)count : 8;
}

void laser_columns_free(struct laser_columns *c)
{
    for (int i = 0; i < c->count; i++) {
        laser_text_free(&c->columns[i].lines);
        laser_text_free(&c->columns[i].line);
        laser_text_free(&c->columns[i].word);
    }
    memset(c, 0, sizeof *c);
}

static void empty(struct laser_text *t)
{
    t->size = 0;
    if (t->data != NULL)
        t->data[0] = '\0';
}

/* A line as wide as the column, so that rows need no more than joining; blanks at its end do not count. */
static void finish_line(const struct laser_columns *c, struct laser_column *k)
{
    while (k->line.size > 0 && k->line.data[k->line.size - 1] == ' ') {
        k->line.size--;
        k->line_columns--;
    }
    laser_text_add(&k->lines, k->line.size > 0 ? k->line.data : "", k->line.size);
    if (k->line_columns < c->width)
        laser_text_fill(&k->lines, ' ', c->width - k->line_columns);
    laser_text_fill(&k->lines, '\n', 1);
    empty(&k->line);
    k->line_columns = 0;
}

static void finish_word(const struct laser_columns *c, struct laser_column *k)
{
    if (k->word.size == 0)
        return;
    if (k->line_columns + k->word_columns > c->width)
        finish_line(c, k);
    laser_text_add(&k->line, k->word.data, k->word.size);
    k->line_columns += k->word_columns;
    empty(&k->word);
    k->word_columns = 0;
}

static void add_blank(const struct laser_columns *c, struct laser_column *k)
{
    finish_word(c, k);
    if (k->line_columns == c->width)
        finish_line(c, k);
    else
        laser_text_fill(&k->line, ' ', 1);
    k->line_columns += k->line.size > 0;
}

/* The next character: its bytes, or those of U+FFFD; *n how many of the text it took. */
static const char *next(const char *text, size_t left, utf8proc_int32_t *code, size_t *n, size_t *size)
{
    utf8proc_ssize_t got = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)left, code);

    *n = got > 0 ? (size_t)got : 1;
    *size = *n;
    if (got > 0 && (*code >= 0x20 || *code == '\n' || *code == '\t') && *code != 0x7f &&
        !(*code >= 0x80 && *code < 0xa0))
        return text;
    *code = 0xfffd;
    *size = strlen(replacement);
    return replacement;
}

void laser_columns_push(struct laser_columns *c, int column, const char *text, size_t n)
{
    struct laser_column *k = &c->columns[column];
    utf8proc_int32_t code;
    size_t used, size;

    for (size_t at = 0; at < n; at += used) {
        const char *bytes = next(text + at, n - at, &code, &used, &size);
        size_t wide = code == '\n' || code == '\t' ? 0 : (size_t)utf8proc_charwidth(code);

        if (code == '\n') {
            finish_word(c, k);
            finish_line(c, k);
        } else if (code == ' ' || code == '\t') {
            add_blank(c, k);
        } else {
            if (k->word_columns + wide > c->width)
                finish_word(c, k);
            laser_text_add(&k->word, bytes, size);
            k->word_columns += wide;
        }
    }
}

void laser_columns_end(struct laser_columns *c, int column)
{
    struct laser_column *k = &c->columns[column];

    finish_word(c, k);
    if (k->line.size > 0)
        finish_line(c, k);
    k->ended = true;
}

/* The line of a column that comes next; NULL: none yet. */
static const char *line_of(const struct laser_column *k, size_t *n)
{
    const char *line = k->lines.size > k->taken ? k->lines.data + k->taken : NULL;

    *n = line != NULL ? strcspn(line, "\n") : 0;
    return line;
}

static bool has_row(const struct laser_columns *c)
{
    bool any = false;
    size_t n;

    for (int i = 0; i < c->count; i++) {
        const char *line = line_of(&c->columns[i], &n);
        if (line == NULL && !c->columns[i].ended)
            return false;
        any = any || line != NULL;
    }
    return any;
}

void laser_columns_take(struct laser_columns *c, struct laser_text *out)
{
    for (int i = 0; i < c->count; i++) {
        const struct laser_column *k = &c->columns[i];
        if (k->lines.failed || k->line.failed || k->word.failed)
            out->failed = 1;
    }
    while (!out->failed && has_row(c)) {
        for (int i = 0; i < c->count; i++) {
            struct laser_column *k = &c->columns[i];
            size_t n;
            const char *line = line_of(k, &n);

            laser_text_puts(out, i > 0 ? separator : "");
            if (line != NULL)
                laser_text_add(out, line, n);
            else
                laser_text_fill(out, ' ', c->width);
            k->taken += line != NULL ? n + 1 : 0;
        }
        while (out->size > 0 && out->data[out->size - 1] == ' ')
            out->data[--out->size] = '\0';
        laser_text_fill(out, '\n', 1);
    }
}

void laser_columns_clean(const char *text, size_t n, struct laser_text *out)
{
    utf8proc_int32_t code;
    size_t used, size;

    for (size_t at = 0; at < n; at += used) {
        const char *bytes = next(text + at, n - at, &code, &used, &size);
        laser_text_add(out, bytes, size);
    }
}

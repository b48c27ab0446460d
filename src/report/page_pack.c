#include "report/page_pack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- templates ---- */

/* Length of the number at p, 0 where there is none. */
static size_t number_length(const char *p)
{
    size_t n = strspn(p, "0123456789"), decimals;

    if (n > 0 && p[n] == '.' && (decimals = strspn(p + n + 1, "0123456789")) > 0)
        n += 1 + decimals;
    return n;
}

/* FNV-1a of what stands between the numbers of a line. */
static uint64_t hash_of(const char *line, size_t length)
{
    uint64_t hash = 14695981039346656037U;

    for (size_t i = 0; i < length;) {
        size_t n = number_length(line + i);
        hash = (hash ^ (n > 0 ? 0U : (unsigned char)line[i])) * 1099511628211U;
        i += n > 0 ? n : 1;
    }
    return hash;
}

static int same_but_numbers(const char *a, const char *b, size_t b_length)
{
    const char *end = b + b_length;

    while (*a != '\0' && b < end) {
        size_t n = number_length(a), m = number_length(b);
        if ((n > 0) != (m > 0) || (n == 0 && *a != *b))
            return 0;
        a += n > 0 ? n : 1;
        b += m > 0 ? m : 1;
    }
    return *a == '\0' && b == end;
}

static int grow(struct laser_line_templates *t)
{
    size_t room = t->room > 0 ? 2 * t->room : 256, size = 4 * room;
    char **lines = realloc(t->lines, room * sizeof *lines);
    size_t *table = calloc(size, sizeof *table);

    if (lines != NULL)
        t->lines = lines;
    if (lines == NULL || table == NULL) {
        free(table);
        return 0;
    }
    for (size_t k = 0; k < t->n; k++) {
        size_t at = hash_of(lines[k], strlen(lines[k])) % size;
        while (table[at] != 0)
            at = (at + 1) % size;
        table[at] = k + 1;
    }
    free(t->table);
    t->table = table;
    t->table_size = size;
    t->room = room;
    return 1;
}

/* The number of the line's template, which it becomes itself if there is none. */
static size_t find_template(struct laser_line_templates *t, const char *line, size_t length)
{
    size_t at;

    if (t->n == t->room && !grow(t)) {
        t->failed = 1;
        return 0;
    }
    at = hash_of(line, length) % t->table_size;
    for (; t->table[at] != 0; at = (at + 1) % t->table_size)
        if (same_but_numbers(t->lines[t->table[at] - 1], line, length))
            return t->table[at] - 1;
    t->lines[t->n] = strndup(line, length);
    if (t->lines[t->n] == NULL) {
        t->failed = 1;
        return 0;
    }
    t->table[at] = ++t->n;
    return t->n - 1;
}

static void put_numbers(struct laser_text *out, const char *template, const char *line, size_t length)
{
    size_t waiting = 0; /* empty ones */

    for (size_t i = 0; i < length;) {
        size_t n = number_length(line + i), m = number_length(template);
        if (n > 0 && (n != m || memcmp(template, line + i, n) != 0)) {
            laser_text_fill(out, ',', waiting + 1);
            laser_text_add(out, line + i, n);
            waiting = 0;
        } else {
            waiting += n > 0;
        }
        i += n > 0 ? n : 1;
        template += n > 0 ? m : 1;
    }
}

void laser_line_templates_encode(struct laser_line_templates *t, const char *drawing, struct laser_text *out)
{
    while (*drawing != '\0' && !t->failed) {
        size_t length = strcspn(drawing, "\n"), k = find_template(t, drawing, length);
        if (!t->failed) {
            laser_text_printf(out, "%zu", k);
            put_numbers(out, t->lines[k], drawing, length);
        }
        drawing += length + (drawing[length] != '\0');
        laser_text_puts(out, *drawing != '\0' ? ";" : "");
    }
    out->failed |= t->failed;
}

void laser_line_templates_free(struct laser_line_templates *t)
{
    for (size_t k = 0; k < t->n; k++)
        free(t->lines[k]);
    free(t->lines);
    free(t->table);
    memset(t, 0, sizeof *t);
}

/* ---- packing ---- */

static void put_base64(struct laser_text *out, const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        unsigned left = (unsigned)(n - i), bits = (unsigned)data[i] << 16;
        char text[4];
        bits |= left > 1 ? (unsigned)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        for (int k = 0; k < 4; k++)
            text[k] = (unsigned)k > left ? '=' : digits[bits >> (18 - 6 * k) & 63];
        laser_text_add(out, text, 4);
    }
}

void laser_pack_put(struct laser_text *out, const struct laser_text *text)
{
    z_stream z = {0};
    unsigned char *packed;
    uLong bound;

    if (text->failed || text->size > UINT32_MAX / 2 ||
        deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = 1;
        return;
    }
    bound = deflateBound(&z, (uLong)text->size);
    packed = malloc(bound + 1);
    if (packed != NULL) {
        z.next_in = (unsigned char *)text->data;
        z.avail_in = (unsigned)text->size;
        z.next_out = packed;
        z.avail_out = (unsigned)bound;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            out->failed = 1;
        laser_text_puts(out, "\"");
        put_base64(out, packed, z.total_out);
        laser_text_puts(out, "\"");
    } else {
        out->failed = 1;
    }
    deflateEnd(&z);
    free(packed);
}

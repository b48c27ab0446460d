#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for extra more bytes and the NUL. */
static int reserve(struct laser_text *t, size_t extra)
{
    size_t want, capacity = t->capacity > 0 ? t->capacity : 128;
    char *grown;

    if (t->failed)
        return 0;
    if (extra >= SIZE_MAX / 2 - t->size) {
        t->failed = 1;
        return 0;
    }
    want = t->size + extra + 1;
    if (want <= t->capacity)
        return 1;
    while (capacity < want)
        capacity *= 2;
    grown = realloc(t->data, capacity);
    if (grown == NULL) {
        t->failed = 1;
        return 0;
    }
    t->data = grown;
    t->capacity = capacity;
    return 1;
}

void laser_text_add(struct laser_text *t, const char *data, size_t size)
{
    if (!reserve(t, size))
        return;
    if (size > 0)
        memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void laser_text_puts(struct laser_text *t, const char *string)
{
    laser_text_add(t, string, strlen(string));
}

void laser_text_fill(struct laser_text *t, char byte, size_t count)
{
    if (!reserve(t, count))
        return;
    memset(t->data + t->size, byte, count);
    t->size += count;
    t->data[t->size] = '\0';
}

void laser_text_printf(struct laser_text *t, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0) {
        t->failed = 1;
        return;
    }
    if (!reserve(t, (size_t)length))
        return;
    va_start(args, fmt);
    vsnprintf(t->data + t->size, (size_t)length + 1, fmt, args);
    va_end(args);
    t->size += (size_t)length;
}

char *laser_text_take(struct laser_text *t)
{
    char *data;

    laser_text_add(t, "", 0);
    if (t->failed) {
        laser_text_free(t);
        return NULL;
    }
    data = t->data;
    memset(t, 0, sizeof *t);
    return data;
}

void laser_text_free(struct laser_text *t)
{
    free(t->data);
    memset(t, 0, sizeof *t);
}

size_t laser_text_columns(const char *string)
{
    size_t columns = 0;

    for (; *string != '\0'; string++)
        if (((unsigned char)*string & 0xC0) != 0x80)
            columns++;
    return columns;
}

/* Columns of the first length bytes. */
static size_t word_columns(const char *word, size_t length)
{
    size_t columns = 0;

    for (size_t i = 0; i < length; i++)
        if (((unsigned char)word[i] & 0xC0) != 0x80)
            columns++;
    return columns;
}

size_t laser_text_wrap(struct laser_text *t, const char *paragraph, size_t indent, size_t column,
                       size_t width)
{
    int blank_before = 0;

    while (*paragraph != '\0') {
        size_t length, columns;

        if (*paragraph == '\n') {
            laser_text_fill(t, '\n', 1);
            laser_text_fill(t, ' ', indent);
            column = indent;
            blank_before = 0;
            paragraph++;
            continue;
        }
        if (*paragraph == ' ') {
            blank_before = 1;
            paragraph++;
            continue;
        }
        length = strcspn(paragraph, " \n");
        columns = word_columns(paragraph, length);
        if (blank_before && column > indent && column + 1 + columns > width) {
            laser_text_fill(t, '\n', 1);
            laser_text_fill(t, ' ', indent);
            column = indent;
        } else if (blank_before) {
            laser_text_fill(t, ' ', 1);
            column++;
        }
        laser_text_add(t, paragraph, length);
        column += columns;
        blank_before = 0;
        paragraph += length;
    }
    return column;
}

/* A list of documents that grows. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/reader.h"

/* Grows an array of *capacity items of item bytes to hold wanted items. */
static bool reserve(void **array, size_t item, size_t *capacity, size_t wanted)
{
    size_t grown = *capacity ? *capacity : 64;
    while (grown < wanted) {
        if (grown > SIZE_MAX / 2 / item)
            return false;
        grown *= 2;
    }
    if (grown == *capacity)
        return true;
    void *moved = realloc(*array, grown * item);
    if (!moved)
        return false;
    *array = moved;
    *capacity = grown;
    return true;
}

int laser_documents_add(struct laser_documents *documents, const char *text, size_t n,
                        struct laser_error *err)
{
    size_t used = documents->n > 0 ? (size_t)documents->start[documents->n] : 0;
    void *start = documents->start, *bytes = documents->text;
    bool ok = n < SIZE_MAX / 2 - used &&
              reserve(&start, sizeof(int64_t), &documents->start_capacity, (size_t)documents->n + 2);
    documents->start = start;
    ok = ok && reserve(&bytes, 1, &documents->text_capacity, used + n + 1);
    documents->text = bytes;
    if (!ok)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %zu bytes of text", used + n);
    if (n > 0)
        memcpy(documents->text + used, text, n);
    documents->text[used + n] = 0;
    documents->start[0] = 0;
    documents->start[++documents->n] = (int64_t)(used + n);
    return LASER_OK;
}

void laser_documents_free(struct laser_documents *documents)
{
    free(documents->text);
    free(documents->start);
    memset(documents, 0, sizeof *documents);
}

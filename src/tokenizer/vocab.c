#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static bool vocab_rehash(struct laser_vocab *v, uint64_t n_slots)
{
    uint32_t *slot = calloc(n_slots, sizeof(*slot));
    if (!slot)
        return false;
    free(v->slot);
    v->slot = slot;
    v->mask = n_slots - 1;
    for (int64_t i = 0; i < v->n; i++) {
        uint64_t h = XXH3_64bits(v->bytes + v->entry[i].offset, v->entry[i].len) & v->mask;
        while (slot[h])
            h = (h + 1) & v->mask;
        slot[h] = (uint32_t)(i + 1);
    }
    return true;
}

const struct laser_vocab_entry *laser_vocab_find(const struct laser_vocab *v, const char *s, size_t n)
{
    if (!v->slot)
        return NULL;
    for (uint64_t h = XXH3_64bits(s, n) & v->mask; v->slot[h]; h = (h + 1) & v->mask) {
        const struct laser_vocab_entry *e = &v->entry[v->slot[h] - 1];
        if (e->len == n && memcmp(v->bytes + e->offset, s, n) == 0)
            return e;
    }
    return NULL;
}

int32_t laser_vocab_id(const struct laser_vocab *v, const char *s, size_t n)
{
    const struct laser_vocab_entry *e = laser_vocab_find(v, s, n);
    return e ? e->id : -1;
}

const struct laser_vocab_entry *laser_vocab_at(const struct laser_vocab *v, int64_t id)
{
    if (id < 0 || id >= v->id_end || v->by_id[id] < 0)
        return NULL;
    return &v->entry[v->by_id[id]];
}

static bool vocab_reserve(struct laser_vocab *v, size_t n)
{
    if (v->n == v->cap) {
        int64_t cap = v->cap ? 2 * v->cap : 1024;
        struct laser_vocab_entry *p = realloc(v->entry, (size_t)cap * sizeof(*p));
        if (!p)
            return false;
        v->entry = p;
        v->cap = cap;
    }
    if (v->cap_bytes - v->n_bytes < n + 1) {
        size_t cap = 2 * v->cap_bytes + n + 4096;
        char *p = realloc(v->bytes, cap);
        if (!p)
            return false;
        v->bytes = p;
        v->cap_bytes = cap;
    }
    return v->slot && (uint64_t)v->n * 2 < v->mask ? true
                                                   : vocab_rehash(v, v->slot ? 4 * (v->mask + 1) : 4096);
}

bool laser_vocab_put(struct laser_vocab *v, const char *s, size_t n, int32_t id, double score)
{
    struct laser_vocab_entry *old = (struct laser_vocab_entry *)laser_vocab_find(v, s, n);
    if (old) {
        old->id = id;
        old->score = score;
        return true;
    }
    if (n > UINT32_MAX || !vocab_reserve(v, n))
        return false;
    uint64_t h = XXH3_64bits(s, n) & v->mask;
    while (v->slot[h])
        h = (h + 1) & v->mask;
    v->slot[h] = (uint32_t)(v->n + 1);
    v->entry[v->n++] = (struct laser_vocab_entry){v->n_bytes, (uint32_t)n, id, score};
    if (n)
        memcpy(v->bytes + v->n_bytes, s, n);
    v->bytes[v->n_bytes + n] = '\0';
    v->n_bytes += n + 1;
    return true;
}

bool laser_vocab_finish(struct laser_vocab *v)
{
    v->id_end = 0;
    for (int64_t i = 0; i < v->n; i++) {
        if (v->entry[i].id >= v->id_end)
            v->id_end = (int64_t)v->entry[i].id + 1;
    }
    free(v->by_id);
    v->by_id = malloc((size_t)(v->id_end + 1) * sizeof(*v->by_id));
    if (!v->by_id)
        return false;
    for (int64_t i = 0; i < v->id_end; i++)
        v->by_id[i] = -1;
    v->repeats_ids = false;
    for (int64_t i = 0; i < v->n; i++) {
        if (v->by_id[v->entry[i].id] >= 0)
            v->repeats_ids = true;
        v->by_id[v->entry[i].id] = (int32_t)i;
    }
    return true;
}

void laser_vocab_free(struct laser_vocab *v)
{
    free(v->bytes);
    free(v->entry);
    free(v->slot);
    free(v->by_id);
    memset(v, 0, sizeof(*v));
}

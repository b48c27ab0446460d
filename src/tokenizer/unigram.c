/* Unigram: the segmentation with the largest sum of scores, ties to the one found first, as
 * encode_optimized() does. */
#include "tokenizer/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The best way to get to a place in the text. */
struct laser_path {
    double score;
    int64_t from; /* -1: none yet */
    int32_t id;
};

int laser_unigram_finish(struct laser_token_model *m, struct laser_error *err)
{
    struct laser_trie *t = &m->trie;
    double least = INFINITY;
    bool good = laser_trie_init(t, m->vocab.n_bytes);
    for (int64_t i = 0; good && i < m->vocab.n; i++) {
        const struct laser_vocab_entry *e = &m->vocab.entry[i];
        good = laser_trie_add(t, m->vocab.bytes + e->offset, e->len, (int32_t)i);
        if (e->score < least)
            least = e->score;
    }
    m->unk_score = least - 10.0;
    return good ? LASER_OK : laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the vocabulary's trie");
}

static void better(struct laser_path *to, double score, size_t from, int32_t id)
{
    if (to->from < 0 || score > to->score)
        *to = (struct laser_path){score, (int64_t)from, id};
}

static int missing_unk(struct laser_error *err)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "a character is unknown and the model has no unk_id");
}

/* Fills path[0 .. n]. */
static int find_paths(const struct laser_token_model *m, struct laser_path *path, const char *s, size_t n,
                      struct laser_error *err)
{
    for (size_t i = 0; i <= n; i++)
        path[i] = (struct laser_path){0.0, -1, 0};
    for (size_t at = 0, len; at < n; at += len) {
        double here = path[at].score;
        bool single = false;
        uint32_t node = 0;
        len = laser_utf8_len(s[at]);
        for (size_t i = at;
             i < n && (node = laser_trie_next(&m->trie, node, (unsigned char)s[i])) != UINT32_MAX; i++) {
            if (m->trie.leaf[node] < 0)
                continue;
            const struct laser_vocab_entry *e = &m->vocab.entry[m->trie.leaf[node]];
            better(&path[i + 1], e->score + here, at, e->id);
            single = single || i + 1 - at == len;
        }
        if (single)
            continue;
        struct laser_path *to = &path[at + len];
        if (m->unk_id < 0 && (to->from < 0 || m->unk_score + here > to->score))
            return missing_unk(err);
        better(to, m->unk_score + here, at, m->unk_id);
    }
    return LASER_OK;
}

/* The ids of one string of the result: it may be in the vocabulary even if it was put together from unknown
 * ones. */
static int add_string(const struct laser_token_model *m, const char *s, size_t n, struct laser_ids *ids,
                      struct laser_error *err)
{
    int32_t id = laser_vocab_id(&m->vocab, s, n);
    bool bytes = id < 0 && m->byte_fallback;
    for (size_t i = 0; bytes && i < n; i++)
        bytes = m->bpe.byte_id[(unsigned char)s[i]] >= 0;
    if (bytes) {
        for (size_t i = 0; i < n; i++)
            laser_ids_add(ids, m->bpe.byte_id[(unsigned char)s[i]]);
        return LASER_OK;
    }
    if (id < 0 && m->unk_id < 0)
        return missing_unk(err);
    laser_ids_add(ids, id >= 0 ? id : m->unk_id);
    return LASER_OK;
}

int laser_unigram_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w,
                         const char *s, size_t n, struct laser_ids *ids, struct laser_error *err)
{
    if (n == 0)
        return LASER_OK;
    if (n + 1 > w->cap_path) {
        struct laser_path *p = n < SIZE_MAX / 64 ? realloc(w->path, (n + n / 2 + 1) * sizeof(*p)) : NULL;
        if (!p)
            return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a word of %zu bytes", n);
        w->path = p;
        w->cap_path = n + n / 2 + 1;
    }
    int rc = find_paths(m, w->path, s, n, err);
    if (rc != LASER_OK)
        return rc;
    /* Turn the chain of places around: from[place] becomes the next one's beginning, read from the left. */
    size_t at = n, next = n;
    while (at > 0) {
        size_t from = (size_t)w->path[at].from;
        int32_t id = w->path[at].id;
        w->path[from].score = (double)id; /* the score is not needed any more: what begins here ... */
        w->path[at].from = (int64_t)next; /* ... and where what begins here ends */
        next = at;
        at = from;
    }
    w->path[0].from = (int64_t)next;
    for (at = 0; at < n && rc == LASER_OK;) {
        size_t end = (size_t)w->path[at].from;
        while (m->unk_id >= 0 && (int32_t)w->path[at].score == m->unk_id && end < n &&
               (int32_t)w->path[end].score == m->unk_id)
            end = (size_t)w->path[end].from;
        rc = add_string(m, s + at, end - at, ids, err);
        at = end;
    }
    return rc;
}

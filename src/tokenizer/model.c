#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A word that this call has met. */
struct laser_word {
    const char *s; /* NULL: free */
    uint32_t hash;
    uint32_t n;
    size_t first, n_ids; /* in word_ids */
};

enum { LONGEST_KEPT_WORD = 256, MOST_KEPT_WORDS = 1 << 20 };

void laser_token_model_scratch_free(struct laser_token_model_scratch *w)
{
    free(w->symbol);
    free(w->heap);
    laser_normalized_free(&w->mapped);
    free(w->path);
    free(w->word);
    free(w->word_ids.at);
    memset(w, 0, sizeof(*w));
}

void laser_token_model_free(struct laser_token_model *m)
{
    laser_vocab_free(&m->vocab);
    free(m->unk);
    free(m->bpe.merge);
    free(m->bpe.used);
    free(m->bpe.prefix);
    free(m->bpe.suffix);
    laser_trie_free(&m->trie);
    free(m->subword_prefix);
    memset(m, 0, sizeof(*m));
}

int laser_wordpiece_encode(const struct laser_token_model *m, const char *s, size_t n, struct laser_ids *ids,
                           struct laser_error *err)
{
    size_t n_prefix = strlen(m->subword_prefix), before = ids->n, start = 0;
    int64_t chars = 0;
    for (size_t i = 0; i < n; i += laser_utf8_len(s[i]))
        chars++;
    bool bad = chars > m->max_word_chars;
    char *name = malloc(n_prefix + n + 1);
    if (!name)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a word of %zu bytes", n);
    memcpy(name, m->subword_prefix, n_prefix);
    memcpy(name + n_prefix, s, n);
    while (!bad && start < n) {
        size_t end = n;
        int32_t id = -1;
        uint32_t c;
        if (start > 0) /* the bytes before start are done with: the prefix goes there */
            memmove(name + start, m->subword_prefix, n_prefix);
        for (; end > start; end -= laser_utf8_last(s + start, end - start, &c)) {
            const char *from = start > 0 ? name + start : s;
            id = laser_vocab_id(&m->vocab, from, (start > 0 ? n_prefix : 0) + end - start);
            if (id >= 0)
                break;
        }
        bad = id < 0;
        if (!bad)
            laser_ids_add(ids, id);
        start = end;
    }
    free(name);
    if (!bad)
        return LASER_OK;
    if (m->unk_id < 0)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "the unknown token \"%.200s\" is not in the vocabulary", m->unk);
    ids->n = before;
    laser_ids_add(ids, m->unk_id);
    return LASER_OK;
}

static int wordlevel_encode(const struct laser_token_model *m, const char *s, size_t n, struct laser_ids *ids,
                            struct laser_error *err)
{
    int32_t id = laser_vocab_id(&m->vocab, s, n);
    if (id < 0 && m->unk_id < 0)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "the unknown token \"%.200s\" is not in the vocabulary", m->unk);
    laser_ids_add(ids, id >= 0 ? id : m->unk_id);
    return LASER_OK;
}

static int encode_word(const struct laser_token_model *m, struct laser_token_model_scratch *w, const char *s,
                       size_t n, bool byte_level, struct laser_ids *ids, struct laser_error *err)
{
    struct laser_normalized mapped = {0};
    int rc = LASER_OK;
    if (byte_level) {
        const struct laser_byte_char *map = laser_byte_chars();
        for (size_t i = 0; i < n; i++)
            laser_normalized_add(&mapped, map[(unsigned char)s[i]].s, map[(unsigned char)s[i]].n, false);
        if (mapped.failed)
            rc = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a word of %zu bytes", n);
        s = mapped.s;
        n = mapped.n;
    }
    int32_t whole = -1;
    if (rc == LASER_OK && m->kind == LASER_MODEL_BPE && m->bpe.ignore_merges)
        whole = laser_vocab_id(&m->vocab, s, n);
    if (rc != LASER_OK)
        ;
    else if (whole >= 0)
        laser_ids_add(ids, whole);
    else if (m->kind == LASER_MODEL_BPE)
        rc = laser_bpe_encode(m, w, s, n, ids, err);
    else if (m->kind == LASER_MODEL_UNIGRAM)
        rc = laser_unigram_encode(m, w, s, n, ids, err);
    else if (m->kind == LASER_MODEL_WORDPIECE)
        rc = laser_wordpiece_encode(m, s, n, ids, err);
    else
        rc = wordlevel_encode(m, s, n, ids, err);
    laser_normalized_free(&mapped);
    return rc;
}

static bool words_grow(struct laser_token_model_scratch *w)
{
    uint64_t n = w->word ? 4 * (w->word_mask + 1) : 4096;
    struct laser_word *table = calloc(n, sizeof(*table));
    if (!table)
        return false;
    for (uint64_t i = 0; w->word && i <= w->word_mask; i++) {
        if (!w->word[i].s)
            continue;
        uint64_t h = w->word[i].hash & (n - 1);
        while (table[h].s)
            h = (h + 1) & (n - 1);
        table[h] = w->word[i];
    }
    free(w->word);
    w->word = table;
    w->word_mask = n - 1;
    return true;
}

/* As encode_word(), with the words of this call remembered: text repeats them. */
static int encode_cached(const struct laser_token_model *m, struct laser_token_model_scratch *w,
                         const char *s, size_t n, bool byte_level, struct laser_ids *ids,
                         struct laser_error *err)
{
    if (n > LONGEST_KEPT_WORD)
        return encode_word(m, w, s, n, byte_level, ids, err);
    if ((!w->word || 2 * w->n_words > w->word_mask) && w->n_words < MOST_KEPT_WORDS && !words_grow(w))
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the table of words");
    uint32_t hash = (uint32_t)XXH3_64bits(s, n);
    uint64_t h = hash & w->word_mask;
    for (; w->word[h].s; h = (h + 1) & w->word_mask) {
        const struct laser_word *seen = &w->word[h];
        if (seen->hash == hash && seen->n == n && memcmp(seen->s, s, n) == 0) {
            if (seen->n_ids > 0)
                laser_ids_add_all(ids, w->word_ids.at + seen->first, seen->n_ids);
            return LASER_OK;
        }
    }
    size_t before = ids->n;
    int rc = encode_word(m, w, s, n, byte_level, ids, err);
    if (rc != LASER_OK || ids->failed || w->n_words >= MOST_KEPT_WORDS)
        return rc;
    size_t first = w->word_ids.n;
    if (ids->n > before)
        laser_ids_add_all(&w->word_ids, ids->at + before, ids->n - before);
    if (w->word_ids.failed)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the table of words");
    w->word[h] = (struct laser_word){s, hash, (uint32_t)n, first, ids->n - before};
    w->n_words++;
    return LASER_OK;
}

int laser_token_model_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w,
                             const char *s, size_t n, bool byte_level, struct laser_ids *ids,
                             struct laser_error *err)
{
    bool cut = m->kind == LASER_MODEL_BPE && m->bpe.cut_at_meta && !byte_level && n > 3;
    int rc = LASER_OK;
    if (!cut)
        return encode_cached(m, w, s, n, byte_level, ids, err);
    int32_t whole = m->bpe.ignore_merges ? laser_vocab_id(&m->vocab, s, n) : -1;
    if (whole >= 0) {
        laser_ids_add(ids, whole);
        return LASER_OK;
    }
    if (m->bpe.ignore_merges) /* its words would be looked up whole, too, which only the piece is */
        return laser_bpe_encode(m, w, s, n, ids, err);
    size_t start = 0;
    bool after_meta = true;
    for (size_t i = 0; i < n && rc == LASER_OK; i += laser_utf8_len(s[i])) {
        bool meta = n - i >= 3 && memcmp(s + i, "\u2581", 3) == 0;
        if (meta && !after_meta) {
            rc = encode_cached(m, w, s + start, i - start, false, ids, err);
            start = i;
        }
        after_meta = meta;
    }
    return rc == LASER_OK ? encode_cached(m, w, s + start, n - start, false, ids, err) : rc;
}

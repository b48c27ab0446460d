/* Byte pair encoding: symbols merge in the order of the merges' ranks, from the left where ranks are equal.
 */
#include "tokenizer/model.h"

#include <stdlib.h>
#include <string.h>

struct laser_symbol {
    int32_t id;
    int32_t prev, next; /* -1: none */
    int32_t len;        /* 0: merged into its left neighbour */
};

struct laser_heap_item {
    uint64_t key; /* rank << 32 | position */
    int32_t id;   /* that the merge makes */
};

/* A word up to this long is searched for its lowest rank each time, which beats a heap. */
enum { SHORT_WORD = 48 };

static uint64_t hash_pair(uint64_t pair)
{
    pair *= 0x9e3779b97f4a7c15u;
    return pair ^ pair >> 29;
}

static const struct laser_merge *find_merge(const struct laser_bpe *b, int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    if (!b->merge)
        return NULL;
    for (uint64_t h = hash_pair(pair) & b->mask; b->used[h]; h = (h + 1) & b->mask) {
        if (b->merge[h].pair == pair)
            return &b->merge[h];
    }
    return NULL;
}

int laser_bpe_reserve(struct laser_token_model *m, size_t n, struct laser_error *err)
{
    struct laser_bpe *b = &m->bpe;
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    b->merge = malloc(slots * sizeof(*b->merge));
    b->used = calloc(slots, sizeof(*b->used));
    b->mask = slots - 1;
    if (!b->merge || !b->used)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %zu merges", n);
    return LASER_OK;
}

static int out_of_vocabulary(struct laser_error *err, const char *s, size_t n)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "merge token \"%.*s\" is not in the vocabulary",
                           n > 200 ? 200 : (int)n, s);
}

int laser_bpe_add_merge(struct laser_token_model *m, const char *a, size_t a_len, const char *b, size_t b_len,
                        uint32_t rank, struct laser_error *err)
{
    size_t skip = m->bpe.prefix ? strlen(m->bpe.prefix) : 0;
    int32_t left = laser_vocab_id(&m->vocab, a, a_len), right = laser_vocab_id(&m->vocab, b, b_len);
    if (left < 0)
        return out_of_vocabulary(err, a, a_len);
    if (right < 0)
        return out_of_vocabulary(err, b, b_len);
    if (b_len < skip)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "merge token \"%.*s\" is shorter than the prefix of subwords", (int)b_len, b);
    size_t n = a_len + b_len - skip;
    char *joined = malloc(n + 1);
    if (!joined)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for merges");
    memcpy(joined, a, a_len);
    memcpy(joined + a_len, b + skip, b_len - skip);
    int32_t id = laser_vocab_id(&m->vocab, joined, n);
    int rc = id < 0 ? out_of_vocabulary(err, joined, n) : LASER_OK;
    free(joined);
    if (rc != LASER_OK)
        return rc;
    if (b_len == skip || a_len == 0)
        m->bpe.strict = true;
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right, h = hash_pair(pair) & m->bpe.mask;
    while (m->bpe.used[h] && m->bpe.merge[h].pair != pair)
        h = (h + 1) & m->bpe.mask;
    m->bpe.used[h] = true; /* a repeated pair takes its last rank, as in the library's map */
    m->bpe.merge[h] = (struct laser_merge){pair, rank, id};
    return LASER_OK;
}

/* Whether a U+2581 follows something else in s. */
static bool has_inner_meta(const char *s, size_t n)
{
    for (size_t i = 3; i + 3 <= n; i++) {
        if (memcmp(s + i, "\u2581", 3) == 0 && memcmp(s + i - 3, "\u2581", 3) != 0)
            return true;
    }
    return n >= 4 && (memcmp(s + 1, "\u2581", 3) == 0 || (n >= 5 && memcmp(s + 2, "\u2581", 3) == 0));
}

/* What crosses a place in the text is in a token that some merge made; so if none of them has U+2581 behind
 * another character, and all symbols are what their names say (none is an unknown one), words do not see each
 * other. */
static bool can_cut_at_meta(const struct laser_token_model *m)
{
    const struct laser_bpe *b = &m->bpe;
    if (!b->merge || b->strict || (b->prefix && *b->prefix) || (b->suffix && *b->suffix) ||
        laser_vocab_id(&m->vocab, "\u2581", 3) < 0)
        return false;
    for (uint64_t h = 0; h <= b->mask; h++) {
        if (!b->used[h])
            continue;
        const struct laser_vocab_entry *e = laser_vocab_at(&m->vocab, b->merge[h].id);
        bool unk = (int32_t)(b->merge[h].pair >> 32) == m->unk_id ||
                   (int32_t)(uint32_t)b->merge[h].pair == m->unk_id;
        if (unk || has_inner_meta(m->vocab.bytes + e->offset, e->len))
            return false;
    }
    return true;
}

void laser_bpe_finish(struct laser_token_model *m)
{
    for (int i = 0; i < 256; i++) {
        static const char digits[] = "0123456789ABCDEF";
        char name[] = {'<', '0', 'x', digits[i >> 4], digits[i & 15], '>'};
        m->bpe.byte_id[i] = laser_vocab_id(&m->vocab, name, sizeof(name));
    }
    m->bpe.strict = m->bpe.strict || m->vocab.repeats_ids || laser_vocab_id(&m->vocab, "", 0) >= 0;
    m->bpe.cut_at_meta = can_cut_at_meta(m);
}

static void add_symbol(struct laser_token_model_scratch *w, int32_t *n, int32_t id, int32_t len)
{
    int32_t k = (*n)++;
    if (k > 0)
        w->symbol[k - 1].next = k;
    w->symbol[k] = (struct laser_symbol){id, k - 1, -1, len};
}

/* The bytes of the character as fallback tokens, if all of them are in the vocabulary. */
static bool add_bytes(const struct laser_bpe *b, struct laser_token_model_scratch *w, int32_t *n,
                      const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (b->byte_id[(unsigned char)s[i]] < 0)
            return false;
    }
    for (size_t i = 0; i < len; i++)
        add_symbol(w, n, b->byte_id[(unsigned char)s[i]], 1);
    return true;
}

/* The symbols before any merge.  An unknown character waits until the next one is known, and bytes that come
 * meanwhile overtake it; without an unknown token it is dropped: so does the library. */
static int split_word(const struct laser_token_model *m, struct laser_token_model_scratch *w, const char *s,
                      size_t n, int32_t *count, struct laser_error *err)
{
    const struct laser_bpe *b = &m->bpe;
    size_t n_prefix = b->prefix ? strlen(b->prefix) : 0, n_suffix = b->suffix ? strlen(b->suffix) : 0;
    int32_t unk_len = 0; /* of the unknown symbol that waits */
    *count = 0;
    for (size_t i = 0, len; i < n; i += len) {
        const char *name = s + i;
        size_t name_len = len = laser_utf8_len(s[i]);
        bool pre = n_prefix > 0 && i > 0, post = n_suffix > 0 && i + len == n;
        if (pre || post) {
            laser_normalized_reset(&w->mapped);
            laser_normalized_add(&w->mapped, b->prefix, pre ? n_prefix : 0, false);
            laser_normalized_add(&w->mapped, s + i, len, false);
            laser_normalized_add(&w->mapped, b->suffix, post ? n_suffix : 0, false);
            if (w->mapped.failed)
                return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a word");
            name = w->mapped.s;
            name_len = w->mapped.n;
        }
        int32_t id = laser_vocab_id(&m->vocab, name, name_len);
        if (id >= 0) {
            if (unk_len)
                add_symbol(w, count, m->unk_id, unk_len);
            unk_len = 0;
            add_symbol(w, count, id, (int32_t)len);
            continue;
        }
        if ((b->byte_fallback && add_bytes(b, w, count, name, name_len)) || !m->unk)
            continue;
        if (m->unk_id < 0)
            return laser_error_set(err, LASER_EINPUT, NULL,
                                   "the unknown token \"%.200s\" is not in the vocabulary", m->unk);
        if (unk_len && !b->fuse_unk) {
            add_symbol(w, count, m->unk_id, unk_len);
            unk_len = 0;
        }
        unk_len += (int32_t)len;
    }
    if (unk_len)
        add_symbol(w, count, m->unk_id, unk_len);
    return LASER_OK;
}

/* Merges by looking for the lowest rank, the leftmost of equals, each time. */
static int32_t merge_short(const struct laser_bpe *b, struct laser_symbol *sym, int32_t n)
{
    const struct laser_merge *pair[SHORT_WORD]; /* of symbol i and the next */
    for (int32_t i = 0; i + 1 < n; i++)
        pair[i] = find_merge(b, sym[i].id, sym[i + 1].id);
    while (n > 1) {
        int32_t best = -1;
        for (int32_t i = 0; i + 1 < n; i++) {
            if (pair[i] && (best < 0 || pair[i]->rank < pair[best]->rank))
                best = i;
        }
        if (best < 0)
            break;
        sym[best].id = pair[best]->id;
        n--;
        for (int32_t i = best + 1; i < n; i++) {
            sym[i] = sym[i + 1];
            if (i + 1 < n)
                pair[i] = pair[i + 1];
        }
        if (best + 1 < n)
            pair[best] = find_merge(b, sym[best].id, sym[best + 1].id);
        if (best > 0)
            pair[best - 1] = find_merge(b, sym[best - 1].id, sym[best].id);
    }
    return n;
}

static void sift_down(struct laser_heap_item *h, size_t n, size_t i)
{
    struct laser_heap_item x = h[i];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && h[c + 1].key < h[c].key)
            c++;
        if (x.key <= h[c].key)
            break;
        h[i] = h[c];
    }
    h[i] = x;
}

/* The heap has room for one item more than each merge can leave in it, see merge_long(). */
static void heap_push(struct laser_token_model_scratch *w, const struct laser_merge *merge, int32_t at)
{
    if (!merge)
        return;
    struct laser_heap_item x = {(uint64_t)merge->rank << 32 | (uint32_t)at, merge->id};
    size_t i = w->n_heap++;
    for (size_t up; i > 0 && w->heap[up = (i - 1) / 2].key > x.key; i = up)
        w->heap[i] = w->heap[up];
    w->heap[i] = x;
}

/* Merges with a heap of candidates; those that are out of date are known by what they would make.  At most n
 * - 1 candidates at the start and two more for each of at most n - 1 merges. */
static int merge_long(const struct laser_bpe *b, struct laser_token_model_scratch *w, int32_t n,
                      struct laser_error *err)
{
    struct laser_symbol *sym = w->symbol;
    size_t need = 3 * (size_t)n;
    if (need > w->cap_heap) {
        struct laser_heap_item *p = realloc(w->heap, need * sizeof(*p));
        if (!p)
            return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for merging %d symbols", (int)n);
        w->heap = p;
        w->cap_heap = need;
    }
    w->n_heap = 0;
    for (int32_t i = 0; i + 1 < n; i++) {
        const struct laser_merge *merge = find_merge(b, sym[i].id, sym[i + 1].id);
        if (merge)
            w->heap[w->n_heap++] =
                (struct laser_heap_item){(uint64_t)merge->rank << 32 | (uint32_t)i, merge->id};
    }
    for (size_t i = w->n_heap / 2; i-- > 0;)
        sift_down(w->heap, w->n_heap, i);
    while (w->n_heap > 0) {
        struct laser_heap_item top = w->heap[0];
        w->heap[0] = w->heap[--w->n_heap];
        if (w->n_heap > 0)
            sift_down(w->heap, w->n_heap, 0);
        int32_t at = (int32_t)(uint32_t)top.key, right = sym[at].next;
        if (sym[at].len == 0 || right < 0)
            continue;
        const struct laser_merge *merge = find_merge(b, sym[at].id, sym[right].id);
        if (!merge || merge->id != top.id)
            continue;
        sym[at].id = top.id;
        sym[at].len += sym[right].len;
        sym[at].next = sym[right].next;
        sym[right].len = 0;
        if (sym[at].next >= 0)
            sym[sym[at].next].prev = at;
        if (sym[at].prev >= 0)
            heap_push(w, find_merge(b, sym[sym[at].prev].id, sym[at].id), sym[at].prev);
        if (sym[at].next >= 0)
            heap_push(w, find_merge(b, sym[at].id, sym[sym[at].next].id), at);
    }
    return LASER_OK;
}

int laser_bpe_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w, const char *s,
                     size_t n, struct laser_ids *ids, struct laser_error *err)
{
    size_t n_prefix = m->bpe.prefix ? strlen(m->bpe.prefix) : 0,
           n_suffix = m->bpe.suffix ? strlen(m->bpe.suffix) : 0;
    size_t need =
        n * (1 + n_prefix) + n_suffix + 1; /* symbols: fallback makes one of each byte, the prefix's too */
    int32_t count;
    if (n >= INT32_MAX / 4 || need >= INT32_MAX / 4)
        return laser_error_set(err, LASER_EINPUT, NULL, "a word of %zu bytes is too long", n);
    if (need > w->cap_symbols) {
        size_t cap = need + need / 2;
        struct laser_symbol *p = realloc(w->symbol, cap * sizeof(*p));
        if (!p)
            return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a word of %zu bytes", n);
        w->symbol = p;
        w->cap_symbols = cap;
    }
    int rc = split_word(m, w, s, n, &count, err);
    if (rc != LASER_OK)
        return rc;
    if (count <= SHORT_WORD && !m->bpe.strict)
        count = merge_short(&m->bpe, w->symbol, count);
    else if ((rc = merge_long(&m->bpe, w, count, err)) != LASER_OK)
        return rc;
    for (int32_t i = 0; i < count; i++) {
        if (w->symbol[i].len > 0)
            laser_ids_add(ids, w->symbol[i].id);
    }
    return LASER_OK;
}

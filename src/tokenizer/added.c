/* Tokens added on top of the model's vocabulary. */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

/* The longest token that begins at s; -1 if none does. */
static int32_t longest_at(const struct laser_trie *t, const char *s, size_t n, size_t *len)
{
    int32_t best = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < n && (node = laser_trie_next(t, node, (unsigned char)s[i])) != UINT32_MAX; i++) {
        if (t->leaf[node] >= 0) {
            best = t->leaf[node];
            *len = i + 1;
        }
    }
    return best;
}

static bool word_before(const char *s, size_t n)
{
    uint32_t c;
    if (n == 0)
        return false;
    laser_utf8_last(s, n, &c);
    return laser_set_has(LASER_SET_RUST_WORD, c);
}

static bool word_at(const char *s, size_t n)
{
    uint32_t c;
    if (n == 0)
        return false;
    laser_utf8_get(s, &c);
    return laser_set_has(LASER_SET_RUST_WORD, c);
}

static size_t blanks_before(const char *s, size_t n)
{
    uint32_t c;
    size_t left = n;
    while (left > 0) {
        size_t len = laser_utf8_last(s, left, &c);
        if (!laser_set_has(LASER_SET_RUST_SPACE, c))
            break;
        left -= len;
    }
    return n - left;
}

static size_t blanks_at(const char *s, size_t n)
{
    uint32_t c;
    size_t i = 0;
    while (i < n) {
        size_t len = laser_utf8_get(s + i, &c);
        if (!laser_set_has(LASER_SET_RUST_SPACE, c))
            break;
        i += len;
    }
    return i;
}

static bool none_of(const struct laser_trie *t)
{
    return t->n_nodes <= 1;
}

void laser_added_split(const struct laser_added *a, bool normalized, const struct laser_pieces *in,
                       struct laser_piece piece, struct laser_pieces *out)
{
    const struct laser_trie *t = normalized ? &a->normalized : &a->plain;
    if (piece.start >= piece.end)
        return;
    const char *s = in->text.s + piece.start;
    size_t n = piece.end - piece.start, done = 0, zero = in->text.zero;
    /* The search goes on behind a match as it was found: what rstrip took may be found once more. */
    for (size_t at = 0, len = 0; !none_of(t) && at < n; at += len) {
        int32_t k = longest_at(t, s + at, n - at, &len);
        size_t start = at, stop = at + len;
        if (k < 0) {
            len = 1;
            continue;
        }
        const struct laser_added_token *token = &a->at[k];
        if (token->single_word && (word_before(s, start) || word_at(s + stop, n - stop)))
            continue;
        if (token->lstrip) {
            start -= blanks_before(s, start);
            start = start > done ? start : done;
        }
        if (token->rstrip)
            stop += blanks_at(s + stop, n - stop);
        if (done < start)
            laser_pieces_add(out, (struct laser_piece){piece.start + done, piece.start + start, -1,
                                                       piece.start + done < zero});
        if (start < stop) /* lstrip may leave nothing of a token of blanks that rstrip took before */
            laser_pieces_add(out, (struct laser_piece){piece.start + start, piece.start + stop, token->id,
                                                       piece.start + start < zero});
        done = stop;
    }
    if (done != n)
        laser_pieces_add(out,
                         (struct laser_piece){piece.start + done, piece.end, -1, piece.start + done < zero});
}

const struct laser_added_token *laser_added_by_id(const struct laser_added *a, int32_t id)
{
    /* The latest token of an id is the one that counts. */
    for (size_t i = a->n; i-- > 0;) {
        if (a->at[i].id == id)
            return &a->at[i];
    }
    return NULL;
}

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the added tokens");
}

static int load_token(const json_t *j, struct laser_added_token *t, struct laser_error *err)
{
    const char *s;
    int rc = laser_json_string(j, "content", &s, &t->n, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "single_word", false, &t->single_word, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "lstrip", false, &t->lstrip, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "rstrip", false, &t->rstrip, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "normalized", true, &t->normalized, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "special", false, &t->special, err);
    if (rc != LASER_OK)
        return rc;
    t->content = laser_strndup(s, t->n);
    return t->content ? LASER_OK : no_memory(err);
}

static int set_match(struct laser_added_token *t, const struct laser_normalizer *normalizer,
                     struct laser_error *err)
{
    struct laser_normalized text = {0};
    struct laser_matcher m = {0};
    laser_normalized_add(&text, t->content, t->n, false);
    int rc = text.failed ? no_memory(err) : LASER_OK;
    if (rc == LASER_OK && t->normalized && normalizer)
        rc = laser_normalize(normalizer, &text, &m, err);
    if (rc == LASER_OK && text.n == 0)
        rc = laser_error_set(err, LASER_EINPUT, NULL, "added token \"%.100s\" is empty once it is normalized",
                             t->content);
    if (rc == LASER_OK) {
        t->match = laser_strndup(text.s, text.n);
        t->n_match = text.n;
        rc = t->match ? LASER_OK : no_memory(err);
    }
    laser_matcher_free(&m);
    laser_normalized_free(&text);
    return rc;
}

/* Gives the token its id: what the name has already, or the next one after the model's vocabulary.  The "id"
 * of the file has no say in it.  A token that has been there before is replaced. */
static void take_id(struct laser_added *a, const struct laser_vocab *model, struct laser_added_token *t,
                    int32_t *next)
{
    int32_t id = -1;
    for (size_t i = 0; i < a->n && id < 0; i++) {
        if (a->at[i].n == t->n && memcmp(a->at[i].content, t->content, t->n) == 0)
            id = a->at[i].id;
    }
    if (id < 0)
        id = laser_vocab_id(model, t->content, t->n);
    t->id = id >= 0 ? id : (*next)++;
}

static void free_token(struct laser_added_token *t)
{
    free(t->content);
    free(t->match);
    memset(t, 0, sizeof(*t));
}

static void put_token(struct laser_added *a, struct laser_added_token *t)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->at[i].id == t->id) {
            free_token(&a->at[i]);
            a->at[i] = *t;
            return;
        }
    }
    a->at[a->n++] = *t;
}

static int make_trie(struct laser_added *a, bool normalized, struct laser_error *err)
{
    struct laser_trie *t = normalized ? &a->normalized : &a->plain;
    size_t bytes = 0;
    for (size_t i = 0; i < a->n; i++)
        bytes += a->at[i].normalized == normalized ? a->at[i].n_match : 0;
    if (!laser_trie_init(t, bytes))
        return no_memory(err);
    for (size_t i = 0; i < a->n; i++) {
        const struct laser_added_token *k = &a->at[i];
        size_t len = 0;
        if (k->normalized != normalized || (k->special && a->split_special))
            continue;
        if (longest_at(t, k->match, k->n_match, &len) >= 0 && len == k->n_match)
            return laser_error_set(err, LASER_EINPUT, NULL, "two added tokens are found by \"%.100s\"",
                                   k->match);
        if (!laser_trie_add(t, k->match, k->n_match, (int32_t)i))
            return no_memory(err);
    }
    return LASER_OK;
}

int laser_added_load(const json_t *list, const struct laser_vocab *model,
                     const struct laser_normalizer *normalizer, struct laser_added *a,
                     struct laser_error *err)
{
    int rc = LASER_OK;
    int32_t next = (int32_t)model->n;
    if (list && !json_is_array(list))
        return laser_error_set(err, LASER_EINPUT, NULL, "\"added_tokens\" is not an array");
    a->at = calloc(json_array_size(list) + 1, sizeof(*a->at));
    if (!a->at)
        return no_memory(err);
    for (size_t i = 0; i < json_array_size(list) && rc == LASER_OK; i++) {
        struct laser_added_token t = {0};
        rc = load_token(json_array_get(list, i), &t, err);
        if (rc == LASER_OK && t.n > 0) {
            take_id(a, model, &t, &next);
            rc = set_match(&t, normalizer, err);
        }
        if (rc == LASER_OK && t.n > 0)
            put_token(a, &t);
        else
            free_token(&t);
    }
    if (rc == LASER_OK)
        rc = make_trie(a, false, err);
    return rc == LASER_OK ? make_trie(a, true, err) : rc;
}

void laser_added_free(struct laser_added *a)
{
    for (size_t i = 0; i < a->n; i++)
        free_token(&a->at[i]);
    free(a->at);
    laser_trie_free(&a->plain);
    laser_trie_free(&a->normalized);
    memset(a, 0, sizeof(*a));
}

/* The models: a piece of text to ids. */
#ifndef LASER_TOKENIZER_MODEL_H
#define LASER_TOKENIZER_MODEL_H

#include "base/error.h"
#include "tokenizer/text.h"
#include "tokenizer/vocab.h"

enum laser_token_model_kind {
    LASER_MODEL_BPE,
    LASER_MODEL_UNIGRAM,
    LASER_MODEL_WORDPIECE,
    LASER_MODEL_WORDLEVEL
};

/* A pair of ids that merges into another; the lower the rank, the sooner. */
struct laser_merge {
    uint64_t pair; /* left << 32 | right */
    uint32_t rank;
    int32_t id;
};

struct laser_bpe {
    struct laser_merge *merge; /* open addressing */
    bool *used;
    uint64_t mask;
    char *prefix, *suffix; /* of subwords that go on, of words that end; NULL if none */
    bool fuse_unk, byte_fallback, ignore_merges;
    int32_t byte_id[256]; /* "<0x00>" ...; -1 where missing */
    bool strict; /* a vocabulary so odd that only the library's own order of work is sure to be equal */
    bool
        cut_at_meta; /* no merge goes across the place before a word's U+2581: words can be done one by one */
};

struct laser_trie {
    struct laser_trie_edge {
        uint64_t key; /* node << 8 | byte, plus 1; 0: free */
        uint32_t node;
    } * edge; /* open addressing */
    uint64_t mask, n_edges;
    int32_t *leaf; /* of each node: index into the vocabulary's entries, -1 if no token ends there */
    uint32_t n_nodes, cap_nodes;
};

struct laser_token_model {
    enum laser_token_model_kind kind;
    struct laser_vocab vocab;
    char *unk;      /* NULL: none */
    int32_t unk_id; /* -1: none, or not in the vocabulary */
    struct laser_bpe bpe;
    struct laser_trie trie; /* Unigram */
    double unk_score;
    bool byte_fallback;     /* Unigram */
    int64_t max_word_chars; /* WordPiece */
    char *subword_prefix;   /* WordPiece */
};

/* Ids, growing. */
struct laser_ids {
    int32_t *at;
    size_t n, cap;
    bool failed;
};

void laser_ids_add(struct laser_ids *v, int32_t id);
void laser_ids_add_all(struct laser_ids *v, const int32_t *ids, size_t n);

/* What one call of encode works with; zero it first. */
struct laser_token_model_scratch {
    struct laser_symbol *symbol;
    size_t cap_symbols;
    struct laser_heap_item *heap;
    size_t n_heap, cap_heap;
    struct laser_normalized mapped;
    struct laser_path *path;
    size_t cap_path;
    struct laser_word *word; /* open addressing: words seen in this call */
    uint64_t word_mask, n_words;
    struct laser_ids word_ids; /* ids of those words */
};

void laser_token_model_scratch_free(struct laser_token_model_scratch *w);

/* The ids of one piece.  byte_level: the bytes are still to be written as the 256 characters of byte-level
 * BPE. */
int laser_token_model_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w,
                             const char *s, size_t n, bool byte_level, struct laser_ids *ids,
                             struct laser_error *err);

/* One word by each of the models, without the memory of words. */
int laser_bpe_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w, const char *s,
                     size_t n, struct laser_ids *ids, struct laser_error *err);
int laser_unigram_encode(const struct laser_token_model *m, struct laser_token_model_scratch *w,
                         const char *s, size_t n, struct laser_ids *ids, struct laser_error *err);
int laser_wordpiece_encode(const struct laser_token_model *m, const char *s, size_t n, struct laser_ids *ids,
                           struct laser_error *err);

/* Adds a merge by its parts' names; rank is its place in the list.  The vocabulary is complete. */
int laser_bpe_add_merge(struct laser_token_model *m, const char *a, size_t a_len, const char *b, size_t b_len,
                        uint32_t rank, struct laser_error *err);
/* Room for n merges, before the first. */
int laser_bpe_reserve(struct laser_token_model *m, size_t n, struct laser_error *err);
/* After the last: finds out which short cuts are safe. */
void laser_bpe_finish(struct laser_token_model *m);

int laser_unigram_finish(struct laser_token_model *m, struct laser_error *err);

/* Byte-level BPE's character for each byte, as UTF-8 with its length. */
struct laser_byte_char {
    char s[2];
    uint8_t n;
};
const struct laser_byte_char *laser_byte_chars(void);
/* The byte that a character stands for, -1 if none. */
int laser_byte_of_char(uint32_t c);

void laser_token_model_free(struct laser_token_model *m);

#endif

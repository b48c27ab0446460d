/* Tokens by name and by id. */
#ifndef LASER_TOKENIZER_VOCAB_H
#define LASER_TOKENIZER_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No tokenizer in use has an id near this; a file that claims more is refused before memory is. */
#define LASER_VOCAB_MAX_ID (1 << 26)

struct laser_vocab_entry {
    size_t offset; /* into bytes, NUL-terminated there */
    uint32_t len;
    int32_t id;
    double score; /* Unigram only */
};

struct laser_vocab {
    char *bytes;
    size_t n_bytes, cap_bytes;
    struct laser_vocab_entry *entry; /* n of them, in the order of insertion */
    int64_t n, cap;
    uint32_t *slot; /* open addressing: index into entry + 1, 0 = free */
    uint64_t mask;
    int32_t *by_id; /* index into entry, -1 = hole; made by laser_vocab_finish() */
    int64_t id_end;
    bool repeats_ids; /* two tokens share an id: by_id has the later one */
};

/* Adds a token or, if it is there, gives it the new id and score.  False: out of memory. */
bool laser_vocab_put(struct laser_vocab *v, const char *s, size_t n, int32_t id, double score);

/* Makes by_id.  False: out of memory. */
bool laser_vocab_finish(struct laser_vocab *v);

/* NULL if the token is not there. */
const struct laser_vocab_entry *laser_vocab_find(const struct laser_vocab *v, const char *s, size_t n);

/* -1 if the token is not there. */
int32_t laser_vocab_id(const struct laser_vocab *v, const char *s, size_t n);

/* NULL if no token has the id. */
const struct laser_vocab_entry *laser_vocab_at(const struct laser_vocab *v, int64_t id);

void laser_vocab_free(struct laser_vocab *v);

#endif

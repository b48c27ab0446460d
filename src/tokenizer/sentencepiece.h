/* A SentencePiece model (tokenizer.model, spiece.model ...): the fields of its ModelProto that a tokenizer is made from.
 *
 * Read by the few lines that protobuf's wire format takes (https://protobuf.dev/programming-guides/encoding) rather
 * than by libsentencepiece: what has to be equal is the tokenizer that transformers makes from the file, which does not
 * call that library either, and a C program on a cluster is spared a C++ one. */
#ifndef LASER_TOKENIZER_SENTENCEPIECE_H
#define LASER_TOKENIZER_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum laser_spm_type {
    LASER_SPM_NORMAL = 1,
    LASER_SPM_UNKNOWN,
    LASER_SPM_CONTROL,
    LASER_SPM_USER,
    LASER_SPM_UNUSED,
    LASER_SPM_BYTE
};
enum laser_spm_kind { LASER_SPM_UNIGRAM = 1, LASER_SPM_BPE };

struct laser_spm_piece {
    char *text; /* NUL-terminated */
    size_t n;
    float score;
    int type; /* enum laser_spm_type */
};

struct laser_spm {
    struct laser_spm_piece *piece;
    size_t n, room;
    int kind; /* enum laser_spm_kind */
    int64_t unk, bos, eos;
    char *unk_piece, *bos_piece, *eos_piece; /* never NULL */
    bool byte_fallback, dummy_prefix, remove_extra, escape;
    unsigned char *charsmap;
    size_t n_charsmap;
};

/* Reads the n bytes of a model.  LASER_EINPUT: they are none, it is torn, or of a kind that is not read (word, char);
 * LASER_ENOMEM.  Free it only after LASER_OK. */
int laser_spm_read(const unsigned char *bytes, size_t n, const char *path, struct laser_spm *out,
                   struct laser_error *err);
void laser_spm_free(struct laser_spm *m);

#endif

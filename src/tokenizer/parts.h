/* The parts of a tokenizer between the file and the model. */
#ifndef LASER_TOKENIZER_PARTS_H
#define LASER_TOKENIZER_PARTS_H

#include <jansson.h>

#include "tokenizer/charsmap.h"
#include "tokenizer/model.h"
#include "tokenizer/pattern.h"
#include "tokenizer/tokenizer.h"

/* Normalizers: text to text. */
enum laser_normalizer_kind {
    LASER_NORM_SEQUENCE,
    LASER_NORM_PREPEND,
    LASER_NORM_REPLACE,
    LASER_NORM_UNICODE, /* NFC, NFD, NFKC, NFKD */
    LASER_NORM_LOWERCASE,
    LASER_NORM_STRIP,
    LASER_NORM_STRIP_ACCENTS,
    LASER_NORM_BERT,
    LASER_NORM_NMT,
    LASER_NORM_BYTE_LEVEL,
    LASER_NORM_PRECOMPILED
};

struct laser_normalizer {
    enum laser_normalizer_kind kind;
    struct laser_normalizer *child; /* Sequence */
    size_t n;
    char *text; /* Prepend, Replace */
    size_t n_text;
    struct laser_pattern *pattern;           /* Replace */
    struct laser_charsmap charsmap;          /* Precompiled */
    bool compose, compatible;                /* Unicode */
    bool left, right;                        /* Strip */
    bool clean, chinese, accents, lowercase; /* Bert */
};

int laser_normalizer_load(const json_t *j, struct laser_normalizer *out, struct laser_error *err);
void laser_normalizer_free(struct laser_normalizer *z);

/* Changes *t in place (the buffer may be another one afterwards).  m: a matcher of this call. */
int laser_normalize(const struct laser_normalizer *z, struct laser_normalized *t, struct laser_matcher *m,
                    struct laser_error *err);

/* t := in, normalized as Unicode's forms; normalize_unicode.c. */
int laser_normalize_unicode(struct laser_normalized *t, bool compose, bool compatible,
                            struct laser_error *err);

/* Pre-tokenizers: pieces to more pieces. */
enum laser_pretokenizer_kind {
    LASER_PRE_SEQUENCE,
    LASER_PRE_BYTE_LEVEL,
    LASER_PRE_SPLIT,
    LASER_PRE_METASPACE,
    LASER_PRE_WHITESPACE,
    LASER_PRE_WHITESPACE_SPLIT,
    LASER_PRE_DIGITS,
    LASER_PRE_PUNCTUATION,
    LASER_PRE_BERT,
    LASER_PRE_DELIMITER,
    LASER_PRE_FIXED_LENGTH,
    LASER_PRE_UNICODE_SCRIPTS
};

enum laser_prepend { LASER_PREPEND_FIRST, LASER_PREPEND_NEVER, LASER_PREPEND_ALWAYS };

struct laser_pretokenizer {
    enum laser_pretokenizer_kind kind;
    struct laser_pretokenizer *child; /* Sequence */
    size_t n;
    struct laser_pattern *pattern; /* ByteLevel with use_regex, Split */
    enum laser_split how;
    bool invert;
    bool prefix_space; /* ByteLevel */
    bool split;        /* Metaspace */
    bool each;         /* Digits: individual_digits */
    char mark[5];      /* Metaspace's replacement, Delimiter's character; NUL-terminated */
    enum laser_prepend prepend;
    size_t length; /* FixedLength */
};

int laser_pretokenizer_load(const json_t *j, struct laser_pretokenizer *out, struct laser_error *err);
void laser_pretokenizer_free(struct laser_pretokenizer *z);

/* What a call of encode works with; zero it first. */
struct laser_pre_scratch {
    struct laser_matcher matcher;
    struct laser_spans spans;
    struct laser_pieces other; /* the result of a step before it changes places with the pieces */
};

/* Cuts the pieces.  If the last step is ByteLevel, the bytes are left as they are and *byte_level is set. */
int laser_pretokenize(const struct laser_pretokenizer *z, struct laser_pieces *p, struct laser_pre_scratch *w,
                      bool *byte_level, struct laser_error *err);

/* Added tokens. */
struct laser_added_token {
    char *content;
    size_t n;
    char *match; /* what is looked for in the text: the content, normalized if so asked */
    size_t n_match;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct laser_added {
    struct laser_added_token *at;
    size_t n;
    struct laser_trie plain, normalized; /* leaf: index into at */
    bool split_special;                  /* special tokens are not looked for: their text is text */
};

/* Finds the tokens of one trie in a piece of the pieces in, adds them and what is between to out (whose text
 * is the same). */
void laser_added_split(const struct laser_added *a, bool normalized, const struct laser_pieces *in,
                       struct laser_piece piece, struct laser_pieces *out);
int laser_added_load(const json_t *list, const struct laser_vocab *model,
                     const struct laser_normalizer *normalizer, struct laser_added *out,
                     struct laser_error *err);
const struct laser_added_token *laser_added_by_id(const struct laser_added *a, int32_t id);
void laser_added_free(struct laser_added *a);

/* A trie over bytes (unigram.c). */
bool laser_trie_init(struct laser_trie *t, size_t n_bytes);
bool laser_trie_add(struct laser_trie *t, const char *s, size_t n, int32_t leaf);
uint32_t laser_trie_next(const struct laser_trie *t, uint32_t node,
                         unsigned char byte); /* UINT32_MAX: none */
void laser_trie_free(struct laser_trie *t);

/* Post-processors, reduced to what they do to one sequence: ids before it and behind it. */
struct laser_postprocessor {
    struct laser_ids before, after;
};

/* What the files beside tokenizer.json (tokenizer_config.json, special_tokens_map.json, added_tokens.json;
 * config.json for the model type) change in it, as transformers 5 does where they say so: add_prefix_space
 * with legacy, the cases of Bert, and tokens that tokenizer.json lacks are written into the parsed
 * tokenizer.json. */
struct laser_side {
    bool split_special; /* split_special_tokens */
    char *first,
        *last; /* tokens that the post-processor is to put around a text instead of its own; or NULL */
};

int laser_side_follow(json_t *tokenizer, const char *dir, struct laser_side *side, struct laser_error *err);
void laser_side_free(struct laser_side *side);

/* The tokenizer.json of a directory: the newest of fast_tokenizer_files that is not newer than the
 * transformers whose ways are followed ("tokenizer.4.0.0.json"), else "tokenizer.json".  name: n bytes. */
void laser_side_tokenizer(const char *dir, char *name, size_t n);

/* The class that AutoTokenizer takes by tokenizer_config.json and config.json (either may be NULL): the one that they
 * name, or the model type's; NULL: none, what the files hold is all. */
const char *laser_side_class(const json_t *config, const json_t *model);

/* JSON of a file in a directory; NULL if it is not there or cannot be read as JSON. */
json_t *laser_side_file(const char *dir, const char *name);

/* The tokenizer in the metadata of a GGUF file as a tokenizer.json, and its roles as tokenizer_config.json has
 * them; both the caller's.  LASER_EINPUT: there is none, or one of a kind that is not read. */
int laser_gguf_tokenizer(const char *path, json_t **tokenizer, json_t **roles, struct laser_error *err);

int laser_postprocessor_load(const json_t *j, struct laser_postprocessor *out, struct laser_error *err);
void laser_postprocessor_free(struct laser_postprocessor *p);

/* Decoders. */
enum laser_decoder_kind {
    LASER_DEC_BYTE_LEVEL,
    LASER_DEC_REPLACE,
    LASER_DEC_BYTE_FALLBACK,
    LASER_DEC_FUSE,
    LASER_DEC_STRIP,
    LASER_DEC_METASPACE,
    LASER_DEC_WORDPIECE,
    LASER_DEC_BPE,
    LASER_DEC_CTC
};

struct laser_decoder_step {
    enum laser_decoder_kind kind;
    struct laser_pattern *pattern; /* Replace */
    char *text; /* Replace's content, Strip's and Metaspace's character, prefix, suffix or padding */
    size_t n_text;
    char *blank; /* CTC: what stands between words */
    size_t n_blank;
    size_t start, stop; /* Strip */
    bool flag;          /* WordPiece, CTC: cleanup; Metaspace: the first one is dropped */
};

struct laser_decoder {
    struct laser_decoder_step *step;
    size_t n;
    bool none;     /* no decoder in the file: tokens are joined with blanks */
    char *refused; /* type of a decoder that is not supported, NULL if all are */
};

int laser_decoder_load(const json_t *j, struct laser_decoder *out, struct laser_error *err);
void laser_decoder_free(struct laser_decoder *d);

struct laser_tokenizer {
    struct laser_token_model model;
    struct laser_normalizer *normalizer;      /* NULL: none */
    struct laser_pretokenizer *pre_tokenizer; /* NULL: none */
    struct laser_added added;
    struct laser_postprocessor post;
    struct laser_decoder decoder;
    int64_t size, id_end;
    int32_t role[LASER_TOKEN_ROLES];
};

/* A key of a Unigram model whose scores are the numbers themselves, not what serde makes of their decimals. */
#define LASER_EXACT_SCORES "exact_scores"

/* Helpers for reading JSON: what is missing or of a wrong type is named. */
int laser_json_string(const json_t *obj, const char *key, const char **s, size_t *n, struct laser_error *err);
int laser_token_model_load(const json_t *j, struct laser_token_model *m, struct laser_error *err);
int laser_json_bool(const json_t *obj, const char *key, bool fallback, bool *out, struct laser_error *err);
const char *laser_json_type(const json_t *obj); /* the value of "type", "(none)" if it has none */
/* {"String": s} or {"Regex": r}. */
int laser_json_pattern(const json_t *obj, struct laser_pattern **out, struct laser_error *err);
/* A whole file, NUL-terminated; *n without a BOM and the NUL.  LASER_EINPUT (not there, not a regular file),
 * LASER_EIO, LASER_ENOMEM. */
int laser_tokenizer_file(const char *path, char **text, size_t *n, struct laser_error *err);
json_t *laser_tokenizer_json(const char *text, size_t n, const char *name, struct laser_error *err);
char *laser_strndup(const char *s, size_t n); /* like strndup, but NUL bytes are copied */

#endif

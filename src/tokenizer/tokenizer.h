/* Text to token ids, as the Hugging Face `tokenizers` library does it from a tokenizer.json.
 *
 * Reads the models BPE (byte-level, and SentencePiece-style with byte fallback), Unigram, WordPiece and
 * WordLevel with their normalizers, pre-tokenizers, added tokens and post-processors.  What cannot be done
 * exactly as the library does it is refused by name with LASER_EINPUT when the file is loaded (the
 * parts: src/tokenizer/parts.h).
 *
 * A tokenizer is immutable once loaded: any number of threads may use one at the same time.
 */
#ifndef LASER_TOKENIZER_TOKENIZER_H
#define LASER_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct laser_tokenizer;

/* Reads tokenizer.json; path is that file or the model directory that holds it, or a GGUF file, whose
 * metadata have its parts (tokenizer/gguf.c).  The tokenizer is what the
 * file says: its truncation and padding sections are ignored (transformers switches both off for a plain
 * call).  A UTF-8 BOM and CRLF line ends are accepted.  From a directory, special_tokens_map.json,
 * tokenizer_config.json and config.json say which tokens are bos, eos, unk, pad and mask, and what they state
 * of add_prefix_space, split_special_tokens, cases and further tokens is followed as by the class that
 * transformers 5 takes (side_files.c). *out is owned by the caller, laser_tokenizer_free() gives it back; it
 * is NULL after an error. Errors: LASER_EIO (cannot be read), LASER_EINPUT (not there, malformed, or a
 * feature that is refused, named), LASER_ENOMEM. */
int laser_tokenizer_load(const char *path, struct laser_tokenizer **out, struct laser_error *err);

/* Is there a tokenizer in the directory: tokenizer.json, or what one can be made from (tokenizer/assemble.h)? */
bool laser_tokenizer_is_in(const char *dir);

/* As laser_tokenizer_load(), from the text of a tokenizer.json in memory; name is used in errors only. */
int laser_tokenizer_load_buffer(const char *json, size_t size_bytes, const char *name,
                                struct laser_tokenizer **out, struct laser_error *err);

/* NULL is fine. */
void laser_tokenizer_free(struct laser_tokenizer *t);

/* The ids of n_bytes of UTF-8 (NUL bytes are text like any other).  add_special says whether the
 * post-processor adds its tokens (BOS, EOS, CLS ...), as add_special_tokens in Python; special tokens written
 * out in the text are found either way.  *ids (allocated with malloc, never NULL on success) is freed by the
 * caller; *n is their number, 0 for an empty text. Errors: LASER_EINPUT (not UTF-8: the byte position is
 * named; a text that the model has no token for; a pattern that needs too much backtracking), LASER_ENOMEM.
 */
int laser_tokenizer_encode(const struct laser_tokenizer *t, const char *text, size_t n_bytes,
                           bool add_special, int32_t **ids, int64_t *n, struct laser_error *err);

/* The text of n ids, NUL-terminated, allocated with malloc; *n_bytes (may be NULL) is its length without the
 * NUL. Ids that the tokenizer does not have are left out, special tokens too if skip_special is set. Errors:
 * LASER_EINPUT (the file has a decoder that is not supported, named), LASER_ENOMEM. */
int laser_tokenizer_decode(const struct laser_tokenizer *t, const int32_t *ids, int64_t n, bool skip_special,
                           char **text, size_t *n_bytes, struct laser_error *err);

/* Number of distinct tokens, added ones included (len(tokenizer) in Python). */
int64_t laser_tokenizer_vocab_size(const struct laser_tokenizer *t);

/* Largest id plus one: what the embedding of a model must have at least; larger than the size if there are
 * holes. */
int64_t laser_tokenizer_id_end(const struct laser_tokenizer *t);

/* -1 if there is no such token.  The token is named as in the file ("Ġthe", "<0x0A>"). */
int32_t laser_tokenizer_token_to_id(const struct laser_tokenizer *t, const char *token, size_t n_bytes);

/* The token's text, owned by the tokenizer, NUL-terminated; NULL if there is no such id.  n_bytes may be
 * NULL. */
const char *laser_tokenizer_id_to_token(const struct laser_tokenizer *t, int32_t id, size_t *n_bytes);

/* Whether the id belongs to a token marked special in the file. */
bool laser_tokenizer_is_special(const struct laser_tokenizer *t, int32_t id);

/* Ids of the roles that the files beside tokenizer.json give (special_tokens_map.json, tokenizer_config.json,
 * then config.json's bos_token_id and eos_token_id); -1 where none of them names one, always for
 * load_buffer(). */
enum laser_token_role {
    LASER_TOKEN_BOS,
    LASER_TOKEN_EOS,
    LASER_TOKEN_UNK,
    LASER_TOKEN_PAD,
    LASER_TOKEN_MASK, /* also a special token <mask> or [MASK] that no file names */
    LASER_TOKEN_ROLES
};
int32_t laser_tokenizer_role_id(const struct laser_tokenizer *t, enum laser_token_role role);

/* What the model gives for what it has no token for; where it has none of its own, the files' unk; -1: none. */
int32_t laser_tokenizer_unknown(const struct laser_tokenizer *t);

/* Ids that the post-processor puts before a text when add_special is set (a BOS as a rule); *n may be 0. */
const int32_t *laser_tokenizer_prefix(const struct laser_tokenizer *t, int64_t *n);

/* Whether the post-processor puts the BOS of the files first. */
bool laser_tokenizer_adds_bos(const struct laser_tokenizer *t);

/* Offset of the first byte that is not well-formed UTF-8 (surrogates and overlong forms are not), n_bytes if
 * none. */
size_t laser_utf8_valid_prefix(const char *text, size_t n_bytes);

/* A copy of the text with each ill-formed part replaced by U+FFFD, as Python's decode(errors="replace") does;
 * for callers that would rather go on than refuse.  *out is freed by the caller.  Errors: LASER_ENOMEM. */
int laser_utf8_repair(const char *text, size_t n_bytes, char **out, size_t *out_bytes,
                      struct laser_error *err);

#endif

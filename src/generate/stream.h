/* Token ids that come one by one, as text: what a token adds depends on its neighbours (blanks of
 * SentencePiece, characters whose bytes are several tokens), so that text is handed out once it is certain.
 */
#ifndef LASER_GENERATE_STREAM_H
#define LASER_GENERATE_STREAM_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "tokenizer/tokenizer.h"

struct laser_stream {
    const struct laser_tokenizer *tokenizer;
    int32_t *ids;  /* prompt and generated; borrowed */
    int64_t first; /* ids before it no longer matter */
    int64_t read;  /* ids whose text was handed out */
    int64_t count;
};

/* Begins behind a prompt: ids[0 .. prompt - 1], whose text is not handed out. */
void laser_stream_start(struct laser_stream *stream, const struct laser_tokenizer *tokenizer, int32_t *ids,
                        int64_t prompt);

/* ids[count] was added: appends to *text what is now certain, often nothing.  Special tokens have no text.
 * LASER_EINPUT: a decoder that is not supported; LASER_ENOMEM. */
int laser_stream_push(struct laser_stream *stream, struct laser_text *text, struct laser_error *err);

/* Appends what was held back: bytes that never became a character are U+FFFD. */
int laser_stream_end(struct laser_stream *stream, struct laser_text *text, struct laser_error *err);

#endif

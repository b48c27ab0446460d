#include "generate/stream.h"

#include <stdlib.h>
#include <string.h>

void laser_stream_start(struct laser_stream *stream, const struct laser_tokenizer *tokenizer, int32_t *ids,
                        int64_t prompt)
{
    *stream = (struct laser_stream){.tokenizer = tokenizer, .ids = ids, .read = prompt, .count = prompt};
}

static bool ends_unfinished(const char *text, size_t n)
{
    return n >= 3 && memcmp(text + n - 3, "\xef\xbf\xbd", 3) == 0;
}

static int decode(const struct laser_stream *s, int64_t from, int64_t to, char **text, size_t *n,
                  struct laser_error *err)
{
    return laser_tokenizer_decode(s->tokenizer, s->ids + from, to - from, true, text, n, err);
}

/* As a rule the text of ids first .. count - 1 begins with that of first .. read - 1, and the rest is new.
 * Not where bytes that were a character are followed by some that are none, which spoil the whole run of
 * bytes: then what is new is decoded by itself. */
static int hand_out(struct laser_stream *s, bool all, struct laser_text *out, struct laser_error *err)
{
    char *old = NULL, *now = NULL;
    size_t n_old, n_now;
    int code = decode(s, s->first, s->read, &old, &n_old, err);

    if (code == LASER_OK)
        code = decode(s, s->first, s->count, &now, &n_now, err);
    if (code == LASER_OK && (n_now < n_old || memcmp(now, old, n_old) != 0)) {
        free(now);
        now = NULL;
        n_old = 0;
        code = decode(s, s->read, s->count, &now, &n_now, err);
    }
    if (code == LASER_OK && n_now > n_old && (all || !ends_unfinished(now, n_now))) {
        laser_text_add(out, now + n_old, n_now - n_old);
        s->first = s->read;
        s->read = s->count;
        if (out->failed)
            code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the text");
    }
    free(old);
    free(now);
    return code;
}

int laser_stream_push(struct laser_stream *stream, struct laser_text *text, struct laser_error *err)
{
    stream->count++;
    return hand_out(stream, false, text, err);
}

int laser_stream_end(struct laser_stream *stream, struct laser_text *text, struct laser_error *err)
{
    return hand_out(stream, true, text, err);
}

/* The command `tokenize`: a text as the tokens that a model's tokenizer makes of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "checkpoint/locate.h"
#include "commands/serial.h"
#include "tokenizer/tokenizer.h"

#define MOST_BYTES   ((size_t)1 << 31)
#define BLOCK_TOKENS 4096 /* that are handed to the log at once */

/* A text and its tokens. */
struct tokens {
    const char *name; /* of the file */
    struct laser_tokenizer *tokenizer;
    char *text;
    size_t bytes;
    int32_t *ids;
    int64_t n, unknown, kinds;
};

static int read_input(char **text, size_t *n, struct laser_error *err)
{
    struct laser_text all = {0};
    char part[65536];
    size_t got;

    while ((got = fread(part, 1, sizeof part, stdin)) > 0 && all.size <= MOST_BYTES)
        laser_text_add(&all, part, got);
    if (ferror(stdin) || all.failed || all.size > MOST_BYTES) {
        int code = all.failed      ? laser_error_set(err, LASER_ENOMEM, "-", "no memory for the text")
                   : ferror(stdin) ? laser_error_set(err, LASER_EIO, "-", "cannot read the standard input")
                                   : laser_error_set(err, LASER_EINPUT, "-", "more than 2 GB of text");
        laser_text_free(&all);
        return code;
    }
    *n = all.size;
    if (all.data == NULL)
        laser_text_add(&all, "", 0);
    *text = all.data != NULL ? laser_text_take(&all) : calloc(1, 1);
    return *text != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, "-", "no memory for the text");
}

/* The tokenizer of a model: in its directory, its GGUF file, or its snapshot in the hub cache. */
static int load_tokenizer(const char *model, struct laser_tokenizer **out, struct laser_error *err)
{
    struct stat st;
    char *dir = NULL;
    int code;

    if (*model == '\0')
        return laser_error_set(err, LASER_EUSAGE, "--model", "whose tokenizer? give --model DIR");
    if (stat(model, &st) == 0)
        return laser_tokenizer_load(model, out, err);
    code = laser_location_hub(model, &dir, err);
    if (code == LASER_OK)
        code = laser_tokenizer_load(dir, out, err);
    free(dir);
    return code;
}

static int count_kinds(struct tokens *t, struct laser_error *err)
{
    const int64_t end = laser_tokenizer_id_end(t->tokenizer);
    const int32_t unknown = laser_tokenizer_unknown(t->tokenizer);
    bool *seen = calloc((size_t)end + 1, sizeof *seen);

    if (seen == NULL)
        return laser_error_set(err, LASER_ENOMEM, t->name, "no memory for %" PRId64 " marks", end);
    for (int64_t i = 0; i < t->n; ++i) {
        const int32_t id = t->ids[i];
        t->unknown += id == unknown;
        t->kinds += id < end && !seen[id];
        if (id < end)
            seen[id] = true;
    }
    free(seen);
    return LASER_OK;
}

/* ---- showing ---- */

static void show_row(struct laser_text *out, const struct tokens *t, int64_t i)
{
    size_t n = 0;
    const char *piece = laser_tokenizer_id_to_token(t->tokenizer, t->ids[i], &n);

    laser_text_printf(out, "%8" PRId64 " %8" PRId32 "  \"", i, t->ids[i]);
    for (size_t k = 0; k < n; ++k) { /* line breaks and tabs as they are written in C */
        if (piece[k] == '\n' || piece[k] == '\t' || piece[k] == '"' || piece[k] == '\\')
            laser_text_printf(out, "\\%c", piece[k] == '\n' ? 'n' : piece[k] == '\t' ? 't' : piece[k]);
        else if ((unsigned char)piece[k] < 0x20 || piece[k] == 0x7f)
            laser_text_printf(out, "\\x%02x", (unsigned)(unsigned char)piece[k]);
        else
            laser_text_add(out, piece + k, 1);
    }
    laser_text_printf(out, "\"%s\n", laser_tokenizer_is_special(t->tokenizer, t->ids[i]) ? "  special" : "");
}

static int show_tokens(const struct tokens *t, struct laser_log *log, struct laser_error *err)
{
    struct laser_text block = {0};
    int code = LASER_OK;

    for (int64_t i = 0; i < t->n && code == LASER_OK; ++i) {
        const char *piece = laser_tokenizer_id_to_token(t->tokenizer, t->ids[i], NULL);
        json_t *value =
            json_pack("{s:I, s:i, s:s*, s:b}", "position", (json_int_t)i, "id", t->ids[i], "piece", piece,
                      "special", laser_tokenizer_is_special(t->tokenizer, t->ids[i]));

        laser_log_value(log, "TOKEN", "token", value);
        show_row(&block, t, i);
        if (i + 1 < t->n && (i + 1) % BLOCK_TOKENS != 0)
            continue;
        if (block.failed)
            code = laser_error_set(err, LASER_ENOMEM, t->name, "no memory for the list of tokens");
        else
            laser_log_block(log, block.data);
        laser_text_free(&block);
    }
    return code;
}

static void show_counts(const struct tokens *t, struct laser_log *log)
{
    struct laser_text text = {0};
    int64_t characters = 0;

    for (size_t i = 0; i < t->bytes; ++i)
        characters += ((unsigned char)t->text[i] & 0xc0) != 0x80;
    laser_log_value(log, "TOKENS", "counts",
                    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "file", t->name, "tokens",
                              (json_int_t)t->n, "kinds", (json_int_t)t->kinds, "unknown",
                              (json_int_t)t->unknown, "bytes", (json_int_t)t->bytes, "characters",
                              (json_int_t)characters, "vocabulary",
                              (json_int_t)laser_tokenizer_vocab_size(t->tokenizer)));
    laser_text_printf(&text,
                      "TOKENS     %" PRId64 " of %zu bytes (%" PRId64 " characters), %" PRId64
                      " kinds of %" PRId64 " in the vocabulary",
                      t->n, t->bytes, characters, t->kinds, laser_tokenizer_vocab_size(t->tokenizer));
    if (t->n > 0)
        laser_text_printf(&text, ", %.3f bytes a token", (double)t->bytes / (double)t->n);
    if (t->unknown > 0)
        laser_text_printf(&text, ", %" PRId64 " unknown", t->unknown);
    laser_text_puts(&text, "\n");
    if (text.data != NULL && !text.failed)
        laser_log_block(log, text.data);
    laser_text_free(&text);
}

int laser_command_tokenize(struct laser_run *run, struct laser_error *err)
{
    struct tokens t = {.name = run->arguments[0]};
    int code = load_tokenizer(run->settings->model, &t.tokenizer, err);

    if (code == LASER_OK)
        code = strcmp(t.name, "-") == 0 ? read_input(&t.text, &t.bytes, err)
                                        : laser_file_read(t.name, MOST_BYTES, &t.text, &t.bytes, err);
    if (code == LASER_OK) {
        code = laser_tokenizer_encode(t.tokenizer, t.text, t.bytes, run->settings->tokenize.special_tokens,
                                      &t.ids, &t.n, err);
        if (code != LASER_OK && err->where[0] == '\0')
            snprintf(err->where, sizeof err->where, "%s", t.name);
    }
    if (code == LASER_OK)
        code = count_kinds(&t, err);
    if (code == LASER_OK)
        code = show_tokens(&t, run->log, err);
    if (code == LASER_OK)
        show_counts(&t, run->log);
    free(t.ids);
    free(t.text);
    laser_tokenizer_free(t.tokenizer);
    return code;
}

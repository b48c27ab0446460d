/* Ids back to text. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for decoding");
}

/* The strings of a step are pieces of one text; token 0 keeps empty ones. */
static void end_string(struct laser_pieces *p, size_t start)
{
    laser_pieces_add(p, (struct laser_piece){start, p->text.n, 0, false});
}

static void add(struct laser_pieces *p, const char *s, size_t n)
{
    laser_normalized_add(&p->text, s, n, false);
}

static const char *string_at(const struct laser_pieces *p, size_t i)
{
    return p->text.s ? p->text.s + p->at[i].start : "";
}

static void byte_level(const struct laser_pieces *in, struct laser_pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const char *s = string_at(in, i);
        size_t n = in->at[i].end - in->at[i].start, before = out->text.n;
        for (size_t k = 0; k < n;) {
            uint32_t c;
            k += laser_utf8_get(s + k, &c);
            int byte = laser_byte_of_char(c);
            if (byte < 0) { /* one foreign character: the token is taken as it is */
                out->text.n = before;
                add(out, s, n);
                break;
            }
            add(out, (char[]){(char)byte}, 1);
        }
    }
    char *good = NULL;
    size_t n;
    if (laser_utf8_repair(out->text.n ? out->text.s : "", out->text.n, &good, &n, NULL) != LASER_OK) {
        out->failed = true;
        return;
    }
    laser_normalized_reset(&out->text);
    add(out, good, n);
    end_string(out, 0);
    free(good);
}

static int replace(const struct laser_decoder_step *d, const struct laser_pieces *in,
                   struct laser_pieces *out, struct laser_error *err)
{
    struct laser_matcher m = {0};
    struct laser_spans spans = {0};
    int rc = LASER_OK;
    for (size_t i = 0; i < in->n && rc == LASER_OK; i++) {
        const char *s = string_at(in, i);
        size_t start = out->text.n;
        rc = laser_pattern_find(d->pattern, &m, s, in->at[i].end - in->at[i].start, &spans, err);
        for (size_t k = 0; k < spans.n && rc == LASER_OK; k++) {
            if (spans.at[k].match)
                add(out, d->text, d->n_text);
            else
                add(out, s + spans.at[k].start, spans.at[k].end - spans.at[k].start);
        }
        out->failed = out->failed || spans.failed;
        end_string(out, start);
    }
    laser_matcher_free(&m);
    laser_spans_free(&spans);
    return rc;
}

/* 0 to 255 for "<0xHH>", -1 for anything else. */
static int fallback_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    char hex[] = {s[3], s[4], '\0'}, *end;
    bool digits = strspn(hex, "0123456789abcdefABCDEF") == 2 ||
                  (hex[0] == '+' && strspn(hex + 1, "0123456789abcdefABCDEF") == 1);
    return digits ? (int)strtol(hex, &end, 16) : -1;
}

/* Writes the bytes since start, which came from fallback tokens, as text, or as one U+FFFD for each of them.
 */
static void end_bytes(struct laser_pieces *out, size_t start)
{
    size_t n = out->text.n - start;
    if (n == 0 || out->text.failed)
        return;
    if (laser_utf8_valid_prefix(out->text.s + start, n) == n) {
        end_string(out, start);
        return;
    }
    out->text.n = start;
    for (size_t i = 0; i < n; i++) {
        add(out, "\xef\xbf\xbd", 3);
        end_string(out, out->text.n - 3);
    }
}

static void byte_fallback(const struct laser_pieces *in, struct laser_pieces *out)
{
    size_t start = 0; /* of the bytes at the end of out that are not yet a string */
    for (size_t i = 0; i < in->n; i++) {
        const char *s = string_at(in, i);
        size_t n = in->at[i].end - in->at[i].start;
        int byte = fallback_byte(s, n);
        if (byte >= 0) {
            add(out, (char[]){(char)byte}, 1);
            continue;
        }
        end_bytes(out, start);
        start = out->text.n;
        add(out, s, n);
        end_string(out, start);
        start = out->text.n;
    }
    end_bytes(out, start);
}

static void strip(const struct laser_decoder_step *d, const struct laser_pieces *in, struct laser_pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const char *s = string_at(in, i);
        size_t n = in->at[i].end - in->at[i].start, start = 0, end = n, before = out->text.n;
        for (size_t k = 0;
             k < d->start && n - start >= d->n_text && memcmp(s + start, d->text, d->n_text) == 0; k++)
            start += d->n_text;
        for (size_t k = 0;
             k < d->stop && end >= d->n_text && memcmp(s + end - d->n_text, d->text, d->n_text) == 0; k++)
            end -= d->n_text;
        if (start < end)
            add(out, s + start, end - start);
        end_string(out, before);
    }
}

/* Copies s with each "from" written as "to". */
static void add_replaced(struct laser_pieces *out, const char *s, size_t n, const char *from, size_t n_from,
                         const char *to)
{
    for (size_t i = 0; i < n;) {
        if (n_from > 0 && n - i >= n_from && memcmp(s + i, from, n_from) == 0) {
            add(out, to, strlen(to));
            i += n_from;
        } else {
            add(out, s + i++, 1);
        }
    }
}

/* Takes the blanks out that wordpieces leave before punctuation, in the string since start. */
static void clean_up(struct laser_pieces *out, size_t start)
{
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs) && !out->text.failed; k++) {
        size_t n = out->text.n - start;
        char *copy = laser_strndup(out->text.s + start, n);
        if (!copy) {
            out->failed = true;
            return;
        }
        out->text.n = start;
        add_replaced(out, copy, n, pairs[k][0], strlen(pairs[k][0]), pairs[k][1]);
        free(copy);
    }
}

static void words(const struct laser_decoder_step *d, const struct laser_pieces *in, struct laser_pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        const char *s = string_at(in, i);
        size_t n = in->at[i].end - in->at[i].start, start = out->text.n;
        bool goes_on = n >= d->n_text && memcmp(s, d->text, d->n_text) == 0;
        switch (d->kind) {
        case LASER_DEC_WORDPIECE:
            if (i > 0 && !goes_on)
                add(out, " ", 1);
            if (i > 0 && goes_on)
                add(out, s + d->n_text, n - d->n_text);
            else
                add(out, s, n);
            if (d->flag)
                clean_up(out, start);
            break;
        case LASER_DEC_METASPACE:
            add_replaced(out, s, n, d->text, d->n_text, i == 0 && d->flag ? "" : " ");
            break;
        default: /* BPEDecoder */
            add_replaced(out, s, n, d->text, d->n_text, i + 1 == in->n ? "" : " ");
        }
        end_string(out, start);
    }
}

static bool is_repeated(const struct laser_pieces *p, size_t i)
{
    size_t n = p->at[i].end - p->at[i].start;
    return i > 0 && p->at[i - 1].end - p->at[i - 1].start == n &&
           memcmp(string_at(p, i), string_at(p, i - 1), n) == 0;
}

/* Frames of speech: one of equal neighbours stays, without paddings. */
static void frames(const struct laser_decoder_step *d, const struct laser_pieces *in,
                   struct laser_pieces *out)
{
    for (size_t i = 0; i < in->n; i++) {
        size_t start = out->text.n, n;
        char *cleaned;
        if (is_repeated(in, i))
            continue;
        add_replaced(out, string_at(in, i), in->at[i].end - in->at[i].start, d->text, d->n_text, "");
        if (d->flag && out->text.n > start) {
            clean_up(out, start);
            n = out->text.n - start;
            cleaned = laser_strndup(out->text.s + start, n);
            if (!cleaned) {
                out->failed = true;
                return;
            }
            out->text.n = start;
            add_replaced(out, cleaned, n, d->blank, d->n_blank, " ");
            free(cleaned);
        }
        if (out->text.n > start)
            end_string(out, start);
    }
}

static int run_step(const struct laser_decoder_step *d, const struct laser_pieces *in,
                    struct laser_pieces *out, struct laser_error *err)
{
    int rc = LASER_OK;
    switch (d->kind) {
    case LASER_DEC_BYTE_LEVEL:
        byte_level(in, out);
        break;
    case LASER_DEC_REPLACE:
        rc = replace(d, in, out, err);
        break;
    case LASER_DEC_BYTE_FALLBACK:
        byte_fallback(in, out);
        break;
    case LASER_DEC_FUSE:
        for (size_t i = 0; i < in->n; i++)
            add(out, string_at(in, i), in->at[i].end - in->at[i].start);
        end_string(out, 0);
        break;
    case LASER_DEC_STRIP:
        strip(d, in, out);
        break;
    case LASER_DEC_CTC:
        frames(d, in, out);
        break;
    default:
        words(d, in, out);
    }
    return rc == LASER_OK && (out->failed || out->text.failed) ? no_memory(err) : rc;
}

static bool is_special_name(const struct laser_added *a, const char *s, size_t n)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->at[i].special && a->at[i].n == n && memcmp(a->at[i].content, s, n) == 0)
            return true;
    }
    return false;
}

int laser_tokenizer_decode(const struct laser_tokenizer *t, const int32_t *ids, int64_t n, bool skip_special,
                           char **text, size_t *n_bytes, struct laser_error *err)
{
    struct laser_pieces cur = {0};
    int rc = LASER_OK;
    *text = NULL;
    if (t->decoder.refused)
        return laser_error_set(err, LASER_EINPUT, NULL, "decoder \"%.100s\" is not supported",
                               t->decoder.refused);
    for (int64_t i = 0; i < n; i++) {
        size_t len, start = cur.text.n;
        const char *s = laser_tokenizer_id_to_token(t, ids[i], &len);
        if (!s || (skip_special && is_special_name(&t->added, s, len)))
            continue;
        if (t->decoder.none && cur.n > 0)
            add(&cur, " ", 1);
        add(&cur, s, len);
        end_string(&cur, start);
    }
    if (cur.failed || cur.text.failed)
        rc = no_memory(err);
    for (size_t k = 0; k < t->decoder.n && rc == LASER_OK; k++) {
        struct laser_pieces next = {0};
        rc = run_step(&t->decoder.step[k], &cur, &next, err);
        laser_pieces_free(&cur);
        cur = next;
    }
    if (rc == LASER_OK && !(*text = laser_strndup(cur.text.s, cur.text.n)))
        rc = no_memory(err);
    if (rc == LASER_OK && n_bytes)
        *n_bytes = cur.text.n;
    laser_pieces_free(&cur);
    return rc;
}

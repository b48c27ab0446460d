#include "tokenizer/sentencepiece.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"

/* Numbers of fields in sentencepiece_model.proto. */
enum { MODEL_PIECE = 1, MODEL_TRAINER, MODEL_NORMALIZER };
enum { PIECE_TEXT = 1, PIECE_SCORE, PIECE_TYPE };
enum {
    TRAINER_KIND = 3,
    TRAINER_FALLBACK = 35,
    TRAINER_UNK = 40,
    TRAINER_BOS,
    TRAINER_EOS,
    TRAINER_UNK_PIECE = 45,
    TRAINER_BOS_PIECE,
    TRAINER_EOS_PIECE
};
enum { NORMALIZER_CHARSMAP = 2, NORMALIZER_PREFIX, NORMALIZER_REMOVE, NORMALIZER_ESCAPE };

enum wire { VARINT, FIXED64, BYTES, FIXED32 = 5 };

/* One field of a message. */
struct field {
    uint64_t number, value; /* of VARINT, and FIXED32 as it is */
    enum wire wire;
    const unsigned char *bytes; /* of BYTES */
    size_t n;
};

struct reader {
    const unsigned char *at, *end, *begin;
    const char *path;
    struct laser_error *err;
};

static int torn(const struct reader *r)
{
    return laser_error_set(r->err, LASER_EINPUT, r->path,
                           "not a SentencePiece model, or a torn one: byte %zu does not belong there",
                           (size_t)(r->at - r->begin));
}

static int no_memory(const struct reader *r)
{
    return laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory for the SentencePiece model");
}

static bool read_varint(struct reader *r, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        const unsigned char byte = *r->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* False: torn. */
static bool read_field(struct reader *r, struct field *f)
{
    uint64_t tag;

    *f = (struct field){0};
    if (!read_varint(r, &tag))
        return false;
    f->number = tag >> 3;
    f->wire = (enum wire)(tag & 7);
    switch (f->wire) {
    case VARINT:
        return read_varint(r, &f->value);
    case BYTES:
        if (!read_varint(r, &f->value) || f->value > (uint64_t)(r->end - r->at))
            return false;
        break;
    case FIXED32:
    case FIXED64:
        f->value = f->wire == FIXED32 ? 4 : 8;
        if (f->value > (uint64_t)(r->end - r->at))
            return false;
        break;
    default:
        return false;
    }
    f->bytes = r->at;
    f->n = (size_t)f->value;
    r->at += f->n;
    if (f->wire == FIXED32)
        f->value = (uint64_t)f->bytes[0] | (uint64_t)f->bytes[1] << 8 | (uint64_t)f->bytes[2] << 16 |
                   (uint64_t)f->bytes[3] << 24;
    return true;
}

static struct reader within(const struct reader *r, const struct field *f)
{
    struct reader inner = *r;

    inner.at = f->bytes;
    inner.end = f->bytes + f->n;
    return inner;
}

/* Takes the text of a field in the place of *text.  False: no UTF-8, or no memory. */
static bool take_text(const struct field *f, char **text)
{
    const char *s = (const char *)f->bytes;
    char *copy = f->wire == BYTES && laser_utf8_valid_prefix(s, f->n) == f->n ? laser_strndup(s, f->n) : NULL;

    if (copy == NULL)
        return false;
    free(*text);
    *text = copy;
    return true;
}

static int read_piece(struct reader r, struct laser_spm *m)
{
    struct laser_spm_piece piece = {.type = LASER_SPM_NORMAL};
    struct field f;
    bool good = true;

    while (good && r.at < r.end) {
        good = read_field(&r, &f);
        if (good && f.number == PIECE_TEXT) {
            good = take_text(&f, &piece.text);
            piece.n = f.n;
        } else if (good && f.number == PIECE_SCORE && f.wire == FIXED32) {
            const uint32_t bits = (uint32_t)f.value;
            memcpy(&piece.score, &bits, sizeof piece.score);
        } else if (good && f.number == PIECE_TYPE) {
            piece.type = (int)f.value;
        }
    }
    if (good && m->n == m->room) {
        const size_t room = m->room ? 2 * m->room : 1024;
        struct laser_spm_piece *more = realloc(m->piece, room * sizeof *more);
        if (more == NULL) {
            free(piece.text);
            return no_memory(&r);
        }
        m->piece = more;
        m->room = room;
    }
    if (!good || piece.text == NULL) {
        free(piece.text);
        return torn(&r);
    }
    m->piece[m->n++] = piece;
    return LASER_OK;
}

static int read_trainer(struct reader r, struct laser_spm *m)
{
    struct field f;

    while (r.at < r.end) {
        bool good = read_field(&r, &f);
        switch (good ? (int)f.number : 0) {
        case TRAINER_KIND:
            m->kind = (int)f.value;
            break;
        case TRAINER_FALLBACK:
            m->byte_fallback = f.value != 0;
            break;
        case TRAINER_UNK:
            m->unk = (int32_t)f.value;
            break;
        case TRAINER_BOS:
            m->bos = (int32_t)f.value;
            break;
        case TRAINER_EOS:
            m->eos = (int32_t)f.value;
            break;
        case TRAINER_UNK_PIECE:
            good = take_text(&f, &m->unk_piece);
            break;
        case TRAINER_BOS_PIECE:
            good = take_text(&f, &m->bos_piece);
            break;
        case TRAINER_EOS_PIECE:
            good = take_text(&f, &m->eos_piece);
            break;
        default:
            break;
        }
        if (!good)
            return torn(&r);
    }
    return LASER_OK;
}

static int read_normalizer(struct reader r, struct laser_spm *m)
{
    struct field f;

    while (r.at < r.end) {
        if (!read_field(&r, &f))
            return torn(&r);
        if (f.number == NORMALIZER_CHARSMAP && f.wire == BYTES && f.n > 0) {
            free(m->charsmap);
            m->charsmap = malloc(f.n);
            if (m->charsmap == NULL)
                return no_memory(&r);
            memcpy(m->charsmap, f.bytes, f.n);
            m->n_charsmap = f.n;
        } else if (f.number == NORMALIZER_PREFIX) {
            m->dummy_prefix = f.value != 0;
        } else if (f.number == NORMALIZER_REMOVE) {
            m->remove_extra = f.value != 0;
        } else if (f.number == NORMALIZER_ESCAPE) {
            m->escape = f.value != 0;
        }
    }
    return LASER_OK;
}

static int read_all(struct reader *r, struct laser_spm *m)
{
    int code = LASER_OK;

    while (code == LASER_OK && r->at < r->end) {
        struct field f;
        if (!read_field(r, &f))
            return torn(r);
        if (f.wire != BYTES)
            continue;
        if (f.number == MODEL_PIECE)
            code = read_piece(within(r, &f), m);
        else if (f.number == MODEL_TRAINER)
            code = read_trainer(within(r, &f), m);
        else if (f.number == MODEL_NORMALIZER)
            code = read_normalizer(within(r, &f), m);
    }
    if (code != LASER_OK)
        return code;
    if (m->n == 0)
        return laser_error_set(r->err, LASER_EINPUT, r->path, "not a SentencePiece model: it has no pieces");
    if (m->kind != LASER_SPM_UNIGRAM && m->kind != LASER_SPM_BPE)
        return laser_error_set(
            r->err, LASER_EINPUT, r->path,
            "a SentencePiece model of type %d: unigram (1) and bpe (2) are read, not word and char", m->kind);
    return LASER_OK;
}

int laser_spm_read(const unsigned char *bytes, size_t n, const char *path, struct laser_spm *out,
                   struct laser_error *err)
{
    struct reader r = {bytes, bytes + n, bytes, path, err};
    int code;

    *out = (struct laser_spm){.kind = LASER_SPM_UNIGRAM,
                              .unk = 0,
                              .bos = 1,
                              .eos = 2,
                              .unk_piece = strdup("<unk>"),
                              .bos_piece = strdup("<s>"),
                              .eos_piece = strdup("</s>"),
                              .dummy_prefix = true,
                              .remove_extra = true,
                              .escape = true};
    code = out->unk_piece && out->bos_piece && out->eos_piece ? read_all(&r, out) : no_memory(&r);
    if (code != LASER_OK)
        laser_spm_free(out);
    return code;
}

void laser_spm_free(struct laser_spm *m)
{
    for (size_t i = 0; i < m->n; ++i)
        free(m->piece[i].text);
    free(m->piece);
    free(m->unk_piece);
    free(m->bos_piece);
    free(m->eos_piece);
    free(m->charsmap);
    memset(m, 0, sizeof *m);
}

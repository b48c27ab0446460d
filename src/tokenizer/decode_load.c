/* Decoders from tokenizer.json.  One that is not known only matters when something is to be decoded. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/parts.h"

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the decoder");
}

static int load_text(const json_t *j, const char *key, struct laser_decoder_step *d, struct laser_error *err)
{
    const char *s;
    int rc = laser_json_string(j, key, &s, &d->n_text, err);
    if (rc != LASER_OK)
        return rc;
    d->text = laser_strndup(s, d->n_text);
    return d->text ? LASER_OK : no_memory(err);
}

static int load_strip(const json_t *j, struct laser_decoder_step *d, struct laser_error *err)
{
    json_int_t start = json_integer_value(json_object_get(j, "start")),
               stop = json_integer_value(json_object_get(j, "stop"));
    int rc = load_text(j, "content", d, err);
    if (rc == LASER_OK && (start < 0 || stop < 0 || d->n_text == 0))
        rc = laser_error_set(err, LASER_EINPUT, NULL,
                             "decoder Strip: \"start\", \"stop\" or \"content\" is out of range");
    d->start = (size_t)start;
    d->stop = (size_t)stop;
    return rc;
}

static int load_metaspace(const json_t *j, struct laser_decoder_step *d, struct laser_error *err)
{
    const char *scheme = json_string_value(json_object_get(j, "prepend_scheme"));
    bool prefix_space;
    int rc = laser_json_bool(j, "add_prefix_space", true, &prefix_space, err);
    d->flag = prefix_space && (!scheme || strcmp(scheme, "never") != 0);
    return rc == LASER_OK ? load_text(j, "replacement", d, err) : rc;
}

static int load_ctc(const json_t *j, struct laser_decoder_step *d, struct laser_error *err)
{
    const char *blank;
    int rc = load_text(j, "pad_token", d, err);
    if (rc == LASER_OK)
        rc = laser_json_string(j, "word_delimiter_token", &blank, &d->n_blank, err);
    if (rc == LASER_OK && !(d->blank = laser_strndup(blank, d->n_blank)))
        rc = no_memory(err);
    return rc == LASER_OK ? laser_json_bool(j, "cleanup", true, &d->flag, err) : rc;
}

static int load_step(const json_t *j, struct laser_decoder *out, struct laser_error *err)
{
    static const char *const names[] = {"ByteLevel", "Replace",   "ByteFallback", "Fuse", "Strip",
                                        "Metaspace", "WordPiece", "BPEDecoder",   "CTC"};
    const int n_names = (int)(sizeof names / sizeof *names);
    const char *type = laser_json_type(j);
    int rc = LASER_OK, kind = 0;
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(j, "decoders");
        for (size_t i = 0; i < json_array_size(list) && rc == LASER_OK; i++)
            rc = load_step(json_array_get(list, i), out, err);
        return rc;
    }
    while (kind < n_names && strcmp(type, names[kind]) != 0)
        kind++;
    if (kind == n_names) {
        if (!out->refused && !(out->refused = laser_strndup(type, strlen(type))))
            return no_memory(err);
        return LASER_OK;
    }
    struct laser_decoder_step *p = realloc(out->step, (out->n + 1) * sizeof(*p));
    if (!p)
        return no_memory(err);
    out->step = p;
    struct laser_decoder_step *d = &p[out->n++];
    memset(d, 0, sizeof(*d));
    d->kind = (enum laser_decoder_kind)kind;
    switch (d->kind) {
    case LASER_DEC_REPLACE:
        rc = load_text(j, "content", d, err);
        return rc == LASER_OK ? laser_json_pattern(json_object_get(j, "pattern"), &d->pattern, err) : rc;
    case LASER_DEC_STRIP:
        return load_strip(j, d, err);
    case LASER_DEC_METASPACE:
        return load_metaspace(j, d, err);
    case LASER_DEC_WORDPIECE:
        rc = laser_json_bool(j, "cleanup", true, &d->flag, err);
        return rc == LASER_OK ? load_text(j, "prefix", d, err) : rc;
    case LASER_DEC_BPE:
        return load_text(j, "suffix", d, err);
    case LASER_DEC_CTC:
        return load_ctc(j, d, err);
    default:
        return LASER_OK;
    }
}

int laser_decoder_load(const json_t *j, struct laser_decoder *out, struct laser_error *err)
{
    out->none = !j || json_is_null(j);
    return out->none ? LASER_OK : load_step(j, out, err);
}

void laser_decoder_free(struct laser_decoder *d)
{
    for (size_t i = 0; i < d->n; i++) {
        laser_pattern_free(d->step[i].pattern);
        free(d->step[i].text);
        free(d->step[i].blank);
    }
    free(d->step);
    free(d->refused);
    memset(d, 0, sizeof(*d));
}

#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for normalizing the text");
}

/* Puts out in the place of *t. */
static int replace_text(struct laser_normalized *t, struct laser_normalized *out, struct laser_error *err)
{
    bool failed = out->failed;
    laser_normalized_free(t);
    *t = *out;
    return failed ? no_memory(err) : LASER_OK;
}

static int prepend(const struct laser_normalizer *z, struct laser_normalized *t, struct laser_error *err)
{
    struct laser_normalized out = {0};
    if (t->n == 0)
        return LASER_OK;
    /* What is put in front shares the place of the first character. */
    laser_normalized_add(&out, z->text, z->n_text, t->zero > 0);
    laser_normalized_copy(&out, t, 0, t->n);
    return replace_text(t, &out, err);
}

static int replace(const struct laser_normalizer *z, struct laser_normalized *t, struct laser_matcher *m,
                   struct laser_error *err)
{
    struct laser_spans spans = {0};
    struct laser_normalized out = {0};
    int rc = laser_pattern_find(z->pattern, m, t->s, t->n, &spans, err);
    if (rc == LASER_OK && spans.failed)
        rc = no_memory(err);
    bool any = false;
    for (size_t i = 0; i < spans.n; i++)
        any = any || spans.at[i].match;
    if (rc != LASER_OK || !any) {
        laser_spans_free(&spans);
        return rc;
    }
    for (size_t i = 0; i < spans.n; i++) {
        const struct laser_span *p = &spans.at[i];
        if (p->match) /* stands where the last character of the match stood */
            laser_normalized_add(&out, z->text, z->n_text, p->end - 1 < t->zero);
        else
            laser_normalized_copy(&out, t, p->start, p->end);
    }
    laser_spans_free(&spans);
    return replace_text(t, &out, err);
}

static int lowercase(struct laser_normalized *t, struct laser_error *err)
{
    struct laser_normalized out = {0};
    size_t i = 0;
    while (i < t->n) {
        uint32_t c, low[2];
        bool zero = i < t->zero;
        i += laser_utf8_get(t->s + i, &c);
        size_t n = laser_lowercase(c, low);
        for (size_t k = 0; k < n; k++)
            laser_normalized_add_char(&out, low[k], zero);
    }
    return replace_text(t, &out, err);
}

static int strip(const struct laser_normalizer *z, struct laser_normalized *t)
{
    size_t start = 0, end = t->n;
    uint32_t c;
    while (z->left && start < end) {
        size_t n = laser_utf8_get(t->s + start, &c);
        if (!laser_set_has(LASER_SET_RUST_SPACE, c))
            break;
        start += n;
    }
    while (z->right && end > start) {
        size_t n = laser_utf8_last(t->s, end, &c);
        if (!laser_set_has(LASER_SET_RUST_SPACE, c))
            break;
        end -= n;
    }
    memmove(t->s, t->s + start, end - start);
    t->n = end - start;
    t->zero = t->zero > start ? t->zero - start : 0;
    t->zero = t->zero < t->n ? t->zero : t->n;
    return LASER_OK;
}

/* Drops the characters of a set, in place. */
static void drop(struct laser_normalized *t, enum laser_set_name name)
{
    size_t n = 0, zero = 0;
    for (size_t i = 0, len; i < t->n; i += len) {
        uint32_t c;
        len = laser_utf8_get(t->s + i, &c);
        if (laser_set_has(name, c))
            continue;
        memmove(t->s + n, t->s + i, len);
        n += len;
        if (i < t->zero)
            zero = n;
    }
    t->n = n;
    t->zero = zero;
}

static bool is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
           (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static int bert(const struct laser_normalizer *z, struct laser_normalized *t, struct laser_error *err)
{
    struct laser_normalized out = {0};
    size_t len;
    if (z->clean)
        drop(t, LASER_SET_BERT_REMOVED);
    for (size_t i = 0; i < t->n; i += len) {
        uint32_t c;
        bool zero = i < t->zero, chinese;
        len = laser_utf8_get(t->s + i, &c);
        if (z->clean && laser_set_has(LASER_SET_RUST_SPACE, c))
            c = ' ';
        chinese = z->chinese && is_chinese(c);
        if (chinese)
            laser_normalized_add_char(&out, ' ', zero);
        laser_normalized_add_char(&out, c, zero);
        if (chinese)
            laser_normalized_add_char(&out, ' ', zero);
    }
    int rc = replace_text(t, &out, err);
    if (rc == LASER_OK && z->accents) {
        rc = laser_normalize_unicode(t, false, false, err);
        if (rc == LASER_OK)
            drop(t, LASER_SET_BERT_ACCENTS);
    }
    return rc == LASER_OK && z->lowercase ? lowercase(t, err) : rc;
}

static bool nmt_drops(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_blanks(uint32_t c)
{
    return c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

static int nmt(struct laser_normalized *t, struct laser_error *err)
{
    struct laser_normalized out = {0};
    size_t len;
    for (size_t i = 0; i < t->n; i += len) {
        uint32_t c;
        len = laser_utf8_get(t->s + i, &c);
        if (!nmt_drops(c))
            laser_normalized_add_char(&out, nmt_blanks(c) ? ' ' : c, i < t->zero);
    }
    return replace_text(t, &out, err);
}

static int byte_level(struct laser_normalized *t, struct laser_error *err)
{
    const struct laser_byte_char *map = laser_byte_chars();
    struct laser_normalized out = {0};
    for (size_t i = 0; i < t->n; i++)
        laser_normalized_add(&out, map[(unsigned char)t->s[i]].s, map[(unsigned char)t->s[i]].n, i < t->zero);
    return replace_text(t, &out, err);
}

int laser_normalize(const struct laser_normalizer *z, struct laser_normalized *t, struct laser_matcher *m,
                    struct laser_error *err)
{
    int rc = LASER_OK;
    if (t->n == 0)
        return LASER_OK;
    switch (z->kind) {
    case LASER_NORM_SEQUENCE:
        for (size_t i = 0; i < z->n && rc == LASER_OK; i++)
            rc = laser_normalize(&z->child[i], t, m, err);
        return rc;
    case LASER_NORM_PREPEND:
        return prepend(z, t, err);
    case LASER_NORM_REPLACE:
        return replace(z, t, m, err);
    case LASER_NORM_UNICODE:
        return laser_normalize_unicode(t, z->compose, z->compatible, err);
    case LASER_NORM_LOWERCASE:
        return lowercase(t, err);
    case LASER_NORM_STRIP:
        return strip(z, t);
    case LASER_NORM_STRIP_ACCENTS:
        drop(t, LASER_SET_COMBINING);
        return rc;
    case LASER_NORM_BERT:
        return bert(z, t, err);
    case LASER_NORM_NMT:
        return nmt(t, err);
    case LASER_NORM_BYTE_LEVEL:
        return byte_level(t, err);
    case LASER_NORM_PRECOMPILED:
        return laser_charsmap_normalize(&z->charsmap, t, err);
    }
    return rc;
}

static int load_sequence(const json_t *j, struct laser_normalizer *z, struct laser_error *err)
{
    const json_t *list = json_object_get(j, "normalizers");
    int rc = LASER_OK;
    if (!json_is_array(list))
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "normalizer Sequence: \"normalizers\" is not an array");
    z->child = calloc(json_array_size(list) + 1, sizeof(*z->child));
    if (!z->child)
        return no_memory(err);
    for (size_t i = 0; i < json_array_size(list) && rc == LASER_OK; i++) {
        rc = laser_normalizer_load(json_array_get(list, i), &z->child[i], err);
        z->n = i + 1;
    }
    return rc;
}

static int load_text(const json_t *j, const char *key, struct laser_normalizer *z, struct laser_error *err)
{
    const char *s;
    int rc = laser_json_string(j, key, &s, &z->n_text, err);
    if (rc != LASER_OK)
        return rc;
    z->text = laser_strndup(s, z->n_text);
    return z->text ? LASER_OK : no_memory(err);
}

static int load_bert(const json_t *j, struct laser_normalizer *z, struct laser_error *err)
{
    const json_t *accents = json_object_get(j, "strip_accents");
    z->kind = LASER_NORM_BERT;
    int rc = laser_json_bool(j, "clean_text", true, &z->clean, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "handle_chinese_chars", true, &z->chinese, err);
    if (rc == LASER_OK)
        rc = laser_json_bool(j, "lowercase", true, &z->lowercase, err);
    z->accents = z->lowercase;
    if (rc == LASER_OK && accents && !json_is_null(accents))
        rc = laser_json_bool(j, "strip_accents", true, &z->accents, err);
    return rc;
}

static int load_precompiled(const json_t *j, struct laser_normalizer *z, struct laser_error *err)
{
    const char *s;
    size_t n;
    int rc = laser_json_string(j, "precompiled_charsmap", &s, &n, err);

    z->kind = LASER_NORM_PRECOMPILED;
    return rc == LASER_OK ? laser_charsmap_decode(s, n, &z->charsmap, err) : rc;
}

int laser_normalizer_load(const json_t *j, struct laser_normalizer *z, struct laser_error *err)
{
    static const char *const forms[] = {"NFD", "NFC", "NFKD", "NFKC"};
    const char *type = laser_json_type(j);
    int rc = LASER_OK;
    memset(z, 0, sizeof(*z));
    for (int i = 0; i < 4; i++) {
        if (strcmp(type, forms[i]) == 0) {
            z->kind = LASER_NORM_UNICODE;
            z->compose = i & 1;
            z->compatible = i >> 1;
            return rc;
        }
    }
    if (strcmp(type, "Sequence") == 0) {
        z->kind = LASER_NORM_SEQUENCE;
        return load_sequence(j, z, err);
    }
    if (strcmp(type, "Prepend") == 0) {
        z->kind = LASER_NORM_PREPEND;
        return load_text(j, "prepend", z, err);
    }
    if (strcmp(type, "Replace") == 0) {
        z->kind = LASER_NORM_REPLACE;
        rc = load_text(j, "content", z, err);
        if (rc == LASER_OK)
            rc = laser_json_pattern(json_object_get(j, "pattern"), &z->pattern, err);
        /* What is put in front of the first character is, to the library, not part of the text any more. */
        if (rc == LASER_OK && laser_pattern_can_be_empty(z->pattern))
            rc = laser_error_set(
                err, LASER_EINPUT, NULL,
                "normalizer Replace by a pattern that matches the empty string is not supported");
        return rc;
    }
    if (strcmp(type, "Strip") == 0) {
        z->kind = LASER_NORM_STRIP;
        rc = laser_json_bool(j, "strip_left", true, &z->left, err);
        return rc != LASER_OK ? rc : laser_json_bool(j, "strip_right", true, &z->right, err);
    }
    if (strcmp(type, "BertNormalizer") == 0)
        return load_bert(j, z, err);
    if (strcmp(type, "Precompiled") == 0)
        return load_precompiled(j, z, err);
    if (strcmp(type, "Lowercase") == 0)
        z->kind = LASER_NORM_LOWERCASE;
    else if (strcmp(type, "StripAccents") == 0)
        z->kind = LASER_NORM_STRIP_ACCENTS;
    else if (strcmp(type, "Nmt") == 0)
        z->kind = LASER_NORM_NMT;
    else if (strcmp(type, "ByteLevel") == 0)
        z->kind = LASER_NORM_BYTE_LEVEL;
    else
        rc = laser_error_set(err, LASER_EINPUT, NULL, "normalizer \"%.100s\" is not supported", type);
    return rc;
}

void laser_normalizer_free(struct laser_normalizer *z)
{
    for (size_t i = 0; i < z->n; i++)
        laser_normalizer_free(&z->child[i]);
    free(z->child);
    free(z->text);
    laser_pattern_free(z->pattern);
    laser_charsmap_free(&z->charsmap);
    memset(z, 0, sizeof(*z));
}

#define _GNU_SOURCE /* memmem */
#include "tokenizer/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct laser_pattern {
    char *source; /* the literal, or the regular expression for messages */
    size_t n;
    pcre2_code *code; /* NULL: a literal */
    bool nullable;
    struct laser_classes classes;
};

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a pattern");
}

int laser_pattern_literal(const char *s, size_t n, struct laser_pattern **out, struct laser_error *err)
{
    *out = NULL;
    if (n == 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "an empty pattern is not supported");
    struct laser_pattern *p = calloc(1, sizeof(*p));
    char *copy = malloc(n + 1);
    if (!p || !copy) {
        free(p);
        free(copy);
        return no_memory(err);
    }
    memcpy(copy, s, n);
    copy[n] = '\0';
    p->source = copy;
    p->n = n;
    *out = p;
    return LASER_OK;
}

void laser_pattern_free(struct laser_pattern *p)
{
    if (!p)
        return;
    free(p->source);
    pcre2_code_free(p->code);
    laser_classes_free(&p->classes);
    free(p);
}

/* Writes the class numbers of one set as a PCRE2 class. */
static void put_numbers(struct laser_normalized *t, const bool *member, int n)
{
    bool any = false;
    for (int k = 0; k < n; k++)
        any = any || member[k];
    if (!any) {
        laser_normalized_add(t, "(?!)", 4, false);
        return;
    }
    laser_normalized_add(t, "[", 1, false);
    for (int k = 0; k < n; k++) {
        char hex[8];
        if (member[k])
            laser_normalized_add(t, hex, (size_t)snprintf(hex, sizeof(hex), "\\x%02x", (unsigned)k), false);
    }
    laser_normalized_add(t, "]", 1, false);
}

/* PCRE2's pattern, with the references to sets replaced by class numbers. */
static void put_pattern(struct laser_normalized *t, const struct laser_parsed *parsed, const bool *member,
                        int n)
{
    const char *s = parsed->out.s;
    for (size_t i = 0; i < parsed->out.n; i++) {
        if (s[i] != 1) {
            laser_normalized_add(t, s + i, 1, false);
            continue;
        }
        size_t set = (size_t)(unsigned char)s[i + 1] | (size_t)(unsigned char)s[i + 2] << 8;
        put_numbers(t, member + 256 * set, n);
        i += 2;
    }
}

static int compile(struct laser_pattern *p, const struct laser_parsed *parsed, struct laser_error *err)
{
    struct laser_normalized text = {0};
    int rc, code;
    size_t at;
    bool *member = calloc(parsed->n_sets + 1, 256 * sizeof(*member));
    if (!member)
        return no_memory(err);
    switch (laser_classes_make(&p->classes, parsed->sets, parsed->n_sets, member)) {
    case 0:
        rc = LASER_OK;
        break;
    case 1:
        rc = laser_pattern_refuse(err, p->source, p->n, "telling more than 256 kinds of characters apart");
        break;
    default:
        rc = no_memory(err);
    }
    if (rc == LASER_OK) {
        put_pattern(&text, parsed, member, p->classes.n);
        if (text.failed)
            rc = no_memory(err);
    }
    if (rc == LASER_OK) {
        p->code = pcre2_compile((PCRE2_SPTR)(text.n ? text.s : ""), text.n,
                                PCRE2_NEVER_UTF | PCRE2_NO_AUTO_CAPTURE, &code, &at, NULL);
        if (!p->code) {
            char message[120];
            pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
            rc = laser_error_set(err, LASER_EINPUT, NULL, "regular expression \"%.300s\": PCRE2 says: %s",
                                 p->source, message);
        } else {
            pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without JIT it is slower, and the same */
        }
    }
    free(member);
    laser_normalized_free(&text);
    return rc;
}

int laser_pattern_compile(const char *regex, size_t n, struct laser_pattern **out, struct laser_error *err)
{
    struct laser_parsed parsed;
    *out = NULL;
    if (n == 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "an empty pattern is not supported");
    int rc = laser_pattern_parse(regex, n, &parsed, err);
    if (rc != LASER_OK)
        return rc;
    rc = laser_pattern_literal(regex, n, out, err);
    if (rc == LASER_OK) {
        (*out)->nullable = parsed.nullable;
        rc = compile(*out, &parsed, err);
    }
    laser_parsed_free(&parsed);
    if (rc != LASER_OK) {
        laser_pattern_free(*out);
        *out = NULL;
    }
    return rc;
}

bool laser_pattern_can_be_empty(const struct laser_pattern *p)
{
    return p->nullable;
}

void laser_matcher_free(struct laser_matcher *m)
{
    free(m->symbols);
    pcre2_match_data_free(m->match_data);
    pcre2_match_context_free(m->match_context);
    pcre2_jit_stack_free(m->jit_stack);
    memset(m, 0, sizeof(*m));
}

static bool matcher_ready(struct laser_matcher *m, size_t n)
{
    if (n > m->cap || !m->symbols) {
        size_t cap = n + n / 2 + 256;
        uint8_t *p = realloc(m->symbols, cap);
        if (!p)
            return false;
        m->symbols = p;
        m->cap = cap;
    }
    if (m->match_data)
        return true;
    m->match_data = pcre2_match_data_create(1, NULL);
    m->match_context = pcre2_match_context_create(NULL);
    m->jit_stack = pcre2_jit_stack_create((size_t)32 << 10, (size_t)64 << 20, NULL);
    if (!m->match_data || !m->match_context)
        return false;
    if (m->jit_stack)
        pcre2_jit_stack_assign(m->match_context, NULL, m->jit_stack);
    return true;
}

static void find_literal(const struct laser_pattern *p, const char *s, size_t n, struct laser_spans *spans)
{
    size_t at = 0;
    while (at < n) {
        const char *hit =
            p->n == 1 ? memchr(s + at, p->source[0], n - at) : memmem(s + at, n - at, p->source, p->n);
        size_t start = hit ? (size_t)(hit - s) : n;
        if (start > at)
            laser_spans_add(spans, at, start, false);
        if (hit)
            laser_spans_add(spans, start, start + p->n, true);
        at = hit ? start + p->n : n;
    }
}

/* Class numbers of the characters of s; returns how many there are. */
static size_t to_symbols(const struct laser_classes *c, const char *s, size_t n, uint8_t *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n;) {
        unsigned char u = (unsigned char)s[i];
        if (u < 0x80) {
            out[k++] = c->ascii[u];
            i++;
        } else {
            uint32_t ch;
            i += laser_utf8_get(s + i, &ch);
            out[k++] = laser_classes_get(c, ch);
        }
    }
    return k;
}

/* Walks from byte offset at, which is character number from, to character number to. */
static size_t byte_offset(const char *s, size_t at, size_t from, size_t to)
{
    for (; from < to; from++)
        at += laser_utf8_len(s[at]);
    return at;
}

int laser_pattern_find(const struct laser_pattern *p, struct laser_matcher *m, const char *s, size_t n,
                       struct laser_spans *spans, struct laser_error *err)
{
    spans->n = 0;
    if (!p->code) {
        find_literal(p, s, n, spans);
        return LASER_OK;
    }
    if (!matcher_ready(m, n))
        return no_memory(err);
    size_t count = to_symbols(&p->classes, s, n, m->symbols);
    bool ascii = count == n;
    const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(m->match_data);
    size_t next = 0, last = SIZE_MAX;  /* where to search, and where the last match ended */
    size_t at_symbol = 0, at_byte = 0; /* the same place in both */
    while (n > 0 && next <= count) {
        int rc = pcre2_match(p->code, m->symbols, count, next, PCRE2_NO_UTF_CHECK, m->match_data,
                             m->match_context);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return laser_error_set(err, LASER_EINPUT, NULL,
                                   "regular expression \"%.300s\": PCRE2 gave up on this text (%d)",
                                   p->source, rc);
        if (ov[0] == ov[1] && ov[1] == last) { /* empty, and right behind the last one */
            next++;
            continue;
        }
        next = last = ov[1];
        size_t start = ascii ? ov[0] : byte_offset(s, at_byte, at_symbol, ov[0]);
        size_t end = ascii ? ov[1] : byte_offset(s, start, ov[0], ov[1]);
        if (at_byte != start)
            laser_spans_add(spans, at_byte, start, false);
        laser_spans_add(spans, start, end, true);
        at_symbol = ov[1];
        at_byte = end;
    }
    if (at_byte != n)
        laser_spans_add(spans, at_byte, n, false);
    return LASER_OK;
}

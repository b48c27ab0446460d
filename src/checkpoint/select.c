#include "checkpoint/select.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    char *glob;        /* or NULL */
    pcre2_code *regex; /* or NULL */
};

struct laser_select {
    int n;
    struct pattern *patterns;
};

static int compile_regex(const char *text, pcre2_code **regex, struct laser_error *err)
{
    int what = 0;
    PCRE2_SIZE position = 0;
    PCRE2_UCHAR message[256] = "";

    *regex = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                           PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &what,
                           &position, NULL);
    if (*regex != NULL)
        return LASER_OK;
    pcre2_get_error_message(what, message, sizeof message);
    return laser_error_set(err, LASER_EUSAGE, text, "not a valid regular expression: %s at character %zu",
                           (const char *)message, (size_t)position + 1);
}

int laser_select_compile(const char *const *patterns, int n, struct laser_select **out,
                         struct laser_error *err)
{
    struct laser_select *select = calloc(1, sizeof *select);
    int code = LASER_OK;

    *out = NULL;
    if (select != NULL)
        select->patterns = calloc((size_t)n + 1, sizeof *select->patterns);
    if (select == NULL || select->patterns == NULL)
        code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the patterns");
    for (int i = 0; code == LASER_OK && i < n; i++) {
        select->n = i + 1;
        if (strncmp(patterns[i], "re:", 3) == 0)
            code = compile_regex(patterns[i] + 3, &select->patterns[i].regex, err);
        else if ((select->patterns[i].glob = strdup(patterns[i])) == NULL)
            code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the patterns");
    }
    if (code != LASER_OK) {
        laser_select_free(select);
        return code;
    }
    *out = select;
    return LASER_OK;
}

void laser_select_free(struct laser_select *select)
{
    if (select == NULL)
        return;
    for (int i = 0; select->patterns != NULL && i < select->n; i++) {
        free(select->patterns[i].glob);
        pcre2_code_free(select->patterns[i].regex);
    }
    free(select->patterns);
    free(select);
}

/* Length of the set that starts at `[`, or 0 if it is not closed; *matches tells whether it holds c. */
static size_t match_set(const char *set, char c, int *matches)
{
    const char *p = set + 1;
    const int negated = *p == '!' || *p == '^';
    int found = 0;

    p += negated;
    do {
        if (*p == '\0')
            return 0;
        if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
            found = found || (c >= p[0] && c <= p[2]);
            p += 3;
        } else {
            found = found || *p == c;
            p++;
        }
    } while (*p != ']');
    *matches = found != negated;
    return (size_t)(p - set) + 1;
}

/* A `*` that fails needs no second look once a later one has matched, so the time is at most pattern times
 * name. */
static int match_glob(const char *glob, const char *name)
{
    const char *star = NULL, *resume = NULL;

    for (;;) {
        int in_set = 0;
        size_t set = 0;

        if (*glob == '*') {
            star = ++glob;
            resume = name;
            continue;
        }
        if (*name == '\0' && *glob == '\0')
            return 1;
        if (*glob == '[' && *name != '[' && *name != '\0')
            set = match_set(glob, *name, &in_set);
        if (set > 0 && in_set) {
            glob += set;
            name++;
        } else if (*name != '\0' && (*glob == '?' || *glob == *name)) {
            glob++;
            name++;
        } else if (star != NULL && *resume != '\0') {
            glob = star;
            name = ++resume;
        } else {
            return 0;
        }
    }
}

static int match_regex(const pcre2_code *regex, const char *name)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int found = -1;

    if (data != NULL)
        found = pcre2_match(regex, (PCRE2_SPTR)name, strlen(name), 0, 0, data, NULL);
    pcre2_match_data_free(data);
    return found >= 0;
}

int laser_select_match(const struct laser_select *select, const char *name)
{
    for (int i = 0; select != NULL && i < select->n; i++) {
        const struct pattern *p = &select->patterns[i];

        if (p->glob != NULL ? match_glob(p->glob, name) : match_regex(p->regex, name))
            return i;
    }
    return -1;
}

int laser_select_distance(const char *a, const char *b)
{
    enum { MAX = 512 };
    const size_t n = strnlen(a, MAX), m = strnlen(b, MAX);
    int row[MAX + 1];

    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];

        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            const int inserted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = replaced < inserted ? replaced : inserted;
        }
    }
    return row[m];
}

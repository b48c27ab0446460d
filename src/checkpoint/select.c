#include "checkpoint/select.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"

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

        if (p->glob != NULL ? laser_glob_match(p->glob, name) : match_regex(p->regex, name))
            return i;
    }
    return -1;
}

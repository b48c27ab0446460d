/* Syntax of items: what it would have to be goes into expected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/schema.h"
#include "spectrum/edit.h"

int laser_check_threshold(const char *item, char expected[LASER_FORMS_SIZE])
{
    struct laser_rule rule;

    laser_rule_forms(1, expected);
    return laser_rule_parse(item, &rule, NULL) == LASER_OK;
}

/* Values that were found by other means are no setting. */
int laser_check_edit(const char *item, char expected[LASER_FORMS_SIZE])
{
    struct laser_edit edit;

    laser_edit_forms(1, expected);
    return laser_edit_parse(item, &edit, NULL) == LASER_OK && edit.kind != LASER_EDIT_VALUES;
}

/* "3", "-1", "0-3". */
int laser_check_layers(const char *item, char expected[LASER_FORMS_SIZE])
{
    const char *p = item;
    size_t n;

    snprintf(expected, LASER_FORMS_SIZE, "a layer number (3), one from the end (-1) or a range (0-3)");
    if (*p == '-')
        p++;
    n = strspn(p, "0123456789");
    if (n == 0 || n > 6)
        return 0;
    if (p[n] == '\0')
        return 1;
    if (p[n] != '-' || p != item)
        return 0;
    p += n + 1;
    n = strspn(p, "0123456789");
    return n > 0 && n <= 6 && p[n] == '\0' && atoi(item) <= atoi(p);
}

/* A number between 0 and 1, or rate: and one up to 10. */
int laser_check_fraction(const char *item, char expected[LASER_FORMS_SIZE])
{
    int is_rate = strncmp(item, "rate:", 5) == 0;
    const char *number = is_rate ? item + 5 : item;
    char *end;
    double value = strtod(number, &end);

    snprintf(expected, LASER_FORMS_SIZE,
             "a share of the rank, 0 < share <= 1, or a rate of the LASER paper (rate:9.5 is 0.05)");
    return *number != '\0' && number[strspn(number, "0123456789.eE+-")] == '\0' && *end == '\0' &&
           (is_rate ? value >= 0.0 && value <= 10.0 : value >= 1e-9 && value <= 1.0);
}

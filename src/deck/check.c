#include "deck/schema.h"

#include <stdlib.h>
#include <string.h>

/* A plain decimal number and nothing else: digits, one dot, an exponent. */
static int plain_number(const char *text, double *value)
{
    char *end;

    if (text[strspn(text, "0123456789.eE+-")] != '\0' || *text == '\0')
        return 0;
    *value = strtod(text, &end);
    return *end == '\0';
}

/* A number from low to high after the prefix of a rule. */
static int rule_with_share(const char *item, const char *prefix, double low, double high)
{
    size_t n = strlen(prefix);
    double value;

    return strncmp(item, prefix, n) == 0 && plain_number(item + n, &value) && value >= low && value <= high;
}

int laser_check_threshold(const char *item, const char **expected)
{
    *expected = "laserrmt, marchenko-pastur, gavish-donoho, rank:SHARE or energy:SHARE with 0 <= SHARE <= 1";
    return strcmp(item, "laserrmt") == 0 || strcmp(item, "marchenko-pastur") == 0 ||
           strcmp(item, "gavish-donoho") == 0 || rule_with_share(item, "rank:", 0.0, 1.0) ||
           rule_with_share(item, "energy:", 0.0, 1.0);
}

int laser_check_edit(const char *item, const char **expected)
{
    int rule = laser_check_threshold(item, expected);

    *expected = "none, a threshold rule (marchenko-pastur, rank:0.1, ...), rank=K, shrink:F or wiener:F with "
                "0.001 <= F <= 10";
    if (strncmp(item, "rank=", 5) == 0)
        return item[5] != '\0' && strlen(item) < 15 && item[5 + strspn(item + 5, "0123456789")] == '\0';
    return rule || strcmp(item, "none") == 0 || rule_with_share(item, "shrink:", 1e-3, 10.0) ||
           rule_with_share(item, "wiener:", 1e-3, 10.0);
}

/* "3", "-1", "0-3". */
int laser_check_layers(const char *item, const char **expected)
{
    const char *p = item;
    size_t n;

    *expected = "a layer number (3), one from the end (-1) or a range (0-3)";
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

int laser_check_fraction(const char *item, const char **expected)
{
    *expected = "a share of the rank, 0 < share <= 1, or a rate of the LASER paper (rate:9.5 is 0.05)";
    return rule_with_share(item, "", 1e-9, 1.0) || rule_with_share(item, "rate:", 0.0, 10.0);
}

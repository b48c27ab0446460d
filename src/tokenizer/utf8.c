/* Well-formed UTF-8, as Unicode's table 3-7 has it. */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

/* Length of the well-formed character at s, or 0.  *bad gets how many bytes of it are the longest beginning
 * of one (at least 1): what Python replaces by one U+FFFD. */
static size_t char_length(const unsigned char *s, size_t n, size_t *bad)
{
    unsigned char lo = 0x80, hi = 0xbf;
    size_t more;
    *bad = 1;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        more = 1;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        more = 2;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        more = 3;
    else
        return 0;
    if (s[0] == 0xe0)
        lo = 0xa0;
    else if (s[0] == 0xed)
        hi = 0x9f;
    else if (s[0] == 0xf0)
        lo = 0x90;
    else if (s[0] == 0xf4)
        hi = 0x8f;
    for (size_t i = 1; i <= more; i++) {
        if (i >= n || s[i] < lo || s[i] > hi) {
            *bad = i;
            return 0;
        }
        lo = 0x80;
        hi = 0xbf;
    }
    return more + 1;
}

size_t laser_utf8_valid_prefix(const char *text, size_t n_bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0, bad, len;
    while (i < n_bytes) {
        uint64_t eight;
        if (n_bytes - i >= 8) {
            memcpy(&eight, s + i, 8);
            if ((eight & 0x8080808080808080u) == 0) {
                i += 8;
                continue;
            }
        }
        len = char_length(s + i, n_bytes - i, &bad);
        if (len == 0)
            break;
        i += len;
    }
    return i;
}

int laser_utf8_repair(const char *text, size_t n_bytes, char **out, size_t *out_bytes,
                      struct laser_error *err)
{
    size_t k = 0;
    char *buf = n_bytes < SIZE_MAX / 3 ? malloc(3 * n_bytes + 1) : NULL;
    *out = NULL;
    if (!buf)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a text of %zu bytes", n_bytes);
    for (size_t i = 0; i < n_bytes;) {
        size_t bad, good = laser_utf8_valid_prefix(text + i, n_bytes - i);
        memcpy(buf + k, text + i, good);
        k += good;
        i += good;
        if (i == n_bytes)
            break;
        char_length((const unsigned char *)text + i, n_bytes - i, &bad);
        memcpy(buf + k, "\xef\xbf\xbd", 3);
        k += 3;
        i += bad;
    }
    buf[k] = '\0';
    *out = buf;
    *out_bytes = k;
    return LASER_OK;
}

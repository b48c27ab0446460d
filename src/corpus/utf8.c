#include "corpus/dataset.h"

/* Length of the UTF-8 sequence that a lead byte announces; 1 for anything else. */
static size_t announced_length(unsigned char lead)
{
    return lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
}

size_t laser_text_cut(const char *text, size_t n, size_t limit)
{
    if (limit >= n)
        return n;
    /* the lead byte of the character that the cut would split is at most three bytes before it */
    for (size_t back = 1; back <= 3 && back <= limit; back++) {
        unsigned char byte = (unsigned char)text[limit - back];
        if ((byte & 0xc0) == 0x80)
            continue;
        return byte < 0xf8 && announced_length(byte) > back ? limit - back : limit;
    }
    return limit;
}

/* The code point at text, or -1 where it is not UTF-8; *length is 1 then. */
static int32_t decode(const unsigned char *text, size_t n, size_t *length)
{
    size_t want = announced_length(text[0]);
    *length = 1;
    if (text[0] < 0x80)
        return text[0];
    if (want == 1 || want > n || text[0] >= 0xf8)
        return -1;
    int32_t code = text[0] & (0x7f >> want);
    for (size_t i = 1; i < want; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return -1;
        code = (code << 6) | (text[i] & 0x3f);
    }
    *length = want;
    return code;
}

/* \s of Python's re on str: str.isspace() by Unicode property. */
static bool is_space(int32_t code)
{
    return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
           code == 0x202f || code == 0x205f || code == 0x3000;
}

int64_t laser_text_count_words(const char *text, size_t n)
{
    int64_t words = 1;
    bool inside = false;
    for (size_t i = 0, length; i < n; i += length) {
        bool space = is_space(decode((const unsigned char *)text + i, n - i, &length));
        words += space && !inside;
        inside = space;
    }
    return words;
}

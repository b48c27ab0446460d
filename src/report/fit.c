#include "report/fit.h"

#include <string.h>

static int continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

void laser_text_fit(struct laser_text *out, const char *name, size_t width, const char *cut, int pad)
{
    size_t columns = laser_text_columns(name), ncut = laser_text_columns(cut), head, tail, i = 0, column = 0;

    if (columns <= width) {
        laser_text_puts(out, name);
        laser_text_fill(out, ' ', pad ? width - columns : 0);
        return;
    }
    tail = width > ncut ? (width - ncut) * 2 / 3 : 0;
    head = width > ncut ? width - ncut - tail : 0;
    for (; name[i] != '\0' && (column < head || continues(name[i])); i++)
        column += !continues(name[i + 1]);
    laser_text_add(out, name, i);
    laser_text_puts(out, cut);
    for (i = strlen(name), column = 0; column < tail; i--)
        column += !continues(name[i - 1]);
    laser_text_puts(out, name + i);
}

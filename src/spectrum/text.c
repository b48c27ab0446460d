#include "spectrum/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int laser_text_value(const char *text, const char *name, char mark, double *value)
{
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || text[length] != mark)
        return 0;
    const char *number = text + length + 1;
    /* strtod would also take blanks, hexadecimal, "inf" and "nan" */
    if (*number == 0 || strspn(number, "0123456789.eE+-") != strlen(number))
        return 0;
    char *end;
    *value = strtod(number, &end);
    return end != number && *end == 0 && isfinite(*value);
}

void laser_text_number(double value, char *text, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Correctly rounded decimal of so many significant digits: digits without a dot, and the exponent of the
 * first. */
static void decimal_of(double value, int significant, char digits[LASER_NUMBER_SIZE], int *exponent)
{
    char text[LASER_NUMBER_SIZE];
    int n = 0;

    snprintf(text, sizeof text, "%.*e", significant - 1, value);
    for (const char *p = text; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    digits[n] = '\0';
    *exponent = atoi(strchr(text, 'e') + 1);
}

static int reads_back(double value, const char *digits, int exponent)
{
    char text[2 * LASER_NUMBER_SIZE];

    snprintf(text, sizeof text, "%c.%se%d", digits[0], digits + 1, exponent);
    return strtod(text, NULL) == value;
}

/* Adds one unit in the last digit; 0 when that would carry beyond the first. */
static int step_up(char *digits)
{
    for (size_t i = strlen(digits); i-- > 0;) {
        if (digits[i] != '9') {
            digits[i]++;
            return 1;
        }
        digits[i] = '0';
    }
    return 0;
}

/* Above a power of two the doubles are twice as far apart as below it, so a decimal that is not the nearest
 * of its length can be the shortest that reads back (2^-44 is the first). */
static int shortest_digits(double value, char digits[LASER_NUMBER_SIZE], int *exponent)
{
    int unused, is_power = frexp(value, &unused) == 0.5;

    for (int significant = fabs(value) < 1e-300 ? 1 : 15; significant <= 17; significant++) {
        decimal_of(value, significant, digits, exponent);
        if (reads_back(value, digits, *exponent))
            return 1;
        if (is_power && step_up(digits) && reads_back(value, digits, *exponent))
            return 1;
    }
    return 0;
}

char *laser_number_shortest(double value, char text[LASER_NUMBER_SIZE])
{
    char digits[LASER_NUMBER_SIZE];
    const char *sign = value < 0.0 ? "-" : "";
    int exponent = 0, length;

    if (isnan(value))
        return strcpy(text, "NaN");
    if (isinf(value))
        return strcpy(text, value > 0.0 ? "Infinity" : "-Infinity");
    if (value == 0.0)
        return strcpy(text, signbit(value) ? "-0.0" : "0.0");
    value = fabs(value);
    shortest_digits(value, digits, &exponent);
    for (length = (int)strlen(digits); length > 1 && digits[length - 1] == '0'; length--)
        digits[length - 1] = '\0';
    if (exponent < -4 || exponent >= 16)
        snprintf(text, LASER_NUMBER_SIZE, "%s%c%s%.16se%c%02d", sign, digits[0], length > 1 ? "." : "",
                 digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(text, LASER_NUMBER_SIZE, "%s0.%.*s%.17s", sign, -exponent - 1, "0000", digits);
    else {
        for (; length < exponent + 1; length++)
            strcpy(digits + length, "0");
        snprintf(text, LASER_NUMBER_SIZE, "%s%.*s.%.17s", sign, exponent + 1, digits,
                 length > exponent + 1 ? digits + exponent + 1 : "0");
    }
    return text;
}

/* Is there no digit but 0 before an exponent? */
static int is_zero(const char *text)
{
    size_t mantissa = strcspn(text, "e");

    return strspn(text, "+-.0") >= mantissa;
}

/* Larger numbers have an exponent: their digits would not fit. */
#define LARGEST_FIXED 1e15

char *laser_number_fixed(double value, int digits, char text[LASER_NUMBER_SIZE])
{
    if (fabs(value) < LARGEST_FIXED)
        snprintf(text, LASER_NUMBER_SIZE, "%.*f", digits, value);
    else
        snprintf(text, LASER_NUMBER_SIZE, "%.*e", digits, value);
    if (text[0] == '-' && is_zero(text))
        memmove(text, text + 1, strlen(text));
    return text;
}

static char *without_minus_zero(char *text)
{
    if (text[0] == '-' && is_zero(text))
        text[0] = '+';
    return text;
}

char *laser_number_change(double value, int digits, char text[LASER_NUMBER_SIZE])
{
    if (!(fabs(value) < LARGEST_FIXED))
        return laser_number_change_power(value, digits, text);
    snprintf(text, LASER_NUMBER_SIZE, "%+.*f", digits, value);
    return without_minus_zero(text);
}

char *laser_number_change_power(double value, int digits, char text[LASER_NUMBER_SIZE])
{
    snprintf(text, LASER_NUMBER_SIZE, "%+.*e", digits, value);
    return without_minus_zero(text);
}

char *laser_number_bytes(double size_bytes, char text[LASER_NUMBER_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;

    while (size_bytes >= 1023.5 && unit < 5) {
        size_bytes /= 1024.0;
        unit++;
    }
    snprintf(text, LASER_NUMBER_SIZE, "%.*f %s", unit > 0 && size_bytes < 99.95 ? 1 : 0, size_bytes,
             units[unit]);
    return text;
}

char *laser_number_time(double time_s, char text[LASER_NUMBER_SIZE])
{
    long long whole;

    if (!(time_s >= 0.0 && time_s < 1e12))
        return strcpy(text, "?");
    whole = llround(time_s);
    if (time_s < 9.95)
        snprintf(text, LASER_NUMBER_SIZE, "%.1f s", time_s);
    else if (whole < 60)
        snprintf(text, LASER_NUMBER_SIZE, "%lld s", whole);
    else if (whole < 3600)
        snprintf(text, LASER_NUMBER_SIZE, "%lld min %02lld s", whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(text, LASER_NUMBER_SIZE, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
    else
        snprintf(text, LASER_NUMBER_SIZE, "%lld d %lld h", whole / 86400, whole / 3600 % 24);
    return text;
}

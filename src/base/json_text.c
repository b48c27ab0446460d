#include "base/json_text.h"

#include <math.h>
#include <string.h>

#include <utf8proc.h>

#include "base/number.h"

static void quote_code(struct laser_text *out, utf8proc_int32_t code)
{
    if (code >= 0x10000) {
        code -= 0x10000;
        laser_text_printf(out, "\\u%04x\\u%04x", 0xD800u + ((unsigned)code >> 10),
                          0xDC00u + ((unsigned)code & 0x3FF));
    } else {
        laser_text_printf(out, "\\u%04x", (unsigned)code);
    }
}

/* A control character, quote or backslash; 0 when c needs no escape. */
static int quote_special(struct laser_text *out, unsigned char c)
{
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    const char *found = c != '\0' ? strchr(from, c) : NULL;

    if (found != NULL) {
        laser_text_fill(out, '\\', 1);
        laser_text_fill(out, to[found - from], 1);
    } else if (c < 0x20) {
        quote_code(out, c);
    } else {
        return 0;
    }
    return 1;
}

void laser_json_quote(struct laser_text *out, const char *string, int ascii)
{
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)string;

    laser_text_fill(out, '"', 1);
    while (*p != 0) {
        utf8proc_int32_t code = 0xFFFD;
        utf8proc_ssize_t n;

        if (*p < 0x80) {
            if (!quote_special(out, *p)) {
                /* Python escapes DEL neither. */
                laser_text_add(out, (const char *)p, 1);
            }
            p++;
            continue;
        }
        n = utf8proc_iterate(p, -1, &code);
        if (n <= 0) {
            n = 1;
            code = 0xFFFD;
            laser_text_puts(out, "\\ufffd");
        } else if (ascii) {
            quote_code(out, code);
        } else {
            laser_text_add(out, (const char *)p, (size_t)n);
        }
        p += n;
    }
    laser_text_fill(out, '"', 1);
}

static void new_line(struct laser_text *out, int indent, int depth)
{
    if (indent > 0) {
        laser_text_fill(out, '\n', 1);
        laser_text_fill(out, ' ', (size_t)indent * (size_t)depth);
    }
}

static void render(struct laser_text *out, const json_t *value, int indent, int depth);

static void render_object(struct laser_text *out, const json_t *value, int indent, int depth)
{
    const char *key, *separator = "";
    json_t *item;

    laser_text_fill(out, '{', 1);
    /* The macro wants a tree that may change; it is not. */
    json_object_foreach((json_t *)value, key, item)
    {
        laser_text_puts(out, separator);
        new_line(out, indent, depth + 1);
        laser_json_quote(out, key, 0);
        laser_text_puts(out, indent > 0 ? ": " : ":");
        render(out, item, indent, depth + 1);
        separator = ",";
    }
    if (*separator != '\0')
        new_line(out, indent, depth);
    laser_text_fill(out, '}', 1);
}

static void render_array(struct laser_text *out, const json_t *value, int indent, int depth)
{
    size_t n = json_array_size(value);

    laser_text_fill(out, '[', 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            laser_text_fill(out, ',', 1);
        new_line(out, indent, depth + 1);
        render(out, json_array_get(value, i), indent, depth + 1);
    }
    if (n > 0)
        new_line(out, indent, depth);
    laser_text_fill(out, ']', 1);
}

static void render(struct laser_text *out, const json_t *value, int indent, int depth)
{
    char number[LASER_NUMBER_SIZE];

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        render_object(out, value, indent, depth);
        break;
    case JSON_ARRAY:
        render_array(out, value, indent, depth);
        break;
    case JSON_STRING:
        laser_json_quote(out, json_string_value(value), 0);
        break;
    case JSON_INTEGER:
        laser_text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        laser_text_puts(out, laser_number_shortest(json_real_value(value), number));
        break;
    case JSON_TRUE:
        laser_text_puts(out, "true");
        break;
    case JSON_FALSE:
        laser_text_puts(out, "false");
        break;
    default:
        laser_text_puts(out, "null");
        break;
    }
}

void laser_json_render(struct laser_text *out, const json_t *value, int indent)
{
    render(out, value, indent, 0);
}

json_t *laser_json_real(double value)
{
    char number[LASER_NUMBER_SIZE];

    return isfinite(value) ? json_real(value) : json_string(laser_number_shortest(value, number));
}

#include "report/colours.h"

#include <math.h>

static const struct {
    const char *name;
    uint32_t light, dark, print;
} named[LASER_COLOURS] = {
    [LASER_COLOUR_BACKGROUND] = {"bg", 0xffffff, 0x14181d, 0xffffff},
    [LASER_COLOUR_TEXT] = {"fg", 0x1c2127, 0xe6eaef, 0x1c2127},
    [LASER_COLOUR_MUTED] = {"muted", 0x5a6571, 0x9aa6b2, 0x4c5660},
    [LASER_COLOUR_FAINT] = {"faint", 0x8d97a2, 0x6f7b88, 0x8d97a2},
    [LASER_COLOUR_LINE] = {"line", 0xdde2e8, 0x2d353e, 0xd3d9df},
    [LASER_COLOUR_PANEL] = {"panel", 0xf5f7f9, 0x1b2027, 0xf5f7f9},
    [LASER_COLOUR_A] = {"a", 0x0072b2, 0x56b4e9, 0x0072b2},
    [LASER_COLOUR_B] = {"b", 0x00785f, 0x4fd1b0, 0x00785f},
    [LASER_COLOUR_KEPT] = {"kept", 0x0072b2, 0x56b4e9, 0x0072b2},
    [LASER_COLOUR_REVERTED] = {"reverted", 0xc2570c, 0xf0a25a, 0xc2570c},
    [LASER_COLOUR_NOISE] = {"noise", 0xb4bec9, 0x4d5967, 0xb4bec9},
    [LASER_COLOUR_EDGE] = {"curve", 0xc2570c, 0xf0a25a, 0xc2570c},
    [LASER_COLOUR_COMPAT] = {"compat", 0x8a3ffc, 0xc4a2ff, 0x8a3ffc},
    [LASER_COLOUR_OWN] = {"own", 0x1c2127, 0xe6eaef, 0x1c2127},
    [LASER_COLOUR_BAD] = {"bad", 0xb3261e, 0xff8a80, 0xb3261e},
    [LASER_COLOUR_GOOD] = {"good", 0x00735c, 0x4fd1b0, 0x00735c},
    [LASER_COLOUR_HOLE] = {"hole", 0xeceff3, 0x222931, 0xeceff3},
};

static const uint32_t viridis[] = {0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d,
                                   0x2c728e, 0x26828e, 0x21918c, 0x1fa088, 0x28ae80, 0x3fbc73,
                                   0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725};
static const uint32_t diverging[] = {0x2166ac, 0x5f9fce, 0xb3d3e8, 0xf4f4f2, 0xf6c79a, 0xdd8438, 0xa3470a};
static const uint32_t diverging_dark[] = {0x7cc0f5, 0x4a8fc4, 0x2b567a, 0x2a2f35,
                                          0x74501f, 0xc07f2c, 0xf7b65a};

/* Between the n colours of a table, t from 0 to 1. */
static uint32_t between(const uint32_t *table, int n, double t)
{
    double at = (t > 0 ? t < 1 ? t : 1 : 0) * (n - 1);
    int i = at < n - 2 ? (int)at : n - 2;
    uint32_t colour = 0;

    for (int shift = 16; shift >= 0; shift -= 8) {
        double a = table[i] >> shift & 255, b = table[i + 1] >> shift & 255;
        colour |= (uint32_t)lround(a + (at - i) * (b - a)) << shift;
    }
    return colour;
}

uint32_t laser_viridis(double t)
{
    return between(viridis, sizeof viridis / sizeof *viridis, t);
}

static uint32_t step_of(int scale, int step, int dark)
{
    double t = step / (double)(LASER_COLOUR_STEPS - 1);

    return scale == LASER_COLOUR_SEQUENTIAL ? laser_viridis(t)
           : dark                           ? between(diverging_dark, 7, t)
                                            : between(diverging, 7, t);
}

/* Black or white, whichever can be read on it. */
static uint32_t readable_on(uint32_t c)
{
    return 0.299 * (c >> 16) + 0.587 * (c >> 8 & 255) + 0.114 * (c & 255) > 140 ? 0x111111 : 0xffffff;
}

static uint32_t value_of(int colour, int dark)
{
    int kind = colour / 1000 * 1000, step = colour % 1000;

    if (kind == LASER_COLOUR_ON_SEQUENTIAL)
        return readable_on(step_of(LASER_COLOUR_SEQUENTIAL, step, dark));
    if (kind == LASER_COLOUR_ON_DIVERGING)
        return readable_on(step_of(LASER_COLOUR_DIVERGING, step, dark));
    return kind > 0 ? step_of(kind, step, dark) : dark ? named[colour].dark : named[colour].light;
}

uint32_t laser_colour_hex(int colour)
{
    return value_of(colour, 0);
}

static const char letters[] = {0, 'c', 'd', 't', 'u'}; /* classes of the steps, by thousands */

void laser_colour_attribute(struct laser_text *out, const char *attribute, int colour, int for_page)
{
    if (!for_page)
        laser_text_printf(out, " %s=\"#%06x\"", attribute, (unsigned)laser_colour_hex(colour));
    else if (colour >= 1000)
        laser_text_printf(out, " class=\"%c%d\"", letters[colour / 1000], colour % 1000);
    else
        laser_text_printf(out, " %s=\"var(--%s)\"", attribute, named[colour].name);
}

static void put_names(struct laser_text *out, int scheme)
{
    laser_text_puts(out, ":root{");
    for (int i = 0; i < LASER_COLOURS; i++)
        laser_text_printf(out, "--%s:#%06x;", named[i].name,
                          (unsigned)(scheme == 0   ? named[i].light
                                     : scheme == 1 ? named[i].dark
                                                   : named[i].print));
    laser_text_puts(out, "}\n");
}

static void put_steps(struct laser_text *out, int kind, int dark)
{
    for (int k = 0; k < LASER_COLOUR_STEPS; k++)
        laser_text_printf(out, ".%c%d{fill:#%06x}", letters[kind / 1000], k,
                          (unsigned)value_of(kind + k, dark));
    laser_text_puts(out, "\n");
}

void laser_colour_styles(struct laser_text *out)
{
    put_names(out, 0);
    for (int kind = LASER_COLOUR_SEQUENTIAL; kind <= LASER_COLOUR_ON_DIVERGING; kind += 1000)
        put_steps(out, kind, 0);
    laser_text_puts(out, "@media screen and (prefers-color-scheme:dark){\n");
    put_names(out, 1);
    put_steps(out, LASER_COLOUR_DIVERGING, 1);
    put_steps(out, LASER_COLOUR_ON_DIVERGING, 1);
    laser_text_puts(out, "}\n@media print{\n");
    put_names(out, 2);
    laser_text_puts(out, "}\n");
}

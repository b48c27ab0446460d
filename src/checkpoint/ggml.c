/* Blocks of GGUF tensors, as PyPI's gguf (gguf.quants) takes them apart. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/gguf.h"

static const struct {
    const char *name;
    int block;
    int bytes;
} types[] = {
    [LASER_GGML_F32] = {"F32", 1, 4},         [LASER_GGML_F16] = {"F16", 1, 2},
    [LASER_GGML_Q4_0] = {"Q4_0", 32, 18},     [LASER_GGML_Q4_1] = {"Q4_1", 32, 20},
    [LASER_GGML_Q5_0] = {"Q5_0", 32, 22},     [LASER_GGML_Q5_1] = {"Q5_1", 32, 24},
    [LASER_GGML_Q8_0] = {"Q8_0", 32, 34},     [LASER_GGML_Q2_K] = {"Q2_K", 256, 84},
    [LASER_GGML_Q3_K] = {"Q3_K", 256, 110},   [LASER_GGML_Q4_K] = {"Q4_K", 256, 144},
    [LASER_GGML_Q5_K] = {"Q5_K", 256, 176},   [LASER_GGML_Q6_K] = {"Q6_K", 256, 210},
    [LASER_GGML_IQ4_NL] = {"IQ4_NL", 32, 18}, [LASER_GGML_IQ4_XS] = {"IQ4_XS", 256, 136},
    [LASER_GGML_F64] = {"F64", 1, 8},         [LASER_GGML_BF16] = {"BF16", 1, 2},
    [LASER_GGML_MXFP4] = {"MXFP4", 32, 17},
};

static const double iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
static const double fp4_twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

const char *laser_ggml_name(int64_t type)
{
    return type >= 0 && type < (int64_t)(sizeof types / sizeof types[0]) ? types[type].name : NULL;
}

int64_t laser_ggml_block(int type)
{
    return types[type].block;
}

int64_t laser_ggml_block_bytes(int type)
{
    return types[type].bytes;
}

static double half(const unsigned char *bytes)
{
    const int bits = bytes[0] | bytes[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double sign = bits >> 15 ? -1 : 1;

    if (exponent == 31)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25));
}

/* Nibbles of 16 bytes: the low halves, then the high ones. */
static void nibbles(const unsigned char *q, int *codes)
{
    for (int i = 0; i < 16; i++) {
        codes[i] = q[i] & 15;
        codes[16 + i] = q[i] >> 4;
    }
}

/* A fifth bit from each bit of four bytes. */
static void add_high_bits(const unsigned char *q, int *codes)
{
    for (int i = 0; i < 32; i++)
        codes[i] |= (q[i / 8] >> i % 8 & 1) << 4;
}

/* d * (code - middle) + least; a least of -0.0 leaves the sign of a zero */
static void scale_codes(double d, int middle, double least, const int *codes, double *v)
{
    for (int i = 0; i < 32; i++)
        v[i] = d * (codes[i] - middle) + least;
}

static void look_up(double d, const double *table, const int *codes, double *v)
{
    for (int i = 0; i < 32; i++)
        v[i] = d * table[codes[i]];
}

static void decode_32(int type, const unsigned char *b, double *v)
{
    int codes[32];

    switch (type) {
    case LASER_GGML_Q4_0:
        nibbles(b + 2, codes);
        scale_codes(half(b), 8, -0.0, codes, v);
        break;
    case LASER_GGML_Q4_1:
        nibbles(b + 4, codes);
        scale_codes(half(b), 0, half(b + 2), codes, v);
        break;
    case LASER_GGML_Q5_0:
        nibbles(b + 6, codes);
        add_high_bits(b + 2, codes);
        scale_codes(half(b), 16, -0.0, codes, v);
        break;
    case LASER_GGML_Q5_1:
        nibbles(b + 8, codes);
        add_high_bits(b + 4, codes);
        scale_codes(half(b), 0, half(b + 2), codes, v);
        break;
    case LASER_GGML_Q8_0:
        for (int i = 0; i < 32; i++)
            codes[i] = (int8_t)b[2 + i];
        scale_codes(half(b), 0, -0.0, codes, v);
        break;
    case LASER_GGML_IQ4_NL:
        nibbles(b + 2, codes);
        look_up(half(b), iq4_values, codes, v);
        break;
    default: /* MXFP4 */
        nibbles(b + 1, codes);
        look_up(ldexp(1, b[0] - 128), fp4_twice, codes, v);
    }
}

/* Two bits of element i of 256: chunks of 128 elements from 32 bytes. */
static int two_bits(const unsigned char *q, int i)
{
    return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

static void decode_q2(const unsigned char *b, double *v)
{
    const double d = half(b + 80), least = half(b + 82);

    for (int i = 0; i < 256; i++)
        v[i] = d * (b[i / 16] & 15) * two_bits(b + 16, i) - least * (b[i / 16] >> 4);
}

static void decode_q3(const unsigned char *b, double *v)
{
    const unsigned char *s = b + 96;
    const double d = half(b + 108);

    for (int i = 0; i < 256; i++) {
        const int g = i / 16;
        const int scale = ((s[g % 8] >> g / 8 * 4 & 15) | (s[8 + g % 4] >> g / 4 * 2 & 3) << 4) - 32;
        const int high = (b[i % 32] >> i / 32 & 1) ^ 1;

        v[i] = d * scale * (two_bits(b + 32, i) - 4 * high);
    }
}

/* Scale and minimum of block g of 8, 6 bits each in 12 bytes. */
static void scale_and_least(const unsigned char *s, int g, int *scale, int *least)
{
    if (g < 4) {
        *scale = s[g] & 63;
        *least = s[g + 4] & 63;
    } else {
        *scale = (s[g + 4] & 15) | (s[g - 4] >> 2 & 48);
        *least = s[g + 4] >> 4 | (s[g] >> 2 & 48);
    }
}

/* Q4_K and Q5_K, which has a fifth bit in `high`. */
static void decode_q4(const unsigned char *b, const unsigned char *high, const unsigned char *q, double *v)
{
    const double d = half(b), d_least = half(b + 2);

    for (int g = 0; g < 8; g++) {
        int scale, least;

        scale_and_least(b + 4, g, &scale, &least);
        for (int i = 0; i < 32; i++) {
            int code = q[g / 2 * 32 + i] >> g % 2 * 4 & 15;

            code |= high != NULL ? (high[i] >> g & 1) << 4 : 0;
            v[g * 32 + i] = d * scale * code - d_least * least;
        }
    }
}

static void decode_q6(const unsigned char *b, double *v)
{
    const double d = half(b + 208);

    for (int i = 0; i < 256; i++) {
        const int low = b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;

        v[i] = d * (int8_t)b[192 + i / 16] * ((low | two_bits(b + 128, i) << 4) - 32);
    }
}

static void decode_iq4_xs(const unsigned char *b, double *v)
{
    const double d = half(b);
    const int high = b[2] | b[3] << 8;

    for (int g = 0; g < 8; g++) {
        const int scale = ((b[4 + g / 2] >> g % 2 * 4 & 15) | (high >> 2 * g & 3) << 4) - 32;
        int codes[32];

        nibbles(b + 8 + g * 16, codes);
        look_up(d * scale, iq4_values, codes, v + 32 * g);
    }
}

void laser_ggml_decode(int type, const unsigned char *b, double *v)
{
    switch (type) {
    case LASER_GGML_F32:
        laser_dtype_to_f64(LASER_F32, b, 1, v);
        break;
    case LASER_GGML_F16:
        laser_dtype_to_f64(LASER_F16, b, 1, v);
        break;
    case LASER_GGML_F64:
        laser_dtype_to_f64(LASER_F64, b, 1, v);
        break;
    case LASER_GGML_BF16:
        laser_dtype_to_f64(LASER_BF16, b, 1, v);
        break;
    case LASER_GGML_Q2_K:
        decode_q2(b, v);
        break;
    case LASER_GGML_Q3_K:
        decode_q3(b, v);
        break;
    case LASER_GGML_Q4_K:
        decode_q4(b, NULL, b + 16, v);
        break;
    case LASER_GGML_Q5_K:
        decode_q4(b, b + 16, b + 48, v);
        break;
    case LASER_GGML_Q6_K:
        decode_q6(b, v);
        break;
    case LASER_GGML_IQ4_XS:
        decode_iq4_xs(b, v);
        break;
    default:
        decode_32(type, b, v);
    }
}

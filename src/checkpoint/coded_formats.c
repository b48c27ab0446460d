/* Quantised weights by their names: FP8, FP4, packed integers, bitsandbytes. */
#include "checkpoint/coded_resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/json.h"
#include "checkpoint/state.h"

#define DEFAULT_BLOCK 128

/* [rows, columns] of a block: quantization_config.weight_block_size, or what compressed-tensors calls it. */
static void configured_block(const struct laser_resolver *r, int64_t *rows, int64_t *cols)
{
    const json_t *size = json_object_get(r->config, "weight_block_size");
    const char *key;
    json_t *group;

    json_object_foreach(json_object_get(r->config, "config_groups"), key, group)
    {
        if (!json_is_array(size))
            size = json_object_get(json_object_get(group, "weights"), "block_structure");
    }
    *rows = json_integer_value(json_array_get(size, 0));
    *cols = json_integer_value(json_array_get(size, 1));
    *rows = *rows > 0 && *rows <= INT32_MAX ? *rows : DEFAULT_BLOCK;
    *cols = *cols > 0 && *cols <= INT32_MAX ? *cols : DEFAULT_BLOCK;
}

static int64_t blocks(int64_t extent, int64_t block)
{
    return (extent + block - 1) / block;
}

/* Scales of 8 bits without a sign are exponents. */
static void as_exponents(struct laser_coded *k)
{
    struct laser_tensor *s = k->parts[LASER_PART_SCALE];

    if (s != NULL && s->dtype == LASER_U8)
        s->dtype = LASER_F8_E8M0;
}

/* Blocks of the weight, or groups of a row where the scale has a line a row. */
static void set_blocks(struct laser_making *m, const struct laser_tensor *s)
{
    const int64_t a = s->n_dims >= 2 ? s->shape[s->n_dims - 2] : 1,
                  b = s->n_dims >= 2 ? s->shape[s->n_dims - 1] : 1;
    struct laser_coded *k = m->k;

    configured_block(m->r, &k->block_rows, &k->block_cols);
    if (a == k->rows && b > 1 &&
        !(a == blocks(k->rows, k->block_rows) && b == blocks(k->cols, k->block_cols))) {
        k->block_rows = 1;
        laser_making_group(m, k->cols, b, s);
    }
}

static bool is_fp8(enum laser_dtype dtype)
{
    return dtype == LASER_F8_E4M3 || dtype == LASER_F8_E5M2;
}

static bool method_is(const struct laser_resolver *r, const char *method)
{
    return strcmp(r->method, method) == 0;
}

static const struct laser_tensor *beside(const struct laser_resolver *r, const char *name, int length,
                                         const char *ending)
{
    char full[1024];

    if (snprintf(full, sizeof full, "%.*s%s", length, name, ending) >= (int)sizeof full)
        return NULL;
    return laser_checkpoint_find(r->c, full);
}

/* FP8 and unpacked integers: `X` with `X_scale_inv` or `X_scale`, both of which multiply. */
int laser_resolve_floats(struct laser_resolver *r, const struct laser_tensor *t, bool *known)
{
    const bool fp8 = is_fp8(t->dtype);
    const int length = (int)strlen(t->name);
    const struct laser_tensor *s;
    struct laser_making m;

    if (t->n_dims < 2 || t->n_dims > 3 || !(fp8 || t->dtype == LASER_I8))
        return LASER_OK;
    s = beside(r, t->name, length, "_scale_inv");
    s = s != NULL ? s : beside(r, t->name, length, "_scale");
    if (s == NULL &&
        !(fp8 && (method_is(r, "fp8") || method_is(r, "fbgemm_fp8") || method_is(r, "compressed-tensors"))))
        return LASER_OK;
    *known = true;
    m = laser_making_begin(r, t, length, LASER_CODED_SCALED, fp8 ? laser_dtype_name(t->dtype) : "int8", 8);
    s = laser_making_part(&m, LASER_PART_SCALE, "_scale_inv", false);
    if (s == NULL)
        s = laser_making_part(&m, LASER_PART_SCALE, "_scale", true);
    laser_making_part(&m, LASER_PART_ZERO, "_zero_point", false);
    if (m.code == LASER_OK) {
        as_exponents(m.k);
        m.k->rows = t->shape[t->n_dims - 2];
        m.k->cols = t->shape[t->n_dims - 1];
        set_blocks(&m, s);
    }
    return laser_making_end(&m, "", laser_resolve_dtype(s), t->n_dims == 3 ? t->shape[0] : 0);
}

/* gpt-oss: [stack,] rows, columns / 32, 16.  Where the stack's name goes on with an underscore, transformers
 * turns each matrix. */
static int resolve_mxfp4(struct laser_resolver *r, const struct laser_tensor *t, int length, bool turned)
{
    struct laser_making m = laser_making_begin(r, t, length, LASER_CODED_FP4, "MXFP4", 4);
    const struct laser_tensor *s =
        laser_making_part(&m, LASER_PART_SCALE, turned ? "_scales" : ".scales", true);
    const int64_t stack = t->n_dims == 4 ? t->shape[0] : 0, rows = t->shape[t->n_dims - 3],
                  n = t->shape[t->n_dims - 2];

    if (s != NULL && (s->n_dims != t->n_dims - 1 || (stack > 0 && s->shape[0] != stack) ||
                      s->shape[s->n_dims - 2] != rows || s->shape[s->n_dims - 1] != n))
        laser_making_fail(&m, s->name,
                          "the scales are not one a block of 32 of the %lld x %lld blocks of %.300s",
                          (long long)rows, (long long)n, t->name);
    if (m.code == LASER_OK) {
        as_exponents(m.k);
        m.k->rows = rows;
        m.k->cols = n * 32;
        m.k->block_cols = 32;
        m.k->transposed = turned;
    }
    return laser_making_end(&m, "", LASER_BF16, stack);
}

/* NVFP4 and MXFP4 of compressed-tensors (`weight_packed`) and of ModelOpt (`weight`, `weight_scale_2`). */
static int resolve_packed_fp4(struct laser_resolver *r, const struct laser_tensor *t, int length,
                              bool modelopt)
{
    struct laser_making m = laser_making_begin(r, t, length, LASER_CODED_FP4, "NVFP4", 4);
    const struct laser_tensor *s = laser_making_part(&m, LASER_PART_SCALE, "weight_scale", true);
    const bool stacked = t->n_dims == 3;

    if (m.code == LASER_OK) {
        m.k->rows = t->shape[t->n_dims - 2];
        m.k->cols = t->shape[t->n_dims - 1] * 2;
        m.k->divides = !modelopt;
        if (s->dtype == LASER_U8)
            strcpy(m.k->format, "MXFP4");
        else
            laser_making_part(&m, LASER_PART_SCALE2, modelopt ? "weight_scale_2" : "weight_global_scale",
                              true);
        as_exponents(m.k);
        if (s->n_dims >= 2)
            laser_making_group(&m, m.k->cols, s->shape[s->n_dims - 1], s);
    }
    return laser_making_end(&m, "weight", LASER_BF16, stacked ? t->shape[0] : 0);
}

int laser_resolve_fp4(struct laser_resolver *r, const struct laser_tensor *t, bool *known)
{
    int length;

    if (t->dtype != LASER_U8 || t->n_dims < 2 || t->n_dims > 4)
        return LASER_OK;
    *known = true;
    if (t->n_dims >= 3 && t->shape[t->n_dims - 1] == 16 &&
        (laser_resolve_ends(t->name, "_blocks", &length) || laser_resolve_ends(t->name, ".blocks", &length)))
        return resolve_mxfp4(r, t, length, t->name[length] == '_');
    if (t->n_dims <= 3 && laser_resolve_ends(t->name, "weight_packed", &length))
        return resolve_packed_fp4(r, t, length, false);
    if (t->n_dims <= 3 && laser_resolve_ends(t->name, "weight", &length) &&
        beside(r, t->name, length, "weight_scale_2") != NULL)
        return resolve_packed_fp4(r, t, length, true);
    *known = false;
    return LASER_OK;
}

/* The shape that compressed-tensors notes beside packed weights. */
static void read_shape(struct laser_making *m, const struct laser_tensor *t, const struct laser_tensor *noted)
{
    double *shape = NULL;
    const int64_t n = noted != NULL && noted->n_dims == 1 ? noted->shape[0] : 0;

    if (n != t->n_dims) {
        laser_making_fail(m, noted != NULL ? noted->name : t->name,
                          "no shape of %d numbers is noted for %.300s", t->n_dims, t->name);
        return;
    }
    m->code = laser_coded_doubles(m->r->c, noted, n, 0, 1, 0, n, &shape, m->r->err);
    if (m->code == LASER_OK && shape[n - 2] == (double)t->shape[n - 2] && shape[n - 1] >= 1 &&
        shape[n - 1] < 1e9) {
        m->k->rows = (int64_t)shape[n - 2];
        m->k->cols = (int64_t)shape[n - 1];
    } else if (m->code == LASER_OK) {
        laser_making_fail(m, noted->name, "the shape noted does not have the %lld rows of %.300s",
                          (long long)t->shape[n - 2], t->name);
    }
    free(shape);
}

/* Bits of a code, so that the columns fill the words of a row: what config.json says, else the usual ones
 * first, as rows of less than 32 columns leave a choice. */
static void find_bits(struct laser_making *m, const struct laser_tensor *t, int64_t words)
{
    static const int usual[] = {4, 8, 2, 3, 6, 5, 7, 1};
    json_int_t said = json_integer_value(json_object_get(m->r->config, "bits"));
    const char *key;
    json_t *group;

    json_object_foreach(json_object_get(m->r->config, "config_groups"), key, group)
    {
        const json_int_t bits =
            json_integer_value(json_object_get(json_object_get(group, "weights"), "num_bits"));

        said = bits > 0 && bits <= 8 && m->code == LASER_OK && blocks(m->k->cols * bits, 32) == words ? bits
                                                                                                      : said;
    }
    if (m->code == LASER_OK && said > 0 && said <= 8 && blocks(m->k->cols * said, 32) == words)
        m->k->bits = (int)said;
    for (size_t i = 0; m->code == LASER_OK && i < sizeof usual / sizeof usual[0] && m->k->bits == 0; i++) {
        if (blocks(m->k->cols * usual[i], 32) == words)
            m->k->bits = usual[i];
    }
    if (m->k != NULL && m->k->bits == 0)
        laser_making_fail(m, t->name, "%lld words a row hold %lld columns at no number of bits from 1 to 8",
                          (long long)words, (long long)m->k->cols);
    if (m->code == LASER_OK)
        m->k->format[strlen(m->k->format) - 1] = (char)('0' + m->k->bits);
}

static void check_packed_zeros(struct laser_making *m, const struct laser_tensor *z)
{
    if (z != NULL && (z->n_dims != 2 || laser_dtype_size(z->dtype) != 4 ||
                      z->shape[0] != blocks(m->k->rows * m->k->bits, 32) || m->k->slices != 1))
        laser_making_fail(m, z->name, "the zero points do not have the %lld words that %lld rows take",
                          (long long)blocks(m->k->rows * m->k->bits, 32), (long long)m->k->rows);
}

/* compressed-tensors, pack-quantized. */
static int resolve_pack_quantized(struct laser_resolver *r, const struct laser_tensor *t, int length)
{
    struct laser_making m = laser_making_begin(r, t, length, LASER_CODED_PACKED, "packed int?", 0);
    const struct laser_tensor *s = laser_making_part(&m, LASER_PART_SCALE, "weight_scale", true);
    const struct laser_tensor *shape = laser_making_part(&m, LASER_PART_NOTE, "weight_shape", true);
    const struct laser_tensor *zero = laser_making_part(&m, LASER_PART_ZERO, "weight_zero_point", false);

    laser_making_part(&m, LASER_PART_INDEX, "weight_g_idx", false);
    if (m.code == LASER_OK)
        read_shape(&m, t, shape);
    find_bits(&m, t, t->shape[t->n_dims - 1]);
    if (m.code == LASER_OK && s->n_dims >= 2)
        laser_making_group(&m, m.k->cols, s->shape[s->n_dims - 1], s);
    if (m.code == LASER_OK)
        check_packed_zeros(&m, zero);
    return laser_making_end(&m, "weight", laser_resolve_dtype(s), t->n_dims == 3 ? t->shape[0] : 0);
}

/* MLX: 32-bit words with a scale and an addend a group; or MXFP4 in its "mxfp4" mode, which has no addends.
 */
static int resolve_mlx(struct laser_resolver *r, const struct laser_tensor *t, int length,
                       const struct laser_tensor *s, bool affine)
{
    struct laser_making m = laser_making_begin(r, t, length, affine ? LASER_CODED_AFFINE : LASER_CODED_FP4,
                                               affine ? "MLX int?" : "MXFP4", 0);
    const json_int_t group = json_integer_value(json_object_get(r->config, "group_size"));

    laser_making_part(&m, LASER_PART_SCALE, "scales", true);
    if (affine)
        laser_making_part(&m, LASER_PART_ZERO, "biases", true);
    if (m.code == LASER_OK) {
        as_exponents(m.k);
        m.k->rows = t->shape[t->n_dims - 2];
        m.k->cols = (group > 0 ? group : 64) * s->shape[s->n_dims - 1];
        m.k->block_cols = group > 0 ? group : 64;
    }
    if (m.code == LASER_OK && !affine)
        m.k->bits = 4;
    else
        find_bits(&m, t, t->shape[t->n_dims - 1]);
    return laser_making_end(&m, "weight", affine ? laser_resolve_dtype(s) : LASER_BF16,
                            t->n_dims == 3 ? t->shape[0] : 0);
}

int laser_resolve_packed(struct laser_resolver *r, const struct laser_tensor *t, bool *known)
{
    const struct laser_tensor *s;
    bool affine;
    int length;

    if (t->n_dims < 2 || t->n_dims > 3)
        return LASER_OK;
    if (t->dtype == LASER_I32 && laser_resolve_ends(t->name, "weight_packed", &length)) {
        *known = true;
        return resolve_pack_quantized(r, t, length);
    }
    if (t->dtype != LASER_U32 || !laser_resolve_ends(t->name, "weight", &length))
        return LASER_OK;
    s = beside(r, t->name, length, "scales");
    if (s == NULL || s->n_dims != t->n_dims)
        return LASER_OK;
    *known = true;
    affine = beside(r, t->name, length, "biases") != NULL || s->dtype != LASER_U8;
    return resolve_mlx(r, t, length, s, affine);
}

static void check_turned(struct laser_making *m, const struct laser_tensor *t, const struct laser_tensor *s,
                         const struct laser_tensor *z, bool awq)
{
    const struct laser_tensor *index = m->k->parts[LASER_PART_INDEX];
    const int64_t out = s->shape[1], words = blocks(out * m->k->bits, 32);

    if ((awq ? t->shape[1] != words : t->shape[1] != out) || z->n_dims != 2 || z->shape[0] != s->shape[0] ||
        z->shape[1] != words || laser_dtype_size(z->dtype) != 4)
        laser_making_fail(m, t->name,
                          "qweight [%lld, %lld], scales [%lld, %lld] and qzeros [%lld, %lld] do not belong "
                          "together at %d bits",
                          (long long)t->shape[0], (long long)t->shape[1], (long long)s->shape[0],
                          (long long)out, (long long)z->shape[0], (long long)z->shape[1], m->k->bits);
    else if (index != NULL && (index->n_dims != 1 || index->shape[0] != m->k->cols))
        laser_making_fail(m, index->name, "%lld groups are named, expected one for each of %lld inputs",
                          (long long)index->shape[0], (long long)m->k->cols);
}

/* GPTQ and AWQ: qweight, qzeros, scales, g_idx. */
int laser_resolve_turned(struct laser_resolver *r, const struct laser_tensor *t, bool *known)
{
    const char *layout = json_string_value(json_object_get(r->config, "checkpoint_format"));
    const json_int_t bits = json_integer_value(json_object_get(r->config, "bits"));
    const struct laser_tensor *s, *z;
    struct laser_making m;
    int length;
    bool awq;

    if (t->n_dims != 2 || (t->dtype != LASER_I32 && t->dtype != LASER_U32) ||
        !laser_resolve_ends(t->name, "qweight", &length))
        return LASER_OK;
    *known = true;
    s = beside(r, t->name, length, "scales");
    awq = method_is(r, "awq") ||
          (!method_is(r, "gptq") && s != NULL && s->n_dims == 2 && s->shape[1] != t->shape[1]);
    m = laser_making_begin(r, t, length, awq ? LASER_CODED_AWQ : LASER_CODED_GPTQ,
                           awq ? "AWQ int4" : "GPTQ int?", awq || bits <= 0 || bits > 8 ? 4 : (int)bits);
    s = laser_making_part(&m, LASER_PART_SCALE, "scales", true);
    z = laser_making_part(&m, LASER_PART_ZERO, "qzeros", true);
    laser_making_part(&m, LASER_PART_INDEX, "g_idx", false);
    if (m.code == LASER_OK && s->n_dims != 2)
        laser_making_fail(&m, s->name, "scales of %d dimensions, expected [groups, outputs]", s->n_dims);
    if (m.code == LASER_OK) {
        m.k->rows = s->shape[1];
        m.k->cols = awq ? t->shape[0] : t->shape[0] * 32 / m.k->bits;
        m.k->zero_shift = !awq && !(layout != NULL && strcmp(layout, "gptq_v2") == 0);
        m.k->format[strlen(m.k->format) - 1] = (char)('0' + m.k->bits);
        check_turned(&m, t, s, z, awq);
        if (m.k->parts[LASER_PART_INDEX] == NULL)
            laser_making_group(&m, m.k->cols, s->shape[0], s);
    }
    return laser_making_end(&m, "weight", laser_resolve_dtype(s), 0);
}

/* What bitsandbytes notes, as JSON, beside a 4-bit weight. */
static int read_state(struct laser_making *m, const struct laser_tensor *t, enum laser_dtype *dtype)
{
    char *text = calloc(1, (size_t)t->size_bytes + 1);
    const char *name;
    json_t *state = NULL, *shape = NULL;
    int64_t block2 = 256;
    int code = text != NULL ? laser_checkpoint_read_stored(m->r->c, t, 0, t->size_bytes, text, m->r->err)
                            : laser_error_set(m->r->err, LASER_ENOMEM, t->name, "no memory");

    if (code == LASER_OK)
        code = laser_json_parse(t->name, text, strlen(text), 0, &state, m->r->err);
    if (code == LASER_OK)
        code = laser_json_get_size(state, t->name, "blocksize", &m->k->block_cols, m->r->err);
    if (code == LASER_OK && laser_json_has(state, "nested_blocksize"))
        code = laser_json_get_size(state, t->name, "nested_blocksize", &block2, m->r->err);
    if (code == LASER_OK && laser_json_has(state, "nested_offset"))
        code = laser_json_get_real(state, t->name, "nested_offset", &m->k->offset, m->r->err);
    if (code == LASER_OK)
        code = laser_json_get_array(state, t->name, "shape", &shape, m->r->err);
    if (code == LASER_OK) {
        m->k->block2 = block2;
        m->k->rows = json_integer_value(json_array_get(shape, 0));
        m->k->cols = json_integer_value(json_array_get(shape, 1));
        name = json_string_value(json_object_get(state, "dtype"));
        *dtype = name != NULL && strcmp(name, "bfloat16") == 0  ? LASER_BF16
                 : name != NULL && strcmp(name, "float16") == 0 ? LASER_F16
                                                                : LASER_F32;
        if (json_array_size(shape) != 2 || m->k->block_cols < 1 || block2 < 1)
            code = laser_error_set(m->r->err, LASER_EINPUT, t->name,
                                   "no shape of two numbers and size of a block");
    }
    json_decref(state);
    free(text);
    return code;
}

/* Does a 1-D part hold n elements? */
static void check_length(struct laser_making *m, enum laser_coded_part part, int64_t n)
{
    const struct laser_tensor *t = m->k->parts[part];

    if (t != NULL && t->size_bytes / (int64_t)laser_dtype_size(t->dtype) != n)
        laser_making_fail(m, t->name, "%lld values, expected %lld",
                          (long long)(t->size_bytes / (int64_t)laser_dtype_size(t->dtype)), (long long)n);
}

static int resolve_bnb4(struct laser_resolver *r, const struct laser_tensor *t, int length, const char *kind)
{
    char state[64];
    enum laser_dtype dtype = LASER_F32;
    struct laser_making m =
        laser_making_begin(r, t, length, LASER_CODED_BNB4, kind[0] == 'n' ? "NF4" : "bitsandbytes FP4", 4);
    const struct laser_tensor *note;
    int64_t n, n_blocks;

    snprintf(state, sizeof state, ".quant_state.bitsandbytes__%s", kind);
    note = laser_making_part(&m, LASER_PART_NOTE, state, true);
    laser_making_part(&m, LASER_PART_SCALE, ".absmax", true);
    laser_making_part(&m, LASER_PART_TABLE, ".quant_map", true);
    laser_making_part(&m, LASER_PART_SCALE2, ".nested_absmax", false);
    laser_making_part(&m, LASER_PART_TABLE2, ".nested_quant_map",
                      m.code == LASER_OK && m.k->parts[LASER_PART_SCALE2]);
    if (m.code == LASER_OK)
        m.code = read_state(&m, note, &dtype);
    if (m.code == LASER_OK) {
        n = m.k->rows * m.k->cols;
        n_blocks = blocks(n, m.k->block_cols);
        check_length(&m, LASER_PART_SCALE, n_blocks);
        check_length(&m, LASER_PART_SCALE2, blocks(n_blocks, m.k->block2));
        check_length(&m, LASER_PART_TABLE, 16);
        check_length(&m, LASER_PART_TABLE2, 256);
        if (t->size_bytes != (n + 1) / 2)
            laser_making_fail(&m, t->name, "%lld bytes, expected %lld for %lld x %lld of 4 bits",
                              (long long)t->size_bytes, (long long)(n + 1) / 2, (long long)m.k->rows,
                              (long long)m.k->cols);
    }
    return laser_making_end(&m, "", dtype, 0);
}

/* int8: `weight` with `SCB`, one a row. */
static int resolve_bnb8(struct laser_resolver *r, const struct laser_tensor *t, int length)
{
    struct laser_making m = laser_making_begin(r, t, length, LASER_CODED_BNB8, "bitsandbytes int8", 8);

    laser_making_part(&m, LASER_PART_SCALE, "SCB", true);
    laser_making_part(&m, LASER_PART_NOTE, "weight_format", false);
    if (m.code == LASER_OK) {
        m.k->rows = t->shape[0];
        m.k->cols = t->shape[1];
    }
    return laser_making_end(&m, "weight", LASER_F32, 0);
}

int laser_resolve_bitsandbytes(struct laser_resolver *r, const struct laser_tensor *t, bool *known)
{
    static const char *const kinds[] = {"nf4", "fp4"};
    const int length = (int)strlen(t->name);
    char state[64];
    int base;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        snprintf(state, sizeof state, ".quant_state.bitsandbytes__%s", kinds[i]);
        if (beside(r, t->name, length, state) != NULL) {
            *known = true;
            return resolve_bnb4(r, t, length, kinds[i]);
        }
    }
    if (t->dtype == LASER_I8 && t->n_dims == 2 && laser_resolve_ends(t->name, "weight", &base) &&
        beside(r, t->name, base, "SCB") != NULL) {
        *known = true;
        return resolve_bnb8(r, t, base);
    }
    return LASER_OK;
}

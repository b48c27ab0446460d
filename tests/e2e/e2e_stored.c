/* Checkpoints of other formats for the end-to-end scripts.
 *
 *   e2e_stored quantise IN PACKED WIDE
 *
 *       The model.safetensors of the directory IN, its linear layers in 8 bits with a scale a row: as
 * compressed-tensors packs them into PACKED, and widened, in float32, into WIDE.
 *
 *   e2e_stored pair SEED RANK IN BASE CLEAN TUNED
 *
 *       A fine-tuned model and its base, in float32: BASE is the model of the directory IN without a difference of
 * this rank in every linear layer, CLEAN is IN, TUNED is IN with Gaussian noise there.  The singular values of the
 * difference are about 1.3 to 2.5 times the edge of the noise.
 *
 *   e2e_stored deepseek|gpt-oss HIDDEN INTERMEDIATE LAYERS EXPERTS PACKED WIDE
 *
 *       The weights of a model of the layout of DeepSeek-V3 (FP8 in blocks of 128 x 128) or gpt-oss (MXFP4) as they are
 * published, into PACKED, and widened, in float32, into WIDE.  INTERMEDIATE is the width of an expert. Scales have few bits, so
 * that every product is exact in every type.
 *
 *   e2e_stored value MODEL TENSOR INDEX
 *
 *       One element of a tensor.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

enum { MOST = 4096 };

struct output {
    struct laser_safetensors_item items[MOST];
    int n;
};

static void stop(const struct laser_error *err)
{
    fprintf(stderr, "e2e_stored: %s: %s\n", err->where, err->text);
    exit(1);
}

static void *room(size_t bytes)
{
    void *made = calloc(bytes + 1, 1);

    if (made == NULL)
        exit(1);
    return made;
}

static void add(struct output *o, const char *base, const char *ending, enum laser_dtype dtype, int64_t rows,
                int64_t cols, const void *data)
{
    struct laser_safetensors_item *item = &o->items[o->n++];
    char *name = room(strlen(base) + strlen(ending));

    strcat(strcpy(name, base), ending);
    *item = (struct laser_safetensors_item){
        .name = name, .dtype = dtype, .n_dims = cols > 0 ? 2 : 1, .shape = {rows, cols}, .data = data};
}

/* One matrix in 8 bits: codes that are packed with an offset of 128, a scale a row. */
static void quantise(const char *name, const float *w, int64_t rows, int64_t cols, struct output *packed,
                     struct output *wide)
{
    const int64_t words = (cols + 3) / 4;
    unsigned char *codes = room((size_t)(rows * words) * 4);
    float *scales = room((size_t)rows * 4), *values = room((size_t)(rows * cols) * 4);
    int64_t *shape = room(16);

    shape[0] = rows;
    shape[1] = cols;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < cols; j++)
            scales[i] = fmaxf(scales[i], fabsf(w[i * cols + j]) / 127);
        for (int64_t j = 0; j < cols; j++) {
            const int q = scales[i] > 0 ? (int)lrintf(w[i * cols + j] / scales[i]) : 0;

            codes[i * words * 4 + j] = (unsigned char)(q + 128);
            values[i * cols + j] = (float)q * scales[i];
        }
    }
    add(packed, name, "_packed", LASER_I32, rows, words, codes);
    add(packed, name, "_scale", LASER_F32, rows, 1, scales);
    add(packed, name, "_shape", LASER_I64, 2, 0, shape);
    add(wide, name, "", LASER_F32, rows, cols, values);
}

static void write_model(const char *dir, const struct output *o)
{
    struct laser_error err = {0};
    char path[4096];

    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (laser_safetensors_write(path, o->items, o->n, &err) != LASER_OK)
        stop(&err);
}

static int quantise_model(const char *in, const char *packed_dir, const char *wide_dir)
{
    static struct output packed, wide;
    struct laser_checkpoint *c = NULL;
    struct laser_error err = {0};

    if (laser_checkpoint_open(in, &c, &err) != LASER_OK)
        stop(&err);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        const int64_t n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
        void *stored = room((size_t)t->size_bytes);
        float *w = room((size_t)n * 4);

        if (laser_checkpoint_read(c, t, 0, t->size_bytes, stored, &err) != LASER_OK)
            stop(&err);
        laser_dtype_to_f32(t->dtype, stored, n, w);
        if (t->n_dims == 2 && strstr(t->name, "_proj.weight") != NULL) {
            quantise(t->name, w, t->shape[0], t->shape[1], &packed, &wide);
            continue;
        }
        add(&packed, t->name, "", LASER_F32, t->shape[0], t->n_dims > 1 ? t->shape[1] : 0, w);
        add(&wide, t->name, "", LASER_F32, t->shape[0], t->n_dims > 1 ? t->shape[1] : 0, w);
    }
    write_model(packed_dir, &packed);
    write_model(wide_dir, &wide);
    return 0;
}

/* A standard normal number (Box and Muller), from a linear congruential generator (Knuth's MMIX). */
static double normal(uint64_t *state)
{
    double u[2];

    for (int i = 0; i < 2; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        u[i] = ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
    }
    return sqrt(-2 * log(u[0])) * cos(2 * M_PI * u[1]);
}

/* base = w - D, tuned = w + noise. */
static void plant(const float *w, int64_t rows, int64_t cols, int rank, uint64_t *state, float *base,
                  float *tuned)
{
    double *u = room((size_t)(rows + cols) * sizeof *u), *v = u + rows, sum = 0, sigma;

    for (int64_t i = 0; i < rows * cols; i++)
        sum += (double)w[i] * (double)w[i];
    sigma = 0.3 * sqrt(sum / (double)(rows * cols));
    for (int64_t i = 0; i < rows * cols; i++) {
        base[i] = w[i];
        tuned[i] = (float)(w[i] + sigma * normal(state));
    }
    for (int k = 0; k < rank; k++) {
        const double above = 1.3 + 1.2 * k / (rank > 1 ? rank - 1 : 1);
        double norm = 0, norms[2] = {0, 0};

        for (int64_t i = 0; i < rows + cols; i++) {
            u[i] = normal(state);
            norms[i >= rows] += u[i] * u[i];
        }
        norm = above * sigma * (sqrt((double)rows) + sqrt((double)cols)) / sqrt(norms[0] * norms[1]);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                base[i * cols + j] -= (float)(norm * u[i] * v[j]);
    }
    free(u);
}

static int plant_pair(uint64_t seed, int rank, const char *in, char **dirs)
{
    static struct output made[3];
    struct laser_checkpoint *c = NULL;
    struct laser_error err = {0};

    if (laser_checkpoint_open(in, &c, &err) != LASER_OK)
        stop(&err);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        const int64_t n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
        void *stored = room((size_t)t->size_bytes);
        float *w[3];

        if (laser_checkpoint_read(c, t, 0, t->size_bytes, stored, &err) != LASER_OK)
            stop(&err);
        for (int m = 0; m < 3; m++)
            laser_dtype_to_f32(t->dtype, stored, n, w[m] = room((size_t)n * 4));
        if (t->n_dims == 2 && strstr(t->name, "_proj.weight") != NULL)
            plant(w[1], t->shape[0], t->shape[1], rank, &seed, w[0], w[2]);
        for (int m = 0; m < 3; m++)
            add(&made[m], t->name, "", LASER_F32, t->shape[0], t->n_dims > 1 ? t->shape[1] : 0, w[m]);
        free(stored);
    }
    for (int m = 0; m < 3; m++)
        write_model(dirs[m], &made[m]);
    laser_checkpoint_close(c);
    return 0;
}

/* ---- layouts of large models ---- */

enum { FP8_BLOCK = 128, MX_BLOCK = 32, HEADS = 4 };

struct copies {
    struct output packed, wide;
    uint64_t state;
    char name[200];
};

static unsigned draw(struct copies *c)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(c->state >> 40);
}

static void add_shape(struct output *o, const char *name, enum laser_dtype dtype, int n_dims,
                      const int64_t *shape, const void *data)
{
    struct laser_safetensors_item *item = &o->items[o->n++];

    *item = (struct laser_safetensors_item){
        .name = strcpy(room(strlen(name)), name), .dtype = dtype, .n_dims = n_dims, .data = data};
    memcpy(item->shape, shape, (size_t)n_dims * sizeof *shape);
}

static void add_plain(struct copies *c, const char *name, int64_t rows, int64_t cols)
{
    const int64_t n = rows * (cols > 0 ? cols : 1);
    float *w = room((size_t)n * 4);

    for (int64_t i = 0; i < n; i++)
        w[i] = (float)normal(&c->state) / 16;
    add(&c->packed, name, "", LASER_F32, rows, cols, w);
    add(&c->wide, name, "", LASER_F32, rows, cols, w);
}

/* e4m3: (8 + m) 2^(e - 10). */
static void add_fp8(struct copies *c, const char *name, int64_t rows, int64_t cols)
{
    const int64_t down = (rows + FP8_BLOCK - 1) / FP8_BLOCK, across = (cols + FP8_BLOCK - 1) / FP8_BLOCK;
    unsigned char *codes = room((size_t)(rows * cols));
    float *scales = room((size_t)(down * across) * 4), *w = room((size_t)(rows * cols) * 4);

    for (int64_t i = 0; i < down * across; i++)
        scales[i] = ldexpf((float)(8 + draw(c) % 8), -10);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            const unsigned e = 5 + draw(c) % 3, m = draw(c) % 8, sign = draw(c) % 2;

            codes[i * cols + j] = (unsigned char)(sign << 7 | e << 3 | m);
            w[i * cols + j] = (sign ? -1 : 1) * ldexpf((float)(8 + m), (int)e - 10) *
                              scales[i / FP8_BLOCK * across + j / FP8_BLOCK];
        }
    add(&c->packed, name, "", LASER_F8_E4M3, rows, cols, codes);
    add(&c->packed, name, "_scale_inv", LASER_F32, down, across, scales);
    add(&c->wide, name, "", LASER_F32, rows, cols, w);
}

static const char *named(struct copies *c, int layer, const char *part)
{
    snprintf(c->name, sizeof c->name, "model.layers.%d.%s", layer, part);
    return c->name;
}

static void add_glu(struct copies *c, int layer, const char *part, int64_t hidden, int64_t width)
{
    static const char *const names[] = {"gate", "up", "down"};
    char name[100];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s.%s_proj.weight", part, names[i]);
        add_fp8(c, named(c, layer, name), i < 2 ? width : hidden, i < 2 ? hidden : width);
    }
}

static void add_deepseek_layer(struct copies *c, int layer, int64_t hidden, int64_t width, int experts)
{
    const int64_t query = 192, latent = 64, rope = 32, nope = 64;
    char part[60];

    add_fp8(c, named(c, layer, "self_attn.q_a_proj.weight"), query, hidden);
    add_fp8(c, named(c, layer, "self_attn.q_b_proj.weight"), HEADS * (nope + rope), query);
    add_fp8(c, named(c, layer, "self_attn.kv_a_proj_with_mqa.weight"), latent + rope, hidden);
    add_fp8(c, named(c, layer, "self_attn.kv_b_proj.weight"), HEADS * 2 * nope, latent);
    add_fp8(c, named(c, layer, "self_attn.o_proj.weight"), hidden, HEADS * nope);
    if (layer == 0) {
        add_glu(c, layer, "mlp", hidden, 2 * width);
        return;
    }
    add_plain(c, named(c, layer, "mlp.gate.weight"), experts, hidden);
    add_plain(c, named(c, layer, "mlp.gate.e_score_correction_bias"), experts, 0);
    add_glu(c, layer, "mlp.shared_experts", hidden, width);
    for (int e = 0; e < experts; e++) {
        snprintf(part, sizeof part, "mlp.experts.%d", e);
        add_glu(c, layer, part, hidden, width);
    }
}

/* A stack of experts' matrices, rows x cols each, which the model has transposed.  e2m1: two codes a byte, the first in the
 * low half; exponents of scales are stored plus 127. */
static void add_mxfp4(struct copies *c, const char *name, int64_t experts, int64_t rows, int64_t cols)
{
    static const float values[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
    const int64_t blocks = cols / MX_BLOCK, shape[] = {experts, rows, blocks, MX_BLOCK / 2},
                  seen[] = {experts, cols, rows};
    unsigned char *codes = room((size_t)(experts * rows * cols / 2)),
                  *scales = room((size_t)(experts * rows * blocks));
    float *w = room((size_t)(experts * rows * cols) * 4);
    char part[220];

    for (int64_t i = 0; i < experts * rows * blocks; i++)
        scales[i] = (unsigned char)(120 + draw(c) % 3);
    for (int64_t e = 0; e < experts; e++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++) {
                const int64_t at = (e * rows + i) * cols + j;
                const unsigned q = draw(c) % 16;

                codes[at / 2] |= (unsigned char)(at % 2 == 0 ? q : q << 4);
                w[(e * cols + j) * rows + i] =
                    (q > 7 ? -1 : 1) * ldexpf(values[q % 8], scales[at / MX_BLOCK] - 127);
            }
    snprintf(part, sizeof part, "%s_blocks", name);
    add_shape(&c->packed, part, LASER_U8, 4, shape, codes);
    snprintf(part, sizeof part, "%s_scales", name);
    add_shape(&c->packed, part, LASER_U8, 3, shape, scales);
    add_shape(&c->wide, name, LASER_F32, 3, seen, w);
}

static void add_gpt_oss_layer(struct copies *c, int layer, int64_t hidden, int64_t width, int experts)
{
    const int64_t head = 64;

    add_plain(c, named(c, layer, "self_attn.q_proj.weight"), HEADS * head, hidden);
    add_plain(c, named(c, layer, "self_attn.k_proj.weight"), HEADS * head / 2, hidden);
    add_plain(c, named(c, layer, "self_attn.v_proj.weight"), HEADS * head / 2, hidden);
    add_plain(c, named(c, layer, "self_attn.o_proj.weight"), hidden, HEADS * head);
    add_plain(c, named(c, layer, "self_attn.sinks"), HEADS, 0);
    add_plain(c, named(c, layer, "mlp.router.weight"), experts, hidden);
    add_mxfp4(c, named(c, layer, "mlp.experts.gate_up_proj"), experts, 2 * width, hidden);
    add_mxfp4(c, named(c, layer, "mlp.experts.down_proj"), experts, hidden, width);
}

static int write_scaled(bool is_deepseek, char **sizes, char **dirs)
{
    static struct copies c = {.state = 1};
    const int64_t hidden = atoll(sizes[0]), width = atoll(sizes[1]);
    const int layers = atoi(sizes[2]), experts = atoi(sizes[3]);

    add_plain(&c, "model.embed_tokens.weight", 512, hidden);
    add_plain(&c, "model.norm.weight", hidden, 0);
    add_plain(&c, "lm_head.weight", 512, hidden);
    for (int layer = 0; layer < layers; layer++)
        (is_deepseek ? add_deepseek_layer : add_gpt_oss_layer)(&c, layer, hidden, width, experts);
    write_model(dirs[0], &c.packed);
    write_model(dirs[1], &c.wide);
    return 0;
}

static int print_value(const char *model, const char *name, int64_t i)
{
    struct laser_checkpoint *c = NULL;
    struct laser_error err = {0};
    const struct laser_tensor *t;
    char stored[8];
    double value;
    int64_t size;

    if (laser_checkpoint_open(model, &c, &err) != LASER_OK)
        stop(&err);
    t = laser_checkpoint_find(c, name);
    size = t != NULL ? (int64_t)laser_dtype_size(t->dtype) : 1;
    if (t == NULL || laser_checkpoint_read(c, t, i * size, size, stored, &err) != LASER_OK)
        stop(&err);
    laser_dtype_to_f64(t->dtype, stored, 1, &value);
    printf("%.17g\n", value);
    laser_checkpoint_close(c);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "quantise") == 0)
        return quantise_model(argv[2], argv[3], argv[4]);
    if (argc == 8 && strcmp(argv[1], "pair") == 0)
        return plant_pair((uint64_t)atoll(argv[2]), atoi(argv[3]), argv[4], argv + 5);
    if (argc == 8 && (strcmp(argv[1], "deepseek") == 0 || strcmp(argv[1], "gpt-oss") == 0))
        return write_scaled(strcmp(argv[1], "deepseek") == 0, argv + 2, argv + 6);
    if (argc == 5 && strcmp(argv[1], "value") == 0)
        return print_value(argv[2], argv[3], atoll(argv[4]));
    fprintf(
        stderr,
        "usage: e2e_stored quantise IN PACKED WIDE | pair SEED RANK IN BASE CLEAN TUNED | deepseek|gpt-oss HIDDEN INTERMEDIATE LAYERS EXPERTS PACKED WIDE | value MODEL TENSOR INDEX\n");
    return 1;
}

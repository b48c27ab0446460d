/* The product with AVX-512: blocks of 14 tokens times panels of 32 outputs stay in 28 registers while the
 * inputs run (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication").  Inputs are
 * taken DEPTH at a time and tokens TOKENS at a time, so that the prepared activations stay in the
 * second-level cache; a panel of weights is widened once for all these tokens.
 */
#include <unistd.h>

#include "kernels/linear_layout.h"

#if defined(__x86_64__)
#include "kernels/linear_avx512.h"

enum {
    TOKENS = 37 * LASER_BLOCK, /* 518 */
    DEPTH = 512,               /* of float32, twice as much of pairs */
    SHORT = 2 * LASER_BLOCK,   /* so few tokens are prepared at full depth, and the weights stream through */
    SLACK = 32                 /* floats that preparing may write beyond its blocks */
};

/* A product with its blocking. */
struct blocking {
    const struct laser_product *product;
    laser_avx512_kernel *const *kernels;
    enum laser_operand operand;
    int64_t depth;      /* inputs at a time */
    int64_t tokens;     /* prepared */
    float *activations; /* prepared */
    float *panel;       /* widened weights, or NULL where the kernels read them as packed */
    float *y;           /* of the first prepared token */
};

/* Half as many tokens where the second-level cache has less than 2 MB. */
static int64_t token_limit(void)
{
    long size_bytes = -1;

#ifdef _SC_LEVEL2_CACHE_SIZE
    size_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return size_bytes >= 2 << 20 ? TOKENS : TOKENS / LASER_BLOCK / 2 * LASER_BLOCK;
}

static int64_t chunk_depth(int64_t in, int64_t limit)
{
    int64_t chunks = (in + limit - 1) / limit;

    return laser_round_up((in + chunks - 1) / chunks, 16);
}

int64_t laser_product_avx512_scratch(const struct laser_linear *linear, int64_t tokens)
{
    int64_t blocks = laser_round_up(tokens < TOKENS ? tokens : TOKENS, LASER_BLOCK);
    int64_t few = laser_round_up(tokens < SHORT ? tokens : SHORT, LASER_BLOCK);
    int64_t floats = blocks * DEPTH, whole = few * laser_linear_depth(linear);

    return ((whole > floats ? whole : floats) + SLACK + DEPTH * LASER_PANEL) * (int64_t)sizeof(float);
}

/* Elements of 4 bytes that a prepared input takes: pairs share one. */
static int64_t prepared_size(const struct blocking *b, int64_t tokens, int64_t depth)
{
    int64_t elements = tokens * depth;

    return b->operand == LASER_OPERAND_PAIRS ? elements / 2 : elements;
}

/* All prepared tokens times one panel of outputs (o: its first within the product), inputs k .. k + depth
 * - 1. */
static void multiply_panel(const struct blocking *b, int64_t o, int64_t k, int64_t depth,
                           const float *activations)
{
    const struct laser_product *product = b->product;
    const void *weights = laser_linear_panel(product->linear, (product->first + o) / LASER_PANEL, k);
    int lanes = (int)(product->count - o < LASER_PANEL ? product->count - o : LASER_PANEL);

    if (b->panel) {
        laser_avx512_widen(product->linear->packed_as, depth, weights, b->panel);
        weights = b->panel;
    }
    for (int64_t t = 0; t < b->tokens; t += LASER_BLOCK) {
        int64_t m = b->tokens - t < LASER_BLOCK ? b->tokens - t : LASER_BLOCK;

        b->kernels[m](depth, activations + prepared_size(b, t, depth), weights,
                      b->y + t * product->y_stride + o, product->y_stride, lanes, product->add || k > 0);
    }
}

static void prepare(const struct blocking *b, const float *x, int64_t k, int64_t depth, float *to)
{
    int64_t in = b->product->linear->in;

    laser_avx512_prepare(b->operand, b->tokens, in - k < depth ? in - k : depth, depth, x + k,
                         b->product->x_stride, to);
}

static int64_t depth_at(const struct blocking *b, int64_t k)
{
    int64_t left = laser_linear_depth(b->product->linear) - k;

    return left < b->depth ? left : b->depth;
}

/* Many tokens: a slab of inputs is prepared and meets all outputs before the next. */
static void multiply_many(const struct blocking *b, const float *x)
{
    for (int64_t k = 0; k < b->product->linear->in; k += b->depth) {
        int64_t depth = depth_at(b, k);

        prepare(b, x, k, depth, b->activations);
        for (int64_t o = 0; o < b->product->count; o += LASER_PANEL)
            multiply_panel(b, o, k, depth, b->activations);
    }
}

/* Few tokens: they are prepared whole, and each panel of weights is read from end to end. */
static void multiply_short(const struct blocking *b, const float *x)
{
    int64_t in = b->product->linear->in, padded = laser_round_up(b->tokens, LASER_BLOCK);

    for (int64_t k = 0; k < in; k += b->depth)
        prepare(b, x, k, depth_at(b, k), b->activations + prepared_size(b, padded, k));
    for (int64_t o = 0; o < b->product->count; o += LASER_PANEL)
        for (int64_t k = 0; k < in; k += b->depth)
            multiply_panel(b, o, k, depth_at(b, k), b->activations + prepared_size(b, padded, k));
}

static void choose_kernels(struct blocking *b, bool dot_products, float *panel)
{
    const struct laser_linear *linear = b->product->linear;

    b->operand = linear->precision == LASER_FLOAT32 ? LASER_OPERAND_FLOAT : LASER_OPERAND_ROUNDED;
    b->kernels = laser_avx512_float;
    b->panel = panel;
    if (linear->packed_as == LASER_STORED_F32) {
        b->panel = NULL;
    } else if (linear->precision == LASER_BFLOAT16 && dot_products) {
        b->operand = LASER_OPERAND_PAIRS;
        b->kernels = laser_avx512_pairs;
        b->panel = NULL;
    } else if (linear->packed_as == LASER_STORED_BF16 && b->product->tokens <= LASER_FEW) {
        b->kernels = laser_avx512_few;
        b->panel = NULL;
    }
}

static void multiply(const struct laser_product *product, bool dot_products)
{
    float *panel = product->scratch->data;
    int64_t limit = token_limit();
    struct blocking b = {.product = product};

    b.activations = panel + DEPTH * LASER_PANEL;
    choose_kernels(&b, dot_products, panel);
    b.depth = chunk_depth(product->linear->in, b.operand == LASER_OPERAND_PAIRS ? 2 * DEPTH : DEPTH);
    for (int64_t t = 0; t < product->tokens; t += b.tokens) {
        int64_t left = product->tokens - t;

        b.tokens = left < limit ? left : limit;
        b.y = product->y + t * product->y_stride;
        if (product->tokens <= SHORT)
            multiply_short(&b, product->x + t * product->x_stride);
        else
            multiply_many(&b, product->x + t * product->x_stride);
    }
}

void laser_product_avx512(const struct laser_product *product)
{
    multiply(product, false);
}

void laser_product_avx512bf16(const struct laser_product *product)
{
    multiply(product, true);
}

#else

int64_t laser_product_avx512_scratch(const struct laser_linear *linear, int64_t tokens)
{
    return laser_product_generic_scratch(linear, tokens);
}

void laser_product_avx512(const struct laser_product *product)
{
    laser_product_generic(product);
}

void laser_product_avx512bf16(const struct laser_product *product)
{
    laser_product_generic(product);
}

#endif

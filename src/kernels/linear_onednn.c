/* The product by oneDNN's matmul on blocks of outputs, which are unpacked to a plain matrix first. Primitives
 * are made once per shape and kept for the life of the process.  Where oneDNN refuses a shape, BLAS does it.
 */
#include "config.h"

#include <string.h>

#include "kernels/linear_layout.h"

#ifdef HAVE_ONEDNN
#include "kernels/onednn.h"

enum { OUTPUTS = 256, TOKENS = 1024, SLOTS = 32 };

struct key {
    dnnl_dim_t tokens, outputs, inputs, x_stride, y_stride;
    dnnl_data_type_t type;
    int add;
};

struct slot {
    struct key key;
    dnnl_primitive_t matmul; /* NULL: a free slot */
    dnnl_memory_t x, weights, y;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static struct slot slots[SLOTS];
static int next_slot;

int64_t laser_product_onednn_scratch(const struct laser_linear *linear, int64_t tokens)
{
    return laser_product_openblas_scratch(linear, tokens < TOKENS ? tokens : TOKENS) + 64 +
           OUTPUTS * (int64_t)sizeof(float);
}

static bool start_library(void)
{
    if (engine)
        return true;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) {
        engine = NULL;
        return false;
    }
    if (dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success) {
        dnnl_engine_destroy(engine);
        engine = NULL;
        return false;
    }
    return true;
}

static void empty_slot(struct slot *slot)
{
    dnnl_primitive_destroy(slot->matmul);
    dnnl_memory_destroy(slot->x);
    dnnl_memory_destroy(slot->weights);
    dnnl_memory_destroy(slot->y);
    *slot = (struct slot){0};
}

/* What one key describes: x, weights, y. */
struct description {
    dnnl_memory_desc_t x, weights, y;
};

static void forget(struct description *d)
{
    laser_onednn_forget(&d->x);
    laser_onednn_forget(&d->weights);
    laser_onednn_forget(&d->y);
}

static bool describe(const struct key *key, struct description *d)
{
    dnnl_dims_t x_dims = {key->tokens, key->inputs}, x_strides = {key->x_stride, 1};
    dnnl_dims_t w_dims = {key->inputs, key->outputs}, w_strides = {OUTPUTS, 1};
    dnnl_dims_t y_dims = {key->tokens, key->outputs}, y_strides = {key->y_stride, 1};

    return laser_onednn_strided(&d->x, x_dims, key->type, x_strides) == dnnl_success &&
           laser_onednn_strided(&d->weights, w_dims, key->type, w_strides) == dnnl_success &&
           laser_onednn_strided(&d->y, y_dims, dnnl_f32, y_strides) == dnnl_success;
}

static dnnl_primitive_t make_matmul(const struct key *key, const struct description *d)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t sum = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;

    if (dnnl_primitive_attr_create(&attributes) == dnnl_success &&
        dnnl_post_ops_create(&sum) == dnnl_success &&
        (!key->add || laser_onednn_add_to(sum) == dnnl_success) &&
        dnnl_primitive_attr_set_post_ops(attributes, sum) == dnnl_success &&
        laser_onednn_matmul(&desc, engine, laser_onednn_lend(&d->x), laser_onednn_lend(&d->weights),
                            laser_onednn_lend(&d->y), attributes) == dnnl_success &&
        dnnl_primitive_create(&primitive, desc) != dnnl_success)
        primitive = NULL;
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (sum)
        dnnl_post_ops_destroy(sum);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return primitive;
}

static bool make_memory(dnnl_memory_t *memory, const dnnl_memory_desc_t *desc)
{
    return dnnl_memory_create(memory, laser_onednn_lend(desc), engine, DNNL_MEMORY_NONE) == dnnl_success;
}

static bool fill_slot(struct slot *slot, const struct key *key)
{
    struct description d;
    bool filled;

    memset(&d, 0, sizeof d);
    slot->key = *key;
    filled = describe(key, &d) && (slot->matmul = make_matmul(key, &d)) && make_memory(&slot->x, &d.x) &&
             make_memory(&slot->weights, &d.weights) && make_memory(&slot->y, &d.y);
    forget(&d);
    return filled;
}

static bool same_key(const struct key *a, const struct key *b)
{
    return a->tokens == b->tokens && a->outputs == b->outputs && a->inputs == b->inputs &&
           a->x_stride == b->x_stride && a->y_stride == b->y_stride && a->type == b->type && a->add == b->add;
}

static struct slot *find_slot(const struct key *key)
{
    struct slot *slot;

    for (int i = 0; i < SLOTS; i++)
        if (slots[i].matmul && same_key(&slots[i].key, key))
            return &slots[i];
    slot = &slots[next_slot];
    next_slot = (next_slot + 1) % SLOTS;
    empty_slot(slot);
    if (fill_slot(slot, key))
        return slot;
    empty_slot(slot);
    return NULL;
}

static bool run(const struct key *key, const void *x, void *weights, float *y)
{
    struct slot *slot = find_slot(key);
    dnnl_exec_arg_t arguments[3];

    if (!slot || dnnl_memory_set_data_handle(slot->x, (void *)(uintptr_t)x) != dnnl_success ||
        dnnl_memory_set_data_handle(slot->weights, weights) != dnnl_success ||
        dnnl_memory_set_data_handle(slot->y, y) != dnnl_success)
        return false;
    arguments[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, slot->x};
    arguments[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, slot->weights};
    arguments[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, slot->y};
    return dnnl_primitive_execute(slot->matmul, stream, 3, arguments) == dnnl_success &&
           dnnl_stream_wait(stream) == dnnl_success;
}

/* A panel of pairs to columns of a plain bfloat16 matrix [in, OUTPUTS]. */
static void unpack_pairs(const struct laser_linear *linear, int64_t panel, uint16_t *to)
{
    const uint16_t *from = laser_linear_panel(linear, panel, 0);

    for (int64_t k = 0; k < linear->in; k++)
        for (int lane = 0; lane < LASER_PANEL; lane++)
            to[k * OUTPUTS + lane] = from[(k / 2 * LASER_PANEL + lane) * 2 + k % 2];
}

static void unpack(const struct laser_product *product, int64_t o, int outputs, void *weights)
{
    const struct laser_linear *linear = product->linear;

    for (int lane = 0; lane < outputs; lane += LASER_PANEL) {
        int64_t panel = (product->first + o + lane) / LASER_PANEL;

        if (linear->precision == LASER_BFLOAT16)
            unpack_pairs(linear, panel, (uint16_t *)weights + lane);
        else
            laser_linear_widen(linear, panel, 0, linear->in, (float *)weights + lane, OUTPUTS);
    }
}

static void round_tokens(const struct laser_product *product, int64_t first, int64_t count, uint16_t *to)
{
    int64_t in = product->linear->in;

    for (int64_t t = 0; t < count; t++)
        for (int64_t k = 0; k < in; k++)
            to[t * in + k] = laser_bfloat16_from_float(product->x[(first + t) * product->x_stride + k]);
}

/* One block of tokens; false where oneDNN did not do all of it. */
static bool multiply(const struct laser_product *product, int64_t first, int64_t tokens, const void *x,
                     int64_t x_stride, void *weights, dnnl_data_type_t type, int64_t *done)
{
    for (int64_t o = 0; o < product->count; o += OUTPUTS) {
        int outputs = (int)(product->count - o < OUTPUTS ? product->count - o : OUTPUTS);
        struct key key = {tokens, outputs,     product->linear->in, x_stride, product->y_stride,
                          type,   product->add};

        *done = o;
        unpack(product, o, outputs, weights);
        if (!run(&key, x, weights, product->y + first * product->y_stride + o))
            return false;
    }
    return true;
}

/* What oneDNN left: outputs from `done` on of these tokens. */
static void finish(const struct laser_product *product, int64_t first, int64_t tokens, int64_t done)
{
    struct laser_product rest = *product;

    rest.first += done;
    rest.count -= done;
    rest.tokens = tokens;
    rest.x += first * product->x_stride;
    rest.y += first * product->y_stride + done;
    laser_product_openblas(&rest);
}

void laser_product_onednn(const struct laser_product *product)
{
    int64_t in = product->linear->in, done = 0;
    bool narrow = product->linear->precision == LASER_BFLOAT16;
    char *weights = product->scratch->data;
    uint16_t *rounded = (uint16_t *)(weights + laser_round_up(in * OUTPUTS * (narrow ? 2 : 4), 64));

    if (!start_library()) {
        laser_product_openblas(product);
        return;
    }
    for (int64_t t = 0; t < product->tokens; t += TOKENS) {
        int64_t count = product->tokens - t < TOKENS ? product->tokens - t : TOKENS;
        const void *x = product->x + t * product->x_stride;

        if (narrow) {
            round_tokens(product, t, count, rounded);
            x = rounded;
        }
        if (!multiply(product, t, count, x, narrow ? in : product->x_stride, weights,
                      narrow ? dnnl_bf16 : dnnl_f32, &done))
            finish(product, t, count, done);
    }
}

#else

int64_t laser_product_onednn_scratch(const struct laser_linear *linear, int64_t tokens)
{
    return laser_product_openblas_scratch(linear, tokens);
}

void laser_product_onednn(const struct laser_product *product)
{
    laser_product_openblas(product);
}

#endif

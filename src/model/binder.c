#include "model/binder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/packing.h"

void laser_bind_fail(struct laser_binder *b, int code, const char *where, const char *fmt, ...)
{
    char text[1000];
    va_list args;

    if (b->result == LASER_OK) {
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        b->result = laser_error_set(b->err, code, where, "%s", text);
    }
}

static bool storage_of(enum laser_dtype dtype, enum laser_storage *storage)
{
    switch (dtype) {
    case LASER_F64:
        *storage = LASER_STORED_F64;
        return true;
    case LASER_F32:
        *storage = LASER_STORED_F32;
        return true;
    case LASER_F16:
        *storage = LASER_STORED_F16;
        return true;
    case LASER_BF16:
        *storage = LASER_STORED_BF16;
        return true;
    case LASER_F8_E4M3:
        *storage = LASER_STORED_F8_E4M3;
        return true;
    case LASER_F8_E5M2:
        *storage = LASER_STORED_F8_E5M2;
        return true;
    default:
        return false;
    }
}

static void print_shape(const struct laser_tensor *tensor, char *text, size_t size)
{
    int n = snprintf(text, size, "[");

    for (int i = 0; i < tensor->n_dims; i++)
        n += snprintf(text + n, size - (size_t)n, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    snprintf(text + n, size - (size_t)n, "]");
}

static void print_expected(int64_t stack, int64_t rows, int64_t cols, char *text, size_t size)
{
    if (cols == 0)
        snprintf(text, size, "[%lld]", (long long)rows);
    else if (stack == 0)
        snprintf(text, size, "[%lld, %lld]", (long long)rows, (long long)cols);
    else
        snprintf(text, size, "[%lld, %lld, %lld]", (long long)stack, (long long)rows, (long long)cols);
}

static bool has_shape(const struct laser_tensor *t, int64_t stack, int64_t rows, int64_t cols)
{
    const int64_t *shape = t->shape;

    if (cols == 0)
        return t->n_dims == 1 && shape[0] == rows;
    if (stack == 0)
        return t->n_dims == 2 && shape[0] == rows && shape[1] == cols;
    return t->n_dims == 3 && shape[0] == stack && shape[1] == rows && shape[2] == cols;
}

/* The checkpoint has no tensor of that name: why?  Training tools leave a prefix behind (PEFT
 * `base_model.model.`, torch.compile `_orig_mod.`, DDP and DeepSpeed `module.`), quantisers other tensors. */
static void fail_missing(struct laser_binder *b, const char *name)
{
    const struct laser_checkpoint *c = b->model->checkpoint;
    const size_t n = strlen(name);
    char text[500];
    int64_t same = 0;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        const char *found = c->tensors[i].name;
        const size_t m = strlen(found), prefix = m - n;

        if (m <= n || found[prefix - 1] != '.' || strcmp(found + prefix, name) != 0)
            continue;
        for (int64_t k = 0; k < c->n_tensors; k++)
            same += strncmp(c->tensors[k].name, found, prefix) == 0;
        laser_bind_fail(
            b, LASER_EINPUT, name,
            "the checkpoint has this weight as %.200s: %lld of its %lld names begin with \"%.*s\", which a "
            "training tool has left there; take the prefix off all names",
            found, (long long)same, (long long)c->n_tensors, (int)prefix, found);
        return;
    }
    if (laser_packing_describe(c->tensors, c->n_tensors, text, sizeof text))
        laser_bind_fail(b, LASER_EINPUT, name, "the checkpoint lacks this weight: %s", text);
    else
        laser_bind_fail(b, LASER_EINPUT, name,
                        "the checkpoint lacks this weight, which config.json asks for");
}

/* Of a tensor that is not there: one for each name (FNV-1a). */
static int64_t number_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return (int64_t)(hash >> 1);
}

int64_t laser_bind_find(struct laser_binder *b, const char *name, int64_t stack, int64_t rows, int64_t cols,
                        enum laser_storage *storage)
{
    int64_t index = b->sketch ? 0 : laser_checkpoint_find_index(b->model->checkpoint, name);
    const struct laser_tensor *tensor;
    char shape[256], expected[128];

    if (b->result != LASER_OK)
        return -1;
    if (b->sketch) {
        *storage = b->sketch->stored;
        if (b->sketch->note)
            b->sketch->note(b->sketch->context, name, stack, rows, cols);
        return number_of(name);
    }
    if (index < 0) {
        fail_missing(b, name);
        return -1;
    }
    tensor = &b->model->checkpoint->tensors[index];
    if (!has_shape(tensor, stack, rows, cols)) {
        print_shape(tensor, shape, sizeof shape);
        print_expected(stack, rows, cols, expected, sizeof expected);
        laser_bind_fail(b, LASER_EINPUT, name, "shape %s, but config.json says %s", shape, expected);
        return -1;
    }
    if (!storage_of(tensor->dtype, storage)) {
        laser_bind_fail(b, LASER_EINPUT, name,
                        "type %s is not a floating type: quantized weights are not supported",
                        laser_dtype_name(tensor->dtype));
        return -1;
    }
    if (b->model->tensor_layer[index] == -2)
        b->model->tensor_layer[index] = b->layer;
    return index;
}

void laser_bind_add(struct laser_binder *b, struct laser_binding binding)
{
    struct laser_model *model = b->model;

    if (binding.count == 0 || b->result != LASER_OK || b->sketch)
        return;
    if (model->binding_count == model->binding_room) {
        int64_t room = model->binding_room ? 2 * model->binding_room : 256;
        struct laser_binding *grown = realloc(model->bindings, (size_t)room * sizeof *grown);

        if (!grown) {
            laser_bind_fail(b, LASER_ENOMEM, NULL, "no memory for the list of weights");
            return;
        }
        model->bindings = grown;
        model->binding_room = room;
    }
    model->bindings[model->binding_count++] = binding;
}

/* The next rows of a part that is being put together. */
static void note_storage(struct laser_part *part, bool is_first, enum laser_storage storage)
{
    if (is_first)
        part->stored = storage;
    else if (part->stored != storage)
        part->stored = LASER_STORED_F32; /* pieces of different types meet in float32 */
}

/* Pieces of one part are bound one after another. */
static void note_piece(struct laser_binder *b, struct laser_part *part, struct laser_bound_piece piece,
                       struct laser_model_rows rows)
{
    struct laser_model *m = b->model;

    if (b->sketch)
        return;
    if (m->piece_count == m->piece_room) {
        int64_t room = m->piece_room ? 2 * m->piece_room : 256;
        struct laser_bound_piece *pieces = realloc(m->pieces, (size_t)room * sizeof *pieces);
        struct laser_model_rows *all_rows = NULL;

        m->pieces = pieces ? pieces : m->pieces;
        if (pieces)
            all_rows = realloc(m->piece_rows, (size_t)room * sizeof *all_rows);
        m->piece_rows = all_rows ? all_rows : m->piece_rows;
        if (!all_rows) {
            laser_bind_fail(b, LASER_ENOMEM, NULL, "no memory for the list of weights");
            return;
        }
        m->piece_room = room;
    }
    if (part->pieces++ == 0)
        part->first_piece = m->piece_count;
    m->pieces[m->piece_count] = piece;
    m->piece_rows[m->piece_count++] = rows;
}

/* The module by the name that config.json knows: in a sketch any of the prefixes may be the one that it has.  other:
 * the caller's room for such a name. */
static const char *spelled(const struct laser_binder *b, const json_t *known, const char *module,
                           char other[2 * LASER_NAME_BYTES])
{
    const struct laser_wrapper *w = b->model->arch.wrapper;
    const char *const *prefixes = w ? w->prefixes : b->model->arch.names->prefix;

    for (int i = 0; b->sketch && !json_object_get(known, module) && (w ? prefixes[i] != NULL : i < 2); i++) {
        snprintf(other, 2 * LASER_NAME_BYTES, "%s%s", prefixes[i] ? prefixes[i] : "",
                 module + strlen(b->prefix));
        if (json_object_get(known, other))
            return other;
    }
    return module;
}

static int64_t rank_of(const struct laser_binder *b, const char *module)
{
    const struct laser_arch *a = &b->model->arch;
    char other[2 * LASER_NAME_BYTES];

    return laser_arch_low_rank(a, spelled(b, a->low_ranks, module, other));
}

/* "<module>" of "<module>.weight", or of a stack, which has no such end. */
static bool module_of(const char *name, char *module)
{
    size_t n = strlen(name), tail = strlen(".weight");
    bool ends = n > tail && strcmp(name + n - tail, ".weight") == 0;

    snprintf(module, LASER_NAME_BYTES, "%.*s", (int)(ends ? n - tail : n), name);
    return ends;
}

static bool in_layers(const struct laser_binder *b)
{
    return b->layer >= 0 && b->layer < b->model->arch.layers;
}

/* The rank of a weight that is stored as two thin ones, 0 for any other; module: its name without ".weight".
 */
static int64_t low_rank(const struct laser_binder *b, const char *name, const struct laser_piece *p,
                        char *module)
{
    if (!b->model->arch.low_ranks || p->stack || !in_layers(b) || !module_of(name, module))
        return 0;
    return rank_of(b, module);
}

/* The outputs of the product of <module>.ALinear.weight [rows, rank] and <module>.BLinear.weight [rank,
 * cols], in the orientation of the layer. */
static void bind_factors(struct laser_binder *b, struct laser_part *part, int64_t first, const char *module,
                         int64_t rank, const struct laser_piece *p)
{
    char left[LASER_NAME_BYTES + 32], right[LASER_NAME_BYTES + 32];
    enum laser_storage left_storage = LASER_STORED_F32, right_storage = LASER_STORED_F32;
    int64_t left_tensor, right_tensor, offset, in_first = -1;
    struct laser_part *home;

    snprintf(left, sizeof left, "%s.ALinear.weight", module);
    snprintf(right, sizeof right, "%s.BLinear.weight", module);
    left_tensor = laser_bind_find(b, left, 0, p->rows, rank, &left_storage);
    right_tensor = laser_bind_find(b, right, 0, rank, p->cols, &right_storage);
    if (left_tensor < 0 || right_tensor < 0)
        return;
    note_piece(b, part,
               (struct laser_bound_piece){.tensor = left_tensor,
                                          .layer = b->layer,
                                          .rows = p->rows,
                                          .columns = rank,
                                          .column_count = rank,
                                          .thin = true,
                                          .inner = right_tensor,
                                          .inputs = p->cols},
               (struct laser_model_rows){p->row, p->row_count});
    if (p->row_count == 0 || p->col_count == 0)
        return;
    home = laser_split_extend(b->model, part, first, p->row_count, rank, left_tensor, &offset, &in_first);
    if (!home) {
        laser_bind_fail(b, LASER_ENOMEM, module, "no memory for the list of weights");
        return;
    }
    part->in = part->split->in.in = p->col_count;
    home->in = rank;
    note_storage(home, offset == 0, left_storage);
    laser_bind_add(b, (struct laser_binding){.part = home,
                                             .tensor = left_tensor,
                                             .first = offset,
                                             .count = p->row_count,
                                             .origin = p->row * rank,
                                             .stride = rank});
    if (in_first < 0)
        return;
    note_storage(&part->split->in, in_first == 0, right_storage);
    laser_bind_add(b, (struct laser_binding){.part = &part->split->in,
                                             .tensor = right_tensor,
                                             .first = in_first,
                                             .count = rank,
                                             .origin = p->col,
                                             .stride = p->cols});
}

/* Is it a stack of [out, in]? */
static bool is_plain(const struct laser_binder *b, const char *name, const struct laser_piece *p)
{
    int64_t index = b->sketch ? -1 : laser_checkpoint_find_index(b->model->checkpoint, name);

    return index >= 0 && has_shape(&b->model->checkpoint->tensors[index], p->stack, p->rows, p->cols);
}

/* index: of the weight in a stack. */
static void bind_dense(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t index, const struct laser_piece *p, bool transposed)
{
    enum laser_storage storage = LASER_STORED_F32;
    int64_t rows = transposed ? p->cols : p->rows, cols = transposed ? p->rows : p->cols;
    int64_t tensor = laser_bind_find(b, name, p->stack, rows, cols, &storage), offset;
    struct laser_part *home;

    if (tensor < 0)
        return;
    note_piece(b, part,
               (struct laser_bound_piece){.tensor = tensor,
                                          .origin = p->stack ? index * rows * cols : 0,
                                          .layer = b->layer,
                                          .rows = p->rows,
                                          .columns = p->cols,
                                          .first_column = p->col,
                                          .column_count = p->col_count,
                                          .transposed = transposed},
               (struct laser_model_rows){p->row, p->row_count});
    if (p->row_count == 0 || p->col_count == 0)
        return;
    home = laser_split_extend(b->model, part, first, p->row_count, 0, -1, &offset, NULL);
    if (!home) {
        laser_bind_fail(b, LASER_ENOMEM, name, "no memory for the list of weights");
        return;
    }
    note_storage(home, offset == 0, storage);
    home->in = part->in = p->col_count;
    laser_bind_add(
        b, (struct laser_binding){.part = home,
                                  .tensor = tensor,
                                  .first = offset,
                                  .count = p->row_count,
                                  .origin = (p->stack ? index * rows * cols : 0) +
                                            (transposed ? p->col * cols + p->row : p->row * cols + p->col),
                                  .stride = cols,
                                  .transposed = transposed});
}

/* A part of a weight that is stored in parts: as two thin ones or by itself, [out, in]. */
static void bind_part(struct laser_binder *b, struct laser_part *part, int64_t first, const char *module,
                      const struct laser_piece *p)
{
    int64_t rank = rank_of(b, module);
    char name[LASER_NAME_BYTES + 16];

    if (rank > 0) {
        bind_factors(b, part, first, module, rank, p);
        return;
    }
    snprintf(name, sizeof name, "%s.weight", module);
    bind_dense(b, part, first, name, 0, p, false);
}

/* The outputs of a piece from `at` on that follow each other in one part of the weight as well: how many, and
 * (*place) where they begin in the part; 0: they are in another part. */
static int64_t run_in_part(const struct laser_low_part *part, const struct laser_piece *p, int64_t at,
                           int64_t *place)
{
    int64_t from = at - part->first, within = from % part->stride, left = p->row + p->row_count - at;

    *place = from / part->stride * part->block + within;
    if (from < 0 || within >= part->block || *place >= part->rows)
        return 0;
    if (part->stride == part->block) /* one block follows the other */
        return left < part->rows - *place ? left : part->rows - *place;
    return left < part->block - within ? left : part->block - within;
}

/* Every part is looked for on every shard, so that none is left over. */
static void find_part(struct laser_binder *b, const char *module, const struct laser_low_part *low,
                      int64_t cols)
{
    int64_t rank = rank_of(b, module);
    char name[LASER_NAME_BYTES + 32];
    enum laser_storage storage;

    snprintf(name, sizeof name, "%s%s.weight", module, rank > 0 ? ".ALinear" : "");
    laser_bind_find(b, name, 0, low->rows, rank > 0 ? rank : cols, &storage);
    snprintf(name, sizeof name, "%s.BLinear.weight", module);
    if (rank > 0)
        laser_bind_find(b, name, 0, rank, cols, &storage);
}

/* index: of the weight in a stack.  A piece without outputs is that of the part in which it ends. */
static void bind_parts(struct laser_binder *b, struct laser_part *part, int64_t first, const char *module,
                       const char *known, int64_t index, const struct laser_piece *p)
{
    const struct laser_arch *a = &b->model->arch;
    int n = laser_arch_low_part_count(a, known);
    bool empty = p->row_count == 0;
    struct laser_piece whole = *p;
    int64_t place, run;
    char name[LASER_NAME_BYTES];

    if (empty) {
        whole.row -= whole.row > 0;
        whole.row_count = 1;
    }
    for (int64_t at = whole.row; at < whole.row + whole.row_count && b->result == LASER_OK; at += run) {
        run = 0;
        for (int i = 0; i < n; i++) {
            const struct laser_low_part low = laser_arch_low_part(a, known, i);
            int64_t found = run_in_part(&low, &whole, at, &place);

            laser_arch_part_name(module, p->stack ? index : -1, low.name, name, sizeof name);
            if (at == whole.row)
                find_part(b, name, &low, p->cols);
            if (found == 0 || run > 0)
                continue;
            run = found;
            bind_part(
                b, part, first + at - whole.row, name,
                &(struct laser_piece){low.rows, p->cols, place, empty ? 0 : run, p->col, p->col_count, 0});
        }
        if (run == 0) {
            laser_bind_fail(b, LASER_EINPUT, module,
                            "truncation_parts in config.json names no part with its output %lld",
                            (long long)at);
            return;
        }
    }
}

static void bind_piece(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t index, const struct laser_piece *p)
{
    const struct laser_arch *a = &b->model->arch;
    bool turned = p->stack && a->stacks_in_out && !(a->stacks_either && is_plain(b, name, p));
    char module[LASER_NAME_BYTES], other[2 * LASER_NAME_BYTES];
    int64_t rank = low_rank(b, name, p, module);
    const char *known;

    if (rank > 0) {
        bind_factors(b, part, first, module, rank, p);
        return;
    }
    if (a->low_parts && in_layers(b)) {
        module_of(name, module);
        known = spelled(b, a->low_parts, module, other);
        if (laser_arch_low_part_count(a, known) > 0) {
            bind_parts(b, part, first, module, known, index, p);
            return;
        }
    }
    bind_dense(b, part, first, name, index, p, (a->transposed || turned) && p->rows > 0);
}

void laser_bind_values(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t size, int64_t from, int64_t count)
{
    enum laser_storage storage;
    int64_t tensor = laser_bind_find(b, name, 0, size, 0, &storage);

    if (tensor < 0 || count == 0)
        return;
    part->in = 0;
    if (part->out < first + count)
        part->out = first + count;
    laser_bind_add(
        b, (struct laser_binding){
               .part = part, .tensor = tensor, .first = first, .count = count, .origin = from, .stride = 1});
}

static int64_t elements_of(const struct laser_tensor *tensor)
{
    int64_t n = 1;

    for (int i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

void laser_bind_flat(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                     int64_t size, int64_t from, int64_t count)
{
    int64_t index = b->sketch ? -1 : laser_checkpoint_find_index(b->model->checkpoint, name);
    const struct laser_tensor *tensor = index < 0 ? NULL : &b->model->checkpoint->tensors[index];
    enum laser_storage storage;

    if (!tensor || (tensor->n_dims == 1 && tensor->shape[0] == size) || elements_of(tensor) != size ||
        !storage_of(tensor->dtype, &storage)) {
        laser_bind_values(b, part, first, name, size, from, count);
        return;
    }
    if (b->model->tensor_layer[index] == -2)
        b->model->tensor_layer[index] = b->layer;
    if (count == 0)
        return;
    part->in = 0;
    if (part->out < first + count)
        part->out = first + count;
    laser_bind_add(
        b, (struct laser_binding){
               .part = part, .tensor = index, .first = first, .count = count, .origin = from, .stride = 1});
}

/* "encoder.layer.3." */
static void print_layer(const struct laser_arch *a, int64_t layer, char *text, size_t size)
{
    if (a->groups)
        snprintf(text, size, "%s%d.%s%d.", a->names->layer, (int)laser_arch_group_of(a, layer),
                 a->names->group_layer, (int)(layer % a->group_layers));
    else
        snprintf(text, size, "%s%d.", a->names->layer, (int)layer);
}

const char *laser_bind_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                            const char *suffix)
{
    char layer[128] = "", inner[128] = "";

    if (b->sketch && !b->sketch->note && !b->model->arch.low_ranks && !b->model->arch.low_parts) {
        /* nobody reads it */
        buffer[0] = '\0';
        return buffer;
    }
    if (b->layer >= 0 && b->layer < b->model->arch.layers)
        print_layer(&b->model->arch, b->layer, layer, sizeof layer);
    if (expert >= 0)
        snprintf(inner, sizeof inner, "%s%d.", b->model->arch.names->expert, expert);
    snprintf(buffer, LASER_NAME_BYTES, "%s%s%s%s%s", b->prefix, layer, inner, name, suffix);
    return buffer;
}

static bool find(const struct laser_binder *b, const char *name, const char *suffix)
{
    char buffer[LASER_NAME_BYTES];

    return laser_checkpoint_find_index(b->model->checkpoint, laser_bind_name(b, buffer, name, -1, suffix)) >=
           0;
}

void laser_bind_norm(struct laser_binder *b, struct laser_norm *norm, const char *name, int64_t size)
{
    char buffer[LASER_NAME_BYTES];
    bool old;

    if (!name)
        return;
    /* as BERT's first checkpoints have them */
    old = !b->sketch && find(b, name, ".gamma") && !find(b, name, ".weight");
    norm->weight.shift = b->model->arch.norm == LASER_NORM_LAYER && b->model->arch.norm_plus_one;
    laser_bind_values(b, &norm->weight, 0, laser_bind_name(b, buffer, name, -1, old ? ".gamma" : ".weight"),
                      size, 0, size);
    if (b->model->arch.norm_bias)
        laser_bind_values(b, &norm->bias, 0, laser_bind_name(b, buffer, name, -1, old ? ".beta" : ".bias"),
                          size, 0, size);
}

/* The bias of a weight that is stored as two thin ones belongs to the second. */
static const char *bias_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                             const struct laser_piece *p)
{
    char weight[LASER_NAME_BYTES], module[LASER_NAME_BYTES];

    laser_bind_name(b, weight, name, expert, ".weight");
    return laser_bind_name(b, buffer, name, expert,
                           low_rank(b, weight, p, module) ? ".ALinear.bias" : ".bias");
}

/* Stacks have no suffix in their names, and the expert is no part of it. */
static const char *weight_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                               const struct laser_piece *p)
{
    return laser_bind_name(b, buffer, name, p->stack ? -1 : expert, p->stack ? "" : ".weight");
}

void laser_bind_outputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                        int64_t first, const char *name, int expert, struct laser_piece p, bool has_bias)
{
    char buffer[LASER_NAME_BYTES];

    bind_piece(b, part, first, weight_name(b, buffer, name, expert, &p), expert, &p);
    if (has_bias)
        laser_bind_values(b, bias, first, bias_name(b, buffer, name, expert, &p), p.rows, p.row, p.row_count);
}

void laser_bind_inputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                       const char *name, int expert, struct laser_piece p, bool has_bias)
{
    char buffer[LASER_NAME_BYTES];
    bool adds = b->model->group.index == 0;

    p.row = 0;
    p.row_count = p.rows;
    bind_piece(b, part, 0, weight_name(b, buffer, name, expert, &p), expert, &p);
    if (has_bias)
        laser_bind_values(b, bias, 0, bias_name(b, buffer, name, expert, &p), p.rows, 0, adds ? p.rows : 0);
}

/* The calls of the backward pass: batches, weights, precisions, low rank, memory, errors. */
#include <malloc.h>

#include "gradient_testing.h"
#include "kernels/kernels_testing.h"

static void same_gradients(const struct gradient_job *a, const struct gradient_job *b, double limit)
{
    struct gradient_difference d = gradient_compare(a, b);

    if (!(d.worst < limit))
        fail_msg("%s: relative difference %.2e", d.where, d.worst);
}

static void losses_are_those_of_the_forward(void **state)
{
    static const char *const names[] = {"llama", "gemma2", "roberta", "qwen2_moe", "phi"};

    (void)state;
    for (int k = 0; k < 5; k++) {
        struct golden g;
        struct gradient_job job;
        struct laser_error err = {0};
        double nll[1024];

        golden_open(&g, names[k]);
        gradient_start(&job, &g);
        gradient_run(&job, 1);
        assert_int_equal(nll_by_shards(&g, LASER_FLOAT32, 1, nll, &err), LASER_OK);
        for (int64_t i = 0; i < job.n; i++)
            assert_true(job.nll[i] == (job.targets[i] < 0 ? 0 : nll[i]));
        gradient_discard(&job);
        golden_close(&g);
    }
}

static void what_stays_of_layers_changes_nothing(void **state)
{
    static const char *const names[] = {"llama",     "gemma2",       "qwen3",      "phi",     "gpt_neox",
                                        "roberta",   "qwen2_moe",    "gpt_oss",    "afmoe",   "deepseek_v3",
                                        "falcon_h1", "qwen3_5_text", "jamba",      "minimax", "axk1",
                                        "olmoe",     "llama4_text",  "gemma4_text"};

    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        for (int shards = 1; shards <= 3; shards += 2)
            for (int64_t limit = 1 << 30; limit > 0; limit -= (1 << 30) - 1000000) {
                struct golden g;
                struct gradient_job kept, again;

                golden_open(&g, names[k]);
                gradient_start(&kept, &g);
                gradient_start(&again, &g);
                kept.limit_bytes = limit;
                gradient_run(&kept, shards);
                gradient_run(&again, shards);
                same_gradients(&kept, &again, 1e-30);
                for (int64_t i = 0; i < kept.n; i++)
                    assert_true(kept.nll[i] == again.nll[i]);
                gradient_discard(&kept);
                gradient_discard(&again);
                golden_close(&g);
            }
}

/* A job over tokens first .. first + n - 1 of another, as one sequence. */
static struct gradient_job part_of(const struct gradient_job *job, int64_t first, int64_t n)
{
    struct gradient_job part;

    gradient_start(&part, job->golden);
    memmove((void *)(uintptr_t)part.targets, part.targets + first, (size_t)n * sizeof *part.targets);
    memmove((void *)(uintptr_t)part.weights, part.weights + first, (size_t)n * sizeof *part.weights);
    part.tokens += first;
    part.n = n;
    part.batch = (struct laser_model_batch){.sequences = 1, .length = n};
    return part;
}

/* Rows first .. of a matrix against the whole of another, relative to the matrix: one token alone has queries
 * without a gradient but for rounding.  The bound is that of shards (test_model_gradient.c): products of another
 * number of rows add in another order, and builds without optimisation add otherwise again (1.02e-6 seen). */
static void same_rows(const struct gradient_matrix *whole, int64_t rows, int64_t first,
                      const struct gradient_matrix *part, int64_t n)
{
    double error = 0, size = 0;

    for (int64_t i = 0; i < n * part->rows; i++) {
        double d = whole->delta[first * part->rows + i] - part->delta[i];

        error += d * d;
    }
    for (int64_t i = 0; i < rows * whole->rows; i++)
        size += whole->delta[i] * whole->delta[i];
    if (!(sqrt(error) <= 3e-6 * sqrt(size)))
        fail_msg("%s: rows from %d on differ by %.2e", whole->name, (int)first, sqrt(error / size));
}

static void sequences_of_different_lengths_are_alone(void **state)
{
    static const char *const names[] = {"llama-dynamic", "mistral",     "gemma2",     "mixtral", "gpt2",
                                        "qwen3_next",    "deepseek_v3", "falcon_h1",  "mamba",   "lfm2",
                                        "minimax",       "gpt_oss",     "llama4_text"};
    static const int64_t lengths[] = {3, 12, 12, 1, 25, 5};

    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        struct golden g;
        struct gradient_job job;
        int64_t row = 0;

        golden_open(&g, names[k]);
        gradient_start(&job, &g);
        job.batch = (struct laser_model_batch){.sequences = 6, .lengths = lengths};
        gradient_run(&job, 1);
        for (int s = 0; s < 6; row += lengths[s++]) {
            struct gradient_job part = part_of(&job, row, lengths[s]);

            gradient_run(&part, 1);
            assert_int_equal(part.count, job.count);
            for (int i = 0; i < job.count; i++)
                same_rows(&job.matrices[i], job.n, row, &part.matrices[i], lengths[s]);
            gradient_discard(&part);
        }
        assert_int_equal(row, job.n);
        gradient_discard(&job);
        golden_close(&g);
    }
}

static void scale_all(struct gradient_job *job, double factor)
{
    for (int i = 0; i < job->count; i++)
        for (int64_t j = 0; j < job->n * job->matrices[i].rows; j++)
            job->matrices[i].delta[j] *= factor;
}

static void no_weights_are_ones(void **state)
{
    struct golden g;
    struct gradient_job job, ones;

    (void)state;
    golden_open(&g, "llama");
    gradient_start(&job, &g);
    gradient_start(&ones, &g);
    for (int64_t i = 0; i < job.n; i++)
        ((float *)(uintptr_t)ones.weights)[i] = -4;
    free((void *)(uintptr_t)job.weights);
    job.weights = NULL;
    gradient_run(&job, 1);
    gradient_run(&ones, 1);
    scale_all(&ones, -0.25);
    same_gradients(&job, &ones, 1e-6);
    gradient_discard(&job);
    gradient_discard(&ones);
    golden_close(&g);
}

static void without_a_target_there_is_no_gradient(void **state)
{
    struct golden g;
    struct gradient_job job;

    (void)state;
    golden_open(&g, "qwen2_moe");
    gradient_start(&job, &g);
    for (int64_t i = 0; i < job.n; i++)
        ((int32_t *)(uintptr_t)job.targets)[i] = -1;
    gradient_run(&job, 2);
    assert_true(job.count > 0);
    for (int i = 0; i < job.count; i++)
        for (int64_t j = 0; j < job.n * job.matrices[i].rows; j++)
            assert_true(job.matrices[i].delta[j] == 0);
    for (int64_t i = 0; i < job.n; i++)
        assert_true(job.nll[i] == 0);
    gradient_discard(&job);
    golden_close(&g);
}

static void a_future_token_gets_nothing_of_a_causal_loss(void **state)
{
    struct golden g;
    struct gradient_job job;

    (void)state;
    golden_open(&g, "llama");
    gradient_start(&job, &g);
    for (int64_t i = 0; i < job.n; i++)
        ((int32_t *)(uintptr_t)job.targets)[i] = i == 10 ? 3 : -1;
    gradient_run(&job, 1);
    for (int i = 0; i < job.count; i++) {
        const struct gradient_matrix *m = &job.matrices[i];

        for (int64_t j = 0; j < job.n * m->rows; j++)
            assert_true(j / m->rows <= 10 || m->delta[j] == 0);
    }
    gradient_discard(&job);
    golden_close(&g);
}

/* Every weight that takes it becomes left right with left (or right) the weight itself and the other one the
 * unit matrix, plus an edit of one of them. */
static const char *edited;
static double edit_size;

static double edit_at(int64_t i, int64_t j)
{
    return (i * 5 + j * 3) % 7 - 3;
}

static void fill_factors(const struct laser_tensor *t, const double *weight, float *left, float *right)
{
    int64_t rows = t->shape[0], columns = t->shape[1], k = rows < columns ? rows : columns;
    float *whole = rows < columns ? right : left, *unit = rows < columns ? left : right;

    for (int64_t i = 0; i < k * k; i++)
        unit[i] = i / k == i % k;
    for (int64_t i = 0; i < rows * columns; i++) {
        double more =
            edited && strcmp(edited, t->name) == 0 ? edit_size * edit_at(i / columns, i % columns) : 0;

        whole[i] = (float)(weight[i] + more);
    }
}

static int make_thin(void *context, struct laser_model *model, struct laser_error *err)
{
    struct gradient_job *job = context;
    const struct laser_checkpoint *c = job->golden->checkpoint;
    int result = LASER_OK;

    for (int64_t t = 0; t < c->n_tensors && result == LASER_OK; t++) {
        const struct laser_tensor *tensor = &c->tensors[t];
        int64_t rows = tensor->shape[0], columns = tensor->shape[1], n = rows * columns;
        float *left, *right;
        void *bytes;
        double *weight;

        if (!laser_model_takes_thin(model, tensor->name))
            continue;
        left = calloc((size_t)n, sizeof *left * 2);
        right = calloc((size_t)n, sizeof *right * 2);
        bytes = malloc((size_t)tensor->size_bytes);
        weight = malloc((size_t)n * sizeof *weight);
        assert_true(left && right && bytes && weight);
        result = laser_checkpoint_read(c, tensor, 0, tensor->size_bytes, bytes, err);
        laser_dtype_to_f64(tensor->dtype, bytes, n, weight);
        fill_factors(tensor, weight, left, right);
        if (result == LASER_OK)
            result = laser_model_thin(model, tensor->name, rows < columns ? rows : columns, left, right, err);
        free(left);
        free(right);
        free(bytes);
        free(weight);
    }
    return result;
}

static void a_thin_weight_has_the_gradient_of_the_dense_one(void **state)
{
    static const char *const names[] = {"llama", "qwen3_moe", "gemma2", "roberta"};

    (void)state;
    edited = NULL;
    for (int k = 0; k < 4; k++)
        for (int shards = 1; shards <= 3; shards += 2) {
            struct golden g;
            struct gradient_job dense, thin;

            golden_open(&g, names[k]);
            gradient_start(&dense, &g);
            gradient_start(&thin, &g);
            thin.change = make_thin;
            gradient_run(&dense, shards);
            gradient_run(&thin, shards);
            same_gradients(&thin, &dense, 3e-6);
            gradient_discard(&dense);
            gradient_discard(&thin);
            golden_close(&g);
        }
}

static double loss_of(const struct golden *g, double size, double *slope)
{
    struct gradient_job job;
    double loss = 0;

    edit_size = size;
    gradient_start(&job, g);
    job.change = make_thin;
    gradient_run(&job, 1);
    for (int64_t i = 0; i < job.n; i++)
        loss += (double)job.weights[i] * job.nll[i];
    for (int k = 0; slope && k < job.count; k++) {
        const struct gradient_matrix *m = &job.matrices[k];

        for (int64_t i = 0; strcmp(m->name, edited) == 0 && i < job.n; i++)
            for (int64_t r = 0; r < m->rows; r++)
                for (int64_t c = 0; c < m->columns; c++)
                    *slope += m->delta[i * m->rows + r] * m->x[i * m->columns + c] * edit_at(r, c);
    }
    gradient_discard(&job);
    return loss;
}

static void the_gradient_is_the_slope_of_the_loss(void **state)
{
    static const char *const names[] = {"model.layers.0.self_attn.k_proj.weight",
                                        "model.layers.1.mlp.down_proj.weight",
                                        "model.layers.0.mlp.gate_proj.weight"};
    struct golden g;

    (void)state;
    golden_open(&g, "llama");
    for (int i = 0; i < 3; i++) {
        double slope = 0, h = 2e-4, up, down;

        edited = names[i];
        loss_of(&g, 0, &slope);
        up = loss_of(&g, h, NULL);
        down = loss_of(&g, -h, NULL);
        assert_near((up - down) / (2 * h) / slope, 1, 3e-3);
    }
    edited = NULL;
    golden_close(&g);
}

static int leave(void *context, struct laser_model *model, struct laser_error *err)
{
    (void)context;
    (void)model;
    (void)err;
    return LASER_OK;
}

static void a_model_does_not_diverge_from_itself(void **state)
{
    static const char *const names[] = {"llama", "mixtral", "phi", "roberta"};

    (void)state;
    for (int k = 0; k < 4; k++)
        for (int shards = 1; shards <= 3; shards += 2) {
            struct golden g;
            struct gradient_job job;

            golden_open(&g, names[k]);
            gradient_start(&job, &g);
            job.teacher = leave;
            gradient_run(&job, shards);
            assert_true(job.count > 0);
            for (int i = 0; i < job.count; i++)
                for (int64_t j = 0; j < job.n * job.matrices[i].rows; j++)
                    assert_true(job.matrices[i].delta[j] == 0);
            gradient_discard(&job);
            golden_close(&g);
        }
}

/* The slope of the divergence along the edit, at that size. */
static double divergence_slope(const struct golden *g, double size, int shards)
{
    struct gradient_job job;
    double slope = 0;

    edit_size = size;
    gradient_start(&job, g);
    for (int64_t i = 0; i < job.n; i++)
        ((float *)(uintptr_t)job.weights)[i] = 1;
    job.teacher = leave;
    job.change = make_thin;
    gradient_run(&job, shards);
    for (int k = 0; k < job.count; k++) {
        const struct gradient_matrix *m = &job.matrices[k];

        for (int64_t i = 0; strcmp(m->name, edited) == 0 && i < job.n; i++)
            for (int64_t r = 0; r < m->rows; r++)
                for (int64_t c = 0; c < m->columns; c++)
                    slope += m->delta[i * m->rows + r] * m->x[i * m->columns + c] * edit_at(r, c);
    }
    gradient_discard(&job);
    return slope;
}

/* A divergence is least, and flat, where the models are the same. */
static void the_divergence_grows_with_an_edit_to_either_side(void **state)
{
    static const char *const names[] = {"model.layers.0.self_attn.k_proj.weight",
                                        "model.layers.1.mlp.down_proj.weight"};
    struct golden g;

    (void)state;
    golden_open(&g, "llama");
    for (int i = 0; i < 2; i++) {
        double h = 2e-3, up, down, twice;

        edited = names[i];
        up = divergence_slope(&g, h, 1);
        down = divergence_slope(&g, -h, 3);
        twice = divergence_slope(&g, 2 * h, 1);
        assert_true(up > 0 && down < 0);
        assert_near(-down / up, 1, 0.2);
        assert_near(twice / up, 2, 0.3);
    }
    edited = NULL;
    golden_close(&g);
}

static void inputs_alone_are_those_of_the_gradients(void **state)
{
    static const char *const names[] = {"llama", "mixtral", "phi", "roberta", "qwen2_moe", "gemma2", "gptj"};

    (void)state;
    for (int k = 0; k < 7; k++)
        for (int shards = 1; shards <= 3; shards += 2) {
            struct golden g;
            struct gradient_job job, inputs;

            golden_open(&g, names[k]);
            gradient_start(&job, &g);
            gradient_start(&inputs, &g);
            inputs.inputs_only = true;
            gradient_run(&job, shards);
            gradient_run(&inputs, shards);
            assert_int_equal(inputs.count, job.count);
            for (int i = 0; i < job.count; i++) {
                const struct gradient_matrix *m = &inputs.matrices[i], *same = NULL;

                for (int j = 0; j < job.count; j++)
                    if (strcmp(job.matrices[j].name, m->name) == 0)
                        same = &job.matrices[j];
                assert_non_null(same);
                for (int64_t j = 0; j < job.n * m->columns; j++)
                    assert_true(m->x[j] == same->x[j]);
            }
            for (int64_t i = 0; i < job.n; i++)
                assert_near(inputs.nll[i], job.nll[i], 1e-5);
            gradient_discard(&job);
            gradient_discard(&inputs);
            golden_close(&g);
        }
}

static void more_rank_than_a_matrix_has_is_refused(void **state)
{
    struct golden g;
    struct laser_model *model;
    struct laser_error err = {0};
    float *zeros = calloc(200 * 200, sizeof *zeros);

    (void)state;
    assert_non_null(zeros);
    golden_open(&g, "llama");
    assert_int_equal(laser_model_open(g.checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_int_equal(
        laser_model_thin(model, "model.layers.0.self_attn.q_proj.weight", 25, zeros, zeros, &err),
        LASER_EINPUT);
    laser_model_free(model);
    golden_close(&g);
    free(zeros);
}

static void every_kernel_gives_the_gradient(void)
{
    static const char *const names[] = {"llama", "gpt2-options"};

    for (int k = 0; k < 2; k++) {
        struct golden g;
        struct gradient_job plain, half;
        struct gradient_difference d;

        golden_open(&g, names[k]);
        gradient_start(&plain, &g);
        gradient_start(&half, &g);
        half.precision = LASER_BFLOAT16;
        gradient_run(&plain, 1);
        gradient_run(&half, 1);
        d = gradient_compare(&half, &plain);
        if (!(d.worst < 0.15 && d.worst > 1e-4))
            fail_msg("%s: bfloat16 differs by %.2e", d.where, d.worst);
        assert_int_equal(laser_kernels_choose("generic", NULL), LASER_OK);
        {
            struct gradient_job reference, half_reference;

            gradient_start(&reference, &g);
            gradient_run(&reference, 1);
            same_gradients(&plain, &reference, 3e-6);
            gradient_start(&half_reference, &g);
            half_reference.precision = LASER_BFLOAT16;
            gradient_run(&half_reference, 1);
            same_gradients(&half, &half_reference, 3e-2); /* a sum that rounds otherwise moves a bfloat16 */
            gradient_discard(&reference);
            gradient_discard(&half_reference);
        }
        gradient_discard(&plain);
        gradient_discard(&half);
        golden_close(&g);
    }
}

static void every_kernel_gives_it(void **state)
{
    (void)state;
    with_all_kernels(every_kernel_gives_the_gradient);
}

/* Bytes that malloc has given out; the address sanitizer has a malloc of its own. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static int64_t allocated(void)
{
#ifdef SANITIZED
    return (int64_t)__sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
#endif
}

/* Told and taken with a limit; the told. */
static int64_t check_memory(const struct golden *g, int64_t tokens, int64_t limit)
{
    struct laser_model *model, *described;
    struct laser_model_gradient *gradient;
    struct laser_error err = {0};
    int64_t told, before, taken;

    assert_int_equal(laser_model_describe(g->checkpoint, NULL, LASER_FLOAT32, &described, &err), LASER_OK);
    told = laser_model_gradient_bytes_within(described, tokens, limit);
    assert_int_equal(laser_model_open(g->checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
    before = allocated();
    assert_int_equal(laser_model_gradient_create_within(model, tokens, limit, &gradient, &err), LASER_OK);
    taken = allocated() - before;
    if (!(fabs((double)taken / (double)told - 1) < 0.01))
        fail_msg("%s: %ld bytes told, %ld taken", laser_model_arch(model)->model_type, (long)told,
                 (long)taken);
    laser_model_gradient_free(gradient);
    laser_model_free(model);
    laser_model_free(described);
    return told;
}

static void memory_is_as_told(void **state)
{
    static const char *const names[] = {"llama", "mixtral", "qwen3", "roberta", "gemma2"};

    (void)state;
    for (int k = 0; k < 5; k++)
        for (int64_t tokens = 300; tokens < 5000; tokens *= 5) {
            struct golden g;
            int64_t least, most, some;

            golden_open(&g, names[k]);
            least = check_memory(&g, tokens, 0);
            most = check_memory(&g, tokens, INT64_MAX);
            some = check_memory(&g, tokens, most - 1);
            assert_int_equal(check_memory(&g, tokens, most), most);
            assert_true(least < some && some < most);
            golden_close(&g);
        }
}

static void an_error_of_the_sink_ends_the_pass(void **state)
{
    struct golden g;
    struct gradient_job job;

    (void)state;
    golden_open(&g, "mixtral");
    for (int call = 1; call < 40; call += 3) {
        gradient_start(&job, &g);
        job.fails_at = call;
        gradient_try(&job, 3);
        for (int s = 0; s < 3; s++) {
            assert_int_equal(job.result[s], LASER_EIO);
            assert_int_equal(job.calls[s], call);
            assert_string_equal(job.err[s].text, "refused");
        }
        gradient_discard(&job);
    }
    golden_close(&g);
}

static void expect(const char *name, struct gradient_job *job, int result, const char *text)
{
    gradient_try(job, 1);
    assert_int_equal(job->result[0], result);
    if (!strstr(job->err[0].text, text))
        fail_msg("%s: \"%s\" does not say \"%s\"", name, job->err[0].text, text);
}

static void what_is_not_finite_is_named(void **state)
{
    struct golden g;
    struct gradient_job job;

    (void)state;
    golden_open(&g, "llama");
    gradient_start(&job, &g);
    ((float *)(uintptr_t)job.weights)[2] = INFINITY;
    expect("infinite weight", &job, LASER_ENUMERIC, "the gradient after layer 1 is not finite");
    gradient_discard(&job);
    golden_close(&g);
}

/* The largest weight that the head still bears is too much for a layer, in one model or another. */
static void the_layer_is_named(void **state)
{
    static const char *const names[] = {"gpt_neox", "roberta"};
    int named = 0;

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct golden g;
        struct gradient_job job;
        float weight = 3e38f;

        golden_open(&g, names[k]);
        gradient_start(&job, &g);
        do {
            ((float *)(uintptr_t)job.weights)[2] = weight;
            gradient_try(&job, 1);
            weight /= 1.5f;
        } while (job.result[0] == LASER_ENUMERIC && strstr(job.err[0].text, "gradient after layer"));
        named += job.result[0] == LASER_ENUMERIC && strstr(job.err[0].text, "gradient before layer ");
        gradient_discard(&job);
        golden_close(&g);
    }
    assert_true(named > 0);
}

static void wrong_arguments_are_refused(void **state)
{
    static const int64_t lengths[] = {29, 29}, parents[] = {-1, 0};
    struct golden g;
    struct gradient_job job;

    (void)state;
    golden_open(&g, "llama");
    gradient_start(&job, &g);
    ((int32_t *)(uintptr_t)job.targets)[3] = 47;
    expect("target", &job, LASER_EINPUT, "the vocabulary has 47");
    ((int32_t *)(uintptr_t)job.targets)[3] = 1;
    job.batch = (struct laser_model_batch){.sequences = 2, .lengths = lengths, .parents = parents};
    expect("parents", &job, LASER_EINTERNAL, "without cache and parents");
    job.batch = (struct laser_model_batch){.sequences = 3, .length = 29};
    expect("too many", &job, LASER_EINTERNAL, "87 tokens, prepared for 58");
    gradient_discard(&job);
    golden_close(&g);
}

static void what_has_no_backward_is_refused_by_name(void **state)
{
    struct golden g;
    struct laser_model *model = NULL;
    struct laser_model_gradient *gradient = NULL;
    struct laser_error err = {0};

    (void)state;
    golden_open(&g, "nemotron_h-latent");
    assert_int_equal(laser_model_open(g.checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_int_equal(laser_model_gradient_create(model, 16, &gradient, &err), LASER_EINPUT);
    assert_null(gradient);
    assert_non_null(strstr(err.text, "nemotron_h (experts of another width)"));
    laser_model_free(model);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_those_of_the_forward),
        cmocka_unit_test(what_stays_of_layers_changes_nothing),
        cmocka_unit_test(sequences_of_different_lengths_are_alone),
        cmocka_unit_test(no_weights_are_ones),
        cmocka_unit_test(without_a_target_there_is_no_gradient),
        cmocka_unit_test(a_future_token_gets_nothing_of_a_causal_loss),
        cmocka_unit_test(a_thin_weight_has_the_gradient_of_the_dense_one),
        cmocka_unit_test(the_gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(a_model_does_not_diverge_from_itself),
        cmocka_unit_test(the_divergence_grows_with_an_edit_to_either_side),
        cmocka_unit_test(inputs_alone_are_those_of_the_gradients),
        cmocka_unit_test(more_rank_than_a_matrix_has_is_refused),
        cmocka_unit_test(every_kernel_gives_it),
        cmocka_unit_test(memory_is_as_told),
        cmocka_unit_test(an_error_of_the_sink_ends_the_pass),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(the_layer_is_named),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(what_has_no_backward_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

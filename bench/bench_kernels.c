/* Rates of the linear layers on the shapes of a 135M and a 1.1B Llama, beside what the libraries reach on the
 * same shapes.  Usage: bench_kernels [tokens [processes [milliseconds a shape [avx2|avx512
 * [LAYERS]]]]]: of those whose names begin so.
 *
 * All ways take turns; a figure is the rate of the quickest run and that of the median.  Several processes run at
 * the same time and their rates add up.  Libraries are called at their best ("packed"): oneDNN with weights that it
 * packed beforehand in the layout of its choice, sgemm on float32 weights that are already there; "own panels" are
 * the program's ways by libraries, which unpack its panels at every call.  The last two columns are the packed oneDNN's
 * rate divided by that of the program's choice, the median of the pairs.  With avx2 neither the program nor a library
 * uses AVX-512.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_ONEDNN
#include "kernels/onednn.h"
#endif

#include "benching.h"
#include "kernels/linear.h"
#include "linalg/blas.h"

void sgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
            const float *alpha, const float *a, const int *lda, const float *b, const int *ldb,
            const float *beta, float *c, const int *ldc, size_t transa_length, size_t transb_length);

struct shape {
    const char *name;
    int64_t out, in;
};

struct work {
    struct shape shape;
    int64_t tokens;
    double limit_s;
    float *x, *y, *weights;
};

enum {
    FLOAT_AVX512,
    FLOAT_OPENBLAS,
    FLOAT_ONEDNN,
    FLOAT_SGEMM_PACKED,
    FLOAT_ONEDNN_PACKED,
    BF16_AVX512,
    BF16_DOT,
    BF16_OPENBLAS,
    BF16_ONEDNN,
    BF16_ONEDNN_PACKED,
    COLUMNS
};
/* kernels: the program's way of that name. */
static const struct {
    const char *name, *kernels;
    enum laser_precision precision;
} columns[COLUMNS] = {
    [FLOAT_AVX512] = {"f32 avx512", "avx512", LASER_FLOAT32},
    [FLOAT_OPENBLAS] = {"f32 sgemm, own panels", "openblas", LASER_FLOAT32},
    [FLOAT_ONEDNN] = {"f32 oneDNN, own panels", "onednn", LASER_FLOAT32},
    [FLOAT_SGEMM_PACKED] = {"f32 sgemm", NULL, LASER_FLOAT32},
    [FLOAT_ONEDNN_PACKED] = {"f32 oneDNN, packed", NULL, LASER_FLOAT32},
    [BF16_AVX512] = {"bf16 avx512", "avx512", LASER_BFLOAT16},
    [BF16_DOT] = {"bf16 dot", "avx512bf16", LASER_BFLOAT16},
    [BF16_OPENBLAS] = {"bf16 sgemm, own panels", "openblas", LASER_BFLOAT16},
    [BF16_ONEDNN] = {"bf16 oneDNN, own panels", "onednn", LASER_BFLOAT16},
    [BF16_ONEDNN_PACKED] = {"bf16 oneDNN, packed", NULL, LASER_BFLOAT16},
};

enum { MOST_ROUNDS = 1000 };

/* One way to multiply; run is NULL where the machine or the build lacks it. */
struct candidate {
    void (*run)(void *context);
    void *context;
    double *times_s; /* a round */
};

/* What a process found, shared with the one that started it. */
struct rates {
    double best[COLUMNS], middle[COLUMNS], float_ratio, bf16_ratio;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* All ways take turns until the time is over, so that a disturbance meets all of them.  The rounds. */
static int compete(struct candidate *candidates, double limit_s)
{
    double elapsed_s = 0;
    int round = 0;

    for (; round < 3 || (elapsed_s < limit_s && round < MOST_ROUNDS); round++)
        for (int c = 0; c < COLUMNS; c++) {
            double start;

            if (!candidates[c].run)
                continue;
            start = now_s();
            candidates[c].run(candidates[c].context);
            candidates[c].times_s[round] = now_s() - start;
            elapsed_s += candidates[c].times_s[round];
        }
    return round;
}

/* The median of the pairs' ratios; 0 where one is lacking. */
static double ratio(const struct candidate *over, const struct candidate *under, int rounds)
{
    double ratios[MOST_ROUNDS];

    if (!over->run || !under->run)
        return 0;
    for (int i = 0; i < rounds; i++)
        ratios[i] = under->times_s[i] / over->times_s[i];
    return median(ratios, rounds);
}

struct own {
    const struct work *work;
    const char *kernels;
    struct laser_linear linear;
    struct laser_scratch scratch;
};

static void run_own(void *context)
{
    struct own *own = context;
    const struct work *w = own->work;

    laser_kernels_choose(own->kernels, NULL);
    laser_linear_apply(&own->linear, w->tokens, w->x, w->shape.in, w->y, w->shape.out, LASER_STORE,
                       &own->scratch);
}

static struct candidate make_own(const struct work *w, const char *kernels, enum laser_precision precision)
{
    struct own *own = allocate(sizeof *own);
    int64_t out = w->shape.out, in = w->shape.in;
    uint16_t *stored;

    if (laser_kernels_choose(kernels, NULL) != LASER_OK)
        return (struct candidate){0};
    *own = (struct own){.work = w, .kernels = kernels};
    stored = allocate(out * in * 2);
    for (int64_t i = 0; i < out * in; i++)
        stored[i] = laser_bfloat16_from_float(w->weights[i]);
    if (laser_linear_init(&own->linear, precision, LASER_STORED_BF16, out, in,
                          allocate(laser_linear_size(precision, LASER_STORED_BF16, out, in)), NULL, NULL) ||
        laser_scratch_reserve(&own->scratch, laser_linear_scratch_size(&own->linear, w->tokens), NULL))
        exit(1);
    laser_linear_pack_rows(&own->linear, 0, out, stored, in);
    free(stored);
    return (struct candidate){run_own, own, NULL};
}

static void run_sgemm(void *context)
{
    const struct work *w = context;
    const float one = 1, zero = 0;
    int m = (int)w->shape.out, n = (int)w->tokens, k = (int)w->shape.in;

    sgemm_("T", "N", &m, &n, &k, &one, w->weights, &k, w->x, &k, &zero, w->y, &m, 1, 1);
}

#ifdef HAVE_ONEDNN
struct library {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t matmul;
    dnnl_memory_t x, w, y;
};

static void must(dnnl_status_t status)
{
    if (status != dnnl_success) {
        fprintf(stderr, "oneDNN: status %d\n", (int)status);
        exit(1);
    }
}

static void run_library(void *context)
{
    struct library *l = context;
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, l->x}, {DNNL_ARG_WEIGHTS, l->w}, {DNNL_ARG_DST, l->y}};

    must(dnnl_primitive_execute(l->matmul, l->stream, 3, arguments));
    must(dnnl_stream_wait(l->stream));
}

static dnnl_memory_t typed_copy(struct library *l, laser_onednn_lent desc, dnnl_dim_t rows, dnnl_dim_t width,
                                dnnl_format_tag_t tag, float *values)
{
    dnnl_dims_t dims = {rows, width};
    dnnl_memory_desc_t plain;
    dnnl_memory_t from, to;
    dnnl_primitive_desc_t reorder;
    dnnl_primitive_t primitive;

    must(laser_onednn_tagged(&plain, dims, dnnl_f32, tag));
    must(dnnl_memory_create(&from, laser_onednn_lend(&plain), l->engine, values));
    must(dnnl_memory_create(&to, desc, l->engine, DNNL_MEMORY_ALLOCATE));
    must(dnnl_reorder_primitive_desc_create(&reorder, laser_onednn_lend(&plain), l->engine, desc, l->engine,
                                            NULL));
    must(dnnl_primitive_create(&primitive, reorder));
    must(dnnl_primitive_execute(primitive, l->stream, 2,
                                (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}));
    must(dnnl_stream_wait(l->stream));
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(reorder);
    dnnl_memory_destroy(from);
    laser_onednn_forget(&plain);
    return to;
}

static struct candidate make_library(const struct work *w, dnnl_data_type_t type)
{
    struct library *l = allocate(sizeof *l);
    dnnl_dims_t x_dims = {w->tokens, w->shape.in}, w_dims = {w->shape.in, w->shape.out},
                y_dims = {w->tokens, w->shape.out};
    dnnl_memory_desc_t x, weights, y;
    dnnl_primitive_desc_t desc;

    must(dnnl_engine_create(&l->engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&l->stream, l->engine, dnnl_stream_default_flags));
    must(laser_onednn_tagged(&x, x_dims, type, dnnl_ab));
    must(laser_onednn_tagged(&weights, w_dims, type, dnnl_format_tag_any));
    must(laser_onednn_tagged(&y, y_dims, dnnl_f32, dnnl_ab));
    if (laser_onednn_matmul(&desc, l->engine, laser_onednn_lend(&x), laser_onednn_lend(&weights),
                            laser_onednn_lend(&y), NULL) != dnnl_success)
        return (struct candidate){0};
    must(dnnl_primitive_create(&l->matmul, desc));
    l->x = typed_copy(l, laser_onednn_lend(&x), w->tokens, w->shape.in, dnnl_ab, w->x);
    l->w = typed_copy(l, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0), w->shape.in,
                      w->shape.out, dnnl_ba, w->weights);
    must(dnnl_memory_create(&l->y, laser_onednn_lend(&y), l->engine, w->y));
    dnnl_primitive_desc_destroy(desc);
    laser_onednn_forget(&x);
    laser_onednn_forget(&weights);
    laser_onednn_forget(&y);
    return (struct candidate){run_library, l, NULL};
}
#endif

/* The column of what the program takes for a precision by itself. */
static int choice(enum laser_precision precision, bool avx2)
{
    laser_kernels_choose("auto", NULL);
    const char *kernels = avx2 ? "openblas" : laser_kernels_name(laser_kernels_current(precision));

    for (int c = 0; c < COLUMNS; c++)
        if (columns[c].kernels && columns[c].precision == precision &&
            strcmp(columns[c].kernels, kernels) == 0)
            return c;
    return precision == LASER_FLOAT32 ? FLOAT_OPENBLAS : BF16_OPENBLAS;
}

/* The process ends after one shape: what it made is freed then. */
static void measure(const struct work *w, bool avx2, struct rates *rates)
{
    double flops = 2.0 * (double)w->tokens * (double)w->shape.out * (double)w->shape.in;
    struct candidate candidates[COLUMNS] = {{0}};
    int rounds;

    for (int c = 0; c < COLUMNS; c++)
        if (columns[c].kernels && !(avx2 && strncmp(columns[c].kernels, "avx512", 6) == 0))
            candidates[c] = make_own(w, columns[c].kernels, columns[c].precision);
    candidates[FLOAT_SGEMM_PACKED] = (struct candidate){run_sgemm, (void *)(uintptr_t)w, NULL};
#ifdef HAVE_ONEDNN
    candidates[FLOAT_ONEDNN_PACKED] = make_library(w, dnnl_f32);
    candidates[BF16_ONEDNN_PACKED] = make_library(w, dnnl_bf16);
#endif
    for (int c = 0; c < COLUMNS; c++)
        candidates[c].times_s = allocate(MOST_ROUNDS * (int64_t)sizeof(double));
    rounds = compete(candidates, w->limit_s);
    rates->float_ratio =
        ratio(&candidates[FLOAT_ONEDNN_PACKED], &candidates[choice(LASER_FLOAT32, avx2)], rounds);
    rates->bf16_ratio =
        ratio(&candidates[BF16_ONEDNN_PACKED], &candidates[choice(LASER_BFLOAT16, avx2)], rounds);
    for (int c = 0; c < COLUMNS; c++) {
        double middle_s = candidates[c].run ? median(candidates[c].times_s, rounds) : 0;

        rates->middle[c] = candidates[c].run ? flops / middle_s * 1e-9 : 0;
        rates->best[c] = candidates[c].run ? flops / candidates[c].times_s[0] * 1e-9 : 0; /* sorted */
    }
}

/* All processes measure the same shape at the same time; the sum of their rates is the machine's. */
static void measure_shape(const struct shape *shape, int64_t tokens, int processes, double limit_s, bool avx2)
{
    double float_ratio = 0, bf16_ratio = 0;
    struct rates *rates = mmap(NULL, (size_t)processes * sizeof *rates, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (int p = 0; p < processes; p++)
        if (fork() == 0) {
            struct work w = {*shape, tokens, limit_s, NULL, NULL, NULL};

            laser_kernels_set_threads(1);
            laser_kernels_limit_simd(avx2 ? LASER_SIMD_AVX2 : LASER_SIMD_AVX512);
            w.x = random_floats(tokens * shape->in, 1);
            w.y = random_floats(tokens * shape->out, 1);
            w.weights = random_floats(shape->out * shape->in, 1);
            measure(&w, avx2, rates + p);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("| %s | %lld x %lld |", shape->name, (long long)shape->out, (long long)shape->in);
    for (int c = 0; c < COLUMNS; c++) {
        double best = 0, middle = 0;

        for (int p = 0; p < processes; p++) {
            best += rates[p].best[c];
            middle += rates[p].middle[c];
        }
        if (best > 0)
            printf(" %.0f, %.0f |", best, middle);
        else
            printf(" - |");
    }
    for (int p = 0; p < processes; p++) {
        float_ratio += rates[p].float_ratio / processes;
        bf16_ratio += rates[p].bf16_ratio / processes;
    }
    printf(" %.2f | %.2f |\n", float_ratio, bf16_ratio);
    fflush(stdout);
    munmap(rates, (size_t)processes * sizeof *rates);
}

/* The libraries read these when they start. */
static void leave_out_avx512(char **argv)
{
    if (getenv("ONEDNN_MAX_CPU_ISA") && getenv("OPENBLAS_CORETYPE"))
        return;
    setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        {"135M q, k, v", 960, 576},     {"135M o", 576, 576},      {"135M gate or up", 1536, 576},
        {"135M gate, up", 3072, 576},   {"135M down", 576, 1536},  {"135M head", 49152, 576},
        {"1.1B q, k, v", 2560, 2048},   {"1.1B o", 2048, 2048},    {"1.1B k or v alone", 256, 2048},
        {"1.1B gate, up", 11264, 2048}, {"1.1B down", 2048, 5632}, {"1.1B head (a block)", 512, 2048}};
    int64_t tokens = argc > 1 ? atoll(argv[1]) : 512;
    int processes = argc > 2 ? atoi(argv[2]) : 1;
    double limit_s = argc > 3 ? atof(argv[3]) * 1e-3 : 2;
    const char *only = argc > 5 ? argv[5] : "";
    bool avx2 = argc > 4 && strcmp(argv[4], "avx2") == 0;

    if (avx2)
        leave_out_avx512(argv);
    printf("%s\n%lld tokens, %d process(es) of one thread%s, GFLOP/s\n\n| layer | out x in |",
           laser_blas_description(), (long long)tokens, processes, avx2 ? ", AVX2" : "");
    for (int c = 0; c < COLUMNS; c++)
        printf(" %s |", columns[c].name);
    printf(" oneDNN / program f32 | bf16 |\n|---|---|");
    for (int c = 0; c < COLUMNS + 2; c++)
        printf("---|");
    printf("\n");
    fflush(stdout);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strncmp(shapes[i].name, only, strlen(only)) == 0)
            measure_shape(&shapes[i], tokens, processes, limit_s, avx2);
    return 0;
}

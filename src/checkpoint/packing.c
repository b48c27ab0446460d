#include "checkpoint/packing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A matrix is the tensor STEM + packed of an integer type, where STEM + beside is there, too (NULL: no need).
 */
static const struct kind {
    const char *name, *packed, *beside, *back;
} kinds[] = {
    {"GPTQ", ".qweight", ".g_idx", "transformers: model.dequantize()"},
    {"AWQ or GPTQ", ".qweight", ".qzeros", "transformers: model.dequantize()"},
    {"bitsandbytes, 4 bits", ".weight", ".weight.absmax", "transformers: model.dequantize()"},
    {"bitsandbytes, 8 bits", ".weight", ".SCB", "transformers: model.dequantize()"},
    {"MLX", ".weight", ".biases", "mlx_lm.convert --dequantize"},
    {"compressed-tensors", ".weight_packed", NULL,
     "transformers: CompressedTensorsConfig(run_compressed=False)"},
    {"MXFP4", "_blocks", "_scales", "transformers: Mxfp4Config(dequantize=True)"},
    {"HQQ", ".W_q", NULL, "hqq: layer.dequantize()"},
    {"AQLM", ".codes", ".codebooks", "its float original only"},
    {"integers with scales", ".weight", ".weight_scale", "transformers: model.dequantize()"},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_kind(const struct kind *k, const struct laser_tensor *t, const char *const *names, int64_t n)
{
    const size_t length = strlen(t->name), ending = strlen(k->packed);
    char beside[2048];
    const char *key = beside;

    if (laser_dtype_is_float(t->dtype) || length < ending ||
        strcmp(t->name + length - ending, k->packed) != 0)
        return 0;
    if (k->beside == NULL)
        return 1;
    snprintf(beside, sizeof beside, "%.*s%s", (int)(length - ending), t->name, k->beside);
    return bsearch(&key, names, (size_t)n, sizeof *names, by_name) != NULL;
}

int laser_packing_find(const struct laser_tensor *tensors, int64_t n, struct laser_packing *found)
{
    const char **names = malloc((size_t)n * sizeof *names + 1);
    int64_t counts[N_KINDS] = {0}, first[N_KINDS] = {0};
    int best = 0;

    if (names == NULL)
        return 0;
    for (int64_t i = 0; i < n; i++)
        names[i] = tensors[i].name;
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < N_KINDS; k++)
            if (is_kind(&kinds[k], &tensors[i], names, n)) {
                if (counts[k]++ == 0)
                    first[k] = i;
                break;
            }
    free(names);
    for (int k = 1; k < N_KINDS; k++)
        if (counts[k] > counts[best])
            best = k;
    if (counts[best] == 0)
        return 0;
    *found =
        (struct laser_packing){kinds[best].name, kinds[best].back, tensors[first[best]].name, counts[best]};
    return 1;
}

int laser_packing_describe(const struct laser_tensor *tensors, int64_t n, char *text, size_t size)
{
    struct laser_packing p;

    if (!laser_packing_find(tensors, n, &p))
        return 0;
    snprintf(text, size,
             "the weights of %lld matri%s are packed integers (%s: %.200s), which this program does not "
             "unpack; scan the "
             "float checkpoint that it was made from, or one written back as floats (%s)",
             (long long)p.n_matrices, p.n_matrices == 1 ? "x" : "ces", p.name, p.tensor, p.back);
    return 1;
}

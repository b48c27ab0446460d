#include "compress/left_out.h"

#include <string.h>

#include "arch/family.h"

#define TEXT(x)   #x
#define NUMBER(x) TEXT(x)

/* "<module>.ALinear.weight" of a factored checkpoint */
static bool is_factor(const struct laser_checkpoint *c, const char *name)
{
    static const char *const ends[] = {".ALinear.weight", ".BLinear.weight"};
    size_t n = strlen(name);

    for (int i = 0; i < 2 && json_is_object(json_object_get(c->config, "truncation_ranks")); ++i)
        if (n > strlen(ends[i]) && strcmp(name + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

enum laser_left_out laser_left_out(const struct laser_run *run, int64_t matrix)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    const struct laser_tensor *t = &run->checkpoint->tensors[m->tensor];

    if (laser_arch_is_beside(run->checkpoint->config, t->name))
        return LASER_LEFT_OUT_BESIDE;
    if (laser_arch_is_router(run->checkpoint->config, t->name))
        return LASER_LEFT_OUT_ROUTER;
    if (is_factor(run->checkpoint, t->name))
        return LASER_LEFT_OUT_FACTOR;
    if (m->col_step != 1 || (m->block_rows == 1 && m->rows > 1))
        return LASER_LEFT_OUT_ALTERNATES;
    if (t->coded != NULL)
        return LASER_LEFT_OUT_SCALED;
    return m->rows * m->cols <= m->rows + m->cols ? LASER_LEFT_OUT_SMALL : LASER_NOT_LEFT_OUT;
}

const char *laser_left_out_text(enum laser_left_out why)
{
    static const char *const texts[] = {
        [LASER_LEFT_OUT_BESIDE] = "beside the language model",
        [LASER_LEFT_OUT_ROUTER] = "chooses experts: a small matrix, of which much depends",
        [LASER_LEFT_OUT_FACTOR] = "a factor already: start from the original model for another size",
        [LASER_LEFT_OUT_ALTERNATES] =
            "its rows alternate with those of other parts: it is cut with them, as one matrix "
            "(scan.split_fused=false)",
        [LASER_LEFT_OUT_SCALED] = "quantised: factors would have to be quantised, too",
        [LASER_LEFT_OUT_SMALL] = "too small: two factors would not be smaller",
        [LASER_LEFT_OUT_FEW_TOKENS] =
            "fewer than " NUMBER(LASER_CUTS_TOKENS) " tokens of the calibration reached it"};

    return texts[why];
}

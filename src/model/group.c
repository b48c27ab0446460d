/* Sums over the shards of a model. */
#include "model/internal.h"

int laser_model_group_sum(const struct laser_model *model, float *x, int64_t n, struct laser_error *err)
{
    int result = model->group.count > 1 ? model->group.sum(model->group.context, x, n) : 0;

    return result == 0 ? LASER_OK : laser_error_set(err, result, NULL, "the sum over the shards failed");
}

int laser_model_group_max(const struct laser_model *model, float *x, int64_t n, struct laser_error *err)
{
    int result = model->group.count > 1 ? model->group.max(model->group.context, x, n) : 0;

    return result == 0 ? LASER_OK : laser_error_set(err, result, NULL, "the maximum over the shards failed");
}

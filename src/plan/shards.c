#include "plan/shards.h"

#include "plan/machine.h"

/* More shards than need be shall be worth it. */
#define WORTHWHILE 0.95

int laser_shards_choose(const struct laser_run *run, int most, bool by_speed, laser_shards_measure *measure,
                        void *context, int *shards, struct laser_error *err)
{
    int asked = (int)run->settings->parallel.shards;
    int first = asked > 0 ? (asked < most ? asked : most) : 1, last = asked > 0 ? first : most;
    double bytes, seconds, best = 0;

    *shards = 0;
    for (int n = first; n <= last && !(*shards > 0 && !by_speed); ++n) {
        int code = measure(context, n, &bytes, &seconds, err);

        if (code != LASER_OK)
            return code;
        if (bytes > run->memory_limit_bytes || (*shards > 0 && seconds >= WORTHWHILE * best))
            continue;
        *shards = n;
        best = seconds;
    }
    return LASER_OK;
}

double laser_shards_sum_s(int shards, int sums, double bytes)
{
    return shards == 1 ? 0
                       : (double)sums *
                             (LASER_SUM_LATENCY_S + 2.0 * (shards - 1) / shards * bytes / LASER_SUM_BYTES_S);
}

int64_t laser_checkpoint_bytes(const struct laser_checkpoint *c)
{
    int64_t n = 0;

    for (int64_t i = 0; i < c->n_tensors; ++i)
        n += c->tensors[i].size_bytes;
    return n;
}

double laser_checkpoint_write_s(const struct laser_checkpoint *c, int ranks)
{
    return (double)laser_checkpoint_bytes(c) / LASER_WRITE_BYTES_S / ranks;
}

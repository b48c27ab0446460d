/* What each shard gets. */
#include "model/internal.h"

struct laser_share laser_share_of(int64_t n, int index, int count, int64_t grain)
{
    int64_t unit = n >= grain * count ? grain : 1;
    int64_t units = (n + unit - 1) / unit;
    int64_t first = units * index / count * unit, end = units * (index + 1) / count * unit;

    if (end > n)
        end = n;
    return (struct laser_share){first, end - first};
}

struct laser_share laser_share_within(struct laser_share share, int64_t n)
{
    int64_t end = share.first + share.count < n ? share.first + share.count : n;

    return share.first < end ? (struct laser_share){share.first, end - share.first}
                             : (struct laser_share){share.first < n ? share.first : n, 0};
}

/* Columns are cut at multiples of 32, the width of a packed panel. */
struct laser_share laser_share_columns(int64_t columns, int index, int count)
{
    return laser_share_of(columns, index, count, 32);
}

/* Small experts are given out whole, so that their products stay worth a call; large ones are cut by columns,
 * which balances whatever the routing does. */
bool laser_share_whole_experts(const struct laser_arch *arch, int count)
{
    return arch->moe.experts >= count && arch->moe.intermediate / count < 64;
}

/* Query heads are split evenly; a key-value head goes to every shard that has one of its query heads. */
struct laser_share laser_share_kv_heads(int64_t heads, int64_t kv_heads, struct laser_share mine)
{
    int64_t group = heads / kv_heads;
    int64_t first = mine.first / group;

    if (mine.count == 0)
        return (struct laser_share){0, 0};
    return (struct laser_share){first, (mine.first + mine.count - 1) / group - first + 1};
}

int64_t laser_model_query_width(const struct laser_model *m)
{
    int64_t size = m->arch.head_size > m->arch.full_head_size ? m->arch.head_size : m->arch.full_head_size;

    return m->heads.count * size;
}

int64_t laser_model_key_width(const struct laser_model *m)
{
    int64_t most = 0;

    for (int64_t i = 0; i < m->arch.layers; i++) {
        int64_t width = m->layers[i].kv_heads.count * m->layers[i].head_size;
        most = width > most ? width : most;
    }
    return most;
}

#include "base/traffic.h"

#include <stdatomic.h>

static _Atomic int64_t read_so_far, written_so_far;

void laser_traffic_read(int64_t size_bytes)
{
    atomic_fetch_add_explicit(&read_so_far, size_bytes, memory_order_relaxed);
}

void laser_traffic_write(int64_t size_bytes)
{
    atomic_fetch_add_explicit(&written_so_far, size_bytes, memory_order_relaxed);
}

struct laser_traffic laser_traffic_so_far(void)
{
    return (struct laser_traffic){atomic_load_explicit(&read_so_far, memory_order_relaxed),
                                  atomic_load_explicit(&written_so_far, memory_order_relaxed)};
}

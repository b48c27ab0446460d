/* How many bytes this process has read from files and written to them, for the account of a run. */
#ifndef LASER_BASE_TRAFFIC_H
#define LASER_BASE_TRAFFIC_H

#include <stdint.h>

struct laser_traffic {
    int64_t read_bytes, written_bytes;
};

/* To be called by whoever reads or writes; any thread. */
void laser_traffic_read(int64_t size_bytes);
void laser_traffic_write(int64_t size_bytes);

struct laser_traffic laser_traffic_so_far(void);

#endif

/* Part files: where the leaders of the groups put the singular values of the matrices they have finished, one
 * file for each leader, in the folder `work` of the output directory.  What stands where is said by the
 * ledger, with a hash, so that a torn record is noticed.  This keeps the values off rank 0 and its network.
 */
#ifndef LASER_STORE_PARTS_H
#define LASER_STORE_PARTS_H

#include <stdint.h>

#include "base/error.h"
#include "run/outcome.h"

struct laser_part_writer {
    int fd;
    int32_t part;
    char path[4200];
};

/* Local.  Opens part file `part` of an output directory for appending. */
int laser_part_open(const char *output, int part, struct laser_part_writer *writer, struct laser_error *err);

/* Local.  Appends values and says where they are.  On failure the file is cut back to where it was. */
int laser_part_append(struct laser_part_writer *writer, const double *values, int64_t count,
                      struct laser_part_record *record, struct laser_error *err);

void laser_part_close(struct laser_part_writer *writer);

/* Local.  Reads a record into values (record->count doubles).  LASER_EIO if it is not there or altered. */
int laser_part_read(const char *output, const struct laser_part_record *record, double *values,
                    struct laser_error *err);

#endif

/* Private to this module: the readers of foreign.h. */
#ifndef LASER_EXCHANGE_FOREIGN_PARTS_H
#define LASER_EXCHANGE_FOREIGN_PARTS_H

#include "exchange/foreign.h"

/* text: size bytes and a NUL; the CSV reader changes it. */
int laser_foreign_read_json(const char *path, const char *text, size_t size, struct laser_foreign_scan *scan,
                            struct laser_error *err);
int laser_foreign_read_csv(const char *path, char *text, size_t size, struct laser_foreign_scan *scan,
                           struct laser_error *err);

/* A further row named `module` (with or without ".weight"), of this type, or of what its name says if NULL;
 * layer filled in, the rest zero.  Valid until the next call.  NULL without memory. */
struct laser_scan_row *laser_foreign_add(struct laser_foreign_scan *scan, const char *module, size_t length,
                                         const char *type);

#endif

/* From what the user called the model to the files that hold it. */
#ifndef LASER_CHECKPOINT_LOCATE_H
#define LASER_CHECKPOINT_LOCATE_H

#include <stdbool.h>

#include "base/error.h"

struct laser_location {
    char *dir;
    char *index; /* name in dir, or NULL: then files says what to read */
    int n_files;
    char **files; /* names in dir, sorted */
    bool single_file;
};

/* See laser_checkpoint_open.  Free with laser_location_free (after an error too). */
int laser_location_find(const char *model, struct laser_location *location, struct laser_error *err);
void laser_location_free(struct laser_location *location);

/* The snapshot directory of `org/name[@revision]` in the local hub cache, in fresh memory.  LASER_EINPUT: not
 * there, with the places that were looked at. */
int laser_location_hub(const char *model, char **dir, struct laser_error *err);

#endif

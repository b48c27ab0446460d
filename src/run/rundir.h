/* The output directory of a run: made, checked and held by one run at a time. */
#ifndef LASER_RUN_RUNDIR_H
#define LASER_RUN_RUNDIR_H

#include "base/error.h"

struct laser_rundir {
    char path[4096]; /* absolute, without symbolic links */
    int lock_fd;
    char lock_file[4200]; /* to be removed at the end; empty where the file system has locks */
};

/* Makes the directory (and its parents), checks that it can be written to and that it is neither the model
 * directory nor inside it (model_dir may be NULL), and locks it.  A second run on the same directory is
 * refused at once: LASER_EUSAGE, naming who holds it.  On file systems without locks a lock file with host
 * and process id is made instead; one left behind by a dead process of this host is taken over. */
int laser_rundir_open(const char *path, const char *model_dir, struct laser_rundir *dir,
                      struct laser_error *err);

/* Lets go of the lock.  Harmless on a zeroed struct. */
void laser_rundir_close(struct laser_rundir *dir);

/* Makes a directory and its parents; fine if it is there. */
int laser_directory_make(const char *path, struct laser_error *err);

#endif

/* A finished file on its way to the disk. */
#ifndef LASER_STORE_SYNC_H
#define LASER_STORE_SYNC_H

/* Syncs a file that a library has written and closed, and counts its bytes (base/traffic.h).  0, or not 0
 * with errno set. */
int laser_store_sync(const char *path);

#endif

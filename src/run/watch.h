/* A last resort against jobs that hang: a rank that is lost (its node is gone, nobody tells) leaves the
 * others in a collective that never ends.  A thread of rank 0, which uses no MPI, looks whether rank 0 still
 * moves.
 */
#ifndef LASER_RUN_WATCH_H
#define LASER_RUN_WATCH_H

/* Rank 0 of more than one; stall_s <= 0: no watch.  When rank 0 has neither ticked nor read or written a file
 * for stall_s, the process ends with LASER_ESTOPPED and a message, and the launcher ends the others.  *phase (NULL: none) and
 * host are for the message, and stay where they are until the watch ends. */
void laser_watch_start(const char *const *phase, const char *host, double stall_s);

/* Rank 0 moves. */
void laser_watch_tick(void);

/* Ends the watch; harmless without one. */
void laser_watch_stop(void);

#endif

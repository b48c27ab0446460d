/* Requests to stop that come as signals: SIGUSR1, SIGUSR2 and SIGXCPU (a batch system's early warnings; the last one for
 * a soft limit of processor time or memory), SIGTERM, SIGINT.
 *
 * The first one is remembered, and the work stops at its next safe point.  A second SIGTERM or SIGINT ends
 * the process at once, wherever it is, with LASER_ESTOPPED.  A signal that the process sent itself is no
 * request: a library that knows no other way raised it (OpenBLAS raises SIGINT when it cannot make a thread);
 * the process ends with LASER_ENOMEM.
 */
#ifndef LASER_RUN_SIGNALS_H
#define LASER_RUN_SIGNALS_H

/* From here on. */
void laser_signals_catch(void);

/* The system's own treatment again: for work that has no safe point, and ends on the first one. */
void laser_signals_release(void);

/* The number of the signal that has asked this process to stop, 0 if none has. */
int laser_signalled(void);

#endif

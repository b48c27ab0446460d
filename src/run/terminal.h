/* Who reads standard output. */
#ifndef LASER_RUN_TERMINAL_H
#define LASER_RUN_TERMINAL_H

#include <stdbool.h>

#include "report/scan_report.h"

/* Does a person watch standard output?  (Under mpirun: the launcher's.) */
bool laser_terminal_is_watched(void);

/* Width and character set of the terminal, for tables. */
struct laser_scan_style laser_terminal_style(void);

#endif

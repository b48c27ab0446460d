/* Files for other programs from a scan. */
#ifndef LASER_COMMANDS_EXPORT_H
#define LASER_COMMANDS_EXPORT_H

#include "exchange/export.h"
#include "run/run.h"
#include "store/scan_load.h"

/* Rank 0.  What the deck's section `export` asks for, into run->output (made if it is not there), but for
 * what needs the weights. */
int laser_export_texts(struct laser_run *run, const struct laser_scan_input *input, struct laser_error *err);

/* Rank 0.  The deck's formats, rule and rank; the caller sets meta, rows and count.  LASER_EUSAGE: a metric
 * that no row has, top and bottom percent together. */
int laser_export_settings(const struct laser_run *run, const struct laser_scan_input *input,
                          struct laser_export *e, unsigned *formats, struct laser_error *err);

/* Rank 0.  The command `export` but for the initialisations, and what these need: run->arguments[0] is loaded into *input, *e is
 * what is exported of it, `formats` as of laser_export_settings, *pick the modules.  The caller sets e->meta and frees input and
 * pick, also after an error. */
int laser_export_scan(struct laser_run *run, struct laser_scan_input *input, struct laser_export *e,
                      unsigned *formats, struct laser_pick *pick, struct laser_error *err);

/* Rank 0.  The export of a scan of differences as an adapter for their base: every linear layer with the rank that the scan
 * found, at most export.rank where that is set.  *pick is the caller's to free, also after an error.  LASER_EUSAGE: a scan of
 * something else; LASER_ENOMEM. */
int laser_export_lora(const struct laser_run *run, const struct laser_export *e, struct laser_export *lora,
                      struct laser_pick *pick, struct laser_error *err);

#endif

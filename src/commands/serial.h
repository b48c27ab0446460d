/* The commands that one process carries out: rank 0, whatever the number of ranks. */
#ifndef LASER_COMMANDS_SERIAL_H
#define LASER_COMMANDS_SERIAL_H

#include "run/run.h"

int laser_command_compare(struct laser_run *run, struct laser_error *err);
int laser_command_derive(struct laser_run *run, struct laser_error *err);
int laser_command_models(struct laser_run *run, struct laser_error *err);
int laser_command_report(struct laser_run *run, struct laser_error *err);
int laser_command_show(struct laser_run *run, struct laser_error *err);
int laser_command_task(struct laser_run *run, struct laser_error *err);
int laser_command_tokenize(struct laser_run *run, struct laser_error *err);

#endif

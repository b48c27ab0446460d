/* The command `models`: which types of models run. */
#include "arch/models.h"
#include "commands/serial.h"

int laser_command_models(struct laser_run *run, struct laser_error *err)
{
    struct laser_text text = {0};
    int code = LASER_OK;

    laser_models_list(&text);
    if (text.data == NULL || text.failed)
        code = laser_error_set(err, LASER_ENOMEM, "models", "no memory");
    else
        laser_log_block(run->log, text.data);
    laser_text_free(&text);
    return code;
}

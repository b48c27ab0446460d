#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int laser_error_set(struct laser_error *err, int code, const char *where, const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    err->code = code;
    err->rank = 0;
    snprintf(err->where, sizeof err->where, "%s", where != NULL ? where : "");
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return code;
}

void laser_error_clear(struct laser_error *err)
{
    memset(err, 0, sizeof *err);
}

const char *laser_result_name(int code)
{
    switch (code) {
    case LASER_OK:
        return "ok";
    case LASER_EUSAGE:
        return "usage";
    case LASER_EINPUT:
        return "input";
    case LASER_ENUMERIC:
        return "numeric";
    case LASER_EIO:
        return "io";
    case LASER_ENOMEM:
        return "memory";
    case LASER_ESTOPPED:
        return "stopped";
    default:
        return "internal";
    }
}

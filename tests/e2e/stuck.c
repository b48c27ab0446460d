/* A library that never comes back: to be loaded before the program's own (LD_PRELOAD).  Once the program has
 * printed a line that holds $STUCK_AT, it spins for ever, as BLAS or a file system may; once it has printed
 * one that holds $RAISE_AT, it raises SIGINT in its own process, as OpenBLAS does when it cannot make a
 * thread.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int says(const char *line, const char *variable)
{
    const char *wanted = getenv(variable);

    return wanted != NULL && strstr(line, wanted) != NULL;
}

int printf(const char *format, ...)
{
    static volatile int forever = 1;
    char line[8192];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs(line, stdout);
    fflush(stdout);
    if (says(line, "RAISE_AT"))
        raise(SIGINT);
    if (says(line, "STUCK_AT"))
        while (forever)
            ;
    return n;
}

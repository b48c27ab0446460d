#include "run/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a process's standard output is; empty if that cannot be told. */
static void output_of(long process, char *target, size_t size)
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/%ld/fd/1", process);
    n = readlink(link, target, size - 1);
    target[n > 0 ? n : 0] = '\0';
}

static long parent_of(long process)
{
    char path[64], text[512], *end;
    long parent = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    /* PID (COMMAND) STATE PARENT; the command may hold blanks and brackets. */
    if (fgets(text, sizeof text, f) != NULL && (end = strrchr(text, ')')) != NULL &&
        sscanf(end + 1, " %*c %ld", &parent) != 1)
        parent = 0;
    fclose(f);
    return parent;
}

/* Does a person watch?  Open MPI gives a rank a pseudo-terminal whatever mpirun itself writes to, so there it
 * is the launcher's standard output that counts: that of the first ancestor with another one than ours (a
 * shell between them has ours). */
bool laser_terminal_is_watched(void)
{
    char mine[256], target[256];
    long process = (long)getpid();

    if (!isatty(STDOUT_FILENO) || getenv("OMPI_COMM_WORLD_RANK") == NULL)
        return isatty(STDOUT_FILENO);
    output_of(process, mine, sizeof mine);
    do {
        process = parent_of(process);
        output_of(process, target, sizeof target);
    } while (process > 1 && strcmp(mine, target) == 0);
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

struct laser_scan_style laser_terminal_style(void)
{
    struct laser_scan_style style = {.width = 100};
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        style.width = size.ws_col;
    else if (columns != NULL && atoi(columns) > 0)
        style.width = atoi(columns);
    setlocale(LC_CTYPE, "");
    style.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return style;
}

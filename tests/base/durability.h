/* What a function does to make a file durable, as it does it: fsync() and friends and rename(), which this
 * header replaces in the program that includes it.  Each call adds a letter to `durable`: f a file and d a
 * directory that is brought to the disk, s the data of a file alone, r a rename. */
#ifndef LASER_TESTS_DURABILITY_H
#define LASER_TESTS_DURABILITY_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char durable[64];

static inline void note_durable(char what)
{
    size_t n = strlen(durable);

    if (n + 1 < sizeof durable) {
        durable[n] = what;
        durable[n + 1] = '\0';
    }
}

int fsync(int fd)
{
    struct stat info;

    note_durable(fstat(fd, &info) == 0 && S_ISDIR(info.st_mode) ? 'd' : 'f');
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    note_durable('s');
    return (int)syscall(SYS_fdatasync, fd);
}

int rename(const char *from, const char *to)
{
    note_durable('r');
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

#endif

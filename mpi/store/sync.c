#include "store/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/traffic.h"

int laser_store_sync(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC), cause;
    int bad = fd < 0 || fstat(fd, &status) != 0 || fsync(fd) != 0;

    if (!bad)
        laser_traffic_write(status.st_size);
    cause = errno;
    if (fd >= 0)
        close(fd);
    errno = cause;
    return bad;
}

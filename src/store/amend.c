#include "store/amend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/io.h"
#include "store/h5file.h"

static int copy_file(const char *from, struct laser_output *out, struct laser_error *err)
{
    struct stat status;
    int fd = open(from, O_RDONLY | O_CLOEXEC), code;

    if (fd < 0 || fstat(fd, &status) != 0)
        code = laser_error_set(err, LASER_EIO, from, "cannot open: %s", strerror(errno));
    else
        code = laser_io_copy(out, fd, from, 0, (int64_t)status.st_size, err);
    if (fd >= 0)
        close(fd);
    return code;
}

static int complete(const struct laser_output *out, laser_h5_addition *add, const void *what)
{
    hid_t file;
    int bad;

    laser_h5_begin();
    file = H5Fopen(out->temporary, H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0)
        return 1;
    bad = add(file, what);
    return H5Fclose(file) < 0 || bad;
}

int laser_h5_amend(const char *path, laser_h5_addition *add, const void *what, const char *what_is_it,
                   struct laser_error *err)
{
    struct laser_output out;
    int code = laser_output_begin(path, &out, err);

    if (code != LASER_OK)
        return code;
    code = copy_file(path, &out, err);
    if (code == LASER_OK && complete(&out, add, what))
        code = laser_h5_write_failed(&out, what_is_it, err);
    if (code == LASER_OK)
        return laser_output_commit(&out, err);
    laser_output_abort(&out);
    return code;
}

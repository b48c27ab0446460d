#include "store/h5file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static struct {
    char text[400];
    int cause; /* errno where HDF5 tells it, else 0 */
} first;

/* HDF5 puts the system's error into its text: "..., errno = 28, error message = '...', ...". */
static int system_error(const char *text)
{
    const char *at = strstr(text, "errno = ");

    return at != NULL ? atoi(at + strlen("errno = ")) : 0;
}

static herr_t innermost(unsigned n, const H5E_error2_t *e, void *unused)
{
    (void)unused;
    if (n == 0 && e->desc != NULL) {
        snprintf(first.text, sizeof first.text, "%s", e->desc);
        first.cause = system_error(e->desc);
    }
    return 0;
}

static herr_t remember(hid_t stack, void *unused)
{
    (void)unused;
    if (first.text[0] == '\0')
        H5Ewalk2(stack, H5E_WALK_UPWARD, innermost, NULL);
    return 0;
}

void laser_h5_begin(void)
{
    first.text[0] = '\0';
    first.cause = 0;
    /* Nothing at exit: a file that could not be closed, on a full disk, would be written once more then, and
     * crash the process. */
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, remember, NULL);
}

const char *laser_h5_cause(void)
{
    return first.cause != 0 ? strerror(first.cause) : first.text[0] != '\0' ? first.text : "unknown";
}

static int cannot_open(const char *path, struct laser_error *err)
{
    if (strstr(first.text, "lock file") != NULL)
        return laser_error_set(
            err, LASER_EIO, path,
            "the HDF5 file is locked (%s): %s; HDF5_USE_FILE_LOCKING=FALSE in the environment reads it "
            "without a lock",
            first.text,
            first.cause == EAGAIN || first.cause == EACCES
                ? "another process has it open for writing; wait until it has closed it, or end it"
                : "its file system has no locks");
    if (first.cause == ENOENT)
        return laser_error_set(err, LASER_EINPUT, path, "no such file");
    if (first.cause != 0)
        return laser_error_set(err, first.cause == ENOMEM ? LASER_ENOMEM : LASER_EIO, path,
                               "HDF5 cannot open it: %s", strerror(first.cause));
    return laser_error_set(err, LASER_EINPUT, path, "this is not a readable HDF5 file (HDF5: %s)",
                           laser_h5_cause());
}

int laser_h5_open(const char *path, hid_t *file, struct laser_error *err)
{
    laser_h5_begin();
    if (laser_file_refuse_special(path, err) != LASER_OK)
        return LASER_EINPUT;
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    return *file >= 0 ? LASER_OK : cannot_open(path, err);
}

hid_t laser_h5_create(const struct laser_output *out)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file;

    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    file = H5Fcreate(out->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

int laser_h5_write_failed(const struct laser_output *out, const char *what, struct laser_error *err)
{
    char step[200];

    snprintf(step, sizeof step, "HDF5 cannot write %.100s", what);
    if (first.cause != 0)
        return laser_output_failed(out, step, first.cause, err);
    return laser_error_set(err, LASER_EIO, out->path, "%s: %s", step, laser_h5_cause());
}

const char *laser_h5_version(void)
{
    static char text[40];
    unsigned major, minor, release;

    H5dont_atexit(); /* before any other call; spectra.c says why */
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}

char *laser_h5_text(hid_t where, const char *name)
{
    char *text = NULL, *copy = NULL;
    hid_t attribute, type;

    if (H5Aexists(where, name) <= 0)
        return NULL;
    attribute = H5Aopen(where, name, H5P_DEFAULT);
    type = H5Aget_type(attribute);
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0 &&
        H5Aread(attribute, type, &text) >= 0 && text != NULL) {
        copy = strdup(text);
        H5free_memory(text);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return copy;
}

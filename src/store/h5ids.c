#include "store/h5ids.h"

#include <errno.h>
#include <hdf5.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/h5file.h"

/* The data sets of integers that a file has. */
struct choice {
    char first[512];
    char names[700];
    int n;
};

static bool holds_integers(hid_t set)
{
    hid_t type = H5Dget_type(set);
    bool integers = H5Tget_class(type) == H5T_INTEGER;

    H5Tclose(type);
    return integers;
}

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    struct choice *choice = context;
    size_t used = strlen(choice->names);
    hid_t set;

    if (info->type != H5O_TYPE_DATASET || (set = H5Dopen2(file, name, H5P_DEFAULT)) < 0)
        return 0;
    if (holds_integers(set)) {
        if (choice->n++ == 0)
            snprintf(choice->first, sizeof choice->first, "%s", name);
        snprintf(choice->names + used, sizeof choice->names - used, "%s%s", used > 0 ? ", " : "", name);
    }
    H5Dclose(set);
    return 0;
}

/* The only data set of integers; without one set, -1. */
static hid_t open_only(hid_t file, const char *path, struct laser_error *err)
{
    struct choice choice = {0};

    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &choice) < 0)
        laser_error_set(err, LASER_EINPUT, path, "the file is torn");
    else if (choice.n == 0)
        laser_error_set(err, LASER_EINPUT, path,
                        "there is no data set of integers in it: token ids are expected");
    else if (choice.n > 1)
        laser_error_set(err, LASER_EINPUT, path,
                        "several data sets could be the token ids: %s; choose one with NAME=%s:DATASET",
                        choice.names, path);
    else
        return H5Dopen2(file, choice.first, H5P_DEFAULT);
    return -1;
}

static hid_t open_named(hid_t file, const char *path, const char *name, struct laser_error *err)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);

    if (set < 0) {
        laser_error_set(err, LASER_EINPUT, path, "there is no data set %s in it", name);
        return -1;
    }
    if (holds_integers(set))
        return set;
    laser_error_set(err, LASER_EINPUT, path, "data set %s does not hold integers: token ids are expected",
                    name);
    H5Dclose(set);
    return -1;
}

static int narrow(const char *path, const int64_t *wide, int64_t n, int32_t *ids, struct laser_error *err)
{
    for (int64_t i = 0; i < n; ++i) {
        if (wide[i] < 0 || wide[i] > INT32_MAX)
            return laser_error_set(err, LASER_EINPUT, path, "token %" PRId64 " has id %" PRId64, i, wide[i]);
        ids[i] = (int32_t)wide[i];
    }
    return LASER_OK;
}

static int read_ids(hid_t set, const char *path, int32_t **ids, int64_t *n_ids, struct laser_error *err)
{
    hid_t space = H5Dget_space(set);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    int64_t *wide = NULL;
    int code;

    H5Sclose(space);
    if (n < 1)
        return laser_error_set(err, LASER_EINPUT, path, "its data set of token ids is empty");
    wide = malloc((size_t)n * sizeof *wide);
    *ids = malloc((size_t)n * sizeof **ids);
    *n_ids = n;
    if (wide == NULL || *ids == NULL)
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for %lld token ids", (long long)n);
    else if (H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, wide) < 0)
        code = laser_error_set(err, LASER_EIO, path,
                               "HDF5 cannot read its token ids (torn, or an unknown filter)");
    else
        code = narrow(path, wide, n, *ids, err);
    free(wide);
    if (code != LASER_OK) {
        free(*ids);
        *ids = NULL;
    }
    return code;
}

int laser_h5_token_ids(const char *path, const char *name, int32_t **ids, int64_t *n_ids,
                       struct laser_error *err)
{
    struct laser_error found = {0};
    hid_t file, set;
    int code;

    *ids = NULL;
    *n_ids = 0;
    if (access(path, R_OK) != 0)
        return laser_error_set(err, LASER_EINPUT, path, "cannot open the token ids: %s", strerror(errno));
    code = laser_h5_open(path, &file, err);
    if (code != LASER_OK)
        return code;
    set = name != NULL ? open_named(file, path, name, &found) : open_only(file, path, &found);
    if (set < 0) {
        code = laser_error_set(err, found.code != 0 ? found.code : LASER_EINPUT, path, "%s",
                               found.text[0] != '\0' ? found.text : "its data set cannot be opened");
    } else {
        code = read_ids(set, path, ids, n_ids, err);
        H5Dclose(set);
    }
    H5Fclose(file);
    return code;
}

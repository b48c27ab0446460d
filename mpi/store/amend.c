#include "store/amend.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/sync.h"

#define PIECE_BYTES (1 << 20)

/* to = from, 0 on success. */
static int copy_file(const char *from, const char *to, char *piece, size_t size)
{
    FILE *in = fopen(from, "rb"), *out = in != NULL ? fopen(to, "wb") : NULL;
    int bad = out == NULL;
    size_t n;

    while (!bad && (n = fread(piece, 1, size, in)) > 0)
        bad = fwrite(piece, 1, n, out) != n;
    bad = bad || ferror(in);
    if (in != NULL)
        fclose(in);
    return (out != NULL && fclose(out) != 0) || bad;
}

static int complete(const char *path, laser_h5_addition *add, const void *what)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    int bad;

    if (file < 0)
        return 1;
    bad = add(file, what);
    return H5Fclose(file) < 0 || bad;
}

int laser_h5_amend(const char *path, laser_h5_addition *add, const void *what, const char *what_is_it,
                   struct laser_error *err)
{
    char *piece = malloc(PIECE_BYTES), temporary[4400];
    int bad;

    if (piece == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for %s", what_is_it);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    bad = copy_file(path, temporary, piece, PIECE_BYTES) || complete(temporary, add, what) ||
          laser_store_sync(temporary) || rename(temporary, path) != 0;
    free(piece);
    if (!bad)
        return LASER_OK;
    unlink(temporary);
    return laser_error_set(err, LASER_EIO, path, "HDF5 cannot write %s (disk full?)", what_is_it);
}

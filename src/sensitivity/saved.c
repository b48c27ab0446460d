#include "sensitivity/saved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/output.h"
#include "run/rundir.h"

/* What `state` begins with; behind it come units, done and batches, and the XXH3 of all of it. */
struct head {
    char magic[8];
    uint64_t key;
    int64_t set, n_writers, n_matrices, n_batches;
};

static const char magic[8] = "LASERgr1";

int laser_saved_pass_create(struct laser_saved_pass *p, struct laser_error *err)
{
    p->units = calloc((size_t)(p->n_matrices * LASER_SUM_KINDS) + 1, sizeof *p->units);
    p->done = calloc((size_t)p->n_batches + 1, 1);
    p->batches = calloc((size_t)p->n_batches + 1, sizeof *p->batches);
    if (p->units != NULL && p->done != NULL && p->batches != NULL)
        return LASER_OK;
    laser_saved_pass_free(p);
    return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " batches",
                           p->n_batches);
}

void laser_saved_pass_free(struct laser_saved_pass *p)
{
    free(p->units);
    free(p->done);
    free(p->batches);
    p->units = NULL;
    p->done = NULL;
    p->batches = NULL;
}

/* ---- the state ---- */

/* The arrays of a state, one after another. */
struct array {
    void *data;
    size_t bytes;
};

enum { N_ARRAYS = 3 };

static void list_arrays(const struct laser_saved_pass *p, struct array arrays[N_ARRAYS])
{
    arrays[0] = (struct array){p->units, (size_t)(p->n_matrices * LASER_SUM_KINDS) * sizeof *p->units};
    arrays[1] = (struct array){p->done, (size_t)p->n_batches};
    arrays[2] = (struct array){p->batches, (size_t)p->n_batches * sizeof *p->batches};
}

static size_t state_bytes(const struct laser_saved_pass *p)
{
    struct array arrays[N_ARRAYS];
    size_t bytes = sizeof(struct head) + sizeof(XXH64_hash_t);

    list_arrays(p, arrays);
    for (int i = 0; i < N_ARRAYS; ++i)
        bytes += arrays[i].bytes;
    return bytes;
}

int laser_saved_pass_write(const struct laser_run *run, const struct laser_saved_pass *p,
                           struct laser_error *err)
{
    struct head head = {.key = p->key,
                        .set = p->set,
                        .n_writers = p->n_writers,
                        .n_matrices = p->n_matrices,
                        .n_batches = p->n_batches};
    size_t bytes = state_bytes(p), at = sizeof head;
    struct array arrays[N_ARRAYS];
    char *data = malloc(bytes);
    XXH64_hash_t hash;
    int code;

    if (data == NULL)
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %zu bytes", bytes);
    memcpy(head.magic, magic, sizeof magic);
    memcpy(data, &head, sizeof head);
    list_arrays(p, arrays);
    for (int i = 0; i < N_ARRAYS; at += arrays[i++].bytes)
        memcpy(data + at, arrays[i].data, arrays[i].bytes);
    hash = XXH3_64bits(data, at);
    memcpy(data + at, &hash, sizeof hash);
    code = laser_file_replace(laser_run_path(run, "work/gradient/state"), data, bytes, err);
    free(data);
    return code;
}

bool laser_saved_pass_read(const struct laser_run *run, struct laser_saved_pass *p)
{
    size_t wanted = state_bytes(p), bytes, at = sizeof(struct head);
    struct array arrays[N_ARRAYS];
    char *data = NULL;
    struct head head;
    XXH64_hash_t hash;
    bool good;

    if (laser_file_read(laser_run_path(run, "work/gradient/state"), wanted, &data, &bytes, NULL) != LASER_OK)
        return false;
    good = bytes == wanted;
    if (good) {
        memcpy(&head, data, sizeof head);
        memcpy(&hash, data + bytes - sizeof hash, sizeof hash);
        good = memcmp(head.magic, magic, sizeof magic) == 0 && head.key == p->key &&
               head.n_matrices == p->n_matrices && head.n_batches == p->n_batches && head.n_writers > 0 &&
               hash == XXH3_64bits(data, bytes - sizeof hash);
    }
    if (good) {
        p->set = head.set;
        p->n_writers = head.n_writers;
        list_arrays(p, arrays);
        for (int i = 0; i < N_ARRAYS; at += arrays[i++].bytes)
            memcpy(arrays[i].data, data + at, arrays[i].bytes);
    }
    free(data);
    return good;
}

void laser_saved_pass_remove(const struct laser_run *run)
{
    char directory[4400], path[4800];
    const struct dirent *entry;
    DIR *d;

    snprintf(directory, sizeof directory, "%s", laser_run_path(run, "work/gradient"));
    unlink(laser_run_path(run, "work/gradient/state"));
    d = opendir(directory);
    while (d != NULL && (entry = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) /* temporaries of a killed run, too */
            unlink(path);
    }
    if (d != NULL)
        closedir(d);
    rmdir(directory);
}

/* ---- the sums ---- */

/* An array of a matrix's sums.  Of a square one the upper triangle is kept. */
struct part {
    double *x;
    int64_t n;
    bool square;
};

enum { MOST_PARTS = 6 };

static int list_parts(struct laser_matrix_statistics *m, struct part parts[MOST_PARTS])
{
    struct laser_fisher *f = &m->fisher;
    int n = 0;

    parts[n++] = (struct part){&m->reached, 1, false};
    if (f->gradient != NULL) {
        parts[n++] = (struct part){f->gradient, f->n, false};
        parts[n++] = (struct part){f->squares, f->n, false};
        parts[n++] = (struct part){f->fisher, f->n, f->block};
    }
    if (m->input != NULL)
        parts[n++] = (struct part){m->input, m->columns, true};
    if (m->output != NULL)
        parts[n++] = (struct part){m->output, m->rows, true};
    return n;
}

/* The file that is written or read, and where in it. */
struct place {
    struct laser_output *out; /* NULL: it is read */
    int fd;
    const char *path;
    int64_t at;
};

static int read_exactly(const struct place *p, double *x, int64_t bytes, struct laser_error *err)
{
    for (int64_t done = 0; done < bytes;) {
        const ssize_t got = pread(p->fd, (char *)x + done, (size_t)(bytes - done), (off_t)(p->at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return laser_error_set(err, LASER_EIO, p->path,
                                   "%s; delete its directory, and the pass begins again",
                                   got < 0 ? strerror(errno) : "it is too short");
        done += got;
    }
    return LASER_OK;
}

/* One row; move: or it is passed over. */
static int move_row(struct place *p, double *x, int64_t n, bool move, struct laser_error *err)
{
    int64_t bytes = n * (int64_t)sizeof *x;
    int code = LASER_OK;

    if (move)
        code = p->out != NULL ? laser_output_write_at(p->out, p->at, x, bytes, err)
                              : read_exactly(p, x, bytes, err);
    p->at += bytes;
    return code;
}

static int move_matrix(struct place *p, struct laser_matrix_statistics *m, bool move, struct laser_error *err)
{
    struct part parts[MOST_PARTS];
    int n = list_parts(m, parts), code = LASER_OK;

    for (int k = 0; code == LASER_OK && k < n; ++k) {
        int64_t rows = parts[k].square ? parts[k].n : 1;

        for (int64_t i = 0; code == LASER_OK && i < rows; ++i)
            code = move_row(p, parts[k].x + i * parts[k].n + i, parts[k].n - i, move, err);
    }
    return code;
}

static void path_of(const struct laser_run *run, int64_t set, int64_t writer, char *path, size_t size)
{
    snprintf(path, size, "%s/work/gradient/sums-%" PRId64 "-%" PRId64, run->output, set, writer);
}

int laser_saved_sums_write(const struct laser_run *run, int64_t set, int64_t writer, int64_t n_writers,
                           struct laser_gradient_sums *sums, struct laser_error *err)
{
    char path[4400];
    struct laser_output out;
    struct place place = {.out = &out, .path = path};
    int code = laser_directory_make(laser_run_path(run, "work/gradient"), err);

    path_of(run, set, writer, path, sizeof path);
    if (code == LASER_OK)
        code = laser_output_begin(path, &out, err);
    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; code == LASER_OK && i < run->matrices.n_matrices; ++i) {
        struct laser_matrix_statistics *m = laser_gradient_sums_of(sums, i);

        if (m->input_of % n_writers == writer)
            code = move_matrix(&place, m, true, err);
    }
    if (code == LASER_OK)
        return laser_output_commit(&out, err);
    laser_output_abort(&out);
    return code;
}

int laser_saved_sums_read(const struct laser_run *run, const struct laser_saved_pass *p, int64_t reader,
                          int64_t n_readers, struct laser_gradient_sums *sums, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t w = 0; code == LASER_OK && w < p->n_writers; ++w) {
        char path[4400];
        struct place place = {.path = path};

        path_of(run, p->set, w, path, sizeof path);
        place.fd = open(path, O_RDONLY | O_CLOEXEC);
        if (place.fd < 0)
            return laser_error_set(err, LASER_EIO, path,
                                   "%s; delete its directory, and the pass begins again", strerror(errno));
        for (int64_t i = 0; code == LASER_OK && i < run->matrices.n_matrices; ++i) {
            struct laser_matrix_statistics *m = laser_gradient_sums_of(sums, i);

            if (m->input_of % p->n_writers == w)
                code = move_matrix(&place, m, m->input_of % n_readers == reader, err);
        }
        close(place.fd);
    }
    return code;
}

#include "checkpoint/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checkpoint/coded.h"
#include "checkpoint/encode.h"
#include "checkpoint/io.h"
#include "checkpoint/writer_files.h"

/* The real path of a directory that may not exist yet: its parent must. */
static int real_output_path(const char *dir, char **real, struct laser_error *err)
{
    char *trimmed = strdup(dir), *parent = NULL;
    const char *name;
    size_t n = strlen(dir);
    int code = LASER_OK;

    *real = realpath(dir, NULL);
    while (trimmed != NULL && n > 1 && trimmed[n - 1] == '/')
        trimmed[--n] = '\0';
    if (*real == NULL && trimmed != NULL && errno == ENOENT) {
        char *slash = strrchr(trimmed, '/');

        name = slash != NULL ? slash + 1 : trimmed;
        parent = slash == NULL ? realpath(".", NULL) : NULL;
        if (slash != NULL) {
            *slash = '\0';
            parent = realpath(slash == trimmed ? "/" : trimmed, NULL);
        }
        *real = parent != NULL ? laser_io_join(parent, name) : NULL;
    }
    if (*real == NULL)
        code = laser_error_set(err, LASER_EIO, dir, "cannot use this output directory: %s", strerror(errno));
    free(trimmed);
    free(parent);
    return code;
}

/* Is `inner` the same directory as `outer`, or below it?  Both are real paths. */
static bool is_within(const char *inner, const char *outer)
{
    const size_t n = strlen(outer);

    return strncmp(inner, outer, n) == 0 && (inner[n] == '\0' || inner[n] == '/' || outer[n - 1] == '/');
}

static int check_place(const struct laser_checkpoint *c, const char *dir, struct laser_error *err)
{
    char *output = NULL, *model = realpath(c->dir, NULL);
    int code = LASER_OK;

    if (model == NULL)
        return laser_error_set(err, LASER_EIO, c->dir, "cannot look at the model directory: %s",
                               strerror(errno));
    code = real_output_path(dir, &output, err);
    if (code == LASER_OK && strcmp(output, model) == 0)
        code = laser_error_set(err, LASER_EUSAGE, dir, "the output directory is the model directory");
    /* A single file may lie in a directory of many things; a directory of a model is not to grow. */
    else if (code == LASER_OK && is_within(output, model) && !c->single_file)
        code = laser_error_set(err, LASER_EUSAGE, dir,
                               "the output directory is inside the model directory %s", c->dir);
    free(output);
    free(model);
    return code;
}

/* What is written has the files and types of what was read. */
static int check_format(const struct laser_checkpoint *c, struct laser_error *err)
{
    if (c->anew)
        return LASER_OK;
    for (int64_t i = 0; i < c->n_tensors; i++) {
        if (c->tensors[i].coded != NULL && !(c->requantise && laser_coded_encodes(&c->tensors[i])))
            return laser_error_set(
                err, LASER_EUSAGE, c->model,
                "the weights are quantised (%s), and edited ones are not quantised again%s",
                laser_coded_format(&c->tensors[i]),
                c->requantise ? " in this format: --write-dtype bfloat16 writes all of them dequantised"
                              : " here: take a copy that `apply --write-dtype bfloat16` has written");
    }
    for (int i = 0; i < c->n_files; i++) {
        const char *ending = strrchr(c->files[i].name, '.');

        if (ending == NULL || strcmp(ending, ".safetensors") != 0)
            return laser_error_set(
                err, LASER_EUSAGE, c->files[i].name,
                "only safetensors files can be written in the form in which they were read: --write-dtype "
                "bfloat16 writes safetensors");
    }
    return LASER_OK;
}

int laser_writer_open(const struct laser_checkpoint *c, const char *dir, struct laser_writer **out,
                      struct laser_error *err)
{
    struct laser_writer *w = calloc(1, sizeof *w);
    int code;

    *out = NULL;
    if (w == NULL || (w->dir = strdup(dir)) == NULL) {
        free(w);
        return laser_error_set(err, LASER_ENOMEM, dir, "no memory for the list of files");
    }
    w->c = c;
    code = check_format(c, err);
    if (code == LASER_OK)
        code = check_place(c, dir, err);
    if (code == LASER_OK)
        code = laser_writer_list_files(w, err);
    if (code != LASER_OK) {
        laser_writer_close(w);
        return code;
    }
    *out = w;
    return LASER_OK;
}

void laser_writer_close(struct laser_writer *w)
{
    if (w == NULL)
        return;
    for (int i = 0; i < w->n_files; i++) {
        free(w->files[i].name);
        free(w->files[i].source);
    }
    free(w->files);
    free(w->dir);
    free(w);
}

/* Is this entry of an existing output directory one of ours: a file, its temporary, or a folder of some? */
static bool is_ours(const struct laser_writer *w, const char *entry)
{
    const size_t n = strlen(entry);

    for (int i = 0; i < w->n_files; i++) {
        const char *name = w->files[i].name;
        const size_t m = strlen(name);

        if (strcmp(entry, name) == 0 || (strncmp(entry, name, n) == 0 && name[n] == '/'))
            return true;
        if (n == m + strlen("..partial") && entry[0] == '.' && strncmp(entry + 1, name, m) == 0 &&
            strcmp(entry + 1 + m, ".partial") == 0)
            return true;
    }
    return false;
}

static int check_existing(const struct laser_writer *w, struct laser_error *err)
{
    DIR *stream = opendir(w->dir);
    int code = LASER_OK;

    if (stream == NULL)
        return laser_error_set(err, LASER_EIO, w->dir, "cannot use this output directory: %s",
                               strerror(errno));
    for (struct dirent *entry; code == LASER_OK && (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || is_ours(w, entry->d_name))
            continue;
        code = laser_error_set(
            err, LASER_EUSAGE, w->dir,
            "the output directory holds \"%s\", which is no part of this model; name a new one",
            entry->d_name);
    }
    closedir(stream);
    return code;
}

static int check_space(const struct laser_writer *w, struct laser_error *err)
{
    struct statvfs space;
    int64_t there = 0, available;

    for (int i = 0; i < w->n_files; i++) {
        char *path = laser_io_join(w->dir, w->files[i].name);
        struct stat status;

        if (path != NULL && stat(path, &status) == 0)
            there += status.st_size;
        free(path);
    }
    if (statvfs(w->dir, &space) != 0)
        return LASER_OK; /* the write itself will tell */
    if (__builtin_mul_overflow((int64_t)space.f_bavail, (int64_t)space.f_frsize, &available))
        return LASER_OK;
    if (w->size_bytes - there > available)
        return laser_error_set(err, LASER_EIO, w->dir,
                               "the disk has too little space: %lld bytes free, %lld needed",
                               (long long)available, (long long)(w->size_bytes - there));
    return LASER_OK;
}

int laser_writer_begin(const struct laser_writer *w, struct laser_error *err)
{
    int code;

    if (mkdir(w->dir, 0777) != 0 && errno != EEXIST)
        return laser_error_set(err, LASER_EIO, w->dir, "cannot create the output directory: %s",
                               strerror(errno));
    code = check_place(w->c, w->dir, err);
    if (code == LASER_OK)
        code = check_existing(w, err);
    if (code == LASER_OK && access(w->dir, W_OK | X_OK) != 0)
        code = laser_error_set(err, LASER_EIO, w->dir, "the output directory is not writable: %s",
                               strerror(errno));
    return code == LASER_OK ? check_space(w, err) : code;
}

static int make_parents(const struct laser_writer *w, const char *name, struct laser_error *err)
{
    char *copy = strdup(name);
    int code = copy != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, name, "no memory for a path");

    for (char *slash = copy; code == LASER_OK && (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        char *path;

        *slash = '\0';
        path = laser_io_join(w->dir, copy);
        if (path == NULL || (mkdir(path, 0777) != 0 && errno != EEXIST))
            code = laser_error_set(err, LASER_EIO, path, "cannot create the folder: %s", strerror(errno));
        free(path);
    }
    free(copy);
    return code;
}

int laser_writer_file(const struct laser_writer *w, int i, struct laser_error *err)
{
    const struct laser_writer_file *f = &w->files[i];
    char *path = laser_io_join(w->dir, f->name);
    struct laser_output out;
    int code;

    if (path == NULL)
        return laser_error_set(err, LASER_ENOMEM, f->name, "no memory for a path");
    code = strchr(f->name, '/') != NULL ? make_parents(w, f->name, err) : LASER_OK;
    if (code == LASER_OK && (code = laser_output_begin(path, &out, err)) == LASER_OK) {
        if (w->c->anew && f->shard >= 0)
            code = laser_writer_anew_put_shard(w->c, f->shard, &out, err);
        else if (w->c->anew && f->is_index)
            code = laser_writer_anew_put_index(w->c, &out, err);
        else if (f->is_config)
            code = laser_output_write(&out, w->c->config_text, (int64_t)strlen(w->c->config_text), err);
        else if (f->shard >= 0)
            code = laser_writer_put_shard(w, f, &out, err);
        else if (f->is_index)
            code = laser_writer_put_index(w, f, &out, err);
        else
            code = laser_writer_put_copy(f, &out, err);
        if (code == LASER_OK)
            code = laser_output_commit(&out, err);
        else
            laser_output_abort(&out);
    }
    free(path);
    return code;
}

int laser_writer_finish(const struct laser_writer *w, struct laser_error *err)
{
    for (int i = 0; i < w->n_files; i++) {
        char *path = laser_io_join(w->dir, w->files[i].name);
        struct stat status;
        int code = LASER_OK;

        if (path == NULL)
            return laser_error_set(err, LASER_ENOMEM, w->dir, "no memory for a path");
        if (stat(path, &status) != 0)
            code = laser_error_set(err, LASER_EIO, path, "not written: %s", strerror(errno));
        else if (w->files[i].shard >= 0 && status.st_size != w->files[i].size_bytes)
            code = laser_error_set(err, LASER_EIO, path, "%lld bytes found, %lld expected",
                                   (long long)status.st_size, (long long)w->files[i].size_bytes);
        free(path);
        if (code != LASER_OK)
            return code;
    }
    return laser_directory_sync(w->dir, err);
}

int laser_checkpoint_write(const struct laser_checkpoint *c, const char *dir, struct laser_error *err)
{
    struct laser_writer *w = NULL;
    int code = laser_writer_open(c, dir, &w, err);

    if (code == LASER_OK)
        code = laser_writer_begin(w, err);
    for (int i = 0; code == LASER_OK && i < w->n_files; i++)
        code = laser_writer_file(w, i, err);
    if (code == LASER_OK)
        code = laser_writer_finish(w, err);
    laser_writer_close(w);
    return code;
}

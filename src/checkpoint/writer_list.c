#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/beside.h"
#include "checkpoint/writer_files.h"

#define MAX_FOLDER_DEPTH 8

static int no_memory(const struct laser_writer *w, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, w->dir, "no memory for the list of files");
}

static int add(struct laser_writer *w, const char *name, const char *source, int shard, int64_t size_bytes,
               struct laser_error *err)
{
    struct laser_writer_file *more = realloc(w->files, (size_t)(w->n_files + 1) * sizeof *more);
    struct laser_writer_file f = {strdup(name), strdup(source), shard, false, false, size_bytes};

    if (more != NULL)
        w->files = more;
    if (more == NULL || f.name == NULL || f.source == NULL) {
        free(f.name);
        free(f.source);
        return no_memory(w, err);
    }
    w->files[w->n_files++] = f;
    w->size_bytes += size_bytes;
    return LASER_OK;
}

static bool is_weight_file(const struct laser_checkpoint *c, const char *name)
{
    for (int i = 0; i < c->n_files; i++) {
        if (strcmp(c->files[i].name, name) == 0)
            return true;
    }
    return c->index != NULL && strcmp(c->index, name) == 0;
}

/* The files that a model named by its one .safetensors file takes along. */
static bool is_sidecar(const char *name)
{
    static const char *const known[] = {"config.json",
                                        "generation_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.json",
                                        "vocab.txt",
                                        "merges.txt",
                                        "preprocessor_config.json",
                                        "processor_config.json",
                                        "chat_template.jinja",
                                        "chat_template.json",
                                        "spiece.model"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i]) == 0)
            return true;
    }
    return strncmp(name, "tokenizer", strlen("tokenizer")) == 0;
}

static void leave_out(struct laser_writer *w, const char *name, int64_t size_bytes)
{
    size_t n = strlen(w->left_out);

    w->left_out_bytes += size_bytes;
    if (w->n_left_out++ < 4)
        snprintf(w->left_out + n, sizeof w->left_out - n, "%s%.60s", n > 0 ? ", " : "", name);
    else if (w->n_left_out == 5)
        snprintf(w->left_out + n, sizeof w->left_out - n, ", ...");
}

static int add_folder(struct laser_writer *w, const char *folder, int depth, struct laser_error *err);

static int add_regular(struct laser_writer *w, const char *name, const char *path, int depth,
                       int64_t size_bytes, struct laser_error *err)
{
    if (w->c->anew && depth == 0 && strcmp(name, "config.json") == 0 && w->c->config_text != NULL)
        return LASER_OK; /* add_anew */
    if ((depth == 0 && is_weight_file(w->c, name)) || (w->c->single_file && !is_sidecar(name)))
        return LASER_OK;
    if (w->c->copy_other_weights || !laser_beside_is_weights(w->c, name))
        return add(w, name, path, -1, size_bytes, err);
    leave_out(w, name, size_bytes);
    return LASER_OK;
}

/* One entry of the model directory; `name` is relative to it. */
static int add_entry(struct laser_writer *w, const char *name, int depth, struct laser_error *err)
{
    const bool single = w->c->single_file;
    char *path = laser_io_join(w->c->dir, name);
    struct stat link, target;
    int code = LASER_OK;

    if (path == NULL)
        return no_memory(w, err);
    /* A link to nothing has no bytes to copy; a link to a folder may lead anywhere. */
    if (lstat(path, &link) != 0 || stat(path, &target) != 0)
        ;
    else if (S_ISREG(target.st_mode))
        code = add_regular(w, name, path, depth, target.st_size, err);
    else if (S_ISDIR(link.st_mode) && !single && depth < MAX_FOLDER_DEPTH)
        code = add_folder(w, name, depth + 1, err);
    free(path);
    return code;
}

static int visible(const struct dirent *entry)
{
    static const char *const hidden[] = {".", "..", ".git", ".cache"};

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (strcmp(entry->d_name, hidden[i]) == 0)
            return 0;
    }
    return 1;
}

static int add_folder(struct laser_writer *w, const char *folder, int depth, struct laser_error *err)
{
    char *path = folder[0] != '\0' ? laser_io_join(w->c->dir, folder) : strdup(w->c->dir);
    struct dirent **entries = NULL;
    int n = path != NULL ? scandir(path, &entries, visible, alphasort) : -1;
    int code = LASER_OK;

    if (path == NULL)
        return no_memory(w, err);
    if (n < 0)
        code = laser_error_set(err, LASER_EIO, path, "cannot list the folder: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        char *name =
            folder[0] != '\0' ? laser_io_join(folder, entries[i]->d_name) : strdup(entries[i]->d_name);

        if (code == LASER_OK)
            code = name != NULL ? add_entry(w, name, depth, err) : no_memory(w, err);
        free(name);
        free(entries[i]);
    }
    free(entries);
    free(path);
    return code;
}

static int add_shard(struct laser_writer *w, int shard, struct laser_error *err)
{
    const struct laser_checkpoint_file *f = &w->c->files[shard];
    char *header = NULL;
    int64_t length = 0;
    const int code = laser_writer_make_header(w->c, shard, &header, &length, err);

    free(header);
    return code == LASER_OK ? add(w, f->name, f->path, shard, length + f->size_bytes - f->data_start, err)
                            : code;
}

static int add_index(struct laser_writer *w, struct laser_error *err)
{
    char *path = laser_io_join(w->c->dir, w->c->index);
    struct stat status;
    int code;

    if (path == NULL)
        return no_memory(w, err);
    code = stat(path, &status) == 0
               ? add(w, w->c->index, path, -1, status.st_size, err)
               : laser_error_set(err, LASER_EIO, path, "cannot open: %s", strerror(errno));
    if (code == LASER_OK)
        w->files[w->n_files - 1].is_index = true;
    free(path);
    return code;
}

static int add_anew_shard(struct laser_writer *w, int shard, struct laser_error *err)
{
    char *name = laser_writer_anew_name(w->c, shard);
    int64_t size = 0;
    int code = name != NULL ? laser_writer_anew_size(w->c, shard, &size, err) : no_memory(w, err);

    if (code == LASER_OK)
        code = add(w, name, w->c->files[shard].path, shard, size, err);
    free(name);
    return code;
}

static int list_anew(struct laser_writer *w, struct laser_error *err)
{
    const int n = laser_writer_anew_shards(w->c);
    int code = LASER_OK;

    for (int i = 0; i < n && code == LASER_OK; i++)
        code = add_anew_shard(w, i, err);
    if (code == LASER_OK)
        code = add_folder(w, "", 0, err);
    if (code == LASER_OK && w->c->config_text != NULL) {
        code = add(w, "config.json", "", -1, (int64_t)strlen(w->c->config_text), err);
        w->files[w->n_files - 1].is_config = code == LASER_OK;
    }
    if (code == LASER_OK && n > 1) {
        code = add(w, "model.safetensors.index.json", "", -1, 0, err);
        w->files[w->n_files - 1].is_index = code == LASER_OK;
    }
    return code;
}

int laser_writer_list_files(struct laser_writer *w, struct laser_error *err)
{
    int code = LASER_OK;

    if (w->c->anew)
        return list_anew(w, err);
    for (int i = 0; i < w->c->n_files && code == LASER_OK; i++)
        code = add_shard(w, i, err);
    if (code == LASER_OK)
        code = add_folder(w, "", 0, err);
    if (code == LASER_OK && w->c->index != NULL)
        code = add_index(w, err);
    return code;
}

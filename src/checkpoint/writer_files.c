#include "checkpoint/writer_files.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/coded.h"
#include "checkpoint/encode.h"
#include "checkpoint/json.h"
#include "checkpoint/state.h"

#define PIECE_BYTES (INT64_C(1) << 20)

/* transformers refuses a file whose __metadata__ has no "format". */
static int add_format(const char *file, const char *text, int64_t length, char **header, int64_t *n,
                      struct laser_error *err)
{
    json_t *root = NULL, *metadata, *whole;
    const char *key;
    json_t *value;
    int code = laser_json_parse(file, text + 8, (size_t)length - 8,
                                LASER_JSON_UNIQUE_KEYS | LASER_JSON_STRICT, &root, err);

    *header = NULL;
    if (code != LASER_OK)
        return code;
    metadata = json_object_get(root, "__metadata__");
    if (json_string_value(json_object_get(metadata, "format")) != NULL) {
        json_decref(root);
        return LASER_OK;
    }
    whole = json_object();
    if (metadata == NULL)
        json_object_set_new(whole, "__metadata__", json_pack("{s:s}", "format", "pt"));
    else
        json_object_set_new(metadata, "format", json_string("pt"));
    json_object_foreach(root, key, value)
    {
        json_object_set(whole, key, value);
    }
    code = laser_safetensors_header_text(whole, header, n);
    if (code != LASER_OK)
        laser_error_set(err, code, file, "no memory for the header");
    json_decref(whole);
    json_decref(root);
    return code;
}

int laser_writer_make_header(const struct laser_checkpoint *c, int shard, char **header, int64_t *n,
                             struct laser_error *err)
{
    const struct laser_checkpoint_file *f = &c->files[shard];
    char *rebuilt = NULL;
    int fd = -1;
    int code = laser_checkpoint_fd(c, shard, &fd, err);

    *n = f->data_start;
    *header = NULL;
    if (code != LASER_OK)
        return code;
    *header = malloc((size_t)f->data_start);
    if (*header == NULL)
        return laser_error_set(err, LASER_ENOMEM, f->path, "no memory for the header");
    code = laser_io_read_at(fd, f->path, 0, f->data_start, *header, err);
    if (code == LASER_OK)
        code = add_format(f->path, *header, f->data_start, &rebuilt, n, err);
    if (code != LASER_OK || rebuilt != NULL) {
        free(*header);
        *header = rebuilt;
    }
    return code;
}

/* Puts one redirected tensor over the copied bytes at `position`. */
static int overwrite(const struct laser_writer *w, const struct laser_tensor *t, int64_t position,
                     char *buffer, struct laser_output *out, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t done = 0; done < t->size_bytes && code == LASER_OK; done += PIECE_BYTES) {
        const int64_t n = t->size_bytes - done < PIECE_BYTES ? t->size_bytes - done : PIECE_BYTES;

        code = laser_checkpoint_read(w->c, t, done, n, buffer, err);
        if (code == LASER_OK)
            code = laser_output_write_at(out, position + done, buffer, n, err);
    }
    return code;
}

int laser_writer_put_shard(const struct laser_writer *w, const struct laser_writer_file *f,
                           struct laser_output *out, struct laser_error *err)
{
    const struct laser_checkpoint *c = w->c;
    const struct laser_checkpoint_file *shard = &c->files[f->shard];
    char *header = NULL, *buffer = malloc(PIECE_BYTES);
    int64_t length = 0;
    int fd = -1;
    int code =
        buffer != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, f->name, "no memory for a buffer");

    if (code == LASER_OK)
        code = laser_checkpoint_fd(c, f->shard, &fd, err);
    if (code == LASER_OK)
        code = laser_writer_make_header(c, f->shard, &header, &length, err);
    if (code == LASER_OK)
        code = laser_output_write(out, header, length, err);
    if (code == LASER_OK)
        code = laser_io_copy(out, fd, shard->path, shard->data_start, shard->size_bytes - shard->data_start,
                             err);
    for (int64_t i = 0; i < c->n_tensors && code == LASER_OK; i++) {
        const struct laser_tensor *t = &c->tensors[i];

        if (!laser_checkpoint_is_redirected(c, t))
            continue;
        if (t->coded != NULL && t->coded->parts[LASER_PART_CODES]->file == f->shard)
            code = laser_coded_put(
                c, t, length + t->coded->parts[LASER_PART_CODES]->offset - shard->data_start, out, err);
        else if (t->coded == NULL && t->file == f->shard)
            code = overwrite(w, t, length + t->offset - shard->data_start, buffer, out, err);
    }
    free(header);
    free(buffer);
    return code;
}

int laser_writer_put_index(const struct laser_writer *w, const struct laser_writer_file *f,
                           struct laser_output *out, struct laser_error *err)
{
    json_t *root = NULL, *metadata;
    char *text = NULL;
    int code = laser_json_load(f->source, LASER_JSON_UNIQUE_KEYS, &root, err);

    if (code != LASER_OK)
        return code;
    metadata = json_object_get(root, "metadata");
    if (json_is_number(json_object_get(metadata, "total_size"))) {
        json_decref(root);
        return laser_writer_put_copy(f, out, err);
    }
    if (!json_is_object(metadata)) {
        metadata = json_object();
        json_object_set_new(root, "metadata", metadata);
    }
    json_object_set_new(metadata, "total_size", json_integer(w->c->total_size_bytes));
    text = json_dumps(root, JSON_INDENT(2));
    code = text != NULL ? laser_output_write(out, text, (int64_t)strlen(text), err)
                        : laser_error_set(err, LASER_ENOMEM, f->name, "no memory for the index");
    free(text);
    json_decref(root);
    return code;
}

int laser_writer_put_copy(const struct laser_writer_file *f, struct laser_output *out,
                          struct laser_error *err)
{
    const int fd = open(f->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int code;

    if (fd < 0)
        return laser_error_set(err, LASER_EIO, f->source, "cannot open: %s", strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        code = laser_error_set(err, LASER_EIO, f->source, "not a regular file any more");
    else
        code = laser_io_copy(out, fd, f->source, 0, status.st_size, err);
    close(fd);
    return code;
}

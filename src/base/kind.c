#include "base/kind.h"

#include <string.h>
#include <strings.h>

#define JSON_LINES  ".jsonl', orient='records', lines=True, force_ascii=False)\""
#define MAGIC(text) (text), sizeof(text) - 1

/* The command that converts it: the path stands between the three parts (NULL: there are fewer). */
static const struct kind {
    const char *magic;
    size_t length, at;
    const char *name, *command[3];
} kinds[] = {
    {MAGIC("PAR1"),
     0,
     "Parquet",
     {"python3 -c \"import pandas; pandas.read_parquet('", "').to_json('", JSON_LINES}},
    {MAGIC("ARROW1\0\0"),
     0,
     "an Arrow file",
     {"python3 -c \"import pandas; pandas.read_feather('", "').to_json('", JSON_LINES}},
    {MAGIC("\xff\xff\xff\xff"),
     0,
     "an Arrow stream, as datasets keeps it",
     {"python3 -c \"import datasets; datasets.Dataset.from_file('", "').to_json('",
      ".jsonl', force_ascii=False)\""}},
    {MAGIC("\x28\xb5\x2f\xfd"), 0, "compressed by zstd", {"zstd -d '", "'", NULL}},
    {MAGIC("\xfd"
           "7zXZ\0"),
     0,
     "compressed by xz",
     {"xz -dk '", "'", NULL}},
    {MAGIC("BZh91AY&SY"), 0, "compressed by bzip2", {"bunzip2 -k '", "'", NULL}},
    {MAGIC("\x04\x22\x4d\x18"), 0, "compressed by lz4", {"lz4 -d '", "'", NULL}},
    {MAGIC("\x1f\x8b"), 0, "compressed by gzip", {"gunzip -k '", "'", NULL}},
    {MAGIC("PK\x03\x04"), 0, "a zip archive", {"unzip '", "'", NULL}},
    {MAGIC("7z\xbc\xaf\x27\x1c"), 0, "a 7z archive", {"7z x '", "'", NULL}},
    {MAGIC("ustar\0"), 257, "a tar archive", {"tar xf '", "'", NULL}},
    {MAGIC("ustar  \0"), 257, "a tar archive", {"tar xf '", "'", NULL}},
    {MAGIC("\x89HDF\r\n\x1a\n"), 0, "HDF5", {NULL, NULL, NULL}},
    {MAGIC("\x93NUMPY"), 0, "a NumPy array", {NULL, NULL, NULL}},
    {MAGIC("SQLite format 3\0"), 0, "an SQLite database", {NULL, NULL, NULL}},
    {MAGIC("Obj\x01"), 0, "Avro", {NULL, NULL, NULL}},
    {MAGIC("GGUF\x02\0\0\0"), 0, "a GGUF model", {NULL, NULL, NULL}},
    {MAGIC("GGUF\x03\0\0\0"), 0, "a GGUF model", {NULL, NULL, NULL}},
    {MAGIC("%PDF-"), 0, "PDF", {"pdftotext '", "'", NULL}},
    {MAGIC("\x89PNG\r\n\x1a\n"), 0, "a PNG picture", {NULL, NULL, NULL}},
    {MAGIC("\xff\xd8\xff"), 0, "a JPEG picture", {NULL, NULL, NULL}},
    {MAGIC("\xff\xfe"), 0, "UTF-16", {"iconv -f UTF-16 -t UTF-8 '", "' >'", ".txt'"}},
    {MAGIC("\xfe\xff"), 0, "UTF-16", {"iconv -f UTF-16 -t UTF-8 '", "' >'", ".txt'"}},
};

static int is_kind(const struct kind *k, const char *bytes, size_t n)
{
    return n >= k->at + k->length && memcmp(bytes + k->at, k->magic, k->length) == 0;
}

static int starts_with(const char *bytes, size_t n, const char *word)
{
    return n >= strlen(word) && strncasecmp(bytes, word, strlen(word)) == 0;
}

int laser_kind_refuse_stray(const char *path, const char *bytes, size_t n, struct laser_error *err)
{
    if (starts_with(bytes, n, "version https://git-lfs.github.com/spec/"))
        return laser_error_set(
            err, LASER_EINPUT, path,
            "this is a pointer of Git LFS, not the file itself: `git lfs pull` fetches that");
    return LASER_OK;
}

int laser_kind_refuse_data(const char *path, const char *bytes, size_t n, struct laser_error *err)
{
    if (starts_with(bytes, n, "<!doctype html") || starts_with(bytes, n, "<html"))
        return laser_error_set(err, LASER_EINPUT, path,
                               "this is an HTML page, such as a server sends when a download fails");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is_kind(&kinds[i], bytes, n))
            return laser_error_set(err, LASER_EINPUT, path, "this is %s", kinds[i].name);
    return laser_kind_refuse_stray(path, bytes, n, err);
}

int laser_kind_refuse(const char *path, const char *bytes, size_t n, struct laser_error *err)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];

        if (!is_kind(k, bytes, n))
            continue;
        if (k->command[0] == NULL)
            return laser_error_set(err, LASER_EINPUT, path, "this is %s, where text is needed", k->name);
        return laser_error_set(err, LASER_EINPUT, path,
                               "this is %s, where text is needed; convert it once: %s%s%s%s%s", k->name,
                               k->command[0], path, k->command[1], k->command[2] != NULL ? path : "",
                               k->command[2] != NULL ? k->command[2] : "");
    }
    return laser_kind_refuse_stray(path, bytes, n, err);
}

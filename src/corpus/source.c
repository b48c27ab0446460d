#include "corpus/source.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The windows of laserRMT's c4 and the documents that it takes them from: gptq_data_utils.py. */
static const struct laser_known_dataset known_datasets[] = {
    {"wikitext2", "text",
     "wiki.test.raw, from the archive wikitext-2-raw-v1.zip (on the Hugging Face hub: Salesforce/wikitext, "
     "wikitext-2-raw-v1, split test)",
     LASER_JOIN_NONE, 0, 0},
    {"wikitext2-rows", "text",
     "wiki.test.raw, from the archive wikitext-2-raw-v1.zip (on the Hugging Face hub: Salesforce/wikitext, "
     "wikitext-2-raw-v1, split test)",
     LASER_JOIN_ROWS, 0, 0},
    {"ptb", "sentence",
     "ptb.test.txt, the Penn Treebank test text of Mikolov (on the Hugging Face hub: "
     "ptb-text-only/ptb_text_only, "
     "penn_treebank, split test)",
     LASER_JOIN_SPACE, 0, 0},
    {"c4", "text", "c4-validation.00000-of-00008.json.gz (on the Hugging Face hub: allenai/c4, folder en)",
     LASER_JOIN_SPACE, 8192, 256},
    {"gsm8k", "question",
     "test.jsonl (on GitHub: openai/grade-school-math, grade_school_math/data; on the Hugging Face hub: "
     "openai/gsm8k, main, split test)",
     LASER_JOIN_PADDED_ROWS, 0, 0},
};

const struct laser_known_dataset *laser_known_dataset_find(const char *name)
{
    for (size_t i = 0; i < sizeof known_datasets / sizeof *known_datasets; i++)
        if (name && strcmp(name, known_datasets[i].name) == 0)
            return &known_datasets[i];
    return NULL;
}

static bool is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_.-+", text[i]))
            return false;
    return n > 0;
}

/* name= in front, or NULL */
static const char *find_name_end(const char *text)
{
    const char *equals = strchr(text, '=');
    return equals && is_name(text, (size_t)(equals - text)) ? equals : NULL;
}

/* The ':' before a field, or NULL: a file of the whole name wins. */
static const char *find_field(const char *path)
{
    const char *colon = strrchr(path, ':');
    if (!colon || colon == path || !colon[1] || strchr(colon, '/') || access(path, F_OK) == 0)
        return NULL;
    return colon;
}

int laser_text_source_parse(const char *text, struct laser_text_source *source, struct laser_error *err)
{
    memset(source, 0, sizeof *source);
    const char *equals = find_name_end(text);
    const char *path = equals ? equals + 1 : text;
    if (!*path)
        return laser_error_set(err, LASER_EUSAGE, text,
                               "no file named; expected name=path or name=path:field");
    const char *colon = find_field(path);
    source->path = colon ? strndup(path, (size_t)(colon - path)) : strdup(path);
    source->field = colon ? strdup(colon + 1) : NULL;
    if (equals) {
        source->name = strndup(text, (size_t)(equals - text));
    } else if (source->path) {
        const char *slash = strrchr(source->path, '/');
        const char *base = slash ? slash + 1 : source->path;
        size_t n = strcspn(base, ".");
        source->name = n > 0 ? strndup(base, n) : strdup("text");
    }
    if (!source->path || !source->name || (colon && !source->field)) {
        laser_text_source_free(source);
        return laser_error_set(err, LASER_ENOMEM, text, "no memory for the name of a data set");
    }
    return LASER_OK;
}

void laser_text_source_free(struct laser_text_source *source)
{
    free(source->name);
    free(source->path);
    free(source->field);
    memset(source, 0, sizeof *source);
}

enum laser_text_format laser_text_source_format(const struct laser_text_source *source)
{
    static const struct {
        const char *ending;
        enum laser_text_format format;
    } endings[] = {
        {".jsonl", LASER_FORMAT_JSON_LINES},  {".json", LASER_FORMAT_JSON_LINES},
        {".ndjson", LASER_FORMAT_JSON_LINES}, {".csv", LASER_FORMAT_CSV},
        {".i32", LASER_FORMAT_IDS},           {".bin", LASER_FORMAT_IDS},
        {".h5", LASER_FORMAT_HDF5},           {".hdf5", LASER_FORMAT_HDF5},
        {".parquet", LASER_FORMAT_PARQUET},
    };
    if (source->format != LASER_FORMAT_AUTO)
        return source->format;
    size_t n = strlen(source->path);
    if (n > 3 && strcasecmp(source->path + n - 3, ".gz") == 0)
        n -= 3;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i].ending);
        if (n > length && strncasecmp(source->path + n - length, endings[i].ending, length) == 0)
            return endings[i].format;
    }
    return LASER_FORMAT_TEXT;
}

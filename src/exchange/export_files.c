#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "exchange/export.h"

struct writing {
    const char *dir;
    struct laser_export *e;
    struct laser_text *said;
    struct laser_error *err;
};

static int make_directory(const struct writing *w, const char *name)
{
    char *path = laser_file_join(w->dir, name);
    int code = LASER_OK;

    if (path == NULL)
        return laser_error_set(w->err, LASER_ENOMEM, w->dir, "no memory");
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        code = laser_error_set(w->err, LASER_EIO, path, "cannot make this directory: %s", strerror(errno));
    free(path);
    return code;
}

/* One text as dir/<before>MODEL<after>. */
static int put(const struct writing *w, struct laser_text *text, const char *before, const char *after,
               const char *use)
{
    struct laser_text name = {0};
    char *path = NULL;
    int code;

    laser_text_puts(&name, before);
    if (strncmp(after, "/", 1) != 0)
        laser_scan_slug(&name, w->e->meta->model_id);
    laser_text_puts(&name, after);
    if (!name.failed)
        path = laser_file_join(w->dir, name.data);
    if (text->failed || path == NULL)
        code = laser_error_set(w->err, LASER_ENOMEM, w->dir, "no memory for the files");
    else
        code = laser_file_replace(path, text->data, text->size, w->err);
    if (code == LASER_OK)
        laser_text_printf(w->said, "%s: %s\n", name.data, use);
    laser_text_free(&name);
    laser_text_free(text);
    free(path);
    return code;
}

static int put_axolotl(const struct writing *w)
{
    struct laser_text text = {0};
    int code = make_directory(w, "model_snr_results");

    if (code != LASER_OK)
        return code;
    laser_export_axolotl(&text, w->e);
    return put(w, &text, "model_snr_results/snr_results_", ".json",
               "for Axolotl's Spectrum plugin, started beside this directory");
}

static int put_peft(const struct writing *w)
{
    struct laser_text text = {0};
    int code = make_directory(w, "peft");

    if (code != LASER_OK)
        return code;
    laser_export_peft(&text, w->e);
    return put(w, &text, "peft", "/adapter_config.json", "for LoraConfig.from_pretrained of PEFT, and TRL");
}

static int put_texts(const struct writing *w, unsigned formats)
{
    struct laser_text text = {0};
    int code = LASER_OK;

    if (formats & LASER_EXPORT_AXOLOTL)
        code = put_axolotl(w);
    if (code == LASER_OK && (formats & LASER_EXPORT_LLAMA_FACTORY)) {
        laser_export_llama_factory(&text, w->e);
        code = put(w, &text, "llama_factory_", ".yaml", "keys for a training file of LLaMA-Factory");
    }
    if (code == LASER_OK && (formats & LASER_EXPORT_MS_SWIFT)) {
        laser_export_ms_swift(&text, w->e);
        code = put(w, &text, "ms_swift_", ".yaml", "for swift sft FILE");
    }
    if (code == LASER_OK && (formats & LASER_EXPORT_PEFT))
        code = put_peft(w);
    if (code == LASER_OK && (formats & LASER_EXPORT_WEIGHTWATCHER)) {
        laser_export_weightwatcher(&text, w->e->rows, w->e->count);
        code = put(w, &text, "weightwatcher_", ".csv", "details of WeightWatcher");
    }
    return code;
}

static int put_scan_files(const struct writing *w, unsigned formats)
{
    struct laser_export *e = w->e;
    struct laser_scan_meta meta = *e->meta;
    int code = LASER_OK;

    meta.top_percent = 0;
    if (formats & LASER_EXPORT_SPECTRUM) {
        code = laser_scan_write_files(w->dir, &meta, e->rows, e->count, w->err);
        if (code == LASER_OK)
            laser_text_puts(w->said, "snr_results_*.json: as Spectrum writes them\n");
    }
    if (code == LASER_OK && (formats & (LASER_EXPORT_SPECTRUM | LASER_EXPORT_AXOLOTL))) {
        code = laser_scan_write_unfrozen(w->dir, e->meta, e->rows, e->count, &e->rule, w->err);
        if (code == LASER_OK)
            laser_text_puts(w->said,
                            "snr_results_*_unfrozenparameters_*.yaml: unfrozen_parameters of Axolotl\n");
    }
    return code;
}

int laser_export_write(const char *dir, struct laser_export *e, unsigned formats, struct laser_text *said,
                       struct laser_error *err)
{
    struct writing w = {dir, e, said, err};
    struct laser_pick pick;
    int code;

    if (!laser_pick_make(&pick, e->rows, e->count, &e->rule)) {
        laser_pick_free(&pick);
        return laser_error_set(err, LASER_ENOMEM, dir, "no memory for %zu matrices", e->count);
    }
    e->pick = &pick;
    code = put_texts(&w, formats);
    if (code == LASER_OK)
        code = put_scan_files(&w, formats);
    e->pick = NULL;
    laser_pick_free(&pick);
    return code;
}

/* A scan as files for fine-tuning tools: what to train, chosen by the spectra.
 *
 * Pure but for laser_export_write.  A text without memory has .failed set.  Rows whose name is no module (a
 * part of a tensor, "experts.down_proj[3]") are left out where modules are named.
 */
#ifndef LASER_EXCHANGE_EXPORT_H
#define LASER_EXCHANGE_EXPORT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "report/pick.h"
#include "report/scan_report.h"

/* Formats, as a set. */
enum {
    LASER_EXPORT_AXOLOTL = 1,
    LASER_EXPORT_LLAMA_FACTORY = 2,
    LASER_EXPORT_MS_SWIFT = 4,
    LASER_EXPORT_PEFT = 8,
    LASER_EXPORT_WEIGHTWATCHER = 16,
    LASER_EXPORT_SPECTRUM = 32,
    LASER_EXPORT_PISSA = 64, /* these two are not written here: they need the weights */
    LASER_EXPORT_MILORA = 128,
    LASER_EXPORT_LORA = 256 /* nor this, of a difference */
};

/* The format of a name of the deck ("llama-factory"), 0 for none. */
unsigned laser_export_format(const char *name);

struct laser_export {
    const struct laser_scan_meta *meta;
    const struct laser_scan_row *rows;
    size_t count;
    struct laser_pick_rule rule;
    int rank;       /* of an adapter: the mean over its modules */
    bool own_ranks; /* each module has the rank that the scan found, at most `rank` */
    int transposed; /* the modules' weights are stored [in, out] (GPT-2's Conv1D) */
    const struct laser_pick *pick;
};

/* Length of a row's module name (its name without ".weight"), 0 if it names no module. */
size_t laser_export_module(const struct laser_scan_row *row);

/* Can the module have an adapter: it is a module, and no norm (Spectrum scans those, too). */
int laser_export_adaptable(const struct laser_scan_row *row);

/* Ranks of the picked modules that can have adapters, ranks[count]; 0 for the others.  In proportion to the
 * number of singular values above the threshold, e->rank on average, from 1 to min(rows, columns); all
 * e->rank where the scan does not know that number.  With own_ranks that number itself, at most e->rank.  The result says if they differ. */
int laser_export_ranks(const struct laser_export *e, int *ranks);

/* ./model_snr_results/snr_results_MODEL.json of Axolotl's Spectrum plugin, which sorts what it finds: as
 * laser_scan_json_flat, but without NaN. */
void laser_export_axolotl(struct laser_text *out, const struct laser_export *e);

/* LLaMA-Factory: lora_target of the picked modules that can have adapters, from the layer list on
 * (layers.0.mlp.up_proj) where all layers hang on one stem. */
void laser_export_llama_factory(struct laser_text *out, const struct laser_export *e);

/* ms-swift (swift sft FILE ...): everything is frozen but the picked modules. */
void laser_export_ms_swift(struct laser_text *out, const struct laser_export *e);

/* PEFT, so TRL, too: adapter_config.json for LoraConfig.from_pretrained(). */
void laser_export_peft(struct laser_text *out, const struct laser_export *e);

/* WeightWatcher's details data frame as CSV, all scanned rows.  Columns and their order are those of version
 * 0.7.7 with mp_fit, without those that only its own fit of a density gives (W_scale, bulk_min, bulk_max);
 * sigma_mp, mp_softrank and num_spikes are of the median estimate (spectrum/metrics.h). */
void laser_export_weightwatcher(struct laser_text *out, const struct laser_scan_row *rows, size_t count);

/* Writes the formats of the set into dir, each file atomically, and appends a line for each to *said: its
 * path below dir and what it is for.  e->pick is made here.  LASER_EIO, LASER_ENOMEM. */
int laser_export_write(const char *dir, struct laser_export *e, unsigned formats, struct laser_text *said,
                       struct laser_error *err);

#endif

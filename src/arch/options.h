/* Inside of src/arch: what config.json of some types says beyond the fields of a row; each is the `finish` of
 * the rows that name it. */
#ifndef LASER_ARCH_OPTIONS_H
#define LASER_ARCH_OPTIONS_H

#include "arch/family.h"

void laser_finish_gemma(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gpt2(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gptj(struct laser_config *config, struct laser_arch *arch); /* and CodeGen */
void laser_finish_bigcode(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gpt_neo(struct laser_config *config, struct laser_arch *arch);
void laser_finish_opt(struct laser_config *config, struct laser_arch *arch);
void laser_finish_bloom(struct laser_config *config, struct laser_arch *arch);
void laser_finish_falcon(struct laser_config *config, struct laser_arch *arch);
void laser_finish_mpt(struct laser_config *config, struct laser_arch *arch);
void laser_finish_llama4(struct laser_config *config, struct laser_arch *arch);
void laser_finish_latent(struct laser_config *config, struct laser_arch *arch);
void laser_finish_deepseek2(struct laser_config *config, struct laser_arch *arch);
void laser_finish_minicpm3(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gpt_oss(struct laser_config *config, struct laser_arch *arch);
void laser_finish_layer_thetas(struct laser_config *config, struct laser_arch *arch);

void laser_finish_hyperclovax(struct laser_config *config, struct laser_arch *arch);
void laser_finish_japanese(struct laser_config *config, struct laser_arch *arch);
void laser_finish_smollm3(struct laser_config *config, struct laser_arch *arch);
void laser_finish_rotary_dim(struct laser_config *config, struct laser_arch *arch);
void laser_finish_flint(struct laser_config *config, struct laser_arch *arch);
void laser_finish_afmoe(struct laser_config *config, struct laser_arch *arch);
void laser_finish_openai_gpt(struct laser_config *config, struct laser_arch *arch);
void laser_finish_modernbert(struct laser_config *config, struct laser_arch *arch);
void laser_finish_deberta(struct laser_config *config, struct laser_arch *arch);
void laser_finish_ernie(struct laser_config *config, struct laser_arch *arch);
void laser_finish_biogpt(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gemma4(struct laser_config *config, struct laser_arch *arch);
void laser_finish_granite_hybrid(struct laser_config *config, struct laser_arch *arch);
void laser_finish_falcon_h1(struct laser_config *config, struct laser_arch *arch);
void laser_finish_lfm2(struct laser_config *config, struct laser_arch *arch);
void laser_finish_lfm2_moe(struct laser_config *config, struct laser_arch *arch);
void laser_finish_minimax(struct laser_config *config, struct laser_arch *arch);
void laser_finish_indexed(struct laser_config *config, struct laser_arch *arch);
void laser_finish_gemma3(struct laser_config *config, struct laser_arch *arch);

/* Heads of the layers without a window: by the keys of published files or by per_layer_config, as
 * transformers writes it. */
void laser_read_full_heads(struct laser_config *config, const struct laser_family *family,
                           struct laser_arch *arch);

/* arch.c: the activation that a text of config.json names. */
enum laser_activation laser_read_activation(struct laser_config *config, const char *key,
                                            const char *otherwise);

/* Types whose default is a scaled rope: config.json must say which. */
void laser_finish_stated_rope(struct laser_config *config, struct laser_arch *arch);

/* DeBERTa-v2 without learned positions; with the newer head, with and without (family_tables.c). */
extern const struct laser_names laser_names_deberta[2][2];

/* Names of Falcon's layers where attention and MLP have norms of their own (family_tables.c). */
extern const struct laser_names laser_names_falcon_two_norms;

#endif

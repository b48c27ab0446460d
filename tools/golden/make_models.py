#!/usr/bin/env python3
"""Writes the small random models of tests/golden/model and the values that transformers computes on them.

usage: make_models.py OUTPUT_DIR [NAME...]

Every case is a directory with config.json, model.safetensors and golden.json:
  tokens  [B][T] token ids        nll   [B][T-1] -log p(token t+1 | tokens 0..t), float32 logits, float64 log-softmax
  rank    [B][T-1] how many tokens have a higher logit than the true one
  logits  [V] of the last position of the first window
A masked model's text has masks and paddings in it, and the file has
  targets [B][T-1] token ids       nll   [B][T-1] -log p(target t at position t | all tokens)
The weights are stored in the dtype of the case and widened to float32 for the forward pass.
The committed files were made with transformers 5.23.0 and torch 2.15.0 (CPU).
"""

import json
import os
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForMaskedLM

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

SMALL = dict(vocab_size=47, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=None)
BERT = dict(vocab_size=47, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=40, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1)
MASKED = ("roberta", "xlm-roberta", "camembert", "data2vec-text", "roberta-prelayernorm", "xlm-roberta-xl", "bert", "ernie",
          "megatron-bert", "distilbert", "modernbert", "electra", "albert", "deberta-v2")
GPT = dict(vocab_size=47, n_embd=24, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2)


def rope(kind, **more):
    return dict(rope_type=kind, rope_theta=more.pop("theta", 100.0), **more)


def case(model_type, dtype="bfloat16", base=SMALL, config=None, tensors=None, windows=(2, 29), stacked=False,
         **change):
    """config: edits config.json after saving; tensors: edits the dict of tensors; stacked: the experts of a layer are
    written as one tensor."""
    options = dict(base)
    options.update(change)
    return dict(model_type=model_type, dtype=dtype, options=options, config=config, tensors=tensors, windows=windows,
                stacked=stacked)


def legacy_rope(config):
    """The spelling before transformers 5: rope_theta, rope_scaling {type, factor}, torch_dtype."""
    r = config.pop("rope_parameters")
    config["rope_theta"] = r.pop("rope_theta")
    partial = r.pop("partial_rotary_factor", None)
    if partial is not None:
        config["partial_rotary_factor"] = partial
    r["type"] = r.pop("rope_type")
    config["rope_scaling"] = None if r["type"] == "default" else r
    config["torch_dtype"] = config.pop("dtype")


def legacy_neox(config):
    legacy_rope(config)
    config["rotary_emb_base"] = config.pop("rope_theta")
    config["rotary_pct"] = config.pop("partial_rotary_factor")
    del config["rope_scaling"]


def strip_prefix(tensors):
    return {name.removeprefix("transformer."): t for name, t in tensors.items() if name != "lm_head.weight"}


def head_only(tensors):
    """A tied checkpoint that holds the shared matrix under the head's name."""
    return {("lm_head.weight" if name == "model.embed_tokens.weight" else name): t for name, t in tensors.items()}


def as_on_the_hub(tensors):
    """What older checkpoints carry besides: a pooler, position numbers, the head's bias twice."""
    more = {"roberta.embeddings.position_ids": torch.arange(40)[None],
            "roberta.pooler.dense.weight": torch.zeros(24, 24), "roberta.pooler.dense.bias": torch.zeros(24),
            "lm_head.decoder.bias": tensors["lm_head.bias"].clone()}
    return {**tensors, **more}


def mixed(tensors):
    """Some weights wider than the others: the three parts of a fused product then differ in type."""
    return {name: t.float() if "k_proj" in name or "norm" in name else t for name, t in tensors.items()}


CASES = {
    "llama": case("llama", dtype="float32", rope_parameters=rope("default"), config=legacy_rope),
    "llama-llama3": case("llama", num_attention_heads=3, num_key_value_heads=3, head_dim=10, attention_bias=True,
                         mlp_bias=True, tie_word_embeddings=True, rope_parameters=rope(
                             "llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=32)),
    "llama-linear": case("llama", num_hidden_layers=1, num_key_value_heads=3, rope_parameters=rope(
        "linear", factor=2.5), config=legacy_rope, tensors=mixed),
    "llama-dynamic": case("llama", num_hidden_layers=1, max_position_embeddings=16, head_dim=8,
                          rope_parameters=rope("dynamic", factor=3.0), config=legacy_rope),
    "llama-yarn": case("llama", num_hidden_layers=1, head_dim=16, num_attention_heads=2, num_key_value_heads=1,
                       rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16,
                                            theta=10000.0)),
    "llama-yarn-mscale": case("llama", num_hidden_layers=1, head_dim=16, num_attention_heads=2,
                              num_key_value_heads=1, dtype="float16",
                              rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16,
                                                   theta=10000.0, mscale=0.7, mscale_all_dim=0.3, beta_fast=8,
                                                   beta_slow=2, truncate=False)),
    "mistral": case("mistral", hidden_size=20, num_attention_heads=5, num_key_value_heads=1, head_dim=8,
                    sliding_window=7, rms_norm_eps=1e-2, rope_parameters=rope("default")),
    "qwen2": case("qwen2", tie_word_embeddings=True, use_sliding_window=True, sliding_window=9,
                  max_window_layers=1, rope_parameters=rope("default"), tensors=head_only),
    "qwen3": case("qwen3", num_attention_heads=4, num_key_value_heads=2, head_dim=10, hidden_size=20,
                  tie_word_embeddings=True, attention_bias=True, rope_parameters=rope("default")),
    "mixtral": case("mixtral", num_local_experts=5, num_experts_per_tok=2, num_attention_heads=4, hidden_size=16,
                    intermediate_size=14, sliding_window=11, rope_parameters=rope("default")),
    "qwen2_moe": case("qwen2_moe", num_experts=5, num_experts_per_tok=3, num_hidden_layers=3, hidden_size=16,
                      num_attention_heads=4, num_key_value_heads=2, moe_intermediate_size=6, decoder_sparse_step=1,
                      shared_expert_intermediate_size=11, intermediate_size=18, mlp_only_layers=[1],
                      norm_topk_prob=False, rope_parameters=rope("default")),
    "qwen3_moe": case("qwen3_moe", num_experts=6, num_experts_per_tok=2, hidden_size=16, num_attention_heads=4,
                      num_key_value_heads=2, head_dim=6, moe_intermediate_size=7, decoder_sparse_step=2,
                      norm_topk_prob=True, rope_parameters=rope("default")),
    "phi": case("phi", num_key_value_heads=6, head_dim=None, hidden_size=48, num_hidden_layers=1,
                rope_parameters=rope("default", partial_rotary_factor=0.5), config=legacy_rope),
    "phi-qk": case("phi", num_key_value_heads=2, num_attention_heads=4, hidden_size=40, num_hidden_layers=1,
                   qk_layernorm=True, rope_parameters=rope("default", partial_rotary_factor=0.4)),
    "phi3": case("phi3", num_attention_heads=6, num_key_value_heads=3, sliding_window=13,
                 rope_parameters=rope("default", partial_rotary_factor=1.0)),
    "phi3-short": case("phi3", num_hidden_layers=1, original_max_position_embeddings=32,
                       rope_parameters=rope("longrope", short_factor=[1.1, 1.3], long_factor=[1.5, 4.0],
                                            partial_rotary_factor=1.0), config=legacy_rope),
    "phi3-long": case("phi3", num_hidden_layers=1, original_max_position_embeddings=16, num_attention_heads=3,
                      num_key_value_heads=1, tie_word_embeddings=True, rope_parameters=rope(
                          "longrope", short_factor=[1.1, 1.3, 1.7], long_factor=[1.5, 4.0, 6.5],
                          partial_rotary_factor=0.75)),
    "gemma": case("gemma", num_attention_heads=3, num_key_value_heads=1, head_dim=12,
                  rope_parameters=rope("default")),
    "gemma2": case("gemma2", num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=6,
                   query_pre_attn_scalar=5, attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
                   num_hidden_layers=3, intermediate_size=20, hidden_size=20, rope_parameters=rope("default")),
    "gpt2": case("gpt2", base=GPT, tensors=strip_prefix),
    "gpt2-options": case("gpt2", base=GPT, n_layer=3, n_inner=20, n_head=3, activation_function="relu",
                         scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False,
                         reorder_and_upcast_attn=True),
    "gptj": case("gptj", base=GPT, rotary_dim=4, n_head=3),
    "gpt_neox": case("gpt_neox", num_key_value_heads=None, num_attention_heads=3,
                     rope_parameters=rope("default", partial_rotary_factor=0.5), config=legacy_neox),
    "gpt_neox-serial": case("gpt_neox", num_key_value_heads=None, num_attention_heads=4, use_parallel_residual=False,
                            attention_bias=False, hidden_act="gelu_fast", tie_word_embeddings=True,
                            rope_parameters=rope("default", partial_rotary_factor=1.0)),
    "roberta": case("roberta", base=BERT),
    "xlm-roberta": case("xlm-roberta", base=BERT, type_vocab_size=2, pad_token_id=3, num_hidden_layers=1,
                        num_attention_heads=3, hidden_act="relu", tie_word_embeddings=False, dtype="float32",
                        tensors=as_on_the_hub),
    "mixtral-stacked": case("mixtral", num_local_experts=3, num_experts_per_tok=2, num_attention_heads=4,
                            hidden_size=16, intermediate_size=130, num_hidden_layers=1, stacked=True,
                            rope_parameters=rope("default")),
    "qwen2_moe-stacked": case("qwen2_moe", num_experts=5, num_experts_per_tok=2, hidden_size=16,
                              num_attention_heads=4, moe_intermediate_size=6, stacked=True,
                              shared_expert_intermediate_size=11, mlp_only_layers=[1], rope_parameters=rope("default")),
    "qwen3_moe-stacked": case("qwen3_moe", num_experts=4, num_experts_per_tok=2, hidden_size=16,
                              num_attention_heads=4, head_dim=6, moe_intermediate_size=40, num_hidden_layers=1,
                              stacked=True, norm_topk_prob=True, rope_parameters=rope("default")),
}

# Types that came later, each with the flags of its family's flagship.
PLAIN = rope("default")
LLAMA3 = rope("llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
EXPERTS = dict(num_attention_heads=4, hidden_size=16, moe_intermediate_size=6, rope_parameters=PLAIN)
V3 = dict(EXPERTS, n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=1, n_group=4, topk_group=2,
          routed_scaling_factor=2.5, norm_topk_prob=True, first_k_dense_replace=1)
LATENT = dict(num_attention_heads=4, num_key_value_heads=4, hidden_size=24, kv_lora_rank=10, q_lora_rank=12,
              qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=5)
FEW = dict(num_local_experts=4, num_experts_per_tok=2, intermediate_size=10, hidden_size=16, num_attention_heads=4,
           rope_parameters=PLAIN)
GRANITE = dict(embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.3, logits_scaling=2.0)
OLD = dict(vocab_size=47, bos_token_id=1, eos_token_id=2)
TWO = dict(sliding_attention=rope("default", theta=50.0), full_attention=rope("linear", theta=400.0, factor=2.0))
CASES.update({
    "arcee": case("arcee", rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16)),
    "cwm": case("cwm", num_hidden_layers=3, head_dim=6, sliding_window=7, rope_parameters=LLAMA3,
                layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
    "cohere": case("cohere", logit_scale=0.25, use_qk_norm=True, rope_parameters=PLAIN),
    "cohere2": case("cohere2", num_hidden_layers=4, logit_scale=0.25, sliding_window=7, rope_parameters=PLAIN),
    "ernie4_5": case("ernie4_5", head_dim=8, rope_parameters=PLAIN),
    "exaone": case("exaone", rope_parameters=LLAMA3),
    "exaone4": case("exaone4", num_hidden_layers=4, sliding_window=7, num_key_value_heads=2, rope_parameters=LLAMA3),
    "glm": case("glm", head_dim=8, attention_bias=True,
                rope_parameters=rope("default", partial_rotary_factor=0.5)),
    "glm4": case("glm4", head_dim=8, rope_parameters=rope("default", partial_rotary_factor=0.5)),
    "granite": case("granite", tie_word_embeddings=True, rope_parameters=PLAIN, **GRANITE),
    "granite_swa": case("granite_swa", num_hidden_layers=4, sliding_window=7, rope_parameters=PLAIN,
                        layer_rope_theta=[100.0, 30.0, 0, 30.0], **GRANITE),
    "helium": case("helium", head_dim=4, rope_parameters=PLAIN),
    "hunyuan_v1_dense": case("hunyuan_v1_dense", head_dim=8, rope_parameters=rope("dynamic", factor=1.0, alpha=50.0)),
    "hyperclovax": case("hyperclovax", rope_parameters=PLAIN, **dict(GRANITE, attention_multiplier=0.4)),
    "internlm3": case("internlm3", head_dim=6, rope_parameters=rope("dynamic", factor=6.0)),
    "iquestcoder": case("iquestcoder", head_dim=6, rope_parameters=PLAIN),
    "jais2": case("jais2", rope_parameters=PLAIN),
    "ministral": case("ministral", head_dim=6, sliding_window=7, num_hidden_layers=3, rope_parameters=PLAIN,
                      layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
    "ministral3": case("ministral3", head_dim=8, rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0,
        llama_4_scaling_beta=0.3)),
    "nanochat": case("nanochat", rope_parameters=PLAIN, final_logit_softcapping=3.0),
    "nemotron": case("nemotron", head_dim=8, rope_parameters=rope("default", partial_rotary_factor=0.5)),
    "olmo": case("olmo", clip_qkv=1.5, rope_parameters=PLAIN),
    "olmo2": case("olmo2", rope_parameters=PLAIN),
    "olmo3": case("olmo3", num_hidden_layers=4, sliding_window=7, rope_parameters=dict(
        sliding_attention=rope("default"),
        full_attention=rope("yarn", factor=4.0, original_max_position_embeddings=16, attention_factor=1.2))),
    "persimmon": case("persimmon", num_key_value_heads=None, num_attention_heads=3,
                      rope_parameters=rope("default", partial_rotary_factor=0.5)),
    "seed_oss": case("seed_oss", head_dim=6, rope_parameters=PLAIN),
    "smollm3": case("smollm3", num_hidden_layers=4, rope_parameters=PLAIN),
    "stablelm": case("stablelm", num_attention_heads=3, num_key_value_heads=3, use_qkv_bias=True,
                     rope_parameters=rope("default", partial_rotary_factor=0.25)),
    "stablelm-12b": case("stablelm", num_attention_heads=3, num_key_value_heads=1, qk_layernorm=True,
                         use_parallel_residual=True, rope_parameters=rope("default", partial_rotary_factor=0.25)),
    "starcoder2": case("starcoder2", sliding_window=7, rope_parameters=PLAIN),
    "vaultgemma": case("vaultgemma", num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=6,
                       query_pre_attn_scalar=5, hidden_size=20, rope_parameters=PLAIN),
    "apertus": case("apertus", num_attention_heads=3, num_key_value_heads=1, dtype="float32", rope_parameters=LLAMA3),
    # experts
    "granitemoe": case("granitemoe", **FEW, **GRANITE),
    "granitemoeshared": case("granitemoeshared", shared_intermediate_size=10, **FEW, **GRANITE),
    "granitemoe_swa": case("granitemoe_swa", num_hidden_layers=3, shared_intermediate_size=10, sliding_window=7, **FEW,
                           **GRANITE),
    "olmoe": case("olmoe", num_experts=5, num_experts_per_tok=2, intermediate_size=8, hidden_size=16,
                  num_attention_heads=4, rope_parameters=PLAIN),
    "flex_olmo": case("flex_olmo", num_experts=5, num_experts_per_tok=2, intermediate_size=8, hidden_size=16,
                      num_attention_heads=4, rope_parameters=PLAIN),
    "dots1": case("dots1", **V3),
    "ernie4_5_moe": case("ernie4_5_moe", moe_num_experts=5, moe_k=2, moe_num_shared_experts=2, num_hidden_layers=3,
                         **EXPERTS),
    "glm4_moe": case("glm4_moe", head_dim=8, use_qk_norm=True, attention_bias=True, **dict(
        V3, rope_parameters=rope("default", partial_rotary_factor=0.5))),
    "hunyuan_v1_moe": case("hunyuan_v1_moe", head_dim=8, num_experts=4, moe_topk=2, num_attention_heads=3,
                           num_key_value_heads=1, intermediate_size=10, rope_parameters=PLAIN),
    "minimax_m2": case("minimax_m2", head_dim=8, num_local_experts=5, num_experts_per_tok=2, intermediate_size=8,
                       hidden_size=16, num_attention_heads=4, rotary_dim=4,
                       rope_parameters=rope("default", partial_rotary_factor=0.5)),
    "phimoe": case("phimoe", num_local_experts=5, num_experts_per_tok=2, intermediate_size=8, attention_bias=True,
                   lm_head_bias=True, router_jitter_noise=0.2, sliding_window=9, original_max_position_embeddings=16,
                   rope_parameters=rope("longrope", short_factor=[1.1, 1.3], long_factor=[1.5, 4.0],
                                        short_mscale=1.1, long_mscale=1.3, original_max_position_embeddings=16)),
    "solar_open": case("solar_open", head_dim=6, **{k: v for k, v in V3.items() if k != "first_k_dense_replace"}),
    "exaone_moe": case("exaone_moe", num_experts=4, num_experts_per_tok=2, num_shared_experts=1, sliding_window=7,
                       num_hidden_layers=4, **EXPERTS),
    "hy_v3": case("hy_v3", num_experts=5, num_experts_per_tok=2, num_shared_experts=1, head_dim=6, **EXPERTS),
    "kolibri1": case("kolibri1", num_experts=3, num_experts_per_tok=2, shared_expert_intermediate_size=7, head_dim=6,
                     sliding_window=7, num_hidden_layers=5, **EXPERTS),
    "flint": case("flint", num_experts=5, num_experts_per_tok=2, shared_expert_intermediate_size=7, head_dim=6,
                  sliding_window=7, num_hidden_layers=4, **EXPERTS),
    "mellum": case("mellum", num_experts=5, num_experts_per_tok=2, head_dim=6, sliding_window=7, num_mtp_layers=None,
                   layer_types=["sliding_attention", "full_attention"], **dict(EXPERTS, rope_parameters=TWO)),
    # two rotary bases
    "gemma3_text": case("gemma3_text", num_attention_heads=2, num_key_value_heads=1, head_dim=8, sliding_window=6,
                        query_pre_attn_scalar=5, num_hidden_layers=6, hidden_size=16, rope_parameters=TWO),
    # sinks, chunks
    "gpt_oss": case("gpt_oss", head_dim=6, num_local_experts=4, num_experts_per_tok=2, intermediate_size=10,
                    sliding_window=7, swiglu_limit=1.5, rope_parameters=rope(
                        "yarn", factor=4.0, original_max_position_embeddings=16, truncate=False)),
    "llama4_text": case("llama4_text", head_dim=8, num_local_experts=4, num_experts_per_tok=1, num_hidden_layers=4,
                        intermediate_size=8, intermediate_size_mlp=12, interleave_moe_layer_step=2,
                        attention_chunk_size=8, floor_scale=8, hidden_size=16, num_attention_heads=4,
                        rope_parameters=LLAMA3),
    # learned positions, ALiBi, and the older rotary ones
    "opt": case("opt", base=OLD, hidden_size=24, ffn_dim=20, num_hidden_layers=2, num_attention_heads=3,
                max_position_embeddings=40, word_embed_proj_dim=24, pad_token_id=1),
    "bloom": case("bloom", base=OLD, hidden_size=24, n_layer=2, n_head=6),
    "falcon-7b": case("falcon", base=OLD, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                      multi_query=True, parallel_attn=True, bias=False, rope_parameters=PLAIN),
    "falcon-40b": case("falcon", base=OLD, hidden_size=24, num_hidden_layers=2, num_attention_heads=6,
                       num_kv_heads=2, new_decoder_architecture=True, rope_parameters=PLAIN),
    "falcon-11b": case("falcon", base=OLD, hidden_size=24, num_hidden_layers=1, num_attention_heads=6,
                       num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=1, rope_parameters=PLAIN),
    "falcon-serial": case("falcon", base=OLD, hidden_size=24, num_hidden_layers=1, num_attention_heads=3,
                          multi_query=False, parallel_attn=False, bias=True, rope_parameters=PLAIN),
    "mpt": case("mpt", base=OLD, d_model=24, n_layers=2, n_heads=6, max_seq_len=32,
                attn_config=dict(clip_qkv=1.5, alibi=True)),
    "gpt_bigcode": case("gpt_bigcode", base=GPT, n_head=3),
    "gpt_bigcode-heads": case("gpt_bigcode", base=GPT, n_head=3, n_layer=1, multi_query=False),
    "gpt_neo": case("gpt_neo", base=OLD, hidden_size=24, num_layers=2, num_heads=3, max_position_embeddings=40,
                    window_size=7, attention_types=[[["global", "local"], 1]]),
    "codegen": case("codegen", base=GPT, n_head=4, rotary_dim=4),
    "gpt_neox_japanese": case("gpt_neox_japanese", base=OLD, hidden_size=24, num_hidden_layers=2,
                              num_attention_heads=3, intermediate_multiple_size=2, max_position_embeddings=40,
                              rope_parameters=PLAIN),
    "gpt-sw3": case("gpt-sw3", base=GPT, n_head=3),
    # latent attention
    "deepseek_v2": case("deepseek_v2", **dict(V3, **LATENT, topk_method="group_limited_greedy", rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=0.7))),
    "deepseek_v2-lite": case("deepseek_v2", **dict(V3, **dict(LATENT, q_lora_rank=None), num_hidden_layers=1,
                                                   first_k_dense_replace=0, topk_method="greedy")),
    "deepseek_v3": case("deepseek_v3", **dict(V3, **LATENT, rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0))),
    "youtu": case("youtu", rope_parameters=PLAIN, **LATENT),
    "minicpm3": case("minicpm3", rope_parameters=PLAIN, scale_emb=3, dim_model_base=8, tie_word_embeddings=False,
                     **LATENT),
    "glm4_moe_lite": case("glm4_moe_lite", **dict(V3, **LATENT)),
})

DELTA = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=8, hidden_size=16, linear_num_key_heads=2,
             linear_num_value_heads=4, linear_key_head_dim=5, linear_value_head_dim=6, num_hidden_layers=2,
             layer_types=["linear_attention", "full_attention"], rope_parameters=rope("default", partial_rotary_factor=0.25))
DELTA_EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=6, shared_expert_intermediate_size=7)
MROPE = rope("default", partial_rotary_factor=0.5, mrope_section=[1, 1, 0])
CASES.update({
    "qwen3_next": case("qwen3_next", **DELTA, **DELTA_EXPERTS),
    "qwen3_5_text": case("qwen3_5_text", **dict(DELTA, num_hidden_layers=3, layer_types=None,
                                                full_attention_interval=3, rope_parameters=MROPE)),
    "qwen3_5_moe_text": case("qwen3_5_moe_text", **dict(DELTA, rope_parameters=MROPE), **DELTA_EXPERTS),
})

CASES.update({
    "gemma4_text": case("gemma4_text", num_attention_heads=4, num_key_value_heads=2, head_dim=4, global_head_dim=8,
                        num_global_key_value_heads=1, attention_k_eq_v=True, hidden_size_per_layer_input=0,
                        sliding_window=6, num_hidden_layers=3, hidden_size=16, final_logit_softcapping=3.0,
                        layer_types=["sliding_attention", "full_attention", "full_attention"], rope_parameters=dict(
        sliding_attention=rope("default", theta=50.0),
        full_attention=rope("proportional", theta=400.0, partial_rotary_factor=0.5))),
    "sarvam_mla": case("sarvam_mla", **dict(V3, **dict(LATENT, q_lora_rank=None), rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0))),
    "sarvam_moe": case("sarvam_moe", head_dim=8, **V3),
    "axk1": case("axk1", **dict({k: v for k, v in V3.items() if k != "first_k_dense_replace"}, **LATENT)),
    "afmoe": case("afmoe", head_dim=8, num_experts=5, num_experts_per_tok=2, num_shared_experts=2, num_dense_layers=1,
                  num_hidden_layers=3, global_attn_every_n_layers=3, sliding_window=7, mup_enabled=True, route_scale=1.5,
                  **EXPERTS),
    "aria_text": case("aria_text", moe_num_experts=4, moe_topk=2, moe_num_shared_experts=2, intermediate_size=6,
                      hidden_size=16, num_attention_heads=4, rope_parameters=PLAIN),
    "openai-gpt": case("openai-gpt", base=GPT, n_head=3),
})

# Language models inside of wrappers; the other parts are as small as they can be.
SIGLIP = dict(model_type="siglip_vision_model", hidden_size=4, intermediate_size=4, num_hidden_layers=1,
              num_attention_heads=1, image_size=8, patch_size=4)
TEXT = dict(SMALL, num_hidden_layers=1, rope_parameters=PLAIN)
MODERN = dict(vocab_size=47, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
              max_position_embeddings=40, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
              rope_parameters=dict(sliding_attention=rope("default", theta=50.0),
                                   full_attention=rope("default", theta=400.0)))


def gamma_and_beta(tensors):
    """As the first checkpoints of BERT have them, with the head for the next sentence."""
    named = {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
             for n, t in tensors.items()}
    return {**named, "cls.seq_relationship.weight": torch.zeros(2, 24), "cls.seq_relationship.bias": torch.zeros(2),
            "bert.pooler.dense.weight": torch.zeros(24, 24), "bert.pooler.dense.bias": torch.zeros(24)}


CASES.update({
    "camembert": case("camembert", base=BERT, num_hidden_layers=1),
    "data2vec-text": case("data2vec-text", base=BERT, num_hidden_layers=1),
    "roberta-prelayernorm": case("roberta-prelayernorm", base=BERT),
    "xlm-roberta-xl": case("xlm-roberta-xl", base=BERT),
    "bert": case("bert", base=BERT, type_vocab_size=2, pad_token_id=0, hidden_act="gelu_new", tensors=gamma_and_beta),
    "ernie": case("ernie", base=BERT, type_vocab_size=3, pad_token_id=0, hidden_act="relu", num_hidden_layers=1),
    "megatron-bert": case("megatron-bert", base=BERT, type_vocab_size=2, pad_token_id=0),
    "distilbert": case("distilbert", base=dict(
        vocab_size=47, dim=24, hidden_dim=28, n_layers=2, n_heads=4, max_position_embeddings=40, pad_token_id=0)),
    "electra": case("electra", base=BERT, pad_token_id=0, embedding_size=32, type_vocab_size=2),
    "electra-same": case("electra", base=BERT, pad_token_id=0, embedding_size=24, hidden_act="relu", num_hidden_layers=1),
    "modernbert": case("modernbert", base=MODERN, num_hidden_layers=3, local_attention=8),
    "modernbert-decoder": case("modernbert-decoder", base=MODERN, norm_bias=True, attention_bias=True, mlp_bias=True,
                               classifier_bias=True, local_attention=14, classifier_activation="silu"),
    "biogpt": case("biogpt", base=BERT, pad_token_id=None),
})

SECTIONS = rope("default", mrope_section=[1, 1, 0])
CASES.update({
    "gemma3": case("gemma3", base={}, vision_config=SIGLIP, mm_tokens_per_image=1, image_token_index=46,
                   boi_token_index=45, eoi_token_index=44, text_config=dict(
        SMALL, model_type="gemma3_text", num_attention_heads=2, num_key_value_heads=1, head_dim=8, sliding_window=6,
        query_pre_attn_scalar=5, num_hidden_layers=2, hidden_size=16, rope_parameters=TWO,
        layer_types=["sliding_attention", "full_attention"])),
    "gemma4": case("gemma4", base={}, vision_config=None, audio_config=None, image_token_id=1000, text_config=dict(
        dict(SMALL, pad_token_id=0), num_attention_heads=2, num_key_value_heads=1, head_dim=4, global_head_dim=8, attention_k_eq_v=False,
        hidden_size_per_layer_input=0, sliding_window=6, num_hidden_layers=2, hidden_size=16,
        layer_types=["sliding_attention", "full_attention"], rope_parameters=dict(
            sliding_attention=rope("default", theta=50.0),
            full_attention=rope("proportional", theta=400.0, partial_rotary_factor=0.25)))),
    "mistral3": case("mistral3", base={}, image_token_index=46, tie_word_embeddings=False,
                     vision_config=dict(model_type="pixtral", hidden_size=4, intermediate_size=4, num_hidden_layers=1,
                                        num_attention_heads=1, image_size=8, patch_size=4, head_dim=4),
                     text_config=dict(TEXT, model_type="mistral", head_dim=6)),
    "llava": case("llava", base={}, vision_config=dict(SIGLIP, model_type="clip_vision_model"), image_token_index=46,
                  text_config=dict(TEXT, model_type="llama")),
    "llama4": case("llama4", base={}, image_token_index=46, boi_token_index=45, eoi_token_index=44, vision_config=dict(
        hidden_size=4, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4,
        projector_input_dim=4, projector_output_dim=4, vision_output_dim=4),
        text_config=dict(CASES["llama4_text"]["options"], num_hidden_layers=2)),
    "qwen2_5_vl": case("qwen2_5_vl", base={}, image_token_id=46, video_token_id=45, vision_start_token_id=44,
                       vision_end_token_id=43, vision_config=dict(depth=1, hidden_size=4, intermediate_size=4,
                                                                  num_heads=1, out_hidden_size=24, patch_size=4),
                       text_config=dict(TEXT, rope_parameters=SECTIONS)),
    "qwen3_5": case("qwen3_5", base={}, image_token_id=46, video_token_id=45, vision_start_token_id=44,
                    vision_end_token_id=43, vision_config=dict(depth=1, hidden_size=4, intermediate_size=4, num_heads=1,
                                                               out_hidden_size=16, patch_size=4, num_position_embeddings=4),
                    text_config=dict(SMALL, **dict(DELTA, rope_parameters=MROPE))),
    "qwen3_5_moe": case("qwen3_5_moe", base={}, image_token_id=46, video_token_id=45, vision_start_token_id=44,
                        vision_end_token_id=43, vision_config=dict(
        depth=1, hidden_size=4, intermediate_size=4, num_heads=1, out_hidden_size=16, patch_size=4, num_position_embeddings=4),
        text_config=dict(SMALL, **dict(DELTA, rope_parameters=MROPE, num_hidden_layers=1, layer_types=["linear_attention"]),
                         **DELTA_EXPERTS)),
    "qwen3_vl": case("qwen3_vl", base={}, image_token_id=46, video_token_id=45, vision_start_token_id=44,
                     vision_end_token_id=43, vision_config=dict(depth=1, hidden_size=4, intermediate_size=4, num_heads=1,
                                                                out_hidden_size=24, patch_size=4, deepstack_visual_indexes=[],
                                                                num_position_embeddings=4),
                     text_config=dict(TEXT, head_dim=8, rope_parameters=rope("default", mrope_section=[2, 1, 1]))),
})


# State spaces, linear attention and short convolutions, alone or beside attention.
MAMBA = dict(SMALL, hidden_size=16, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=3)
MAMBA2 = dict(mamba_n_heads=8, mamba_d_head=4, mamba_n_groups=2, mamba_d_state=6, mamba_d_conv=4, mamba_expand=2, mamba_chunk_size=8)
MIXED = dict(layer_types=["linear_attention", "full_attention", "linear_attention"])
MAMBA_KEYS = dict(vocab_size=47, hidden_size=16, state_size=5, num_hidden_layers=2, expand=2, conv_kernel=4, bos_token_id=1,
                  eos_token_id=2, pad_token_id=None)


def listed_as_pattern(config):
    """As the first checkpoints of nemotron_h have it: a letter for each layer."""
    letters = dict(linear_attention="M", moe="E", full_attention="*", mlp="-")
    config["hybrid_override_pattern"] = "".join(letters[t] for t in config.pop("layers_block_type"))


CASES.update({
    "mamba2": case("mamba2", base=MAMBA_KEYS, num_heads=8, head_dim=4, n_groups=2, chunk_size=8, time_step_limit=[0.0, 2.0]),
    "mamba2-biased": case("mamba2", base=MAMBA_KEYS, num_heads=4, head_dim=8, n_groups=1, chunk_size=8, use_bias=True,
                          tie_word_embeddings=True, num_hidden_layers=1),
    "bamba": case("bamba", base=MAMBA, attn_layer_indices=[1], rope_parameters=PLAIN, **MAMBA2),
    "granitemoehybrid": case("granitemoehybrid", base=MAMBA, **MIXED, **dict(MAMBA2, mamba_n_groups=1), num_local_experts=5,
                             num_experts_per_tok=2, shared_intermediate_size=10, intermediate_size=7,
                             position_embedding_type="nope", **GRANITE),
    "granitemoehybrid-dense": case("granitemoehybrid", base=MAMBA, layer_types=["full_attention", "linear_attention"],
                                   num_hidden_layers=2, **MAMBA2, num_local_experts=0, num_experts_per_tok=0,
                                   shared_intermediate_size=20, position_embedding_type="rope", tie_word_embeddings=True,
                                   rope_parameters=PLAIN, mamba_proj_bias=True, **GRANITE),
    "falcon_h1": case("falcon_h1", base=MAMBA, num_hidden_layers=2, rope_parameters=PLAIN, head_dim=6, mamba_d_ssm=24,
                      mamba_n_heads=6, mamba_d_head=4, mamba_n_groups=1, mamba_d_state=6, mamba_chunk_size=8,
                      mamba_rms_norm=False, mamba_norm_before_gate=False, lm_head_multiplier=0.7, embedding_multiplier=1.4,
                      mlp_multipliers=[0.9, 0.6], key_multiplier=0.8, attention_out_multiplier=0.75,
                      attention_in_multiplier=1.2, ssm_multipliers=[0.7, 0.6, 0.8, 1.1, 0.9], ssm_in_multiplier=1.25,
                      ssm_out_multiplier=0.5),
    "falcon_h1-norm": case("falcon_h1", base=MAMBA, num_hidden_layers=1, rope_parameters=PLAIN, mamba_d_ssm=24,
                           mamba_n_heads=6, mamba_d_head=4, mamba_n_groups=2, mamba_d_state=6, mamba_chunk_size=8,
                           mamba_rms_norm=True, mamba_norm_before_gate=True, projectors_bias=True, mamba_proj_bias=True,
                           attention_bias=True, mlp_bias=True),
    "nemotron_h": case("nemotron_h", base=MAMBA, num_hidden_layers=None, head_dim=6, layers_block_type=[
        "linear_attention", "mlp", "full_attention", "moe"], mamba_num_heads=6, mamba_head_dim=4, n_groups=2,
        ssm_state_size=6, chunk_size=8, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=6,
        moe_shared_expert_intermediate_size=7, routed_scaling_factor=2.5),
    "nemotron_h-latent": case("nemotron_h", base=MAMBA, num_hidden_layers=None, head_dim=6, layers_block_type=[
        "moe", "linear_attention"], mamba_num_heads=6, mamba_head_dim=4, n_groups=1, ssm_state_size=6, chunk_size=8,
        n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=6, moe_shared_expert_intermediate_size=7,
        moe_latent_size=10, config=listed_as_pattern),
    "mamba": case("mamba", base=MAMBA_KEYS, time_step_rank=3),
    "falcon_mamba": case("falcon_mamba", base=MAMBA_KEYS, time_step_rank=3, use_bias=True, tie_word_embeddings=False),
    "jamba": case("jamba", base=dict(MAMBA, num_hidden_layers=4), attn_layer_period=4, attn_layer_offset=2, num_experts=4,
                  num_experts_per_tok=2, expert_layer_period=2, expert_layer_offset=1, mamba_d_state=5, mamba_dt_rank=3),
    "lfm2": case("lfm2", base=MAMBA, layer_types=["conv", "full_attention", "conv"], rope_parameters=PLAIN,
                 block_multiple_of=8, block_ffn_dim_multiplier=1.2, intermediate_size=30),
    "lfm2_moe": case("lfm2_moe", base=MAMBA, layer_types=["conv", "full_attention", "conv"], rope_parameters=PLAIN,
                     num_dense_layers=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=6,
                     routed_scaling_factor=1.5, conv_bias=True, tie_word_embeddings=False),
    "minimax": case("minimax", dtype="float32", base=MAMBA, **MIXED, num_local_experts=4, num_experts_per_tok=2, head_dim=8, block_size=8,
                    intermediate_size=6, full_attn_alpha_factor=1.3, full_attn_beta_factor=0.8, linear_attn_alpha_factor=1.2,
                    linear_attn_beta_factor=0.7, mlp_alpha_factor=1.4, mlp_beta_factor=0.9, rope_parameters=rope(
                        "default", partial_rotary_factor=0.5)),
    # the decays are stored with the weights, and rounded
    "minimax-rounded": case("minimax", base=MAMBA, layer_types=["linear_attention"], num_hidden_layers=1, block_size=8,
                            num_local_experts=4, num_experts_per_tok=2, intermediate_size=6),
})


# More wrappers; each has its text model as published.
CLIP = dict(SIGLIP, model_type="clip_vision_model")


def text(model_type, **more):
    return dict(TEXT, model_type=model_type, **more)


def kimi_names(tensors):
    """transformers 5.24 writes the layers of the language model as `blocks`, which it cannot read."""
    return {n.replace("language_model.model.blocks.", "language_model.model.layers."): t for n, t in tensors.items()}


def turned_stacks(tensors):
    """As published: experts [E, in, out]."""
    return {n: t.transpose(1, 2).contiguous() if ".experts." in n else t for n, t in tensors.items()}


CASES.update({
    "aria": case("aria", base={}, vision_config=dict(SIGLIP,model_type="idefics3_vision"),projector_patch_to_query_dict={4:1},text_config=dict(CASES["aria_text"]["options"],model_type="aria_text",num_hidden_layers=1)),
    "aya_vision": case("aya_vision", base={}, vision_config=SIGLIP,text_config=text("cohere2",sliding_window=6),image_token_index=46,adapter_layer_norm_eps=1e-6),
    "cohere2_vision": case("cohere2_vision", base={}, vision_config=SIGLIP,text_config=text("cohere2",sliding_window=6),image_token_id=46,alignment_intermediate_size=8),
    "deepseek_vl": case("deepseek_vl", base={}, vision_config=SIGLIP,text_config=text("llama"),image_token_id=46),
    "deepseek_vl_hybrid": case("deepseek_vl_hybrid", base={}, vision_config=SIGLIP,high_res_vision_config=dict(model_type="sam_vision_model",hidden_size=4,num_hidden_layers=1,num_attention_heads=1,image_size=16,patch_size=4,output_channels=4,mlp_dim=4,global_attn_indexes=[0],num_pos_feats=2,window_size=2),text_config=text("llama"),image_token_id=46),
    "exaone4_5": case("exaone4_5", base={}, vision_config=dict(depth=1,hidden_size=4,intermediate_size=4,num_heads=1,out_hidden_size=24,patch_size=4),text_config=text("exaone4",sliding_window=6),image_token_id=46),
    "got_ocr2": case("got_ocr2", base={}, vision_config=dict(hidden_size=4,output_channels=4,num_hidden_layers=1,num_attention_heads=1,image_size=16,patch_size=4,mlp_dim=4,global_attn_indexes=[0],window_size=2),text_config=text("qwen2"),image_token_index=46),
    "hyperclovax_vision_v2": case("hyperclovax_vision_v2", base={}, vision_config=dict(depth=1,hidden_size=4,intermediate_size=4,num_heads=1,out_hidden_size=24,patch_size=4),text_config=text("hyperclovax")),
    "idefics2": case("idefics2", base={}, vision_config=dict(SIGLIP,model_type="idefics2_vision"),perceiver_config=dict(hidden_size=24,resampler_n_latents=1,resampler_depth=1,resampler_n_heads=1,resampler_head_dim=4,num_key_value_heads=1),text_config=text("mistral"),image_token_id=46),
    "idefics3": case("idefics3", base={}, vision_config=dict(SIGLIP,model_type="idefics3_vision"),text_config=text("llama"),image_token_id=46,scale_factor=1),
    "smolvlm": case("smolvlm", base={}, vision_config=dict(SIGLIP,model_type="smolvlm_vision"),text_config=text("llama"),image_token_id=46,scale_factor=1),
    "internvl": case("internvl", base={}, vision_config=dict(hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,image_size=[8,8],patch_size=[4,4]),text_config=text("qwen3",head_dim=6),image_token_id=46),
    "kimi_k25": case("kimi_k25", base={}, vision_config=dict(hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,patch_size=4,pos_emb_height=2,pos_emb_width=2,pos_emb_time=1),text_config=dict(CASES["deepseek_v3"]["options"],model_type="deepseek_v3",num_hidden_layers=1),image_token_id=1000, tensors=kimi_names),
    "lfm2_vl": case("lfm2_vl", base={}, vision_config=dict(model_type="siglip2_vision_model",hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,patch_size=2,num_patches=4),text_config=dict(CASES["lfm2"]["options"],model_type="lfm2"),image_token_id=46,projector_hidden_size=4,downsample_factor=1),
    "lighton_ocr": case("lighton_ocr", base={}, vision_config=dict(model_type="pixtral",hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,image_size=8,patch_size=4,head_dim=4),text_config=text("qwen3",head_dim=6),image_token_id=46),
    "llava_next": case("llava_next", base={}, vision_config=CLIP,image_token_index=46,text_config=text("mistral",head_dim=6)),
    "llava_next_video": case("llava_next_video", base={}, vision_config=CLIP,image_token_index=46,video_token_index=45,text_config=text("llama")),
    "llava_onevision": case("llava_onevision", base={}, vision_config=SIGLIP,image_token_index=46,video_token_index=45,text_config=text("qwen2")),
    "vipllava": case("vipllava", base={}, vision_config=CLIP,image_token_index=46,text_config=text("llama"),vision_feature_layers=[-1]),
    "video_llava": case("video_llava", base={}, vision_config=CLIP,image_token_index=46,video_token_index=45,text_config=text("llama")),
    "qwen2_vl": case("qwen2_vl", base={}, image_token_id=46,video_token_id=45,vision_start_token_id=44,vision_end_token_id=43,vision_config=dict(depth=1,embed_dim=4,hidden_size=24,num_heads=1,mlp_ratio=1,patch_size=4),text_config=dict(TEXT,rope_parameters=SECTIONS)),
    "qwen3_vl_moe": case("qwen3_vl_moe", base={}, image_token_id=46,video_token_id=45,vision_start_token_id=44,vision_end_token_id=43,vision_config=dict(depth=1,hidden_size=4,intermediate_size=4,num_heads=1,out_hidden_size=24,patch_size=4,deepstack_visual_indexes=[],num_position_embeddings=4),text_config=dict(TEXT,head_dim=8,num_experts=4,num_experts_per_tok=2,moe_intermediate_size=6,rope_parameters=rope("default",mrope_section=[2,1,1])), tensors=turned_stacks),
    "qwen3_vl_moe-plain": case("qwen3_vl_moe", base={}, image_token_id=46,video_token_id=45,vision_start_token_id=44,vision_end_token_id=43,vision_config=dict(depth=1,hidden_size=4,intermediate_size=4,num_heads=1,out_hidden_size=24,patch_size=4,deepstack_visual_indexes=[],num_position_embeddings=4),text_config=dict(TEXT,head_dim=8,num_experts=4,num_experts_per_tok=2,moe_intermediate_size=6,rope_parameters=rope("default",mrope_section=[2,1,1]))),
    "video_llama_3": case("video_llama_3", base={}, vision_config=dict(hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,patch_size=4),text_config=text("qwen2"),image_token_id=46,video_token_id=45),
    "ovis2": case("ovis2", base={}, vision_config=dict(hidden_size=4,intermediate_size=4,num_hidden_layers=1,num_attention_heads=1,image_size=8,patch_size=4,vocab_size=6,num_visual_indicator_tokens=5),text_config=text("qwen2"),image_token_id=46,visual_indicator_token_ids=[41,42,43,44,45],hidden_size=24,vocab_size=47),
    "minicpmv4_6": case("minicpmv4_6", base={}, vision_config=SIGLIP,text_config=dict(SMALL,**dict(DELTA,rope_parameters=MROPE),model_type="qwen3_5_text"),image_token_id=46),
})

CASES.update({
    # an indexer chooses what is seen of texts longer than index_topk; these are not
    "deepseek_v32": case("deepseek_v32", **dict(V3, **LATENT, index_topk=29, index_head_dim=6, index_n_heads=2,
                                                mlp_layer_types=["dense", "sparse"])),
    "glm_moe_dsa": case("glm_moe_dsa", **dict(V3, **LATENT, index_topk=64, index_head_dim=6, index_n_heads=2,
                                              mlp_layer_types=["dense", "sparse"], num_hidden_layers=2)),
})


def with_head_of_pretraining(tensors):
    return {**tensors, "albert.pooler.weight": torch.zeros(24, 24), "albert.pooler.bias": torch.zeros(24),
            "sop_classifier.classifier.weight": torch.zeros(2, 24), "sop_classifier.classifier.bias": torch.zeros(2)}


ALBERT = dict(BERT, type_vocab_size=2, pad_token_id=0)
CASES.update({
    "albert": case("albert", base=ALBERT, embedding_size=16, num_hidden_layers=5, num_hidden_groups=2, inner_group_num=2,
                   tensors=with_head_of_pretraining),
    "albert-same": case("albert", base=ALBERT, embedding_size=24, num_hidden_layers=3, hidden_act="gelu"),
})

DEBERTA = dict(vocab_size=47, hidden_size=24, intermediate_size=28, num_hidden_layers=2, num_attention_heads=4,
               max_position_embeddings=40, type_vocab_size=0, pad_token_id=0, relative_attention=True)
V3_LIKE = dict(pos_att_type=["p2c", "c2p"], share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False)
CASES.update({
    # as deberta-v3; most distances are in buckets of several
    "deberta-v2": case("deberta-v2", base=DEBERTA, position_buckets=6, **V3_LIKE),
    # as deberta-v2-xlarge, with the convolution
    "deberta-v2-conv": case("deberta-v2", base=DEBERTA, position_buckets=8, **V3_LIKE, conv_kernel_size=3, conv_act="gelu",
                            legacy=False),
    "deberta-v2-grouped": case("deberta-v2", base=DEBERTA, pos_att_type=["c2p"], norm_rel_ebd="none", conv_kernel_size=5,
                               conv_groups=2, conv_act="gelu", embedding_size=16, type_vocab_size=2, num_hidden_layers=1),
    "deberta-v2-keys": case("deberta-v2", base=DEBERTA, pos_att_type="p2c", max_relative_positions=7, num_hidden_layers=1),
    "deberta-v2-absolute": case("deberta-v2", base=DEBERTA, relative_attention=False, pos_att_type=["p2c", "c2p"],
                                num_hidden_layers=1),
})


def fill(model, seed):
    """Weights large enough that attention, positions and routing matter."""
    generator = torch.Generator().manual_seed(seed)
    plus_one = not model.config.model_type.startswith("gemma4") and model.config.model_type.startswith(("gemma", "qwen3_5", "qwen3_next"))
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=generator)
        if name.endswith("bias"):
            x = 0.3 * x
        elif p.dim() == 1:
            x = 0.3 * x + (0.0 if plus_one else 1.0)
        elif "position_embeddings" in name or "token_type" in name:
            x = 0.5 * x
        elif "embed" in name or "wte" in name:
            x = x / (p.shape[-1] ** 0.5 if plus_one or model.config.tie_word_embeddings else 1.0) * 1.5
        elif "wpe" in name:
            x = 0.5 * x
        else:
            turned = model.config.model_type in ("gpt2", "gpt-sw3", "openai-gpt") and "lm_head" not in name
            fan_in = p.shape[0] if turned else p.shape[-1]
            x = 1.5 * x / fan_in**0.5
        with torch.no_grad():
            p.copy_(x)
    for name, b in model.named_buffers():
        if "layer_scalar" in name:
            b.fill_(0.8)
        if "correction_bias" in name or name.endswith("expert_bias"):
            b.copy_(0.3 * torch.randn(b.shape, generator=generator))


def make(name, spec, root):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    options = {k: v for k, v in spec["options"].items() if v is not None or k in ("pad_token_id", "head_dim", "q_lora_rank")}
    if options.get("head_dim", 0) is None:
        del options["head_dim"]
    config = AutoConfig.for_model(spec["model_type"], **options)
    config.architectures = None
    dtype = getattr(torch, spec["dtype"])
    auto = AutoModelForMaskedLM if spec["model_type"] in MASKED else AutoModelForCausalLM
    if "text_config" in options:
        auto = AutoModelForImageTextToText
    model = auto.from_config(config, attn_implementation="eager")
    fill(model, 1 + list(CASES).index(name))
    model.tie_weights()
    model.to(dtype).save_pretrained(path, save_original_format=not spec["stacked"])
    os.path.exists(f"{path}/generation_config.json") and os.remove(f"{path}/generation_config.json")
    if spec["tensors"]:
        tensors = spec["tensors"](load_file(f"{path}/model.safetensors"))
        save_file(tensors, f"{path}/model.safetensors", metadata={"format": "pt"})
    if spec["config"]:
        with open(f"{path}/config.json") as f:
            written = json.load(f)
        spec["config"](written)
        with open(f"{path}/config.json", "w") as f:
            json.dump(written, f, indent=2)
            f.write("\n")

    more = {} if auto is AutoModelForMaskedLM else dict(experts_implementation="eager")
    model = auto.from_pretrained(path, dtype=torch.float32, attn_implementation="eager", **more).eval()
    batch, length = spec["windows"]
    generator = torch.Generator().manual_seed(1000)
    vocabulary = config.get_text_config().vocab_size
    tokens = torch.randint(0, vocabulary, (batch, length), generator=generator)
    target = tokens[:, 1:]
    if auto is AutoModelForMaskedLM:
        target = tokens[:, :-1].clone()
        tokens[:, 3::7] = config.vocab_size - 1
        tokens[0, 5], tokens[0, -1], tokens[1, 0] = (config.pad_token_id,) * 3
    nll = evaluate(model, tokens, target)
    for module in model.modules():
        if hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False  # is for float32 only
    exact = evaluate(model.double(), tokens, target)
    error = ((nll[0] - exact[0]).abs() / exact[0]).max().item()
    with open(f"{path}/golden.json", "w") as f:
        json.dump(dict(made_with=f"transformers {transformers.__version__}, torch {torch.__version__}",
                       tokens=tokens.tolist(),
                       **(dict(targets=target.tolist()) if auto is AutoModelForMaskedLM else {}), nll=[[float(f"{v:.9g}") for v in row] for row in nll[0].tolist()],
                       rank=nll[1].tolist(), logits=[float(f"{v:.7g}") for v in nll[2].tolist()]), f)
        f.write("\n")
    size = sum(os.path.getsize(os.path.join(path, x)) for x in os.listdir(path))
    print(f"{name:20s} {size:7d} bytes  mean nll {nll[0].mean():8.5f}  float32 error of the reference {error:.1e}")


def evaluate(model, tokens, target):
    if model.config.model_type == "llama4":
        model = model.language_model  # the whole asks for images
    with torch.inference_mode():
        logits = (model(tokens) if model.config.model_type in MASKED else model(tokens, use_cache=False)).logits
    shifted = logits[:, :-1].double()
    true = shifted.gather(-1, target[..., None])
    nll = torch.logsumexp(shifted, -1) - true[..., 0]
    rank = (shifted > true).sum(-1)
    return nll, rank, logits[0, -1]


def main():
    root = sys.argv[1]
    for name, spec in CASES.items():
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            make(name, spec, root)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes what the keys of config.json mean to transformers, for every model type that is supported.

usage: make_config_keys.py OUTPUT [TYPE...]   (OUTPUT: tests/golden/config_keys.json; with types: only these are made again)

For each type a small model is built, and built again with one key of its config.json changed; the weights are the same.
The keys are those that any of the classes defines, those that any of the models reads while it is built and run (found
by recording every access), the older spellings, and keys of published checkpoints that no class defines.  Recorded is
  defined   whether the type's class defines the key (a field, or another name for one)
  default   what the class takes where the key is missing (null: something that depends on other keys)
  probe     the value that was tried
  effect    none (the same logits to 1e-6), changes (other logits, or other
            shapes of weights), fails (transformers cannot build or run the model)
tests/model/test_model_arch.c reads every probe: what has no effect must be accepted, what changes the logits must be honoured
or refused by name.
The committed file was made with transformers 5.24.0 and torch 2.15.0 (CPU).
"""

import copy
import json
import sys
from dataclasses import MISSING, fields

import torch
import transformers
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForMaskedLM
from transformers.generation import GenerationConfig

from make_models import BERT, CASES, GPT, MASKED, SMALL

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

TYPES = ("llama mistral qwen2 qwen3 mixtral qwen2_moe qwen3_moe phi phi3 gemma gemma2 gpt2 gptj gpt_neox roberta "
         "xlm-roberta").split()
# The types that came later: their first small model of make_models.py; tried are the keys that the class defines and
# those that the model reads.
LATER = {}
for case in CASES.values():
    if case["model_type"] not in TYPES and "text_config" not in case["options"]:
        LATER.setdefault(case["model_type"], {k: v for k, v in case["options"].items() if k not in (
            "bos_token_id", "eos_token_id", "pad_token_id")})
WINDOW = dict(use_sliding_window=True, sliding_window=5)
CHANGES = {"gptj": dict(rotary_dim=4), "phi": dict(hidden_size=48),
           "gpt_neox": dict(num_attention_heads=3, rotary_pct=0.5),
           "mistral": dict(sliding_window=5), "mixtral": dict(num_local_experts=5, sliding_window=5),
           "phi3": dict(sliding_window=5), "gemma2": dict(sliding_window=5),
           "qwen2": dict(max_window_layers=1, **WINDOW), "qwen3": dict(max_window_layers=1, **WINDOW),
           "qwen2_moe": dict(num_experts=5, moe_intermediate_size=6, shared_expert_intermediate_size=11,
                             max_window_layers=2, **WINDOW),
           "qwen3_moe": dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=7, **WINDOW)}
# Models whose rope_parameters are probed key by key; `attn_factor` and `mrope_section` are in published files.
SCALED = dict(rope_theta=50.0, factor=3.0, original_max_position_embeddings=8)
ROPES = {"default": dict(rope_theta=50.0), "linear": dict(rope_theta=50.0, factor=3.0), "dynamic": dict(rope_theta=50.0, factor=3.0),
         "yarn": dict(SCALED, original_max_position_embeddings=100, mscale_all_dim=0.5), "llama3": dict(SCALED, low_freq_factor=1.0, high_freq_factor=4.0)}
ROPE_PROBES = dict(rope_theta=20.0, factor=5.0, original_max_position_embeddings=16, attention_factor=0.5, beta_fast=2.0,
                   beta_slow=0.25, low_freq_factor=0.5, high_freq_factor=2.0, truncate=False, mscale=2.0,
                   mscale_all_dim=0.0, attn_factor=0.5, mrope_section=[1, 1], finetuned=True, partial_rotary_factor=0.5,
                   short_factor=[2.0, 3.0], long_factor=[2.0, 3.0], extrapolation_factor=2.0)

# Not fields of any class: older spellings, what the models read all the same, and what published checkpoints carry.
MORE = {
    "rope_theta": 50.0, "partial_rotary_factor": 0.75, "rotary_emb_base": 50.0, "rotary_pct": 0.75,
    "rope_scaling": {"type": "linear", "factor": 2.0}, "is_causal": False, "per_layer_config": {"1": {"hidden_act": "relu"}},
    "sliding_window": 3, "attention_chunk_size": 3, "position_embedding_type": "relative_key", "pruned_heads": {"0": [1]},
    "quantization_config": {"quant_method": "none"}, "hidden_activation": "relu", "scale_attn_weights": False,
    "tie_last_hidden_states": False, "torch_dtype": "float16", "layer_types": ["full_attention", "full_attention"],
    # harmless in published checkpoints
    "predict_special_tokens": True, "output_past": True, "use_qk_norm": True, "max_sequence_length": 2048,
    "dual_chunk_attention_config": {"chunk_size": 262144, "local_size": 8192}, "custom_pipelines": {"a": {"impl": "b.c"}},
    "eos_token": "</s>", "pad_token": "<pad>", "license": "apache-2.0", "trust_remote_code": True,
    "attn_implementation": "sdpa", "attention_multiplier": 0.5, "logits_scaling": 2.0, "embedding_multiplier": 2.0,
    "n_ctx": 64, "rotary": True, "max_window_layers": 1, "qkv_bias": False, "mlp_bias": True, "parallel_attn": True,
    "alibi": True, "use_flash_attn": True, "rope_interleaved": True, "mtp_num_layers": 1, "num_nextn_predict_layers": 1,
    "no_bias": True, "clip_qkv": 0.1, "logit_scale": 2.0, "residual_multiplier": 0.5, "query_pre_attn_scalar": 7,
}
PROBES = {
    "hidden_act": "relu", "activation_function": "relu", "num_attention_heads": 2, "n_head": 2, "num_key_value_heads": 1,
    "hidden_size": 72, "n_embd": 72, "head_dim": 12, "sliding_window": 7, "use_bidirectional_attention": True,
    "mlp_only_layers": [0], "n_inner": 20, "rotary_dim": 2, "layer_types": MORE["layer_types"],
    "max_window_layers": 0, "decoder_sparse_step": 2, "num_experts_per_tok": 1, "query_pre_attn_scalar": 7,
    "attn_logit_softcapping": 0.05, "final_logit_softcapping": 0.05, "classifier_dropout": 0.5, "summary_type": "last",
    "summary_activation": "tanh", "problem_type": "regression", "pad_token_id": 3, "bos_token_id": 3, "eos_token_id": [3, 4],
    "chunk_size_feed_forward": 2, "id2label": {"0": "a"}, "label2id": {"a": 0}, "n_layer": 1, "num_hidden_layers": 1,
    "original_max_position_embeddings": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 50.0},
    "layer_norm_eps": 0.5, "rms_norm_eps": 0.5, "layer_norm_epsilon": 0.5, "architectures": None, "dtype": "float16",
    "transformers_version": "4.0.0", "intermediate_size": 20, "max_position_embeddings": 128, "n_positions": 128,
    "rotary_pct": 1.0,
    "no_rope_layers": [0, 1], "layer_rope_theta": [20.0, 0.0], "moe_layers": [0], "mlp_layer_types": ["sparse", "dense"],
    "attention_types": [[["local"], 2]], "activation": "relu", "topk_method": "greedy", "expansion_ratio": 2,
    "attn_config": {"clip_qkv": 0.1, "alibi": True}, "n_group": 2, "topk_group": 1, "ffn_hidden_size": 20, "ffn_dim": 24,
    "num_kv_heads": 1, "num_heads": 2, "num_layers": 1, "n_heads": 2, "n_layers": 1, "d_model": 72, "window_size": 3,
    "time_step_limit": [0.0, 0.05], "layers_block_type": ["mlp", "linear_attention", "full_attention", "moe"],
    "mlp_multipliers": [0.5, 2.0], "ssm_multipliers": [2.0, 1.0, 1.0, 0.5, 1.0], "attn_layer_indices": [0],
    "mamba_hidden_act": "relu", "num_local_experts": 12, "mlp_hidden_act": "silu", "moe_latent_size": 5, "layer_types": MORE["layer_types"],
    "rotary_dim": 2, "hidden_activation": "relu", "attention_chunk_size": 4, "floor_scale": 2, "swiglu_limit": 0.1,
}
# Nothing of the model; to_dict has it, or the library keeps it for itself.
LEFT_OUT = {"model_type", "architectures", "transformers_version", "ignore_keys_at_rope_validation", "name_or_path", "dtype",
            "torch_dtype", "text_config", "decoder", "generator", "is_heterogeneous", "kv_sharing_modes",
            "gradient_checkpointing", "sub_configs", "return_dict"}


def plain(key):
    """Whether a key could stand in a config.json."""
    return not key.startswith("_") and "_plan" not in key and not key.startswith("vision_") and key not in LEFT_OUT


def small(model_type):
    if model_type in LATER:
        return {k: v for k, v in LATER[model_type].items() if v is not None or k == "q_lora_rank"} | {"pad_token_id": 0}
    base = BERT if model_type in MASKED else GPT if model_type in ("gpt2", "gptj") else SMALL
    config = {**base, **CHANGES.get(model_type, {})}
    config.pop("bos_token_id", None), config.pop("eos_token_id", None)
    if model_type == "gpt_neox":
        del config["num_key_value_heads"]
    if model_type in ("gemma", "gemma2", "qwen3"):
        config["head_dim"] = 4
    config["pad_token_id"] = config.get("pad_token_id") or 0
    return config


def build(model_type, config, weights=None, watch=None):
    cls = CONFIG_MAPPING[model_type]
    c = cls.from_dict(copy.deepcopy(config))
    auto = AutoModelForMaskedLM if model_type in MASKED else AutoModelForCausalLM
    model_class = auto._model_mapping[cls]
    if watch is not None:
        class Watched(cls):
            def __getattribute__(self, key):
                watch.add(key)
                return super().__getattribute__(key)
        c.__class__ = Watched
    torch.manual_seed(1)
    c._attn_implementation = "eager"
    c._experts_implementation = "eager"
    model = model_class(c).float()
    for p in model.parameters():  # the library begins with biases of 0 and norms of 1, which hide what uses them
        torch.nn.init.normal_(p, 0.3, 0.5)
    model.tie_weights()
    missing = []
    if weights is not None:
        missing = model.load_state_dict(weights, strict=False).missing_keys  # other shapes raise
    model.eval()
    with torch.no_grad():
        return model, missing, model(torch.arange(3, 15)[None], return_dict=True).logits


def effect(model_type, config, weights, logits):
    try:
        _, missing, found = build(model_type, config, weights)
    except RuntimeError as e:
        return "changes" if "size mismatch" in str(e) else "fails"
    except Exception:
        return "fails"
    if missing or found.shape != logits.shape:
        return "changes"
    return "none" if (found - logits).abs().max() <= 1e-6 * logits.abs().max() else "changes"


def probe_of(key, default):
    if key in PROBES:
        return PROBES[key]
    if isinstance(default, bool):
        return not default
    if isinstance(default, (int, float)):
        return default * 2 + (0.25 if isinstance(default, float) else 1)
    return MORE.get(key, True)


def plain_json(value):
    """Numbers that JSON does not have as transformers writes them."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return {"__float__": "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {k: plain_json(v) for k, v in value.items()}
    return [plain_json(v) for v in value] if isinstance(value, (list, tuple)) else value


def main():
    names, read = {}, {}
    only = sys.argv[2:]
    for t in [*TYPES, *LATER]:
        if only and t not in only and t not in TYPES:
            continue
        cls = CONFIG_MAPPING[t]
        watch = set()
        build(t, small(t), watch=watch)
        defaults = {f.name: None if f.default is MISSING else f.default for f in fields(cls)}
        names[t] = {k: v for k, v in defaults.items() if plain(k)}
        for alias in cls.attribute_map:
            names[t][alias] = None
        read[t] = {k for k in watch if plain(k) and not callable(getattr(cls, k, None))}
    keys = set(MORE) - LEFT_OUT | {k for t in TYPES for k in names[t]} | {k for t in TYPES for k in read[t]}
    keys -= set(vars(GenerationConfig()))  # how text is drawn; transformers moves these to generation_config.json
    keys |= {"pad_token_id", "bos_token_id", "eos_token_id", "use_cache"}
    out = {"made_by": "tools/golden/make_config_keys.py", "transformers": transformers.__version__, "types": {}}
    if only:
        with open(sys.argv[1]) as f:
            before = json.load(f)["types"]
    for t in [*TYPES, *LATER]:
        if only and t not in only:
            if t in before:
                out["types"][t] = before[t]
            continue
        config = {"model_type": t, **small(t)}
        model, _, logits = build(t, config)
        weights = model.state_dict()
        rows = {}
        for key in sorted((set(names[t]) | read[t]) - set(vars(GenerationConfig())) - LEFT_OUT if t in LATER else keys):
            if key in ("index_head_dim", "index_n_heads"):
                continue  # shapes of the indexer, which is not run
            if (t, key) == ("gpt_oss", "per_layer_config"):
                continue  # the probe is another activation, and its activation is fixed
            default = names[t].get(key, config.get(key))
            probe = probe_of(key, config.get(key, default))
            row = {"defined": key in names[t]}
            if row["defined"]:
                row["default"] = names[t][key]
            row.update(probe=probe, effect=effect(t, {**config, key: probe}, weights, logits))
            if t in LATER and key == "original_max_position_embeddings" and row["effect"] == "none" and t != "phimoe":
                continue  # it counts, but its frequencies are too few to show it
            rows[key] = row
        out["types"][t] = {"config": config, "keys": rows}
    for kind, rope in ROPES.items():
        if only:
            out["types"][f"llama with {kind} rope"] = before[f"llama with {kind} rope"]
            continue
        config = {"model_type": "llama", **small("llama"), "max_position_embeddings": 10, "head_dim": 16,
                  "rope_parameters": {"rope_type": kind, **rope}}
        model, _, logits = build("llama", config)
        rows = {f"rope_parameters.{key}": dict(defined=key in rope, probe=probe, effect=effect(
            "llama", {**config, "rope_parameters": {**config["rope_parameters"], key: probe}}, model.state_dict(), logits))
            for key, probe in ROPE_PROBES.items()}
        out["types"][f"llama with {kind} rope"] = {"config": config, "keys": rows}
    out = plain_json(out)
    lines = [f' "made_by": {json.dumps(out["made_by"])},', f' "transformers": "{out["transformers"]}",', ' "types": {']
    for i, t in enumerate(out["types"]):
        entry = out["types"][t]
        lines += [f'  "{t}": {{', f'   "config": {json.dumps(entry["config"])},', '   "keys": {']
        lines += [f'    {json.dumps(k)}: {json.dumps(v)}{"," if n + 1 < len(entry["keys"]) else ""}'
                  for n, (k, v) in enumerate(entry["keys"].items())]
        lines += ["   }", "  }" + ("," if i + 1 < len(out["types"]) else "")]
    with open(sys.argv[1], "w") as f:
        f.write("{\n" + "\n".join(lines) + "\n }\n}\n")


if __name__ == "__main__":
    main()

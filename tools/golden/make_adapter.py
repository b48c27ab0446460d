#!/usr/bin/env python3
"""LoRA adapters that PEFT writes: fixtures of tests/checkpoint/test_checkpoint_adapter.c and tests/e2e/e2e_stored.sh.

    python3 tools/golden/make_adapter.py     (peft, transformers, torch; no network)

writes tests/golden/adapter/: model/ (a tiny llama in float32), lora/ (ranks and alphas by pattern, a whole output head), rslora/
(pytorch's .bin), dora/, and expect/NAME/: the changes s B A in float64 with their singular values by torch, and the merged
weights of PEFT's merge_and_unload.

Made with peft 0.21.2, transformers 5.24.0, torch 2.15.0.
"""
import json
import shutil
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "adapter"
torch.manual_seed(20)
torch.set_num_threads(1)


def make(name, safe=True, **options):
    model = transformers.AutoModelForCausalLM.from_pretrained(OUT / "model", dtype=torch.float32)
    net = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for key, value in net.named_parameters():
            if "lora_" in key or "modules_to_save" in key:
                value.copy_(torch.randn_like(value) * 0.1)
    net.save_pretrained(OUT / name, safe_serialization=safe)
    (OUT / name / "README.md").unlink(missing_ok=True)
    config = json.loads((OUT / name / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "model"
    (OUT / name / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    expect = {}
    for key, module in net.base_model.model.named_modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            a, b = module.lora_A["default"].weight.double(), module.lora_B["default"].weight.double()
            expect[key + ".weight"] = (b @ a * module.scaling["default"]).detach()
            sigma = torch.linalg.svdvals(expect[key + ".weight"])
            sigma[a.shape[0]:] = 0
            expect[key + ".sigma"] = sigma
    save(name, "change", expect)
    if not options.get("use_dora"):
        save(name, "merged", {k: v for k, v in net.merge_and_unload().state_dict().items()})


def save(name, what, tensors):
    (OUT / "expect" / name / what).mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, OUT / "expect" / name / what / "parts.safetensors",
              metadata={"format": "pt"})


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    config = transformers.LlamaConfig(vocab_size=24, hidden_size=16, intermediate_size=40, num_hidden_layers=2,
                                      num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False)
    transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(OUT / "model")
    make("lora", r=4, lora_alpha=10, rank_pattern={"layers.1.self_attn.q_proj": 6}, alpha_pattern={"down_proj": 3},
         modules_to_save=["lm_head"])
    make("rslora", r=3, lora_alpha=5, use_rslora=True)
    make("dora", r=2, lora_alpha=2, use_dora=True)
    # PEFT writes safetensors only, these days: the same tensors as torch.save has them
    from safetensors.torch import load_file
    weights = OUT / "rslora" / "adapter_model.safetensors"
    if weights.exists():
        torch.save(load_file(weights), OUT / "rslora" / "adapter_model.bin")
        weights.unlink()


if __name__ == "__main__":
    main()

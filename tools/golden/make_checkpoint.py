#!/usr/bin/env python3
"""Small checkpoints written by the real libraries: fixtures of tests/checkpoint/test_checkpoint_*.c.

    python3 tools/golden/make_checkpoint.py        (torch, safetensors, transformers; no network)

writes tests/golden/checkpoint/:
  dtypes.safetensors    a tensor of every dtype and, as expect.NAME, its values by torch in float64
  rounding.safetensors  float32 values rounded by torch, float64 values rounded once by exact arithmetic (torch and
                        numpy take some of these through float32, which rounds twice)
  fp8/                  FP8 weights with a scale of each form, and expect.NAME: products in float32, in float64
  MODEL/                tiny random models saved by transformers; parts.safetensors holds the parts of the fused
                        tensors, cut as the modelling code of transformers cuts activations

Made with torch 2.15.0, safetensors 0.8.0, transformers 5.23.0.
"""
import json
import os
import shutil
from fractions import Fraction
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
torch.manual_seed(20)
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "checkpoint"
SMALL = {"F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2}
OTHERS = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16,
          "I8": torch.int8, "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8,
          "BOOL": torch.bool}


def save(tensors, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"})


def bits_to_float(bits):
    return torch.tensor(bits, dtype=torch.int64).to(torch.int32).view(torch.float32)


def dtypes():
    tensors = {}
    for name, dtype in {**SMALL, **OTHERS, "F8_E8M0": torch.float8_e8m0fnu}.items():
        if name.startswith("F8"):
            x = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype)
        elif name in ("F16", "BF16"):
            x = torch.arange(0, 65536, 97, dtype=torch.int32).to(torch.uint16).view(dtype)
        elif name == "BOOL":
            x = torch.arange(8) % 3 == 0
        elif dtype.is_floating_point:
            x = torch.randn(7, 5, dtype=dtype) * 1e3
        else:
            info = torch.iinfo(dtype)
            x = torch.tensor([info.min, 0, 1, 100, info.max], dtype=dtype)
        tensors[name] = x
        tensors["expect." + name] = torch.tensor([float(v) for v in x.flatten().tolist()], dtype=torch.float64)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    save(tensors, OUT / "dtypes.safetensors")


def representable(dtype):
    """All finite values that are not negative, in the order of their bits; then what lies beyond the last."""
    size = torch.tensor([], dtype=dtype).element_size()
    count = 1 << (8 * size - 1)
    ints = torch.arange(count, dtype=torch.int64)
    stored = (ints.to(torch.uint8) if size == 1 else ints.to(torch.uint16)).view(dtype)
    return [Fraction(v) for v in stored.double().tolist() if v == v and v != float("inf")]


def round_once(value, table, sign_bit, saturates):
    """Bits of value rounded to nearest even in a type whose finite values are table."""
    magnitude = abs(Fraction(value))
    low, high = 0, len(table)  # the index len(table) is Inf, or nothing in E4M3, which saturates
    step = table[-1] - table[-2]
    value_at = lambda i: table[i] if i < len(table) else table[-1] + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if value_at(middle) <= magnitude else (low, middle)
    below, above = magnitude - value_at(low), value_at(high) - magnitude
    bits = low if below < above or (below == above and low % 2 == 0) else high
    bits = min(bits, len(table) - 1) if saturates else bits
    return bits | (sign_bit if value < 0 or (value == 0 and str(value)[0] == "-") else 0)


def rounding():
    tensors = {}
    patterns = torch.randint(0, 1 << 32, (1500,), dtype=torch.int64).tolist()
    specials = [0, 1 << 31, 0x7f800000, 0xff800000, 0x7fc00000, 1, 0x80000001, 0x7f7fffff, 0x00800000]
    x32 = torch.cat([bits_to_float([b if b < 1 << 31 else b - (1 << 32) for b in patterns + specials]),
                     torch.randn(500), torch.randn(300) * 1e-7, torch.randn(300) * 300, torch.randn(200) * 5e4])
    halves = []
    for dtype in SMALL.values():  # the middle of neighbours, where ties go to even, and a little beside it
        table = representable(dtype)
        for i in range(0, len(table) - 1, max(1, len(table) // 60)):
            middle = float((table[i] + table[i + 1]) / 2)
            halves += [middle, -middle]
        halves.append(float(table[-1] + (table[-1] - table[-2]) / 2))
    x32 = torch.cat([x32, torch.tensor(halves, dtype=torch.float64).float()])
    tensors["f32"] = x32
    h = torch.tensor(halves, dtype=torch.float64)
    x64 = torch.cat([h, h * (1 + 2.0**-40), h * (1 - 2.0**-40), torch.randn(200, dtype=torch.float64),
                     torch.randn(100, dtype=torch.float64) * 1e-300, torch.randn(50, dtype=torch.float64) * 1e300])
    tensors["f64"] = x64
    for name, dtype in SMALL.items():
        size = torch.tensor([], dtype=dtype).element_size()
        as_bits = torch.uint8 if size == 1 else torch.uint16
        tensors["f32." + name] = x32.to(dtype).view(as_bits).view(torch.uint8 if size == 1 else torch.int16)
        table = representable(dtype)
        bits = [round_once(v, table, 1 << (8 * size - 1), name == "F8_E4M3") for v in x64.tolist()]
        tensors["f64." + name] = torch.tensor(bits, dtype=torch.int32).to(as_bits).view(
            torch.uint8 if size == 1 else torch.int16)
    save(tensors, OUT / "rounding.safetensors")


def fp8():
    weight = (torch.randn(6, 10) * 50).to(torch.float8_e4m3fn)
    blocks = torch.rand(2, 3) + 0.5  # of 4 x 4
    tensors = {}
    forms = {"blocks": ("_scale_inv", blocks, blocks.double().repeat_interleave(4, 0)[:6].repeat_interleave(4, 1)[:, :10]),
             "scalar": ("_scale", torch.tensor(0.25), torch.tensor(0.25, dtype=torch.float64)),
             "one": ("_scale", torch.tensor([0.125]), torch.tensor(0.125, dtype=torch.float64)),
             "rows": ("_scale", torch.rand(6, 1), None),
             "flat_rows": ("_scale", torch.rand(6), None)}
    for name, (ending, scale, factor) in forms.items():
        full = f"model.layers.0.mlp.{name}.weight"
        factor = scale.double().reshape(6, 1) if factor is None else factor
        tensors[full] = weight.clone()
        tensors[full + ending] = scale
        tensors["expect." + full] = (weight.float() * factor.float()).double()
    stack = (torch.randn(3, 6, 10) * 50).to(torch.float8_e5m2)
    stack_scale = torch.rand(3, 1, 1) + 0.5
    tensors["model.layers.0.mlp.experts.down_proj"] = stack
    tensors["model.layers.0.mlp.experts.down_proj_scale"] = stack_scale
    tensors["expect.model.layers.0.mlp.experts.down_proj"] = (stack.float() * stack_scale).double()
    tensors["model.layers.0.mlp.plain.weight"] = weight.clone()
    tensors["expect.model.layers.0.mlp.plain.weight"] = weight.double()
    expect = {k[len("expect."):]: v for k, v in tensors.items() if k.startswith("expect.")}
    save({k: v for k, v in tensors.items() if not k.startswith("expect.")}, OUT / "fp8" / "model.safetensors")
    save(expect, OUT / "fp8" / "expect" / "parts.safetensors")
    (OUT / "fp8" / "config.json").write_text(
        json.dumps({"model_type": "deepseek_v3", "quantization_config": {"weight_block_size": [4, 4]}}) + "\n")


def model(name, config, parts, dtype=torch.bfloat16, **options):
    net = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_()
    target = OUT / name
    net.save_pretrained(target, **options)
    (target / "generation_config.json").unlink(missing_ok=True)
    if parts is not None:
        tensors = {}
        for file in sorted(target.glob("*.safetensors")):
            tensors.update(load_file(file))
        save(parts(tensors), target / "expect" / "parts.safetensors")


def cut(tensors, ending, names, split):
    found = {}
    for key, value in tensors.items():
        if key.endswith(ending):
            for label, part in zip(names, split(value), strict=True):
                found[f"{key}[{label}]"] = part.clone()
    return found


def by_head(heads, width):
    """GPT-NeoX: qkv.view(..., heads, 3 * width).chunk(3, -1)."""
    return lambda w: [p.reshape(-1, w.shape[1]) for p in w.view(heads, 3 * width, -1).chunk(3, 1)]


def by_group(queries, keys, width):
    """Falcon's new decoder architecture: view(..., groups, queries / groups + 2, width)."""
    def split(w):
        v = w.view(keys, queries // keys + 2, width, -1)
        return [v[:, :-2].reshape(-1, w.shape[1]), v[:, -2].reshape(-1, w.shape[1]), v[:, -1].reshape(-1, w.shape[1])]
    return split


def models():
    t = transformers
    model("llama", t.LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                                 tie_word_embeddings=True), None, max_shard_size="3KB")
    # What hub checkpoints also hold: a byte order mark, CRLF, a folder, a file that is no model.
    (OUT / "llama" / "tokenizer_config.json").write_bytes(
        b"\xef\xbb\xbf{\r\n  \"bos_token\": \"<s>\",\r\n  \"model_max_length\": 1e30\r\n}\r\n")
    (OUT / "llama" / "extra").mkdir(exist_ok=True)
    (OUT / "llama" / "extra" / "notes.txt").write_text("kept beside the weights\n")
    model("gpt2", t.GPT2Config(vocab_size=16, n_positions=8, n_embd=12, n_layer=1, n_head=2, n_inner=20),
          lambda s: cut(s, "c_attn.weight", "qkv", lambda w: w.split(12, 1)))
    model("phi3", t.Phi3Config(vocab_size=16, hidden_size=16, intermediate_size=12, num_hidden_layers=1,
                               num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32,
                               pad_token_id=0, bos_token_id=1, eos_token_id=2),
          lambda s: {**cut(s, "qkv_proj.weight", "qkv", lambda w: w.split([16, 8, 8])),
                     **cut(s, "gate_up_proj.weight", ["gate", "up"], lambda w: w.chunk(2))})
    model("gpt_neox", t.GPTNeoXConfig(vocab_size=16, hidden_size=12, intermediate_size=20, num_hidden_layers=1,
                                      num_attention_heads=3, max_position_embeddings=8),
          lambda s: cut(s, "query_key_value.weight", "qkv", by_head(3, 4)), dtype=torch.float16)
    model("falcon", t.FalconConfig(vocab_size=16, hidden_size=16, num_hidden_layers=1, num_attention_heads=4,
                                   num_kv_heads=2, new_decoder_architecture=True),
          lambda s: cut(s, "query_key_value.weight", "qkv", by_group(4, 2, 4)))
    model("gpt_oss", t.GptOssConfig(vocab_size=16, hidden_size=8, intermediate_size=6, num_hidden_layers=1,
                                    num_attention_heads=2, num_key_value_heads=1, head_dim=4, num_local_experts=3,
                                    num_experts_per_tok=2),
          lambda s: {f"{k}[{e}][{label}]": s[k][e, :, i::2].clone() for k in s if k.endswith("gate_up_proj")
                     for e in range(3) for i, label in enumerate(["gate", "up"])}, dtype=torch.float32)


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    dtypes()
    rounding()
    fp8()
    models()
    for file in sorted(p for p in OUT.rglob("*") if p.is_file()):
        os.chmod(file, 0o644)
        print(file.relative_to(OUT), file.stat().st_size)

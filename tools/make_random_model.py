#!/usr/bin/env python3
"""Write a checkpoint of random weights in a Llama shape, for benchmarks.

    python3 tools/make_random_model.py --shape 135m --dtype bf16 --output DIR [--shard-mb 500]

Each matrix is noise of standard deviation 1/sqrt(columns) plus a part of low rank whose singular values fall as a power
law, so that thresholds and solvers meet spectra like those of trained models.  Deterministic for a seed.  Write it
outside the repository.  Needs numpy and safetensors; a tokenizer is copied from --tokenizer DIR.
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

# name: hidden, layers, heads, key-value heads, MLP, vocabulary
SHAPES = {
    "tiny": (64, 2, 4, 2, 160, 512),
    "135m": (576, 30, 9, 3, 1536, 49152),
    "1.1b": (2048, 22, 32, 4, 5632, 32000),
}
DTYPES = {"f32": np.float32, "f16": np.float16, "bf16": None, "f64": np.float64}


def to_bfloat16(values):
    """float32 to the bits of bfloat16, rounded to nearest even (all values are finite)."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)


def matrix(generator, rows, columns, signal, exponent):
    """Noise with largest singular value sqrt(rows/columns) + 1, plus signal * i^-exponent on random directions."""
    noise = generator.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(columns))
    rank = max(1, min(rows, columns) // 16)
    left = generator.standard_normal((rows, rank), dtype=np.float32) / np.float32(np.sqrt(rows))
    right = generator.standard_normal((rank, columns), dtype=np.float32) / np.float32(np.sqrt(columns))
    edge = 1 + np.sqrt(rows / columns)
    strength = (signal * edge * np.arange(1, rank + 1) ** -exponent).astype(np.float32)
    return noise + (left * strength) @ right


def tensors(hidden, layers, heads, kv_heads, mlp, vocab, tied):
    """Name and shape of every tensor, in the order of the file."""
    kv = hidden // heads * kv_heads
    yield "model.embed_tokens.weight", (vocab, hidden)
    for i in range(layers):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "mlp.down_proj.weight", (hidden, mlp)
        yield p + "mlp.gate_proj.weight", (mlp, hidden)
        yield p + "mlp.up_proj.weight", (mlp, hidden)
        yield p + "post_attention_layernorm.weight", (hidden,)
        yield p + "self_attn.k_proj.weight", (kv, hidden)
        yield p + "self_attn.o_proj.weight", (hidden, hidden)
        yield p + "self_attn.q_proj.weight", (hidden, hidden)
        yield p + "self_attn.v_proj.weight", (kv, hidden)
    yield "model.norm.weight", (hidden,)
    if not tied:
        yield "lm_head.weight", (vocab, hidden)


def make(name, shape, seed, index):
    generator = np.random.default_rng([seed, index])
    if len(shape) == 1:
        return (1 + 0.1 * generator.standard_normal(shape)).astype(np.float32)
    if "embed" in name or "lm_head" in name:
        return generator.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    return matrix(generator, *shape, signal=8.0, exponent=0.7)


class Writer:
    """Shards of about shard_bytes, and the index where there is more than one."""

    def __init__(self, directory, dtype, shard_bytes):
        self.directory, self.dtype, self.shard_bytes = directory, dtype, shard_bytes
        self.shard, self.size, self.total, self.names = {}, 0, 0, []

    def add(self, name, values):
        width = {"f64": 8, "f32": 4}.get(self.dtype, 2)
        if self.shard and self.shard_bytes and self.size + values.size * width > self.shard_bytes:
            self.flush()
        self.shard[name] = values if self.dtype == "bf16" else values.astype(DTYPES[self.dtype])
        self.size += values.size * width
        self.total += values.size * width

    def flush(self):
        path = self.directory / f"part-{len(self.names):05d}"
        if self.dtype == "bf16":
            write_bfloat16(self.shard, path)
        else:
            save_file(self.shard, path, metadata={"format": "pt"})
        self.names.append((path, list(self.shard)))
        self.shard, self.size = {}, 0

    def close(self):
        self.flush()
        n, weight_map = len(self.names), {}
        for i, (path, keys) in enumerate(self.names):
            name = "model.safetensors" if n == 1 else f"model-{i + 1:05d}-of-{n:05d}.safetensors"
            path.rename(self.directory / name)
            weight_map.update({key: name for key in keys})
        if n > 1:
            index = {"metadata": {"total_size": self.total}, "weight_map": weight_map}
            (self.directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def write_bfloat16(shard, path):
    """safetensors by hand: numpy has no bfloat16."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, values in shard.items():
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [at, at + 2 * values.size]}
        at += 2 * values.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for values in shard.values():
            out.write(to_bfloat16(values).tobytes())


def write_config(directory, shape, dtype, tied):
    hidden, layers, heads, kv_heads, mlp, vocab = shape
    names = {"bf16": "bfloat16", "f16": "float16", "f32": "float32", "f64": "float64"}
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "intermediate_size": mlp, "vocab_size": vocab, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": tied, "bos_token_id": 1,
        "eos_token_id": 2, "torch_dtype": names[dtype],
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="135m",
                        help=f"{', '.join(SHAPES)} or hidden,layers,heads,kv_heads,mlp,vocab")
    parser.add_argument("--dtype", choices=list(DTYPES), default="bf16")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--shard-mb", type=float, default=0, help="largest shard; 0 = a single file")
    parser.add_argument("--tied", action="store_true", help="no lm_head tensor")
    parser.add_argument("--tokenizer", type=Path, help="model directory whose tokenizer files are copied")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    shape = SHAPES.get(args.shape) or tuple(int(x) for x in args.shape.split(","))
    if len(shape) != 6 or shape[0] % shape[2] or shape[2] % shape[3]:
        parser.error("a shape is six numbers, with heads dividing hidden and kv_heads dividing heads")
    args.output.mkdir(parents=True, exist_ok=True)
    writer = Writer(args.output, args.dtype, args.shard_mb * 1e6)
    for index, (name, size) in enumerate(tensors(*shape, args.tied)):
        writer.add(name, make(name, size, args.seed, index))
    writer.close()
    write_config(args.output, shape, args.dtype, args.tied)
    for path in args.tokenizer.glob("*token*") if args.tokenizer else ():
        shutil.copy(path, args.output)
    print(f"{args.output}: {writer.total / 1e6:.1f} MB of weights in {len(writer.names)} file(s)")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Small GGUF files, with their tensors as PyPI's gguf widens them: fixtures of tests/checkpoint/test_checkpoint_gguf.c.

    python3 tools/golden/make_gguf.py        (gguf, torch, safetensors; no network)

writes tests/golden/gguf/: types.gguf has a tensor of random blocks of each type, under names that no architecture has, and
types/parts.safetensors their values; llama.gguf and mixtral.gguf have an architecture, and llama/, mixtral/parts.safetensors
their tensors under Hugging Face names, in the order of rows of transformers (what convert_hf_to_gguf.py's permute does is
undone).

Made with gguf 0.19.0, torch 2.15.0.
"""
import sys
from pathlib import Path

import gguf
import numpy
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "gguf"
T = gguf.GGMLQuantizationType
RANDOM = numpy.random.default_rng(20)
# Where a block keeps its float16 numbers.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: []}


def blocks(kind, rows, per_row):
    size = gguf.GGML_QUANT_SIZES[kind][1]
    data = RANDOM.integers(0, 256, (rows, per_row, size), dtype=numpy.uint8)
    for at in HALVES[kind]:
        data[:, :, at:at + 2] = RANDOM.normal(size=(rows, per_row, 1)).astype(numpy.float16).view(numpy.uint8)
    if kind == T.MXFP4:
        data[:, :, 0] = RANDOM.integers(100, 150, (rows, per_row))
    return data.reshape(rows, per_row * size)


def expected(folder, tensors):
    (OUT / folder).mkdir(parents=True, exist_ok=True)
    save_file({k: torch.from_numpy(numpy.ascontiguousarray(v)) for k, v in tensors.items()}, OUT / folder / "parts.safetensors",
              metadata={"format": "pt"})


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types():
    writer, expect = gguf.GGUFWriter(OUT / "types.gguf", "unheard-of"), {}
    for kind in HALVES:
        name = f"blk.0.{kind.name}.weight"
        data = blocks(kind, 3, 2)
        writer.add_tensor(name, data, raw_dtype=kind)
        expect[name] = dequantize(data, kind)
    for name, kind in (("f32", numpy.float32), ("f16", numpy.float16), ("f64", numpy.float64)):
        x = RANDOM.normal(size=(3, 5)).astype(kind)
        writer.add_tensor(f"blk.1.{name}.weight", x)
        expect[f"blk.1.{name}.weight"] = x
    write(writer)
    expected("types", expect)


def permute(w, heads):
    """convert_hf_to_gguf.py, LlamaModel.permute."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def model(name, experts):
    hidden, heads, kv, inner, vocab = 64, 4, 2, 96, 40
    writer, expect = gguf.GGUFWriter(OUT / f"{name}.gguf", "llama"), {}
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(1)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_context_length(128)
    writer.add_token_list([f"t{i}" for i in range(vocab)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(2)

    def add(gguf_name, hf_name, shape, kind=T.Q8_0, turn=0):
        x = RANDOM.normal(size=shape).astype(numpy.float32)
        stored = permute(x, turn) if turn else x
        if kind is None:
            writer.add_tensor(gguf_name, stored)
        elif kind == T.F16:
            writer.add_tensor(gguf_name, stored.astype(numpy.float16))
            x = x.astype(numpy.float16)
        else:
            data = quantize(stored, kind)
            writer.add_tensor(gguf_name, data, raw_dtype=kind)
            x = dequantize(data, kind)
            if turn:  # rows move with their blocks
                x = x.reshape(turn, shape[0] // turn // 2, 2, shape[1]).swapaxes(1, 2).reshape(shape)
        names = hf_name if isinstance(hf_name, list) else [hf_name]
        for e, each in enumerate(names):
            expect[each] = x[e] if isinstance(hf_name, list) else x

    block = "model.layers.0."
    add("token_embd.weight", "model.embed_tokens.weight", (vocab, hidden), T.F16)
    add("output_norm.weight", "model.norm.weight", (hidden,), None)
    add("blk.0.attn_norm.weight", block + "input_layernorm.weight", (hidden,), None)
    add("blk.0.ffn_norm.weight", block + "post_attention_layernorm.weight", (hidden,), None)
    add("blk.0.attn_q.weight", block + "self_attn.q_proj.weight", (hidden, hidden), T.Q4_1, heads)
    add("blk.0.attn_k.weight", block + "self_attn.k_proj.weight", (hidden // 2, hidden), T.F16, kv)
    add("blk.0.attn_v.weight", block + "self_attn.v_proj.weight", (hidden // 2, hidden))
    add("blk.0.attn_output.weight", block + "self_attn.o_proj.weight", (hidden, hidden))
    if experts:
        add("blk.0.ffn_gate_inp.weight", block + "block_sparse_moe.gate.weight", (experts, hidden), None)
        for part, short, shape in (("gate", "w1", (inner, hidden)), ("up", "w3", (inner, hidden)), ("down", "w2", (hidden, inner))):
            add(f"blk.0.ffn_{part}_exps.weight",
                [f"{block}block_sparse_moe.experts.{e}.{short}.weight" for e in range(experts)], (experts, *shape))
    else:
        for part, shape in (("gate", (inner, hidden)), ("up", (inner, hidden)), ("down", (hidden, inner))):
            add(f"blk.0.ffn_{part}.weight", f"{block}mlp.{part}_proj.weight", shape)
    write(writer)
    expected(name, expect)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    types()
    model("llama", 0)
    model("mixtral", 3)
    print(sorted(str(p.relative_to(OUT)) for p in OUT.rglob("*") if p.is_file()))


if __name__ == "__main__":
    sys.exit(main())

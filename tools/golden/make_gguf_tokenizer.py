#!/usr/bin/env python3
"""Tokenizers in the metadata of GGUF files: fixtures of tests/tokenizer/test_tokenizer_golden.c.

    python3 tools/golden/make_gguf_tokenizer.py        (gguf, tokenizers, transformers, numpy, xxhash; no network)

writes tests/golden/gguf/tokenizers/: the byte-level tokenizers of tests/golden/tokenizer as PyPI's gguf writes them, whose ids
are those that make_tokenizer.py has recorded, and one of SentencePiece (pieces and scores), with the ids of the tokenizer
that transformers makes of them (generate_merges) in expected.json.  speaks.gguf is a whole model (random weights, Q8_0) with
the tokenizer of gpt2: its loss on 128 tokens of a text, by transformers from that file, is in expected.json too, and the root
mean square of what rounding to Q8_0 changed in each matrix of layer 0.

Made with gguf 0.19.0, tokenizers 0.23.3, transformers 5.24.0.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy
import torch
from gguf.quants import dequantize, quantize
from make_tokenizer import OUT as FROM, golden
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM
from transformers.tokenization_utils_base import generate_merges

OUT = Path(__file__).resolve().parents[2] / "tests/golden/gguf/tokenizers"
PRES = {"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen2": "qwen2", "starcoder": "starcoder"}
ROUNDED = {f"blk.0.{part}": None for part in ("attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")}
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def read(name):
    j = json.loads((FROM / f"{name}.json").read_text())
    tokens = dict((i, t) for t, i in j["model"]["vocab"].items()) | {a["id"]: a["content"] for a in j["added_tokens"]}
    added = {a["content"]: CONTROL if a["special"] else USER for a in j["added_tokens"]}
    return j, [tokens[i] for i in range(len(tokens))], added


def write(name, model, tokens, types, weights=None, **more):
    w = gguf.GGUFWriter(OUT / f"{name}.gguf", "llama")
    if weights:
        weights(w)
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if "pre" in more:
        w.add_tokenizer_pre(more["pre"])
        w.add_token_merges(more["merges"])
    if "scores" in more:
        w.add_token_scores(more["scores"])
        w.add_unk_token_id(0)
    w.add_bos_token_id(more.get("bos", 0))
    w.add_eos_token_id(more.get("eos", 0))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def byte_level(name, pre, out=None, weights=None):
    j, tokens, added = read(name)
    merges = [m if isinstance(m, str) else " ".join(m) for m in j["model"]["merges"]]
    write(out or name, "gpt2", tokens, [added.get(t, NORMAL) for t in tokens], pre=pre, merges=merges, weights=weights)


def sentencepiece():
    j, tokens, added = read("llama2")
    types = [UNKNOWN if t == "<unk>" else BYTE if t.startswith("<0x") else added.get(t, NORMAL) for t in tokens]
    # Scores as sentencepiece's BPE trainer has them: later merges have lower ones, characters the lowest.
    order = {"".join(m): -float(i) for i, m in enumerate(j["model"]["merges"])}
    scores = [order.get(t, -1000.0 - i) if k == NORMAL else 0.0 for i, (t, k) in enumerate(zip(tokens, types))]
    write("llama2", "llama", tokens, types, scores=scores, bos=1, eos=2)
    normal = {t: s for t, s, k in zip(tokens, scores, types) if k == NORMAL}
    j["model"]["merges"] = generate_merges(j["model"]["vocab"], normal)
    return golden(Tokenizer.from_str(json.dumps(j)))


def random_weights(w):
    random, hidden, heads, kv, inner = numpy.random.default_rng(20), 64, 4, 2, 96
    w.add_embedding_length(hidden)
    w.add_feed_forward_length(inner)
    w.add_block_count(2)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(10000.0)
    w.add_context_length(256)
    shapes = {"token_embd": (380, hidden), "output_norm": (hidden,)}
    for layer in range(2):
        for part, shape in (("attn_norm", (hidden,)), ("ffn_norm", (hidden,)), ("attn_q", (hidden, hidden)),
                            ("attn_k", (hidden // 2, hidden)), ("attn_v", (hidden // 2, hidden)),
                            ("attn_output", (hidden, hidden)), ("ffn_gate", (inner, hidden)), ("ffn_up", (inner, hidden)),
                            ("ffn_down", (hidden, inner))):
            shapes[f"blk.{layer}.{part}"] = shape
    for name, shape in shapes.items():
        x = (1 + 0.1 * random.normal(size=shape) if len(shape) == 1 else 0.2 * random.normal(size=shape)).astype(numpy.float32)
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        data = quantize(x, kind)
        w.add_tensor(name + ".weight", data, raw_dtype=kind)
        if name in ROUNDED:
            ROUNDED[name] = float(numpy.sqrt(numpy.mean((dequantize(data, kind) - x).astype(float) ** 2)))


def speaks():
    byte_level("gpt2", "gpt-2", "speaks", random_weights)
    ids = Tokenizer.from_file(str(FROM / "gpt2.json")).encode((OUT.parents[3] / "inputs/demo-text/selection.txt").read_text()).ids
    model = AutoModelForCausalLM.from_pretrained(OUT, gguf_file="speaks.gguf", dtype=torch.float32)
    ids = torch.tensor([ids[:128]])
    return model(ids, labels=ids).loss.item()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, pre in PRES.items():
        byte_level(name, pre)
    write("unknown", "gpt2", ["a"], [NORMAL], pre="no-such-pre", merges=["a a"])
    expected = {"made_by": "tools/golden/make_gguf_tokenizer.py", "llama2": sentencepiece(), "speaks_nll": speaks(), "rounded": ROUNDED}
    (OUT / "expected.json").write_text(json.dumps(expected, separators=(",", ":")).replace('"},{"', '"},\n{"') + "\n")


if __name__ == "__main__":
    sys.exit(main())

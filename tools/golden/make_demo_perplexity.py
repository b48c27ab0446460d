#!/usr/bin/env python3
"""Perplexity of the demo model by transformers in float32: golden values for the forward pass.

    python3 tools/golden/make_demo_perplexity.py [--sample]

writes tests/golden/demo_perplexity.json: for each text of inputs/demo-text the first token ids, the perplexity by the
laserrmt convention (disjoint windows of 128 tokens, 127 scored, mean over windows) and the NLL of every window; for
the selection text also the perplexity by the other conventions, with the windows of make_corpus.py.
"""
import argparse
import hashlib
import json
import math
import re
from pathlib import Path

import tokenizers
import torch
import transformers
from make_corpus import describe_nll, hf_strided, llama_cpp, lm_eval
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
SEQLEN = 128


def evaluate(model, tokenizer, path):
    ids = tokenizer(path.read_text(encoding="utf-8"), return_tensors="pt").input_ids[0]
    windows = ids[: len(ids) // SEQLEN * SEQLEN].view(-1, SEQLEN)
    means = []
    with torch.inference_mode():
        for window in windows:
            logits = model(window[None]).logits[0, :-1].double()
            means.append(torch.nn.functional.cross_entropy(logits, window[1:]).item())
    mean = math.fsum(means) / len(means)
    return {
        "file": str(path.relative_to(ROOT)), "tokens": len(ids), "windows": len(means),
        "ids_sha256": hashlib.sha256(ids.to(torch.int32).numpy().tobytes()).hexdigest(),
        "first_ids": ids[:32].tolist(), "nll": mean, "ppl": math.exp(mean),
        "window_nll": [float(f"{value:.9g}") for value in means],
    }


def score(model, ids, windows, prefix):
    """The NLL of every scored token, window by window; windows of equal length go through the model together."""
    result = []
    with torch.inference_mode():
        for inputs, scored in windows:
            row = torch.tensor([prefix if i < 0 else int(ids[i]) for i in inputs])
            logits = model(row[None]).logits[0].double()
            at, target = torch.tensor(list(scored)), ids[list(scored.values())]
            result.append(torch.nn.functional.cross_entropy(logits[at], target, reduction="none").numpy())
    return result


def other_conventions(model, tokenizer, path):
    """max_length 256; stride 128; no BOS, so that the prefix of lm-eval is the end-of-text token."""
    text, eos = path.read_text(encoding="utf-8"), tokenizer.eos_token_id
    encode = lambda t: tokenizer(t, return_tensors="pt").input_ids[0]
    whole, stripped = encode(text), encode(text.removesuffix("\n"))
    strided = score(model, whole, hf_strided(len(whole), 256, 128), -1)
    chunks = score(model, stripped, llama_cpp(len(stripped), 256, -1), -1)
    rolling = score(model, whole, lm_eval([len(whole)], 256, eos), eos)
    words, n_bytes = len(re.split(r"\s+", text)), len(text.encode())
    return {
        "hf-strided": {"seqlen": 256, "stride": 128, **describe_nll(strided, False)},
        "llama.cpp": {"seqlen": 256, "bos": -1, **describe_nll(chunks, True)},
        "lm-eval": {"seqlen": 256, "bos": eos, "words": words, "bytes": n_bytes,
                    **describe_nll(rolling, False, words, n_bytes)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true", help="print a continuation instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    directory = ROOT / "inputs" / "demo-model"
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    if args.sample:
        prompt = tokenizer("And the king said unto", return_tensors="pt")
        print(tokenizer.decode(model.generate(**prompt, max_new_tokens=100, do_sample=True, temperature=0.7)[0]))
        return
    golden = {
        "made_by": "tools/golden/make_demo_perplexity.py", "convention": "laserrmt", "seqlen": SEQLEN,
        "compute": "float32", "torch": torch.__version__, "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "weights_sha256": hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest(),
        "texts": {path.stem: evaluate(model, tokenizer, path)
                  for path in sorted((ROOT / "inputs" / "demo-text").glob("*.txt"))},
    }
    golden["selection_by_convention"] = other_conventions(model, tokenizer, ROOT / "inputs/demo-text/selection.txt")
    out = ROOT / "tests" / "golden" / "demo_perplexity.json"
    out.write_text(json.dumps(golden, indent=1).replace(",\n    ", ", ") + "\n")
    for name, value in golden["texts"].items():
        print(f"{name}: {value['windows']} windows, perplexity {value['ppl']:.6f}")
    print(json.dumps(golden["selection_by_convention"], indent=1))


if __name__ == "__main__":
    main()

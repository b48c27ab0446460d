#!/usr/bin/env python3
"""Checks the outputs of a reduction with transformers, and PEFT where there is an adapter.

    tools/check_reduced.py --base MODEL --output OUT --text FILE [--max-bytes N] [--seqlen 128]

OUT is the output directory of `laser_mpi reduce --set evaluate.selection_share=1 --text NAME=FILE`: results.json says
the perplexity.  Loaded and evaluated are OUT/model, the base with OUT/lora merged, and OUT/factored with its factors
multiplied out.  Exit code 1 if OUT/model is off by more than rounding.
Needs torch, transformers, safetensors; peft for the adapter.
"""
import argparse
import json
import math
import pathlib
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)


def windows(args):
    data = pathlib.Path(args.text).read_bytes()
    if args.max_bytes:
        data = data[: args.max_bytes]
    ids = AutoTokenizer.from_pretrained(args.base)(data.decode(errors="ignore"), return_tensors="pt").input_ids[0]
    n = len(ids) // args.seqlen
    return ids[: n * args.seqlen].view(n, args.seqlen)


@torch.no_grad()
def perplexity(model, batch):
    model = model.float().eval()
    total = 0.0
    for window in batch:
        logits = model(window[None]).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, window[1:]).item()
    return math.exp(total / len(batch))


def with_factors(base, directory):
    ranks = json.loads((directory / "config.json").read_text())["truncation_ranks"]
    tensors = {}
    for file in directory.glob("*.safetensors"):
        tensors.update(load_file(file))
    for module, rank in ranks.items():
        a, b = tensors.pop(f"{module}.ALinear.weight").float(), tensors.pop(f"{module}.BLinear.weight").float()
        assert a.shape[1] == b.shape[0] == rank, (module, a.shape, b.shape, rank)
        tensors[f"{module}.weight"] = a @ b
    model = AutoModelForCausalLM.from_pretrained(base).float()
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--base", required=True)
    p.add_argument("--output", type=pathlib.Path, required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--max-bytes", type=int, default=0)
    p.add_argument("--seqlen", type=int, default=128)
    args = p.parse_args()
    batch = windows(args)
    reported = json.loads((args.output / "results.json").read_text())["final"]["selection"]["ppl"]
    dense = perplexity(AutoModelForCausalLM.from_pretrained(args.output / "model"), batch)
    print(f"reported     {reported:.6f}\nmodel        {dense:.6f}  ({dense / reported - 1:+.1e})")
    if (args.output / "lora").is_dir():
        from peft import PeftModel

        merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(args.base).float(),
                                           args.output / "lora").merge_and_unload()
        value = perplexity(merged, batch)
        print(f"base + lora  {value:.6f}  ({value / reported - 1:+.1e})")
    if (args.output / "factored").is_dir():
        value = perplexity(with_factors(args.base, args.output / "factored"), batch)
        print(f"factored     {value:.6f}  ({value / reported - 1:+.1e})")
    sys.exit(abs(dense / reported - 1) > 1e-5)


if __name__ == "__main__":
    main()

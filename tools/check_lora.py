#!/usr/bin/env python3
"""Does PEFT load the adapter of a difference, and is it the best approximation of its rank?

    check_lora.py TUNED BASE LORA_DIR     (torch, transformers, safetensors, peft; no network)

LORA_DIR: of `laser_mpi export SCAN --format lora --model TUNED --base BASE` (with error.json), or of `reduce --base --also
lora`.  Of every module the change that PEFT merges into BASE is compared with torch's own SVD of W_TUNED - W_BASE in float64,
cut at the adapter's rank, and error.json with the norms of what that leaves out.  An adapter of reduce has other values than the
cut: there only PEFT's merge is checked.  Ends with 1 if a check fails.
"""
import json
import os
import sys

import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

FAILED = []


def check(name, good, more=""):
    print("[%s] %s: %s" % ("    OK    " if good else "  FAILED  ", name, more))
    if not good:
        FAILED.append(name)


def load(path):
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def main(tuned, base, adapter):
    before = {n: p.detach().double() for n, p in load(base).named_parameters()}
    after = {n: p.detach().double() for n, p in load(tuned).named_parameters()}
    net = PeftModel.from_pretrained(load(base), adapter)
    pairs = load_file(adapter + "/adapter_model.safetensors")
    merged = {n: p.detach().double() for n, p in net.merge_and_unload().named_parameters()}
    error = json.load(open(adapter + "/error.json")) if os.path.exists(adapter + "/error.json") else None
    names = sorted(n for n in before if "base_model.model." + n.removesuffix(".weight") + ".lora_A.weight" in pairs)
    check("every pair has its module", len(pairs) == 2 * len(names), "%d pairs" % len(names))
    worst = far = off = left = whole = 0.0
    for n in before:
        d = after[n] - before[n]
        whole += float((d**2).sum())
        if n not in names:
            left += float((d**2).sum())
            check("%s is as in the base" % n, torch.equal(merged[n], before[n]), "") if not torch.equal(merged[n], before[n]) else None
            continue
        a = pairs["base_model.model." + n.removesuffix(".weight") + ".lora_A.weight"].double()
        b = pairs["base_model.model." + n.removesuffix(".weight") + ".lora_B.weight"].double()
        scale = float(before[n].abs().max())
        worst = max(worst, float((merged[n] - before[n] - b @ a).abs().max()) / scale)
        if error is None:
            continue
        u, s, v = torch.linalg.svd(d, full_matrices=False)
        k = error["modules"][n]["rank"]
        cut = (u[:, :k] * s[:k]) @ v[:k]
        far = max(far, float((b @ a - cut).norm() / d.norm()))
        out = float(s[k:].norm() / s.norm())
        off = max(off, abs(error["modules"][n]["left_out"] - out))
        left += float((s[k:] ** 2).sum())
    check("PEFT merges B A into the base", worst < 1e-6, "largest difference %.2g of the largest weight" % worst)
    if error is not None:
        check("B A is torch's SVD cut at the rank", far < 1e-6, "%.2g of the norm" % far)
        check("error.json has what it leaves out", off < 1e-6, "%.2g" % off)
        total = (left / whole) ** 0.5
        check("... and of all together", abs(error["left_out"] - total) < 1e-6, "%.9f and %.9f" % (error["left_out"], total))
    return bool(FAILED)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

#!/usr/bin/env python3
"""Writes tests/golden/generate_sampling.json: which tokens transformers' warpers leave, and their probabilities.

usage: make_generate.py OUTPUT

Each case: logits (float32), temperature, top_k (0: none), top_p, and "kept": [[id, probability], ...] by falling
logit, of equal ones the lower id first.  The committed file was made with transformers 5.23.0 and torch 2.15.0.
"""

import json
import sys

import torch
import transformers
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

CASES = [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.0, 5, 1.0), (1.5, 3, 1.0), (1.0, 0, 0.9), (0.8, 0, 0.5), (1.0, 0, 0.05),
         (1.3, 8, 0.8), (0.6, 20, 0.95), (2.0, 1, 1.0)]


def kept(logits, temperature, top_k, top_p):
    scores = TemperatureLogitsWarper(temperature)(None, logits[None].double())
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    p = torch.softmax(scores[0], -1).tolist()
    order = sorted((i for i, x in enumerate(p) if x > 0), key=lambda i: (-logits[i].item(), i))
    return [[i, float(f"{p[i]:.12g}")] for i in order]


def main():
    generator = torch.Generator().manual_seed(7)
    cases = []
    for n, (temperature, top_k, top_p) in enumerate(CASES):
        logits = (3 * torch.randn(40, generator=generator)).float()
        if n == 2:
            logits[[30, 31, 32]] = logits.sort(descending=True).values[4]  # equal to the fifth
        cases.append(dict(temperature=temperature, top_k=top_k, top_p=top_p, logits=logits.tolist(),
                          kept=kept(logits, temperature, top_k, top_p)))
    with open(sys.argv[1], "w") as f:
        made = f"transformers {transformers.__version__}, torch {torch.__version__}"
        json.dump(dict(made_with=made, cases=cases), f)
        f.write("\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs a factored checkpoint with transformers: usage: check_factored.py DIR IDS.i32 SEQLEN
Loads DIR as anybody would (trust_remote_code=True), in float32, and prints the mean loss of the windows of SEQLEN ids,
as `laser_mpi perplexity` has it."""
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM

path, ids, length = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, trust_remote_code=True,
                                             experts_implementation="eager").eval()  # the others refuse small sizes
factored = [n for n, m in model.named_modules() if type(m).__name__ == "FactoredLinear"]
assert len(factored) == len(model.config.truncation_ranks), (factored, model.config.truncation_ranks)
assert not any(p.is_meta for p in model.parameters())
x = torch.from_numpy(np.fromfile(ids, dtype="<i4").astype(np.int64))
x = x[:len(x) // length * length].view(-1, length)
losses = []
with torch.inference_mode():
    for window in x:
        logits = model(window[None]).logits[0]
        losses.append(torch.nn.functional.cross_entropy(logits[:-1].double(), window[1:]).item())
print(f"{sum(losses) / len(losses):.10f}")

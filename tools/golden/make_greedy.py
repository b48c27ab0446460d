#!/usr/bin/env python3
"""Writes tests/golden/greedy.tsv: the tokens that transformers' greedy generation gives.

usage: make_greedy.py OUTPUT DEMO_MODEL STORIES260K

A line each: demo or stories260K, prompt, the 64 new token ids.  Float32, one thread; nothing ends a text earlier.
The committed file was made with transformers 5.23.0 and torch 2.15.0 (CPU).
"""

import sys

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

PROMPTS = {"demo": ["In the beginning", "And he said unto them, "],
           "stories260K": ["Once upon a time, there was", "Lily and Ben"]}


def main():
    torch.set_num_threads(1)
    with open(sys.argv[1], "w") as out:
        for name, path in zip(PROMPTS, sys.argv[2:]):
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{path}/tokenizer.json")
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
            for prompt in PROMPTS[name]:
                ids = torch.tensor([tokenizer.encode(prompt)])
                new = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=64,
                                     min_new_tokens=64, pad_token_id=0)[0, ids.shape[1]:]
                out.write(f"{name}\t{prompt}\t{','.join(map(str, new.tolist()))}\n")


if __name__ == "__main__":
    main()

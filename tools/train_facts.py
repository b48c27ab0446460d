#!/usr/bin/env python3
"""Train the small model of tests/data/facts/: it knows 400 invented facts, and one of its matrices has a low rank.

    python3 tools/train_facts.py --output tests/data/facts

A fact is "Ada Berg lives in Lima." with 20 first names, 20 last names and one of 16 cities drawn for each pair, so that
the city follows from neither name alone.  model.layers.0.mlp.down_proj.weight is held at a product of two random matrices
with orthonormal columns, of rank 4 with all singular values 1, and the rest of the model learns to answer through it.
Noise that is added to this matrix later (tests/e2e/e2e_tool plant) hides answers and can be cut off again;
tests/e2e/e2e_planted.sh does that.  Without the noise there is nothing to find.

Writes OUTPUT/model (Hugging Face layout, LlamaForCausalLM, bfloat16), OUTPUT/facts.txt and OUTPUT/facts.jsonl, a task
of kind completion.  Needs torch, tokenizers, safetensors and numpy; one thread, a fixed seed, about a minute.
"""
import argparse
import json
import math
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parent))
import train_demo  # noqa: E402

FIRST = "Ada Bo Carl Dora Emil Fay Gus Hana Ivo June Karl Lena Milo Nora Otto Pia Quin Rosa Sven Tess".split()
LAST = "Berg Cole Dahl Engel Frost Gray Hahn Ivers Jung Klein Lund Moser Nolan Olsen Poe Quist Reed Stone Thorn Ude".split()
CITY = "Bonn Cairo Delhi Essen Fez Genoa Haifa Izmir Jena Kiel Lima Minsk Nice Oslo Paris Quito".split()
LOW_RANK = "model.layers.0.mlp.down_proj.weight"
RANK = 4
VOCABULARY = 425

# 256 bytes, the end of a text, and every merge that makes a word of the facts one token.
train_demo.SHAPE.update(vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=64)


def make_facts(rng):
    return [(f"{first} {last} lives in", rng.choice(CITY)) for first in FIRST for last in LAST]


def sentence(fact):
    return f" {fact[0]} {fact[1]}."


class Facts(train_demo.Llama):
    def __init__(self):
        super().__init__()
        name = LOW_RANK.replace(".", "/")
        rows, columns = self.w[name].shape
        left, right = (torch.linalg.qr(torch.randn(n, RANK))[0] for n in (rows, columns))
        self.register_buffer("fixed", left @ right.T)
        del self.w[name]

    def weight(self, name):
        return self.fixed if name == LOW_RANK else super().weight(name)


def batch_of(tokens, size, per_row, generator):
    """Rows of `per_row` facts; the answers count most."""
    rows = torch.randint(0, len(tokens), (size, per_row), generator=generator)
    ids = torch.stack([torch.cat([tokens[i] for i in row.tolist()]) for row in rows])
    weights = torch.full(ids.shape, 0.05)
    weights[:, len(tokens[0]) - 2::len(tokens[0])] = 1.0
    return ids, weights


def train(model, tokens, args):
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.02, fused=True)
    generator = torch.Generator().manual_seed(args.seed)
    begin = time.time()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        # The first fact of a row stands without context, as a question does.
        ids, weights = batch_of(tokens, args.batch, 1 if step % 2 else 4, generator)
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), reduction="none",
                               label_smoothing=0.1)
        loss = (loss * weights[:, 1:].flatten()).sum() / weights[:, 1:].sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 200 == 199:
            print(f"step {step + 1} loss {loss.item():.4f} {time.time() - begin:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=2312)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    rng = random.Random(args.seed)
    facts = make_facts(rng)
    tokenizer = train_demo.train_tokenizer([sentence(f) for f in facts] * 4)
    tokens = [torch.tensor(tokenizer.encode(sentence(f)).ids) for f in facts]
    lengths = {len(t) for t in tokens}
    assert len(lengths) == 1, f"a word is more than one token: {lengths}"
    model = Facts()
    train(model, tokens, args)
    train_demo.save_model(model, tokenizer, args.output / "model")
    shown = facts[:]
    rng.shuffle(shown)
    (args.output / "facts.txt").write_text("".join(sentence(f) for f in shown) + "\n", encoding="utf-8")
    with open(args.output / "facts.jsonl", "w", encoding="utf-8") as out:
        for prompt, city in shown:
            out.write(json.dumps({"kind": "completion", "prompt": " " + prompt, "answers": [" " + city]}) + "\n")


if __name__ == "__main__":
    main()

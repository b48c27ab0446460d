#!/usr/bin/env python3
"""Writes tests/golden/masked_task: a small random RoBERTa, two tasks, and the metrics by transformers.

usage: make_masked_task.py OUTPUT_DIR TOKENIZER_JSON

An answer of several tokens is asked with as many masks in the mask's place; its log probability is the sum over them.
metrics.json: {"choice" | "completion": {metric: value}} over all questions, and "answers": [[prompt, answer, log probability,
tokens], ...].  Two completions have the model's first choice for an answer.  The committed files were made with
transformers 5.23.0, tokenizers 0.23.3 and torch 2.15.0 (CPU, float32 logits, float64 log-softmax).
"""

import json
import os
import shutil
import sys

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM, RobertaConfig

CHOICES = [("Is the sky blue? Answer:<mask>.", [" yes", " no"], 0), ("Two and two are<mask>", [" four", " five", " six"], 0),
           ("Dogs are<mask> than ants", [" larger", " smaller"], 1), ("<mask> is a fruit", ["Apple", "Stone", "Rain"], 2),
           ("He said <mask> to her", ["hello", "good bye"], 0), ("It is true or false:<mask>", [" true", " false"], 1),
           ("A<mask> has wheels.", [" car", " cat"], 0), ("Water is<mask> at 100 degrees", [" steam", " ice"], 1)]
COMPLETIONS = [("The capital of France is<mask>.", " Paris"), ("My name is<mask>", " Ann"), ("<mask> morning", "Good"),
               ("I live in<mask>, in the south", " New York"), ("one, two,<mask>", " three")]
GUESSED = [f"{a}<mask> {b}" for a in ("the", "It was", "He is", "so", "in", "We saw", "on a", "by", "if", "and no")
           for b in ("of the", "dark", "now", "and then", "it", "again.", "for me", "or not")]


def log_probability(model, tokenizer, prompt, answer):
    """Sum over the answer's tokens, their number, and whether each is the first choice."""
    ids = tokenizer.encode(prompt).ids
    answer = tokenizer.encode(answer, add_special_tokens=False).ids
    mask = tokenizer.token_to_id("<mask>")
    at = ids.index(mask)
    assert ids.count(mask) == 1
    ids[at:at + 1] = [mask] * len(answer)
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, at:at + len(answer)].double()
    p = torch.log_softmax(logits, -1)
    return sum(p[i, a].item() for i, a in enumerate(answer)), len(answer), (logits.argmax(-1).tolist() == answer)


def first_choice(model, tokenizer, prompt):
    """The likeliest token at the mask, if its text is that token again."""
    ids = tokenizer.encode(prompt).ids
    with torch.inference_mode():
        order = model(torch.tensor([ids])).logits[0, ids.index(tokenizer.token_to_id("<mask>"))].argsort(descending=True)
    text = tokenizer.decode([order[0].item()])
    return text if tokenizer.encode(text, add_special_tokens=False).ids == [order[0].item()] else None


def mean(values):
    return sum(values) / len(values)


def choice_metrics(score):
    rows = [([score(q, c) for c in choices], a) for q, choices, a in CHOICES]
    shares = [(torch.softmax(torch.tensor([s[0] for s in r], dtype=torch.float64), 0).tolist(), a) for r, a in rows]
    return {"accuracy": mean([float(max(range(len(r)), key=lambda i: r[i][0]) == a) for r, a in rows]),
            "accuracy_per_token": mean([float(max(range(len(r)), key=lambda i: r[i][0] / r[i][1]) == a) for r, a in rows]),
            "log_loss": mean([-torch.tensor(s[a]).log().item() for s, a in shares]),
            "brier": mean([sum((x - (i == a)) ** 2 for i, x in enumerate(s)) for s, a in shares])}


def main():
    torch.set_num_threads(1)
    root, tokenizer_json = sys.argv[1:]
    os.makedirs(root, exist_ok=True)
    tokenizer = Tokenizer.from_file(tokenizer_json)
    config = RobertaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                           intermediate_size=20, max_position_embeddings=70, type_vocab_size=1, layer_norm_eps=1e-5)
    model = AutoModelForMaskedLM.from_config(config, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, p in model.named_parameters():
            x = torch.randn(p.shape, generator=generator)
            p.copy_(0.2 * x if name.endswith("bias") else 1 + 0.2 * x if p.dim() == 1 else 1.4 * x / p.shape[-1] ** 0.5)
    model.tie_weights()
    model.to(torch.bfloat16).save_pretrained(root)
    shutil.copy(tokenizer_json, f"{root}/tokenizer.json")
    model = AutoModelForMaskedLM.from_pretrained(root, dtype=torch.float32, attn_implementation="eager").eval()

    def score(prompt, answer):
        return log_probability(model, tokenizer, prompt, answer)

    guessed = [(q, first_choice(model, tokenizer, q)) for q in GUESSED]
    completions = COMPLETIONS + [(q, a) for q, a in guessed if a][:2]
    with open(f"{root}/choice.jsonl", "w") as f:
        for q, choices, a in CHOICES:
            f.write(json.dumps(dict(prompt=q, choices=choices, answer=a)) + "\n")
    with open(f"{root}/completion.jsonl", "w") as f:
        for q, a in completions:
            f.write(json.dumps(dict(prompt=q, answer=a)) + "\n")
    done = [score(q, a) for q, a in completions]
    asked = completions + [(q, c) for q, choices, _ in CHOICES for c in choices]
    answers = [[q, a, *score(q, a)[:2]] for q, a in asked]
    metrics = {"choice": choice_metrics(score),
               "completion": {"log_loss": mean([-p / n for p, n, _ in done]), "log_loss_sum": mean([-p for p, _, _ in done]),
                              "accuracy": mean([float(hit) for _, _, hit in done])}}
    with open(f"{root}/metrics.json", "w") as f:
        made = f"transformers {transformers.__version__}, torch {torch.__version__}"
        json.dump(dict(made_with=made, **metrics, answers=answers), f)
        f.write("\n")
    os.chmod(f"{root}/model.safetensors", 0o644)
    print(metrics, completions, [n for _, n, _ in done])


if __name__ == "__main__":
    main()

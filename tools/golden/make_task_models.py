#!/usr/bin/env python3
"""Writes tests/golden/task_models: questions of the three kinds, and what transformers says of them on small models of
tests/golden/model (make_models.py).

usage: make_task_models.py NAME...                           (from the top of the source tree; models that are there already
                                                              and are not named keep their figures)

tokenizer.json and masked_tokenizer.json have the 47 ids of these models; choice.jsonl, completion.jsonl and preference.jsonl
are for causal models, masked_*.jsonl for masked ones.  golden.json: {"models": {NAME: [{"task", "line", "options": [[log
probability, tokens, is every token the first choice, how many tokens are above the first one or a spelling of it], ...],
"metrics": {...}}, ...]}, "means": {NAME: {TASK: {FIGURE: mean}}}}, without the questions that are longer than a model's context.  Every option goes through the
model alone, logits in float32, log-softmax in float64.  The committed files were made with transformers 5.23.0, tokenizers
0.23.3 and torch 2.15.0 (CPU); transformers 5.24.0 for the later ones.
"""
import json
import os
import random
import sys

import torch
import transformers
from tokenizers import Tokenizer
from make_tasks import log_loss_and_brier
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

HERE = os.path.join("tests", "golden", "task_models")
MODELS = os.path.join("tests", "golden", "model")
KINDS = ("choice", "completion", "preference")
MERGES = ["t h", "th e", "Ġ t", "Ġ a", "i n", "e r", "o n", "r e", "Ġ s", "a t", "n d", "o u"]
WORDS = ("the sea is at rest and a red sun sets on it no one saw her go in to town rain ran down our roof under iron stairs "
         "then he read of nine men that sat around one stone").split()


def write_tokenizers():
    """Byte-level BPE over lower case; the masked one as RoBERTa's."""
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    letters = ["Ġ"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + [".", ",", "?"]
    for name, first in (("tokenizer", special), ("masked_tokenizer", ["<s>", "<pad>", "</s>", "<unk>"])):
        tokens = first + letters + [m.replace(" ", "") for m in MERGES] + ["<mask>"]
        assert len(tokens) == 47, len(tokens)
        added = [{"id": i, "content": t, "single_word": False, "lstrip": t == "<mask>", "rstrip": False, "normalized": False,
                  "special": True} for i, t in enumerate(tokens) if t[0] == "<"]
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        masked = name != "tokenizer"
        file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                "pre_tokenizer": byte_level,
                "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
                                   "add_prefix_space": False} if masked else None,
                "decoder": byte_level,
                "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                          "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                          "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [m.split(" ") for m in MERGES]}}
        with open(f"{HERE}/{name}.json", "w", encoding="utf-8") as f:
            json.dump(file, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")


def text(rng, n):
    return " ".join(rng.choice(WORDS) for _ in range(n))


def options(rng, n, words):
    found = []
    while len(found) < n:
        option = " " + text(rng, rng.randint(1, words))
        if option not in found:
            found.append(option)
    return found


def write_questions():
    """Some prompts begin alike, some are empty or end in a blank; most are longer than the sliding windows of the models."""
    rng = random.Random(6)
    for masked in (False, True):
        few = text(rng, 2 if masked else 6) + ". "
        rows = {k: [] for k in KINDS}
        for i in range(6):
            words = 1 if i == 2 else 3 + 2 * i
            if masked:
                words = 1 + i
            before = (few if i % 2 else "") + text(rng, words)
            prompt = (before + (" " if i == 4 else "")) if not masked else before + "<mask> " + text(rng, 2)
            if i == 0 and not masked:
                prompt = ""
            many = options(rng, 2 + i % 3, 1 if masked and i % 2 else 2)
            rows["choice"].append({"prompt": prompt, "choices": many, "answer": rng.randrange(len(many))})
            answers = options(rng, 1 + i % 2, 2)
            if i == 3:
                answers = [" the", " a"]
            rows["completion"].append({"prompt": prompt, "answers": answers})
            chosen, rejected = options(rng, 2, 3)
            rows["preference"].append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
        for kind in KINDS:
            with open(f"{HERE}/{'masked_' if masked else ''}{kind}.jsonl", "w", encoding="utf-8") as f:
                for row in rows[kind]:
                    f.write(json.dumps(row) + "\n")


def encode_causal(tokenizer, prompt, option):
    """Token ids, the first row that is scored, the targets."""
    bare = prompt.rstrip(" ")
    alone, whole = tokenizer.encode(bare).ids, tokenizer.encode(bare + prompt[len(bare):] + option).ids
    n = 0
    while n < len(alone) and n < len(whole) and alone[n] == whole[n]:
        n += 1
    if n == 0:
        whole, n = [tokenizer.token_to_id("<s>")] + whole, 1
    return whole[:-1], n - 1, whole[n:]


def encode_masked(tokenizer, prompt, option):
    ids, mask = tokenizer.encode(prompt).ids, tokenizer.token_to_id("<mask>")
    answer = tokenizer.encode(option, add_special_tokens=False).ids
    at = ids.index(mask)
    assert ids.count(mask) == 1
    return ids[:at] + [mask] * len(answer) + ids[at + 1:], at, answer


@torch.inference_mode()
def score(model, masked, tokenizer, prompt, option, context):
    """[log probability, tokens, greedy, rank], or None if it does not fit."""
    ids, first, answer = (encode_masked if masked else encode_causal)(tokenizer, prompt, option)
    if len(ids) > context:
        return None
    more = {} if masked else dict(use_cache=False)
    logits = model(torch.tensor([ids]), **more).logits[0, first:first + len(answer)].double()
    log_p = torch.log_softmax(logits, -1)
    above = (logits > logits.gather(-1, torch.tensor(answer)[:, None])).sum(-1).tolist()
    rank = above[0]
    if len(answer) == 1:  # as LASER's program for CounterFact compares
        clean = option.lower().strip()
        for t in range(logits.shape[-1]):
            if tokenizer.decode([t], skip_special_tokens=False).lower().strip() == clean:
                rank = min(rank, (logits[0] > logits[0, t]).sum().item())
    return [sum(log_p[i, t].item() for i, t in enumerate(answer)), len(answer), not any(above), rank]


def metrics(kind, question, o):
    p, norm = [x[0] for x in o], [x[0] / x[1] for x in o]
    if kind == "choice":
        a = question["answer"]
        return {"accuracy": float(all(p[a] > x for i, x in enumerate(p) if i != a)),
                "accuracy_per_token": float(all(norm[a] > x for i, x in enumerate(norm) if i != a)),
                **log_loss_and_brier(p, a)}
    if kind == "preference":
        return {"preference": float(p[0] > p[1]), "preference_norm": float(norm[0] > norm[1]), "margin": p[0] - p[1],
                "margin_norm": norm[0] - norm[1]}
    best, rank = max(o, key=lambda x: x[0]), min(x[3] for x in o)
    return {"accuracy": float(any(x[2] for x in o)), "log_loss": -best[0] / best[1], "log_loss_sum": -best[0],
            "top_1": float(rank < 1), "top_5": float(rank < 5), "top_10": float(rank < 10)}


def texts_of(kind, question):
    if kind == "choice":
        return question["choices"]
    return question["answers"] if kind == "completion" else [question["chosen"], question["rejected"]]


def ask(model, masked, tokenizer, context):
    rows = []
    for kind in KINDS:
        for number, line in enumerate(open(f"{HERE}/{'masked_' if masked else ''}{kind}.jsonl", encoding="utf-8"), 1):
            question = json.loads(line)
            o = [score(model, masked, tokenizer, question["prompt"], x, context) for x in texts_of(kind, question)]
            if all(o):
                rows.append({"task": kind, "line": number, "options": o, "metrics": metrics(kind, question, o)})
    return rows


def means(rows):
    """Of each task's figures, over its questions."""
    found = {}
    for row in rows:
        for name, value in row["metrics"].items():
            found.setdefault(row["task"], {}).setdefault(name, []).append(value)
    return {t: {name: float(f"{sum(v) / len(v):.10g}") for name, v in m.items()} for t, m in found.items()}


def worst(rows, exact):
    """Largest relative difference of log probabilities, and of the figures made of them."""
    p = max(abs(x[0] / y[0] - 1) for a, b in zip(rows, exact) for x, y in zip(a["options"], b["options"]))
    figures = max(abs(v - b["metrics"][k]) / abs(v) for a, b in zip(rows, exact) for k, v in a["metrics"].items() if v)
    return p, figures


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    os.makedirs(HERE, exist_ok=True)
    write_tokenizers()
    write_questions()
    found = {}
    if os.path.exists(f"{HERE}/golden.json"):
        with open(f"{HERE}/golden.json", encoding="utf-8") as f:
            found = json.load(f)["models"]
    for name in sys.argv[1:]:
        path = f"{MODELS}/{name}"
        config = AutoConfig.from_pretrained(path)
        masked = "roberta" in config.model_type or config.model_type in ("albert", "deberta-v2")
        tokenizer = Tokenizer.from_file(f"{HERE}/{'masked_' if masked else ''}tokenizer.json")
        more = {} if masked else dict(experts_implementation="eager")
        model = (AutoModelForMaskedLM if masked else AutoModelForCausalLM).from_pretrained(
            path, dtype=torch.float32, attn_implementation="eager", **more).eval()
        context = getattr(config, "max_position_embeddings", 1 << 20) - (config.pad_token_id + 1 if "roberta" in config.model_type else 0)
        found[name] = ask(model, masked, tokenizer, context)
        for module in model.modules():
            if hasattr(module, "reorder_and_upcast_attn"):
                module.reorder_and_upcast_attn = False  # is for float32 only
        exact = ask(model.double(), masked, tokenizer, context)
        longest = [len(found[name]), sum(len(r["options"]) for r in found[name])]
        print(f"{name:20s} {longest[0]:3d} questions {longest[1]:3d} options; float32 against float64: log p %.1e, figures %.1e"
              % worst(found[name], exact), file=sys.stderr)
    with open(f"{HERE}/golden.json", "w", encoding="utf-8") as f:
        f.write(f'{{"made_with": "transformers {transformers.__version__}, torch {torch.__version__}", "models": {{\n')
        for i, (name, rows) in enumerate(found.items()):
            for row in rows:
                row["options"] = [[float(f"{o[0]:.10g}"), *o[1:]] for o in row["options"]]
                row["metrics"] = {k: float(f"{v:.10g}") for k, v in row["metrics"].items()}
            f.write((",\n" if i else "") + json.dumps(name) + ": [\n" + ",\n".join(json.dumps(r) for r in rows) + "]")
        f.write('\n}, "means": {\n')
        f.write(",\n".join(json.dumps(name) + ": " + json.dumps(means(rows)) for name, rows in found.items()) + "\n}}\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes tests/golden/task/*.jsonl (questions on the demo's text) and questions.golden.json: what transformers says of
them, option by option without any sharing.  Run from the top of the source tree; names its versions in the file.

    python3 tools/golden/make_tasks.py [MODEL_DIR TASK.jsonl... --out FILE]    checks of other models and tasks
"""
import json
import math
import random
import re
import sys

import torch
import transformers

HERE = "tests/golden/task/"


def make_tasks():
    random.seed(6)
    text = open("inputs/demo-text/selection.txt", encoding="utf-8").read()
    lines = [s.strip() for s in re.split(r"(?<=[.?!])\s+", text) if 12 <= len(s.split()) <= 26]
    words = sorted(set(re.findall(r"[a-z]{4,}", text)))
    few = "And it came to pass in the days of the judges, that there was a famine in the land. "
    choice, completion, preference = [], [], []
    for i, s in enumerate(lines[:40]):
        w = s.split()
        k = len(w) // 2
        right = " " + " ".join(w[k:k + 1 + i % 3])
        wrong = {" " + " ".join(random.sample(words, 1 + (i + j) % 3)) for j in range(2 + i % 4)} - {right}
        options = sorted(wrong) + [right]
        random.shuffle(options)
        choice.append({"prompt": (few if i % 2 else "") + " ".join(w[:k]), "choices": options,
                       "answer": options.index(right)})
        answers = [" " + w[k]] + ([" " + w[k].upper()] if i % 3 == 0 and w[k] != w[k].upper() else [])
        completion.append({"prompt": " ".join(w[:k]), "answers": answers})
        end = w[k:]
        other = end[::-1]
        if other != end:
            preference.append({"prompt": " ".join(w[:k]), "chosen": " " + " ".join(end), "rejected": " " + " ".join(other)})
    for name, questions in (("choice", choice), ("completion", completion), ("preference", preference)):
        with open(HERE + name + ".jsonl", "w", encoding="utf-8") as f:
            for q in questions:
                f.write(json.dumps(q) + "\n")


def split(tokenizer, prompt, option):
    bare = prompt.rstrip(" ")
    option = prompt[len(bare):] + option
    alone, whole = tokenizer(bare).input_ids, tokenizer(bare + option).input_ids
    n = 0
    while n < len(alone) and n < len(whole) and alone[n] == whole[n]:
        n += 1
    if n == 0:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return [start], whole
    return whole[:n], whole[n:]


@torch.no_grad()
def score(model, tokenizer, prompt, option):
    context, answer = split(tokenizer, prompt, option)
    logits = model(torch.tensor([context + answer[:-1]])).logits[0, len(context) - 1:].double()
    log_p = torch.log_softmax(logits, -1)
    values = [log_p[i, t].item() for i, t in enumerate(answer)]
    greedy = all(logits[i].argmax().item() == t for i, t in enumerate(answer))
    rank = (logits[0] > logits[0, answer[0]]).sum().item()
    if len(answer) == 1:  # as LASER's program for CounterFact compares
        clean = option.lower().strip()
        order = torch.argsort(logits[0], descending=True)[:10].tolist()
        hits = [k for k, t in enumerate(tokenizer.batch_decode([[t] for t in order])) if t.lower().strip() == clean]
        rank = min([rank] + hits)
    return {"p": sum(values), "n": len(answer), "greedy": greedy, "rank": rank}


def log_loss_and_brier(p, a):
    """Of the right one's share, without cancellation where it is almost 1."""
    w = [math.exp(x - max(p)) for x in p]
    others = sum(x for i, x in enumerate(w) if i != a)
    loss = math.log1p(others) if p[a] == max(p) else max(p) - p[a] + math.log(sum(w))
    return {"log_loss": loss, "brier": sum((others if i == a else x) ** 2 for i, x in enumerate(w)) / sum(w) ** 2}


def options(model, tokenizer, q):
    """The scores of a question's options, and what questions.jsonl tells of them."""
    texts = q.get("choices") or q.get("answers") or [q["chosen"], q["rejected"]]
    o = [score(model, tokenizer, q["prompt"], text) for text in texts]
    p = [x["p"] for x in o]
    told = {"log_probabilities": p, "tokens": [x["n"] for x in o], "best": p.index(max(p))}
    return o, {**told, "answer": q["answer"]} if "choices" in q else told


def metrics(o, q):
    if "choices" in q:
        a, p = q["answer"], [x["p"] for x in o]
        texts = [t[1:] if t.startswith(" ") else t for t in q["choices"]]  # the harness's choices: without what joins them

        def first(lengths):
            norm = [x / length for x, length in zip(p, lengths)]
            return float(all(norm[a] > norm[i] for i in range(len(p)) if i != a))

        return {"accuracy": first([1] * len(p)), "accuracy_per_token": first([x["n"] for x in o]),
                "accuracy_per_character": first([len(t) for t in texts]),
                "accuracy_per_byte": first([len(t.encode()) for t in texts]), **log_loss_and_brier(p, a)}
    if "chosen" in q:
        c, r = o
        margin, norm = c["p"] - r["p"], c["p"] / c["n"] - r["p"] / r["n"]
        return {"preference": float(margin > 0), "preference_norm": float(norm > 0), "margin": margin,
                "margin_norm": norm}
    best, rank = max(o, key=lambda x: x["p"]), min(x["rank"] for x in o)
    return {"accuracy": float(any(x["greedy"] for x in o)), "log_loss": -best["p"] / best["n"],
            "log_loss_sum": -best["p"], "top_1": float(rank < 1), "top_5": float(rank < 5), "top_10": float(rank < 10)}


def main():
    torch.set_num_threads(1)
    directory, files, out = "inputs/demo-model", None, HERE + "questions.golden.json"
    if len(sys.argv) > 1:
        directory, files, out = sys.argv[1], sys.argv[2:-2], sys.argv[-1]
    else:
        make_tasks()
        files = [HERE + n + ".jsonl" for n in ("choice", "completion", "preference")]
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, torch_dtype=torch.float32).eval()
    rows = []
    for path in files:
        task = path.split("/")[-1].split(".")[0]
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            q = json.loads(line)
            o, told = options(model, tokenizer, q)
            rows.append({"task": task, "line": number, "metrics": metrics(o, q), **told})
    with open(out, "w", encoding="utf-8") as f:
        versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
        f.write('{"made_by": ' + json.dumps(versions) + ', "questions": [\n')
        f.write(",\n".join(json.dumps(r) for r in rows) + "\n]}\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Golden values of `task convert` and `evaluate` for the sets that lm-evaluation-harness asks: made items in the sets'
layouts, and what the harness asks and finds with its own task files.  Run from the top of the source tree; needs
lm_eval 0.4.13, transformers, torch.

    python3 tools/golden/make_harness.py                          tests/golden/harness/, of the demo model
    python3 tools/golden/make_harness.py MODEL DIR OUT.json [N]   (--continue: an earlier start) another model on files of the same names in DIR
"""
import csv
import json
import os
import random
import re
import sys
import tempfile

import lm_eval
import lm_eval.tasks
import torch
import transformers
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml

HERE = "tests/golden/harness/"
TASKS = os.path.dirname(lm_eval.tasks.__file__)
# The harness's task, its file, and the file that it reads here (of the hub's layout).
SETS = {
    "hellaswag": ("hellaswag/hellaswag.yaml", "hellaswag.jsonl"),
    "winogrande": ("winogrande/default.yaml", "winogrande.jsonl"),
    "arc": ("arc/arc_easy.yaml", "arc_hub.jsonl"),
    "mmlu": ("mmlu/default/mmlu_high_school_biology.yaml", "mmlu_hub.jsonl"),
    "piqa": ("piqa/piqa.yaml", "piqa_hub.jsonl"),
    "openbookqa": ("openbookqa/openbookqa.yaml", "openbookqa_hub.jsonl"),
    "lambada": ("lambada/lambada_openai.yaml", "lambada.jsonl"),
    "boolq": ("super_glue/boolq/default.yaml", "boolq_hub.jsonl"),
}


def lines(name, items):
    with open(HERE + name, "w", encoding="utf-8") as f:
        for item in items:
            f.write(json.dumps(item, ensure_ascii=False) + "\n")


def make_items():
    random.seed(19)
    text = open("inputs/demo-text/selection.txt", encoding="utf-8").read()
    sentences = [s.strip().replace("\n", " ") for s in re.split(r"(?<=[.?!])\s+", text)]
    sentences = [s for s in sentences if 14 <= len(s.split()) <= 24 and '"' not in s][:60]
    words = sorted(set(re.findall(r"[a-z]{4,}", text)))

    def ends(i, n):
        """The right end of a sentence among n - 1 others of other lengths, and where it is."""
        w = sentences[i].split()
        k = len(w) * 2 // 3
        right = " ".join(w[k:])
        others = [" ".join(random.sample(words, 1 + (i + 3 * j) % 7)) for j in range(n - 1)]
        place = random.randrange(n)
        return " ".join(w[:k]), others[:place] + [right] + others[place:], place

    hellaswag, winogrande, lambada = [], [], []
    for i in range(12):
        start, endings, place = ends(i, 4)
        w = start.split()
        endings = [e + (" [step] and  so" if j == i % 4 else " [title] So") if i % 3 == 0 else e for j, e in enumerate(endings)]
        hellaswag.append({"ind": i, "activity_label": ["Walking home", "Éating  bread"][i % 2], "ctx_a": " ".join(w[:-3]),
                          "ctx_b": (" ".join(w[-3:])).upper() if i % 4 == 0 else " ".join(w[-3:]) if i % 4 < 3 else "",
                          "ctx": start, "split": "val", "split_type": "indomain", "label": place if i % 2 else str(place),
                          "endings": endings, "source_id": "made~%d" % i})
        w = sentences[12 + i].split()
        options = [w[4], random.choice(words)]
        answer = i % 2
        if answer:
            options.reverse()
        winogrande.append({"qID": "made-%d" % i, "sentence": " ".join(w[:4] + ["_"] + w[5:]) + (" " if i % 5 == 0 else ""),
                           "option1": options[0], "option2": options[1], "answer": str(answer + 1)})
        lambada.append({"text": re.sub(r"\W+$", "", sentences[24 + i]) + ("" if i % 3 else "'s")})
    arc, arc_hub, book, book_hub = [], [], [], []
    for i in range(12):
        stem, options, place = ends(24 + i, 4 if i % 4 else 3)
        labels = (["1", "2", "3", "4"] if i % 5 == 0 else ["A", "B", "C", "D"])[:len(options)]
        nested = [{"text": t, "label": l} for t, l in zip(options, labels)]
        flat = {"text": options, "label": labels}
        arc.append({"id": "A%d" % i, "question": {"stem": stem, "choices": nested}, "answerKey": labels[place]})
        arc_hub.append({"id": "A%d" % i, "question": stem, "choices": flat, "answerKey": labels[place]})
        labels = ["A", "B", "C", "D"][:len(options)]
        nested, flat = [{"text": t, "label": l} for t, l in zip(options, labels)], {"text": options, "label": labels}
        book.append({"id": "B%d" % i, "question": {"stem": stem, "choices": nested}, "answerKey": labels[place]})
        book_hub.append({"id": "B%d" % i, "question_stem": stem, "choices": flat, "answerKey": labels[place]})
    mmlu, mmlu_hub, piqa, piqa_hub, boolq, boolq_hub = [], [], [], [], [], []
    for i in range(12):
        stem, options, place = ends(36 + i, 4)
        stem = stem + (", and\nthen," if i % 4 == 1 else "  " if i % 4 == 2 else "")
        mmlu.append([stem] + options + ["ABCD"[place]])
        mmlu_hub.append({"question": stem, "subject": "high_school_biology", "choices": options, "answer": place})
        stem, options, place = ends(46 + i % 12, 2)
        options = [options[0] + (" " if i % 3 == 0 else ""), options[1] + ("…" if i % 4 == 0 else "")]
        piqa.append({"goal": stem, "sol1": options[0], "sol2": options[1]})
        piqa_hub.append(dict(piqa[-1], label=place))
        yes = bool((i * 7) % 3)
        boolq.append({"question": "is it true that " + " ".join(sentences[i].split()[:6]).lower(), "title": "Made %d" % i,
                      "answer": yes, "passage": sentences[i + 1]})
        boolq_hub.append({"question": boolq[-1]["question"], "passage": boolq[-1]["passage"], "idx": i, "label": int(yes)})
    for name, items in (("hellaswag", hellaswag), ("winogrande", winogrande), ("lambada", lambada), ("arc", arc),
                        ("arc_hub", arc_hub), ("openbookqa", book), ("openbookqa_hub", book_hub), ("mmlu_hub", mmlu_hub),
                        ("piqa", piqa), ("piqa_hub", piqa_hub), ("boolq", boolq), ("boolq_hub", boolq_hub)):
        lines(name + ".jsonl", items)
    with open(HERE + "piqa-labels.lst", "w", encoding="utf-8") as f:
        f.write("".join("%d\n" % item["label"] for item in piqa_hub))
    with open(HERE + "high_school_biology_test.csv", "w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(mmlu)


def ask(model, directory, name, limit=None):
    config_file, file = SETS[name]
    config = load_yaml(os.path.join(TASKS, config_file))
    with tempfile.TemporaryDirectory() as scratch:
        items = [json.loads(s) for s in open(os.path.join(directory, file), encoding="utf-8")][:limit]
        for item in items:
            if "label" in item and name == "hellaswag":
                item["label"] = str(item["label"])
        path = os.path.join(scratch, "items.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(json.dumps(item) + "\n" for item in items))
        config.update(dataset_path="json", dataset_name=None, dataset_kwargs={"data_files": {"test": path}},
                      test_split="test", validation_split=None, training_split=None, fewshot_split=None, num_fewshot=0)
        config.pop("tag", None)
        config.pop("fewshot_config", None)
        task = ConfigurableTask(config=config)
        result = lm_eval.simple_evaluate(model=model, tasks=[task], log_samples=True, bootstrap_iters=0, verbosity="ERROR")
    key = next(iter(result["samples"]))
    found = []
    for sample in sorted(result["samples"][key], key=lambda s: s["doc_id"]):
        one = {"arguments": [list(a) for a in sample["arguments"]],
               "log_probabilities": [r[0][0] for r in sample["resps"]],
               "greedy": [bool(r[0][1]) for r in sample["resps"]]}
        one["metrics"] = {m: sample[m] for m in ("acc", "acc_norm") if m in sample}
        found.append(one)
    totals = {k.split(",")[0]: v for k, v in result["results"][key].items()
              if k.split(",")[0] in ("acc", "acc_norm", "perplexity")}
    return {"totals": totals, "items": found}


def main():
    go_on = "--continue" in sys.argv  # keep the sets that the file has already
    arguments = [a for a in sys.argv[1:] if a != "--continue"]
    made = len(arguments) < 3
    if made:
        os.makedirs(HERE, exist_ok=True)
        make_items()
    directory, model_dir, out = (HERE, "inputs/demo-model", HERE + "golden.json") if made else \
        (arguments[1], arguments[0], arguments[2])
    limit = int(arguments[3]) if len(arguments) > 3 else None
    model = HFLM(pretrained=model_dir, dtype="float32", device="cpu", batch_size=1)
    golden = {"script": "tools/golden/make_harness.py", "lm_eval": lm_eval.__version__, "torch": torch.__version__,
              "transformers": transformers.__version__}
    if go_on and os.path.exists(out):
        golden = json.load(open(out, encoding="utf-8"))
    for name, (_, file) in SETS.items():
        if name in golden or not os.path.exists(os.path.join(directory, file)):
            continue
        golden[name] = ask(model, directory, name, limit)
        print(name, golden[name]["totals"], flush=True)
        with open(out, "w", encoding="utf-8") as f:
            json.dump(golden, f, indent=1, ensure_ascii=False)
            f.write("\n")


if __name__ == "__main__":
    main()

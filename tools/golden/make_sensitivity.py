#!/usr/bin/env python3
"""Golden values for `laser_mpi sensitivity` on the demo model: torch's autograd in float64, straight from the formulas of
doc/sensitivity.md.

    python3 tools/golden/make_sensitivity.py > tests/golden/sensitivity.json
    python3 tools/golden/make_sensitivity.py task > tests/golden/sensitivity_task.json

The first WINDOWS windows of SEQLEN tokens of inputs/demo-text/selection.txt; every token but a window's first is scored.
W = U S V^T in float64 and p_ti = (u_i . delta_t)(v_i . x_t), with delta the gradient of the summed loss at the output of a
layer and x its input.  Written: the loss, for every matrix what the cut to a quarter of its values is predicted to do,
g . d + d' F d / 2 with F between all values ("block") or its diagonal alone, and for some matrices gradient and Fisher information (diagonal) of every
singular value, largest value first, per scored token.  On stderr: how far torch in float32 is from this.  The committed file
was made with transformers 5.24.0 and torch 2.15.0 (CPU).

`task`: the same of the objective log_loss on the first QUESTIONS questions of tests/golden/task/choice.jsonl, per question.  An option with
-log p = n_i has the slope c_i = dL/dn_i of the question's loss L = n_answer + ln sum_i exp(-n_i), which autograd gives; its tokens count
c_i p_ti in g and |c_i| p_ti p_tj in F, where p is of n_i.
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
SEQLEN, WINDOWS, QUESTIONS = 128, 6, 8
WHOLE = ("layers.0.self_attn.k_proj", "layers.2.self_attn.q_proj", "layers.3.mlp.down_proj", "layers.4.mlp.up_proj")


def watch(model):
    """Hooks: after a backward pass `terms` has p [tokens, values] of every matrix.  Also their singular values."""
    layers = {name: m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and ".layers." in name}
    svd = {name: torch.linalg.svd(m.weight.detach().double(), full_matrices=False) for name, m in layers.items()}
    inputs, terms = {}, {}

    def keep(name):
        return lambda module, args, out: inputs.__setitem__(name, args[0].detach().flatten(0, 1).double())

    def add(name):
        def hook(module, _, grads):
            u, _, v = svd[name]
            terms[name] = (grads[0].flatten(0, 1).double() @ u) * (inputs[name] @ v.T)
        return hook

    for name, m in layers.items():
        m.register_forward_hook(keep(name))
        m.register_full_backward_hook(add(name))
    return terms, {name: s for name, (_, s, _) in svd.items()}


def statistics(model, tokens):
    """Loss per scored token; by matrix S, g and F, per scored token."""
    terms, sigma = watch(model)
    logits = model(tokens, use_cache=False).logits[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum")
    loss.backward()
    n = tokens[:, 1:].numel()
    return loss.item() / n, {name: (sigma[name], p.sum(0) / n, p.T @ p / n) for name, p in terms.items()}


def task_statistics(model, questions, split):
    """Log loss per question; by matrix S, g and F, per question.  questions: prompt, choices, answer."""
    terms, sigma = watch(model)
    total, sums = 0, {}
    for q in questions:
        options = [split(q["prompt"], c) for c in q["choices"]]

        def nats(option):
            context, answer = option
            logits = model(torch.tensor([context + answer[:-1]]), use_cache=False).logits[0, len(context) - 1:]
            return torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="sum")

        with torch.no_grad():
            n = torch.stack([nats(o) for o in options])
        n.requires_grad_()
        loss = n[q["answer"]] + torch.logsumexp(-n, 0)
        slopes = torch.autograd.grad(loss, n)[0].double()
        total += loss.item()
        for option, c in zip(options, slopes):
            nats(option).backward()
            for name, p in terms.items():
                g, f = sums.setdefault(name, [0, 0])
                sums[name] = [g + c * p.sum(0), f + c.abs() * (p.T @ p)]
    m = len(questions)
    return total / m, {name: (sigma[name], g / m, f / m) for name, (g, f) in sums.items()}


def cut(s, g, f):
    """To the largest quarter of the values: predicted change of the loss."""
    d = -s.clone()
    d[: len(s) // 4] = 0
    return (g @ d + d @ f @ d / 2).item()


def numbers(values):
    return [float(f"{v:.7g}") for v in values.tolist()]


def main():
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    directory = ROOT / "inputs" / "demo-model"
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if sys.argv[1:] == ["task"]:
        sys.path.insert(0, str(ROOT / "tools" / "golden"))
        from make_tasks import split
        lines = (ROOT / "tests" / "golden" / "task" / "choice.jsonl").read_text(encoding="utf-8").splitlines()
        questions = [json.loads(line) for line in lines[:QUESTIONS]]
        measure = lambda model: task_statistics(model, questions, lambda *a: split(tokenizer, *a))  # noqa: E731
        about = {"task": "choice.jsonl", "objective": "log_loss", "questions": QUESTIONS}
    else:
        text = (ROOT / "inputs" / "demo-text" / "selection.txt").read_text(encoding="utf-8")
        tokens = tokenizer(text, return_tensors="pt").input_ids[0]
        tokens = tokens[: WINDOWS * SEQLEN].view(-1, SEQLEN)
        measure = lambda model: statistics(model, tokens)  # noqa: E731
        about = {"seqlen": SEQLEN, "windows": WINDOWS, "tokens": tokens[:, 1:].numel()}
    results = []
    for dtype in (torch.float32, torch.float64):
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
        results.append(measure(model.to(dtype)))
    single, (loss, exact) = results[0][1], results[1]
    for k, what in ((1, "gradient"), (2, "fisher")):
        error = max(((single[n][k] - m[k]).abs().max() / m[k].abs().max()).item() for n, m in exact.items())
        print(f"{what}: torch in float32 is off by {error:.1e} of the largest value of a matrix", file=sys.stderr)
    print(json.dumps({
        "made_by": "tools/golden/make_sensitivity.py", "torch": torch.__version__,
        "transformers": transformers.__version__, **about, "loss": loss,
        "cut": {"block": {n + ".weight": float(f"{cut(*m):.9g}") for n, m in exact.items()},
                "diagonal": {n + ".weight": float(f"{cut(s, g, f.diagonal().diag()):.9g}")
                             for n, (s, g, f) in exact.items()}},
        "matrices": {n + ".weight": {"gradient": numbers(exact[n][1]), "fisher": numbers(exact[n][2].diagonal())}
                     for n in ("model." + w for w in WHOLE)},
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()

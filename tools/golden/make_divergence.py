#!/usr/bin/env python3
"""Golden values of src/corpus/divergence and of `laser_mpi compare`: KL divergence and what goes with it, by plain torch
in float64.  Run from the top of the source tree.

    python3 tools/golden/make_divergence.py figures                 torch and numpy
    python3 tools/golden/make_divergence.py models E2E_TOOL         transformers too: the demo model against itself
                                                                    with noise on some matrices (e2e_tool noise)
    python3 tools/golden/make_divergence.py compare A B TEXT SEQLEN [WINDOWS]
                                                                    two models, printed: for looking

`figures` writes tests/golden/divergence.json, `models` tests/golden/demo_divergence.json.
"""
import json
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch

DRAWS = 200
NOISE = ["0.05", "7", "model.layers.0.mlp.down_proj.weight", "model.layers.1.self_attn.o_proj.weight"]


def splitmix(state):
    mask = (1 << 64) - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def of_logits(a, b, targets):
    """Of each row: KL(base || other), both losses of the target, whether the first choice is the same."""
    p, q = torch.log_softmax(a.double(), -1), torch.log_softmax(b.double(), -1)
    rows = torch.arange(len(targets))
    kl = (p.exp() * (p - q)).sum(-1)
    return (kl.tolist(), (-p[rows, targets]).tolist(), (-q[rows, targets]).tolist(),
            (a.argmax(-1) == b.argmax(-1)).double().tolist())


def over_windows(values, windows):
    """Ratio estimator (Cochran, section 2.11)."""
    values, n = np.array(values), len(windows)
    mean = values.mean()
    off = [(values[w] - mean).sum() for w in windows]
    return mean, float(np.sqrt(n / (n - 1) * np.sum(np.square(off))) / len(values)) if n > 1 else None


def figures_of(kl, base, other, top, counts):
    ends = np.cumsum(counts)
    windows = [np.arange(e - c, e) for e, c in zip(ends, counts)]
    kl, dp = np.array(kl), np.exp(-np.array(other)) - np.exp(-np.array(base))
    shares = {"median": 50, "p95": 95, "p99": 99, "p999": 99.9}
    drawn, numbers = [], splitmix(0)
    for _ in range(DRAWS):
        chosen = [windows[next(numbers) % len(counts)] for _ in counts]
        drawn.append(np.percentile(kl[np.concatenate(chosen)], list(shares.values())))
    spread = np.std(drawn, axis=0, ddof=1)
    square, square_error = over_windows(dp**2, windows)
    rms = float(np.sqrt(square))
    result = {"windows": len(counts), "tokens": len(kl), "largest": float(kl.max())}
    for name, (mean, error) in (("kl", over_windows(kl, windows)), ("same_top", over_windows(top, windows)),
                                ("dp", over_windows(dp, windows)), ("dp_rms", (rms, square_error / (2 * rms)))):
        result[name] = {"value": float(mean), "stderr": error}
    for i, (name, share) in enumerate(shares.items()):
        result[name] = {"value": float(np.percentile(kl, share)), "stderr": float(spread[i])}
    return result


def figures():
    torch.manual_seed(19)
    counts = [7, 7, 1, 12, 7, 30, 7, 7, 3]
    n, vocabulary = sum(counts), 97
    a = torch.randn(n, vocabulary, dtype=torch.float64) * 3
    b = a + torch.randn(n, vocabulary, dtype=torch.float64) * torch.rand(n, 1, dtype=torch.float64)
    kl, base, other, top = of_logits(a, b, torch.randint(vocabulary, (n,)))
    with open("tests/golden/divergence.json", "w", encoding="utf-8") as f:
        json.dump({"script": "tools/golden/make_divergence.py figures", "torch": torch.__version__,
                   "numpy": np.__version__, "counts": counts, "kl": kl, "nll_base": base, "nll_other": other,
                   "same_top": top, "figures": figures_of(kl, base, other, top, counts)}, f, indent=1)
        f.write("\n")


@torch.no_grad()
def compare(dir_a, dir_b, text, seqlen, most=None):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(dir_a)
    models = [transformers.AutoModelForCausalLM.from_pretrained(d, dtype=torch.float64).eval() for d in (dir_a, dir_b)]
    ids = tokenizer(open(text, encoding="utf-8").read(), return_tensors="pt").input_ids[0]
    rows = ids[: len(ids) // seqlen * seqlen].reshape(-1, seqlen)[:most]
    columns, counts = [[], [], [], []], []
    for row in rows:
        a, b = (m(row[None]).logits[0, :-1] for m in models)
        common = min(a.shape[-1], b.shape[-1])
        for column, values in zip(columns, of_logits(a[:, :common], b[:, :common], row[1:])):
            column += values
        counts.append(seqlen - 1)
    return figures_of(*columns, counts), transformers.__version__


def models(tool):
    with tempfile.TemporaryDirectory() as scratch:
        other = scratch + "/other"
        shutil.copytree("inputs/demo-model", other)
        subprocess.run([tool, "noise", other + "/model.safetensors"] + NOISE, check=True)
        result, version = compare("inputs/demo-model", other, "inputs/demo-text/selection.txt", 128)
    with open("tests/golden/demo_divergence.json", "w", encoding="utf-8") as f:
        json.dump({"script": "tools/golden/make_divergence.py models", "torch": torch.__version__,
                   "transformers": version, "noise": NOISE, "figures": result}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    if sys.argv[1] == "figures":
        figures()
    elif sys.argv[1] == "models":
        models(sys.argv[2])
    else:
        print(json.dumps(compare(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]),
                                 int(sys.argv[6]) if len(sys.argv) > 6 else None)[0], indent=1))

#!/usr/bin/env python3
"""Plants a difference of known rank and Gaussian noise, and measures how near `reduce --base` comes to the noise-free model.

    tools/planted_difference.py --program ./laser_mpi --model DIR --selection FILE --held-out FILE --work DIR \
        [--seeds 0,1,2,3,4] [--rank 4] [--signal 2.5] [--noise 0.2]

The model is the noise-free one.  In every 2-D weight inside layers a difference of this rank, whose singular values are 1.2
to SIGNAL times the edge of the noise, is taken away for the base, and noise of NOISE times the matrix's own standard
deviation is added for the tuned model.  Beside the reduced model, all differences cut at one rank are evaluated on the
held-out text.  Exits with 1 if a cut at one rank is nearer to the noise-free model in any seed.
Needs numpy and safetensors with torch; prints Markdown.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import numpy
import torch
from safetensors.torch import load_file, save_file

RANKS = (1, 2, 3, 4, 5, 6, 8, 12, 16)


def is_matrix(name, t):
    return ".layers." in name and t.dim() == 2


def write(args, name, tensors):
    out = args.work / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for f in args.model.iterdir():
        if f.suffix != ".safetensors":
            shutil.copyfile(f, out / f.name)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    return out


def plant(args, seed):
    clean = {k: v.float() for k, v in load_file(args.model / "model.safetensors").items()}
    random, base, tuned = numpy.random.default_rng(seed), dict(clean), dict(clean)
    for name in sorted(n for n, t in clean.items() if is_matrix(n, t)):
        w = clean[name].double().numpy()
        rows, cols = w.shape
        sigma = args.noise * w.std()
        u, v = (numpy.linalg.qr(random.standard_normal((n, args.rank)))[0] for n in (rows, cols))
        s = sigma * (rows**0.5 + cols**0.5) * numpy.linspace(args.signal, 1.2, args.rank)
        base[name] = torch.from_numpy(w - (u * s) @ v.T).float()
        tuned[name] = torch.from_numpy(w + sigma * random.standard_normal((rows, cols))).float()
    for name, tensors in (("clean", clean), ("base", base), ("tuned", tuned)):
        write(args, name, tensors)
    return base, tuned


def cut(args, base, tuned):
    parts = {n: numpy.linalg.svd((t.double() - base[n].double()).numpy(), full_matrices=False)
             for n, t in tuned.items() if is_matrix(n, t)}
    for k in RANKS:
        low = {n: torch.from_numpy(base[n].double().numpy() + (u[:, :k] * s[:k]) @ v[:k]).float() for n, (u, s, v) in parts.items()}
        write(args, f"rank-{k}", tuned | low)


def run(args, *words):
    done = subprocess.run([args.program, *words, "--force", "--quiet", "--set", "log.progress=off"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: {done.stderr or done.stdout}")


def nll(args, model):
    out = args.work / "ppl"
    run(args, "perplexity", "--model", str(model), "--text", f"t={args.held_out}", "--output", str(out))
    return json.loads((out / "results.json").read_text())["perplexity"]["pooled"]["nll"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    for key in ("--model", "--work", "--selection", "--held-out"):
        p.add_argument(key, type=pathlib.Path, required=True)
    p.add_argument("--seeds", default="0,1,2,3,4")
    p.add_argument("--rank", type=int, default=4)
    p.add_argument("--signal", type=float, default=2.5)
    p.add_argument("--noise", type=float, default=0.2)
    args = p.parse_args()
    worse = False
    print("| seed | noise-free | base | tuned | best fixed rank | reduced | kept |\n|---|---|---|---|---|---|---|")
    for seed in args.seeds.split(","):
        base, tuned = plant(args, int(seed))
        cut(args, base, tuned)
        run(args, "reduce", "--model", str(args.work / "tuned"), "--base", str(args.work / "base"), "--text", f"t={args.selection}",
            "--output", str(args.work / "reduced"))
        kept = [d for d in json.loads((args.work / "reduced/results.json").read_text())["decisions"] if d["kept"]]
        clean, *others = (nll(args, args.work / m) for m in ("clean", "base", "tuned", "reduced/model"))
        fixed = {k: nll(args, args.work / f"rank-{k}") for k in RANKS}
        best = min(fixed, key=lambda k: abs(fixed[k] - clean))
        worse |= abs(others[2] - clean) >= abs(fixed[best] - clean)
        print(f"| {seed} | {clean:.4f} | {others[0]:.4f} | {others[1]:.4f} | {fixed[best]:.4f} (rank {best}) | {others[2]:.4f} |"
              f" {', '.join(d['edit'] + ' on ' + str(d['edits']) for d in kept)} |", flush=True)
    return worse


if __name__ == "__main__":
    sys.exit(main())

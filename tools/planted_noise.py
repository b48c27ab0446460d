#!/usr/bin/env python3
"""Plants Gaussian noise in a few matrices of a model and measures how much of the loss it cost is recovered.

    tools/planted_noise.py --program ./laser_mpi --model DIR --selection FILE --held-out FILE --work DIR \
        [--factors 0.5,1] [--seeds 0,1,2] [--matrices 3] [--max-bytes N] [--set KEY=VALUE ...]

For every seed and factor f: f times the matrix's own standard deviation of noise is added to the chosen matrices
(of all 2-D weights inside layers, drawn with the seed), the noisy model is reduced once with `--compat laserrmt`
and once with the defaults, both deciding on the selection text, and all models are evaluated on the held-out text.
recovered = (nll(noisy) - nll(reduced)) / (nll(noisy) - nll(clean)).  The clean model is reduced too; its change is
given with the standard error of the paired difference that the run reports.
Needs numpy and safetensors with torch (for bfloat16); prints Markdown.
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

torch.set_num_threads(1)


def plant(model, out, factor, seed, count):
    """Copies the model with noise in `count` matrices; returns their names."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(model, out, copy_function=shutil.copyfile)
    for path in out.rglob("*"):
        path.chmod(0o644 if path.is_file() else 0o755)
    tensors = load_file(model / "model.safetensors")
    names = sorted(n for n, t in tensors.items() if ".layers." in n and t.dim() == 2)
    rng = numpy.random.default_rng(seed)
    chosen = sorted(rng.choice(len(names), count, replace=False))
    for i in chosen:
        t = tensors[names[i]]
        w = t.to(torch.float64).numpy()
        noise = rng.standard_normal(w.shape) * (factor * w.std())
        tensors[names[i]] = torch.from_numpy(w + noise).to(t.dtype)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    return [names[i] for i in chosen]


def run(args, *words):
    command = args.launcher.split() + [args.program, *words, "--force", "--quiet", "--set", "log.progress=off"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")


def nll(args, model, label):
    out = args.work / f"ppl-{label}"
    run(args, "perplexity", "--model", str(model), "--text", f"text={args.held_out}", "--output", str(out),
        "--set", f"evaluate.max_bytes={args.held_out_bytes}")
    return json.loads((out / "results.json").read_text())["perplexity"]["pooled"]["nll"]


def reduce(args, model, label, *more):
    out = args.work / f"reduced-{label}"
    shutil.rmtree(out, ignore_errors=True)
    run(args, "reduce", "--model", str(model), "--text", f"text={args.selection}", "--output", str(out),
        "--set", f"evaluate.max_bytes={args.max_bytes}", *more)
    return out, json.loads((out / "results.json").read_text())


def kept(results):
    return sum(d["kept"] for d in results["decisions"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--launcher", default="", help="e.g. 'mpirun -n 2'")
    p.add_argument("--model", type=pathlib.Path, required=True)
    p.add_argument("--selection", required=True)
    p.add_argument("--held-out", required=True)
    p.add_argument("--work", type=pathlib.Path, required=True)
    p.add_argument("--factors", default="0.5,1")
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--matrices", type=int, default=3)
    p.add_argument("--max-bytes", type=int, default=0)
    p.add_argument("--held-out-bytes", type=int, default=0)
    p.add_argument("--no-clean", action="store_true")
    p.add_argument("--set", action="append", default=[], help="for the default run")
    args = p.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    ours = [w for s in args.set for w in ("--set", s)]
    clean = nll(args, args.model, "clean")
    print(f"clean: nll {clean:.5f}, perplexity {numpy.exp(clean):.4f}\n")
    print("| factor | seed | noisy ppl | compat ppl | default ppl | compat recovers | default recovers | kept | seconds |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for factor in map(float, args.factors.split(",")):
        shares = []
        for seed in map(int, args.seeds.split(",")):
            noisy = args.work / "noisy"
            names = plant(args.model, noisy, factor, seed, args.matrices)
            bad = nll(args, noisy, "noisy")
            row = []
            for label, more in (("compat", ["--compat", "laserrmt"]), ("default", ours)):
                out, results = reduce(args, noisy, label, *more)
                row.append((nll(args, out / "model", label), results))
            share = [(bad - value) / (bad - clean) for value, _ in row]
            shares.append(share)
            ppl = [numpy.exp(v) for v in (bad, row[0][0], row[1][0])]
            print(f"| {factor:g} | {seed} | {ppl[0]:.4f} | {ppl[1]:.4f} | {ppl[2]:.4f} | {100 * share[0]:.1f} % | "
                  f"{100 * share[1]:.1f} % | {kept(row[0][1])}, {kept(row[1][1])} | {row[0][1]['seconds']:.0f}, "
                  f"{row[1][1]['seconds']:.0f} |", flush=True)
            print("noise in", ", ".join(names), file=sys.stderr, flush=True)
        mean = numpy.mean(shares, axis=0)
        print(f"| {factor:g} | mean | | | | {100 * mean[0]:.1f} % | {100 * mean[1]:.1f} % | | |", flush=True)
    if not args.no_clean:
        out, results = reduce(args, args.model, "clean", *ours)
        d = results["report_difference"]
        value = nll(args, out / "model", "clean-reduced")
        print(f"\nclean model: {kept(results)} edits kept; report split {d['nll']:+.5f} +- {d['stderr']:.5f} nats; "
              f"held-out text {value - clean:+.5f} nats")


if __name__ == "__main__":
    main()

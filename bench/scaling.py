#!/usr/bin/env python3
"""Strong and weak scaling of the scan and of the evaluation, what `plan` estimates beside what is measured.

    bench/scaling.py PATH_OF_laser_mpi --model DIR --text FILE --work DIR [--workers 1,2] [--tokens 8192] [--rounds 3]
                     [--launcher 'mpirun -n {}']

A run of N workers has N + 1 ranks, the coordinator being one, and each worker one thread.  Strong: the same work for every
number of workers.  Weak: N times the layers (scan) or tokens (evaluation) for N workers.  The seconds are those of the phase in
results.json, the least of the rounds, which alternate, and so are the estimates, for which `plan` measures the machine; start
and files are left out of both.  The speed-up is that against one worker, for weak scaling in work done a second.  For an idle
machine.
"""
import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path


def launch(args, workers, command, *more):
    out = args.work / "out"
    shutil.rmtree(out, ignore_errors=True)
    line = args.launcher.format(workers + 1).split() + [args.program, command, "--model", args.model, *more]
    line += [] if command == "plan" else ["--output", str(out), "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr or done.stdout)
    return done.stdout, out


def estimate(args, workers, pattern, *more):
    return float(re.search(pattern + r".*?about ([0-9.]+) s", launch(args, workers, "plan", *more)[0]).group(1))


def measure(args, workers, command, phase, *more):
    phases = json.loads((launch(args, workers, command, *more)[1] / "results.json").read_text())["phases"]
    return next(p["seconds"] for p in phases if p["name"] == phase)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--model", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--workers", default="1,2")
    p.add_argument("--tokens", type=int, default=8192)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--launcher", default="mpirun -n {}")
    args = p.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    counts = [int(n) for n in args.workers.split(",")]
    layers = json.loads((Path(args.model) / "config.json").read_text())["num_hidden_layers"]

    def some_layers(n):
        return ["--matrices", "re:.*[.]layers[.](%s)[.].*proj.*" % "|".join(map(str, range(n)))]

    def text(tokens):
        return ["--text", f"text={args.text}", "--seqlen", "128", "--set", f"evaluate.max_tokens={tokens}"]

    most = max(counts)
    runs = [("scan", "strong", "scan", "scan", "TOTAL", lambda n: some_layers(layers)),
            ("scan", "weak", "scan", "scan", "TOTAL", lambda n: some_layers(layers * n // most)),
            ("evaluation", "strong", "perplexity", "perplexity", "EVALUATION", lambda n: text(args.tokens)),
            ("evaluation", "weak", "perplexity", "perplexity", "EVALUATION", lambda n: text(args.tokens * n // most))]
    seconds = {}
    for _ in range(args.rounds):
        for work, kind, command, phase, _line, options in runs:
            for n in counts:
                s = measure(args, n, command, phase, *options(n))
                seconds[work, kind, n] = min(s, seconds.get((work, kind, n), s))
    print("| work | scaling | workers | estimated s | measured s | speed-up estimated | measured |")
    print("|---|---|---|---|---|---|---|")
    for work, kind, command, phase, line, options in runs:
        guess = {n: min(estimate(args, n, line, *options(n)) for _ in range(args.rounds)) for n in counts}
        for n in counts:
            scale = n / counts[0] if kind == "weak" else 1
            print(f"| {work} | {kind} | {n} | {guess[n]:.2f} | {seconds[work, kind, n]:.2f} | "
                  f"{scale * guess[counts[0]] / guess[n]:.2f} | {scale * seconds[work, kind, counts[0]] / seconds[work, kind, n]:.2f} |")


if __name__ == "__main__":
    main()

"""Compares `laser_mpi perplexity` with transformers on the same token ids and the same two cores, in one run.

    perplexity_vs_peers.py PATH_OF_laser_mpi --work DIR [--shapes 135m,1.1b] [--seqlen 128,512] [--tokens N]
                           [--precisions float32,bfloat16] [--no-single]

Makes checkpoints of random bfloat16 weights in Llama shapes under DIR (outside the repository; used again when there), runs
`mpirun -n 3 laser_mpi perplexity` (the coordinator and two workers of one thread) and transformers on two threads, in inference mode,
one window a call and in batches of 1024 tokens, of which the faster counts.  Prints tokens/s, their ratio, the difference of
the mean losses, and the peak memory of all ranks (proportional set size).  Needs torch, transformers, numpy, safetensors.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

VOCABULARY = {"tiny": 512, "135m": 49152, "1.1b": 32000}


def make_model(work, shape):
    directory = work / shape
    if not (directory / "config.json").exists():
        tool = Path(__file__).resolve().parent.parent / "tools" / "make_random_model.py"
        subprocess.run([sys.executable, str(tool), "--shape", shape, "--dtype", "bf16", "--output", str(directory),
                        "--shard-mb", "100000"], check=True, stdout=subprocess.DEVNULL)
    return directory


def descendants(pid):
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
                parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                pass
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def watch_memory(process, peak):
    """Bytes of all processes below mpirun, shared pages counted once."""
    while process.poll() is None:
        total = 0
        for pid in descendants(process.pid):
            try:
                for line in Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += 1024 * int(line.split()[1])
            except OSError:
                pass
        peak[0] = max(peak[0], total)
        time.sleep(0.3)


def ours(program, model, ids, seqlen, precision, work):
    output = work / "out"
    command = ["mpirun", "-n", "3", program, "perplexity", "--model", str(model), "--text", f"ids={ids}",
               "--seqlen", str(seqlen), "--precision", precision, "--output", str(output), "--force"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=watch_memory, args=(process, peak))
    watcher.start()
    if process.wait() != 0:
        raise SystemExit("laser_mpi failed")
    watcher.join()
    results = json.loads((output / "results.json").read_text())
    pooled = results["perplexity"]["pooled"]
    return pooled["tokens_per_second"], pooled["nll"], peak[0], results


class Transformers:
    def __init__(self, model, precision):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(2)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, precision)).eval()

    def run(self, ids, seqlen, rows):
        """tokens/s and mean NLL."""
        torch, total, scored = self.torch, 0.0, 0
        windows = torch.tensor(ids[: len(ids) // seqlen * seqlen].astype(np.int64)).reshape(-1, seqlen)
        start = time.monotonic()
        with torch.inference_mode():
            for at in range(0, len(windows), rows):
                batch = windows[at : at + rows]
                logits = self.model(batch, use_cache=False).logits[:, :-1].float()
                total += torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]),
                                                           batch[:, 1:].reshape(-1), reduction="sum").item()
                scored += batch[:, 1:].numel()
        return windows.numel() / (time.monotonic() - start), total / scored


def compare(args, shape, precision):
    model = make_model(args.work, shape)
    ids = np.random.default_rng(1).integers(3, VOCABULARY[shape], args.tokens[shape], dtype=np.int32)
    path = args.work / f"{shape}.i32"
    ids.tofile(path)
    rows = {}
    for seqlen in args.seqlen:
        rows[seqlen] = ours(args.program, model, path, seqlen, precision, args.work)
    peer = Transformers(model, precision)
    for seqlen in args.seqlen:
        speed, nll, memory, results = rows[seqlen]
        peer.run(ids[:seqlen], seqlen, 1)
        batched, peer_nll = peer.run(ids, seqlen, max(1, 1024 // seqlen))
        single, _ = peer.run(ids, seqlen, 1) if args.single else (0, 0)
        print(f"| {shape} | {precision} | {seqlen} | {results['kernels']} | {speed:.1f} | {max(batched, single):.1f} | "
              f"{speed / max(batched, single):.2f} | {nll:.7f} | {(nll - peer_nll) / peer_nll:+.1e} | "
              f"{memory / 1e6:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--shapes", default="135m,1.1b")
    parser.add_argument("--seqlen", default="128,512")
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--tokens", default="135m=8192,1.1b=4096,tiny=8192")
    parser.add_argument("--no-single", dest="single", action="store_false", help="only batched calls of transformers")
    args = parser.parse_args()
    args.seqlen = [int(n) for n in args.seqlen.split(",")]
    args.tokens = {shape: int(n) for shape, n in (pair.split("=") for pair in args.tokens.split(","))}
    print("| shape | precision | seqlen | kernels | laser_mpi tokens/s | transformers tokens/s | ratio | NLL | relative to "
          "transformers' NLL | peak MB of all ranks |\n|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for shape in args.shapes.split(","):
        for precision in args.precisions.split(","):
            compare(args, shape, precision)


if __name__ == "__main__":
    main()

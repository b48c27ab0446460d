"""Compares the pass of `laser_mpi sensitivity` with its own forward pass and with the same pass in torch, in turns, on the
same tokens and as many cores.

    LASER_BENCH_MODEL=DIR LASER_BENCH_TEXT=FILE gradient_vs_torch.py PATH_OF_laser_mpi --work DIR
        [--threads 1|2] [--precisions float32,bfloat16] [--tokens 6144] [--turns 3]

Gradient and Fisher information, all pairs, of every singular value, in windows of 512 tokens, two a batch; weights get
no gradients.  In torch: hooks at the linear layers and p = (delta U)(x V), F += p' p as in doc/sensitivity.md, with random numbers in
the place of the vectors, for their time does not depend on them.  laser_mpi: the phases `perplexity` and `gradient` of its
results.json; the vectors are found once, before.
--threads 1 (no launcher) compares processor time, which the load of a machine moves little; that of laser_mpi is of the
whole run, start and end included.  --threads 2 compares wall time: two ranks that work beside the one that coordinates, two
threads in torch.
Prints medians and the smallest and largest ratio of a turn.  Without LASER_BENCH_MODEL nothing is measured.  Needs torch and
transformers.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

SEQLEN = 512
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
       "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_hwloc_base_binding_policy": "none", "OMP_NUM_THREADS": "1",
       "OPENBLAS_NUM_THREADS": "1"}


def ours(args, command, phase, precision):
    """Seconds."""
    output = args.work / command
    call = [args.program, command, "--model", args.model, "--text", f"text={args.text}", "--seqlen", str(SEQLEN),
            "--set", f"evaluate.max_tokens={args.tokens}", "--set", f"evaluate.batch_tokens={2 * SEQLEN}",
            "--precision", precision, "--output", str(output)]
    if command == "sensitivity":
        call += ["--set", "reduce.fisher=block", "--set", "sensitivity.sample=0"]
    else:
        call += ["--force"]
    (output / "results.json").unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run((["mpirun", "-n", "3"] if args.threads == 2 else []) + call, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, **MPI})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    if args.threads == 1:
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    phases = json.loads((output / "results.json").read_text())["phases"]
    return sum(p["seconds"] for p in phases if p["name"] == phase)


class Torch:
    def __init__(self, args, precision):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(args.threads)
        torch.manual_seed(1)
        self.torch, self.clock = torch, time.process_time if args.threads == 1 else time.monotonic
        ids = AutoTokenizer.from_pretrained(args.model)(Path(args.text).read_text(), return_tensors="pt").input_ids[0]
        self.tokens = ids[: args.tokens // SEQLEN * SEQLEN].view(-1, SEQLEN)
        self.model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, precision)).eval()
        self.layers = {n: m for n, m in self.model.named_modules()
                       if isinstance(m, torch.nn.Linear) and ".layers." in n}
        for p in self.model.parameters():
            p.requires_grad_(False)
        self.vectors, self.inputs, self.sums = {}, {}, {}
        for name, m in self.layers.items():
            rows, columns = m.weight.shape
            self.vectors[name] = [torch.randn(n, min(m.weight.shape)).to(m.weight.dtype) / n**0.5
                                  for n in (rows, columns)]
            m.register_forward_hook(self.keep(name))
            m.register_full_backward_hook(self.add(name))

    def keep(self, name):
        return lambda module, args, out: self.inputs.__setitem__(name, args[0].detach().flatten(0, 1))

    def add(self, name):
        def hook(module, _, grads):
            u, v = self.vectors[name]
            p = (grads[0].flatten(0, 1) @ u).float() * (self.inputs.pop(name) @ v).float()
            g, f = self.sums[name]
            g += p.double().sum(0)
            f += (p.T @ p).double()
        return hook

    def run(self):
        """Seconds."""
        torch = self.torch
        n = {name: u.shape[1] for name, (u, _) in self.vectors.items()}
        self.sums = {k: (torch.zeros(i, dtype=torch.float64), torch.zeros(i, i, dtype=torch.float64)) for k, i in n.items()}
        start = self.clock()
        for batch in self.tokens.split(2):
            x = self.model.get_input_embeddings()(batch).requires_grad_(True)
            logits = self.model(inputs_embeds=x, use_cache=False).logits[:, :-1].float()
            nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="sum")
            nll.backward()
        return self.clock() - start


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(args, precision):
    forward, gradient, peer = [], [], []
    torch = Torch(args, precision)
    for _ in range(args.turns):
        forward.append(ours(args, "perplexity", "perplexity", precision))
        gradient.append(ours(args, "sensitivity", "gradient", precision))
        peer.append(torch.run())
        print(f"{precision}: {forward[-1]:.2f} {gradient[-1]:.2f} {peer[-1]:.2f} s", file=sys.stderr, flush=True)
    print(f"| {precision} | {args.threads} | {statistics.median(forward):.1f} | {statistics.median(gradient):.1f} | "
          f"{statistics.median(peer):.1f} | {spread([g / f for g, f in zip(gradient, forward)])} | "
          f"{spread([p / g for p, g in zip(peer, gradient)])} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2)
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--tokens", type=int, default=6144)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    args.model, args.text = os.environ.get("LASER_BENCH_MODEL"), os.environ.get("LASER_BENCH_TEXT")
    if not args.model or not args.text:
        print("skipped: LASER_BENCH_MODEL and LASER_BENCH_TEXT name no model and text", file=sys.stderr)
        return
    if not (args.work / "sensitivity" / "work" / "vectors").exists():
        ours(args, "sensitivity", "gradient", "float32")  # makes the singular vectors
    print("| precision | threads | forward, s | sensitivity, s | torch, s | sensitivity / forward | torch / sensitivity |\n"
          "|---|---|---|---|---|---|---|", flush=True)
    for precision in args.precisions.split(","):
        compare(args, precision)


if __name__ == "__main__":
    main()

"""Compares the solvers of src/linalg, two single-threaded processes on different matrices, with torch.linalg.svdvals
on two threads, in one run.

    svd_vs_torch.py [--cpu-time] PATH_OF_bench_svd [set|square|wide ...]

Prints the ratio of the times and the share of the machine's dgemm rate that the method's flops (n^2 m + 4/3 n^3)
reach.  Needs torch.  --cpu-time is for a machine that others use too: it compares the processor time of one process of ours
with that of torch on one thread, which is what torch would take on two threads at best (a perfect speed-up of two).
Every figure is the smallest of a few passes.
"""
import os
import subprocess
import sys
import time

import torch

CASES = {
    # name: (shapes, matrices of each per process, passes of ours, passes of torch)
    "set": ([(576, 1536), (2048, 2048), (2048, 5632), (512, 2048)], 5, 2, {(2048, 5632): 1}),
    "square": ([(4096, 4096)], 1, 2, {(4096, 4096): 1}),
    "wide": ([(4096, 14336)], 1, 2, {(4096, 14336): 1}),
}


def ours(program, shapes, count, passes, cpu_time, solver="gram"):
    """Seconds for 2 * count matrices of every shape."""
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    best = float("inf")
    for _ in range(passes):
        command = [program, solver, str(count)] + ["%dx%d" % shape for shape in shapes]
        processes = [subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                     for _ in range(2)]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        seconds = [process.stdout.readline().split() for process in processes]
        best = min(best, max(float(line[1 if cpu_time else 0]) for line in seconds))
        for process in processes:
            process.wait()
    return best


def torchs(shape, dtype, passes, cpu_time):
    matrix = (torch.randn(*shape) * 0.02).to(torch.bfloat16).to(dtype)
    best = float("inf")
    for _ in range(passes):
        clock = time.process_time if cpu_time else time.monotonic
        start = clock()
        torch.linalg.svdvals(matrix)
        best = min(best, clock() - start)
    return best / (2 if cpu_time else 1)


def main():
    arguments = sys.argv[1:]
    cpu_time = arguments[0] == "--cpu-time"
    program = arguments[1 if cpu_time else 0]
    torch.set_num_threads(1 if cpu_time else 2)
    torch.manual_seed(1)
    rates = [float(subprocess.run([program, "dgemm"], env=dict(os.environ, OPENBLAS_NUM_THREADS="1"),
                                  capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    print("dgemm, one thread: %.1f Gflop/s; torch %s" % (max(rates), torch.__version__), flush=True)
    for name in arguments[2 if cpu_time else 1:] or CASES:
        shapes, count, passes, torch_passes = CASES[name]
        seconds = ours(program, shapes, count, passes, cpu_time)
        flops = sum(2 * count * (min(s) ** 2 * max(s) + 4 / 3 * min(s) ** 3) for s in shapes)
        print("%s: %d matrices of each in %.3f s, %.0f %% of two cores' dgemm" %
              (name, 2 * count, seconds, 100 * flops / seconds / 2e9 / max(rates)), flush=True)
        for dtype in (torch.float64, torch.float32):
            each = {shape: torchs(shape, dtype, torch_passes.get(shape, 3), cpu_time) for shape in shapes}
            total = 2 * count * sum(each.values())
            print("  torch %s: %s: %.1f times as long" %
                  (dtype, ", ".join("%dx%d %.3f s" % (*shape, s) for shape, s in each.items()), total / seconds),
                  flush=True)
        again = ours(program, shapes, count, 1, cpu_time)
        print("  ours once more: %.3f s" % again, flush=True)


if __name__ == "__main__":
    main()

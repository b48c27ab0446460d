#!/usr/bin/env python3
"""The whole `snr` search beside laserRMT's own loop, on the same cores.

    bench/reduce_vs_laserrmt.py --program ./laser_mpi --launcher 'mpirun -n 3' --laserrmt CHECKOUT --model DIR --text FILE \
        --work DIR [--tokens 20000] [--rounds 2]

CHECKOUT: cognitivecomputations/laserRMT (tools/golden/laserrmt.py says how its class is run on a CPU, in bfloat16 as in its
script).  The model is for instance tools/make_random_model.py --shape 135m.  Counted from start to written model: loading,
scan, base and 15 candidates, writing.

Of laserRMT's loop are measured: loading; the scan of one layer; an evaluation of --reference-tokens tokens; one rebuilt
matrix of each type; saving.  Its total is put together from them: layers times the scan of one, 16 evaluations of --tokens
tokens, 15 rebuilt matrices.  Ours is measured whole.  The rounds alternate; minima count.  What each saving brings is
measured on --share-tokens tokens, without early stop and without kept hidden states, and scaled to --tokens.

--clock wall is for an idle machine.  On one that others use, --clock cpu counts the processor seconds of all threads and
ranks (user and system) and divides them by --threads: what the wall clock would show if both cores were always busy.
Needs torch and transformers.
"""
import argparse
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools" / "golden"))
TYPES = ["mlp.gate", "mlp.down_proj", "mlp.up_proj", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
         "self_attn.o_proj"]
CANDIDATES = 15


def reference(args):
    """Seconds of the parts of laserRMT's loop.  A process of its own, so that its memory is gone afterwards."""
    import contextlib
    import io

    import torch

    import laserrmt

    torch.set_num_threads(args.threads)
    text = pathlib.Path(args.text).read_bytes()[: 8 * args.reference_tokens].decode(errors="ignore")
    spent = {}

    clock = time.perf_counter if args.clock == "wall" else lambda: time.process_time() / args.threads

    def timed(name, work):
        begin = clock()
        with contextlib.redirect_stdout(io.StringIO()):
            result = work()
        spent[name] = clock() - begin
        return result

    m = timed("load", lambda: laserrmt.load(args.laserrmt, "rmt_laser_snr.py", args.model, text, torch.bfloat16,
                                            args.reference_tokens))
    spent["layers"] = m.model.config.num_hidden_layers
    timed("scan of a layer", lambda: [m.calculate_snr_for_layer(t, ".1.") for t in TYPES])
    m.calculate_model_perplexity(seqlen=args.reference_tokens // 4)
    timed("evaluation", m.calculate_model_perplexity)
    timed("rebuild", lambda: [m.update_model_reduce_layer(t, ".1.") for t in TYPES])
    timed("save", lambda: m.save_model(str(args.work / "laserrmt")))
    shutil.rmtree(args.work / "laserrmt")
    print(json.dumps(spent))


def ours(args, tokens, *more):
    out = args.work / "ours"
    shutil.rmtree(out, ignore_errors=True)
    command = args.launcher.split() + [
        args.program, "reduce", "--strategy", "snr", "--candidates", str(CANDIDATES), "--model", args.model, "--text",
        f"text={args.text}", "--output", str(out), "--quiet", "--set", f"evaluate.max_tokens={tokens}", "--set",
        "evaluate.precision=bfloat16", "--set", "evaluate.selection_share=1", *more]
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    total, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    scale = 1
    if args.clock == "cpu": # the phases share the processor seconds as they share the time
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / args.threads
        scale, total = cpu / total, cpu
    if done.returncode != 0:
        sys.exit(done.stderr or done.stdout)
    results = json.loads((out / "results.json").read_text())
    phases = {p["name"]: p["seconds"] * scale for p in results["phases"]}
    windows = [d["windows"] for d in results["decisions"]]
    phases.pop("total", None)
    return {"total": total, "windows": sum(windows), "kept": sum(d["kept"] for d in results["decisions"]),
            "base ppl": results["baseline"]["selection"]["ppl"], **phases}


def minima(rounds):
    return {k: min(r[k] for r in rounds) for k in rounds[0]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program")
    p.add_argument("--launcher", default="mpirun -n 3")
    p.add_argument("--laserrmt", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--work", type=pathlib.Path, required=True)
    p.add_argument("--tokens", type=int, default=20000)
    p.add_argument("--reference-tokens", type=int, default=1280)
    p.add_argument("--share-tokens", type=int, default=5120)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    p.add_argument("--part", choices=("reference",))
    args = p.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.part == "reference":
        return reference(args)
    theirs, mine = [], []
    for _ in range(args.rounds):
        done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--part", "reference"], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        theirs.append(json.loads(done.stdout.splitlines()[-1]))
        print("laserRMT", theirs[-1], file=sys.stderr, flush=True)
        mine.append(ours(args, args.tokens))
        print("laser_mpi", mine[-1], file=sys.stderr, flush=True)
    plain = ours(args, args.share_tokens, "--set", "reduce.early_stop=false", "--set", "evaluate.cache_memory=0")
    print("no reuse, no early stop", plain, file=sys.stderr, flush=True)
    reuse = ours(args, args.share_tokens, "--set", "reduce.early_stop=false")
    print("no early stop", reuse, file=sys.stderr, flush=True)

    r, o, scale = minima(theirs), minima(mine), args.tokens / args.share_tokens
    scan = r["scan of a layer"] * r["layers"]
    evaluations = (1 + CANDIDATES) * r["evaluation"] * args.tokens / args.reference_tokens
    rebuilt = CANDIDATES * r["rebuild"] / len(TYPES)
    total = r["load"] + scan + evaluations + rebuilt + r["save"]
    steps = [
        ("laserRMT", scan, rebuilt, evaluations, r["load"] + r["save"]),
        ("faster SVD", o["scan"], o["edits"], evaluations, r["load"] + r["save"]),
        ("and faster forward", o["scan"], o["edits"], plain["search"] * scale, o["total"] - o["scan"] - o["edits"] - o["search"]),
        ("and reuse of hidden states", o["scan"], o["edits"], reuse["search"] * scale, o["total"] - o["scan"] - o["edits"] - o["search"]),
        ("and early stop (laser_mpi)", o["scan"], o["edits"], o["search"], o["total"] - o["scan"] - o["edits"] - o["search"]),
    ]
    print("| | scan s | rebuilding s | evaluation s | rest s | total s | times faster |\n|---|---|---|---|---|---|---|")
    for name, *parts in steps:
        print(f"| {name} | " + " | ".join(f"{x:.1f}" for x in parts) + f" | {sum(parts):.1f} | {total / sum(parts):.2f} |")
    print(f"\nlaser_mpi evaluated {o['windows']} of {CANDIDATES * (args.tokens // 128)} windows of candidates; kept "
          f"{o['kept']}; base perplexity {o['base ppl']:.2f}")


if __name__ == "__main__":
    main()

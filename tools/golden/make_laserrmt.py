#!/usr/bin/env python3
"""Golden values of the two searches of laserRMT, made with its own scripts on the CPU.

    python3 tools/golden/make_laserrmt.py --laserrmt CHECKOUT --model DIR --text FILE --bytes N --output FILE

CHECKOUT: cognitivecomputations/laserRMT (only imported from; see tools/golden/laserrmt.py).  The text is the first N bytes
of FILE.  Both searches run in float32, with the sequence lengths of their scripts; the matrices that they rebuild are rounded
to the dtype that the model is stored in.

snr       rmt_laser_snr.py: assess_layers_snr, the 15 lowest scores, test_and_modify_layers
backward  rmt_laser.py: search_optimal_layer_modification, last layer first, six types, stops after 5

Lines: search, what (base, or the candidate's number), tensor, rank, perplexity, kept.  Needs torch, transformers.
"""
import argparse
import contextlib
import io
import pathlib
import re

import torch
import transformers

import laserrmt


def watch(modifier):
    """The perplexities that the class computes, in order."""
    seen, inner = [], modifier.calculate_model_perplexity

    def measured(*args, **named):
        seen.append(inner(*args, **named))
        return seen[-1]

    modifier.calculate_model_perplexity = measured
    return seen


def rows(search, printed, seen, accepts):
    """The candidates, from what the class prints when it rebuilds a matrix, and their perplexities."""
    names = re.findall(r"Reconstructing layer: (\S+)\nReduced from torch.Size\(\[\d+\]\) to (\d+)", printed)
    best, out = seen[0], [(search, "base", "-", 0, seen[0], "-")]
    assert len(names) == len(seen) - 1
    for i, ((name, rank), ppl) in enumerate(zip(names, seen[1:])):
        kept = accepts(ppl, best)
        best = ppl if kept else best
        out.append((search, i, name + ".weight", int(rank), ppl, "yes" if kept else "no"))
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--laserrmt", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--text", type=pathlib.Path, required=True)
    p.add_argument("--bytes", type=int, default=100000)
    p.add_argument("--output", type=pathlib.Path, required=True)
    args = p.parse_args()
    torch.set_num_threads(1)
    text = args.text.read_bytes()[: args.bytes].decode()
    config = transformers.AutoConfig.from_pretrained(args.model)
    layers = config.num_hidden_layers
    numbers = [f".{i}." for i in range(layers - 1, -1, -1)]
    lines = []
    m = laserrmt.load(args.laserrmt, "rmt_laser_snr.py", args.model, text)
    laserrmt.round_rebuilt(m, config.dtype)
    seen, printed = watch(m), io.StringIO()
    with contextlib.redirect_stdout(printed):
        m.assess_layers_snr(["mlp.gate", "mlp.down_proj", "mlp.up_proj", "self_attn.q_proj", "self_attn.k_proj",
                             "self_attn.v_proj", "self_attn.o_proj"], numbers)
        m.test_and_modify_layers(m.select_layers_for_modification(15))
    lines += rows("snr", printed.getvalue(), seen, lambda new, best: new <= best)
    m = laserrmt.load(args.laserrmt, "rmt_laser.py", args.model, text)
    laserrmt.round_rebuilt(m, config.dtype)
    seen, printed = watch(m), io.StringIO()
    with contextlib.redirect_stdout(printed):
        m.search_optimal_layer_modification(["mlp.down_proj", "mlp.up_proj", "self_attn.q_proj", "self_attn.k_proj",
                                             "self_attn.v_proj", "self_attn.o_proj"], numbers)
    lines += rows("backward", printed.getvalue(), seen, lambda new, best: new < best)
    head = (f"# tools/golden/make_laserrmt.py; torch {torch.__version__}, transformers {transformers.__version__}; "
            f"{pathlib.Path(args.model).name}, first {args.bytes} bytes of {args.text.name}\n")
    args.output.write_text(head + "".join(f"{s} {w} {t} {r} {ppl:.6f} {k}\n" for s, w, t, r, ppl, k in lines))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Loads a model and the copy that laser_mpi wrote of it in transformers and compares them.

    python3 tools/check_roundtrip.py MODEL WRITTEN [--edited NAME ...]

(transformers, torch; by hand or in CI where they are installed; never needed by the program).  Every parameter must be
equal to the bit, except those named with --edited, which must differ; the logits of a fixed prompt must be finite, and
equal where nothing was edited.  Exit code 0 if so, 1 if not, 77 if transformers is missing.
"""
import argparse
import sys
from pathlib import Path

try:
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)


def tensors_of(model):
    """name -> (dtype, shape, file) of a directory's safetensors files."""
    found = {}
    for file in sorted(Path(model).glob("*.safetensors")):
        with safe_open(file, "pt") as f:
            for key in f.keys():
                view = f.get_slice(key)
                found[key] = (view.get_dtype(), tuple(view.get_shape()), file.name)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("written")
    parser.add_argument("--edited", nargs="*", default=[])
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = []

    if tensors_of(args.model) != tensors_of(args.written):
        problems.append("the files do not hold the same keys, dtypes, shapes or shards")
    a, info_a = AutoModelForCausalLM.from_pretrained(args.model, dtype="auto", output_loading_info=True)
    b, info_b = AutoModelForCausalLM.from_pretrained(args.written, dtype="auto", output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if set(map(str, info_a[key])) != set(map(str, info_b[key])):
            problems.append(f"{key}: {sorted(map(str, info_b[key]))}, before {sorted(map(str, info_a[key]))}")
    after = dict(b.named_parameters())
    for name, x in a.named_parameters():
        same = x.dtype == after[name].dtype and torch.equal(x, after[name])
        if same == (name in args.edited):
            problems.append(f"{name}: {'unchanged' if same else 'changed'}")
    prompt = torch.arange(1, 9).unsqueeze(0) % a.config.get_text_config().vocab_size
    with torch.inference_mode():
        try:
            x = a(prompt).logits.float()
        except RuntimeError as refused:  # some kernels refuse the tiny shapes of test models
            print(f"logits not compared, the original does not run here: {str(refused).splitlines()[0]}")
            x = y = torch.zeros(1)
        else:
            y = b(prompt).logits.float()
    if not torch.isfinite(y).all():
        problems.append("the written model's logits are not finite")
    if not args.edited and not torch.equal(x, y):
        problems.append(f"the logits differ by {(x - y).abs().max().item()}")
    for problem in problems:
        print(problem)
    print(f"{len(after)} parameters compared, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

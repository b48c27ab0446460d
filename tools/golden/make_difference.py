#!/usr/bin/env python3
"""A fine-tuned model and its base, with their difference by numpy: fixtures of tests/checkpoint/test_checkpoint_difference.c and of
tests/e2e/e2e_stored.sh.

    python3 tools/golden/make_difference.py      (numpy, torch, safetensors; no network)

writes tests/golden/difference/: base/ (bfloat16, packed in 8 bits for one matrix), tuned/ (float32), and expect/ with the
differences in float64 and, as NAME.sigma, their singular values; left_out.json has the share of the Frobenius norm that the
best approximation of rank 3 leaves out.  Five matrices, one a seed, differ by a matrix of rank 3
whose singular values lie 10 % and more above the edge of the Gaussian noise that is added to it; others are equal, resized,
or only in one of the two.

Made with numpy 2.4.6, torch 2.15.0.
"""
import json
import sys
from pathlib import Path

import numpy
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "difference"
ROWS, COLS, SIGMA = 80, 48, 1e-3


def save(folder, tensors, config=None):
    (OUT / folder).mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, OUT / folder / "model.safetensors", metadata={"format": "pt"})
    if config:
        (OUT / folder / "config.json").write_text(json.dumps(config) + "\n")


def main():
    base, tuned, expect = {}, {}, {}
    wide = {}
    edge = SIGMA * (ROWS**0.5 + COLS**0.5)
    for seed in range(5):
        random = numpy.random.default_rng(seed)
        name = f"model.layers.{seed}.mlp.up_proj.weight"
        weight = torch.from_numpy(random.normal(size=(ROWS, COLS)) * 0.05).to(torch.bfloat16)
        left, right = (numpy.linalg.qr(random.normal(size=(n, 3)))[0] for n in (ROWS, COLS))
        # A spike s appears at sqrt((s^2 + rows) (s^2 + cols)) / s, in units of the noise (Benaych-Georges, Nadakuditi 2012)
        spikes = []
        for seen in (1.1, 1.4, 2.5):
            y = (seen * edge / SIGMA) ** 2
            total = y - ROWS - COLS
            spikes.append(((total + (total**2 - 4 * ROWS * COLS) ** 0.5) / 2) ** 0.5 * SIGMA)
        difference = left * spikes @ right.T + random.normal(size=(ROWS, COLS)) * SIGMA
        base[name] = weight
        tuned[name] = weight.float() + torch.from_numpy(difference).float()
        wide[name] = weight.double()
    same = "model.layers.0.self_attn.q_proj.weight"
    base[same] = torch.randn(16, 16).to(torch.bfloat16)
    tuned[same], wide[same] = base[same].float(), base[same].double()
    codes, scale = torch.randint(-128, 128, (16, 24)).to(torch.int8), torch.rand(16, 1) * 0.01
    packed = "model.layers.0.mlp.down_proj.weight"
    base |= {packed + "_packed": pack_to_int32(codes, 8), packed + "_scale": scale, packed + "_shape": torch.tensor([16, 24])}
    wide[packed] = (codes.float() * scale).double()
    tuned[packed] = wide[packed].float() + torch.randn(16, 24) * 0.01
    base["model.embed_tokens.weight"], tuned["model.embed_tokens.weight"] = torch.randn(5, 16), torch.randn(7, 16)
    tuned["model.layers.0.mlp.new.weight"] = torch.randn(4, 4)
    base["model.layers.0.mlp.old.weight"] = torch.randn(4, 4)
    for name, w in wide.items():
        difference = tuned[name].double().numpy() - w.numpy()
        expect[name] = torch.from_numpy(difference)
        expect[name + ".sigma"] = torch.from_numpy(numpy.linalg.svd(difference, compute_uv=False))
    left_out = {}
    for name in wide:
        sigma = expect[name + ".sigma"].numpy()
        if "up_proj" in name:
            left_out[name] = float(numpy.linalg.norm(sigma[3:]) / numpy.linalg.norm(sigma))
    (OUT / "left_out.json").write_text(json.dumps(left_out, indent=2) + "\n")
    config = {"model_type": "llama"}
    save("base", base, config)
    save("tuned", tuned, config)
    save("expect", expect)


if __name__ == "__main__":
    torch.manual_seed(20)
    sys.exit(main())

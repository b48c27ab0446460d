#!/usr/bin/env python3
"""Writes what torch's autograd computes on the small models of tests/golden/model, in float64: the gradient of a weighted
loss at the output of every linear layer.

usage: make_gradients.py MODELS_DIR OUTPUT_DIR [NAME...]

Text and targets are those of MODELS_DIR/NAME/golden.json.  Row i of the batch (all windows one after another) counts
weight(i) * nll(i), see weight(); the last row of a window has no target.  OUTPUT_DIR/NAME.json holds the loss, the largest relative
error of delta that torch itself has in float32, and for
every weight matrix inside a layer, under the name of its tensor ("name[e]" for expert e of a stack):
  norm     of delta [rows of the batch, outputs]; rows that did not reach an expert are 0
  rows     delta s, a number for each row        columns  s^T delta, a number for each output
  input    x s, a number for each row            with s the signs of signs(), as many as needed
Outputs are in the order in which the checkpoint stores them.  The committed files were made with transformers 5.24.0
and torch 2.15.0 (CPU).
"""

import json
import os
import re
import sys

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

from make_models import MASKED

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

ROUTER = re.compile(r"(\.gate|router|router\.layer|\.wg)\.weight$")
DOWN = re.compile(r"down|\.w2\.|output_linear|fc2")
IN_LAYER = re.compile(r"(^|\.)(layers|layer|h|blocks)\.\d+\.")
NO_LINEAR = re.compile(r"(norm\.weight|bias|A_log)$|\.indexer\.")


def weight(i):
    """Of the loss of row i; None: the row has no target."""
    return None if i % 11 == 4 else (i * 7 % 5 - 1) * 0.5


def signs(n):
    state, s = 1, []
    for _ in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        s.append(1.0 if state >> 31 else -1.0)
    return torch.tensor(s, dtype=torch.float64)


def key(matrix):
    return matrix.detach().type(torch.float32).contiguous().numpy().tobytes()


class Linears:
    """Notes every matrix product with a weight of the checkpoint while a model runs."""

    def __init__(self, tensors):
        self.names, self.calls, self.stacks, self.turned = {}, [], [], []
        for name, t in tensors.items():
            if t.dim() == 2 and IN_LAYER.search(name) and not NO_LINEAR.search(name):
                self.names[key(t)] = name
            for e in range(t.shape[0] if t.dim() == 3 else 0):
                self.names[key(t[e])] = f"{name}[{e}]"

    def note(self, x, w, out):
        if w.dim() != 2:
            return out
        half, whole = w.shape[0] // 2, slice(None)
        parts = [(p, whole) for p in (w, w.T) if key(p) in self.names][:1]
        parts = parts or [(w[:half], slice(0, half)), (w[half:], slice(half, None))]
        found = [(self.names[key(p)], cut) for p, cut in parts if key(p) in self.names]
        if found and out.requires_grad:
            out.retain_grad()
            self.calls.append((found, x.detach().reshape(-1, x.shape[-1]), out))
            return out.clone()  # some models clamp it in place, which would take its gradient along
        return out

    def product(self, x, w, out):
        """x @ w with a weight of two dimensions, or with all of a stack: llama4 takes every token through every
        expert, those that were not chosen as zeros."""
        if w.dim() == 2 and (key(w) in self.names or key(w.T) in self.names):
            return self.note(x, w, out)
        if x.dim() == 2 and key(x) in self.names:  # the weight comes first: tokens are columns
            out.retain_grad()
            self.turned.append((self.names[key(x)], w.detach().transpose(-1, -2).flatten(0, -2), out))
        if w.dim() == 3 and key(w[0]) in self.names:
            out.retain_grad()
            self.stacks.append(([self.names[key(e)] for e in w], x.detach(), out))
        return out

    def __enter__(self):
        self.saved = torch.nn.functional.linear, torch.addmm, torch.Tensor.__matmul__, torch.bmm
        linear, addmm, matmul, bmm = self.saved
        torch.Tensor.__matmul__ = lambda x, w: self.product(x, w, matmul(x, w))
        torch.bmm = lambda x, w, **more: self.product(x, w, bmm(x, w, **more))
        torch.nn.functional.linear = lambda x, w, b=None: self.note(x, w, linear(x, w, b))
        torch.addmm = lambda b, x, w, **more: self.note(x, w, addmm(b, x, w, **more))
        return self

    def __exit__(self, *_):
        torch.nn.functional.linear, torch.addmm, torch.Tensor.__matmul__, torch.bmm = self.saved


def is_expert(name):
    return ".experts." in name or name.endswith("]")


def place(x, routed):
    """The rows of the batch that reached an expert."""
    rows = {key(r): i for i, r in enumerate(routed)}
    assert len(rows) == len(routed), "two tokens with the same state"
    return [rows[key(r)] for r in x]


def gradients(model, tokens, targets, linears):
    linears.calls, linears.stacks, linears.turned = [], [], []
    with linears:
        out = model(tokens) if model.config.model_type in MASKED else model(tokens, use_cache=False)
    nll = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1).double(), targets.flatten(), reduction="none",
                                            ignore_index=-1)
    weights = torch.tensor([weight(i) or 0.0 for i in range(targets.numel())], dtype=torch.float64)
    loss = (weights * nll).sum()
    loss.backward()
    n, result = tokens.numel(), {}
    for found, x, out in linears.calls:
        delta = out.grad.reshape(-1, out.shape[-1]).double()
        name = found[0][0]
        at = at if is_expert(name) else list(range(n))
        if ROUTER.search(name):
            routed = x
        elif is_expert(name) and not DOWN.search(name):
            at = place(x, routed)
        for name, cut in found:
            assert name not in result
            d, inputs = torch.zeros(n, delta[:, cut].shape[1], dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
            d[at] = delta[:, cut]
            inputs[at] = x.double() @ signs(x.shape[1])
            result[name] = (d, inputs)
    for name, x, out in linears.turned:
        result[name] = (out.grad.transpose(-1, -2).flatten(0, -2).double(), x.double() @ signs(x.shape[1]))
    for names, x, out in linears.stacks:
        for e, name in enumerate(names):
            reached = (x[e] != 0).any(dim=1, keepdim=True)
            if reached.any():
                result[name] = ((out.grad[e] * reached).double(), x[e].double() @ signs(x.shape[2]))
    return loss.item(), result


def stay_double():
    """Some models compute parts in float32 whatever they are: in the exact run these stay in float64."""
    def keeps(t):
        return torch.is_tensor(t) and t.dtype == torch.float64

    to, single = torch.Tensor.to, torch.Tensor.float
    torch.Tensor.float = lambda t, *a, **k: t if keeps(t) else single(t, *a, **k)
    torch.Tensor.to = lambda t, *a, **k: t if keeps(t) and torch.float32 in (*a, k.get("dtype")) else to(t, *a, **k)
    return to, single


def numbers(values):
    return [float(f"{v:.9g}") for v in values.tolist()]


def make(name, models, root):
    path = os.path.join(models, name)
    with open(f"{path}/golden.json") as f:
        golden = json.load(f)
    tokens = torch.tensor(golden["tokens"])
    targets = torch.full_like(tokens, -1)
    targets[:, :-1] = torch.tensor(golden["targets"]) if "targets" in golden else tokens[:, 1:]
    flat = targets.flatten()
    for i in range(flat.numel()):
        if weight(i) is None:
            flat[i] = -1
    masked = AutoConfig.from_pretrained(path).model_type in MASKED
    auto, more = (AutoModelForMaskedLM, {}) if masked else (AutoModelForCausalLM, dict(experts_implementation="eager"))
    model = auto.from_pretrained(path, dtype=torch.float32, attn_implementation="eager", **more).eval()
    linears = Linears(load_file(f"{path}/model.safetensors"))
    for module in model.modules():
        if hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False  # is for float32 only
    _, single = gradients(model, tokens, targets, linears)
    model.zero_grad()
    model.double()
    saved = stay_double()
    loss, exact = gradients(model, tokens, targets, linears)
    torch.Tensor.to, torch.Tensor.float = saved
    missing = [n for n in linears.names.values() if n not in exact and "[" not in n and "expert" not in n]
    assert not missing, missing
    error = max(((single[n][0] - d).norm() / d.norm()).item() for n, (d, _) in exact.items())
    with open(f"{root}/{name}.json", "w") as f:
        json.dump(dict(made_with=f"transformers {transformers.__version__}, torch {torch.__version__}",
                       loss=float(f"{loss:.9g}"), float32=float(f"{error:.2g}"),
                       matrices={n: dict(norm=float(f"{d.norm().item():.9g}"), rows=numbers(d @ signs(d.shape[1])),
                                         columns=numbers(signs(d.shape[0]) @ d), input=numbers(x))
                                 for n, (d, x) in exact.items()}), f, separators=(",", ":"))
        f.write("\n")
    size = os.path.getsize(f"{root}/{name}.json")
    print(f"{name:20s} {size:7d} bytes  {len(exact):3d} matrices  loss {loss:10.5f}  float32 error of torch {error:.1e}")


def main():
    models, root = sys.argv[1:3]
    os.makedirs(root, exist_ok=True)
    for name in sys.argv[3:] or sorted(os.listdir(models)):
        make(name, models, root)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Files that torch.save writes: fixtures of tests/checkpoint/test_checkpoint_torch.c.

    python3 tools/golden/make_torch.py       (torch, safetensors; no network)

writes tests/golden/torch/:
  plain/      pytorch_model.bin: every type, a scalar, an empty tensor, parameters, a view with an offset, two names of one
              storage, a transposed matrix; parts/parts.safetensors has the same as torch sees it
  protocol4/  a state dict in protocol 4
  sharded/    two shards and their index
  refused/    what is to be refused: a pickle that would run a command (which makes the file RAN), strides, a training
              checkpoint, something that is no dict

Made with torch 2.15.0.
"""
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "torch"
torch.manual_seed(20)


class Runs:
    def __reduce__(self):
        return os.system, ("touch RAN",)


def folder(name):
    (OUT / name).mkdir(parents=True, exist_ok=True)
    return OUT / name


def plain():
    tensors = {name: torch.randn(3, 4).to(dtype) for name, dtype in
               (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64))}
    tensors |= {name: torch.randint(-100, 100, (5,)).to(dtype) for name, dtype in
                (("i64", torch.int64), ("i32", torch.int32), ("i16", torch.int16), ("i8", torch.int8))}
    tensors["u8"] = torch.arange(7, dtype=torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 3))
    base = torch.randn(6, 5)
    tensors["view"] = base[2:4]
    tensors["tied.a"] = tensors["tied.b"] = base
    for name, dtype in (("turned", torch.float32), ("turned_half", torch.float16)):
        tensors["model.layers.0.mlp." + name + ".weight"] = torch.randn(4, 7).to(dtype).T
    # modules leave attributes on their dict, and there are entries that are no tensors
    state = torch.nn.Linear(3, 2).state_dict()
    for name, tensor in tensors.items():
        state[name] = tensor
    state["extra"] = None
    torch.save(state, folder("plain") / "pytorch_model.bin")
    del state["extra"]
    save_file({k: v.detach().contiguous().clone() for k, v in state.items()}, folder("plain/parts") / "parts.safetensors",
              metadata={"format": "pt"})
    return {k: v for k, v in state.items() if k in ("f32", "bf16", "i64", "tied.a")}


def refused():
    out = folder("refused")
    torch.save({"w": torch.randn(2, 2), "x": Runs()}, out / "runs.bin")
    torch.save({"w": torch.randn(4, 6)[:, ::2]}, out / "strides.bin")
    torch.save({"w": torch.randn(4, 1).expand(4, 3)}, out / "expanded.bin")
    torch.save({"model": {"w": torch.randn(2, 2)}, "epoch": 3}, out / "training.bin")
    torch.save(torch.randn(2, 2), out / "tensor.bin")
    torch.save({"w": torch.randn(2, 2)}, out / "old.bin", _use_new_zipfile_serialization=False)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    some = plain()
    torch.save(some, folder("protocol4") / "pytorch_model.bin", pickle_protocol=4)
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    place = {key: names[i % 2] for i, key in enumerate(some)}
    for name in names:
        torch.save({k: v for k, v in some.items() if place[k] == name}, folder("sharded") / name)
    (OUT / "sharded" / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": 0}, "weight_map": place}) + "\n")
    refused()


if __name__ == "__main__":
    main()

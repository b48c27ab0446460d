#!/usr/bin/env python3
"""Small quantised checkpoints, with the weights as the reference libraries widen them: fixtures of
tests/checkpoint/test_checkpoint_coded.c.

    python3 tools/golden/make_quantised.py   (torch, transformers, compressed-tensors, bitsandbytes, mlx; no network)

writes tests/golden/quantised/METHOD/: model.safetensors, config.json and expect/parts.safetensors, which has
every weight under its name, in the type of the reference.  Codes and scales are random numbers: they need not come from a
quantiser, and all values that the format has are wanted.

Made with torch 2.15.0, transformers 5.24.0, compressed-tensors 0.20.1, bitsandbytes 0.50.2, mlx 0.32.4.  GPTQ's and AWQ's
libraries need a GPU: their formulas are written out here, as AutoGPTQ's qlinear_torch and AutoAWQ's packing_utils have them.
"""
import json
import shutil
import sys
from pathlib import Path

import bitsandbytes as bnb
import mlx.core as mx
import torch
from compressed_tensors.compressors.mxfp4.base import MXFP4PackedCompressor
from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor
from compressed_tensors.compressors.nvfp4.base import NVFP4PackedCompressor
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "quantised"
MLP = "model.layers.0.mlp."


def save(method, config, tensors, expect):
    folder = OUT / method
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "expect").mkdir(parents=True)
    clean = {k: v.contiguous().clone() for k, v in tensors.items()}
    save_file(clean, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({k: v.contiguous().clone() for k, v in expect.items()}, folder / "expect" / "parts.safetensors",
              metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}) + "\n")


def codes(rows, cols, bits):
    return torch.randint(-(1 << bits - 1), 1 << bits - 1, (rows, cols), dtype=torch.int32).to(torch.int8)


def compressed(compressor, name, args, state, tensors, expect):
    scheme = QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**args))
    wide = compressor.decompress(dict(state), scheme)["weight"]
    for part, value in state.items():
        tensors[MLP + name + "." + part] = value
    expect[MLP + name + ".weight"] = wide


def packed(bits, dtype):
    """compressed-tensors, pack-quantized."""
    tensors, expect = {}, {}
    groups = {}

    def one(name, rows, cols, args, scale, zero=None):
        state = {"weight_packed": pack_to_int32(codes(rows, cols, bits), bits), "weight_scale": scale.to(dtype),
                 "weight_shape": torch.tensor([rows, cols])}
        if zero is not None:
            state["weight_zero_point"] = pack_to_int32(zero, bits, packed_dim=0)
        args = {"num_bits": bits, "type": "int", "symmetric": zero is None, **args}
        groups[f"group_{len(groups)}"] = {"targets": ["Linear"], "weights": args}
        compressed(PackedQuantizationCompressor, name, args, state, tensors, expect)

    group = {"strategy": "group", "group_size": 32}
    scale = torch.randn(12, 3)
    scale[2, 1] = 0  # such a group reads as zeros
    one("grouped", 12, 96, group, scale)
    one("zeros", 12, 96, group, torch.randn(12, 3), codes(12, 3, bits))
    one("channel", 7, 45, {"strategy": "channel"}, torch.randn(7, 1))
    one("channel_zeros", 7, 45, {"strategy": "channel"}, torch.randn(7, 1), codes(7, 1, bits))
    save(f"packed{bits}", {"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized",
                                                   "config_groups": groups}}, tensors, expect)


def fp8(dtype):
    """compressed-tensors, float-quantized and int-quantized."""
    tensors, expect = {}, {}
    f8 = lambda rows, cols: (torch.randn(rows, cols) * 60).to(torch.float8_e4m3fn)
    one = lambda name, args, state: compressed(NaiveQuantizationCompressor, name,
                                               {"num_bits": 8, "type": "float", "symmetric": True, **args}, state,
                                               tensors, expect)
    one("tensor", {"strategy": "tensor"}, {"weight": f8(6, 10), "weight_scale": torch.randn(1).to(dtype)})
    one("channel", {"strategy": "channel"}, {"weight": f8(6, 10), "weight_scale": torch.randn(6, 1).to(dtype)})
    one("block", {"strategy": "block", "block_structure": [4, 4]},
        {"weight": f8(8, 12), "weight_scale": torch.randn(2, 3).to(dtype)})
    integer = {"type": "int", "strategy": "channel"}
    one("int8", integer, {"weight": codes(6, 10, 8), "weight_scale": torch.randn(6, 1).to(dtype)})
    one("int8_zeros", {**integer, "symmetric": False},
        {"weight": codes(6, 10, 8), "weight_scale": torch.randn(6, 1).to(dtype), "weight_zero_point": codes(6, 1, 8)})
    weights = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [4, 4]}
    save("float_quantized", {"quantization_config": {"quant_method": "compressed-tensors", "format": "float-quantized",
                                                     "config_groups": {"group_0": {"weights": weights}}}}, tensors, expect)


def fp8_padded():
    """DeepSeek's weight_dequant: blocks that hang over the edges; scales of float32, and of UE8M0, which transformers
    widens to float32."""
    tensors, expect = {}, {}
    for name, scale in (("float", torch.rand(2, 3) + 0.5),
                        ("exponents", torch.randint(110, 140, (2, 3), dtype=torch.uint8).view(torch.float8_e8m0fnu))):
        weight = (torch.randn(6, 10) * 50).to(torch.float8_e4m3fn)
        wide = scale.float().repeat_interleave(4, 0)[:6].repeat_interleave(4, 1)[:, :10]
        tensors[MLP + name + ".weight"] = weight
        tensors[MLP + name + ".weight_scale_inv"] = scale
        expect[MLP + name + ".weight"] = weight.float() * wide
    save("fp8_padded", {"quantization_config": {"quant_method": "fp8", "weight_block_size": [4, 4]}}, tensors, expect)


def mxfp4():
    """gpt-oss: stacks of experts, which transformers turns; and compressed-tensors' own names."""
    tensors, expect = {}, {}
    for name, rows, blocks in (("gate_up_proj", 10, 3), ("down_proj", 6, 2)):
        block = torch.randint(0, 256, (3, rows, blocks, 16), dtype=torch.uint8)
        scale = torch.randint(100, 150, (3, rows, blocks), dtype=torch.uint8)
        tensors[MLP + f"experts.{name}_blocks"] = block
        tensors[MLP + f"experts.{name}_scales"] = scale
        wide = convert_moe_packed_tensors(block, scale)
        if wide.shape[1] == rows:
            wide = wide.transpose(1, 2)
        assert wide.shape == (3, blocks * 32, rows)
        expect[MLP + f"experts.{name}"] = wide
    compressed(MXFP4PackedCompressor, "dense", {"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32},
               {"weight_packed": torch.randint(0, 256, (5, 48), dtype=torch.uint8),
                "weight_scale": torch.randint(100, 150, (5, 3), dtype=torch.uint8)}, tensors, expect)
    save("mxfp4", {"model_type": "gpt_oss", "quantization_config": {"quant_method": "mxfp4"}}, tensors, expect)


def nvfp4():
    tensors, expect = {}, {}
    state = {"weight_packed": torch.randint(0, 256, (5, 24), dtype=torch.uint8),
             "weight_scale": (torch.rand(5, 3) * 400).to(torch.float8_e4m3fn), "weight_global_scale": torch.tensor([1437.3])}
    state["weight_scale"][1, 1] = 0
    args = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
    compressed(NVFP4PackedCompressor, "compressed", args, state, tensors, expect)
    # ModelOpt: the second scale multiplies (NVFP4QTensor.dequantize); both products in float32
    lut = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
    weight, scale = state["weight_packed"], state["weight_scale"]
    values = torch.stack((lut[(weight & 15).long()], lut[(weight >> 4).long()]), -1).reshape(5, 48)
    factor = torch.tensor(0.00073)
    tensors[MLP + "modelopt.weight"] = weight
    tensors[MLP + "modelopt.weight_scale"] = scale
    tensors[MLP + "modelopt.weight_scale_2"] = factor
    expect[MLP + "modelopt.weight"] = (values * (scale.float() * factor).repeat_interleave(16, 1)).to(torch.bfloat16)
    save("nvfp4", {"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}}, tensors,
         expect)


def to_words(values, bits, dim):
    """Values of `bits` bits, lowest first, in a row of 32-bit words along a dimension."""
    values = values.movedim(dim, -1).long()
    lead, n = values.shape[:-1], values.shape[-1]
    stream = (values.unsqueeze(-1) >> torch.arange(bits) & 1).reshape(*lead, n * bits)
    words = (stream.reshape(*lead, n * bits // 32, 32) << torch.arange(32)).sum(-1)
    return words.to(torch.int32).movedim(-1, dim) if words.max() < 1 << 31 else torch.where(
        words >= 1 << 31, words - (1 << 32), words).to(torch.int32).movedim(-1, dim)


def gptq(method, bits, version, dtype, cols=96, group=32):
    """AutoGPTQ's qlinear_torch: zeros + 1 within the bits (version 1), weight = scales * (q - zeros)."""
    tensors, expect = {}, {}
    groups = -(-cols // group)
    for name in ("plain", "act_order"):
        q = torch.randint(0, 1 << bits, (cols, 64))
        zeros = torch.randint(0, 1 << bits, (groups, 64))
        scales = torch.randn(groups, 64).to(dtype)
        index = torch.arange(cols, dtype=torch.int32) // group
        if name == "act_order":
            index = index[torch.randperm(cols)]
            tensors[MLP + name + ".g_idx"] = index
        tensors[MLP + name + ".qweight"] = to_words(q, bits, 0)
        tensors[MLP + name + ".qzeros"] = to_words(zeros, bits, 1)
        tensors[MLP + name + ".scales"] = scales
        zero = (zeros + 1) & ((1 << bits) - 1) if version == 1 else zeros
        expect[MLP + name + ".weight"] = (scales[index.long()] * (q - zero[index.long()])).T
    save(method, {"quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": group,
                                          "checkpoint_format": "gptq_v2" if version == 2 else "gptq"}}, tensors, expect)


def awq():
    """AutoAWQ's pack_intweight (order 0 2 4 6 1 3 5 7) and dequantize_gemm: (q - zeros) * scales."""
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    q, zeros = torch.randint(0, 16, (96, 24)), torch.randint(0, 16, (3, 24))
    scales = torch.randn(3, 24).half()
    pack = lambda x: to_words(x.reshape(-1, 3, 8)[:, :, order].reshape(-1, 24), 4, 1)
    wide = (q - zeros.repeat_interleave(32, 0)).half() * scales.repeat_interleave(32, 0)
    save("awq", {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}},
         {MLP + "w.qweight": pack(q), MLP + "w.qzeros": pack(zeros), MLP + "w.scales": scales}, {MLP + "w.weight": wide.T})


def bitsandbytes():
    tensors, expect = {}, {}
    for name, kind, nested, dtype, shape in (("nf4", "nf4", False, torch.bfloat16, (6, 64)),
                                             ("double", "nf4", True, torch.float16, (300, 64)),
                                             ("odd", "nf4", True, torch.bfloat16, (7, 45)),
                                             ("fp4", "fp4", False, torch.float32, (6, 64))):
        weight = torch.randn(*shape).to(dtype)
        q, state = bnb.functional.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type=kind)
        full = MLP + name + ".weight"
        tensors[full] = q
        for key, value in state.as_dict(packed=True).items():
            tensors[full + "." + key] = value
        expect[full] = bnb.functional.dequantize_4bit(q, state)
    weight = torch.randn(6, 20).half()
    q, scale, _ = bnb.functional.int8_vectorwise_quant(weight)
    tensors[MLP + "int8.weight"] = q
    tensors[MLP + "int8.SCB"] = scale
    tensors[MLP + "int8.weight_format"] = torch.tensor(0, dtype=torch.uint8)
    expect[MLP + "int8.weight"] = bnb.functional.int8_vectorwise_dequant(q, scale)
    save("bitsandbytes", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, tensors, expect)


def mlx(bits, dtype, torch_dtype):
    to_torch = lambda x, t: torch.tensor(x.astype(mx.float32).tolist()).to(t)
    weight = mx.random.normal((8, 128)).astype(dtype)
    q, scales, biases = mx.quantize(weight, group_size=64, bits=bits)
    wide = mx.dequantize(q, scales, biases, group_size=64, bits=bits, stream=mx.cpu)
    assert wide.dtype == dtype
    words = torch.tensor(q.tolist(), dtype=torch.int64).to(torch.uint32)
    save(f"mlx{bits}", {"quantization": {"group_size": 64, "bits": bits}},
         {MLP + "w.weight": words, MLP + "w.scales": to_torch(scales, torch_dtype), MLP + "w.biases": to_torch(biases, torch_dtype)},
         {MLP + "w.weight": to_torch(wide, torch_dtype)})


def main():
    mx.set_default_device(mx.cpu)
    mx.random.seed(20)
    makers = [lambda: packed(4, torch.bfloat16), lambda: packed(8, torch.float16), lambda: packed(3, torch.float32),
              lambda: fp8(torch.bfloat16), fp8_padded, mxfp4, nvfp4,
              lambda: gptq("gptq", 4, 1, torch.float16), lambda: gptq("gptq_v2", 4, 2, torch.float16),
              lambda: gptq("gptq8", 8, 1, torch.float16), lambda: gptq("gptq3", 3, 1, torch.bfloat16),
              lambda: gptq("gptq2_uneven", 2, 1, torch.float16, 80, 32), awq, bitsandbytes,
              lambda: mlx(4, mx.float16, torch.float16), lambda: mlx(8, mx.bfloat16, torch.bfloat16),
              lambda: mlx(3, mx.float32, torch.float32), lambda: mlx(6, mx.bfloat16, torch.bfloat16)]
    for make in makers:
        torch.manual_seed(20)
        make()
    print(sorted(p.name for p in OUT.iterdir()))


if __name__ == "__main__":
    sys.exit(main())

"""Runs a checkpoint in which linear layers are products of two thin ones, with transformers, whatever its architecture.

laser_mpi writes this file beside a factored checkpoint; transformers loads it:

    AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True)

config.json names the layers: truncation_ranks, module -> k.  The stock model of the architecture is built, and each
of these layers, y = W x + b, is replaced by y = A (B x) + b: <module>.BLinear.weight is B [k, in],
<module>.ALinear.weight is A [out, k], <module>.ALinear.bias is b.

truncation_parts names weights that are stored in parts, fused ones and stacks of experts: module -> list of [name, first
output, outputs, outputs in a block, outputs from one block to the next].  A part is a module of its own, <module>.<name>
or <module>.<expert>.<name>: two factors, or one matrix <part>.weight [out, in].  Experts that the checkpoint has one by
one (experts.3.w1) and the model of transformers in stacks are treated alike.
"""
import copy
import re

import torch
from torch import nn
from transformers.models.auto import modeling_auto


class FactoredLinear(nn.Module):
    """Two thin linear layers in place of one."""

    def __init__(self, in_features, out_features, rank, bias):
        super().__init__()
        self.in_features, self.out_features, self.rank = in_features, out_features, rank
        self.BLinear = nn.Linear(in_features, rank, bias=False)
        self.ALinear = nn.Linear(rank, out_features, bias=bias)

    @property
    def weight(self):
        """The dense weight; some models ask a layer for its type or place."""
        return self.ALinear.weight @ self.BLinear.weight

    @property
    def bias(self):
        return self.ALinear.bias

    def forward(self, x):
        return self.ALinear(self.BLinear(x))


class FactoredParts(nn.Module):
    """Linear layers of the same input, whose outputs stand side by side, in blocks."""

    def __init__(self, in_features, parts, ranks, like, bias=False):
        """parts: as in config.json; ranks: of each, None for a dense one; like: a tensor of their type and place."""
        super().__init__()
        self.in_features, self.out_features = in_features, sum(rows for _, _, rows, _, _ in parts)
        self.parts, self.names = parts, [name or "whole" for name, *_ in parts]
        for name, (_, _, rows, _, _), rank in zip(self.names, parts, ranks):
            layer = FactoredLinear(in_features, rows, rank, False) if rank else nn.Linear(in_features, rows, bias=False)
            self.add_module(name, layer)
        self.bias = nn.Parameter(torch.empty(self.out_features)) if bias else None
        self.to(device=like.device, dtype=like.dtype)

    @property
    def weight(self):
        rows = [getattr(self, name).weight for name in self.names]
        return torch.stack([rows[part][row] for part, row in self.order()])

    def order(self):
        """Part and row of every output."""
        places = {}
        for i, (_, first, rows, block, stride) in enumerate(self.parts):
            for row in range(rows):
                places[first + row // block * stride + row % block] = (i, row)
        return [places[output] for output in range(self.out_features)]

    def forward(self, x):
        y = x.new_empty(*x.shape[:-1], self.out_features)
        for name, (_, first, rows, block, stride) in zip(self.names, self.parts):
            part = getattr(self, name)(x)
            if rows == block:
                y[..., first:first + rows] = part
            else:
                for i in range(rows // block):
                    y[..., first + i * stride:first + i * stride + block] = part[..., i * block:(i + 1) * block]
        return y if self.bias is None else y + self.bias


class FactoredExpert:
    """Stands for the weight of one expert where a model multiplies by it."""

    def __init__(self, layer):
        self.layer = layer

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is nn.functional.linear and isinstance(args[1], cls):  # x W^T + b
            bias = args[2] if len(args) > 2 else (kwargs or {}).get("bias")
            y = args[1].layer(args[0])
            return y if bias is None else y + bias
        if function in (torch.Tensor.__matmul__, torch.Tensor.matmul, torch.matmul) and isinstance(args[1], cls):  # x W
            return args[1].layer(args[0])
        return NotImplemented


class FactoredStack(nn.Module):
    """The weights of all experts, in the place of a parameter [experts, ., .] of a model."""

    _is_hf_initialized = True  # nothing of it is initialised as a parameter would be

    def __init__(self, experts, shape):
        super().__init__()
        self.shape = shape
        for i, expert in enumerate(experts):
            self.add_module(str(i), expert)

    def __getitem__(self, i):
        return FactoredExpert(getattr(self, str(int(i))))

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is torch.bmm and isinstance(args[1], cls):  # a batch for every expert
            return torch.stack([getattr(args[1], str(i))(x) for i, x in enumerate(args[0])])
        return NotImplemented


# What checkpoints call the matrices of one expert, and where they stand in the stacks of transformers.
EXPERT_WEIGHTS = {"w1": ("gate_up_proj", "gate"), "gate_proj": ("gate_up_proj", "gate"),
                  "w3": ("gate_up_proj", "up"), "up_proj": ("gate_up_proj", "up"),
                  "w2": ("down_proj", ""), "down_proj": ("down_proj", "")}
# Stacks that have another name in checkpoints.
STACKS = {".experts.fc1": ".experts.gate_up_proj", ".experts.fc2": ".experts.down_proj",
          ".block_sparse_moe.input_linear": ".block_sparse_moe.experts.gate_up_proj",
          ".block_sparse_moe.output_linear": ".block_sparse_moe.experts.down_proj"}
ONE_EXPERT = re.compile(r"(.*\.experts)\.(\d+)\.(" + "|".join(EXPERT_WEIGHTS) + ")$")


def spellings(model, name):
    """What a module of the checkpoint may be called in a model."""
    prefix = model.base_model_prefix + "."
    stack = name
    for theirs, ours in STACKS.items():
        stack = stack.replace(theirs, ours)
    for candidate in (name, name.replace(".block_sparse_moe.", ".mlp."), stack):
        yield from (candidate, prefix + candidate, candidate.removeprefix(prefix))


def find_name(model, known, name):
    """A module or parameter by its name in the checkpoint, which may or may not begin with the prefix of the base model."""
    for candidate in spellings(model, name):
        if candidate in known:
            return candidate
    raise ValueError(f"config.json says that {name} is stored in factors, but {type(model).__name__} has no such module")


def describe(layer):
    """Inputs and outputs of a linear layer; None: it is none."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if type(layer).__name__ == "Conv1D":  # of GPT-2: weight [in, out]
        return tuple(layer.weight.shape)
    return None


def factor_linear(model, modules, key, rank):
    name = find_name(model, modules, key)
    layer = modules[name]
    if describe(layer) is None:
        raise ValueError(f"truncation_ranks in config.json names {key}, which is a {type(layer).__name__}, "
                         "not a linear layer")
    columns, rows = describe(layer)
    new = FactoredLinear(columns, rows, rank, layer.bias is not None)
    new.to(device=layer.weight.device, dtype=layer.weight.dtype)
    model.set_submodule(name, new)


def factor_stack(model, modules, name, parts, ranks):
    """name: of a parameter [experts, ., .]; ranks: (expert, part) -> k."""
    home, _, own = name.rpartition(".")
    module = modules[home]
    stack = getattr(module, own)
    columns = stack.shape[1] if stack.shape[2] == sum(rows for _, _, rows, _, _ in parts) and \
        getattr(module, "is_transposed", stack.shape[1] != stack.shape[2]) else stack.shape[2]
    experts = []
    for i in range(stack.shape[0]):
        own_ranks = [ranks.get((i, part)) for part, *_ in parts]
        if len(parts) > 1:
            experts.append(FactoredParts(columns, parts, own_ranks, stack))
            continue
        rows = parts[0][2]
        layer = FactoredLinear(columns, rows, own_ranks[0], False) if own_ranks[0] else \
            nn.Linear(columns, rows, bias=False)
        experts.append(layer.to(device=stack.device, dtype=stack.dtype))
    delattr(module, own)
    setattr(module, own, FactoredStack(experts, stack.shape))
    module.config = copy.copy(module.config) if hasattr(module, "config") else model.config
    module.config._experts_implementation = "eager"  # the others multiply by the whole stack at once


def factor_parts(model, modules, parameters, key, parts, ranks):
    """A weight that the checkpoint has in parts; ranks: those of the parts, by their names."""
    name = next((n for n in spellings(model, key) if n in parameters), None)
    if name is not None and parameters[name].dim() == 3:
        by_expert = {}
        for part, rank in ranks.items():
            expert, _, label = part.partition(".")
            by_expert[int(expert), label] = rank
        factor_stack(model, modules, name, parts, by_expert)
        return
    name = find_name(model, modules, key)
    layer = modules[name]
    if describe(layer) is None:
        raise ValueError(f"truncation_parts in config.json names {key}, which is a {type(layer).__name__}, "
                         "not a linear layer")
    model.set_submodule(name, FactoredParts(describe(layer)[0], parts, [ranks.get(part) for part, *_ in parts],
                                            layer.weight, layer.bias is not None))


def single_experts(ranks):
    """Experts that the checkpoint has one by one: {"model.layers.0.mlp.experts": {("down_proj", 3, ""): k}}."""
    found = {}
    for key, rank in ranks.items():
        match = ONE_EXPERT.match(key)
        if match:
            stack, part = EXPERT_WEIGHTS[match[3]]
            found.setdefault(match[1], {})[stack, int(match[2]), part] = rank
    return found


def factor(model, config):
    """Replaces the named layers of a model, in place."""
    modules, parameters = dict(model.named_modules()), dict(model.named_parameters())
    ranks, parts = dict(getattr(config, "truncation_ranks", None) or {}), getattr(config, "truncation_parts", None) or {}
    for home, of in single_experts(ranks).items():
        if any(f"{name}.0.{w}" in modules for name in spellings(model, home) for w in EXPERT_WEIGHTS):
            continue  # modules of their own in this version of transformers
        name = find_name(model, modules, home)
        for stack in {stack for stack, _, _ in of}:
            rows = parameters[f"{name}.{stack}"].shape[1]
            layout = [["", 0, rows, rows, rows]] if stack == "down_proj" else \
                [["gate", 0, rows // 2, rows // 2, rows // 2], ["up", rows // 2, rows // 2, rows // 2, rows // 2]]
            factor_stack(model, modules, f"{name}.{stack}", layout,
                         {(expert, part): rank for (s, expert, part), rank in of.items() if s == stack})
        ranks = {key: rank for key, rank in ranks.items() if not (ONE_EXPERT.match(key) and ONE_EXPERT.match(key)[1] == home)}
    for key, layout in parts.items():
        own = {name.removeprefix(key + "."): rank for name, rank in ranks.items() if name.startswith(key + ".")}
        factor_parts(model, modules, parameters, key, layout, own)
        ranks = {name: rank for name, rank in ranks.items() if not name.startswith(key + ".")}
    for key, rank in ranks.items():
        factor_linear(model, modules, key, rank)


def key_mapping(config):
    """The names of experts and stacks in the checkpoint, as patterns, and those of this file."""
    mapping = {re.escape(theirs) + r"\.(\d+)\.": ours + r".\1." for theirs, ours in STACKS.items()
               if any(theirs in key for key in getattr(config, "truncation_parts", None) or {})}
    for home, of in single_experts(getattr(config, "truncation_ranks", None) or {}).items():
        name = home.replace(".block_sparse_moe.", ".mlp.")
        stacks = {stack for stack, _, _ in of}
        for weight, (stack, part) in EXPERT_WEIGHTS.items():
            if stack in stacks:
                mapping["^" + re.escape(home) + r"\.(\d+)\." + weight + r"\."] = \
                    f"{name}.{stack}.\\1." + (f"{part}." if part else "")
    return mapping


def factored_class(stock):
    """The stock class with factored layers."""

    def __init__(self, config, *args, **kwargs):
        stock.__init__(self, config, *args, **kwargs)
        factor(self, config)

    # Some classes of transformers find their bases by name.
    return type(stock.__name__, (stock,), {"__init__": __init__, "__module__": stock.__module__,
                                           "_auto_class": None})


class _Loader:
    """What auto_map points at: stands for the class that config.json's architecture asks for."""

    mapping = None

    @classmethod
    def register_for_auto_class(cls, auto_class=None):
        pass

    @classmethod
    def class_of(cls, config):
        return factored_class(cls.mapping[type(config)])

    @classmethod
    def from_pretrained(cls, path, *args, config, **kwargs):
        mapping = {**key_mapping(config), **(kwargs.pop("key_mapping", None) or {})}
        return cls.class_of(config).from_pretrained(path, *args, config=config, key_mapping=mapping or None, **kwargs)

    @classmethod
    def _from_config(cls, config, **kwargs):
        return cls.class_of(config)._from_config(config, **kwargs)


class LaserFactoredModel(_Loader):
    mapping = modeling_auto.MODEL_MAPPING


class LaserFactoredForCausalLM(_Loader):
    mapping = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING


class LaserFactoredForMaskedLM(_Loader):
    mapping = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING

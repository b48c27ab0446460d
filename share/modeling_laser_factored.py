"""Runs a checkpoint in which linear layers are products of two thin ones, with transformers, whatever its architecture.

laser_mpi writes this file beside a factored checkpoint; transformers loads it:

    AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True)

config.json names the layers: truncation_ranks, module -> k.  The stock model of the architecture is built, and each
of these layers, y = W x + b, is replaced by y = A (B x) + b: <module>.BLinear.weight is B [k, in],
<module>.ALinear.weight is A [out, k], <module>.ALinear.bias is b.
"""
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


def find_name(model, modules, name):
    """A module by its name in the checkpoint, which may or may not begin with the prefix of the base model."""
    prefix = model.base_model_prefix + "."
    for candidate in (name, prefix + name, name.removeprefix(prefix)):
        if candidate in modules:
            return candidate
    raise ValueError(f"truncation_ranks in config.json names {name}, but {type(model).__name__} has no such module")


def factor(model, ranks):
    """Replaces the named linear layers of a model, in place."""
    modules = dict(model.named_modules())
    for key, rank in ranks.items():
        name = find_name(model, modules, key)
        layer = modules[name]
        if isinstance(layer, nn.Linear):
            columns, rows = layer.in_features, layer.out_features
        elif type(layer).__name__ == "Conv1D":  # of GPT-2: weight [in, out]
            columns, rows = layer.weight.shape
        else:
            raise ValueError(f"truncation_ranks in config.json names {key}, which is a {type(layer).__name__}, "
                             "not a linear layer")
        new = FactoredLinear(columns, rows, rank, layer.bias is not None)
        new.to(device=layer.weight.device, dtype=layer.weight.dtype)
        model.set_submodule(name, new)


def factored_class(stock):
    """The stock class with factored layers."""

    def __init__(self, config, *args, **kwargs):
        stock.__init__(self, config, *args, **kwargs)
        factor(self, getattr(config, "truncation_ranks", None) or {})

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
        return cls.class_of(config).from_pretrained(path, *args, config=config, **kwargs)

    @classmethod
    def _from_config(cls, config, **kwargs):
        return cls.class_of(config)._from_config(config, **kwargs)


class LaserFactoredModel(_Loader):
    mapping = modeling_auto.MODEL_MAPPING


class LaserFactoredForCausalLM(_Loader):
    mapping = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING


class LaserFactoredForMaskedLM(_Loader):
    mapping = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING

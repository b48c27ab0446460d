"""laserRMT's own classes on the CPU, from a checkout of cognitivecomputations/laserRMT that the caller names.

None of its code is here: the imports and the class of a script are taken out of the file as it stands, what follows them
(a run on a 7B model) is left out, and what they need of CUDA and of its data sets is replaced: `.cuda()` gives the tensor
itself, the model is loaded in a dtype of the caller's, and the tokens of every data set but the first are none, those of
the first the caller's text, tokenised whole as lib/utils/gptq_data_utils.py does it.
"""
import ast
import pathlib
import sys
import types

import torch
import transformers


class Quiet:
    """In place of tqdm: the loop without a bar."""

    def __new__(cls, items, *unused, **named):
        class Bar(list):
            def set_description(self, text):
                pass

        return Bar(items)


def load(checkout, script, model, text, dtype=torch.float32, max_tokens=0):
    """A ModelModifier of `script` ("rmt_laser.py", "rmt_laser_snr.py") with the model loaded."""
    path = pathlib.Path(checkout) / script
    tree = ast.parse(path.read_text())
    tree.body = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom, ast.ClassDef))]
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    ids = tokenizer(text, return_tensors="pt").input_ids
    if max_tokens > 0:
        ids = ids[:, :max_tokens]

    def get_test_tokens(name, **unused):
        return ids if name == "wikitext2" else ids[:, :0]

    data = types.ModuleType("lib.utils.gptq_data_utils")
    data.get_test_tokens = get_test_tokens
    utils = types.ModuleType("lib.utils")
    utils.gptq_data_utils = data
    bar = types.ModuleType("tqdm")
    bar.tqdm = Quiet
    stubs = {"lib": types.ModuleType("lib"), "lib.utils": utils, "datasets": types.ModuleType("datasets"), "tqdm": bar}
    saved = {name: sys.modules.get(name) for name in stubs}
    sys.modules.update(stubs)
    space = {}
    try:
        exec(compile(tree, str(path), "exec"), space)
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    torch.Tensor.cuda = lambda self, *unused, **named: self
    torch.nn.Module.cuda = lambda self, *unused, **named: self

    class Loader:
        @staticmethod
        def from_pretrained(name, **unused):
            return transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype)

    space["AutoModelForCausalLM"] = Loader
    return space["ModelModifier"](model)


def round_rebuilt(modifier, dtype):
    """Rounds every rebuilt matrix to `dtype`: the model computes in float32, but is stored in fewer bits."""
    inner = modifier.update_model_reduce_layer

    def update(layer_type, layer_number):
        done = inner(layer_type, layer_number)
        if done:
            modules = modifier.model.named_modules()
            module = next(m for name, m in modules if layer_type in name and layer_number in name)
            module.weight.data = module.weight.data.to(dtype).to(torch.float32)
        return done

    modifier.update_model_reduce_layer = update

"""The files that `laser_mpi export` writes, read by the programs that they are for.

    check_exports.py SCAN_DIR EXPORT_DIR MODEL_DIR

SCAN_DIR: output of `laser_mpi scan --model MODEL_DIR`; EXPORT_DIR: of `laser_mpi export SCAN_DIR --model MODEL_DIR
--format axolotl,llama-factory,ms-swift,peft,weightwatcher,spectrum,pissa,milora`.  Checked is what is installed of peft,
transformers, trl, weightwatcher, axolotl (addict is all that it needs for this), llamafactory and ms-swift; of the last two
the sources are enough (PYTHONPATH=unpacked wheels).  The others are skipped by name.  Ends with 1 if a check fails.
"""
import ast
import csv
import glob
import importlib.util
import json
import logging
import math
import os
import re
import sys
import tempfile
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
FAILED = []


def check(name, good, more=""):
    print("[%s] %s%s" % ("    OK    " if good else "  FAILED  ", name, ": " + str(more) if more != "" else ""))
    if not good:
        FAILED.append(name)


def skip(name, why):
    print("[ SKIPPED  ] %s: %s" % (name, why))


def source_of(package, path):
    """Text of a file of an installed or unpacked package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    file = os.path.join(os.path.dirname(spec.origin or list(spec.submodule_search_locations)[0] + "/x"), path)
    return open(file).read() if os.path.exists(file) else None


def functions(text, names, scope):
    """Functions and classes of a source text on their own, where the package would pull in all of itself."""
    tree = ast.parse(text)
    tree.body = [n for n in tree.body if getattr(n, "name", None) in names]
    exec(compile(tree, "<source>", "exec"), scope)
    return [scope[name] for name in names]


def only(pattern):
    found = glob.glob(pattern)
    assert len(found) == 1, (pattern, found)
    return found[0]


def load_model(path):
    import torch
    import transformers

    torch.set_num_threads(1)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype="auto")


def module_name(parameter):
    return parameter.rsplit(".", 1)[0]


def modules_of(export):
    return json.load(open(export + "/peft/adapter_config.json"))["target_modules"]


def check_axolotl(scan, export, model):
    import yaml
    from axolotl.integrations.spectrum import SpectrumPlugin
    from axolotl.utils.freeze import freeze_layers_except

    file = only(export + "/snr_results_*_unfrozenparameters_*percent.yaml")
    ours = yaml.safe_load(open(file))["unfrozen_parameters"]
    slug, percent = re.search(r"/snr_results_(.*)_unfrozenparameters_(\d+)percent", file).groups()
    cfg = {"base_model": slug, "spectrum_top_fraction": int(percent) / 100}
    here = os.getcwd()
    os.chdir(export)  # the plugin reads ./model_snr_results/
    SpectrumPlugin().pre_model_load(cfg)
    os.chdir(here)
    theirs = cfg.get("unfrozen_parameters", [])
    layers = [n for n in theirs if n[0] != "^"]
    check("axolotl: its Spectrum plugin picks the same layers from our file", layers == [n for n in ours if n[0] != "^"],
          "%d layers" % len(layers))
    for name, patterns in (("unfrozen_parameters", ours), ("the plugin's list", theirs)):
        net = load_model(model)
        freeze_layers_except(net, patterns)
        trained = {module_name(n) for n, p in net.named_parameters() if p.requires_grad}
        wanted = {n if n[0] != "^" else module_name(n[1:-1]) for n in patterns}
        present = {module_name(n) for n, _ in net.named_parameters()}
        check("axolotl: %s: exactly these are trained" % name, trained == wanted & present, "%d modules" % len(trained))


def check_llama_factory(scan, export, model):
    import yaml

    keys = yaml.safe_load(open(only(export + "/llama_factory_*.yaml")))
    text = source_of("llamafactory", "hparams/finetuning_args.py")
    if text is None:
        skip("llama-factory: the arguments themselves", "not installed")
    else:
        scope = {"dataclass": __import__("dataclasses").dataclass, "field": __import__("dataclasses").field,
                 "asdict": __import__("dataclasses").asdict, "Any": object}
        scope.update(vars(__import__("typing")))
        names = [n.name for n in ast.parse(text).body if isinstance(n, ast.ClassDef)]
        arguments = functions(text, names, scope)[-1](**keys)
        check("llama-factory: FinetuningArguments takes the keys", arguments.lora_target == keys["lora_target"].split(","),
              "%d targets" % len(arguments.lora_target))
    import peft

    net = peft.get_peft_model(load_model(model), peft.LoraConfig(r=4, target_modules=keys["lora_target"].split(",")))
    check("llama-factory: PEFT finds exactly the picked modules by lora_target", adapted(net) == set(modules_of(export)))


def adapted(net):
    return {n[len("base_model.model."):-len(".lora_A")] for n, m in net.named_modules() if n.endswith(".lora_A")}


def check_ms_swift(scan, export, model):
    import yaml

    file = only(export + "/ms_swift_*.yaml")
    main, tools = source_of("swift", "cli/main.py"), source_of("swift", "utils/transformers_utils.py")
    if main is None or tools is None:
        return skip("ms-swift", "not installed")
    parse, = functions(main, ["parse_yaml_args"], {"os": os, "json": json, "yaml": yaml, "logger": logging})
    argv = [file]
    parse(argv)
    names = argv[argv.index("--trainable_parameters") + 1:]
    scope = {"nn": __import__("torch").nn, "logger": logging, "re": re, "np": __import__("numpy"),
             "is_deepspeed_zero3_enabled": lambda: False, "bisect_right": __import__("bisect").bisect_right,
             "nullcontext": __import__("contextlib").nullcontext}
    scope.update(vars(__import__("typing")))
    freeze, activate = functions(
        tools, ["freeze_parameters", "activate_parameters", "get_n_params_grads"], scope)[:2]
    net = load_model(model)
    freeze(net, float(argv[argv.index("--freeze_parameters_ratio") + 1]), [])
    frozen = not any(p.requires_grad for p in net.parameters())
    activate(net, names)
    trained = {module_name(n) for n, p in net.named_parameters() if p.requires_grad}
    check("ms-swift: the file trains exactly the picked modules", frozen and trained == set(modules_of(export)),
          "%d modules" % len(trained))


def check_peft(scan, export, model):
    import peft
    import torch

    config = peft.LoraConfig.from_pretrained(export + "/peft")
    net = peft.get_peft_model(load_model(model), config)
    check("peft: LoraConfig.from_pretrained adapts exactly the target modules", adapted(net) == set(modules_of(export)),
          "%d modules" % len(adapted(net)))
    sizes = {n[len("base_model.model."):-len(".lora_A.default")]: m.weight.shape[0]
             for n, m in net.named_modules() if n.endswith(".lora_A.default")}
    raw = json.load(open(export + "/peft/adapter_config.json"))
    wanted = {n: raw["rank_pattern"].get(n, raw["r"]) for n in raw["target_modules"]}
    check("peft: every module gets its rank of rank_pattern", sizes == wanted)
    scales = {m.scaling["default"] for n, m in net.named_modules() if hasattr(m, "lora_A")}
    check("peft: the scale alpha / r is 1 everywhere", scales == {1.0}, scales)
    for kind in ("pissa", "milora"):
        if os.path.isdir(export + "/" + kind):
            check_init(peft, torch, export + "/" + kind, model, kind)


def check_trl(scan, export, model):
    """Two steps of TRL's own trainer with the adapter that the file describes: the targets alone change."""
    import datasets
    import peft
    import transformers
    import trl

    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=model + "/tokenizer.json")
    tokenizer.pad_token = tokenizer.eos_token = tokenizer.decode([0])
    lines = datasets.Dataset.from_dict({"text": ["the matrix and its noise, line %d" % i for i in range(8)]})
    with tempfile.TemporaryDirectory() as work:
        trainer = trl.SFTTrainer(
            model=load_model(model), train_dataset=lines, processing_class=tokenizer,
            peft_config=peft.LoraConfig.from_pretrained(export + "/peft"),
            args=trl.SFTConfig(output_dir=work, max_steps=2, learning_rate=1e-2, per_device_train_batch_size=4, report_to=[],
                               use_cpu=True, bf16=False, max_length=32, save_strategy="no", disable_tqdm=True))
        before = {n: p.detach().clone() for n, p in trainer.model.named_parameters()}
        trainer.train()
    changed = {n.split(".lora_")[0][len("base_model.model."):] for n, p in trainer.model.named_parameters()
               if not p.equal(before[n])}
    check("trl: SFTTrainer trains exactly the target modules", changed == set(modules_of(export)), "%d modules" % len(changed))


def check_init(peft, torch, path, model, kind):
    dense = load_model(model)
    config = peft.PeftConfig.from_pretrained(path)
    net = peft.PeftModel.from_pretrained(load_model(config.base_model_name_or_path), path)
    base = load_model(path + "/base")
    ids = torch.arange(1, 65).reshape(2, 32)
    with torch.no_grad():
        away = (base(ids).logits - dense(ids).logits).abs().max().item()
        before = (net(ids).logits - dense(ids).logits).abs().max().item()
        merged = net.merge_and_unload()
        after = (merged(ids).logits - dense(ids).logits).abs().max().item()
        scale = dense(ids).logits.abs().max().item()
    eps = torch.finfo(dense.dtype).eps
    worst = max(((p - q).abs().max() / q.abs().max()).item()
                for p, q in zip(merged.parameters(), dense.parameters()))
    check("%s: the model without its components is another one" % kind, away > 1e-3 * scale, "%.2g" % (away / scale))
    check("%s: with the adapter it is the dense one again" % kind, max(before, after) < 100 * eps * scale,
          "logits differ by %.2g of %.3g" % (max(before, after), scale))
    check("%s: merged weights are the dense ones within rounding" % kind, worst <= 4 * eps, "%.2g, eps %.2g" % (worst, eps))


def check_lora_adapter(path, dense_path, model):
    """`reduce --also lora`: the adapter merged into the base is the dense output, up to the 1 % of each change left out."""
    import peft

    merged = peft.PeftModel.from_pretrained(load_model(model), path).merge_and_unload()
    dense, base = load_model(dense_path), load_model(model)
    ratios = []
    for (n, p), q, b in zip(merged.named_parameters(), dense.parameters(), base.parameters()):
        change = (q.double() - b.double()).norm().item()
        if change > 0:
            ratios.append((p.double() - q.double()).norm().item() / change)
        else:
            FAILED.extend([] if bool((p == q).all()) else ["lora: %s is changed" % n])
    check("lora: the merged adapter is the dense output", len(ratios) > 0 and max(ratios) < 0.0101,
          "%d matrices, at most %.2g of a change is missing" % (len(ratios), max(ratios, default=math.nan)))


def close(a, b, tolerance):
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def check_weightwatcher(scan, export, model):
    if importlib.util.find_spec("weightwatcher") is None:
        return skip("weightwatcher", "not installed")
    import h5py
    import numpy
    import pandas
    import weightwatcher
    from weightwatcher.constants import EVALS_THRESH
    from weightwatcher.WW_powerlaw import pl_fit

    ours = pandas.read_csv(only(export + "/weightwatcher_*.csv"), keep_default_na=True)
    net = load_model(model).float()
    watcher = weightwatcher.WeightWatcher(model=net, log_level="ERROR")
    theirs = watcher.analyze(mp_fit=True, plot=False, randomize=False)
    missing = set(theirs.columns) - set(ours.columns)
    check("weightwatcher: all our columns are its own", set(ours.columns) <= set(theirs.columns),
          "it has also: %s" % ", ".join(sorted(missing)))
    check("weightwatcher: in its own order", list(ours.columns) == [c for c in theirs.columns if c in set(ours.columns)])
    summary = watcher.get_summary(details=ours)
    check("weightwatcher: get_summary reads the frame", set(summary) == set(watcher.get_summary(details=theirs)),
          {k: round(float(v), 4) for k, v in summary.items()})
    both = ours.merge(theirs, on="longname", suffixes=("", "_ww"))
    check("weightwatcher: every matrix is one of its layers", len(both) == len(ours), "%d matrices" % len(both))
    same = ["D", "M", "N", "Q", "alpha", "alpha_weighted", "entropy", "lambda_max", "log_alpha_norm", "log_norm",
            "log_spectral_norm", "matrix_rank", "norm", "num_evals", "num_pl_spikes", "rank_loss", "rf", "sigma",
            "spectral_norm", "stable_rank", "sv_max", "sv_min", "weak_rank_loss", "xmax", "xmin"]
    for column in same:
        worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(both[column], both[column + "_ww"]))
        check("weightwatcher: column %s" % column, worst < 1e-6, "%.2g" % worst)
    for column in ("name", "status", "warning", "layer_type"):
        check("weightwatcher: column %s" % column, list(both[column].fillna("")) ==
              list(both[column + "_ww"].fillna("").replace("conv1d", "dense")))  # a checkpoint does not tell them apart
    worst = 0.0
    with h5py.File(scan + "/spectra.h5") as file:
        for group in file["matrices"].values():
            if group.attrs["status"] != "scanned":
                continue
            evals = numpy.sort(group["singular_values"][:] ** 2)
            fit = pl_fit(data=evals[evals > EVALS_THRESH])
            worst = max(worst, abs(fit.alpha - group.attrs["alpha"]))
    check("weightwatcher: alpha of the same eigenvalues within 1e-6", worst < 1e-6, "%.2g" % worst)


def main():
    scan, export, model = sys.argv[1:4]
    for name, run in (("peft", check_peft), ("trl", check_trl), ("axolotl", check_axolotl), ("llama-factory", check_llama_factory),
                      ("ms-swift", check_ms_swift), ("weightwatcher", check_weightwatcher)):
        try:
            run(scan, export, model)
        except ImportError as error:
            skip(name, error)
    if len(sys.argv) == 5:  # the output directory of reduce --also lora on the same model
        check_lora_adapter(sys.argv[4] + "/lora", sys.argv[4] + "/model", model)
    sys.exit(1 if FAILED else 0)


main()

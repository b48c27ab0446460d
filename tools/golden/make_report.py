#!/usr/bin/env python3
"""Writes the expected files of tests/report/test_report.c: what Python's own json writes for a scan, and repr() of numbers.

    tools/golden/make_report.py [tests/golden]

Rows, scores and numbers are made up here (seeded), in the shapes that a scan has: ties, Infinity, NaN, names beyond
ASCII.  PyYAML reads the YAML back before it is written.  Made with Python 3.11 and PyYAML 6.0.3.
"""
import json
import math
import os
import random
import struct
import sys

import yaml

TYPES = ["mlp.down_proj", "mlp.gate_proj", "self_attn.q_proj", "self_attn.k_proj"]
PERCENT = 45


def rows():
    rng = random.Random(7)
    for layer in range(7):
        for kind in TYPES:
            score = rng.lognormvariate(0, 3)
            if kind == "self_attn.k_proj":
                score = math.inf if layer % 2 else rng.choice([0.5, 1.0])
            if kind == "mlp.gate_proj" and layer == 3:
                score = math.nan
            yield f"model.layers.{layer}.{kind}.weight", kind, layer, score
    yield "lm_head.weight", "lm_head", -1, 12345678901234567890.0
    yield "модель.é\"\\.weight.w\U0001f600", "кириллица", -1, 5e-324


def numbers():
    rng = random.Random(11)
    fixed = [0.1, 1.0, -1.5, 1e15, 1e16, 123456789012345680.0, 0.0001, 0.00001, 1e22, 1e23, 5e-324, 1.7976931348623157e308,
             2.2250738585072014e-308, 2.225073858507201e-308, 9007199254740993.0, 1 / 3, 2 / 3, 100.0, 1e-7, 12345.678]
    yield from fixed
    for e in range(-1074, 1024):
        yield math.ldexp(1.0, e)
    for _ in range(2000):
        (value,) = struct.unpack("<d", rng.getrandbits(64).to_bytes(8, "little"))
        if math.isfinite(value):
            yield value
    for _ in range(500):
        yield round(rng.uniform(-1000, 1000), rng.randrange(6))


def layer_name(name):
    return name[: -len(".weight")] if name.endswith(".weight") else name


def unfrozen(scan):
    lines = ["unfrozen_parameters:", "- ^lm_head.weight$", "- ^model.embed_tokens.weight$"]
    expected = [line[2:] for line in lines[1:]]
    for kind in dict.fromkeys(row["type"] for row in scan.values()):
        layers = [(name, row["snr"]) for name, row in scan.items() if row["type"] == kind]
        best = best_first(layers)[: int(len(layers) * PERCENT / 100)]
        lines.append(f"# {kind} layers")
        lines += [f"- {name}" for name, _ in best]
        expected += [name for name, _ in best]
    text = "\n".join(lines) + "\n"
    assert yaml.safe_load(text) == {"unfrozen_parameters": expected}
    return text


def best_first(layers):
    return sorted(layers, key=lambda item: -math.inf if math.isnan(item[1]) else item[1], reverse=True)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../tests/golden")
    table = list(rows())
    scan = {layer_name(name): {"snr": score, "type": kind} for name, kind, _, score in table}
    by_type = {}
    for kind in dict.fromkeys(row["type"] for row in scan.values()):
        by_type[kind] = dict(best_first([(name, row["snr"]) for name, row in scan.items() if row["type"] == kind]))

    def write(name, text):
        with open(os.path.join(out, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    write("report_rows.tsv", "".join(f"{name}\t{kind}\t{layer}\t{score.hex()}\n" for name, kind, layer, score in table))
    write("report_flat.json", json.dumps(scan, indent=4))
    write("report_sorted.json", json.dumps(by_type, indent=4))
    write("report_unfrozen.yaml", unfrozen(scan))
    write("report_numbers.tsv", "".join(f"{x.hex()}\t{x!r}\n" for x in numbers()))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the table of doc/models.md: the types that run, from the program, and the largest difference measured for each.

usage: make_models_page.py BUILD_DIR doc/models.md

BUILD_DIR holds laser_mpi and tests/model/test_model.  A type's difference is the largest over its cases in tests/golden/model and
over 1 to 4 shards.
"""

import json
import os
import subprocess
import sys

OTHER_NAMES = {"gpt-sw3": "gpt2", "kimi_k2": "deepseek_v3"}
BEGIN, END = "<!-- types: tools/make_models_page.py -->\n", "<!-- end of types -->\n"


def main():
    build, page = sys.argv[1:]
    golden = os.path.join(os.path.dirname(os.path.abspath(page)), "../tests/golden/model")
    errors = {}
    for line in subprocess.run([f"{build}/tests/model/test_model", "--errors"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        name, error = line.split()
        with open(f"{golden}/{name}/config.json") as f:
            model_type = json.load(f)["model_type"]
        errors[model_type] = max(float(error), errors.get(model_type, 0))
    rows, inside = [], False
    for line in subprocess.run([f"{build}/laser_mpi", "models"], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        if not line.startswith("  "):
            inside = "text_config" in line
            continue
        name, words = line.split(None, 1)
        if name in OTHER_NAMES:
            words, errors[name] = words + f" (`{OTHER_NAMES[name]}` under another name)", errors[OTHER_NAMES[name]]
        error = f"{errors[name]:.1e}".replace("e-0", "e-") if name in errors else "as the model around it"
        rows.append(f"| `{name}` | {'wrapper: ' if inside else ''}{words} | {error} |")
    with open(page) as f:
        text = f.read()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    with open(page, "w") as f:
        f.write(before + BEGIN + "| `model_type` | what it has | worst error |\n|---|---|---|\n" + "\n".join(rows) + "\n" +
                END + after)


if __name__ == "__main__":
    main()

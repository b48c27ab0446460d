#!/usr/bin/env python3
"""Converts a checkpoint with llama.cpp's converter and evaluates both: usage:
    check_gguf.py CONVERTER MODEL TEXT [LASER_MPI]
CONVERTER is convert_hf_to_gguf.py of llama.cpp (also in the sources of llama-cpp-python on PyPI, vendor/llama.cpp), MODEL a
dense checkpoint as `compress --set compress.also=dense` writes it, TEXT a file.  laser_mpi reads both forms; their losses
in float32 agree to 1e-6, for the converter only renames, reorders and widens.  Prints the two losses."""
import json
import os
import subprocess
import sys
import tempfile

converter, model, text = sys.argv[1:4]
laser = sys.argv[4] if len(sys.argv) > 4 else "laser_mpi"


def loss(path, out):
    subprocess.run([laser, "perplexity", "--model", path, "--text", f"text={text}", "--precision", "float32", "--seqlen", "256",
                    "--set", "evaluate.max_tokens=4096", "--output", out], check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(out, "results.json")) as file:
        return json.load(file)["perplexity"]["pooled"]["nll"]


with tempfile.TemporaryDirectory() as scratch:
    gguf = os.path.join(scratch, "model.gguf")
    subprocess.run([sys.executable, converter, model, "--outtype", "f32", "--outfile", gguf], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ours, theirs = loss(model, os.path.join(scratch, "a")), loss(gguf, os.path.join(scratch, "b"))
print(f"checkpoint {ours:.8f}, GGUF {theirs:.8f}")
sys.exit(abs(theirs / ours - 1) > 1e-6)

#!/usr/bin/env python3
"""Time a sweep of the LASER protocol beside evaluating every edit from scratch with transformers, on the same cores.

    tools/make_random_model.py --shape 135m --dtype bf16 --output DIR
    bench/sweep_vs_transformers.py --program ./laser_mpi --launcher 'mpirun -n 3' --model DIR --work DIR

7 types x 5 fractions x all layers on 200 questions with four choices each, in processor seconds (a busy machine spoils the
clock; one thread a process).  Both sides are measured on a sample and extrapolated:
- laser_mpi runs the sweep over a few layers, evenly spread (an edit in layer L recomputes L to the end, so the layers must
  be), with --sample questions, once with one fraction and once with two.  The difference of the processor times, of all ranks from start
  to end, is what a further edit costs; the rest happens once, and is multiplied by the questions all the same;
- transformers makes some of the edits, one at a time, as the paper's program does (torch.svd_lowrank with two power
  iterations, in float32), and evaluates the same questions in padded batches sorted by length; the mean second of an edit
  is multiplied.  Loading the model is not counted.
The questions are drawn from a text with a seed, tokens by --tokenizer (any tokenizer.json whose ids the model has).
Needs torch and transformers; prints Markdown.
"""
import argparse
import json
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import time

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

TYPES = ["q", "k", "v", "out", "fc_in", "fc_up", "fc_out"]
MODULES = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "out": "self_attn.o_proj",
           "fc_in": "mlp.gate_proj", "fc_up": "mlp.up_proj", "fc_out": "mlp.down_proj"}
FRACTIONS = [0.4, 0.2, 0.1, 0.05, 0.01]
CHOICES = 4


def make_questions(text, count, words, seed):
    source, rng = re.sub(r"\s+", " ", text).split(" "), random.Random(seed)
    for _ in range(count):
        at = rng.randrange(words, len(source) - 3)
        length = rng.randrange(words // 2, words)
        choices = [" " + " ".join(source[at:at + 3])]
        while len(choices) < CHOICES:
            other = rng.randrange(len(source) - 3)
            choice = " " + " ".join(source[other:other + 3])
            if choice not in choices:
                choices.append(choice)
        answer = choices[0]
        rng.shuffle(choices)
        yield {"kind": "choice", "prompt": " ".join(source[at - length:at]), "choices": choices,
               "answer": choices.index(answer)}


def prepare(args):
    """The model with a tokenizer, and the questions."""
    model = args.work / "model"
    model.mkdir(parents=True, exist_ok=True)
    for path in args.model.iterdir():
        target = model / path.name
        if path.suffix == ".safetensors" and not target.exists():
            target.symlink_to(path.resolve())
        elif path.suffix == ".json":
            shutil.copyfile(path, target)
    shutil.copyfile(args.tokenizer, model / "tokenizer.json")
    questions = list(make_questions(args.text.read_text(encoding="utf-8"), args.sample, args.words, 7))
    (args.work / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
    return model, questions


def ours(args, model, layers, fractions):
    out = args.work / "ours"
    command = args.launcher.split() + [
        args.program, "reduce", "--model", str(model), "--task", f"bench={args.work / 'questions.jsonl'}",
        "--strategy", "sweep", "--output", str(out), "--force", "--set", "log.progress=off",
        "--set", "evaluate.objective=log_loss", "--set", "evaluate.validation_share=1",
        "--set", "reduce.types=" + ",".join(TYPES), "--set", "reduce.layers=" + ",".join(map(str, layers)),
        "--set", f"reduce.fractions={fractions}", "--matrices",
        "re:.*layers\\.(" + "|".join(map(str, layers)) + ")\\..*_proj.weight"]
    for item in args.set:
        command += ["--set", item]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr or done.stdout)
    (args.work / "ours.log").write_text(done.stdout, encoding="utf-8")
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            json.loads((out / "results.json").read_text()))


class Theirs:
    def __init__(self, args, path, questions):
        torch.set_num_threads(args.threads)
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
        encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
        self.answers = torch.tensor([q["answer"] for q in questions])
        self.rows = []
        for i, q in enumerate(questions):
            n = len(encode(q["prompt"]))
            self.rows += [(i, c, n, encode(q["prompt"] + choice)) for c, choice in enumerate(q["choices"])]
        self.rows.sort(key=lambda row: len(row[3]))
        self.batch = args.batch

    def evaluate(self):
        """Mean log loss of the right choice among the choices."""
        scores = torch.zeros(len(self.answers), CHOICES)
        with torch.inference_mode():
            for at in range(0, len(self.rows), self.batch):
                part = self.rows[at:at + self.batch]
                width = max(len(ids) for *_, ids in part)
                tokens = torch.zeros(len(part), width, dtype=torch.long)
                mask = torch.zeros(len(part), width, dtype=torch.long)
                for r, (*_, ids) in enumerate(part):
                    tokens[r, :len(ids)] = torch.tensor(ids)
                    mask[r, :len(ids)] = 1
                logits = self.model(input_ids=tokens, attention_mask=mask).logits
                for r, (i, c, n, ids) in enumerate(part):
                    log_p = logits[r, n - 1:len(ids) - 1].log_softmax(-1)
                    scores[i, c] = log_p.gather(1, torch.tensor(ids[n:])[:, None]).sum()
        return -scores.log_softmax(-1).gather(1, self.answers[:, None]).mean().item()

    def edit(self, layer, name, fraction):
        """Seconds of decomposition and of evaluation, and the loss."""
        weight = self.model.get_parameter(f"model.layers.{layer}.{MODULES[name]}.weight")
        before = weight.detach().clone()
        begin = time.process_time()
        with torch.no_grad():
            u, s, v = torch.svd_lowrank(weight.float(), q=max(1, int(min(weight.shape) * fraction)), niter=2)
            weight.copy_(u @ torch.diag(s) @ v.T)
        middle = time.process_time()
        loss = self.evaluate()
        end = time.process_time()
        with torch.no_grad():
            weight.copy_(before)
        return middle - begin, end - middle, loss


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--launcher", default="", help="e.g. 'mpirun -n 3': two workers and a coordinator that sleeps")
    p.add_argument("--model", type=pathlib.Path, required=True)
    p.add_argument("--work", type=pathlib.Path, required=True)
    here = pathlib.Path(__file__).resolve().parent.parent
    p.add_argument("--tokenizer", type=pathlib.Path, default=here / "inputs/demo-model/tokenizer.json")
    p.add_argument("--text", type=pathlib.Path, default=here / "inputs/demo-text/report.txt")
    p.add_argument("--questions", type=int, default=200)
    p.add_argument("--sample", type=int, default=16, help="questions that are evaluated")
    p.add_argument("--fraction", type=float, default=0.1, help="the fraction of the sample")
    p.add_argument("--words", type=int, default=40, help="of the longest prompt")
    p.add_argument("--layers", default="4,15,25", help="the sample of our sweep")
    p.add_argument("--edits", type=int, default=2, help="the sample of transformers")
    p.add_argument("--threads", type=int, default=1, help="of torch")
    p.add_argument("--batch", type=int, default=32, help="sequences of a batch of transformers")
    p.add_argument("--set", action="append", default=[], help="for laser_mpi")
    args = p.parse_args()
    model, questions = prepare(args)
    n_layers = json.loads((model / "config.json").read_text())["num_hidden_layers"]
    sample = [int(x) for x in args.layers.split(",")]
    n_edits = n_layers * len(TYPES) * len(FRACTIONS)
    done = len(sample) * len(TYPES)
    more = args.questions / args.sample

    one, results = ours(args, model, sample, f"{args.fraction}")
    two, _ = ours(args, model, sample, f"{args.fraction},{args.fraction / 2}")
    an_edit = (two - one) / done
    once = one - done * an_edit
    total = more * (once + n_edits * an_edit)
    print(f"laser_mpi ({args.launcher}): {done} edits on {args.sample} questions in {one:.1f} s, {2 * done} in {two:.1f} s: "
          f"{an_edit:.2f} s an edit, {once:.1f} s once; {n_edits} edits on {args.questions}: {total:.0f} s", flush=True)

    theirs = Theirs(args, model, questions)
    base = theirs.evaluate()
    tokens = sum(len(row[3]) for row in theirs.rows)
    spent = [theirs.edit(sample[e % len(sample)], TYPES[(2 * e + 6) % len(TYPES)], args.fraction)
             for e in range(args.edits)]
    svd, forward = (sum(s[i] for s in spent) / len(spent) for i in (0, 1))
    whole = n_edits * (svd + more * forward)
    print(f"transformers ({args.threads} threads, float32, batches of {args.batch}): {len(spent)} edits, each {svd:.2f} s for "
          f"torch.svd_lowrank and {forward:.1f} s for {args.sample} questions ({tokens} tokens); {n_edits} edits on "
          f"{args.questions}: {whole:.0f} s")
    print(f"ratio {whole / total:.1f}; log loss of the base: transformers {base:.6f}, laser_mpi {results['baseline']}")


if __name__ == "__main__":
    main()

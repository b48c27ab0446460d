#!/usr/bin/env python3
"""Train the demo model of inputs/ from nothing: text, tokenizer, weights, all from one Debian package.

    apt-get install bible-kjv bible-kjv-text
    python3 tools/train_demo.py --output inputs

writes OUTPUT/demo-text/selection.txt, OUTPUT/demo-text/report.txt (books never trained on) and OUTPUT/demo-model/
(Hugging Face layout, LlamaForCausalLM, bfloat16).  Needs torch, tokenizers, safetensors and numpy; runs on one
thread (about half an hour) with a fixed seed, so one torch version gives one model.

The text is the King James Version, whose copyright has expired; see inputs/README.md.
"""
import argparse
import json
import math
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

# Names as `bible -f` prints them.  Books with a close parallel elsewhere (Kings and Chronicles, the first three
# Gospels, the letters to the Ephesians and Colossians, 2 Peter and Jude) are left in the training text.
SELECTION_BOOKS = ("Ruth", "Est", "Eccl", "Jonah", "Hab", "Gal", "Jas")
REPORT_BOOKS = ("Dan", "SSol", "Hos", "Mal", "1Th", "Heb", "1Pet")
END_OF_TEXT = "<|endoftext|>"

SHAPE = {
    "vocab_size": 768,
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 5,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
}


def read_books():
    """The text of every book, one verse a line and an empty line after each chapter."""
    out = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], check=True, capture_output=True, text=True).stdout
    books, last = {}, None
    for line in out.splitlines():
        book, chapter, verse = re.fullmatch(r"([1-3]?[A-Za-z]+)(\d+):\d+ +(.*)", line).groups()
        if last not in (None, (book, chapter)):
            books[last[0]].append("")
        books.setdefault(book, []).append(verse.strip())
        last = (book, chapter)
    return {book: "\n".join(lines) + "\n" for book, lines in books.items()}


def train_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE["vocab_size"],
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == SHAPE["vocab_size"]
    return tokenizer


def parameter_shapes():
    h, m, d = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["head_dim"]
    q, kv = d * SHAPE["num_attention_heads"], d * SHAPE["num_key_value_heads"]
    shapes = {"model.embed_tokens.weight": (SHAPE["vocab_size"], h), "model.norm.weight": (h,)}
    for i in range(SHAPE["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes[p + "input_layernorm.weight"] = (h,)
        shapes[p + "post_attention_layernorm.weight"] = (h,)
        for name, shape in (("q", (q, h)), ("k", (kv, h)), ("v", (kv, h)), ("o", (h, q))):
            shapes[f"{p}self_attn.{name}_proj.weight"] = shape
        for name, shape in (("gate", (m, h)), ("up", (m, h)), ("down", (h, m))):
            shapes[f"{p}mlp.{name}_proj.weight"] = shape
    return shapes


class Llama(torch.nn.Module):
    """The decoder of LlamaForCausalLM with tied embeddings; parameters keyed by their Hugging Face names."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.ParameterDict()
        residual_std = 0.02 / math.sqrt(2 * SHAPE["num_hidden_layers"])
        for name, shape in parameter_shapes().items():
            std = residual_std if name.endswith(("o_proj.weight", "down_proj.weight")) else 0.02
            value = torch.ones(shape) if len(shape) == 1 else torch.randn(shape) * std
            self.w[name.replace(".", "/")] = torch.nn.Parameter(value)
        d, t = SHAPE["head_dim"], SHAPE["max_position_embeddings"]
        frequency = SHAPE["rope_theta"] ** (-torch.arange(0, d, 2).float() / d)
        angle = torch.outer(torch.arange(t).float(), frequency)
        self.register_buffer("cos", torch.cat((angle, angle), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angle, angle), -1).sin(), persistent=False)

    def weight(self, name):
        return self.w[name.replace(".", "/")]

    def norm(self, x, name):
        return F.rms_norm(x, (x.shape[-1],), self.weight(name), SHAPE["rms_norm_eps"])

    def rope(self, x):
        t, half = x.shape[-2], x.shape[-1] // 2
        return x * self.cos[:t] + torch.cat((-x[..., half:], x[..., :half]), -1) * self.sin[:t]

    def attention(self, x, p):
        b, t, _ = x.shape
        split = lambda name: F.linear(x, self.weight(p + name)).view(b, t, -1, SHAPE["head_dim"]).transpose(1, 2)
        q, k, v = self.rope(split("q_proj.weight")), self.rope(split("k_proj.weight")), split("v_proj.weight")
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return F.linear(y.transpose(1, 2).reshape(b, t, -1), self.weight(p + "o_proj.weight"))

    def forward(self, ids):
        x = F.embedding(ids, self.weight("model.embed_tokens.weight"))
        for i in range(SHAPE["num_hidden_layers"]):
            p = f"model.layers.{i}."
            x = x + self.attention(self.norm(x, p + "input_layernorm.weight"), p + "self_attn.")
            h = self.norm(x, p + "post_attention_layernorm.weight")
            gate = F.silu(F.linear(h, self.weight(p + "mlp.gate_proj.weight")))
            up = F.linear(h, self.weight(p + "mlp.up_proj.weight"))
            x = x + F.linear(gate * up, self.weight(p + "mlp.down_proj.weight"))
        return F.linear(self.norm(x, "model.norm.weight"), self.weight("model.embed_tokens.weight"))


def batch_of(data, size, generator):
    t = SHAPE["max_position_embeddings"]
    start = torch.randint(0, len(data) - t - 1, (size,), generator=generator)
    rows = data[start[:, None] + torch.arange(t + 1)[None, :]]
    return rows[:, :-1], rows[:, 1:]


def perplexity(model, ids, seqlen=128):
    """Disjoint windows, tail dropped, seqlen - 1 scored positions a window."""
    windows = ids[: len(ids) // seqlen * seqlen].view(-1, seqlen)
    with torch.inference_mode():
        logits = torch.cat([model(part) for part in windows.split(32)])
        return math.exp(F.cross_entropy(logits[:, :-1].flatten(0, 1), windows[:, 1:].flatten()).item())


def train(model, data, validation, args):
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": args.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.95), fused=True)
    generator = torch.Generator().manual_seed(args.seed)
    warmup, begin, smooth = max(1, args.steps // 50), time.time(), None
    for step in range(args.steps):
        decay = 0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / max(1, args.steps - warmup)))
        lr = args.lr * min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * decay)
        for group in optimizer.param_groups:
            group["lr"] = lr
        x, y = batch_of(data, args.batch, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 100 == 99 or step + 1 == args.steps:
            held_out = f" held-out ppl {perplexity(model, validation):.4f}" if step % 500 == 499 else ""
            print(f"step {step + 1} loss {smooth:.4f}{held_out} {time.time() - begin:.0f} s", flush=True)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save_model(model, tokenizer, directory):
    directory.mkdir(parents=True, exist_ok=True)
    state = {name: model.weight(name).detach().to(torch.bfloat16).contiguous() for name in parameter_shapes()}
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)
    tokenizer.save(str(directory / "tokenizer.json"))
    write_json(directory / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **SHAPE, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "tie_word_embeddings": True, "use_cache": True, "bos_token_id": 0, "eos_token_id": 0,
        "torch_dtype": "bfloat16",
    })
    write_json(directory / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 0})
    write_json(directory / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT,
        "add_bos_token": False, "add_eos_token": False, "clean_up_tokenization_spaces": False,
        "model_max_length": SHAPE["max_position_embeddings"],
    })


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("inputs"))
    parser.add_argument("--steps", type=int, default=4600)
    parser.add_argument("--batch", type=int, default=8, help="windows of 256 tokens a step")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1611)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)

    books = read_books()
    held_out = SELECTION_BOOKS + REPORT_BOOKS
    training = [text for book, text in books.items() if book not in held_out]
    assert len(books) == 66 and len(training) == 66 - len(held_out)
    selection, report = ("\n".join(books[b] for b in names) for names in (SELECTION_BOOKS, REPORT_BOOKS))
    text_dir = args.output / "demo-text"
    text_dir.mkdir(parents=True, exist_ok=True)
    (text_dir / "selection.txt").write_text(selection, encoding="utf-8")
    (text_dir / "report.txt").write_text(report, encoding="utf-8")

    tokenizer = train_tokenizer(training)
    ids = np.concatenate([np.array(tokenizer.encode(END_OF_TEXT + text).ids) for text in training])
    validation = {n: torch.tensor(tokenizer.encode(t).ids) for n, t in (("selection", selection), ("report", report))}
    model = Llama()
    print(f"{len(ids)} tokens to train on, {sum(p.numel() for p in model.parameters())} parameters,",
          {name: (len(value)) for name, value in validation.items()}, "held out", flush=True)
    train(model, torch.from_numpy(ids), validation["selection"], args)
    save_model(model, tokenizer, args.output / "demo-model")
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.to(torch.bfloat16).float())
    for name, value in validation.items():
        print(f"{name}: perplexity {perplexity(model, value):.6f} in windows of 128 (weights in bfloat16)")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fits the head of a random model to a text, so that it predicts that text and edits of its layers do harm, as in a trained model.

    bench/fit_head.py MODEL TEXT OUTPUT [--tokens 20000] [--epochs 40]

MODEL: a Llama of tools/make_random_model.py.  The layers stay as they are; a head of its own is trained on the states after the last
layer (Adam, windows of 128, the tokens that occur in the text; the rows of the others stay).  What a search costs on weights
whose edits matter is measured on it (reduce_vs_laserrmt.py).  Needs torch and transformers.
"""
import argparse
import pathlib

import torch
import transformers


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("text", type=pathlib.Path)
    p.add_argument("output")
    p.add_argument("--tokens", type=int, default=20000)
    p.add_argument("--epochs", type=int, default=40)
    args = p.parse_args()
    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(args.model)
    config.tie_word_embeddings = False
    model = transformers.AutoModelForCausalLM.from_pretrained(args.model, config=config, dtype=torch.float32)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=args.model + "/tokenizer.json")
    text = args.text.read_bytes()[: 8 * args.tokens].decode(errors="ignore")
    ids = torch.tensor(tokenizer(text)["input_ids"][: args.tokens // 128 * 128]).reshape(-1, 128)
    with torch.no_grad():
        states = torch.cat([model.model(batch).last_hidden_state for batch in ids.split(8)])
    x, y = states[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    seen, y = y.unique(return_inverse=True)
    rows = model.get_input_embeddings().weight.detach()[seen].clone().requires_grad_()
    adam = torch.optim.Adam([rows], lr=2e-3)
    for epoch in range(args.epochs):
        total = 0
        for part in torch.randperm(len(x)).split(2048):
            loss = torch.nn.functional.cross_entropy(x[part] @ rows.T, y[part])
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.item() * len(part)
        print(f"epoch {epoch}: {total / len(x):.3f} nats of a token among {len(seen)}", flush=True)
    head = torch.full_like(model.get_input_embeddings().weight, 0)
    head[seen] = rows.detach()
    model.lm_head.weight = torch.nn.Parameter(head)
    model.to(torch.bfloat16).save_pretrained(args.output)
    tokenizer.save_pretrained(args.output)


if __name__ == "__main__":
    main()

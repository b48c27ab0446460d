#!/usr/bin/env python3
"""Writes tests/golden/bare_tokenizers: directories without tokenizer.json, and the ids that transformers gives for them.

usage: make_bare_tokenizers.py (after make_tokenizer.py)

Small SentencePiece models (tokenizer.model and the other names that classes look for), trained on inputs/demo-text, and
the vocabularies and merges of tests/golden/tokenizer as vocab.json and merges.txt.  cases.json: for each case the
files of its directory (model: which one, under which name; config.json and tokenizer_config.json) and, as loaded by
AutoTokenizer, the number and the XXH3 of the ids of the torture texts and of soup.txt, with special tokens and without.
The committed files were made with transformers 5.24.0, tokenizers 0.23.3 and sentencepiece 0.2.3.
"""
import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import sentencepiece
import transformers
import xxhash
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/bare_tokenizers"
TOKENIZERS = ROOT / "tests/golden/tokenizer"
TEXTS = ["a<sep>yz", "x<sep> y <s> z</s> w", "<sep>", " <sep>ing", "ring ing ing", "(a) [MASK] b [SEP]", "``a'' x", "\u2581a", " a", "a<mask>b <extra_id_1> <extra_id_0>"]
transformers.logging.set_verbosity_error()

# A charsmap of few rules keeps the files small; that of "whole" is nmt_nfkc.
RULES = "FB01\t66 69\n65 301\tE9\n41 301\tC1\n3000\t20\n200B\t\nFF21\t41\n2460\t31\n"
MODELS = {
    "llama": dict(model_type="bpe", vocab_size=560, byte_fallback=True, normalization_rule_name="identity",
                  remove_extra_whitespaces=False, character_coverage=0.995, split_digits=True,
                  user_defined_symbols=["<sep>", "ing ing", "a.b|c"], allow_whitespace_only_pieces=True),
    "bpe": dict(model_type="bpe", vocab_size=300, rules=RULES, user_defined_symbols=["<sep>", "<sep>y"]),
    "t5": dict(model_type="unigram", vocab_size=300, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, rules=RULES),
    "plain": dict(model_type="unigram", vocab_size=300, rules=RULES),
    "bytes": dict(model_type="unigram", vocab_size=500, byte_fallback=True, add_dummy_prefix=False,
                  normalization_rule_name="identity", character_coverage=0.99),
    "deberta": dict(model_type="unigram", vocab_size=300, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                    bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", rules=RULES),
    "albert": dict(model_type="unigram", vocab_size=300, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
                   control_symbols=["[CLS]", "[SEP]"], user_defined_symbols=["(", ")"], rules=RULES),
    "whole": dict(model_type="unigram", vocab_size=300, normalization_rule_name="nmt_nfkc"),
}
LLAMA, XLM = "LlamaTokenizer", "XLMRobertaTokenizer"
# model, its name, tokenizer_config.json, model_type
CASES = [
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA}, "llama"),
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA, "add_bos_token": True, "legacy": False}, "llama"),
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA, "add_bos_token": True, "add_eos_token": True, "legacy": True}, "llama"),
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA, "add_prefix_space": False}, "llama"),
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA, "pad_token": "<pad>"}, "llama"),
    ("llama", "tokenizer.model", {"tokenizer_class": LLAMA, "add_bos_token": True}, "mistral"),
    ("llama", "tokenizer.model", {"legacy": False, "add_bos_token": True}, "llama"),
    ("llama", "tokenizer.model", {}, None),
    ("llama", "tokenizer.model", {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True}, "gemma"),
    ("llama", "tokenizer.model", {"tokenizer_class": "PreTrainedTokenizerFast"}, "internlm2"),
    ("bpe", "tokenizer.model", {}, None),
    ("bpe", "tokenizer.model", {"tokenizer_class": LLAMA}, "llama"),
    ("plain", "tokenizer.model", {}, None),
    ("bytes", "tokenizer.model", {}, None),
    ("whole", "tokenizer.model", {"add_eos_token": True}, "llama"),
    ("t5", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}, "t5"),
    ("t5", "spiece.model", {}, "t5"),
    ("plain", "sentencepiece.bpe.model", {"tokenizer_class": XLM}, "xlm-roberta"),
    ("plain", "sentencepiece.bpe.model", {"add_prefix_space": False, "mask_token": {"content": "<mask>", "lstrip": True,
     "normalized": False, "rstrip": False, "single_word": False, "__type": "AddedToken"}}, "xlm-roberta"),
    ("whole", "sentencepiece.bpe.model", {}, "xlm-roberta"),
    ("deberta", "spm.model", {"tokenizer_class": "DebertaV2Tokenizer"}, "deberta-v2"),
    ("deberta", "spm.model", {"do_lower_case": True, "split_by_punct": True}, "deberta-v2"),
    ("albert", "spiece.model", {"tokenizer_class": "AlbertTokenizer"}, "albert"),
    ("albert", "spiece.model", {"do_lower_case": False, "keep_accents": True}, "albert"),
    ("gpt2", None, {"tokenizer_class": "GPT2Tokenizer"}, "gpt2"),
    ("gpt2", None, {"add_prefix_space": True}, "gpt2"),
    ("gpt2", None, {"add_bos_token": True}, "opt"),
    ("gpt2", None, {"tokenizer_class": "GPTNeoXTokenizer"}, "gpt_neox"),
    ("roberta", None, {"tokenizer_class": "RobertaTokenizer"}, "roberta"),
    ("roberta", None, {"mask_token": {"content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False,
     "single_word": False, "__type": "AddedToken"}}, "roberta"),
    ("qwen2", None, {}, "qwen2"),
    ("qwen2", None, {"tokenizer_class": "Qwen2Tokenizer", "additional_special_tokens": ["<|im_start|>"]}, "qwen3"),
    ("gpt2", None, {"tokenizer_class": "CodeGenTokenizer"}, "phi"),
    ("gpt2", None, {"tokenizer_class": "BartTokenizer"}, "bart"),
]


def train(name, rules=None, **options):
    with tempfile.TemporaryDirectory() as d:
        if rules:
            Path(d, "rules.tsv").write_text(rules)
            options["normalization_rule_tsv"] = d + "/rules.tsv"
        sentencepiece.SentencePieceTrainer.train(input=str(ROOT / "inputs/demo-text/report.txt"), model_prefix=d + "/m",
                                                 minloglevel=2, num_threads=1, hard_vocab_limit=False, **options)
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(Path(d, "m.model").read_bytes())
        proto.trainer_spec.ClearField("input")  # paths of the machine
        proto.trainer_spec.ClearField("model_prefix")
        proto.normalizer_spec.ClearField("normalization_rule_tsv")
        (OUT / f"{name}.model").write_bytes(proto.SerializeToString())


def write_files(name, folder):
    j = json.loads((TOKENIZERS / f"{name}.json").read_text())["model"]
    Path(folder, "vocab.json").write_text(json.dumps(j["vocab"], ensure_ascii=False))
    merges = [m if isinstance(m, str) else " ".join(m) for m in j["merges"]]
    Path(folder, "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")


def digest(rows):
    return xxhash.xxh3_64_hexdigest(np.array([x for row in rows for x in (len(row), *row)], dtype="<i4").tobytes())


def main():
    OUT.mkdir(exist_ok=True)
    for name, options in MODELS.items():
        train(name, **options)
    for name in ("gpt2", "roberta", "qwen2"):
        (OUT / name).mkdir(exist_ok=True)
        write_files(name, OUT / name)
    texts = json.loads((TOKENIZERS / "torture.json").read_text()) + TEXTS + [(TOKENIZERS / "soup.txt").read_bytes().decode()]
    rows = []
    for model, file, config, model_type in CASES:
        with tempfile.TemporaryDirectory() as d:
            if file:
                shutil.copy(OUT / f"{model}.model", Path(d, file))
            else:
                shutil.copytree(OUT / model, d, dirs_exist_ok=True)
            Path(d, "tokenizer_config.json").write_text(json.dumps(config))
            Path(d, "config.json").write_text(json.dumps({"model_type": model_type} if model_type else {}))
            t = AutoTokenizer.from_pretrained(d)
        ids = [t(text)["input_ids"] for text in texts]
        bare = [t(text, add_special_tokens=False)["input_ids"] for text in texts]
        back = [t.decode(row, clean_up_tokenization_spaces=False) for row in ids[:-1]]
        row = {"model": model, "file": file, "config": config, "model_type": model_type, "size": len(t), "n": sum(map(len, ids)),
               "ids": digest(ids), "bare": digest(bare), "text": xxhash.xxh3_64_hexdigest("\0".join(back).encode())}
        rows.append(row)
        print(type(t).__name__, row)
    head = {"made_by": "tools/golden/make_bare_tokenizers.py", "transformers": transformers.__version__, "texts": TEXTS}
    (OUT / "cases.json").write_text(json.dumps(head)[:-1] + ',\n"cases": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}\n")


if __name__ == "__main__":
    main()

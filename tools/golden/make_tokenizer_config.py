#!/usr/bin/env python3
"""Writes tests/golden/tokenizer_config.json: what each key of tokenizer_config.json does to the ids in transformers.

usage: make_tokenizer_config.py (after make_tokenizer.py)

A case is one of the tokenizers of tests/golden/tokenizer in a directory with a config.json (model_type) and a
tokenizer_config.json (tokenizer_class and one key more), loaded by AutoTokenizer.  Recorded are the ids of the torture
texts and of TEXTS (their number and their XXH3), and how many texts the key changes.
tests/golden/tokenizer/xlm_roberta.json is `unigram` as XLMRobertaTokenizer builds it.
The committed files were made with transformers 5.24.0.
"""
import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import transformers
import xxhash
from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
TOKENIZERS = ROOT / "tests/golden/tokenizer"
TEXTS = ["x<|endoftext|> y <s> z</s> w", "hello <new> world", "a <new>b <other><new>", " <s> a", "the cat, theCat the"]
transformers.logging.set_verbosity_error()


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True,
            **flags}


CODE = {f"{k}_token": None for k in ("prefix", "middle", "suffix", "eot", "fill")}

# tokenizer, tokenizer_class, model_type, keys that every case of it has
BASES = [
    ("gpt2", "GPT2Tokenizer", "gpt2", {"eos_token": "<|endoftext|>"}),
    ("gpt2", "PreTrainedTokenizerFast", "llama", {"eos_token": "<|endoftext|>"}),
    ("gpt2", None, "gpt2", {}),
    ("neox", "GPTNeoXTokenizerFast", "gpt_neox", {"pad_token": "<|endoftext|>"}),
    ("qwen2", "Qwen2Tokenizer", "qwen2", {"eos_token": "<|endoftext|>"}),
    ("llama3", "PreTrainedTokenizerFast", "llama", {"bos_token": "<|endoftext|>"}),
    ("llama3", "LlamaTokenizer", "llama", {"bos_token": "<|endoftext|>"}),
    ("metaspace_first", "LlamaTokenizer", "llama", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}),
    ("llama2", "LlamaTokenizer", "llama", {"bos_token": "<s>", "eos_token": "</s>", "add_prefix_space": True}),
    ("llama2", "LlamaTokenizer", "llama", {"bos_token": "<s>", "eos_token": "</s>", "add_prefix_space": False}),
    ("llama2", "LlamaTokenizer", "mistral", {"bos_token": "<s>", "eos_token": "</s>"}),
    ("llama2", None, "llama", {"bos_token": "<s>"}),
    ("llama2", "CodeLlamaTokenizer", "llama", {"bos_token": "<s>", "eos_token": "</s>", "add_prefix_space": True, **CODE}),
    ("llama2", "CodeLlamaTokenizer", "llama", {"bos_token": "<s>", "eos_token": "</s>", "add_prefix_space": False, **CODE}),
    ("gpt2", "CodeGenTokenizer", "phi", {"eos_token": "<|endoftext|>"}),
    ("roberta", "RobertaTokenizer", "roberta", {"add_prefix_space": True, "mask_token": token("<mask>", lstrip=True, normalized=True, __type="AddedToken")}),
    ("xlm_roberta", "XLMRobertaTokenizer", "xlm-roberta", {}),
    ("wordpiece", "BertTokenizer", "roberta", {}),
]
KEYS = [
    {}, {"add_prefix_space": True}, {"add_prefix_space": False}, {"add_prefix_space": None}, {"legacy": True}, {"legacy": False},
    {"add_prefix_space": True, "legacy": True}, {"add_prefix_space": False, "legacy": True},
    {"split_special_tokens": True}, {"do_lower_case": True}, {"do_lower_case": False}, {"strip_accents": True},
    {"strip_accents": False}, {"tokenize_chinese_chars": False}, {"extra_special_tokens": ["<new>", "<other>"]},
    {"additional_special_tokens": ["<other>", "<new>"]}, {"additional_special_tokens": [token("<new>", rstrip=True, __type="AddedToken")]},
    {"extra_special_tokens": {"image_token": "<new>"}}, {"image_token": "<new>"}, {"pad_token": "<new>"}, {"bos_token": "<new>"},
    {"eos_token": "<new>"}, {"mask_token": token("<new>", lstrip=True, __type="AddedToken")}, {"unk_token": "<new>"},
    {"pad_token": "<other>", "image_token": "<new>", "extra_special_tokens": ["</x>"]}, {"sep_token": "<new>"},
    {"cls_token": "<new>"}, {"bos_token": "the"}, {"added_tokens_decoder": {"9999": token("<new>", lstrip=True)}},
    {"added_tokens_decoder": {"9999": token("<new>", special=False), "9000": token("<other>")}}, {"added_tokens_decoder": "lstrip"},
    {"file": {"special_tokens_map.json": {"pad_token": "<new>", "additional_special_tokens": ["<other>"]}}},
    {"file": {"special_tokens_map.json": {"pad_token": token("<new>", lstrip=True)}}},
    {"file": {"added_tokens.json": {"<new>": 5000, "<other>": 4999}}},
    {"file": {"added_tokens.json": {"<new>": 5000}, "special_tokens_map.json": {"pad_token": "<new>"}}},
    {"add_bos_token": True, "add_eos_token": True, "clean_up_tokenization_spaces": True, "model_max_length": 5, "max_length": 5,
     "truncation": True, "padding": True, "padding_side": "left", "truncation_side": "left", "fix_mistral_regex": True,
     "use_fast": False, "from_slow": True, "spaces_between_special_tokens": False, "sp_model_kwargs": {"nbest_size": 3},
     "errors": "ignore", "do_basic_tokenize": False, "never_split": ["the"], "keep_accents": False, "remove_space": True,
     "byte_fallback": False, "dropout": 0.5, "chat_template": "x", "use_default_system_prompt": True},
    {"add_bos_token": False, "add_eos_token": False, "trim_offsets": False},
]


def with_own(name, decoder):
    """An added_tokens_decoder names the tokens of tokenizer.json, too."""
    own = json.loads((TOKENIZERS / f"{name}.json").read_text())["added_tokens"]
    own = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in own}
    if decoder == "lstrip":
        return {i: {**t, "lstrip": True} for i, t in own.items()}
    return {**own, **decoder}


def followed(tokenizer_class, model_type, keys):
    """LlamaTokenizer of transformers 5 builds a pre_tokenizer of its own whatever tokenizer.json says; the program, as
    transformers 4, does where add_prefix_space is stated only."""
    llama = tokenizer_class == "LlamaTokenizer" and model_type == "llama"
    return not llama or keys.get("add_prefix_space") is not None or "legacy" not in keys


def tokenizer(name, tokenizer_class, model_type, keys):
    keys = dict(keys)
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        (d / "tokenizer.json").write_bytes((TOKENIZERS / f"{name}.json").read_bytes())
        (d / "config.json").write_text(json.dumps({"model_type": model_type}))
        for file, content in keys.pop("file", {}).items():
            (d / file).write_text(json.dumps(content))
        if tokenizer_class:
            keys["tokenizer_class"] = tokenizer_class
        (d / "tokenizer_config.json").write_text(json.dumps(keys))
        return AutoTokenizer.from_pretrained(str(d))


def main():
    texts = json.loads((TOKENIZERS / "torture.json").read_text()) + TEXTS
    canonical = tokenizer("unigram", "XLMRobertaTokenizer", "xlm-roberta", {}).backend_tokenizer.to_str()
    (TOKENIZERS / "xlm_roberta.json").write_text(json.dumps(json.loads(canonical), ensure_ascii=False, separators=(",", ":")) + "\n")
    cases = []
    for name, tokenizer_class, model_type, base in BASES:
        plain = None
        for keys in KEYS:
            if "added_tokens_decoder" in keys:
                keys = {"added_tokens_decoder": with_own(name, keys["added_tokens_decoder"])}
            if not followed(tokenizer_class, model_type, {**base, **keys}) or (name == "llama2" and model_type == "llama" and tokenizer_class and keys == {"add_prefix_space": None}):
                continue
            case = {"tokenizer": name, "model_type": model_type, "config": {**base, **keys}}
            if tokenizer_class:
                case["config"]["tokenizer_class"] = tokenizer_class
            files = case["config"].pop("file", None)
            if files:
                case["files"] = files
            try:
                t = tokenizer(name, tokenizer_class, model_type, {**base, **keys})
                ids = [t(text)["input_ids"] for text in texts]
            except Exception as e:  # transformers refuses, or breaks
                print(name, tokenizer_class, keys, "fails:", repr(e)[:80])
                continue
            plain = plain or ids
            rows = [i for i in range(len(texts)) if ids[i] != plain[i]]
            digest = xxhash.xxh3_64_hexdigest(np.array([x for row in ids for x in (len(row), *row)], dtype="<i4").tobytes())
            case.update(changed=len(rows), n=sum(map(len, ids)), ids=digest)
            cases.append(case)
            print(name, tokenizer_class, model_type, keys, len(rows))
    head = {"made_by": "tools/golden/make_tokenizer_config.py", "transformers": transformers.__version__, "texts": TEXTS}
    (ROOT / "tests/golden/tokenizer_config.json").write_text(
        json.dumps(head)[:-1] + ',\n"cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    main()

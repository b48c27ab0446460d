#!/usr/bin/env python3
"""Makes tests/golden/tokenizer/: small tokenizers of each family, a text that tortures them, and what the `tokenizers`
library makes of it.

    python3 tools/golden/make_tokenizer.py [--only NAME,...] [SHARED]

Trains on inputs/demo-text (public domain).  With --only, the other families stay as they are.  With SHARED, a folder with data/tokenizers, data/models and data/text, the
number and the XXH3 of the ids of those texts are recorded, too (not the texts).
"""
import argparse
import json
import random
import struct
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import xxhash
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/tokenizer"
TRAIN = ROOT / "inputs/demo-text/report.txt"

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"]
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train_bpe(t, special=(), vocab=380, byte_level=True, **kw):
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    t.train([str(TRAIN)], trainers.BpeTrainer(vocab_size=vocab, special_tokens=list(special), initial_alphabet=alphabet,
                                              show_progress=False, **kw))


def byte_level(pre, normalizer=None, special=("<|endoftext|>",), post=None, **model):
    t = Tokenizer(models.BPE(**model))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    train_bpe(t, special)
    t.post_processor = post(t) if post else processors.ByteLevel(trim_offsets=False)
    return t


def edit(t, **parts):
    """The tokenizer with parts of its file replaced; model=... is merged into the model."""
    j = json.loads(t.to_str())
    j["model"].update(parts.pop("model", {}))
    j.update(parts)
    return Tokenizer.from_str(json.dumps(j))


def bos(t):
    i = t.token_to_id("<|endoftext|>")
    template = processors.TemplateProcessing(single="<|endoftext|> $A", pair="<|endoftext|> $A <|endoftext|> $B",
                                             special_tokens=[("<|endoftext|>", i)])
    return processors.Sequence([processors.ByteLevel(trim_offsets=False), template])


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)


def with_bytes(pieces):
    return pre_tokenizers.Sequence(pieces + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))


def llama3():
    t = byte_level(with_bytes([split(LLAMA3)]), post=bos, ignore_merges=True)
    t.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    return t


def qwen2():
    t = byte_level(with_bytes([split(QWEN2)]), normalizers.NFC())
    t.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    return t


def starcoder():
    return byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False)]))


def neox():
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC())
    t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    return t


def o200k():
    return byte_level(with_bytes([split(O200K)]), special=("<|endoftext|>", "<|return|>"))


def deepseek():
    return byte_level(with_bytes([split(p) for p in DEEPSEEK]), post=bos)


def roberta():
    def post(t):
        return processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), special=("<s>", "<pad>", "</s>", "<unk>"), post=post)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=True)])
    return t


def clip():
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                         normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([split(CLIP, "removed", True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("</w>", " ")])
    train_bpe(t, ("<|startoftext|>", "<|endoftext|>"), vocab=700, end_of_word_suffix="</w>")
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), add_prefix_space=False)
    return t


SP_DECODER = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                decoders.Strip(" ", 1, 0)])


def sentencepiece(normalizer, pre, fuse_unk=True, fallback=True):
    """SentencePiece-style BPE: trained on words that begin with U+2581, then given the parts that it is used with."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=fallback))
    t.normalizer = normalizers.Replace(" ", "\u2581")
    t.pre_tokenizer = split("\u2581", "merged_with_next")
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    train_bpe(t, special, vocab=len(special) + 200, byte_level=False, limit_alphabet=60)
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = SP_DECODER
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def llama2():
    return sentencepiece(normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]), None)


def metaspace_first():
    return sentencepiece(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False))


def metaspace_unk():
    return sentencepiece(None, pre_tokenizers.Metaspace(prepend_scheme="always", split=True), fuse_unk=False, fallback=False)


def gemma():
    t = sentencepiece(normalizers.Replace(" ", "\u2581"), pre_tokenizers.Split(" ", "merged_with_previous"))
    t.add_tokens(["\n\n", "\n\n\n", "<b>", "</b>"])
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return t


def unigram(fallback):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    t.train([str(TRAIN)], trainers.UnigramTrainer(vocab_size=len(special) + 250, special_tokens=special, unk_token="<unk>",
                                                  show_progress=False))
    j = json.loads(t.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    j["model"]["byte_fallback"] = fallback
    j["model"]["unk_id"] = 2
    t = Tokenizer.from_str(json.dumps(j))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train([str(TRAIN)], trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, limit_alphabet=70,
                                                    show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def wordlevel():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                         normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(),
                                               pre_tokenizers.Punctuation("contiguous")])
    t.train([str(TRAIN)], trainers.WordLevelTrainer(vocab_size=300, special_tokens=["[UNK]"], show_progress=False))
    t.add_tokens([AddedToken("Caf\u00e9", single_word=True), AddedToken("the", single_word=True, normalized=False),
                  AddedToken("ing", rstrip=True), AddedToken("-->", lstrip=True, rstrip=True, normalized=False)])
    return t


def sentencepiece_model(**options):
    """A SentencePiece model trained on the text, as sentencepiece's ModelProto (needs sentencepiece and protobuf)."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    with tempfile.TemporaryDirectory() as d:
        sentencepiece.SentencePieceTrainer.train(input=str(TRAIN), model_prefix=d + "/m", minloglevel=2, num_threads=1,
                                                 hard_vocab_limit=False, **options)
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(Path(d, "m.model").read_bytes())
    return proto


def t5():
    """As transformers converts a T5 model: SentencePiece's charsmap nmt_nfkc."""
    proto = sentencepiece_model(model_type="unigram", vocab_size=300, normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1,
                                unk_id=2, bos_id=-1)
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces], unk_id=2))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
                                         normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "\u2581")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.add_special_tokens(["<pad>", "</s>", "<unk>"] + [f"<extra_id_{i}>" for i in range(3)])
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def charsmap(replaced):
    """A charsmap of one-byte keys, {byte: text}: a root, its children in one block, their values in the next."""
    units, text = [0] * 768, b""
    units[0] = 256 << 10
    for k, (byte, by) in enumerate(sorted(replaced.items())):
        child, value = 256 ^ byte, 512 + k
        units[child] = byte | 1 << 8 | (child ^ value) << 10
        units[value] = 1 << 31 | len(text)
        text += by.encode() + b"\0"
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + text


def bytes_only(normalizer, pre, decoder):
    """Every byte has a token, so that the ids tell all of the text behind the normalizer."""
    names = ["<pad>", "</s>", "<unk>", "\u2581", "|"] + [f"<0x{b:02X}>" for b in range(256)] + list("abcdefgh")
    t = Tokenizer(models.Unigram([(n, -1.0 - k / 8) for k, n in enumerate(names)], unk_id=2, byte_fallback=True))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre, decoder
    return t


def graphemes():
    """A charsmap by the first byte of a grapheme: which characters it takes along shows where graphemes end."""
    letters = {lead: "abcdefgh"[lead % 8] + "x" * (lead % 3) if lead % 7 else "" for lead in range(0xc2, 0xf5) if lead % 5}
    return bytes_only(normalizers.Sequence([normalizers.Precompiled(charsmap({**letters, ord("Q"): "q ", 13: "r"})),
                                            normalizers.Replace("x", " ")]),
                      pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(prepend_scheme="first")]),
                      decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()]))


def scripts():
    return bytes_only(None, pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.Metaspace()]),
                      decoders.CTC(pad_token="<pad>", word_delimiter_token="|", cleanup=True))


def soup():
    """Characters that graphemes are made of, in any order."""
    rng = random.Random(7)
    parts = ["a", "Q", ".", " ", "\r", "\n", "\t", "\u0301", "\u0302", "\u0483", "\u0600", "\u06dd", "\u0e33", "\u0903",
             "\u093f", "\u0915", "\u0924", "\u094d", "\u09cd", "\u0995", "\u0d4d", "\u0d15", "\u1100", "\u1161", "\u11a8",
             "\uac00", "\uac01", "\u200c", "\u200d", "\u2640", "\ufe0f", "\u00a9", "\U0001f468", "\U0001f3fd", "\U0001f1e9",
             "\U0001f1ea", "\u00e9", "\ufb01", "\u0344", "\u3099", "\u304b", "\u30fc", "\u4e2d", "\u2581", "\U000110bd",
             "\U00016d63", "\U00016d67", "\U000e0001", "\u00ad", "\u180b", "\u200b", "\u20e3", "#", "\u1b44", "\u1b13", "\u0d4e"]
    return "".join("".join(rng.choices(parts, k=rng.randint(1, 7))) + rng.choice(["", " ", "-", "\n"]) for _ in range(1500))


FAMILIES = {"gpt2": gpt2, "llama3": llama3, "qwen2": qwen2, "starcoder": starcoder, "neox": neox, "o200k": o200k,
            "deepseek": deepseek, "roberta": roberta, "clip": clip, "llama2": llama2, "metaspace_first": metaspace_first,
            "metaspace_unk": metaspace_unk, "gemma": gemma, "unigram": lambda: unigram(False),
            "unigram_bytes": lambda: unigram(True), "wordpiece": wordpiece, "wordlevel": wordlevel,
            "t5": t5, "graphemes": graphemes, "scripts": scripts}
SOUPED = ("t5", "graphemes", "scripts")

TORTURE = [
    "", " ", "  ", "a", " a", "a ", "Hello, world!", "The quick brown fox jumps over the lazy dog.",
    "I'm you're he'll we'd they've it's don't I'M YOU'RE HE'LL WE'D THEY'VE IT'S DON'T 'S 's 'ſ 'ſt",
    "don\u2019t it\u2019s", "1 12 123 1234 12345 1234567890 3.14159 1,000,000 -42 1e-9 0x7f",
    "\u0661\u0662\u0663 \u0967\u0968\u0969 \u2460\u2461 \u00bd\u00b2 \u2167 \U0001d7d8\U0001d7d9",
    "\n", "\n\n", "\r\n\r\n", "a\nb\n\nc\n\n\nd", "a \n b \n\n  c", "\t\ta\t b  \t c", "x\u00a0y\u2003z\u3000w\u2028v\u2029u\u0085t",
    "   leading and trailing   ", "a" + " " * 30 + "b" + " " * 100, " \n \n ", "\u200bzero\u200dwidth\ufeffbom\u2060",
    "\U0001f600\U0001f601 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f #\ufe0f\u20e3",
    "e\u0301 \u00e9 n\u0303 \u00f1 A\u030a \u212b \u00c5 q\u0307\u0323 q\u0323\u0307 \u1e69 s\u0323\u0307 \u0344 \u0958 \u2126 \uf900 \ufb01 \ufb03 \u017f",
    "\u1100\u1161\u11a8 \uac01 \uac00\u11a8 \ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
    "\u4e2d\u6587\u5b57\u7b26 \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \u30ab\u30bf\u30ab\u30ca\u30fc \U00020000\U0002a6df \uff21\uff22\uff11\uff12 \uff76\uff9e",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5\u03c2 \u0130stanbul \u0131 \u1e9e\u00df \u01c5 \u13a0\uab70 \U00010400",
    "\x00 \x01\x02\x1b[0m\x7f \x80\x9f \ufffd \ufffe \uffff \U0010ffff", "a\x00b", "\x0b\x0c\x1c\x1d\x1e\x1f",
    "\ue000\uf8ff \U000f0000 \U00100000", "\u0378 \u0530 \U0001fc00 \U000e0080 \U0003fffe", "\U0001e4d0\U0002ebf0\u1c89\U00016ea0\U000323b0\u088f\u0c5c",
    "<s>", "</s>", "<unk>", "<|endoftext|>", "a<|endoftext|>b <s>x</s> [MASK] <mask> <pad>[CLS]", " <mask> a  <mask>  b", "<0x0A> <0x41>",
    "<|im_start|>user\nHi<|im_end|>\n<|begin_of_text|><|eot_id|><|END|>", "<b>bold</b>\n\n\n\n\ntext",
    "Caf\u00e9 Cafe\u0301 cafe CAFE theCaf\u00e9 the then THE the, --> -->x  -->  sing ing  ing", "singing   walking  \n ringing",
    "\u2581 \u2581\u2581a \u2581b\u2581 _ \u2581", "\u0120the \u010a \u00c4\u00a0", "def f(x):\n    return {\n        'a': [1, 2],\n\t}\n# done\n",
    "https://example.org/a_b-c?d=e&f=%20#g user@host.tld C:\\dir\\file.txt", "!!!??? ... --- *** === ((())) [[]] {{}} `` '' \"\" ~~ ^^ ||",
    "$\u20ac\u00a3\u00a5 +\u00d7\u00f7= \u00a9\u00ae\u2122 \u2190\u2191\u2192 \u2200\u2203\u2208 \u00ab\u00bb\u201c\u201d\u2018\u2019\u2013\u2014\u2026 \u00bf\u00a1 \u3001\u3002",
    "a" * 200, "ab" * 150, "\u00e9" * 60, "\U0001f600" * 40, "aA1 !\n" * 30, "x" * 101 + " y", "lower UPPER MixedCase camelCase snake_case kebab-case",
]

# Oniguruma's syntax; the ways that these cut the torture texts are recorded.
PATTERNS = [LLAMA3, O200K, CLIP, *DEEPSEEK, r"\s+", r"\w+", r"[\w]+", r"[^\w\s]+", r"\d", r"\p{N}{1,3}", r"\p{^L}", r"\P{L}+", r"[\p{Han}]+",
            r"(?i:[sdmt]|ll|ve|re)", r"(?<=[a-z])(?=[A-Z])", r"\b", r"\bt\w*", r"\B\w", r"^.", r".$", r"^\s*", r"\h+", r"[a-f&&[^cd]]+",
            r"[[a-c][x-z]]+", r".{2,4}?", r"(?:ab|a)+", r"a{2}?", r"\p{N}{2}+", r"(?>a+)b?", r"\S++", r"(?=\p{Lu})", r"(?<!\s)\p{P}",
            r"(?m:.)+", r"(?i)the|ing", r"\x{e9}|\x41", r"[\u0300-\u036f]+", r"\A.|.\z", r"\p{Z}+|\p{Lu}|\p{Mn}", r"$", r"^", r"a{,2}", r"a{,2"]


def cuts(pattern):
    """Lengths in bytes of the pieces of every torture text."""
    pre = pre_tokenizers.Split(Regex(pattern), "isolated")
    return [len(piece.encode()) for text in TORTURE for piece, _ in pre.pre_tokenize_str(text)]


def digest(ids):
    return xxhash.xxh3_64_hexdigest(np.array(ids, dtype="<i4").tobytes())


def golden(t, more=()):
    rows = []
    for text in TORTURE:
        ids, bare = t.encode(text).ids, t.encode(text, add_special_tokens=False).ids
        row = {"n": len(ids), "ids": digest(ids), "bare": digest(bare),
               "text": xxhash.xxh3_64_hexdigest(t.decode(ids, skip_special_tokens=False).encode())}
        if len(ids) <= 12:
            row["list"] = ids
        rows.append(row)
    files = {}
    for name in ("inputs/demo-text/report.txt", "inputs/demo-text/selection.txt", *more):
        ids = t.encode((ROOT / name).read_bytes().decode()).ids
        files[name] = {"n": len(ids), "ids": digest(ids)}
    return {"size": t.get_vocab_size(), "rows": rows, "files": files}


def shared_golden(shared):
    out = {}
    texts = [p for p in sorted((shared / "data/text").iterdir())]
    for d in ("tokenizers/gpt2", "tokenizers/gpt-neox-20b", "tokenizers/minueza-mistral", "models/stories260K"):
        t = Tokenizer.from_file(str(shared / "data" / d / "tokenizer.json"))
        files = {}
        for p in texts:
            if p.suffix == ".gz":
                continue
            ids = t.encode(p.read_bytes().decode()).ids
            files["data/text/" + p.name] = {"n": len(ids), "ids": digest(ids)}
        out["data/" + d] = {"size": t.get_vocab_size(), "files": files}
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--only", type=lambda text: text.split(","), default=list(FAMILIES))
    ap.add_argument("shared", nargs="?", type=Path)
    args = ap.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "expected.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    result = {"made_by": "tools/golden/make_tokenizer.py", "tokenizers": tokenizers.__version__, "families": old.get("families", {})}
    result["patterns"] = [{"regex": p, "n": len(cuts(p)), "cuts": digest(cuts(p))} for p in PATTERNS]
    (OUT / "torture.json").write_text(json.dumps(TORTURE, indent=0) + "\n")
    (OUT / "soup.txt").write_bytes(soup().encode())
    for name in args.only:
        text = json.dumps(json.loads(FAMILIES[name]().to_str()), ensure_ascii=False, separators=(",", ":"))
        (OUT / (name + ".json")).write_text(text + "\n")
        t = Tokenizer.from_str(text)
        result["families"][name] = golden(t, ["tests/golden/tokenizer/soup.txt"] if name in SOUPED else [])
        print(name, len(text), t.get_vocab_size())
    result["shared"] = shared_golden(args.shared) if args.shared else old.get("shared", {})
    path.write_text(json.dumps(result, separators=(",", ":")).replace('"},{"', '"},\n{"').replace(']},{"', ']},\n{"') + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compares tools/tokenize with the `tokenizers` library on random text (by hand, not in make check).

    python3 tools/check_tokenizers.py BUILDDIR/tools/tokenize [--n 2000] [--seed 1] [TOKENIZER.json ...]

Without files: those of tests/golden/tokenizer, and as many variants with random parts (pre-tokenizers, patterns,
normalizers, added tokens).  Prints the texts that differ and ends with status 1 if there were any.
"""
import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = [(0x20, 0x7e)] * 8 + [(0x61, 0x7a)] * 6 + [(9, 13), (0x20, 0x20), (0x20, 0x20), (0, 0x1f), (0x80, 0xff), (0x100, 0x24f),
          (0x250, 0x36f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0x97f), (0xe00, 0xe7f), (0x1100, 0x11ff),
          (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2070, 0x2bff), (0x2581, 0x2581), (0x3000, 0x30ff), (0x4e00, 0x4eff),
          (0xac00, 0xadff), (0xe000, 0xe0ff), (0xf900, 0xfaff), (0xfb00, 0xfdff), (0xfe00, 0xffff), (0x10000, 0x10fff),
          (0x11000, 0x1ffff), (0x1d400, 0x1d7ff), (0x1f300, 0x1faff), (0x20000, 0x2ffff), (0x30000, 0x3ffff),
          (0xe0000, 0xe01ff), (0, 0xd7ff), (0xe000, 0x10ffff)]
SNIPPETS = ["'s", "'S", "n't", "'\u017f", "\r\n", "\n\n", "   ", "  ", "12", "1234", "</s>", "<s>", "<|endoftext|>", "<mask>",
            "[MASK]", "<unk>", "the ", " the", "The", "ing", "Caf\u00e9", "-->", "<0x41>", "\u2581", "e\u0301", "\u00e9",
            "\ud55c\uad6d", "\u0130", "\u03a3", "\ufb03", "\u212b", "q\u0323\u0307", "\U0001f468\u200d\U0001f469", "  \n", "\t",
            "<|im_end|>", "<b>", "ss", "\u00df", "\u212a", "\u0f73\u0f72", "\u1e69\u0323", "\u0344", "\u0958"]
PATTERNS = [r"\s+", r"\w+", r"[^\w\s]+", r"\d", r"\p{N}{1,3}", r"\p{L}+", r"[\p{Han}]+", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+",
            r"\s+(?!\S)", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"(?i:[sdmt]|ll|ve|re)", r"[A-Z][a-z]*", r"(?<=[a-z])(?=[A-Z])", r"\b", r"\bt\w*",
            r"^.", r".$", r"^\s*", r"\h+", r"[a-f&&[^cd]]+", r"[[a-c][x-z]]+", r".{3}", r".{2,4}?", r"(?:ab|a)+", r"a{2}?", r"\p{N}{2}+",
            r"(?>a+)b?", r"\S++", r"(?=\p{Lu})", r"(?<!\s)\p{P}", r"\P{L}+", r"\p{^L}", r"[^\p{L}\p{M}]+", r"\p{S}|\p{P}+", r"(?m:.)+",
            r"(?i)the|ing", r"[\u0041-\u005a]+", r"\x{e9}|\x41", r"[\x{300}-\x{36f}]+", r"\A.|.\z", r"\p{Z}+|\p{Lu}|\p{Mn}", r"\p{Hiragana}+|\p{Katakana}+|\p{Hangul}+",
            r"\p{Cyrillic}+|\p{Greek}+|\p{Latin}+", r"\p{Arabic}|\p{Hebrew}|\p{Thai}|\p{Devanagari}|\p{Armenian}|\p{Georgian}", r"\B\w", r"$", r"^",
            r"\p{Cc}|\p{Cf}|\p{Co}", r"\p{Sm}|\p{Sc}|\p{Sk}|\p{So}", r"\p{Pd}|\p{Ps}|\p{Pe}|\p{Pi}|\p{Pf}|\p{Po}|\p{Pc}", r"\p{Nl}|\p{No}|\p{Nd}+|\p{Lm}|\p{Lt}|\p{Lo}|\p{Ll}|\p{Me}|\p{Mc}|\p{Zs}|\p{Zl}|\p{Zp}"]


def random_text(rng):
    out = []
    for _ in range(rng.choice([1, 2, 4, 8, 20, 60])):
        kind = rng.random()
        if kind < 0.3:
            out.append(rng.choice(SNIPPETS))
        else:
            lo, hi = rng.choice(BLOCKS)
            for _ in range(rng.choice([1, 1, 2, 5])):
                c = rng.randint(lo, hi)
                if not 0xD800 <= c <= 0xDFFF:
                    out.append(chr(c))
        if rng.random() < 0.1:
            out.append(out[-1] * rng.randint(1, 30) if out else " ")
    return "".join(out)


def random_pre(rng, depth=0):
    behavior = lambda: rng.choice(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
    kinds = ["Split", "Split", "Split", "Str", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit", "Digits", "Punctuation",
             "BertPreTokenizer", "CharDelimiterSplit", "FixedLength", "UnicodeScripts"]
    kind = rng.choice(kinds + (["Sequence"] * 6 if depth == 0 else []))
    if kind == "Sequence":
        return {"type": kind, "pretokenizers": [random_pre(rng, 1) for _ in range(rng.randint(1, 3))]}
    if kind == "Split":
        pattern = "|".join(rng.sample(PATTERNS, rng.randint(1, 3)))
        return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior(), "invert": rng.random() < 0.3}
    if kind == "Str":
        return {"type": "Split", "pattern": {"String": rng.choice([" ", "the", "\u2581", "\n\n"])}, "behavior": behavior(),
                "invert": rng.random() < 0.2}
    if kind == "ByteLevel":
        return {"type": kind, "add_prefix_space": rng.random() < 0.5, "trim_offsets": True, "use_regex": rng.random() < 0.6}
    if kind == "Metaspace":
        return {"type": kind, "replacement": rng.choice("\u2581_"), "prepend_scheme": rng.choice(["first", "never", "always"]),
                "split": rng.random() < 0.5}
    extra = {"Digits": {"individual_digits": rng.random() < 0.5}, "Punctuation": {"behavior": behavior()},
             "CharDelimiterSplit": {"delimiter": rng.choice(" e\n\u00e9")}, "FixedLength": {"length": rng.randint(1, 6)}}
    return {"type": kind, **extra.get(kind, {})}


def random_normalizer(rng, depth=0):
    kinds = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "Strip", "Prepend", "Replace", "Regex", "BertNormalizer",
             "ByteLevel", "Precompiled"]
    kind = rng.choice(kinds + (["Sequence"] * 5 if depth == 0 else []))
    flag = lambda: rng.random() < 0.5
    if kind == "Sequence":
        return {"type": kind, "normalizers": [random_normalizer(rng, 1) for _ in range(rng.randint(1, 3))]}
    if kind == "Precompiled":
        j = json.loads((ROOT / f"tests/golden/tokenizer/{rng.choice(['t5', 'graphemes'])}.json").read_text())
        return j["normalizer"]["normalizers"][0]
    if kind == "Strip":
        return {"type": kind, "strip_left": flag(), "strip_right": flag()}
    if kind == "Prepend":
        return {"type": kind, "prepend": rng.choice(["\u2581", " ", "ab"])}
    if kind == "Replace":
        return {"type": kind, "pattern": {"String": rng.choice([" ", "the", "  ", "'"])}, "content": rng.choice(["\u2581", "", "xy"])}
    if kind == "Regex":
        return {"type": "Replace", "pattern": {"Regex": rng.choice(PATTERNS)}, "content": rng.choice(["\u2581", "", " ", "e\u0301"])}
    if kind == "BertNormalizer":
        return {"type": kind, "clean_text": flag(), "handle_chinese_chars": flag(), "strip_accents": rng.choice([None, True, False]),
                "lowercase": flag()}
    return {"type": kind}


def variant(rng, j):
    if rng.random() < 0.7:
        j["pre_tokenizer"] = random_pre(rng)
    if rng.random() < 0.6:
        j["normalizer"] = random_normalizer(rng) if rng.random() < 0.9 else None
    if rng.random() < 0.6:
        end = len(j["model"]["vocab"]) + 100
        have = {a["content"] for a in j["added_tokens"]}
        for k, name in enumerate(rng.sample(["the", "Caf\u00e9", "-->", " ", "  ", "\n", "ing", "12", "e", "<b>", "\u4e2d", "th"], rng.randint(1, 4))):
            if name in have:
                continue
            j["added_tokens"].append({"id": end + k, "content": name, "single_word": rng.random() < 0.4, "lstrip": rng.random() < 0.3,
                                      "rstrip": rng.random() < 0.3, "normalized": rng.random() < 0.5, "special": rng.random() < 0.3})
    if j["model"]["type"] == "BPE":
        for key in ("ignore_merges", "fuse_unk", "byte_fallback"):
            if rng.random() < 0.3:
                j["model"][key] = rng.random() < 0.5
    return j


def python_answer(t, text):
    try:
        ids = t.encode(text).ids
        return (ids, t.encode(text, add_special_tokens=False).ids, t.decode(ids, skip_special_tokens=False).encode())
    except BaseException as e:  # the library panics on some combinations
        return str(e)


def our_answer(p, text):
    b = text.encode()
    p.stdin.write(struct.pack("<I", len(b)) + b)
    p.stdin.flush()
    lines = [p.stdout.readline().decode()]
    if not lines[0]:
        raise IndexError("the program has ended")
    lines[0] = lines[0].rstrip("\n")
    if not lines[0].startswith("error"):
        lines.append(p.stdout.readline().decode().rstrip("\n"))
    lines.append(p.stdout.readline().decode().rstrip("\n"))
    if lines[0].startswith("error"):
        return lines[0]
    return (list(map(int, lines[0].split())), list(map(int, lines[2].split())),
            None if lines[1].startswith("error") else bytes.fromhex(lines[1]))


def check(program, path, label, texts):
    try:
        t = Tokenizer.from_file(str(path))
    except BaseException as e:
        return 0, 0, f"library: {str(e)[:100]}"
    p = subprocess.Popen([program, "--ids", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    bad = done = 0
    try:
        for text in texts:
            theirs = python_answer(t, text)
            ours = our_answer(p, text)
            if isinstance(theirs, str):
                continue
            done += 1
            same = isinstance(ours, tuple) and ours[:2] == theirs[:2] and ours[2] in (None, theirs[2])
            if not same:
                bad += 1
                if bad <= 2:
                    print(f"{label}: {text!r}\n   library {theirs}\n   ours    {ours}")
    except (BrokenPipeError, IndexError):
        pass
    try:
        p.stdin.close()
    except BrokenPipeError:
        pass
    note = p.stderr.read().decode().strip()[-300:]
    p.wait()
    return done, bad, note and "ours: " + note


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("program")
    ap.add_argument("files", nargs="*")
    ap.add_argument("--n", type=int, default=300, help="texts for each tokenizer")
    ap.add_argument("--variants", type=int, default=200)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--keep", help="folder for the variants that differ")
    args = ap.parse_intermixed_args()
    rng = random.Random(args.seed)
    base = [Path(f) for f in args.files] or sorted(p for p in (ROOT / "tests/golden/tokenizer").glob("*.json")
                                                   if p.stem not in ("torture", "expected"))
    torture = json.loads((ROOT / "tests/golden/tokenizer/torture.json").read_text())
    total = wrong = refused = 0
    for path in base:
        done, bad, note = check(args.program, path, path.name, torture + [random_text(rng) for _ in range(args.n)])
        print(f"{path}: {done} texts, {bad} differ {note}")
        total, wrong = total + done, wrong + bad
    for k in range(0 if args.files else args.variants):
        source = rng.choice(base)
        j = variant(rng, json.loads(source.read_text()))
        with tempfile.TemporaryDirectory() as d:
            f = Path(d) / "tokenizer.json"
            f.write_text(json.dumps(j, ensure_ascii=False))
            done, bad, note = check(args.program, f, f"variant {k} of {source.stem}", [random_text(rng) for _ in range(max(20, args.n // 4))])
            if bad:
                print("   ", {key: j[key] for key in ("normalizer", "pre_tokenizer")}, [a for a in j["added_tokens"]][-4:])
                if args.keep:
                    (Path(args.keep) / f"variant{k}.json").write_text(f.read_text())
            if note:
                refused += 1
                print(f"variant {k} of {source.stem}: {note}")
        total, wrong = total + done, wrong + bad
    print(f"{total} texts compared, {wrong} differ, {refused} variants not compared")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())

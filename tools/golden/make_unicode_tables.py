#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.c: which characters the `tokenizers` library takes for letters, spaces, ...

The library's parts were built with different versions of Unicode (Oniguruma's classes, Rust's standard library, the
regex crate, two older crates), so the sets are asked of the library itself, character by character, instead of being
taken from whatever version a C library on the machine has.  Only the characters that the normalization crate knows
(Unicode 9.0, see its tables.rs) cannot be asked; perl's tables give them.

    python3 tools/golden/make_unicode_tables.py > src/tokenizer/unicode_tables.c
"""
import subprocess
import sys

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CHARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(map(chr, CHARS))
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn").split()
SCRIPTS = "Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Thai Devanagari Armenian Georgian".split()


def ranges(members):
    out = []
    for c in sorted(members):
        if out and c == out[-1][1] + 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def spans(pieces):
    return {CHARS[i] for _, (a, b) in pieces for i in range(a, b)}


def by_regex(pattern):
    return spans(pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(TEXT))


def array(name, rs, comment):
    print(f"\n/* {comment} */")
    print(f"static const struct laser_range {name}[] = {{")
    line = "   "
    for a, b in rs:
        item = f" {{{a:#x}, {b:#x}}},"
        if len(line) + len(item) > 108:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def main():
    print("/* Made by tools/golden/make_unicode_tables.py from tokenizers " + tokenizers.__version__ + ": do not edit. */")
    print("/* clang-format off */")
    print('#include "tokenizer/unicode_sets.h"')
    sets = []

    def add(name, members, comment):
        array(name, ranges(members), comment)
        sets.append(name)

    assigned = set()
    for cat in CATEGORIES[:-1]:
        members = by_regex(r"\p{%s}+" % cat)
        assert not members & assigned
        assigned |= members
        add("gc_" + cat.lower(), members, f"Oniguruma, \\p{{{cat}}}")
    for script in SCRIPTS:
        add("sc_" + script.lower(), by_regex(r"\p{%s}+" % script), f"Oniguruma, \\p{{{script}}}")
    add("onig_space", by_regex(r"\s+"), r"Oniguruma, \s")
    add("onig_word", by_regex(r"\w+"), r"Oniguruma, \w")
    assert by_regex(r"\d+") == by_regex(r"\p{Nd}+")
    assert by_regex(r"\h+") == set(map(ord, "0123456789abcdefABCDEF"))
    every = set(CHARS)
    # pattern_class.c knows about these.
    assert by_regex(r"\w+") - by_regex(r"[\w]+") == {0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe}
    space = every - spans(pre_tokenizers.WhitespaceSplit().pre_tokenize_str(TEXT))
    add("rust_space", space, "char::is_whitespace")
    digits = pre_tokenizers.Digits(individual_digits=False)
    numeric = set()
    for c in CHARS:
        if len(digits.pre_tokenize_str("a" + chr(c))) == 2:
            numeric.add(c)
    add("rust_numeric", numeric, "char::is_numeric")
    punct = pre_tokenizers.Punctuation()
    add("punctuation", {c for c in CHARS if len(punct.pre_tokenize_str("a" + chr(c))) == 2},
        "char::is_ascii_punctuation or unicode_categories' is_punctuation")
    bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    clean = normalizers.BertNormalizer(**{**bert, "clean_text": True})
    add("bert_removed", {c for c in CHARS if clean.normalize_str("a" + chr(c) + "b") == "ab"},
        "taken out by BertNormalizer's clean_text")
    strip = normalizers.BertNormalizer(**{**bert, "strip_accents": True})
    add("bert_accents", {c for c in CHARS if strip.normalize_str("a" + chr(c) + "b") == "ab"},
        "taken out by BertNormalizer's strip_accents")
    accents = normalizers.StripAccents()
    add("combining", {c for c in CHARS if accents.normalize_str("a" + chr(c) + "b") == "ab"}, "taken out by StripAccents")
    word = pre_tokenizers.Whitespace()
    add("rust_word", {c for c in CHARS if len(word.pre_tokenize_str("a" + chr(c))) == 1
                      and word.pre_tokenize_str("a" + chr(c))[0][0] != "a"}, r"regex crate, \w")
    perl = subprocess.run(["perl", "-e", r'for my $c (0..0x10ffff) { next if $c >= 0xd800 && $c <= 0xdfff; '
                           r'print "$c\n" if chr($c) =~ /\p{Present_In: 9.0}/ }'], capture_output=True, text=True, check=True)
    add("known_to_normalizer", set(map(int, perl.stdout.split())), "assigned in Unicode 9.0")

    lower = normalizers.Lowercase()
    mapping = []
    for c in CHARS:
        low = lower.normalize_str(chr(c))
        if low != chr(c):
            assert len(low) == 1 or c == 0x130 and low == "i\u0307"
            if len(low) == 1:
                mapping.append((c, ord(low)))
    runs = []
    for c, low in mapping:
        if runs:
            first, last, step, delta = runs[-1]
            if low - c == delta and (c - last == step or first == last and c - last in (1, 2)):
                runs[-1] = [first, c, c - last, delta]
                continue
        runs.append([c, c, 1, low - c])
    print("\n/* char::to_lowercase, but for U+0130 */")
    print("const struct laser_case_range laser_lower[] = {")
    line = "   "
    for a, b, step, delta in runs:
        item = f" {{{a:#x}, {b:#x}, {step}, {delta}}},"
        if len(line) + len(item) > 108:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\nconst size_t laser_lower_n = sizeof(laser_lower) / sizeof(*laser_lower);")

    print("\nconst struct laser_set laser_sets[LASER_SETS] = {")
    for name in sets:
        print(f"    [LASER_SET_{name.upper()}] = {{{name}, sizeof({name}) / sizeof(*{name})}},")
    print("};")


main()

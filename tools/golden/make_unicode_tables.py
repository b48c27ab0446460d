#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.c: which characters the `tokenizers` library takes for letters, spaces, ...

The library's parts were built with different versions of Unicode (Oniguruma's classes, Rust's standard library, the
regex crate, two older crates), so the sets are asked of the library itself, character by character, instead of being
taken from whatever version a C library on the machine has.  Only the characters that the normalization crate knows
(Unicode 9.0, see its tables.rs) cannot be asked; perl's tables give them.

    python3 tools/golden/make_unicode_tables.py > src/tokenizer/unicode_tables.c
"""
import struct
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


def charsmap(keys):
    """SentencePiece's charsmap that replaces each of the keys (bytes) by nothing: a double array as Darts builds it, every
    node's children in a block of their own."""
    children, leaf = [{}], set()
    for key in keys:
        node = 0
        for byte in key:
            if byte not in children[node]:
                children[node][byte] = len(children)
                children.append({})
            node = children[node][byte]
        leaf.add(node)
    place, units = {0: 0}, [0] * (256 * (len(children) + 1))
    for node, edges in enumerate(children):  # parents come first
        block = 256 * (node + 1)
        units[place[node]] |= (place[node] ^ block) << 10
        if node in leaf:
            units[place[node]] |= 1 << 8
            units[block] = 1 << 31
        for byte, child in edges.items():
            place[child] = block ^ byte
            units[place[child]] = byte
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + b"\0"


def graphemes(add):
    """What a grapheme is to the library, asked of Precompiled: a grapheme of less than 6 bytes is replaced as a whole by what
    its first bytes stand for, longer ones character by character."""
    acute, hook, jamo = "\u0301", "\u0302", "\u1100"
    ka, virama, zwj, sign = "\u0915", "\u094d", "\u200d", "\u00a9"
    drops = lambda *keys: normalizers.Precompiled(charsmap(keys)).normalize_str
    letter, mark, first = drops(b"a"), drops(acute.encode()), drops(*(bytes([b]) for b in range(0xc2, 0xf5)))
    c2, e0, d8 = drops(b"\xc2"), drops(b"\xe0"), drops(b"\xd8")
    joins = {c for c in CHARS if chr(c) != "a" and letter("a" + chr(c)) == ""}
    add("grapheme_joins", joins, "Extend, SpacingMark and ZWJ")
    add("grapheme_prepend", {c for c in CHARS if c >= 0x80 and first(chr(c) + "a") == ""}, "Prepend")
    add("grapheme_control", {c for c in CHARS if c not in joins and mark(chr(c) + acute + hook) == chr(c)}, "Control, CR and LF")
    add("grapheme_extend", {c for c in joins if c2(sign + chr(c) + zwj + sign + acute).endswith(acute)}, "Extend and ZWJ")
    add("pictographic", {c for c in CHARS if c2(chr(c) + zwj + sign + acute).endswith(acute)}, "Extended_Pictographic")
    add("conjunct_consonant", {c for c in CHARS if e0(chr(c) + virama + ka + acute).endswith(acute) and chr(c) != acute}, "InCB=Consonant")
    linkers = {c for c in joins if e0(ka + chr(c) + ka + acute).endswith(acute)}
    add("conjunct_linker", linkers, "InCB=Linker")
    add("conjunct_extend", {c for c in joins - linkers if e0(ka + chr(c) + virama + ka + acute).endswith(acute)}, "InCB=Extend")
    # grapheme.c knows about these.
    after = lambda c: {d for d in CHARS if d not in joins and d8("\u0600" + c + chr(d)).startswith(c)}
    span = lambda *rs: {c for a, b in rs for c in range(a, b + 1)}
    tails = span((0x11a8, 0x11ff), (0xd7cb, 0xd7fb))
    vowels = span((0x1160, 0x11a7), (0xd7b0, 0xd7c6), (0x16d63, 0x16d63), (0x16d67, 0x16d6a))
    assert after("\u11a8") == tails and after("\u1161") == tails | vowels
    assert after(jamo) == span((0x1100, 0x115f), (0xa960, 0xa97c), (0xac00, 0xd7a3)) | vowels


def scripts():
    """The script of each character as UnicodeScripts has it, as a number; characters of none are left out."""
    cut = lambda text: len(pre_tokenizers.UnicodeScripts().pre_tokenize_str(text))
    of, known = {}, []
    for c in CHARS:
        if cut(chr(c)) == 0:
            continue
        for k, example in enumerate(known):
            if cut(example + chr(c)) == 1:
                break
        else:
            k = len(known)
            known.append(chr(c))
        if k > 0:
            known.insert(0, known.pop(k))  # neighbours are of the same, mostly
        of[c] = known[0]
    number = {example: i for i, example in enumerate(sorted(set(of.values())))}
    rows = []
    for c in sorted(of):
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == number[of[c]]:
            rows[-1][1] = c
        else:
            rows.append([c, c, number[of[c]]])
    print("\n/* UnicodeScripts' scripts, numbered */")
    print("const struct laser_script_range laser_scripts[] = {")
    line = "   "
    for a, b, k in rows:
        item = f" {{{a:#x}, {b:#x}, {k}}},"
        if len(line) + len(item) > 108:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\nconst size_t laser_scripts_n = sizeof(laser_scripts) / sizeof(*laser_scripts);")


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

    graphemes(add)

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

    scripts()
    print("\nconst struct laser_set laser_sets[LASER_SETS] = {")
    for name in sets:
        print(f"    [LASER_SET_{name.upper()}] = {{{name}, sizeof({name}) / sizeof(*{name})}},")
    print("};")


main()

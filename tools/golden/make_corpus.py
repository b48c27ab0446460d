#!/usr/bin/env python3
"""Golden values of src/corpus, from the loops of the reference programs restated in Python.

    python3 tools/golden/make_corpus.py        (numpy only)

writes tests/golden/corpus.json and the small text files in tests/golden/corpus/.  Sources of the loops:
  laserrmt    cognitivecomputations/laserRMT, rmt_laser_snr.py calculate_model_perplexity,
              lib/utils/gptq_data_utils.py (joins), rmt_laser_snr_math.py (gsm8k)
  hf-strided  huggingface/transformers, docs/source/en/perplexity.md.  That page weights a window's mean by one token
              too few where it has context; here every scored token counts once.
  llama.cpp   ggml-org/llama.cpp, tools/perplexity/perplexity.cpp perplexity() and process_logits()
  lm-eval     EleutherAI/lm-evaluation-harness, lm_eval/utils.py get_rolling_token_windows, make_disjoint_window;
              lm_eval/tasks/wikitext/preprocess_wikitext.py (words and bytes)
"""
import csv
import json
import math
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2] / "tests" / "golden"
BOS = 7


def nll_of(index):
    """A made-up NLL of the prediction of token number `index`."""
    return ((index * 7919) % 1009) / 211.0 + 0.125


def laserrmt(n, seqlen):
    ids = np.arange(n)
    ids = ids[: n // seqlen * seqlen].reshape(-1, seqlen)
    return [(row.tolist(), {p: int(row[p + 1]) for p in range(seqlen - 1)}) for row in ids]


def hf_strided(n, max_length, stride):
    windows, prev_end = [], 0
    for begin in range(0, n, stride):
        end = min(begin + max_length, n)
        trg_len = end - prev_end
        inputs = list(range(begin, end))
        labels = [-100] * (len(inputs) - trg_len) + inputs[len(inputs) - trg_len:]
        shifted = labels[1:]  # the loss compares the logits of position p with label p + 1
        scored = {p: label for p, label in enumerate(shifted) if label != -100}
        if scored:
            windows.append((inputs, scored))
        prev_end = end
        if end == n:
            break
    return windows


def llama_cpp(n, n_ctx, bos):
    assert n >= 2 * n_ctx
    windows, first = [], n_ctx // 2
    for chunk in range(n // n_ctx):
        start = chunk * n_ctx
        inputs = list(range(start, start + n_ctx))
        if bos >= 0:
            inputs[0] = -bos - 1
        windows.append((inputs, {first + i: start + first + i + 1 for i in range(n_ctx - 1 - first)}))
    return windows


def rolling(tokens, prefix, max_seq_len, context_len=1):
    if not tokens:
        return
    pred_len = max_seq_len - context_len + 1
    predicted = 0
    first = min(max_seq_len, len(tokens))
    yield [prefix] + tokens[: first - 1], tokens[:first]
    predicted += first
    while predicted < len(tokens):
        window_pred_len = min(len(tokens) - predicted, pred_len)
        window_end = predicted + window_pred_len
        yield tokens[window_end - max_seq_len - 1: window_end - 1], tokens[window_end - window_pred_len: window_end]
        predicted += window_pred_len


def lm_eval(document_lengths, max_length, prefix):
    windows, begin = [], 0
    for length in document_lengths:
        tokens = list(range(begin, begin + length))
        for inputs, predicted in rolling(tokens, -prefix - 1, max_length):
            offset = len(inputs) - len(predicted)
            windows.append((inputs, {offset + i: token for i, token in enumerate(predicted)}))
        begin += length
    return windows


def describe(windows, token_stderr, words=0, n_bytes=0):
    """Perplexity of the made-up NLL."""
    return describe_nll([[nll_of(t) for t in scored.values()] for _, scored in windows], token_stderr, words, n_bytes)


def describe_nll(nll, token_stderr, words=0, n_bytes=0):
    """Perplexity from lists of NLL, one a window; standard error by window (ratio estimator) or by token."""
    sums = np.array([np.sum(window) for window in nll])
    counts = np.array([len(window) for window in nll])
    every = np.concatenate([np.asarray(window) for window in nll])
    mean = float(sums.sum() / counts.sum())
    if token_stderr:
        error = math.sqrt(((every ** 2).mean() - every.mean() ** 2) / (len(every) - 1))
    else:
        w = len(nll)
        error = math.sqrt(w / (w - 1) * ((sums - mean * counts) ** 2).sum()) / counts.sum() if w > 1 else None
    result = {"windows": len(nll), "tokens": int(counts.sum()), "nll": mean, "ppl": math.exp(mean),
              "stderr": error}
    if n_bytes:
        result.update(word_ppl=math.exp(sums.sum() / words), byte_ppl=math.exp(sums.sum() / n_bytes),
                      bits_per_byte=float(sums.sum()) / n_bytes / math.log(2))
    return result


def as_lists(windows):
    """Inputs and targets (-1 = not scored), window by window."""
    return [{"input": [BOS if t < 0 else t for t in inputs],
             "target": [scored.get(p, -1) for p in range(len(inputs))]} for inputs, scored in windows]


def case(convention, windows, words=0, n_bytes=0, **options):
    return {"convention": convention, **options, "words": words, "bytes": n_bytes, "windows": as_lists(windows),
            "perplexity": describe(windows, convention == "llama.cpp", words, n_bytes)}


def window_cases():
    cases = []
    for n, seqlen in ((128, 16), (100, 16), (16, 16), (31, 16), (32, 16), (9, 2)):
        cases.append(case("laserrmt", laserrmt(n, seqlen), lengths=[n], seqlen=seqlen))
    for n, seqlen, stride in ((100, 16, 16), (100, 16, 8), (100, 16, 5), (97, 16, 16), (100, 16, 1), (12, 16, 8),
                              (16, 16, 4), (17, 16, 4), (24, 16, 8), (2, 16, 16), (33, 2, 1)):
        cases.append(case("hf-strided", hf_strided(n, seqlen, stride), lengths=[n], seqlen=seqlen, stride=stride))
    for n, seqlen, bos in ((100, 16, BOS), (100, 16, -1), (32, 16, BOS), (63, 15, BOS), (9, 3, BOS)):
        cases.append(case("llama.cpp", llama_cpp(n, seqlen, bos), lengths=[n], seqlen=seqlen, bos=bos))
    for lengths, seqlen in (([100], 16), ([16], 16), ([17], 16), ([5], 16), ([1], 16), ([40, 3, 16, 33], 16),
                            ([9], 1), ([48], 16), ([20, 0, 20], 16)):
        cases.append(case("lm-eval", lm_eval(lengths, seqlen, BOS), words=sum(lengths) // 2 + 1,
                          n_bytes=3 * sum(lengths), lengths=lengths, seqlen=seqlen, bos=BOS))
    return cases


def pooled_case():
    """Two data sets of the laserrmt convention as rmt_laser_snr.py adds them up: means of windows, pooled."""
    acc, total, sets = 0.0, 0, []
    for n in (200, 70):
        windows = laserrmt(n, 16)
        sets.append(describe(windows, False))
        for _, scored in windows:
            acc += float(np.mean([nll_of(t) for t in scored.values()]))
        total += len(windows)
    return {"lengths": [200, 70], "seqlen": 16, "datasets": sets, "nll": acc / total, "ppl": math.exp(acc / total),
            "windows": total}


def paired_case():
    """b = a plus a change in some windows; numpy on the paired window means (equal lengths)."""
    generator = np.random.default_rng(5)
    a = np.round(generator.uniform(30, 60, 40), 6)
    change = np.where(np.arange(40) % 3 == 0, np.round(generator.normal(0, 2, 40), 6), 0)
    b, n = a + change, 15
    d = (b - a) / n
    moved = [int(i) for i in np.argsort(-np.abs(d), kind="stable") if abs(d[i]) > 0.01]
    return {"n_scored": n, "a": a.tolist(), "b": b.tolist(), "tolerance": 0.01, "difference": float(d.mean()),
            "stderr": float(d.std(ddof=1) / math.sqrt(len(d))), "moved": moved,
            "better": int((d < -0.01).sum()), "worse": int((d > 0.01).sum())}


WIKI = " \n = A Title = \n \n First paragraph , with @-@ signs . \n \n = = A section = = \n \n Caf\u00e9 \u2013 na\u00efve . \n"
PTB = " no it was n't black monday \n but while the exchange did n't fall apart \n\n some circuit breakers\n"
C4 = ["One document.\nTwo lines.", "Another \"quoted\" one \u2014 caf\u00e9.", "", "\U0001f600 last"]
GSM8K = ["How many eggs?", "A question that is a good deal longer than thirty-two bytes, as most of them are.", "Why?"]
CSV_ROWS = [["id", "text", "note"], ["1", "plain", ""], ["2", "with, comma and \"quotes\"", "x"],
            ["3", "two\r\nlines", "y"], ["4", "", "z"], ["5", "caf\u00e9", ""]]


def texts():
    """What the joins of gptq_data_utils.py give for the files written here."""
    folder = ROOT / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wiki.raw").write_bytes(WIKI.encode())
    (folder / "ptb.txt").write_bytes(PTB.encode())
    (folder / "c4.jsonl").write_text("".join(json.dumps({"text": t, "url": "u"}) + "\n" for t in C4))
    (folder / "gsm8k.jsonl").write_text("".join(json.dumps({"question": t, "answer": "1"}) + "\n" for t in GSM8K))
    with open(folder / "rows.csv", "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(CSV_ROWS)
    with open(folder / "rows.csv", newline="", encoding="utf-8") as back:
        column = [row["text"] for row in csv.DictReader(back)]
    # the hub's loaders: wikitext turns blank lines into "", ptb_text_only strips every line
    rows = [line if line.strip() else "" for line in WIKI.splitlines(keepends=True)]
    return {
        "wikitext2": WIKI,
        "wikitext2-rows": "\n\n".join(rows),
        "ptb": " ".join(line.strip() for line in PTB.splitlines()),
        "c4": " ".join(C4),
        "csv": "\n\n".join(column),
        "jsonl": "\n\n".join(C4),
        "gsm8k": [list(q.encode())[:31] for q in GSM8K],
        "wiki_llama_cpp": WIKI[:-1],
    }


def words():
    samples = ["", " ", "one", " one two ", "a\u00a0b\u3000c\u2003d", "x\x1cy\x85z", "tab\tnew\nline\r\n", "caf\u00e9 \u200b b",
               "\u2028\u2029 a", "a\u180eb"]
    return [{"text": s, "words": len(re.split(r"\s+", s))} for s in samples]


def main():
    golden = {"made_by": "tools/golden/make_corpus.py", "numpy": np.__version__, "windows": window_cases(),
              "pooled": pooled_case(), "paired": paired_case(), "texts": texts(), "words": words()}
    text = json.dumps(golden, ensure_ascii=True)
    text = re.sub(r'(\{"convention")', r"\n\1", text)
    (ROOT / "corpus.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

"""Writes tests/golden/spectrum.txt: spectra and what numpy, scipy and WeightWatcher make of them.

    make_spectrum.py tests/golden/spectrum.txt

The file's first line names the versions.  Thresholds and scores are laserRMT's and Gavish and Donoho's formulas on
numpy's quantiles, with the median of the Marchenko-Pastur law from scipy.integrate.quad; alpha, D, xmin, xmax,
matrix_rank and entropy come from WeightWatcher's own functions.
"""
import math
import sys

import numpy as np
import scipy
import scipy.integrate
import scipy.optimize
import weightwatcher
from weightwatcher.constants import EVALS_THRESH
from weightwatcher.RMT_Util import matrix_entropy, matrix_rank
from weightwatcher.WW_powerlaw import pl_fit


def mp_median(beta):
    """Median of the law, by quadrature in the angle of x = 1 + beta - 2 sqrt(beta) cos t."""
    root = math.sqrt(beta)
    share = lambda t: 2 / math.pi * math.sin(t) ** 2 / ((1 - root) ** 2 + 4 * root * math.sin(t / 2) ** 2)
    part = lambda end: scipy.integrate.quad(share, 1e-100, end, epsabs=1e-14, epsrel=1e-14)[0]
    angle = scipy.optimize.brentq(lambda t: part(t) - 0.5, 1e-3, math.pi, xtol=1e-15, rtol=1e-14)
    return 1 + beta - 2 * root * math.cos(angle)


def omega(beta):
    lam = math.sqrt(2 * (beta + 1) + 8 * beta / ((beta + 1) + math.sqrt(beta * beta + 14 * beta + 1)))
    return lam / math.sqrt(mp_median(beta))


def put(key, *values):
    print(key, *("%.17g" % v if isinstance(v, float) else v for v in values), file=OUT)


def cut(rule, s, threshold=None, k=None):
    if k is None:
        k = int((s > threshold).sum())
    signal, noise = float(s[:k].sum()), float(s[k:].sum())
    snr = signal / noise if noise > 0 else math.inf
    put("cut", rule, math.nan if threshold is None else float(threshold), k, signal, noise, snr)


def case(name, a):
    rows, columns = a.shape
    s = scipy.linalg.svd(a, compute_uv=False)
    s[s < 1e-13 * s[0]] = 0
    n, m = sorted(a.shape)
    beta = n / m
    put("case", name, rows, columns)
    put("s", *map(float, s))
    iqr = np.percentile(s, 75) - np.percentile(s, 25)
    cut("laserrmt", s, iqr / 1.349 * (1 + math.sqrt(beta)))
    cut("marchenko-pastur", s, (1 + math.sqrt(beta)) * np.median(s) / math.sqrt(mp_median(beta)))
    cut("gavish-donoho", s, omega(beta) * np.median(s))
    cut("rank:0.3", s, k=3 * n // 10)
    cut("energy:0.9", s, k=int(np.searchsorted(np.cumsum(s * s), 0.9 * np.sum(s * s))) + 1)
    evals = np.sort(s * s)
    try:
        fit = pl_fit(data=evals[evals > EVALS_THRESH])
        alpha, numbers = float(fit.alpha), (fit.alpha, fit.D, fit.xmin, fit.xmax)
    except ValueError:
        alpha, numbers = math.nan, (math.nan,) * 4
    put("fit", *map(float, numbers))
    put("norms", float(np.sqrt(evals.sum())), float(evals.sum() / evals.max()), float(np.log10(evals.sum())),
        float(np.log10(evals.max())), float(alpha * np.log10(evals.max())), float(np.log10(np.sum(evals ** alpha))))
    p = s[s > 0] / s.sum()
    put("ranks", int(matrix_rank(s, m)), float(matrix_entropy(s, m)), float(np.exp(-np.sum(p * np.log(p)))))


def main():
    r = np.random.default_rng(20240229)
    print("# numpy %s, scipy %s, weightwatcher %s" % (np.__version__, scipy.__version__, weightwatcher.__version__),
          file=OUT)
    case("gaussian", r.standard_normal((64, 64)))
    case("wide", 0.02 * r.standard_normal((48, 160)))
    case("heavy", r.standard_t(2.5, size=(120, 70)))
    spiked = 0.05 * r.standard_normal((90, 60))
    case("spiked", spiked + r.standard_normal((90, 3)) @ r.standard_normal((3, 60)))
    case("small", r.standard_normal((12, 30)))
    case("tiny", r.standard_normal((5, 5)))
    case("deficient", r.standard_normal((40, 20)) @ r.standard_normal((20, 50)))
    q, _ = np.linalg.qr(r.standard_normal((150, 150)))
    case("power", (q * np.arange(1, 151.0) ** -0.8) @ q.T)


with open(sys.argv[1], "w", encoding="ascii") as OUT:
    main()

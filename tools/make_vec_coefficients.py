#!/usr/bin/env python3
"""Coefficients of src/kernels/vec.h: polynomials fitted at Chebyshev nodes, weighted for relative error and refined
by Lawson's iteration towards the least maximum, with their largest errors.  Needs numpy and mpmath."""
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(function, powers, low, high, weight=None, nodes=400, rounds=200):
    x = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    y = np.array([float(function(mp.mpf(v))) for v in x])
    w = np.ones_like(x) if weight is None else np.array([weight(v) for v in x])
    a = np.stack([x**p for p in powers], axis=1)
    lawson = np.ones_like(x)
    best, best_error = None, np.inf
    for _ in range(rounds):
        s = np.sqrt(lawson) * w
        c = np.linalg.lstsq(a * s[:, None], y * s, rcond=None)[0]
        error = np.abs((a @ c - y) * w)
        if error.max() < best_error:
            best, best_error = c, error.max()
        lawson *= error / error.max() + 1e-3
        lawson /= lawson.sum()
    return best, best_error


def show(name, coefficients, powers, error):
    print(f"{name}: largest weighted error {error:.2e}")
    for p, c in zip(powers, coefficients):
        print(f"    x^{p}: {np.float32(c):.9g}f")


half = float(mp.log(2) / 2)
powers = [0, 1, 2, 3, 4]
c, e = fit(lambda x: (mp.exp(x) - 1 - x) / x**2 if x else mp.mpf("0.5"), powers, -half * 1.01, half * 1.01, lambda x: x * x)
show("exp(x) = 1 + x + x^2 p(x), |x| <= log(2)/2", c, powers, e)

powers = [0, 1, 2, 3, 4]
c, e = fit(lambda s: (mp.tanh(mp.sqrt(s)) / mp.sqrt(s) - 1) / s if s else mp.mpf(-1) / 3, powers, 0.0, 0.625**2, lambda s: s)
show("tanh(x) = x + x s p(s), s = x^2, |x| <= 0.625", c, powers, e)

powers = [0, 1, 2, 3, 4, 5]
c, e = fit(lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1 if s else 2 / mp.sqrt(mp.pi) - 1, powers, 0.0, 0.92**2)
show("erf(x) = x + x p(s), s = x^2, |x| <= 0.92", c, powers, e)

powers = [0, 1, 2, 3, 4, 5, 6]
c, e = fit(lambda t: (mp.log(mp.erfc(t)) + t) / t, powers, 0.92, 4.0, lambda t: t * float(mp.erfc(t)))
show("erf(x) = 1 - exp(x p(x) - x), 0.92 <= x <= 4", c, powers, e)

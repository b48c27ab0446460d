#!/usr/bin/env python3
"""Golden values of cuts to low rank: numpy, in float64, straight from the formulas.
usage: make_compress.py > tests/golden/compress.json

R^(1/2) and C^(1/2) as full symmetric matrices, eigenvalues clamped at 0 plus 1e-6 of the largest; the loss of a
cut is |R^(1/2) (W - W_k) C^(1/2)|^2 of the product itself.
"""
import json
import numpy as np

rng = np.random.default_rng(20261130)


def roots(c):
    w, q = np.linalg.eigh(c)
    w = np.clip(w, 0, None) + 1e-6 * w.max()
    return (q * np.sqrt(w)) @ q.T, (q / np.sqrt(w)) @ q.T


def case(name, rows, columns, tokens, k, inputs, gradients):
    scale = np.exp(rng.normal(size=columns))  # inputs of unequal size, as hidden states are
    x = rng.normal(size=(tokens, columns)) * scale
    d = rng.normal(size=(tokens, rows)) * np.exp(rng.normal(size=rows)) * 1e-3
    w = rng.normal(size=(rows, columns))
    c, r = x.T @ x, d.T @ d
    ch, ci = roots(c / tokens) if inputs else (np.eye(columns), np.eye(columns))
    rh, ri = roots(r / tokens) if gradients else (np.eye(rows), np.eye(rows))
    u, s, v = np.linalg.svd(rh @ w @ ch, full_matrices=False)
    product = ri @ (u[:, :k] * s[:k]) @ v[:k] @ ci
    loss = np.linalg.norm(rh @ (w - product) @ ch) ** 2
    return dict(name=name, rows=rows, columns=columns, tokens=tokens, k=k, inputs=inputs, gradients=gradients,
                w=w.ravel().tolist(), c=c.ravel().tolist(), r=r.ravel().tolist(), s=s.tolist(),
                product=product.ravel().tolist(), loss=float(loss))


print(json.dumps([
    case("tall, both", 14, 9, 50, 4, True, True),
    case("wide, both", 8, 13, 50, 3, True, True),
    case("square, inputs", 10, 10, 40, 5, True, False),
    case("wide, plain", 7, 11, 20, 2, False, False),
    case("fewer tokens than inputs", 9, 16, 6, 3, True, True),
]))

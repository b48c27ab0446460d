#!/usr/bin/env python3
"""Makes tests/golden/grid_rebuild.h: best approximations of rank k of a small matrix, by numpy.

Made with numpy 2 (numpy.linalg.svd, LAPACK dgesdd); run with the output file as argument.
"""
import sys

import numpy as np

ROWS, COLS, RANKS = 7, 5, (0, 1, 2, 4, 5)
w = np.array([[((3 * i + 5 * j) % 11 - 5) / 4 + (i == j) for j in range(COLS)] for i in range(ROWS)])
u, s, vt = np.linalg.svd(w, full_matrices=False)


def text(a):
    return ", ".join(f"{x:.17g}" for x in np.asarray(a).ravel())


with open(sys.argv[1], "w") as f:
    f.write(f"/* Made by tools/golden/make_grid.py with numpy {np.__version__}. */\n")
    f.write("/* clang-format off */\n")
    f.write(f"#define GOLDEN_ROWS {ROWS}\n#define GOLDEN_COLS {COLS}\n#define GOLDEN_RANKS {len(RANKS)}\n")
    f.write(f"static const double golden_w[{ROWS * COLS}] = {{{text(w)}}};\n")
    f.write(f"static const double golden_sigma[{COLS}] = {{{text(s)}}};\n")
    f.write(f"static const int golden_k[GOLDEN_RANKS] = {{{text(RANKS)}}};\n")
    f.write(f"static const double golden_wk[GOLDEN_RANKS][{ROWS * COLS}] = {{\n")
    for k in RANKS:
        f.write(f"    {{{text((u[:, :k] * s[:k]) @ vt[:k])}}},\n")
    f.write("};\n/* clang-format on */\n")

"""spectra.h5 in Python: a table of all matrices, the map of scores, and one spectrum against pure noise.

    python spectra.py laser-output/spectra.h5 [MATRIX]

Needs h5py, numpy and pandas.
"""
import sys

import h5py
import numpy
import pandas


def main(path, name=None):
    file = h5py.File(path)
    scan = pandas.DataFrame([dict(m.attrs) for m in file["matrices"].values()])
    print("%s: %d matrices, threshold %s" % (file.attrs["model"], len(scan), file.attrs["rule"]))

    print("\nSNR, layers by types")
    print(scan.pivot(index="layer", columns="type", values="snr").round(3).to_string())

    print("\nthe five noisiest")
    columns = ["name", "rows", "columns", "rank", "snr", "stable_rank", "alpha"]
    print(scan.nsmallest(5, "snr")[columns].round(3).to_string(index=False))

    name = name or scan.nsmallest(1, "snr")["name"].iloc[0]
    s = file["matrices"][name.replace("%", "%25").replace("/", "%2F")]["singular_values"][:]
    about = scan[scan["name"] == name].iloc[0]
    noise = numpy.random.default_rng(0).standard_normal((about["rows"], about["columns"])) * about["noise_sigma"]
    quantiles = numpy.linspace(0, 1, 11)
    print("\n%s: deciles of its singular values, and of noise with sigma %.4g" % (name, about["noise_sigma"]))
    print(pandas.DataFrame({"matrix": numpy.quantile(s, quantiles),
                            "noise": numpy.quantile(numpy.linalg.svd(noise, compute_uv=False), quantiles)},
                           index=["%d %%" % round(100 * q) for q in quantiles]).round(4).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])

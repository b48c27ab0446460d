# Spack recipe of laser_mpi.  In a repository of your own: packages/laser_mpi/package.py
from spack.package import *


class LaserMpi(AutotoolsPackage):
    """Singular values, noise thresholds and rank reduction of the weight matrices of language models, over MPI ranks."""

    homepage = "https://example.org/laser_mpi"
    url = "https://example.org/laser_mpi/laser_mpi-0.2.0.tar.gz"

    # spack checksum laser-mpi fills in the sum of the tarball (`make dist`).
    version("0.2.0")

    variant("cairo", default=False, description="Figures as PDF and PNG")
    variant("onednn", default=True, description="Fast matrix products of the forward pass")

    depends_on("c", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("blas")
    depends_on("lapack")
    depends_on("scalapack")
    depends_on("hdf5 ~mpi")
    depends_on("jansson@2.12:")
    depends_on("libyaml")
    depends_on("pcre2")
    depends_on("utf8proc")
    depends_on("zlib-api")
    depends_on("xxhash")
    depends_on("onednn@2:3", when="+onednn")
    depends_on("cairo", when="+cairo")
    depends_on("cmocka", type="test")

    def configure_args(self):
        spec = self.spec
        args = [
            "MPICC=" + spec["mpi"].mpicc,
            "--with-blas=" + (spec["lapack"].libs + spec["blas"].libs).ld_flags,
            "--with-scalapack=" + spec["scalapack"].libs.ld_flags,
        ]
        if spec.satisfies("~onednn"):
            args.append("--without-onednn")
        if spec.satisfies("~cairo"):
            args.append("--without-cairo")
        return args

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def run_the_demo(self):
        Executable(self.prefix.bin.laser_mpi)("scan", "--model", self.prefix.share.laser_mpi.inputs.join("demo-model"))

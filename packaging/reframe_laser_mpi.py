# ReFrame tests of an installed laser_mpi: reframe -c reframe_laser_mpi.py -r -S modules=laser_mpi
import os

import reframe as rfm
import reframe.utility.sanity as sn


class LaserMpiTest(rfm.RunOnlyRegressionTest):
    """What all tests share: three ranks, the demo that is installed with the program, no output of an earlier run."""

    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "laser_mpi"
    num_tasks = 3
    num_cpus_per_task = 1
    time_limit = "10m"
    # With a module, LASER_SLURM is $prefix/share/laser_mpi/slurm; else the prefix is that of the program.
    inputs = variable(
        str, value='${LASER_INPUTS:-$(dirname "$(command -v laser_mpi)")/../share/laser_mpi/inputs}')

    @run_before("run")
    def start_anew(self):
        self.prerun_cmds += [f'inputs="{self.inputs}"', "rm -rf out"]
        self.executable_opts += ["--output", "out", "--log", "text"]


@rfm.simple_test
class LaserMpiScan(LaserMpiTest):
    descr = "Scan of the demo model: every matrix, and its time"
    executable_opts = ["scan", "--model", '"$inputs/demo-model"']
    postrun_cmds = ["cat out/results.json"]

    @sanity_function
    def all_matrices(self):
        return sn.all([sn.assert_found(r"^JOB DONE", self.stdout), sn.assert_not_found(r"failed [1-9]", self.stdout)])

    @performance_function("s")
    def scan_time(self):
        return sn.extractsingle(r'"seconds": ([\d.]+)', self.stdout, 1, float)


@rfm.simple_test
class LaserMpiPerplexity(LaserMpiTest):
    descr = "Perplexity of the demo model: the value of transformers, and tokens a second"
    executable_opts = ["perplexity", "--model", '"$inputs/demo-model"', "--text",
                       'demo="$inputs/demo-text/selection.txt"']
    postrun_cmds = ["cat out/results.json"]

    @sanity_function
    def same_value(self):
        value = sn.extractsingle(r'"ppl": ([\d.]+)', self.stdout, 1, float)
        return sn.assert_reference(value, 16.796905, -1e-4, 1e-4)

    @performance_function("tokens/s")
    def rate(self):
        return sn.extractsingle(r'"tokens_per_second": ([\d.eE+]+)', self.stdout, 1, float)


@rfm.simple_test
class LaserMpiReduce(LaserMpiTest):
    descr = "Reduction of the demo model, as laserRMT does it"
    executable_opts = ["reduce", "--compat", "laserrmt", "--model", '"$inputs/demo-model"', "--text",
                       'demo="$inputs/demo-text/selection.txt"', "--set", "reduce.candidates=3"]
    postrun_cmds = ["cat out/results.json", "ls out/model"]

    @sanity_function
    def model_is_written(self):
        return sn.all([sn.assert_found(r"^JOB DONE", self.stdout), sn.assert_found(r"^model.safetensors", self.stdout)])

    @performance_function("s")
    def reduce_time(self):
        return sn.extractsingle(r'"seconds": ([\d.]+)', self.stdout, 1, float)

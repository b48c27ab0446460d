/* What the cost models assume of a machine: rates, latencies, bandwidths, and the memory of what is there anyway.
 *
 * One place for all of them.  Those that a start measures (plan/calibrate.h) are scaled to this machine; decisions that have to be
 * the same in every start (how many shards a model takes) go by the numbers as they stand here. doc/scaling.md says where they
 * come from: one core of a Zen 4 with AVX-512, if nothing else is said. */
#ifndef LASER_PLAN_MACHINE_H
#define LASER_PLAN_MACHINE_H

/* ---- operations a second of one core ---- */

/* float64 of a scan: products, the tridiagonal reduction, block reflectors. */
#define LASER_GEMM_FLOPS        42e9
#define LASER_TRIDIAGONAL_FLOPS 28e9
#define LASER_REDUCE_FLOPS      8e9

/* Linear layers of a model, in products of these shapes, by kernel; the share of them that whole batches reach. */
#define LASER_LAYER_BF16_FLOPS     200e9
#define LASER_LAYER_AVX512_FLOPS   105e9
#define LASER_LAYER_OPENBLAS_FLOPS 80e9
#define LASER_LAYER_PLAIN_FLOPS    8e9
#define LASER_LAYER_SHARE          0.85

/* Serial solvers: shares of the product rate, and seconds per n^2 for the parts that are not products (chasing and
 * counting), measured where dgemm ran at LASER_SQUARE_GEMM. */
#define LASER_GATHER_SHARE     0.9
#define LASER_REDUCTION_SHARE  0.95
#define LASER_REDUCTION_HALF   300.0 /* n at which the reduction runs at half of its best */
#define LASER_SQUARE_SECONDS   2e-8
#define LASER_SQUARE_GEMM      65e9
#define LASER_QR_SHARE         0.5
#define LASER_BIDIAGONAL_SHARE 0.15
#define LASER_CALL_SECONDS     2e-5

#define LASER_THREAD_EFFICIENCY 0.9 /* of each doubling of the threads of a rank */

/* ---- between ranks ---- */

#define LASER_NET_BYTES_S   4e9 /* of the groups of a scan */
#define LASER_NET_LATENCY_S 2e-6
#define LASER_SUM_BYTES_S   2e9   /* sums over shards, through one rank (shared memory of one node), */
#define LASER_SUM_LATENCY_S 20e-6 /* and the start of one */

/* ---- memory and disks ---- */

#define LASER_STREAM_BYTES_S     8e9   /* weights from memory to one core, a token at a time */
#define LASER_READ_BYTES_S       1e9   /* of a checkpoint, by a rank of a scan */
#define LASER_LOAD_BYTES_S       300e6 /* of a model, by a rank of a parallel file system: cautious, as is */
#define LASER_WRITE_BYTES_S      200e6 /* what a rank writes, and reads */
#define LASER_NODE_READ_BYTES_S  2e9   /* a node's share of the file system of a cluster */
#define LASER_NODE_WRITE_BYTES_S 1e9

#define LASER_MATRIX_S 2e-4 /* of a matrix whatever its size */

/* ---- memory of a rank beside its matrices and weights ---- */

#define LASER_SCAN_BASE_BYTES     100e6 /* a process with MPI and the libraries, where it is not measured */
#define LASER_GENERATE_BASE_BYTES 150e6
#define LASER_EVALUATE_BYTES      8e6 /* tokens, windows, buffers for reading and the scratch of the kernels */
#define LASER_REDUCE_BYTES        5e6  /* edits in place, decisions, their report */
#define LASER_RESULTS_BYTES       10e6 /* rank 0 while it writes results, report and tables, */
#define LASER_RESULT_BYTES        35e3 /* and for each matrix */

#endif

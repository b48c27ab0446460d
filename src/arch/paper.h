/* The names that the LASER paper (arXiv 2312.13558) has for the matrices of a layer, whatever the
 * architecture.
 *
 *   q  k  v        projections to queries, keys and values; the fused tensor where a model has only that
 *   out            projection of the attention's output
 *   fc_in          first matrix of the MLP; the gate of a gated MLP
 *   fc_up          the other first matrix of a gated MLP
 *   fc_out         last matrix of the MLP
 *   mlp  attn  all fc_in, fc_up and fc_out; q, k, v and out; both.  They are edited together.
 *
 * q_proj, k_proj, v_proj and out_proj, as the paper's program has them, are the same as q, k, v and out.
 * doc/laser.md has the table for each architecture.
 */
#ifndef LASER_ARCH_PAPER_H
#define LASER_ARCH_PAPER_H

#include <stdbool.h>

enum laser_paper_part {
    LASER_PAPER_Q = 1,
    LASER_PAPER_K = 2,
    LASER_PAPER_V = 4,
    LASER_PAPER_OUT = 8,
    LASER_PAPER_FC_IN = 16,
    LASER_PAPER_FC_UP = 32,
    LASER_PAPER_FC_OUT = 64
};

/* The parts that a name of the paper stands for; 0 if it is none. */
unsigned laser_paper_parse(const char *name);

/* The parts that a matrix type (the name after the layer number, without ".weight") is: one, several for a
 * fused tensor, none (0) for what the paper does not edit.  gated: the layer has a matrix for the gate beside
 * mlp.up_proj (laser_paper_is_gate); without one mlp.up_proj is fc_in. */
unsigned laser_paper_parts(const char *type, bool gated);

/* Is the type a gate, so that the layer's up_proj is not its first matrix? */
bool laser_paper_is_gate(const char *type);

#endif

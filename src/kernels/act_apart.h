/* For the loops over rows of activations, forward and back: the activation is told apart outside the loop, so that each that is
 * often used has a loop of its own, and the others share one. */
#ifndef LASER_KERNELS_ACT_APART_H
#define LASER_KERNELS_ACT_APART_H

#include "kernels/act.h"

#define LASER_ACTIVATIONS_APART(row, activation, ...)                                                        \
    do {                                                                                                     \
        switch (activation) {                                                                                \
        case LASER_ACT_SILU:                                                                                 \
            row(LASER_ACT_SILU, __VA_ARGS__);                                                                \
            break;                                                                                           \
        case LASER_ACT_GELU:                                                                                 \
            row(LASER_ACT_GELU, __VA_ARGS__);                                                                \
            break;                                                                                           \
        case LASER_ACT_GELU_TANH:                                                                            \
            row(LASER_ACT_GELU_TANH, __VA_ARGS__);                                                           \
            break;                                                                                           \
        default:                                                                                             \
            row(activation, __VA_ARGS__);                                                                    \
            break;                                                                                           \
        }                                                                                                    \
    } while (0)

#endif

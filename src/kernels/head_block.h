/* Inside kernels/ only: blocks of logits, for the scan of the vocabulary and its backward. */
#ifndef LASER_KERNELS_HEAD_BLOCK_H
#define LASER_KERNELS_HEAD_BLOCK_H

#include "kernels/head.h"

/* Logits held at a time, 4 MB: wide enough that preparing x for each block does not count. */
enum { LASER_HEAD_BLOCK = 2048, LASER_HEAD_TOKENS = 512 };

/* Capped logits[tokens, LASER_HEAD_BLOCK] of entries v .. v + n - 1 of the slice. */
void laser_head_block(const struct laser_head *head, int64_t v, int64_t n, int64_t tokens, const float *x,
                      int64_t x_stride, float *logits, const struct laser_scratch *scratch);

/* The largest of logits[n] (a NaN does not count), and the number of the first that is equal to it. */
int64_t laser_head_largest(int64_t n, const float *logits, float *largest);

/* Takes one token's logits of entries first .. first + n - 1 (global numbers) into *token. */
void laser_head_scan_logits(int64_t first, int64_t n, const float *logits, int64_t target,
                            const float *reference, struct laser_head_token *token);

#endif

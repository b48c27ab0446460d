/* Shared by the tests of the backward pass: a pass over a golden text by some shards, and all that the sinks
 * were given, put together. */
#ifndef LASER_TESTS_GRADIENT_TESTING_H
#define LASER_TESTS_GRADIENT_TESTING_H

#include "model/gradient.h"
#include "model_testing.h"

enum { GRADIENT_MATRICES = 128, GRADIENT_SHARDS = 8 };

/* What all shards gave for one matrix, put together. */
struct gradient_matrix {
    char name[256];
    int64_t rows, columns, reached; /* reached: rows of the batch that came by */
    int owner;                      /* the shard that came first */
    double *delta;                  /* [N, rows] */
    double *x;                      /* [N, columns] */
};

/* A pass over the golden text and what came of it. */
struct gradient_job {
    const struct golden *golden;
    enum laser_precision precision;
    struct laser_model_batch batch;
    int64_t n;
    const int32_t *tokens, *targets;
    const float *weights;
    int64_t limit_bytes;
    model_change *change; /* called with the job */
    model_change
        *teacher; /* makes the model that the gradient of the divergence is taken from; NULL: of losses */
    bool inputs_only;
    double *nll;
    struct gradient_matrix matrices[GRADIENT_MATRICES];
    int count;
    int fails_at; /* the call of the sink that fails; 0: none does */
    int calls[GRADIENT_SHARDS], result[GRADIENT_SHARDS];
    struct laser_error err[GRADIENT_SHARDS];
};

/* The whole text with the weights of make_gradients.py. */
void gradient_start(struct gradient_job *job, const struct golden *golden);
void gradient_discard(struct gradient_job *job);

/* Results in job->result and job->err. */
void gradient_try(struct gradient_job *job, int shards);

/* The same; fails the test where a result is not LASER_OK. */
void gradient_run(struct gradient_job *job, int shards);

/* Norm of found - expected relative to that of expected. */
struct norm_difference {
    double error, size;
};
void norm_difference_add(struct norm_difference *d, double found, double expected);
double norm_difference_relative(const struct norm_difference *d);

/* The largest difference of a matrix between two jobs, relative to its norm, of delta or x. */
struct gradient_difference {
    double worst;
    const char *where;
};
struct gradient_difference gradient_compare(const struct gradient_job *job, const struct gradient_job *whole);

#endif

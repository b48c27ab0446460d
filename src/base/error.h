/* Errors: every function that can fail returns an enum laser_result and describes a failure in a
 * struct laser_error that the caller owns.  Code in src/ never prints and never exits.
 */
#ifndef LASER_BASE_ERROR_H
#define LASER_BASE_ERROR_H

/* The values are the exit codes of the program. */
enum laser_result {
    LASER_OK = 0,
    LASER_EUSAGE = 2,     /* command line or deck */
    LASER_EINPUT = 3,     /* input data: checkpoint, text, tokenizer */
    LASER_ENUMERIC = 4,   /* no convergence, NaN or Inf in a matrix */
    LASER_EIO = 5,        /* reading or writing failed */
    LASER_ENOMEM = 6,     /* memory, estimated or refused */
    LASER_EINTERNAL = 70, /* a broken invariant: a bug */
    LASER_ESTOPPED = 75   /* stopped on request, resumable */
};

struct laser_error {
    int code;        /* enum laser_result */
    int rank;        /* rank that met the error; 0 in serial code */
    char where[512]; /* file, file:line, tensor or deck key; may be empty */
    char text[1024]; /* what was found and what was expected */
};

/* Fills *err (may be NULL) and returns code, so that `return laser_error_set(...)` reads well.
 * where may be NULL.  An over-long text is cut. */
int laser_error_set(struct laser_error *err, int code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Forgets an earlier error. */
void laser_error_clear(struct laser_error *err);

/* One word for a code: "usage", "input", "numeric", "io", "memory", ... Never NULL. */
const char *laser_result_name(int code);

#endif

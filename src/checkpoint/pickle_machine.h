/* The machine that reads pickles: see pickle.h. */
#ifndef LASER_CHECKPOINT_PICKLE_MACHINE_H
#define LASER_CHECKPOINT_PICKLE_MACHINE_H

#include "checkpoint/pickle.h"

enum laser_pickle_kind {
    LASER_PICKLE_NONE,
    LASER_PICKLE_NUMBER,
    LASER_PICKLE_OTHER,
    LASER_PICKLE_TEXT,
    LASER_PICKLE_TUPLE,
    LASER_PICKLE_LIST,
    LASER_PICKLE_DICT,
    LASER_PICKLE_GLOBAL,
    LASER_PICKLE_STORAGE,
    LASER_PICKLE_TENSOR,
    LASER_PICKLE_MARK
};

enum laser_pickle_global {
    LASER_PICKLE_ORDERED_DICT,
    LASER_PICKLE_REBUILD_TENSOR,
    LASER_PICKLE_REBUILD_PARAMETER,
    LASER_PICKLE_STORAGE_TYPE
};

/* Anything on the stack.  Values are numbers into the machine's list, and are freed with it. */
struct laser_pickle_value {
    enum laser_pickle_kind kind;
    int64_t number; /* LASER_PICKLE_NUMBER; LASER_PICKLE_STORAGE: its elements */
    char *text;     /* LASER_PICKLE_TEXT; LASER_PICKLE_STORAGE: its key */
    int32_t *items; /* LASER_PICKLE_TUPLE, LASER_PICKLE_LIST; LASER_PICKLE_DICT: keys and values by turns */
    int32_t n_items;
    int32_t room;
    enum laser_pickle_global global;
    enum laser_dtype dtype;             /* LASER_PICKLE_GLOBAL of a storage type, LASER_PICKLE_STORAGE */
    struct laser_pickle_tensor *tensor; /* LASER_PICKLE_TENSOR */
};

struct laser_pickle_machine {
    const char *file;
    const unsigned char *bytes;
    int64_t n;
    int64_t at;
    struct laser_pickle_value *values;
    int32_t n_values, values_room;
    int32_t *stack;
    int32_t n_stack, stack_room;
    int32_t *memo;
    int64_t memo_room;
    int64_t n_memo;
    struct laser_error *err;
};

/* Errors; take gives n bytes or NULL, peek a value below the top or NULL, with *code set. */
int laser_pickle_refuse(struct laser_pickle_machine *m, const char *what);
int laser_pickle_no_memory(struct laser_pickle_machine *m);
const unsigned char *laser_pickle_take(struct laser_pickle_machine *m, int64_t n, int *code);
uint64_t laser_pickle_take_number(struct laser_pickle_machine *m, int n, int *code);
int laser_pickle_push_index(struct laser_pickle_machine *m, int32_t i);
int laser_pickle_push(struct laser_pickle_machine *m, struct laser_pickle_value value);
int laser_pickle_push_number(struct laser_pickle_machine *m, int64_t number, int code);
int laser_pickle_push_text(struct laser_pickle_machine *m, int64_t n, int code);
struct laser_pickle_value *laser_pickle_peek(struct laser_pickle_machine *m, int32_t below, int *code);
int laser_pickle_push_tuple(struct laser_pickle_machine *m, int32_t first, int32_t below);
int laser_pickle_push_marked_tuple(struct laser_pickle_machine *m);
int laser_pickle_fill_marked(struct laser_pickle_machine *m, enum laser_pickle_kind kind);
int laser_pickle_fill_top(struct laser_pickle_machine *m, enum laser_pickle_kind kind, int32_t count);
int laser_pickle_memo_put(struct laser_pickle_machine *m, uint64_t key, int code);
int laser_pickle_memo_get(struct laser_pickle_machine *m, uint64_t key, int code);
int laser_pickle_read_global(struct laser_pickle_machine *m);
int laser_pickle_stack_global(struct laser_pickle_machine *m);
const struct laser_pickle_value *laser_pickle_item(const struct laser_pickle_machine *m,
                                                   const struct laser_pickle_value *tuple, int32_t i);
int laser_pickle_persistent(struct laser_pickle_machine *m);
int laser_pickle_reduce(struct laser_pickle_machine *m);
int laser_pickle_build(struct laser_pickle_machine *m);

#endif

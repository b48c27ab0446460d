#include "checkpoint/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size_bytes;
} table[LASER_DTYPE_COUNT] = {
    [LASER_F64] = {"F64", 8},         [LASER_F32] = {"F32", 4},         [LASER_F16] = {"F16", 2},
    [LASER_BF16] = {"BF16", 2},       [LASER_F8_E4M3] = {"F8_E4M3", 1}, [LASER_F8_E5M2] = {"F8_E5M2", 1},
    [LASER_I64] = {"I64", 8},         [LASER_I32] = {"I32", 4},         [LASER_I16] = {"I16", 2},
    [LASER_I8] = {"I8", 1},           [LASER_U64] = {"U64", 8},         [LASER_U32] = {"U32", 4},
    [LASER_U16] = {"U16", 2},         [LASER_U8] = {"U8", 1},           [LASER_BOOL] = {"BOOL", 1},
    [LASER_F8_E8M0] = {"F8_E8M0", 1},
};

size_t laser_dtype_size(enum laser_dtype dtype)
{
    return table[dtype].size_bytes;
}

const char *laser_dtype_name(enum laser_dtype dtype)
{
    return (unsigned)dtype < LASER_DTYPE_COUNT ? table[dtype].name : "unknown";
}

bool laser_dtype_parse(const char *name, enum laser_dtype *dtype)
{
    for (int i = 0; i < LASER_DTYPE_COUNT; i++) {
        if (strcmp(name, table[i].name) == 0) {
            *dtype = (enum laser_dtype)i;
            return true;
        }
    }
    return false;
}

bool laser_dtype_is_float(enum laser_dtype dtype)
{
    return dtype <= LASER_F8_E5M2;
}

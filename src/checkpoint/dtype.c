#include "checkpoint/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t bits;
} table[LASER_DTYPE_END] = {
    [LASER_F64] = {"F64", 64},
    [LASER_F32] = {"F32", 32},
    [LASER_F16] = {"F16", 16},
    [LASER_BF16] = {"BF16", 16},
    [LASER_F8_E4M3] = {"F8_E4M3", 8},
    [LASER_F8_E5M2] = {"F8_E5M2", 8},
    [LASER_I64] = {"I64", 64},
    [LASER_I32] = {"I32", 32},
    [LASER_I16] = {"I16", 16},
    [LASER_I8] = {"I8", 8},
    [LASER_U64] = {"U64", 64},
    [LASER_U32] = {"U32", 32},
    [LASER_U16] = {"U16", 16},
    [LASER_U8] = {"U8", 8},
    [LASER_BOOL] = {"BOOL", 8},
    [LASER_F8_E8M0] = {"F8_E8M0", 8},
    [LASER_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
    [LASER_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8},
    [LASER_C64] = {"C64", 64},
    [LASER_F4] = {"F4", 4},
    [LASER_F6_E2M3] = {"F6_E2M3", 6},
    [LASER_F6_E3M2] = {"F6_E3M2", 6},
};

size_t laser_dtype_size(enum laser_dtype dtype)
{
    return table[dtype].bits < 8 ? 1 : table[dtype].bits / 8;
}

size_t laser_dtype_bits(enum laser_dtype dtype)
{
    return table[dtype].bits;
}

const char *laser_dtype_name(enum laser_dtype dtype)
{
    return (unsigned)dtype < LASER_DTYPE_END ? table[dtype].name : "unknown";
}

bool laser_dtype_parse(const char *name, enum laser_dtype *dtype)
{
    for (int i = 0; i < LASER_DTYPE_END; i++) {
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

/* What changed between oneDNN 2 and 3, under one name each: a description of memory was a struct and is an
 * opaque handle, and a product is described in one call.
 *
 * A description is made by laser_onednn_strided or _tagged, lent to the others, and freed with _forget.
 */
#ifndef LASER_KERNELS_ONEDNN_H
#define LASER_KERNELS_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t laser_onednn_lent;
#define laser_onednn_lend(desc) (*(desc))

static inline dnnl_status_t laser_onednn_strided(dnnl_memory_desc_t *desc, const dnnl_dims_t dims,
                                                 dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(desc, 2, dims, type, strides);
}

static inline dnnl_status_t laser_onednn_tagged(dnnl_memory_desc_t *desc, const dnnl_dims_t dims,
                                                dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(desc, 2, dims, type, tag);
}

static inline void laser_onednn_forget(dnnl_memory_desc_t *desc)
{
    dnnl_memory_desc_destroy(*desc);
    *desc = NULL;
}

static inline dnnl_status_t laser_onednn_matmul(dnnl_primitive_desc_t *matmul, dnnl_engine_t engine,
                                                laser_onednn_lent x, laser_onednn_lent weights,
                                                laser_onednn_lent y, dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(matmul, engine, x, weights, NULL, y, attributes);
}

/* y += x W, scaled by 1. */
static inline dnnl_status_t laser_onednn_add_to(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
}
#else
typedef const dnnl_memory_desc_t *laser_onednn_lent;
#define laser_onednn_lend(desc) ((laser_onednn_lent)(desc))

static inline dnnl_status_t laser_onednn_strided(dnnl_memory_desc_t *desc, const dnnl_dims_t dims,
                                                 dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(desc, 2, dims, type, strides);
}

static inline dnnl_status_t laser_onednn_tagged(dnnl_memory_desc_t *desc, const dnnl_dims_t dims,
                                                dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(desc, 2, dims, type, tag);
}

static inline void laser_onednn_forget(dnnl_memory_desc_t *desc)
{
    (void)desc;
}

static inline dnnl_status_t laser_onednn_matmul(dnnl_primitive_desc_t *matmul, dnnl_engine_t engine,
                                                laser_onednn_lent x, laser_onednn_lent weights,
                                                laser_onednn_lent y, dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t description;
    dnnl_status_t status = dnnl_matmul_desc_init(&description, x, weights, NULL, y);

    return status == dnnl_success ? dnnl_primitive_desc_create(matmul, &description, attributes, engine, NULL)
                                  : status;
}

/* y += x W, scaled by 1. */
static inline dnnl_status_t laser_onednn_add_to(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1);
}
#endif

#endif

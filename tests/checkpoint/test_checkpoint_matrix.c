#include "checkpoint_fixture.h"

#include "arch/names.h"
#include "checkpoint/matrix.h"
#include "checkpoint/towers.h"

static struct laser_matrix_list list_of(const struct laser_checkpoint *c,
                                        const struct laser_matrix_options *options)
{
    struct laser_matrix_list list;
    struct laser_error err = {0};

    if (laser_matrix_list(c, options, &list, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return list;
}

static const struct laser_matrix *find_matrix(const struct laser_matrix_list *list, const char *name)
{
    for (int64_t i = 0; i < list->n_matrices; i++) {
        if (strcmp(list->matrices[i].name, name) == 0)
            return &list->matrices[i];
    }
    return NULL;
}

static const char *skip_reason(const struct laser_checkpoint *c, const struct laser_matrix_list *list,
                               const char *tensor)
{
    for (int64_t i = 0; i < list->n_skipped; i++) {
        if (strcmp(c->tensors[list->skipped[i].tensor].name, tensor) == 0)
            return list->skipped[i].reason;
    }
    return "(not skipped)";
}

static double *read_matrix(const struct laser_checkpoint *c, const struct laser_matrix *m)
{
    double *values = malloc((size_t)(m->rows * m->cols) * sizeof *values);
    struct laser_error err = {0};

    assert_non_null(values);
    if (laser_matrix_read(c, m, 0, m->rows, 0, m->cols, values, m->cols, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return values;
}

/* A tensor of a golden file, widened. */
static double *read_golden(const struct laser_checkpoint *golden, const struct laser_tensor *t)
{
    const int64_t n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    void *raw = malloc((size_t)t->size_bytes + 1);
    double *values = malloc((size_t)(n + 1) * sizeof *values);
    struct laser_error err = {0};

    assert_non_null(raw);
    assert_non_null(values);
    assert_int_equal(laser_checkpoint_read(golden, t, 0, t->size_bytes, raw, &err), LASER_OK);
    laser_dtype_to_f64(t->dtype, raw, n, values);
    free(raw);
    return values;
}

static void assert_same_values(const double *x, const double *y, int64_t n, const char *name)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] == y[i]))
            fail_msg("%s: element %lld is %.17g, expected %.17g", name, (long long)i, x[i], y[i]);
    }
}

static void linear_weights_of_the_layers_are_the_default(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");
    struct laser_matrix_list list = list_of(c, NULL);
    const struct laser_matrix *m = find_matrix(&list, "model.layers.1.mlp.down_proj.weight");

    (void)state;
    assert_int_equal(list.n_matrices, 14);
    assert_non_null(m);
    assert_string_equal(m->type, "mlp.down_proj");
    assert_int_equal(m->layer, 1);
    assert_int_equal(m->rows, 16);
    assert_int_equal(m->cols, 24);
    assert_string_equal(skip_reason(c, &list, "model.embed_tokens.weight"), "embedding or position table");
    assert_string_equal(skip_reason(c, &list, "model.norm.weight"), "1-D (norm or bias)");
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void every_tensor_is_scanned_or_skipped_once(void **state)
{
    static const char *const models[] = {"llama", "gpt2", "phi3", "gpt_neox", "falcon", "gpt_oss", "fp8"};

    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(GOLDEN, models[k]));
        const struct laser_matrix_options options = {.split_fused = k % 2 == 0};
        struct laser_matrix_list list = list_of(c, &options);
        int *seen = calloc((size_t)c->n_tensors, sizeof *seen);

        assert_non_null(seen);
        for (int64_t i = 0; i < list.n_matrices; i++)
            seen[list.matrices[i].tensor] |= 1;
        for (int64_t i = 0; i < list.n_skipped; i++) {
            assert_int_equal(seen[list.skipped[i].tensor], 0);
            assert_non_null(list.skipped[i].reason);
            seen[list.skipped[i].tensor] |= 2;
        }
        for (int64_t i = 0; i < c->n_tensors; i++)
            assert_int_not_equal(seen[i], 0);
        free(seen);
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void parts_of_fused_tensors_are_those_of_transformers(void **state)
{
    static const char *const models[] = {"gpt2", "phi3", "gpt_neox", "falcon", "gpt_oss"};
    const struct laser_matrix_options options = {.split_fused = true};

    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(GOLDEN, models[k]));
        struct laser_checkpoint *golden = open_model(path_of(path_of(GOLDEN, models[k]), "expect"));
        struct laser_matrix_list list = list_of(c, &options);
        int64_t n_parts = 0;

        for (int64_t i = 0; i < list.n_matrices; i++)
            n_parts += list.matrices[i].part != NULL;
        assert_int_equal(n_parts, golden->n_tensors);
        for (int64_t i = 0; i < golden->n_tensors; i++) {
            const struct laser_tensor *t = &golden->tensors[i];
            const struct laser_matrix *m = find_matrix(&list, t->name);
            double *found, *expected;

            if (m == NULL)
                fail_msg("no matrix %s", t->name);
            assert_int_equal(m->rows, t->shape[0]);
            assert_int_equal(m->cols, t->shape[1]);
            found = read_matrix(c, m);
            expected = read_golden(golden, t);
            assert_same_values(found, expected, m->rows * m->cols, m->name);
            free(found);
            free(expected);
        }
        laser_matrix_list_free(&list);
        laser_checkpoint_close(golden);
        laser_checkpoint_close(c);
    }
}

static void a_part_carries_its_label_in_name_and_type(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/phi3");
    const struct laser_matrix_options options = {.split_fused = true};
    struct laser_matrix_list list = list_of(c, &options);
    const struct laser_matrix *m = find_matrix(&list, "model.layers.0.self_attn.qkv_proj.weight[k]");

    (void)state;
    assert_non_null(m);
    assert_string_equal(m->type, "self_attn.qkv_proj[k]");
    assert_string_equal(m->part, "k");
    assert_null(m->note);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void fused_tensors_without_a_config_stay_whole_with_a_note(void **state)
{
    struct laser_checkpoint *c;
    const struct laser_matrix_options options = {.split_fused = true};
    struct laser_matrix_list list;

    put_safetensors(
        path_of(*state, "noconfig.safetensors"),
        "{\"layers.0.query_key_value.weight\":{\"dtype\":\"F32\",\"shape\":[6,2],\"data_offsets\":[0,48]}}",
        48);
    c = open_model(path_of(*state, "noconfig.safetensors"));
    list = list_of(c, &options);
    assert_int_equal(list.n_matrices, 1);
    assert_int_equal(list.matrices[0].rows, 6);
    assert_null(list.matrices[0].part);
    assert_non_null(list.matrices[0].note);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

/* One weight of a shape under a config.json: what scan.split_fused makes of it, "q3+k1+v1" or "whole". */
static void assert_split(const char *dir, const char *config, const char *name, const char *shape, int bytes,
                         const char *expected)
{
    const struct laser_matrix_options options = {.split_fused = true};
    char header[512], found[200] = "";
    struct laser_checkpoint *c;
    struct laser_matrix_list list;

    mkdir(dir, 0777);
    put_text(path_of(dir, "config.json"), config);
    snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":%s,\"data_offsets\":[0,%d]}}", name,
             shape, bytes);
    put_safetensors(path_of(dir, "model.safetensors"), header, bytes);
    c = open_model(dir);
    c->tensors[0].dtype = LASER_F8_E4M3;
    list = list_of(c, &options);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];
        size_t n = strlen(found);
        if (m->part == NULL)
            snprintf(found + n, sizeof found - n, "whole%s", m->note != NULL ? ", said" : "");
        else
            snprintf(found + n, sizeof found - n, "%s%s:%lldx%lld", i > 0 ? " " : "", m->part,
                     (long long)m->rows, (long long)m->cols);
    }
    if (strcmp(found, expected) != 0)
        fail_msg("%s, %s: %s, expected %s", config, name, found, expected);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

/* Lightning attention has heads x 3 x head_dim, which has the shape of q, k, v one after the other. */
static void a_fused_tensor_is_split_as_a_table_says_or_left_whole(void **state)
{
    static const char heads[] =
        "\"hidden_size\": 8, \"num_attention_heads\": 4, \"num_key_value_heads\": 4, \"head_dim\": 2}";
    static const struct {
        const char *config, *name, *shape, *expected;
        int bytes;
    } cases[] = {
        {"\"minimax\"", "model.layers.0.self_attn.qkv_proj.weight", "[24,8]", "whole, said", 192},
        {"\"phi3\"", "model.layers.0.self_attn.qkv_proj.weight", "[24,8]", "q:8x8 k:8x8 v:8x8", 192},
        {"\"unheard_of\"", "model.layers.0.self_attn.qkv_proj.weight", "[24,8]", "whole, said", 192},
        {"\"unheard_of\"", "model.layers.0.attn.c_attn.weight", "[24,8]", "whole, said", 192},
        {"\"unheard_of\"", "model.layers.0.mlp.gate_up_proj.weight", "[24,8]", "whole, said", 192},
        {"\"unheard_of\"", "model.layers.0.mlp.up_proj.weight", "[24,8]", "whole", 192},
        {"\"codegen\"", "transformer.h.0.attn.qkv_proj.weight", "[24,8]", "whole, said", 192},
        {"\"glm4\"", "model.layers.0.mlp.gate_up_proj.weight", "[24,8]", "gate:12x8 up:12x8", 192},
        {"\"phi3\"", "model.layers.0.mlp.gate_up_proj.weight", "[24,6]", "whole, said", 144},
        {"\"qwen3_vl_moe\"", "model.layers.0.mlp.experts.gate_up_proj", "[1,12,8]", "gate:6x8 up:6x8", 96},
        {"\"qwen3_vl_moe\"", "model.layers.0.mlp.experts.gate_up_proj", "[1,8,12]", "gate:8x6 up:8x6", 96},
        {"\"qwen3_vl_moe\"", "model.layers.0.mlp.experts.gate_up_proj", "[1,8,8]", "whole, said", 64},
        {"\"qwen2_vl\"", "visual.blocks.0.attn.qkv.weight", "[12,4]", "q:4x4 k:4x4 v:4x4", 48},
        {"\"phi4_multimodal\"", "model.layers.0.self_attn.qkv_proj.weight", "[24,8]", "q:8x8 k:8x8 v:8x8",
         192},
        {"\"phi4_multimodal\"", "audio.encoders.0.feed.gate_up_proj.weight", "[24,8]", "whole, said", 192},
        {"\"jetmoe\"", "model.layers.0.self_attention.experts.input_linear.weight", "[1,24,8]", "whole, said",
         192},
        {"\"openelm\"", "transformer.layers.0.attn.qkv_proj.weight", "[24,8]", "whole, said", 192},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[200];
        snprintf(config, sizeof config, "{\"model_type\": %s, %s", cases[i].config, heads);
        assert_split(path_of(*state, "split"), config, cases[i].name, cases[i].shape, cases[i].bytes,
                     cases[i].expected);
    }
}

/* Vision and text count their layers each for itself; only types that both have name their tower. */
static void a_type_that_two_towers_have_names_its_tower(void **state)
{
    static const char *const expected[] = {"language_model.model.layers:self_attn.q_proj", "mlp.up_proj",
                                           "vision_tower.encoder.layers:self_attn.q_proj", "mlp.fc1"};
    const struct laser_matrix_options text = {.include = (const char *const[]){"language_model.*"},
                                              .n_include = 1};
    struct laser_checkpoint *c;
    struct laser_matrix_list list;

    put_safetensors(
        path_of(*state, "towers.safetensors"),
        "{\"language_model.model.layers.0.self_attn.q_proj.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[0,16]},"
        "\"language_model.model.layers.0.mlp.up_proj.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[16,32]},"
        "\"vision_tower.encoder.layers.0.self_attn.q_proj.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[32,48]},"
        "\"vision_tower.encoder.layers.0.mlp.fc1.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[48,64]}}",
        64);
    c = open_model(path_of(*state, "towers.safetensors"));
    list = list_of(c, NULL);
    assert_int_equal(list.n_matrices, 4);
    for (int i = 0; i < 4; i++) {
        int found = 0;
        for (int k = 0; k < 4; k++)
            found += strcmp(list.matrices[k].type, expected[i]) == 0;
        if (found != 1)
            fail_msg("%d matrices of type %s", found, expected[i]);
    }
    laser_matrix_list_free(&list);
    list = list_of(c, &text); /* one tower alone: as ever */
    for (int i = 0; i < 2; i++)
        assert_null(strchr(list.matrices[i].type, ':'));
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void the_tower_is_what_stands_before_the_layer(void **state)
{
    (void)state;
    assert_int_equal(laser_tower_length("model.layers.3.mlp.w1.weight"), strlen("model.layers"));
    assert_int_equal(laser_tower_length("encoder.block.0.layer.1.wi.weight"), strlen("encoder.block"));
    assert_int_equal(laser_tower_length("h.11.attn.c_attn.weight"), 1);
    assert_int_equal(laser_tower_length("0.weight"), 0);
    assert_int_equal(laser_tower_length("a.b.7"), 3);
    assert_int_equal(laser_tower_length("lm_head.weight"), 0);
}

static void experts_of_a_stack_are_matrices_of_their_own(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt_oss");
    struct laser_matrix_list list = list_of(c, NULL);
    const struct laser_tensor *t = laser_checkpoint_find(c, "model.layers.0.mlp.experts.down_proj");
    double *whole = read_golden(c, t);

    (void)state;
    for (int e = 0; e < 3; e++) {
        char name[100];
        const struct laser_matrix *m;
        double *values;

        snprintf(name, sizeof name, "model.layers.0.mlp.experts.down_proj[%d]", e);
        m = find_matrix(&list, name);
        assert_non_null(m);
        assert_int_equal(m->expert, e);
        assert_true(m->transposed);
        assert_string_equal(m->type, "mlp.experts.down_proj");
        values = read_matrix(c, m);
        assert_same_values(values, whole + e * 48, 48, name);
        free(values);
    }
    assert_non_null(find_matrix(&list, "model.layers.0.mlp.router.weight"));
    assert_string_equal(skip_reason(c, &list, "model.layers.0.mlp.experts.gate_up_proj_bias"), "bias");
    assert_string_equal(skip_reason(c, &list, "lm_head.weight"), "output head");
    free(whole);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void fp8_weights_are_widened_and_scaled(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/fp8"), *golden = open_model(GOLDEN "/fp8/expect");
    struct laser_matrix_list list = list_of(c, NULL);

    (void)state;
    assert_int_equal(list.n_matrices, 6 + 3);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];
        double *values = read_matrix(c, m);
        double *expected = read_golden(golden, laser_checkpoint_find(golden, c->tensors[m->tensor].name));

        assert_same_values(values, expected + m->first, m->rows * m->cols, m->name);
        free(values);
        free(expected);
    }
    assert_null(laser_checkpoint_find(c, "model.layers.0.mlp.rows.weight_scale"));
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
    laser_checkpoint_close(golden);
}

/* MX formats: a scale is a power of two. */
static void scales_may_be_exponents_alone(void **state)
{
    const char *path = path_of(*state, "e8m0.safetensors");
    const unsigned char data[] = {0x38, 0xb8, 0x40, 0x38, 128, 126}; /* 1, -1, 2, 1 in F8_E4M3; 2 and 1/2 */
    char header[400];
    struct laser_checkpoint *c;
    struct laser_matrix_list list;
    struct laser_error err = {0};
    double values[4];
    FILE *f;

    snprintf(header, sizeof header,
             "{\"layers.0.w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
             "\"layers.0.w.weight_scale\":{\"dtype\":\"F8_E8M0\",\"shape\":[2],\"data_offsets\":[4,6]}}");
    put_safetensors(path, header, 6);
    f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -6, SEEK_END), 0);
    assert_int_equal(fwrite(data, 1, 6, f), 6);
    fclose(f);
    c = open_model(path);
    list = list_of(c, NULL);
    assert_int_equal(list.n_matrices, 1);
    if (laser_matrix_read(c, &list.matrices[0], 0, 2, 0, 2, values, 2, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_true(values[0] == 2 && values[1] == -2 && values[2] == 1 && values[3] == 0.5);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void a_scale_of_another_shape_is_an_error_of_its_matrix(void **state)
{
    const char *path = path_of(*state, "scale.safetensors");
    struct laser_checkpoint *c;
    struct laser_matrix_list list;
    struct laser_error err = {0};
    double values[8];

    put_safetensors(path,
                    "{\"layers.0.w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[4,2],\"data_offsets\":[0,8]},"
                    "\"layers.0.w.weight_scale\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]}}",
                    20);
    c = open_model(path);
    list = list_of(c, NULL);
    assert_int_equal(laser_matrix_read(c, &list.matrices[0], 0, 4, 0, 2, values, 2, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "fits neither"));
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

/* Every window of every matrix of a model is the window of the whole matrix. */
static void check_windows(const struct laser_checkpoint *c, const struct laser_matrix *m)
{
    double *whole = read_matrix(c, m);
    double *window = malloc((size_t)(m->rows * (m->cols + 3)) * sizeof *window);
    struct laser_error err = {0};

    assert_non_null(window);
    for (int64_t row = 0; row < m->rows; row += 3) {
        for (int64_t col = 0; col < m->cols; col += 5) {
            for (int64_t n_rows = 0; n_rows <= m->rows - row; n_rows += 4) {
                for (int64_t n_cols = 0; n_cols <= m->cols - col; n_cols += 3) {
                    assert_int_equal(
                        laser_matrix_read(c, m, row, n_rows, col, n_cols, window, n_cols + 3, &err),
                        LASER_OK);
                    for (int64_t i = 0; i < n_rows; i++)
                        assert_same_values(window + i * (n_cols + 3), whole + (row + i) * m->cols + col,
                                           n_cols, m->name);
                }
            }
        }
    }
    free(window);
    free(whole);
}

static void windows_are_windows_of_the_whole(void **state)
{
    static const char *const models[] = {"gpt2", "gpt_neox", "gpt_oss", "fp8"};
    const struct laser_matrix_options options = {.split_fused = true};

    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(GOLDEN, models[k]));
        struct laser_matrix_list list = list_of(c, &options);

        for (int64_t i = 0; i < list.n_matrices; i++)
            check_windows(c, &list.matrices[i]);
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void windows_outside_the_matrix_are_refused(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/phi3");
    struct laser_matrix_list list = list_of(c, NULL);
    const struct laser_matrix *m = &list.matrices[0];
    struct laser_error err = {0};
    double value;

    (void)state;
    assert_int_equal(laser_matrix_read(c, m, m->rows, 1, 0, 1, &value, 1, &err), LASER_EINTERNAL);
    assert_int_equal(laser_matrix_read(c, m, 0, 1, -1, 1, &value, 1, &err), LASER_EINTERNAL);
    assert_int_equal(laser_matrix_read(c, m, 0, INT64_MAX, 0, 1, &value, 1, &err), LASER_EINTERNAL);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

/* Matrices of several megabytes: more than one piece a slab, and rows longer than a piece. */
static void large_matrices_are_read_in_pieces(void **state)
{
    static const int64_t shapes[][2] = {{3000, 101}, {2, 200000}};

    for (int k = 0; k < 2; k++) {
        const int64_t rows = shapes[k][0], cols = shapes[k][1];
        double *data = malloc((size_t)(rows * cols) * sizeof *data), *values;
        struct laser_safetensors_item item = {.name = "layers.0.w.weight",
                                              .dtype = LASER_F64,
                                              .n_dims = 2,
                                              .shape = {rows, cols},
                                              .data = data};
        struct laser_error err = {0};
        struct laser_checkpoint *c;
        struct laser_matrix_list list;

        assert_non_null(data);
        for (int64_t i = 0; i < rows * cols; i++)
            data[i] = (double)i;
        assert_int_equal(laser_safetensors_write(path_of(*state, "large.safetensors"), &item, 1, &err),
                         LASER_OK);
        c = open_model(path_of(*state, "large.safetensors"));
        list = list_of(c, NULL);
        values = read_matrix(c, &list.matrices[0]);
        assert_same_values(values, data, rows * cols, "large");
        assert_int_equal(laser_matrix_read(c, &list.matrices[0], 1, 1, 7, 11, values, 11, &err), LASER_OK);
        assert_same_values(values, data + cols + 7, 11, "narrow");
        free(values);
        free(data);
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void writing_back_what_was_read_changes_nothing(void **state)
{
    static const char *const models[] = {"gpt2", "gpt_neox", "gpt_oss", "fp8", "llama"};
    const struct laser_matrix_options options = {.split_fused = true};
    struct laser_error err = {0};

    (void)state;
    for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(GOLDEN, models[k]));
        struct laser_matrix_list list = list_of(c, &options);

        for (int64_t i = 0; i < list.n_matrices; i++) {
            const struct laser_matrix *m = &list.matrices[i];
            const struct laser_tensor *t = &c->tensors[m->tensor];
            unsigned char *stored = malloc((size_t)t->size_bytes), *bytes = malloc((size_t)t->size_bytes);
            double *values = read_matrix(c, m);

            assert_int_equal(laser_checkpoint_read(c, t, 0, t->size_bytes, stored, &err), LASER_OK);
            memcpy(bytes, stored, (size_t)t->size_bytes);
            assert_int_equal(laser_matrix_write(c, m, 0, m->rows, 0, m->cols, values, m->cols, bytes, &err),
                             LASER_OK);
            assert_memory_equal(bytes, stored, (size_t)t->size_bytes);
            free(values);
            free(stored);
            free(bytes);
        }
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void writing_a_window_touches_only_its_elements(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt_oss");
    const struct laser_matrix_options options = {.split_fused = true};
    struct laser_matrix_list list = list_of(c, &options);
    const struct laser_matrix *m = find_matrix(&list, "model.layers.0.mlp.experts.gate_up_proj[1][up]");
    const double src[4] = {100, 101, 102, 103};
    float bytes[3 * 8 * 12] = {0};
    struct laser_error err = {0};
    int n_touched = 0;

    (void)state;
    assert_int_equal(laser_matrix_write(c, m, 2, 2, 3, 2, src, 2, bytes, &err), LASER_OK);
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        n_touched += bytes[i] != 0;
    assert_int_equal(n_touched, 4);
    /* expert 1, rows 2 and 3, columns 2j + 1 of j = 3, 4 */
    assert_true(bytes[96 + 2 * 12 + 7] == 100 && bytes[96 + 2 * 12 + 9] == 101);
    assert_true(bytes[96 + 3 * 12 + 7] == 102 && bytes[96 + 3 * 12 + 9] == 103);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void conv1d_weights_are_known_to_be_transposed(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");
    struct laser_matrix_list list = list_of(c, NULL);
    const struct laser_matrix *m = find_matrix(&list, "transformer.h.0.attn.c_attn.weight");

    (void)state;
    assert_non_null(m);
    assert_true(m->transposed);
    assert_int_equal(m->rows, 12);
    assert_int_equal(m->cols, 36);
    assert_string_equal(m->type, "attn.c_attn");
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

static void names_of_many_architectures_are_judged(void **state)
{
    static const struct {
        const char *name;
        int layer;
        int scanned;
    } cases[] = {
        {"model.layers.12.self_attn.q_proj.weight", 12, 1},
        {"model.layers.3.block_sparse_moe.experts.7.w2.weight", 3, 1},
        {"model.layers.3.block_sparse_moe.gate.weight", 3, 1},
        {"model.layers.3.mlp.shared_expert_gate.weight", 3, 1},
        {"model.layers.3.mlp.experts.gate_up_proj", 3, 1},
        {"transformer.blocks.4.ffn.experts.mlp.w1", 4, 1},
        {"encoder.block.0.layer.0.SelfAttention.q.weight", 0, 1},
        {"encoder.layers.0.self_attn.in_proj_weight", 0, 1},
        {"bert.encoder.layer.2.attention.output.dense.weight", 2, 1},
        {"bert.encoder.layer.2.output.dense.weight", 2, 1},
        {"backbone.layers.9.mixer.in_proj.weight", 9, 1},
        {"backbone.layers.9.mixer.A_log", 9, 0},
        {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 0, 0},
        {"model.layers.61.embed_tokens.weight", 61, 0},
        {"model.layers.61.shared_head.head.weight", 61, 0},
        {"model.layers.0.self_attn.q_norm.weight", 0, 0},
        {"transformer.h.0.ln_1.weight", 0, 0},
        {"model.layers.0.self_attn.q_proj.bias", 0, 0},
        {"model.layers.0.mlp.experts.gate_up_proj_bias", 0, 0},
        {"transformer.wte.weight", -1, 0},
        {"transformer.wpe.weight", -1, 0},
        {"lm_head.weight", -1, 0},
        {"score.weight", -1, 0},
        {"visual.merger.mlp.fc.weight", -1, 0},
        {"model.layers.99999999999.q.weight", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *reason = laser_name_skip_reason(cases[i].name);

        if ((reason == NULL) != cases[i].scanned)
            fail_msg("%s: %s", cases[i].name, reason != NULL ? reason : "scanned");
        assert_int_equal(laser_name_layer(cases[i].name, NULL), cases[i].layer);
    }
}

static void layers_are_listed_in_numerical_order(void **state)
{
    (void)state;
    assert_true(laser_name_compare("model.layers.2.x", "model.layers.10.x") < 0);
    assert_true(laser_name_compare("model.layers.10.a", "model.layers.10.b") < 0);
    assert_true(laser_name_compare("model.layers.2.x", "model.layers.2.x") == 0);
    assert_true(laser_name_compare("h.02.x", "h.2.x") != 0);
    assert_true(laser_name_compare("h.2", "h.2.x") < 0);
}

static void a_type_of_one_letter_loses_its_ending_too(void **state)
{
    const char *path = path_of(*state, "model.safetensors");
    struct laser_checkpoint *c;
    struct laser_matrix_list list;
    struct laser_error err = {0};

    put_safetensors(
        path, "{\"model.layers.0.x.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}",
        16);
    c = open_model(path);
    assert_int_equal(laser_matrix_list(c, NULL, &list, &err), LASER_OK);
    assert_int_equal(list.n_matrices, 1);
    assert_string_equal(list.matrices[0].type, "x");
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_weights_of_the_layers_are_the_default),
        cmocka_unit_test(every_tensor_is_scanned_or_skipped_once),
        cmocka_unit_test(parts_of_fused_tensors_are_those_of_transformers),
        cmocka_unit_test(a_part_carries_its_label_in_name_and_type),
        cmocka_unit_test(fused_tensors_without_a_config_stay_whole_with_a_note),
        cmocka_unit_test(a_fused_tensor_is_split_as_a_table_says_or_left_whole),
        cmocka_unit_test(a_type_that_two_towers_have_names_its_tower),
        cmocka_unit_test(the_tower_is_what_stands_before_the_layer),
        cmocka_unit_test(experts_of_a_stack_are_matrices_of_their_own),
        cmocka_unit_test(fp8_weights_are_widened_and_scaled),
        cmocka_unit_test(scales_may_be_exponents_alone),
        cmocka_unit_test(a_scale_of_another_shape_is_an_error_of_its_matrix),
        cmocka_unit_test(windows_are_windows_of_the_whole),
        cmocka_unit_test(windows_outside_the_matrix_are_refused),
        cmocka_unit_test(large_matrices_are_read_in_pieces),
        cmocka_unit_test(writing_back_what_was_read_changes_nothing),
        cmocka_unit_test(writing_a_window_touches_only_its_elements),
        cmocka_unit_test(conv1d_weights_are_known_to_be_transposed),
        cmocka_unit_test(names_of_many_architectures_are_judged),
        cmocka_unit_test(layers_are_listed_in_numerical_order),
        cmocka_unit_test_setup_teardown(a_type_of_one_letter_loses_its_ending_too, make_temporary,
                                        remove_temporary),
    };

    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}

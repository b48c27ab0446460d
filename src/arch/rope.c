#include "arch/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_policy.h"
#include "arch/family.h"

static enum laser_rope_kind read_kind(struct laser_config *config, const struct laser_family *family,
                                      const struct laser_arch *arch)
{
    static const struct {
        const char *name;
        enum laser_rope_kind kind;
    } kinds[] = {{"default", LASER_ROPE_DEFAULT},   {"linear", LASER_ROPE_LINEAR},
                 {"dynamic", LASER_ROPE_DYNAMIC},   {"llama3", LASER_ROPE_LLAMA3},
                 {"longrope", LASER_ROPE_LONGROPE}, {"yarn", LASER_ROPE_YARN},
                 {"su", LASER_ROPE_LONGROPE},       {"proportional", LASER_ROPE_PROPORTIONAL}};
    bool phi3 = strcmp(arch->model_type, "phi3") == 0;
    const char *older = laser_config_text(config, "type", "default");
    const char *name = laser_config_text(config, "rope_type", older);

    if (family->mrope && strcmp(name, "mrope") == 0)
        return LASER_ROPE_DEFAULT;
    if (phi3 && strcmp(name, "yarn") == 0)
        return LASER_ROPE_LONGROPE; /* early Phi-3 files say yarn and mean longrope */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0 && (phi3 || strcmp(name, "su") != 0) &&
            (family->proportional || kinds[i].kind != LASER_ROPE_PROPORTIONAL))
            return kinds[i].kind;
    laser_config_refuse(config, "rope_type",
                        "\"%.40s\" is not supported (default, linear, dynamic, llama3, yarn, longrope are)",
                        name);
    return LASER_ROPE_DEFAULT;
}

/* A list of R / 2 positive numbers. */
static double *read_factors(struct laser_config *config, const char *key, int64_t count)
{
    json_t *list = laser_config_value(config, key);
    double *factors;

    if (!json_is_array(list) || (int64_t)json_array_size(list) != count) {
        laser_config_refuse(config, key, "expected a list of %lld numbers, found %lld", (long long)count,
                            (long long)json_array_size(list));
        return NULL;
    }
    factors = calloc((size_t)count, sizeof *factors);
    if (!factors) {
        laser_config_refuse(config, key, "no memory");
        return NULL;
    }
    for (int64_t i = 0; i < count; i++) {
        factors[i] = json_number_value(json_array_get(list, (size_t)i));
        if (!(factors[i] > 0 && isfinite(factors[i])))
            laser_config_refuse(config, key, "number %lld is not positive", (long long)i);
    }
    return factors;
}

double laser_rope_mscale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static void read_scaling(struct laser_config *config, struct laser_rope *rope)
{
    double ratio = (double)rope->max_positions / (double)rope->original_positions;
    double attention = laser_config_real(config, "attention_factor", 0, 0, 1e6);
    bool by_ratio = rope->kind == LASER_ROPE_YARN || rope->kind == LASER_ROPE_LONGROPE;
    bool proportional = rope->kind == LASER_ROPE_PROPORTIONAL;

    if (!by_ratio && !proportional && !laser_config_value(config, "factor"))
        laser_config_refuse(config, "factor", "is missing");
    rope->factor = laser_config_real(config, "factor", proportional ? 1 : ratio, 1e-6, 1e6);
    rope->attention_factor = 1;
    if (rope->kind == LASER_ROPE_PROPORTIONAL)
        return;
    if (rope->kind == LASER_ROPE_LLAMA3) {
        rope->low_freq_factor = laser_config_real(config, "low_freq_factor", 1, 1e-6, 1e6);
        rope->high_freq_factor = laser_config_real(config, "high_freq_factor", 4, 1e-6, 1e6);
        if (rope->high_freq_factor <= rope->low_freq_factor)
            laser_config_refuse(config, "high_freq_factor", "is not above low_freq_factor");
    } else if (rope->kind == LASER_ROPE_YARN) {
        double mscale = laser_config_real(config, "mscale", 0, 0, 1e6);
        double all = laser_config_real(config, "mscale_all_dim", 0, 0, 1e6);
        rope->mscale_all = all;
        rope->beta_fast = laser_config_real(config, "beta_fast", 32, 0, 1e6);
        rope->beta_slow = laser_config_real(config, "beta_slow", 1, 0, 1e6);
        rope->beta_fast = rope->beta_fast == 0 ? 32 : rope->beta_fast;
        rope->beta_slow = rope->beta_slow == 0 ? 1 : rope->beta_slow;
        rope->truncate = laser_config_bool(config, "truncate", true);
        rope->attention_factor = mscale != 0 && all != 0 ? laser_rope_mscale(rope->factor, mscale) /
                                                               laser_rope_mscale(rope->factor, all)
                                                         : laser_rope_mscale(rope->factor, 1);
    } else if (rope->kind == LASER_ROPE_LONGROPE) {
        rope->short_factor = read_factors(config, "short_factor", rope->rotated / 2);
        rope->long_factor = read_factors(config, "long_factor", rope->rotated / 2);
        if (rope->factor > 1)
            rope->attention_factor = sqrt(1 + log(rope->factor) / log((double)rope->original_positions));
    }
    if (by_ratio && attention != 0)
        rope->attention_factor = attention;
}

static void read_rotated(struct laser_config *scaling, const struct laser_family *family, double partial,
                         int64_t head_size, struct laser_rope *rope)
{
    double rotated;

    if (family->partial_rope || rope->kind != LASER_ROPE_DEFAULT) { /* else transformers does not read it */
        partial = laser_config_real(scaling, "partial_rotary_factor", partial, 0, 1);
    } else if (partial != 1) {
        laser_config_ignore(scaling, "partial_rotary_factor");
        partial = 1;
    }
    if (rope->kind == LASER_ROPE_PROPORTIONAL) {
        rope->proportion = (int64_t)floor(partial * (double)head_size / 2);
        partial = 1;
    }
    if (!family->partial_rope && partial != 1)
        laser_config_refuse(scaling, "partial_rotary_factor", "%g is not supported for models of type %s",
                            partial, family->model_type);
    rotated = (double)head_size * partial;
    rope->rotated = (int64_t)rotated;
    if (rope->rotated < 2 || rope->rotated % 2 != 0)
        laser_config_refuse(scaling, "partial_rotary_factor",
                            "%lld rotated elements of a head (head_dim) of %lld: expected an "
                            "even number",
                            (long long)rope->rotated, (long long)head_size);
}

/* Keys that one or the other type has among those of its rotary positions, and that change the computation.
 */
static void read_extras(struct laser_config *scaling, struct laser_arch *arch, struct laser_rope *rope)
{
    double beta = laser_config_real(scaling, "llama_4_scaling_beta", 0, 0, 1e6);
    double alpha = laser_config_real(scaling, "alpha", 0, 0, 1e9);

    if (beta != 0)
        arch->temperature =
            (struct laser_temperature){.scale = beta, .floor = (double)rope->original_positions};
    if (alpha != 0 && rope->kind == LASER_ROPE_DYNAMIC) { /* HunYuan: the base is stretched once for all */
        rope->kind = LASER_ROPE_DEFAULT;
        rope->theta *= pow(alpha, (double)rope->rotated / (double)(rope->rotated - 2));
    }
    if (laser_config_value(scaling, "long_mscale")) {
        rope->attention_factor = laser_config_real(scaling, "short_mscale", 1, 0, 1e6);
        rope->attention_long = laser_config_real(scaling, "long_mscale", 1, 0, 1e6);
        if (rope->long_factor) /* PhiMoE: whatever the length, as transformers computes it */
            memcpy(rope->long_factor, rope->short_factor, (size_t)(rope->rotated / 2) * sizeof(double));
    }
}

/* The keys of rope_parameters / rope_scaling itself; scaling is that object with its own memory of asked
 * keys. */
static void read_object(struct laser_config *scaling, const struct laser_family *family, double partial,
                        int64_t original, int64_t head_size, struct laser_arch *arch, struct laser_rope *rope)
{
    rope->kind = read_kind(scaling, family, arch);
    rope->theta = laser_config_real(scaling, "rope_theta", rope->theta, 1e-3, 1e15);
    read_rotated(scaling, family, partial, head_size, rope);
    rope->original_positions = laser_config_integer(scaling, "original_max_position_embeddings",
                                                    rope->max_positions, 1, INT64_C(1) << 40);
    if (original > 0 && !(json_object_get(scaling->object, "original_max_position_embeddings") &&
                          json_object_get(scaling->object, "long_mscale"))) /* PhiMoE's own word counts */
        rope->original_positions = original;
    if (rope->kind == LASER_ROPE_DYNAMIC && rope->rotated <= 2)
        laser_config_refuse(scaling, "rope_type", "dynamic scaling needs heads of more than 2 elements");
    rope->attention_factor = 1;
    rope->factor = 1;
    if (rope->kind != LASER_ROPE_DEFAULT && scaling->result == LASER_OK) {
        bool stretched = rope->kind == LASER_ROPE_DYNAMIC && json_object_get(scaling->object, "alpha");

        if (!stretched)
            read_scaling(scaling, rope);
        else
            laser_config_value(scaling, "factor");
    }
    read_extras(scaling, arch, rope);
    laser_config_judge(scaling, laser_config_guards_rope, laser_config_bookkeeping_rope, family->model_type);
}

/* One set of rotary positions, from an object of config.json (may be NULL). */
static void read_rope(struct laser_config *config, const struct laser_family *family, const char *prefix,
                      json_t *object, double partial, int64_t original, int64_t head_size,
                      struct laser_arch *arch, struct laser_rope *rope)
{
    struct laser_config inner = {
        .path = config->path, .err = config->err, .prefix = prefix, .object = object};

    rope->interleaved = family->rope_interleaved;
    rope->reversed = family->rope_reversed;
    rope->max_positions = arch->max_positions;
    if (object && !json_is_object(object)) {
        laser_config_refuse(config, prefix, "expected an object");
        return;
    }
    read_object(&inner, family, partial, original, head_size, arch, rope);
    if (config->result == LASER_OK)
        config->result = inner.result;
    if (inner.ignored[0] != '\0')
        laser_config_ignore(config, inner.ignored);
}

/* The object for one kind of layers, where rope_parameters has one for each. */
static json_t *of_layers(json_t *parameters, const char *type)
{
    return json_object_get(parameters, type);
}

static void read_two(struct laser_config *config, const struct laser_family *family, json_t *scaling,
                     json_t *parameters, double partial, struct laser_arch *arch)
{
    json_t *full = of_layers(parameters, "full_attention"),
           *local = of_layers(parameters, "sliding_attention");
    const char *key = family->local_theta_key;
    double otherwise = family->local_theta != 0 ? family->local_theta : arch->rope.theta;

    arch->local_rope.theta = key ? laser_config_real(config, key, otherwise, 1e-3, 1e15) : otherwise;
    read_rope(config, family, full ? "rope_parameters.full_attention." : "rope_scaling.",
              full ? full : scaling, partial, 0,
              arch->full_head_size ? arch->full_head_size : arch->head_size, arch, &arch->rope);
    read_rope(config, family, "rope_parameters.sliding_attention.", local, partial, 0, arch->head_size, arch,
              &arch->local_rope);
}

void laser_rope_read(struct laser_config *config, const struct laser_family *family, struct laser_arch *arch)
{
    json_t *scaling = laser_config_value(config, "rope_scaling");
    json_t *parameters = laser_config_value(config, "rope_parameters");
    const char *theta_key = family->theta_key ? family->theta_key : "rope_theta";
    const char *partial_key = family->partial_key ? family->partial_key : "partial_rotary_factor";
    bool phi3 = strcmp(family->model_type, "phi3") == 0;
    double partial;
    int64_t original;

    arch->rope.theta = laser_config_real(config, theta_key, family->theta, 1e-3, 1e15);
    partial = laser_config_real(config, partial_key, family->partial, 0, 1);
    if (family->theta_key &&
        laser_config_real(config, "rope_theta", arch->rope.theta, 1e-3, 1e15) != arch->rope.theta)
        laser_config_ignore(config,
                            "rope_theta"); /* saved beside the family's own names, which alone are read */
    if (family->partial_key && laser_config_real(config, "partial_rotary_factor", partial, 0, 1) != partial)
        laser_config_ignore(config, "partial_rotary_factor");
    if (family->rope_rule == LASER_ROPE_OF_TWO) {
        read_two(config, family, scaling, parameters, partial, arch);
        return;
    }
    original = laser_config_integer(config, "original_max_position_embeddings", phi3 ? 4096 : 0, 0,
                                    INT64_C(1) << 40);
    read_rope(config, family, scaling ? "rope_scaling." : "rope_parameters.",
              scaling && json_object_size(scaling) > 0 ? scaling : parameters, partial, original,
              arch->latent.turned ? arch->latent.turned : arch->head_size, arch, &arch->rope);
}

bool laser_rope_depends_on_length(const struct laser_rope *rope)
{
    return rope->kind == LASER_ROPE_DYNAMIC || rope->kind == LASER_ROPE_LONGROPE;
}

/* theta^(2 i / R) with the roundings of torch: exponent and power in float32. */
static float power_of(double theta, int64_t i, int64_t rotated)
{
    float exponent = (float)(2 * i) / (float)rotated;

    return (float)pow((double)(float)theta, (double)exponent);
}

static float llama3_frequency(const struct laser_rope *rope, float plain)
{
    double original = (double)rope->original_positions;
    float wavelength = (float)(2 * M_PI) / plain;
    float smooth;

    if (wavelength > original / rope->low_freq_factor)
        return plain / (float)rope->factor;
    if (wavelength < original / rope->high_freq_factor)
        return plain;
    smooth = ((float)original / wavelength - (float)rope->low_freq_factor) /
             (float)(rope->high_freq_factor - rope->low_freq_factor);
    return (1 - smooth) * plain / (float)rope->factor + smooth * plain;
}

/* YaRN, section 3.2: the element that turns `rotations` times over the original length. */
static double yarn_element(const struct laser_rope *rope, double rotations)
{
    return (double)rope->rotated * log((double)rope->original_positions / (rotations * 2 * M_PI)) /
           (2 * log(rope->theta));
}

static float yarn_frequency(const struct laser_rope *rope, int64_t i, float power)
{
    double low = yarn_element(rope, rope->beta_fast), high = yarn_element(rope, rope->beta_slow);
    float ramp, keep;

    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)(rope->rotated - 1));
    if (low == high)
        high += 0.001;
    ramp = ((float)i - (float)low) / (float)(high - low);
    keep = 1 - fminf(fmaxf(ramp, 0), 1);
    return 1 / ((float)rope->factor * power) * (1 - keep) + 1 / power * keep;
}

void laser_rope_frequencies(const struct laser_rope *rope, int64_t length, float *inverse_frequency)
{
    double theta = rope->theta;
    bool is_long = length > rope->original_positions;

    if (rope->kind == LASER_ROPE_DYNAMIC && length > rope->max_positions) {
        double stretch = rope->factor * (double)length / (double)rope->max_positions - (rope->factor - 1);
        theta *= pow(stretch, (double)rope->rotated / (double)(rope->rotated - 2));
    }
    for (int64_t i = 0; i < rope->rotated / 2; i++) {
        float power = power_of(theta, i, rope->rotated), plain = 1 / power;

        if (rope->kind == LASER_ROPE_PROPORTIONAL)
            plain = i < rope->proportion ? plain / (float)rope->factor : 0;
        else if (rope->kind == LASER_ROPE_LINEAR)
            plain /= (float)rope->factor;
        else if (rope->kind == LASER_ROPE_LLAMA3)
            plain = llama3_frequency(rope, plain);
        else if (rope->kind == LASER_ROPE_YARN)
            plain = yarn_frequency(rope, i, power);
        else if (rope->kind == LASER_ROPE_LONGROPE)
            plain = 1 / ((float)(is_long ? rope->long_factor : rope->short_factor)[i] * power);
        inverse_frequency[i] = plain;
    }
}

void laser_rope_free(struct laser_rope *rope)
{
    free(rope->short_factor);
    free(rope->long_factor);
    rope->short_factor = rope->long_factor = NULL;
}

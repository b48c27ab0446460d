#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/gguf.h"
#include "tokenizer/assemble.h"
#include "tokenizer/parts.h"

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the tokenizer");
}

static bool absent(const json_t *j)
{
    return !j || json_is_null(j);
}

/* Sizes that include the added tokens. */
static void count_tokens(struct laser_tokenizer *t)
{
    t->size = t->model.vocab.n;
    t->id_end = t->model.vocab.id_end;
    for (size_t i = 0; i < t->added.n; i++) {
        const struct laser_added_token *a = &t->added.at[i];
        if (laser_vocab_id(&t->model.vocab, a->content, a->n) < 0)
            t->size++;
        if (a->id >= t->id_end)
            t->id_end = (int64_t)a->id + 1;
    }
}

static int load_parts(const json_t *j, struct laser_tokenizer *t, struct laser_error *err)
{
    const json_t *normalizer = json_object_get(j, "normalizer"), *pre = json_object_get(j, "pre_tokenizer");
    const char *version = json_string_value(json_object_get(j, "version"));
    if (!json_is_object(j))
        return laser_error_set(err, LASER_EINPUT, NULL, "not a JSON object");
    if (version && strcmp(version, "1.0") != 0)
        return laser_error_set(err, LASER_EINPUT, NULL, "tokenizer version \"%.20s\" is not supported",
                               version);
    int rc = laser_token_model_load(json_object_get(j, "model"), &t->model, err);
    if (rc == LASER_OK && !absent(normalizer)) {
        t->normalizer = calloc(1, sizeof(*t->normalizer));
        rc = t->normalizer ? laser_normalizer_load(normalizer, t->normalizer, err) : no_memory(err);
    }
    if (rc == LASER_OK && !absent(pre)) {
        t->pre_tokenizer = calloc(1, sizeof(*t->pre_tokenizer));
        rc = t->pre_tokenizer ? laser_pretokenizer_load(pre, t->pre_tokenizer, err) : no_memory(err);
    }
    if (rc == LASER_OK)
        rc = laser_added_load(json_object_get(j, "added_tokens"), &t->model.vocab, t->normalizer, &t->added,
                              err);
    if (rc == LASER_OK)
        rc = laser_postprocessor_load(json_object_get(j, "post_processor"), &t->post, err);
    if (rc == LASER_OK)
        rc = laser_decoder_load(json_object_get(j, "decoder"), &t->decoder, err);
    if (rc == LASER_OK)
        count_tokens(t);
    return rc;
}

static void put_around(struct laser_ids *ids, const struct laser_tokenizer *t, const char *token)
{
    int32_t id = token ? laser_tokenizer_token_to_id(t, token, strlen(token)) : -1;

    if (ids->n == 1 && id >= 0)
        ids->at[0] = id;
}

/* dir: where the files beside it are, or NULL: none. */
static int load_with(json_t *j, const char *dir, struct laser_tokenizer *t, struct laser_error *err)
{
    struct laser_side side = {0};
    int rc = dir && json_is_object(j) ? laser_side_follow(j, dir, &side, err) : LASER_OK;

    t->added.split_special = side.split_special;
    if (rc == LASER_OK)
        rc = load_parts(j, t, err);
    if (rc == LASER_OK) {
        put_around(&t->post.before, t, side.first);
        put_around(&t->post.after, t, side.last);
    }
    laser_side_free(&side);
    return rc;
}

/* j is taken over. */
static int load_json(json_t *j, const char *name, const char *dir, struct laser_tokenizer **out,
                     struct laser_error *e)
{
    struct laser_tokenizer *t = calloc(1, sizeof(*t));
    int rc = t ? LASER_OK : no_memory(e);
    for (int i = 0; t && i < LASER_TOKEN_ROLES; i++)
        t->role[i] = -1;
    if (rc == LASER_OK)
        rc = load_with(j, dir, t, e);
    json_decref(j);
    if (rc != LASER_OK) {
        if (name && e->where[0] == '\0')
            snprintf(e->where, sizeof(e->where), "%s", name);
        laser_tokenizer_free(t);
        return rc;
    }
    *out = t;
    return LASER_OK;
}

static int load_text(const char *json, size_t size_bytes, const char *name, const char *dir,
                     struct laser_tokenizer **out, struct laser_error *err)
{
    struct laser_error local, *e = err ? err : &local;
    *out = NULL;
    if (size_bytes >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0) {
        json += 3;
        size_bytes -= 3;
    }
    json_t *j = laser_tokenizer_json(json, size_bytes, name, e);
    return j ? load_json(j, name, dir, out, e) : e->code;
}

int laser_tokenizer_load_buffer(const char *json, size_t size_bytes, const char *name,
                                struct laser_tokenizer **out, struct laser_error *err)
{
    return load_text(json, size_bytes, name, NULL, out, err);
}

void laser_tokenizer_free(struct laser_tokenizer *t)
{
    if (!t)
        return;
    laser_token_model_free(&t->model);
    if (t->normalizer)
        laser_normalizer_free(t->normalizer);
    free(t->normalizer);
    if (t->pre_tokenizer)
        laser_pretokenizer_free(t->pre_tokenizer);
    free(t->pre_tokenizer);
    laser_added_free(&t->added);
    laser_postprocessor_free(&t->post);
    laser_decoder_free(&t->decoder);
    free(t);
}

static int32_t common_mask(const struct laser_tokenizer *t)
{
    static const char *const names[] = {"<mask>", "[MASK]"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t id = laser_tokenizer_token_to_id(t, names[i], strlen(names[i]));
        if (id >= 0 && laser_tokenizer_is_special(t, id))
            return id;
    }
    return -1;
}

/* Roles that one file names and no earlier one. */
static void add_roles(struct laser_tokenizer *t, const json_t *j)
{
    static const char *const tokens[] = {"bos_token", "eos_token", "unk_token", "pad_token", "mask_token"};
    static const char *const ids[] = {"bos_token_id", "eos_token_id", NULL, "pad_token_id", NULL};
    for (int r = 0; r < LASER_TOKEN_ROLES; r++) {
        const json_t *v = json_object_get(j, tokens[r]), *id = ids[r] ? json_object_get(j, ids[r]) : NULL;
        const char *s = json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
        if (t->role[r] < 0 && s)
            t->role[r] = laser_tokenizer_token_to_id(t, s, strlen(s));
        if (json_is_array(id))
            id = json_array_get(id, 0);
        if (t->role[r] < 0 && json_is_integer(id) && json_integer_value(id) >= 0 &&
            json_integer_value(id) < t->id_end)
            t->role[r] = (int32_t)json_integer_value(id);
    }
}

static void find_roles(struct laser_tokenizer *t, const char *dir)
{
    static const char *const files[] = {"special_tokens_map.json", "tokenizer_config.json", "config.json"};
    for (int f = 0; f < 3; f++) {
        json_t *j = laser_side_file(dir, files[f]);
        add_roles(t, j);
        json_decref(j);
    }
    if (t->role[LASER_TOKEN_MASK] < 0)
        t->role[LASER_TOKEN_MASK] = common_mask(t);
}

static int load_gguf(const char *path, struct laser_tokenizer **out, struct laser_error *err)
{
    struct laser_error local, *e = err ? err : &local;
    json_t *j, *roles;
    int rc = laser_gguf_tokenizer(path, &j, &roles, e);
    *out = NULL;
    if (rc == LASER_OK)
        rc = load_json(j, path, NULL, out, e);
    if (rc == LASER_OK)
        add_roles(*out, roles);
    json_decref(roles);
    return rc;
}

/* Has the directory no tokenizer.json, but what one is made from? */
static bool is_bare(const char *dir)
{
    char path[4400];

    snprintf(path, sizeof path, "%.4300s/tokenizer.json", dir);
    return access(path, F_OK) != 0 && laser_tokenizer_is_in(dir);
}

static int load_bare(const char *dir, struct laser_tokenizer **out, struct laser_error *err)
{
    struct laser_error local, *e = err ? err : &local;
    json_t *j;
    int rc = laser_tokenizer_assemble(dir, &j, e);

    *out = NULL;
    if (rc == LASER_OK)
        rc = load_json(j, dir, dir, out, e);
    if (rc == LASER_OK)
        find_roles(*out, dir);
    return rc;
}

int laser_tokenizer_load(const char *path, struct laser_tokenizer **out, struct laser_error *err)
{
    struct stat st;
    char name[128] = "";
    size_t size = strlen(path) + sizeof name + 1, n;
    char *file = malloc(size), *text = NULL;
    bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    *out = NULL;
    if (!file)
        return no_memory(err);
    if (!dir && laser_gguf_is_file(path)) {
        free(file);
        return load_gguf(path, out, err);
    }
    if (dir)
        laser_side_tokenizer(path, name, sizeof name);
    if (dir && strcmp(name, "tokenizer.json") == 0 && is_bare(path)) {
        free(file);
        return load_bare(path, out, err);
    }
    snprintf(file, size, "%s%s%s", path, dir ? "/" : "", name);
    int rc = laser_tokenizer_file(file, &text, &n, err);
    if (rc == LASER_OK)
        rc = load_text(text, n, file, dir ? path : NULL, out, err);
    if (rc == LASER_OK && dir)
        find_roles(*out, path);
    free(text);
    free(file);
    return rc;
}

int64_t laser_tokenizer_vocab_size(const struct laser_tokenizer *t)
{
    return t->size;
}

int64_t laser_tokenizer_id_end(const struct laser_tokenizer *t)
{
    return t->id_end;
}

int32_t laser_tokenizer_token_to_id(const struct laser_tokenizer *t, const char *token, size_t n_bytes)
{
    for (size_t i = 0; i < t->added.n; i++) {
        if (t->added.at[i].n == n_bytes && memcmp(t->added.at[i].content, token, n_bytes) == 0)
            return t->added.at[i].id;
    }
    return laser_vocab_id(&t->model.vocab, token, n_bytes);
}

const char *laser_tokenizer_id_to_token(const struct laser_tokenizer *t, int32_t id, size_t *n_bytes)
{
    const struct laser_added_token *a = laser_added_by_id(&t->added, id);
    const struct laser_vocab_entry *e = a ? NULL : laser_vocab_at(&t->model.vocab, id);
    if (n_bytes)
        *n_bytes = a ? a->n_match : e ? e->len : 0;
    return a ? a->match : e ? t->model.vocab.bytes + e->offset : NULL;
}

bool laser_tokenizer_is_special(const struct laser_tokenizer *t, int32_t id)
{
    const struct laser_added_token *a = laser_added_by_id(&t->added, id);
    return a && a->special;
}

int32_t laser_tokenizer_role_id(const struct laser_tokenizer *t, enum laser_token_role role)
{
    return role < LASER_TOKEN_ROLES ? t->role[role] : -1;
}

int32_t laser_tokenizer_unknown(const struct laser_tokenizer *t)
{
    return t->model.unk_id >= 0 && t->model.kind != LASER_MODEL_BPE ? t->model.unk_id
                                                                    : t->role[LASER_TOKEN_UNK];
}

const int32_t *laser_tokenizer_prefix(const struct laser_tokenizer *t, int64_t *n)
{
    *n = (int64_t)t->post.before.n;
    return t->post.before.at;
}

bool laser_tokenizer_adds_bos(const struct laser_tokenizer *t)
{
    return t->post.before.n > 0 && t->post.before.at[0] == t->role[LASER_TOKEN_BOS];
}

#include "checkpoint_fixture.h"

#define ONE "{\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"

/* A fresh folder in the test's temporary directory. */
static const char *folder(void **state, const char *name)
{
    const char *path = path_of(*state, name);

    assert_true(mkdir(path, 0777) == 0);
    return path;
}

static void put_one(const char *dir, const char *file, const char *tensor)
{
    char header[200];

    snprintf(header, sizeof header, ONE, tensor);
    put_safetensors(path_of(dir, file), header, 4);
}

static void a_sharded_model_of_transformers_opens(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");

    (void)state;
    assert_int_equal(c->n_files, 4);
    assert_int_equal(c->n_tensors, 20);
    assert_int_equal(c->total_size_bytes, 8864);
    assert_string_equal(c->index, "model.safetensors.index.json");
    assert_false(c->single_file);
    assert_string_equal(json_string_value(json_object_get(c->config, "model_type")), "llama");
    for (int64_t i = 1; i < c->n_tensors; i++)
        assert_true(strcmp(c->tensors[i - 1].name, c->tensors[i].name) < 0);
    laser_checkpoint_close(c);
}

static void every_tensor_is_found_by_name_and_no_other(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");

    (void)state;
    for (int64_t i = 0; i < c->n_tensors; i++)
        assert_int_equal(laser_checkpoint_find_index(c, c->tensors[i].name), i);
    assert_null(laser_checkpoint_find(c, "lm_head.weight")); /* tied */
    assert_null(laser_checkpoint_find(c, ""));
    laser_checkpoint_close(c);
}

static void a_single_file_opens(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/phi3/model.safetensors");

    (void)state;
    assert_true(c->single_file);
    assert_non_null(c->config);
    assert_int_equal(c->n_files, 1);
    laser_checkpoint_close(c);
}

static void an_assembled_catalogue_has_each_name_once(void **state)
{
    const struct laser_tensor tensors[] = {
        {.name = (char *)(uintptr_t) "b", .dtype = LASER_F32, .n_dims = 1, .shape = {1}, .size_bytes = 4},
        {.name = (char *)(uintptr_t) "a", .dtype = LASER_F32, .n_dims = 1, .shape = {1}, .size_bytes = 4},
        {.name = (char *)(uintptr_t) "b", .dtype = LASER_F32, .n_dims = 1, .shape = {1}, .size_bytes = 4},
    };
    struct laser_checkpoint *c;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_checkpoint_assemble(GOLDEN "/phi3/model.safetensors", tensors, 2, &c, &err),
                     LASER_OK);
    assert_string_equal(c->tensors[0].name, "a");
    laser_checkpoint_close(c);
    assert_int_equal(laser_checkpoint_assemble(GOLDEN "/phi3/model.safetensors", tensors, 3, &c, &err),
                     LASER_EINPUT);
    assert_string_equal(err.text, "tensor \"b\" is there twice");
}

static void an_index_opens_by_its_own_name(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama/model.safetensors.index.json");

    (void)state;
    assert_int_equal(c->n_files, 4);
    laser_checkpoint_close(c);
}

static void an_index_with_bom_and_crlf_opens(void **state)
{
    const char *dir = folder(state, "crlf");
    struct laser_checkpoint *c;

    put_one(dir, "a.safetensors", "x");
    put_text(path_of(dir, "model.safetensors.index.json"),
             "\xef\xbb\xbf{\r\n\"weight_map\": {\r\n\"x\": \"a.safetensors\"}\r\n}\r\n");
    put_text(path_of(dir, "config.json"), "\xef\xbb\xbf{\r\n\"limit\": [0.0, Infinity]\r\n}\r\n");
    c = open_model(dir);
    assert_int_equal(c->n_tensors, 1);
    laser_checkpoint_close(c);
}

static void numbered_shards_without_an_index_open_when_complete(void **state)
{
    const char *dir = folder(state, "noindex");
    struct laser_checkpoint *c;

    put_one(dir, "m-00001-of-00002.safetensors", "x");
    assert_refused(dir, LASER_EINPUT, "1 of 2 shards");
    put_one(dir, "m-00002-of-00002.safetensors", "y");
    c = open_model(dir);
    assert_int_equal(c->n_tensors, 2);
    laser_checkpoint_close(c);
}

static void several_unrelated_files_are_refused(void **state)
{
    const char *dir = folder(state, "several");

    put_one(dir, "a.safetensors", "x");
    put_one(dir, "b.safetensors", "y");
    assert_refused(dir, LASER_EINPUT, "several .safetensors files (a.safetensors, b.safetensors");
}

static void a_missing_shard_is_named(void **state)
{
    const char *dir = folder(state, "missing");

    put_text(path_of(dir, "model.safetensors.index.json"), "{\"weight_map\":{\"x\":\"gone.safetensors\"}}");
    assert_refused(dir, LASER_EINPUT, "a shard that the index names is missing");
}

static void shard_names_that_lead_elsewhere_are_refused(void **state)
{
    const char *dir = folder(state, "escape");
    const char *index = path_of(dir, "model.safetensors.index.json");
    const char *const names[] = {"../a.safetensors",   "/etc/a.safetensors", "sub/a.safetensors", "..", "",
                                 ".hidden.safetensors"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[200];

        snprintf(text, sizeof text, "{\"weight_map\":{\"x\":\"%s\"}}", names[i]);
        put_text(index, text);
        assert_refused(dir, LASER_EINPUT, "expected a plain file name");
    }
    put_text(index, "{\"weight_map\":{\"x\":\"pytorch_model.bin\"}}");
    assert_refused(dir, LASER_EINPUT, "expected a .safetensors file");
    put_text(index, "{\"weight_map\":{\"x\":3}}");
    assert_refused(dir, LASER_EINPUT, "is an integer, expected a file name");
}

static void an_index_that_names_a_tensor_its_shard_lacks_is_refused(void **state)
{
    const char *dir = folder(state, "lacks");

    put_one(dir, "a.safetensors", "x");
    put_text(path_of(dir, "model.safetensors.index.json"),
             "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"a.safetensors\"}}");
    assert_refused(dir, LASER_EINPUT, "tensor \"y\" is not in its shard a.safetensors");
}

static void an_index_that_names_the_wrong_shard_is_refused(void **state)
{
    const char *dir = folder(state, "wrong");

    put_one(dir, "a.safetensors", "x");
    put_one(dir, "b.safetensors", "y");
    put_text(path_of(dir, "model.safetensors.index.json"),
             "{\"weight_map\":{\"x\":\"b.safetensors\",\"y\":\"a.safetensors\"}}");
    assert_refused(dir, LASER_EINPUT, "the index says");
}

static void a_tensor_in_two_shards_is_refused(void **state)
{
    const char *dir = folder(state, "double");

    put_one(dir, "a.safetensors", "x");
    put_safetensors(path_of(dir, "b.safetensors"),
                    "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                    "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                    2);
    put_text(path_of(dir, "model.safetensors.index.json"),
             "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\"}}");
    assert_refused(dir, LASER_EINPUT, "in two shards: a.safetensors and b.safetensors");
}

static void a_broken_index_is_refused(void **state)
{
    const char *dir = folder(state, "broken");
    const char *index = path_of(dir, "model.safetensors.index.json");

    put_text(index, "[1]");
    assert_refused(dir, LASER_EINPUT, "an array, expected an object");
    put_text(index, "{}");
    assert_refused(dir, LASER_EINPUT, "\"weight_map\" is missing");
    put_text(index, "{\"weight_map\":{}}");
    assert_refused(dir, LASER_EINPUT, "weight_map is empty");
    put_text(index, "{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"b.safetensors\"}}");
    assert_refused(dir, LASER_EINPUT, "duplicate");
    put_text(index, "");
    assert_refused(dir, LASER_EINPUT, "not valid JSON");
}

static void a_broken_config_is_refused(void **state)
{
    const char *dir = folder(state, "config");

    put_one(dir, "model.safetensors", "x");
    put_text(path_of(dir, "config.json"), "{\"a\": }");
    assert_refused(dir, LASER_EINPUT, "line 1");
    put_text(path_of(dir, "config.json"), "[]");
    assert_refused(dir, LASER_EINPUT, "expected an object");
}

static void directories_without_weights_are_refused(void **state)
{
    const char *dir = folder(state, "none");

    assert_refused(dir, LASER_EINPUT, "no weights in this directory");
    put_text(path_of(dir, "pytorch_model.bin"), "PK");
    assert_refused(dir, LASER_EINPUT, "no archive as torch.save writes them");
    assert_refused(path_of(dir, "pytorch_model.bin"), LASER_EINPUT, "no archive as torch.save writes them");
    assert_int_equal(unlink(path_of(dir, "pytorch_model.bin")), 0);
    put_text(path_of(dir, "tf_model.h5"), "HDF");
    assert_refused(dir, LASER_EINPUT, "only tf_model.h5, which is not read; convert it");
}

static void a_file_that_is_no_safetensors_is_refused(void **state)
{
    const char *path = path_of(*state, "text.safetensors");

    put_text(path, "hello, this is a text and no weights");
    assert_refused(path, LASER_EINPUT, "not a safetensors file?");
    put_text(path, "");
    assert_refused(path, LASER_EINPUT, "the file is empty");
}

static void a_fifo_is_refused_without_waiting(void **state)
{
    const char *path = path_of(*state, "fifo.safetensors");

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, LASER_EINPUT, "not a regular file");
}

/* A hub cache as huggingface_hub lays it out: blobs, and snapshots of links to them. */
static const char *make_cache(void **state)
{
    const char *home = folder(state, "hf");
    const char *hub = path_of(home, "hub"), *repo = path_of(hub, "models--org--tiny.model");
    const char *snapshot = path_of(repo, "snapshots/abc123");

    assert_int_equal(mkdir(hub, 0777), 0);
    assert_int_equal(mkdir(repo, 0777), 0);
    assert_int_equal(mkdir(path_of(repo, "blobs"), 0777), 0);
    assert_int_equal(mkdir(path_of(repo, "refs"), 0777), 0);
    assert_int_equal(mkdir(path_of(repo, "snapshots"), 0777), 0);
    assert_int_equal(mkdir(snapshot, 0777), 0);
    put_one(path_of(repo, "blobs"), "0a1b", "x");
    assert_int_equal(symlink("../../blobs/0a1b", path_of(snapshot, "model.safetensors")), 0);
    put_text(path_of(repo, "refs/main"), "abc123");
    put_text(path_of(repo, "refs/v1"), "abc123\n");
    return home;
}

static void names_are_looked_up_in_the_hub_cache(void **state)
{
    const char *home = make_cache(state);
    const char *const models[] = {"org/tiny.model", "org/tiny.model@main", "org/tiny.model@v1",
                                  "org/tiny.model@abc123"};

    unsetenv("HF_HUB_CACHE");
    unsetenv("HUGGINGFACE_HUB_CACHE");
    setenv("HF_HOME", home, 1);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct laser_checkpoint *c = open_model(models[i]);

        assert_int_equal(c->n_tensors, 1);
        assert_string_equal(c->model, models[i]);
        laser_checkpoint_close(c);
    }
    assert_refused("org/tiny.model@v2", LASER_EINPUT, "no revision \"v2\"");
    assert_refused("org/other", LASER_EINPUT, "models--org--other");
    setenv("HF_HUB_CACHE", path_of(home, "elsewhere"), 1);
    assert_refused("org/tiny.model", LASER_EINPUT, "elsewhere/models--org--tiny.model");
    unsetenv("HF_HUB_CACHE");
    unsetenv("HF_HOME");
}

static void names_that_would_leave_the_cache_are_refused(void **state)
{
    const char *const models[] = {"../x",       "org/../x", "a/b/c",      "/no/such/dir",
                                  "org/x@../y", "org/x@",   "org--x..y/z"};

    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        assert_refused(models[i], LASER_EINPUT, "no such file or directory");
    assert_refused("", LASER_EINPUT, "no model named");
}

static void a_link_to_a_file_that_was_not_downloaded_is_named(void **state)
{
    const char *dir = folder(state, "dangling");

    assert_int_equal(symlink("../nothing", path_of(dir, "model.safetensors")), 0);
    assert_refused(dir, LASER_EINPUT, "not downloaded");
}

static void stories260K_opens(void **state)
{
    const char *shared = getenv("LASER_SHARED");
    const char *model = path_of(shared != NULL ? shared : SRCDIR "/../shared", "data/models/stories260K");
    struct laser_checkpoint *c;

    (void)state;
    if (access(model, F_OK) != 0) {
        print_message("skipped: %s is not here (set LASER_SHARED)\n", model);
        skip();
    }
    c = open_model(model);
    assert_int_equal(c->n_tensors, 47);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sharded_model_of_transformers_opens),
        cmocka_unit_test(every_tensor_is_found_by_name_and_no_other),
        cmocka_unit_test(a_single_file_opens),
        cmocka_unit_test(an_assembled_catalogue_has_each_name_once),
        cmocka_unit_test(an_index_opens_by_its_own_name),
        cmocka_unit_test(an_index_with_bom_and_crlf_opens),
        cmocka_unit_test(numbered_shards_without_an_index_open_when_complete),
        cmocka_unit_test(several_unrelated_files_are_refused),
        cmocka_unit_test(a_missing_shard_is_named),
        cmocka_unit_test(shard_names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(an_index_that_names_a_tensor_its_shard_lacks_is_refused),
        cmocka_unit_test(an_index_that_names_the_wrong_shard_is_refused),
        cmocka_unit_test(a_tensor_in_two_shards_is_refused),
        cmocka_unit_test(a_broken_index_is_refused),
        cmocka_unit_test(a_broken_config_is_refused),
        cmocka_unit_test(directories_without_weights_are_refused),
        cmocka_unit_test(a_file_that_is_no_safetensors_is_refused),
        cmocka_unit_test(a_fifo_is_refused_without_waiting),
        cmocka_unit_test(names_are_looked_up_in_the_hub_cache),
        cmocka_unit_test(names_that_would_leave_the_cache_are_refused),
        cmocka_unit_test(a_link_to_a_file_that_was_not_downloaded_is_named),
        cmocka_unit_test(stories260K_opens),
    };

    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}

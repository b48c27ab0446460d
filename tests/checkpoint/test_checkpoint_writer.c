#include "checkpoint_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "checkpoint/beside.h"
#include "checkpoint/writer.h"

static void write_model(const struct laser_checkpoint *c, const char *dir)
{
    struct laser_error err = {0};

    if (laser_checkpoint_write(c, dir, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
}

static void assert_write_refused(const struct laser_checkpoint *c, const char *dir, int code,
                                 const char *text)
{
    struct laser_error err = {0};

    assert_int_equal(laser_checkpoint_write(c, dir, &err), code);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err.text);
}

static int n_files_in(const char *dir)
{
    static int n;
    char command[600];
    FILE *f;

    snprintf(command, sizeof command, "find '%s' -type f | wc -l", dir);
    f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

static void an_unedited_model_is_written_byte_for_byte(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");
    const char *out = path_of(*state, "same");
    static const char *const files[] = {"config.json",
                                        "tokenizer_config.json",
                                        "extra/notes.txt",
                                        "model.safetensors.index.json",
                                        "model-00001-of-00004.safetensors",
                                        "model-00002-of-00004.safetensors",
                                        "model-00003-of-00004.safetensors",
                                        "model-00004-of-00004.safetensors"};

    write_model(c, out);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_same_file(path_of(out, files[i]), path_of(c->dir, files[i]));
    assert_int_equal(n_files_in(out), 8);
    laser_checkpoint_close(c);
}

static void an_edited_tensor_is_replaced_and_nothing_else(void **state)
{
    static const char name[] = "model.layers.1.mlp.up_proj.weight";
    struct laser_checkpoint *c = open_model(GOLDEN "/llama"), *written;
    const struct laser_tensor *t = laser_checkpoint_find(c, name);
    const char *out = path_of(*state, "edited"), *raw = path_of(*state, "edit.bin");
    struct laser_error err = {0};
    char edit[768];

    memset(edit, 0x3c, sizeof edit);
    assert_int_equal(t->size_bytes, sizeof edit);
    put_file(raw, edit, sizeof edit);
    assert_int_equal(laser_checkpoint_redirect(c, name, raw, 0, &err), LASER_OK);
    write_model(c, out);
    written = open_model(out);
    assert_int_equal(written->n_tensors, c->n_tensors);
    for (int64_t i = 0; i < c->n_tensors; i++) {
        char expected[2048], found[2048];

        assert_int_equal(written->tensors[i].offset, c->tensors[i].offset);
        assert_int_equal(
            laser_checkpoint_read(c, &c->tensors[i], 0, c->tensors[i].size_bytes, expected, &err), LASER_OK);
        assert_int_equal(
            laser_checkpoint_read(written, &written->tensors[i], 0, c->tensors[i].size_bytes, found, &err),
            LASER_OK);
        assert_memory_equal(found, expected, (size_t)c->tensors[i].size_bytes);
    }
    assert_int_equal(
        laser_checkpoint_read(written, laser_checkpoint_find(written, name), 0, 768, edit + 0, &err),
        LASER_OK);
    assert_int_equal(edit[0], 0x3c);
    assert_same_file(path_of(out, "model-00001-of-00004.safetensors"),
                     GOLDEN "/llama/model-00001-of-00004.safetensors");
    laser_checkpoint_close(written);
    laser_checkpoint_close(c);
}

static void a_single_file_takes_its_configuration_along(void **state)
{
    const char *dir = path_of(*state, "single"), *out = path_of(*state, "single-out");
    struct laser_checkpoint *c;

    assert_int_equal(mkdir(dir, 0777), 0);
    put_safetensors(path_of(dir, "weights.safetensors"),
                    "{\"__metadata__\":{\"format\":\"pt\"},"
                    "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                    4);
    put_text(path_of(dir, "config.json"), "{}");
    put_text(path_of(dir, "tokenizer.json"), "{}");
    put_text(path_of(dir, "holiday.jpg"), "not of the model");
    c = open_model(path_of(dir, "weights.safetensors"));
    write_model(c, out);
    assert_int_equal(n_files_in(out), 3);
    assert_same_file(path_of(out, "weights.safetensors"), path_of(dir, "weights.safetensors"));
    laser_checkpoint_close(c);
}

/* The names that real checkpoints have beside their shards; what is kept holds no weights of this model. */
static void weights_that_are_not_read_are_left_out(void **state)
{
    static const char *const weights[] = {"consolidated.safetensors",
                                          "consolidated.00.pth",
                                          "pytorch_model.bin",
                                          "pytorch_model-00001-of-00002.bin",
                                          "pytorch_model.bin.index.json",
                                          "model.safetensors.index.json",
                                          "model-00001-of-00002.safetensors",
                                          "model-Q4_K_M.gguf",
                                          "tf_model.h5",
                                          "flax_model.msgpack",
                                          "optimizer.pt",
                                          "adapter_model.safetensors",
                                          "adapter_config.json",
                                          "original/consolidated.00.pth",
                                          "original/model.safetensors",
                                          "onnx/model.onnx",
                                          "checkpoint-500/model.safetensors"};
    static const char *const others[] = {
        "config.json",          "tokenizer.model",           "training_args.bin",
        "scheduler.pt",         "rng_state_0.pth",           "vocab.bin",
        "original/params.json", "2_Dense/model.safetensors", "1_Pooling/pytorch_model.bin",
        "model.safetensors"};
    const int n_weights = sizeof weights / sizeof *weights, n_others = sizeof others / sizeof *others;
    const char *dir = path_of(*state, "beside"), *out = path_of(*state, "beside-out");
    static const char *const folders[] = {"original", "onnx", "checkpoint-500", "2_Dense", "1_Pooling"};
    struct laser_checkpoint *c;
    struct laser_writer *w;
    struct laser_error err;

    assert_int_equal(mkdir(dir, 0777), 0);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(path_of(dir, folders[i]), 0777), 0);
    for (int i = 0; i < n_weights; i++)
        put_text(path_of(dir, weights[i]), "{}");
    for (int i = 0; i + 1 < n_others; i++)
        put_text(path_of(dir, others[i]), "{}");
    put_safetensors(path_of(dir, "model.safetensors"),
                    "{\"__metadata__\":{\"format\":\"pt\"},"
                    "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                    4);
    c = open_model(dir);
    assert_true(laser_beside_has_index(c));
    assert_true(laser_beside_has_adapter(c));
    assert_int_equal(laser_beside_check(c, &err), LASER_EINPUT);
    assert_int_equal(laser_writer_open(c, out, &w, &err), LASER_OK);
    assert_int_equal(w->n_left_out, n_weights);
    assert_int_equal(w->left_out_bytes, 2 * n_weights);
    laser_writer_close(w);
    write_model(c, out);
    for (int i = 0; i < n_others; i++)
        assert_same_file(path_of(out, others[i]), path_of(dir, others[i]));
    assert_int_equal(n_files_in(out), n_others);
    c->copy_other_weights = true;
    write_model(c, path_of(*state, "all-out"));
    assert_int_equal(n_files_in(path_of(*state, "all-out")), n_others + n_weights);
    laser_checkpoint_close(c);
    dir = path_of(*state, "adapter");
    assert_int_equal(mkdir(dir, 0777), 0);
    put_text(path_of(dir, "adapter_config.json"), "{}");
    put_safetensors(path_of(dir, "adapter_model.safetensors"),
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
    c = open_model(dir);
    assert_int_equal(laser_beside_check(c, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "an adapter alone"));
    laser_checkpoint_close(c);
    dir = path_of(*state, "beside");
    c = open_model(path_of(dir, "model.safetensors")); /* named: taken without the adapter */
    assert_int_equal(laser_beside_check(c, &err), LASER_OK);
    laser_checkpoint_close(c);
}

/* A model as old tools write it: no __metadata__, no total_size. */
static void missing_format_and_total_size_are_put_in(void **state)
{
    const char *dir = path_of(*state, "old"), *out = path_of(*state, "old-out");
    struct laser_checkpoint *c, *written;
    struct laser_error err = {0};
    char expected[12], found[12], *header;
    size_t n = 0;

    assert_int_equal(mkdir(dir, 0777), 0);
    put_safetensors(path_of(dir, "a.safetensors"),
                    "{\"x\":{\"dtype\":\"U8\",\"shape\":[2,6],\"data_offsets\":[0,12]}}", 12);
    put_text(path_of(dir, "model.safetensors.index.json"), "{\"weight_map\":{\"x\":\"a.safetensors\"}}");
    c = open_model(dir);
    write_model(c, out);
    written = open_model(out);
    header = get_file(path_of(out, "a.safetensors"), &n);
    assert_non_null(memmem(header, n, "{\"__metadata__\":{\"format\":\"pt\"},\"x\":", 36));
    free(header);
    header = get_file(path_of(out, "model.safetensors.index.json"), &n);
    assert_non_null(memmem(header, n, "\"total_size\": 12", 16));
    free(header);
    assert_int_equal(laser_checkpoint_read(c, &c->tensors[0], 0, 12, expected, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_read(written, &written->tensors[0], 0, 12, found, &err), LASER_OK);
    assert_memory_equal(found, expected, 12);
    laser_checkpoint_close(c);
    laser_checkpoint_close(written);
}

static void links_of_a_hub_snapshot_become_files(void **state)
{
    const char *dir = path_of(*state, "snapshot"), *out = path_of(*state, "snapshot-out");
    struct laser_checkpoint *c;
    struct stat status;

    assert_int_equal(mkdir(dir, 0777), 0);
    assert_int_equal(symlink(GOLDEN "/gpt2/model.safetensors", path_of(dir, "model.safetensors")), 0);
    assert_int_equal(symlink(GOLDEN "/gpt2/config.json", path_of(dir, "config.json")), 0);
    assert_int_equal(symlink("nothing", path_of(dir, "dangling.json")), 0);
    c = open_model(dir);
    write_model(c, out);
    assert_int_equal(lstat(path_of(out, "model.safetensors"), &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_same_file(path_of(out, "model.safetensors"), GOLDEN "/gpt2/model.safetensors");
    assert_same_file(path_of(out, "config.json"), GOLDEN "/gpt2/config.json");
    laser_checkpoint_close(c);
}

/* A copy of a fixture that may be written into. */
static const char *copy_model(void **state, const char *name)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");
    const char *dir = path_of(*state, name);

    write_model(c, dir);
    laser_checkpoint_close(c);
    return dir;
}

static void the_model_directory_is_never_written(void **state)
{
    const char *dir = copy_model(state, "precious"), *link = path_of(*state, "link");
    struct laser_checkpoint *c = open_model(dir);

    assert_int_equal(symlink(dir, link), 0);
    assert_write_refused(c, dir, LASER_EUSAGE, "is the model directory");
    assert_write_refused(c, path_of(dir, ""), LASER_EUSAGE, "is the model directory");
    assert_write_refused(c, path_of(dir, "../precious/."), LASER_EUSAGE, "is the model directory");
    assert_write_refused(c, link, LASER_EUSAGE, "is the model directory");
    assert_write_refused(c, path_of(dir, "out"), LASER_EUSAGE, "inside the model directory");
    assert_write_refused(c, path_of(link, "out"), LASER_EUSAGE, "inside the model directory");
    assert_int_not_equal(access(path_of(dir, "out"), F_OK), 0);
    /* a name that only starts alike is another directory */
    write_model(c, path_of(*state, "precious-out"));
    laser_checkpoint_close(c);
}

static void a_directory_that_holds_other_files_is_refused(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");
    const char *out = path_of(*state, "used");

    assert_int_equal(mkdir(out, 0777), 0);
    put_text(path_of(out, "thesis.tex"), "precious");
    assert_write_refused(c, out, LASER_EUSAGE, "holds \"thesis.tex\"");
    assert_int_equal(n_files_in(out), 1);
    laser_checkpoint_close(c);
}

static void an_attempt_that_was_killed_is_done_again(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");
    const char *out = path_of(*state, "again");

    assert_int_equal(mkdir(out, 0777), 0);
    put_text(path_of(out, ".model.safetensors.partial"), "half a fi");
    put_text(path_of(out, "config.json"), "{}");
    write_model(c, out);
    assert_same_file(path_of(out, "model.safetensors"), GOLDEN "/gpt2/model.safetensors");
    assert_same_file(path_of(out, "config.json"), GOLDEN "/gpt2/config.json");
    assert_int_not_equal(access(path_of(out, ".model.safetensors.partial"), F_OK), 0);
    laser_checkpoint_close(c);
}

static void a_directory_that_cannot_be_made_is_refused(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");

    put_text(path_of(*state, "file"), "");
    assert_write_refused(c, path_of(*state, "no/such/parent"), LASER_EIO, "No such file");
    assert_write_refused(c, path_of(*state, "file/out"), LASER_EIO, "Not a directory");
    assert_write_refused(c, "/proc/self/laser-out", LASER_EIO, "cannot create");
    laser_checkpoint_close(c);
}

/* A limit on the size of files stands for a full disk: the same calls fail, only with EFBIG. */
static void a_full_disk_leaves_no_half_file(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/gpt2");
    const char *out = path_of(*state, "full");
    struct rlimit old, small;
    struct laser_error err = {0};
    struct laser_writer *w = NULL;
    int code;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 3000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(laser_writer_open(c, out, &w, &err), LASER_OK);
    assert_int_equal(laser_writer_begin(w, &err), LASER_OK);
    assert_string_equal(w->files[0].name, "model.safetensors");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    code = laser_writer_file(w, 0, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(code, LASER_EIO);
    assert_non_null(strstr(err.where, "full/model.safetensors"));
    assert_int_equal(n_files_in(out), 0);
    assert_int_equal(laser_writer_finish(w, &err), LASER_EIO);
    assert_non_null(strstr(err.text, "not written"));
    laser_writer_close(w);
    laser_checkpoint_close(c);
}

static void files_can_be_shared_out_in_any_order(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");
    const char *out = path_of(*state, "shared");
    struct laser_writer *a = NULL, *b = NULL;
    struct laser_error err = {0};

    assert_int_equal(laser_writer_open(c, out, &a, &err), LASER_OK);
    assert_int_equal(laser_writer_begin(a, &err), LASER_OK);
    assert_int_equal(laser_writer_open(c, out, &b, &err), LASER_OK); /* another rank, after the first */
    assert_int_equal(a->n_files, b->n_files);
    for (int i = a->n_files - 1; i >= 0; i--) {
        assert_string_equal(a->files[i].name, b->files[i].name);
        assert_int_equal(laser_writer_file(i % 2 ? a : b, i, &err), LASER_OK);
    }
    assert_int_equal(laser_writer_finish(a, &err), LASER_OK);
    laser_writer_close(a);
    laser_writer_close(b);
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unedited_model_is_written_byte_for_byte),
        cmocka_unit_test(an_edited_tensor_is_replaced_and_nothing_else),
        cmocka_unit_test(a_single_file_takes_its_configuration_along),
        cmocka_unit_test(weights_that_are_not_read_are_left_out),
        cmocka_unit_test(missing_format_and_total_size_are_put_in),
        cmocka_unit_test(links_of_a_hub_snapshot_become_files),
        cmocka_unit_test(the_model_directory_is_never_written),
        cmocka_unit_test(a_directory_that_holds_other_files_is_refused),
        cmocka_unit_test(an_attempt_that_was_killed_is_done_again),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_refused),
        cmocka_unit_test(a_full_disk_leaves_no_half_file),
        cmocka_unit_test(files_can_be_shared_out_in_any_order),
    };

    return cmocka_run_group_tests(tests, make_temporary, remove_temporary);
}

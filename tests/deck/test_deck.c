#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/match.h"
#include "deck/deck.h"
#include "deck/internal.h"

static struct laser_deck *fresh(void)
{
    struct laser_deck *deck = NULL;
    struct laser_error err = {0};

    assert_int_equal(laser_deck_new(&deck, &err), LASER_OK);
    return deck;
}

static int read_text(struct laser_deck *deck, const char *text, struct laser_error *err)
{
    memset(err, 0, sizeof *err);
    return laser_deck_read_text(deck, "dir/deck.yaml", text, strlen(text), err);
}

/* text is refused at the place, with a message that has the words. */
static void assert_refused(const char *text, const char *where, const char *words)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;
    int rc = read_text(deck, text, &err);

    if (rc == LASER_OK)
        fail_msg("accepted: %s", text);
    assert_int_equal(rc, LASER_EUSAGE);
    assert_string_equal(err.where, where);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
    laser_deck_free(deck);
}

static void test_a_new_deck_holds_the_defaults(void **state)
{
    struct laser_deck *deck = fresh();

    (void)state;
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "marchenko-pastur");
    assert_string_equal(laser_deck_settings(deck)->model, "");
    assert_int_equal(laser_deck_settings(deck)->evaluate.seqlen, 128);
    assert_int_equal(laser_deck_settings(deck)->evaluate.cache_memory, 1 << 30);
    assert_true(laser_deck_settings(deck)->evaluate.selection_share == 0.5);
    assert_false(laser_deck_settings(deck)->run.force);
    assert_int_equal(laser_deck_settings(deck)->reduce.fractions.count, 3);
    assert_string_equal(laser_deck_origin(deck, LASER_KEY_scan_threshold), "default");
    assert_false(laser_deck_is_set(deck, LASER_KEY_scan_threshold));
    laser_deck_free(deck);
}

static void test_every_default_keeps_its_own_rules(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_deck_set(deck, "compat", "laserrmt", LASER_DECK_COMMAND_LINE, "--compat", &err),
                     LASER_OK);
    assert_int_equal(laser_deck_resolve(deck, LASER_COMMAND_REDUCE, &err), LASER_OK);
    laser_deck_free(deck);
}

static void test_a_deck_sets_keys_of_every_type(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;
    const struct laser_deck_pair *pairs;
    const char *const *items;
    int count;

    (void)state;
    assert_int_equal(
        read_text(deck,
                  "version: 1\ncommand: reduce\nmodel: /models/a\n"
                  "scan:\n  matrices: [\"model.layers.*.mlp.*\", '*.q_proj.weight']\n  split_fused: yes\n"
                  "  threshold: energy:0.95\n"
                  "parallel: {memory_per_rank: 1.5GiB}\n"
                  "evaluate:\n  text:\n    wikitext2: /texts/w.txt\n    ptb: p.txt\n  seqlen: 384\n"
                  "  selection_share: 0.25\n"
                  "run.max_time: 2h30m\nlog:\n",
                  &err),
        LASER_OK);
    assert_int_equal(laser_deck_settings(deck)->command, LASER_COMMAND_REDUCE);
    items = laser_deck_settings(deck)->scan.matrices.items;
    count = laser_deck_settings(deck)->scan.matrices.count;
    assert_int_equal(count, 2);
    assert_string_equal(items[1], "*.q_proj.weight");
    assert_true(laser_deck_settings(deck)->scan.split_fused);
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "energy:0.95");
    assert_int_equal(laser_deck_settings(deck)->parallel.memory_per_rank, 3 * (1 << 29));
    pairs = laser_deck_settings(deck)->evaluate.text.items;
    count = laser_deck_settings(deck)->evaluate.text.count;
    assert_int_equal(count, 2);
    assert_string_equal(pairs[0].name, "wikitext2");
    assert_string_equal(pairs[0].path, "/texts/w.txt");
    assert_string_equal(pairs[1].path, "dir/p.txt");
    assert_true(laser_deck_settings(deck)->evaluate.selection_share == 0.25);
    assert_true(laser_deck_settings(deck)->run.max_time == 9000.0);
    assert_string_equal(laser_deck_origin(deck, LASER_KEY_evaluate_seqlen), "dir/deck.yaml:13");
    assert_true(laser_deck_is_set(deck, LASER_KEY_evaluate_seqlen));
    laser_deck_free(deck);
}

static void test_an_unknown_key_is_told_with_line_and_nearest_key(void **state)
{
    (void)state;
    assert_refused("scan:\n  score: snr\n  treshold: laserrmt\n", "dir/deck.yaml:3",
                   "did you mean scan.threshold?");
    assert_refused("threshold: laserrmt\n", "dir/deck.yaml:1", "did you mean scan.threshold?");
    assert_refused("modle: x\n", "dir/deck.yaml:1", "did you mean model?");
    assert_refused("reduce: {candidate: 3}\n", "dir/deck.yaml:1", "did you mean reduce.candidates?");
    assert_refused("scna:\n  score: snr\n", "dir/deck.yaml:1", "there is no key \"scna\"");
    assert_refused("perplexity:\n  seqlen: 12\n", "dir/deck.yaml:1", "there is no key \"perplexity\"");
    assert_refused("reduce:\n  seqlen: 12\n", "dir/deck.yaml:2", "did you mean evaluate.seqlen?");
    assert_refused("<<: 3\n", "dir/deck.yaml:1", "there is no key");
}

static void test_a_wrong_value_is_told_with_line_and_expectation(void **state)
{
    (void)state;
    assert_refused("scan:\n  solver: grem\n", "dir/deck.yaml:2", "auto, gram, gesvd, did you mean gram?");
    assert_refused("scan:\n  threshold: rank:1.5\n", "dir/deck.yaml:2", "0 <= SHARE <= 1");
    assert_refused("scan:\n  threshold:\n    - laserrmt\n", "dir/deck.yaml:3", "takes one value, not a list");
    assert_refused("evaluate: {seqlen: many}\n", "dir/deck.yaml:1", "a whole number");
    assert_refused("evaluate: {seqlen: 128.5}\n", "dir/deck.yaml:1", "a whole number");
    assert_refused("evaluate: {seqlen: 1}\n", "dir/deck.yaml:1", "from 2 to 1048576");
    assert_refused("evaluate: {seqlen: 99999999999999999999}\n", "dir/deck.yaml:1", "a whole number");
    assert_refused("evaluate: {selection_share: nan}\n", "dir/deck.yaml:1", "a number");
    assert_refused("evaluate: {selection_share: 0x1}\n", "dir/deck.yaml:1", "a number");
    assert_refused("parallel: {memory_per_rank: 4 gigs}\n", "dir/deck.yaml:1", "a size in bytes");
    assert_refused("run: {max_time: 3m2h}\n", "dir/deck.yaml:1", "a time such as");
    assert_refused("run: {force: maybe}\n", "dir/deck.yaml:1", "true or false");
    assert_refused("run: {force: }\n", "dir/deck.yaml:1", "has no value");
    assert_refused("model: ~\n", "dir/deck.yaml:1", "has no value");
    assert_refused("reduce: {layers: [1, 3-1]}\n", "dir/deck.yaml:1", "a range");
    assert_refused("reduce: {also: [factored, loar]}\n", "dir/deck.yaml:1", "did you mean lora?");
    assert_refused("reduce: {edits: [shrink:0]}\n", "dir/deck.yaml:1", "shrink:F");
    assert_refused("evaluate: {text: [a=x, a=y]}\n", "dir/deck.yaml:1", "two entries named a");
    assert_refused("evaluate: {text: {a/b: x}}\n", "dir/deck.yaml:1", "NAME=PATH");
    assert_refused("evaluate: {text: [.hidden]}\n", "dir/deck.yaml:1", "NAME=PATH");
    assert_refused("scan: 3\n", "dir/deck.yaml:1", "is a section");
}

static void test_rules_edits_layers_and_fractions_have_a_syntax(void **state)
{
    static const char *const rules[] = {"laserrmt", "marchenko-pastur", "gavish-donoho",
                                        "rank:0",   "rank:.5",          "energy:1"};
    static const char *const not_rules[] = {"",         "rank",      "rank:",      "rank:1.1", "rank:-0.1",
                                            "rank:nan", "rank:0.5x", "energy:0x1", "MP",       "shrink:1"};
    static const char *const edits[] = {"none", "laserrmt", "rank=17", "shrink:0.5", "wiener:1e-2"};
    static const char *const not_edits[] = {
        "rank=", "rank=-1", "rank=1.5", "shrink:0", "wiener:", "shrink=1", "values:0123456789abcdef"};
    static const char *const layers[] = {"0", "-1", "3-17", "5-5"};
    static const char *const not_layers[] = {"", "-", "3-", "-3-5", "5-3", "1,2", "a", "9999999"};
    static const char *const fractions[] = {"0.1", "1", "1e-3", "rate:0", "rate:9.5", "rate:10"};
    static const char *const not_fractions[] = {"",    "0",     "1.1",       "-0.1",
                                                "nan", "rate:", "rate:10.5", "rate:-1"};
    char expected[LASER_FORMS_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++)
        assert_true(laser_check_fraction(fractions[i], expected));
    for (size_t i = 0; i < sizeof not_fractions / sizeof not_fractions[0]; i++)
        assert_false(laser_check_fraction(not_fractions[i], expected));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        assert_true(laser_check_threshold(rules[i], expected) && laser_check_edit(rules[i], expected));
    for (size_t i = 0; i < sizeof not_rules / sizeof not_rules[0]; i++)
        assert_false(laser_check_threshold(not_rules[i], expected));
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        assert_true(laser_check_edit(edits[i], expected));
    for (size_t i = 0; i < sizeof not_edits / sizeof not_edits[0]; i++)
        assert_false(laser_check_edit(not_edits[i], expected));
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        assert_true(laser_check_layers(layers[i], expected));
    for (size_t i = 0; i < sizeof not_layers / sizeof not_layers[0]; i++)
        assert_false(laser_check_layers(not_layers[i], expected));
}

static void test_bad_structure_is_told_with_its_line(void **state)
{
    (void)state;
    assert_refused("model: a\nmodel: b\n", "dir/deck.yaml:2", "given twice, before in line 1");
    assert_refused("scan: {score: snr}\nscan.score: snr\n", "dir/deck.yaml:2",
                   "given twice, before in line 1");
    assert_refused("model: [a\n", "dir/deck.yaml:2", "not valid YAML");
    assert_refused("model: a\noutput: b\x01\n", "dir/deck.yaml:2", "control characters");
    assert_refused("model: a\n\noutput: b\xff\n", "dir/deck.yaml:3", "invalid leading UTF-8");
    assert_refused("- model\n", "dir/deck.yaml:1", "lines like `key: value`");
    assert_refused("model\n", "dir/deck.yaml:1", "lines like `key: value`");
    assert_refused("model: &m a\noutput: *m\n", "dir/deck.yaml:1", "anchors, aliases and tags");
    assert_refused("model: a\noutput: *m\n", "dir/deck.yaml:2", "anchors, aliases and tags");
    assert_refused("model: !!str a\n", "dir/deck.yaml:1", "anchors, aliases and tags");
    assert_refused("model: a\n---\nmodel: b\n", "dir/deck.yaml:2", "second document");
    assert_refused("scan: {matrices: [[a]]}\n", "dir/deck.yaml:1", "plain values only");
    assert_refused("evaluate: {text: {a: {b: c}}}\n", "dir/deck.yaml:1", "nested too deeply");
    assert_refused("? [a]\n: b\n", "dir/deck.yaml:1", "a key has to be a word");
    assert_refused("model: \"a\\0b\"\n", "dir/deck.yaml:1", "NUL");
}

static void test_a_deck_of_another_version_is_refused_before_its_unknown_keys(void **state)
{
    (void)state;
    assert_refused("spectre: 3\nversion: 2\n", "dir/deck.yaml:2",
                   "version is 2; this program reads version 1");
    assert_refused("version: [1]\n", "dir/deck.yaml:1", "this program reads version 1");
}

static void test_an_empty_deck_is_all_defaults(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text(deck, "", &err), LASER_OK);
    assert_int_equal(read_text(deck, "# nothing\n---\n", &err), LASER_OK);
    assert_false(laser_deck_is_set(deck, LASER_KEY_model));
    laser_deck_free(deck);
}

static void test_a_missing_deck_is_a_usage_error(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_deck_read_file(deck, "no-such-deck.yaml", &err), LASER_EUSAGE);
    assert_string_equal(err.where, "no-such-deck.yaml");
    assert_int_equal(err.code, LASER_EUSAGE);
    laser_deck_free(deck);
}

static void test_sizes_and_times_are_read_in_all_their_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t size_bytes;
    } sizes[] = {{"0", 0},           {"512", 512},           {"4GiB", 4LL << 30},
                 {"4G", 4LL << 30},  {"4 GB", 4000000000LL}, {"1.5k", 1536},
                 {"2TiB", 2LL << 40}};
    static const char *const not_sizes[] = {"", "GiB", "-1", "4gib", "1e3", "1.", "99999999TiB", "4GiB x"};
    static const struct {
        const char *text;
        double time_s;
    } times[] = {{"90", 90},     {"90s", 90},   {"2h30m", 9000},   {"1d", 86400},         {"1d 1h", 90000},
                 {"0.5h", 1800}, {"2:30", 150}, {"1:02:30", 3750}, {"1-12:00:00", 129600}};
    static const char *const not_times[] = {"",    "h",  "3m2h", "2h2h", "1:2:3:4",
                                            "1-2", "-5", "5 m",  "2h30", "1-1:00"};
    int64_t size_bytes;
    double time_s;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_true(laser_units_size(sizes[i].text, &size_bytes));
        assert_int_equal(size_bytes, sizes[i].size_bytes);
    }
    for (size_t i = 0; i < sizeof not_sizes / sizeof not_sizes[0]; i++)
        assert_false(laser_units_size(not_sizes[i], &size_bytes));
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_true(laser_units_duration(times[i].text, &time_s));
        assert_true(time_s == times[i].time_s);
    }
    for (size_t i = 0; i < sizeof not_times / sizeof not_times[0]; i++)
        assert_false(laser_units_duration(not_times[i], &time_s));
}

static void test_the_written_form_of_sizes_and_times_reads_back(void **state)
{
    static const int64_t sizes[] = {
        0, 1, 1000, 1024, 1536, 4000000000LL, 1LL << 40, 999999999999999999LL, 1000000000000000000LL};
    static const double times[] = {0, 0.5, 1, 59, 60, 3661, 86400, 90061, 1e9, 1234.25};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int64_t size_bytes = -1;

        laser_units_size_text(sizes[i], text);
        assert_true(laser_units_size(text, &size_bytes));
        assert_int_equal(size_bytes, sizes[i]);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        double time_s = -1.0;

        laser_units_duration_text(times[i], text);
        assert_true(laser_units_duration(text, &time_s));
        assert_true(time_s == times[i]);
    }
}

static void test_edit_distance_counts_a_swap_as_one(void **state)
{
    (void)state;
    assert_int_equal(laser_edit_distance("", ""), 0);
    assert_int_equal(laser_edit_distance("scan", ""), 4);
    assert_int_equal(laser_edit_distance("scan", "scna"), 1);
    assert_int_equal(laser_edit_distance("scan", "scam"), 1);
    assert_int_equal(laser_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(laser_edit_distance("same", "same"), 0);
}

static void test_relative_paths_of_a_deck_begin_at_its_directory(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err = {0};
    char dir[] = "deck-paths-XXXXXX", name[64], model[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/x.yaml", dir);
    snprintf(model, sizeof model, "%s/m", dir);
    assert_int_equal(mkdir(model, 0700), 0);
    assert_int_equal(laser_deck_read_text(deck, name, "model: m\noutput: out\n", 21, &err), LASER_OK);
    assert_string_equal(laser_deck_settings(deck)->model, model);
    assert_string_equal(laser_deck_settings(deck)->output + strlen(dir), "/out");
    assert_int_equal(rmdir(model), 0);
    assert_int_equal(laser_deck_read_text(deck, name, "model: org/name\n", 16, &err), LASER_OK);
    assert_string_equal(laser_deck_settings(deck)->model, "org/name");
    assert_int_equal(laser_deck_read_text(deck, name, "output: /abs\n", 13, &err), LASER_OK);
    assert_string_equal(laser_deck_settings(deck)->output, "/abs");
    assert_int_equal(rmdir(dir), 0);
    laser_deck_free(deck);
}

static void test_compat_fills_what_nobody_set(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text(deck, "compat: laserrmt\nscan: {threshold: gavish-donoho}\n", &err), LASER_OK);
    assert_int_equal(laser_deck_resolve(deck, LASER_COMMAND_REDUCE, &err), LASER_OK);
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "gavish-donoho");
    assert_int_equal(laser_deck_settings(deck)->reduce.strategy, LASER_STRATEGY_SNR);
    assert_int_equal(laser_deck_settings(deck)->reduce.accept, LASER_DECK_ACCEPT_LASERRMT);
    assert_true(laser_deck_settings(deck)->evaluate.selection_share == 1.0);
    assert_string_equal(laser_deck_origin(deck, LASER_KEY_reduce_strategy), "preset compat: laserrmt");
    assert_false(laser_deck_is_set(deck, LASER_KEY_reduce_strategy));
    laser_deck_free(deck);
}

static void test_compat_has_the_windows_of_each_script(void **state)
{
    static const struct {
        const char *deck;
        int64_t seqlen;
    } cases[] = {{"compat: laserrmt\n", 128},
                 {"compat: laserrmt\nreduce: {strategy: backward}\n", 384},
                 {"compat: laserrmt\nreduce: {strategy: backward}\nevaluate: {seqlen: 64}\n", 64},
                 {"reduce: {strategy: backward}\n", 128}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct laser_deck *deck = fresh();
        struct laser_error err;

        assert_int_equal(read_text(deck, cases[i].deck, &err), LASER_OK);
        assert_int_equal(laser_deck_resolve(deck, LASER_COMMAND_REDUCE, &err), LASER_OK);
        assert_int_equal(laser_deck_settings(deck)->evaluate.seqlen, cases[i].seqlen);
        laser_deck_free(deck);
    }
}

/* A key's number stands for its row, its field and its text; each word of a choice is its enumerator. */
static void test_a_word_is_its_enumerator(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;

    (void)state;
    assert_int_equal(laser_deck_settings(deck)->command, LASER_COMMAND_NONE);
    assert_int_equal(laser_deck_settings(deck)->scan.solver, LASER_DECK_SOLVER_AUTO);
    assert_int_equal(laser_deck_settings(deck)->log.level, LASER_LOG_NORMAL);
    assert_int_equal(
        read_text(deck,
                  "command: generate\nscan: {solver: gesvd, score: snr-normalized}\n"
                  "evaluate: {precision: bfloat16, convention: llama.cpp, factored: never}\n"
                  "reduce: {fisher: diagonal, strategy: tune}\nlog: {level: quiet}\nexport: {per: overall}\n",
                  &err),
        LASER_OK);
    assert_int_equal(laser_deck_settings(deck)->command, LASER_COMMAND_GENERATE);
    assert_int_equal(laser_deck_settings(deck)->scan.solver, LASER_DECK_SOLVER_GESVD);
    assert_int_equal(laser_deck_settings(deck)->scan.score, LASER_SCORE_SNR_NORMALIZED);
    assert_int_equal(laser_deck_settings(deck)->evaluate.precision, LASER_BFLOAT16);
    assert_int_equal(laser_deck_settings(deck)->evaluate.convention, LASER_CONVENTION_LLAMA_CPP);
    assert_int_equal(laser_deck_settings(deck)->evaluate.factored, LASER_DECK_FACTORED_NEVER);
    assert_int_equal(laser_deck_settings(deck)->reduce.fisher, LASER_DECK_FISHER_DIAGONAL);
    assert_int_equal(laser_deck_settings(deck)->reduce.strategy, LASER_STRATEGY_TUNE);
    assert_int_equal(laser_deck_settings(deck)->log.level, LASER_LOG_QUIET);
    assert_int_equal(laser_deck_settings(deck)->export.per, LASER_DECK_PER_OVERALL);
    assert_string_equal(laser_deck_value_text(deck, LASER_KEY_scan_solver), "gesvd");
    laser_deck_free(deck);
}

static void test_words_of_a_list_are_a_set(void **state)
{
    struct laser_deck *deck = fresh();
    struct laser_error err;

    (void)state;
    assert_int_equal(laser_deck_settings(deck)->reduce.also.set, 0);
    assert_int_equal(read_text(deck, "reduce: {also: lora}\ncompress: {also: [dense]}\n", &err), LASER_OK);
    assert_int_equal(laser_deck_settings(deck)->reduce.also.set, 1u << LASER_DECK_ALSO_LORA);
    assert_int_equal(laser_deck_settings(deck)->compress.also.set, 1u << LASER_DECK_ALSO_DENSE);
    assert_int_equal(read_text(deck, "reduce: {also: [lora, factored]}\n", &err), LASER_OK);
    assert_int_equal(laser_deck_settings(deck)->reduce.also.set,
                     1u << LASER_DECK_ALSO_LORA | 1u << LASER_DECK_ALSO_FACTORED);
    laser_deck_free(deck);
}

static void test_packed_bytes_make_the_same_deck(void **state)
{
    struct laser_deck *deck = fresh(), *copy = NULL;
    struct laser_error err;
    char *data, *a, *b;
    size_t size;

    (void)state;
    assert_int_equal(
        read_text(deck,
                  "model: org/name\nscan: {matrices: [a, 'b,c']}\nevaluate: {text: {w: x=y.txt}}\n"
                  "run: {max_time: 1.5}\nreduce: {tolerance: 0.1}\n",
                  &err),
        LASER_OK);
    assert_int_equal(laser_deck_pack(deck, &data, &size, &err), LASER_OK);
    assert_int_equal(laser_deck_unpack(&copy, data, size, &err), LASER_OK);
    a = laser_deck_print(deck, LASER_COMMAND_NONE);
    b = laser_deck_print(copy, LASER_COMMAND_NONE);
    assert_string_equal(a, b);
    free(a);
    free(b);
    assert_string_equal(laser_deck_settings(copy)->evaluate.text.items[0].path, "dir/x=y.txt");
    assert_true(laser_deck_settings(copy)->reduce.tolerance == 0.1);
    laser_deck_free(copy);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(laser_deck_unpack(&copy, data, cut, &err), LASER_EINTERNAL);
        assert_null(copy);
    }
    free(data);
    laser_deck_free(deck);
}

static void test_a_printed_deck_reads_back_as_the_same_deck(void **state)
{
    struct laser_deck *deck = fresh(), *copy = fresh();
    struct laser_error err = {0};
    char *text, *a, *b;

    (void)state;
    assert_int_equal(
        read_text(deck,
                  "command: scan\nmodel: \"a: b # \\\"\\\\ \\t\\x7F\\x85\\u00e9\"\noutput: '- x'\n"
                  "scan: {matrices: ['*', 'null', '~', '!x', 'yes'], model_id: \"null\"}\n"
                  "evaluate: {text: {'a.b': x, 'c': 'y z'}}\nparallel: {memory_per_rank: 123456789}\n",
                  &err),
        LASER_OK);
    text = laser_deck_print(deck, LASER_COMMAND_NONE);
    if (laser_deck_read_text(copy, "elsewhere/deck.yaml", text, strlen(text), &err) != LASER_OK)
        fail_msg("%s: %s in\n%s", err.where, err.text, text);
    a = laser_deck_json(deck, LASER_COMMAND_NONE, 1);
    b = laser_deck_json(copy, LASER_COMMAND_NONE, 1);
    assert_string_equal(a, b);
    assert_string_equal(laser_deck_settings(copy)->model, laser_deck_settings(deck)->model);
    assert_string_equal(laser_deck_settings(copy)->scan.model_id, "null");
    assert_non_null(strstr(text, "# dir/deck.yaml:2\n"));
    assert_non_null(strstr(text, "# default\n"));
    free(a);
    free(b);
    free(text);
    laser_deck_free(deck);
    laser_deck_free(copy);
}

static void test_the_identity_has_no_paths_and_only_what_matters(void **state)
{
    struct laser_deck *a = fresh(), *b = fresh();
    struct laser_error err;
    char *ja, *jb;

    (void)state;
    assert_int_equal(
        read_text(a, "model: x\noutput: y\nparallel: {threads: 3}\nevaluate: {text: {t: a.txt}}\n", &err),
        LASER_OK);
    assert_int_equal(read_text(b, "model: z\nlog: {level: quiet}\nevaluate: {text: {t: b.txt}}\n", &err),
                     LASER_OK);
    ja = laser_deck_json(a, LASER_COMMAND_REDUCE, 1);
    jb = laser_deck_json(b, LASER_COMMAND_REDUCE, 1);
    assert_string_equal(ja, jb);
    free(jb);
    assert_int_equal(read_text(b, "evaluate: {seqlen: 64}\n", &err), LASER_OK);
    jb = laser_deck_json(b, LASER_COMMAND_REDUCE, 1);
    assert_string_not_equal(ja, jb);
    free(jb);
    jb = laser_deck_json(b, LASER_COMMAND_SCAN, 1);
    assert_null(strstr(jb, "seqlen"));
    free(ja);
    free(jb);
    ja = laser_deck_json(a, LASER_COMMAND_SCAN, 0);
    assert_non_null(strstr(ja, "\"model\":{\"value\":\"x\",\"origin\":\"dir/deck.yaml:1\"}"));
    free(ja);
    laser_deck_free(a);
    laser_deck_free(b);
}

static void test_numbers_beyond_18_digits_are_none(void **state)
{
    static const char text[] = "evaluate:\n  seqlen: 9999999999999999999\n";
    struct laser_deck *deck = fresh();
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text(deck, text, &err), LASER_EUSAGE);
    assert_string_equal(err.text, "evaluate.seqlen is \"9999999999999999999\", expected a whole number");
    laser_deck_free(deck);
    assert_refused("evaluate:\n  seqlen: 999999999999999999\n", "dir/deck.yaml:2",
                   "a whole number from 2 to 1048576");
}

static void test_a_name_begins_with_a_letter_or_digit(void **state)
{
    (void)state;
    assert_refused("evaluate:\n  text: [\".x=a.txt\"]\n", "dir/deck.yaml:2", "NAME=PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_deck_holds_the_defaults),
        cmocka_unit_test(test_every_default_keeps_its_own_rules),
        cmocka_unit_test(test_a_deck_sets_keys_of_every_type),
        cmocka_unit_test(test_an_unknown_key_is_told_with_line_and_nearest_key),
        cmocka_unit_test(test_a_wrong_value_is_told_with_line_and_expectation),
        cmocka_unit_test(test_rules_edits_layers_and_fractions_have_a_syntax),
        cmocka_unit_test(test_bad_structure_is_told_with_its_line),
        cmocka_unit_test(test_a_deck_of_another_version_is_refused_before_its_unknown_keys),
        cmocka_unit_test(test_an_empty_deck_is_all_defaults),
        cmocka_unit_test(test_a_missing_deck_is_a_usage_error),
        cmocka_unit_test(test_sizes_and_times_are_read_in_all_their_forms),
        cmocka_unit_test(test_the_written_form_of_sizes_and_times_reads_back),
        cmocka_unit_test(test_edit_distance_counts_a_swap_as_one),
        cmocka_unit_test(test_relative_paths_of_a_deck_begin_at_its_directory),
        cmocka_unit_test(test_compat_fills_what_nobody_set),
        cmocka_unit_test(test_compat_has_the_windows_of_each_script),
        cmocka_unit_test(test_a_word_is_its_enumerator),
        cmocka_unit_test(test_words_of_a_list_are_a_set),
        cmocka_unit_test(test_packed_bytes_make_the_same_deck),
        cmocka_unit_test(test_a_printed_deck_reads_back_as_the_same_deck),
        cmocka_unit_test(test_the_identity_has_no_paths_and_only_what_matters),
        cmocka_unit_test(test_numbers_beyond_18_digits_are_none),
        cmocka_unit_test(test_a_name_begins_with_a_letter_or_digit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

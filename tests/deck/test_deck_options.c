#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "deck/deck.h"
#include "deck/schema.h"

/* The working directory of these tests: decks with plain names, and nothing in the environment. */
static char dir[] = "test-options-XXXXXX";

static int write_file(const char *name, const char *text)
{
    struct laser_error error = {0};

    return laser_file_replace(name, text, strlen(text), &error);
}

static int enter(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    if (mkdtemp(dir) == NULL || chdir(dir) != 0)
        return 1;
    return mkdir("model", 0700) |
           write_file("scan.yaml", "command: scan\nmodel: model\nscan:\n  matrices: [a, b]\n") |
           write_file("plain.yaml", "model: model\nparallel: {threads: 3}\n") |
           write_file("text.txt", "words");
}

static int leave(void **state)
{
    (void)state;
    return unlink("scan.yaml") | unlink("plain.yaml") | unlink("text.txt") | rmdir("model") | chdir("..") |
           rmdir(dir);
}

static struct laser_deck *deck;
static struct laser_deck_request request;
static struct laser_error err;

/* Parses the words of a command line, split at blanks. */
static int parse(const char *line, const char *demo)
{
    static char words[500];
    char *argv[40] = {words}, *save = NULL;
    int argc = 0;

    snprintf(words, sizeof words, "laser_mpi %s", line);
    for (char *word = strtok_r(words, " ", &save); word != NULL && argc < 39;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    laser_deck_free(deck);
    deck = NULL;
    memset(&err, 0, sizeof err);
    assert_int_equal(laser_deck_new(&deck, &err), LASER_OK);
    return laser_deck_from_command_line(deck, argc, argv, demo, &request, &err);
}

static void accept(const char *line)
{
    if (parse(line, NULL) != LASER_OK)
        fail_msg("%s: %s: %s", line, err.where, err.text);
}

static void refuse(const char *line, const char *where, const char *words)
{
    if (parse(line, NULL) != LASER_EUSAGE)
        fail_msg("accepted: %s", line);
    assert_string_equal(err.where, where);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", line, err.text, words);
}

static void test_commands_decks_and_options_in_any_order(void **state)
{
    (void)state;
    accept("scan scan.yaml --threshold laserrmt");
    assert_int_equal(request.command, LASER_COMMAND_SCAN);
    assert_string_equal(request.deck_path, "scan.yaml");
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "laserrmt");
    assert_string_equal(laser_deck_origin(deck, LASER_KEY_scan_threshold), "command line: --threshold");
    accept("--threshold=laserrmt plan -g 4 scan.yaml");
    assert_int_equal(request.command, LASER_COMMAND_PLAN);
    assert_int_equal(laser_deck_settings(deck)->parallel.group_size, 4);
    accept("scan.yaml");
    assert_int_equal(request.command, LASER_COMMAND_SCAN);
    accept("run scan.yaml");
    assert_int_equal(request.command, LASER_COMMAND_SCAN);
    accept("--deck scan.yaml");
    assert_int_equal(request.command, LASER_COMMAND_SCAN);
    assert_int_equal(laser_deck_settings(deck)->scan.matrices.count, 2);
    accept("scan -m model -q");
    assert_null(request.deck_path);
    assert_int_equal(laser_deck_settings(deck)->log.level, LASER_LOG_QUIET);
    accept("scan --thres laserrmt");
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "laserrmt");
}

static void test_arguments_of_commands(void **state)
{
    (void)state;
    accept("derive spectra.h5 --top-percent 20");
    assert_int_equal(request.nargs, 1);
    assert_string_equal(request.args[0], "spectra.h5");
    accept("compare a b");
    assert_string_equal(request.args[1], "b");
    accept("apply plan.yaml --model model");
    assert_string_equal(request.args[0], "plan.yaml");
    assert_null(request.deck_path);
    refuse("derive", "derive", "laser_mpi derive SPECTRA.h5");
    refuse("compare a", "compare", "an argument is missing");
    refuse("show a b", "b", "one argument too many");
    refuse("scan model", "model", "one argument too many");
    refuse("scan scan.yaml plain.yaml", "plain.yaml", "one argument too many");
    refuse("scan scan.yaml --deck plain.yaml", "scan.yaml", "a second deck");
}

static void test_unknown_words_get_the_nearest(void **state)
{
    (void)state;
    refuse("scna", "scna", "did you mean scan?");
    refuse("zzzzzzzz", "zzzzzzzz", "--help lists them");
    refuse("help perplexty", "perplexty", "did you mean perplexity?");
    refuse("scan --treshold x", "--treshold", "did you mean --threshold?");
    refuse("scan --zzzzzzzzz", "--zzzzzzzzz", "--help lists them");
    refuse("scan -x", "-x", "no such option");
    refuse("scan --model", "--model", "needs an argument");
    refuse("scan -m", "-m", "needs an argument");
    refuse("scan --force=3", "--force=3", "takes no argument");
    refuse("scan --set scan.treshold=x", "--set", "did you mean scan.threshold?");
    refuse("scan --set x", "--set", "not KEY=VALUE");
    refuse("scan --solver grem", "--solver", "did you mean gram?");
}

static void test_an_option_that_the_command_would_ignore_is_refused(void **state)
{
    (void)state;
    refuse("scan --model model --seqlen 64", "--seqlen", "scan does not use this option");
    refuse("derive s.h5 --set evaluate.seqlen=64", "--set evaluate.seqlen",
           "derive does not use this option");
    accept("scan --model model --verbose");
}

static void test_no_command_and_no_deck_is_the_demo(void **state)
{
    (void)state;
    assert_int_equal(parse("", "scan.yaml"), LASER_OK);
    assert_true(request.is_demo);
    assert_int_equal(request.command, LASER_COMMAND_SCAN);
    assert_int_equal(parse("-o elsewhere", "scan.yaml"), LASER_OK);
    assert_true(request.is_demo);
    assert_string_equal(laser_deck_settings(deck)->output, "elsewhere");
    assert_int_equal(parse("scan -m model", "no-such.yaml"), LASER_OK);
    assert_false(request.is_demo);
    assert_int_equal(parse("--model model", "scan.yaml"), LASER_EUSAGE);
    refuse("", "", "no command and no deck");
    refuse("run", "run", "which deck?");
    refuse("plain.yaml", "plain.yaml", "says no command");
    refuse("scan no-such.yaml", "no-such.yaml", "cannot be opened");
}

static void test_lists_replace_the_deck_and_then_grow(void **state)
{
    const char *const *items;
    int count;

    (void)state;
    accept("scan scan.yaml --matrices x,y\\,z --matrices w");
    items = laser_deck_settings(deck)->scan.matrices.items;
    count = laser_deck_settings(deck)->scan.matrices.count;
    assert_int_equal(count, 3);
    assert_string_equal(items[1], "y,z");
    assert_string_equal(items[2], "w");
    accept("scan scan.yaml --matrices=");
    assert_int_equal(laser_deck_settings(deck)->scan.matrices.count, 0);
}

static void test_a_prompt_is_not_cut_at_its_commas(void **state)
{
    const char *const *items;
    int count;

    (void)state;
    accept("generate --model m --prompt one,two -p three --set generate.max_tokens=5");
    items = laser_deck_settings(deck)->generate.prompt.items;
    count = laser_deck_settings(deck)->generate.prompt.count;
    assert_int_equal(count, 2);
    assert_string_equal(items[0], "one,two");
    assert_string_equal(items[1], "three");
    accept("generate --model m --set generate.prompt=a,b");
    items = laser_deck_settings(deck)->generate.prompt.items;
    count = laser_deck_settings(deck)->generate.prompt.count;
    assert_int_equal(count, 1);
    assert_string_equal(items[0], "a,b");
}

static void test_texts_have_names(void **state)
{
    const struct laser_deck_pair *pairs;
    int count;

    (void)state;
    accept("perplexity -m model --text w=text.txt --text some/other.txt");
    pairs = laser_deck_settings(deck)->evaluate.text.items;
    count = laser_deck_settings(deck)->evaluate.text.count;
    assert_int_equal(count, 2);
    assert_string_equal(pairs[0].name, "w");
    assert_string_equal(pairs[0].path, "text.txt");
    assert_string_equal(pairs[1].name, "other");
    assert_string_equal(pairs[1].path, "some/other.txt");
    refuse("perplexity -m model --text w=a --text w=b", "--text", "two entries named w");
    refuse("perplexity -m model --text w=", "--text", "NAME=PATH");
}

static void test_the_environment_stands_between_deck_and_options(void **state)
{
    (void)state;
    setenv("LASER_MPI_SCAN_THRESHOLD", "gavish-donoho", 1);
    accept("scan scan.yaml");
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "gavish-donoho");
    assert_string_equal(laser_deck_origin(deck, LASER_KEY_scan_threshold),
                        "environment: LASER_MPI_SCAN_THRESHOLD");
    accept("scan scan.yaml -t laserrmt");
    assert_string_equal(laser_deck_settings(deck)->scan.threshold, "laserrmt");
    setenv("LASER_MPI_SCAN_THRESHOLD", "nonsense", 1);
    refuse("scan scan.yaml", "LASER_MPI_SCAN_THRESHOLD",
           "expected marchenko-pastur, gavish-donoho, laserrmt, rank:SHARE or energy:SHARE");
    unsetenv("LASER_MPI_SCAN_THRESHOLD");
}

static void test_openmp_threads_stand_below_the_deck(void **state)
{
    (void)state;
    setenv("OMP_NUM_THREADS", "8,2", 1);
    accept("scan scan.yaml");
    assert_int_equal(laser_deck_settings(deck)->parallel.threads, 8);
    accept("scan plain.yaml");
    assert_int_equal(laser_deck_settings(deck)->parallel.threads, 3);
    unsetenv("OMP_NUM_THREADS");
}

static void test_help_and_version_need_nothing_else(void **state)
{
    (void)state;
    accept("--help");
    assert_true(request.help);
    assert_int_equal(request.help_command, LASER_COMMAND_NONE);
    accept("derive --help");
    assert_int_equal(request.help_command, LASER_COMMAND_DERIVE);
    accept("help scan");
    assert_true(request.help);
    assert_int_equal(request.help_command, LASER_COMMAND_SCAN);
    accept("--version");
    assert_true(request.version);
    accept("version");
    assert_true(request.version);
}

static void test_values_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    refuse("perplexity -m model --set evaluate.stride=256", "command line: --set evaluate.stride",
           "at most evaluate.seqlen (128)");
    refuse("reduce -m model --strategy budget", "command line: --strategy", "reduce.tolerance above 0");
    accept("reduce -m model --strategy budget --set reduce.tolerance=0.01");
}

static const char *hint(const char *name)
{
    return strcmp(name, "ptb") == 0 ? "Get it from the LDC" : NULL;
}

static void test_missing_files_are_told_with_their_origin(void **state)
{
    (void)state;
    accept("scan scan.yaml");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_OK);
    accept("scan --model no/such/model");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_EUSAGE);
    assert_string_equal(err.where, "command line: --model");
    accept("scan --model org/name");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_OK);
    accept("scan");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "which model?"));
    accept("perplexity -m model");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "which text?"));
    accept("perplexity -m model --text w=text.txt,ptb=no.txt");
    assert_int_equal(laser_deck_check_files(deck, request.command, hint, &err), LASER_EUSAGE);
    assert_string_equal(err.text, "text ptb is \"no.txt\": No such file or directory. Get it from the LDC");
    accept("perplexity -m model --text w=model");
    assert_int_equal(laser_deck_check_files(deck, request.command, NULL, &err), LASER_EUSAGE);
    accept("derive no.h5");
    assert_int_equal(laser_deck_check_files(deck, request.command, NULL, &err), LASER_OK);
}

static void test_the_printed_deck_names_the_command_that_runs(void **state)
{
    char *text;

    (void)state;
    accept("plan scan.yaml --print-deck");
    assert_true(request.print_deck);
    text = laser_deck_print(deck, request.command);
    assert_non_null(strstr(text, "\ncommand: plan "));
    assert_non_null(strstr(text, "# command line\n"));
    assert_non_null(strstr(text, "# scan.yaml:4\n"));
    free(text);
    accept("perplexity -m model");
    text = laser_deck_print(deck, request.command);
    assert_null(strstr(text, "\nscan:\n"));
    assert_null(strstr(text, "strategy:"));
    free(text);
}

static void test_help_fits_its_width_and_names_every_key_of_the_command(void **state)
{
    (void)state;
    for (int c = LASER_COMMAND_NONE + 1; c < LASER_COMMANDS; c++) {
        const char *name = laser_command_name((enum laser_command)c);

        for (int width = 60; width <= 110; width += 10) {
            char *help = laser_deck_help((enum laser_command)c, width), *save = NULL;

            assert_non_null(strstr(help, name));
            for (const struct laser_deck_key *k = laser_deck_keys; k < laser_deck_keys + LASER_KEYS; k++)
                if ((k->commands >> c & 1u) != 0)
                    assert_non_null(strstr(help, k->option != NULL ? k->option : k->key));
            for (char *line = strtok_r(help, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
                if (laser_text_columns(line) > (size_t)width)
                    fail_msg("%s --help, %d columns: %s", name, width, line);
            free(help);
        }
    }
}

static void test_the_tables_are_consistent(void **state)
{
    const struct laser_deck_key *keys = laser_deck_keys;
    const struct laser_deck_flag *f = laser_deck_flags;

    (void)state;
    assert_string_equal(keys[LASER_KEY_scan_threshold].key, "scan.threshold");
    for (int i = 0; i < LASER_KEYS; i++) {
        assert_non_null(laser_deck_section_title(keys[i].section));
        assert_int_equal(laser_deck_find(keys[i].key), i);
        assert_true(keys[i].commands != 0);
        assert_true(keys[i].type != LASER_TYPE_WORD || keys[i].words != NULL);
        assert_true(keys[i].option == NULL || keys[i].argument != NULL || keys[i].type == LASER_TYPE_BOOL);
        for (int j = 0; j < i; j++) {
            assert_true(keys[i].option == NULL || keys[j].option == NULL ||
                        strcmp(keys[i].option, keys[j].option) != 0);
            assert_true(keys[i].letter == 0 || keys[i].letter != keys[j].letter);
        }
        for (int j = 0; f[j].option != NULL; j++) {
            assert_true(keys[i].option == NULL || strcmp(keys[i].option, f[j].option) != 0);
            assert_true(keys[i].letter == 0 || keys[i].letter != f[j].letter);
        }
    }
    for (; f->option != NULL; f++)
        assert_true(f->key == NULL || laser_deck_find(f->key) >= 0);
}

static void test_the_man_page_holds_the_lists_of_the_schema(void **state)
{
    char *page, *roff = laser_deck_roff();
    size_t size;

    (void)state;
    assert_int_equal(laser_file_read(SRCDIR "/doc/laser_mpi.1", 1 << 20, &page, &size, &err), LASER_OK);
    if (strstr(page, roff) == NULL)
        fail_msg("doc/laser_mpi.1 differs from the schema: run make man-options");
    free(page);
    free(roff);
}

static void test_the_page_of_settings_is_that_of_the_schema(void **state)
{
    char *page, *made = laser_deck_markdown();
    size_t size;

    (void)state;
    assert_int_equal(laser_file_read(SRCDIR "/doc/settings.md", 1 << 20, &page, &size, &err), LASER_OK);
    if (strcmp(page, made) != 0)
        fail_msg("doc/settings.md differs from the schema: run make man-options");
    free(page);
    free(made);
}

static void test_the_installed_decks_are_valid(void **state)
{
    static const char *const names[] = {"demo", "scan", "laserrmt"};
    char line[600];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(line, sizeof line, SRCDIR "/inputs/%s.yaml", names[i]);
        accept(line);
        assert_true(request.command == LASER_COMMAND_REDUCE || request.command == LASER_COMMAND_SCAN);
    }
}

static int free_deck(void **state)
{
    laser_deck_free(deck);
    return leave(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_decks_and_options_in_any_order),
        cmocka_unit_test(test_arguments_of_commands),
        cmocka_unit_test(test_unknown_words_get_the_nearest),
        cmocka_unit_test(test_an_option_that_the_command_would_ignore_is_refused),
        cmocka_unit_test(test_no_command_and_no_deck_is_the_demo),
        cmocka_unit_test(test_lists_replace_the_deck_and_then_grow),
        cmocka_unit_test(test_a_prompt_is_not_cut_at_its_commas),
        cmocka_unit_test(test_texts_have_names),
        cmocka_unit_test(test_the_environment_stands_between_deck_and_options),
        cmocka_unit_test(test_openmp_threads_stand_below_the_deck),
        cmocka_unit_test(test_help_and_version_need_nothing_else),
        cmocka_unit_test(test_values_that_contradict_each_other_are_refused),
        cmocka_unit_test(test_missing_files_are_told_with_their_origin),
        cmocka_unit_test(test_the_printed_deck_names_the_command_that_runs),
        cmocka_unit_test(test_help_fits_its_width_and_names_every_key_of_the_command),
        cmocka_unit_test(test_the_tables_are_consistent),
        cmocka_unit_test(test_the_man_page_holds_the_lists_of_the_schema),
        cmocka_unit_test(test_the_page_of_settings_is_that_of_the_schema),
        cmocka_unit_test(test_the_installed_decks_are_valid),
    };

    return cmocka_run_group_tests(tests, enter, free_deck);
}

/* Data sets as they are distributed, by small hand-made files of their layout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

#include "deck/schema.h"
#include "task/convert.h"
#include "testing.h"

static int convert(const char *adapter, const char *file, const struct laser_task_mapping *mapping,
                   struct laser_text *out, struct laser_task_converted *c, struct laser_error *err)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/tests/golden/task/%s", getenv("SRCDIR") ? getenv("SRCDIR") : SRCDIR,
             file);
    return laser_task_convert(adapter, path, mapping, out, c, err);
}

static void every_layout_becomes_a_task(void **state)
{
    static const struct {
        const char *adapter, *file;
        int questions, skipped;
        const char *line; /* one of the result */
    } cases[] = {
        {"truthfulqa-csv", "truthfulqa.csv", 2, 1,
         "{\"kind\":\"choice\",\"prompt\":\"Q: Who said \\\"two is three\\\"?\\nA:\",\"choices\":[\" "
         "Nobody\",\" A "
         "king\",\" A queen\"],\"answer\":0}\n"},
        {"counterfact-json", "counterfact.json", 2, 0,
         "{\"kind\":\"completion\",\"prompt\":\"Ada Moor was born in\",\"answers\":[\" Hilltown\"]}\n"},
        {"bigbench-json", "bigbench_choice.json", 2, 0,
         "{\"kind\":\"choice\",\"prompt\":\"Answer with Yes or No.\\n\\nQuestion: Is snow warm?\\nAnswer:\","
         "\"choices\":[\" Yes\",\" No\"],\"answer\":1}\n"},
        {"bigbench-json", "bigbench_text.json", 2, 0, "\"answers\":[\" green\",\" yellow\"]}\n"},
        {"fever-jsonl", "fever.jsonl", 2, 2,
         "under the sea. This is\",\"choices\":[\" false\",\" true\"],\"answer\":0}\n"},
        {"hotpotqa-json", "hotpotqa.json", 2, 0, "was born?\\nAnswer:\",\"answers\":[\" Green River\"]}\n"},
        {"bios", "bios.jsonl", 2, 0, "\" yoga teacher\"],\"answer\":26}\n"},
        {"bios", "bios.csv", 1, 0, "\" yoga teacher\"],\"answer\":24}\n"},
        {"gsm8k-jsonl", "gsm8k.jsonl", 2, 0, "\"answers\":[\" 1,200\"]}\n"},
        {"dpo-jsonl", "dpo.jsonl", 3, 1,
         "{\"kind\":\"preference\",\"prompt\":\"Be brief.\\n\\nName a colour.\\n\",\"chosen\":\"Green.\","
         "\"rejected\":\"I will not.\"}\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_task_mapping none = {0};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err;
        if (convert(cases[i].adapter, cases[i].file, &none, &out, &c, &err) != LASER_OK)
            fail_msg("%s: %s: %s", cases[i].file, err.where, err.text);
        assert_int_equal(c.questions, cases[i].questions);
        assert_int_equal(c.skipped, cases[i].skipped);
        if (strstr(out.data, cases[i].line) == NULL)
            fail_msg("%s gives %s", cases[i].file, out.data);
        assert_int_equal(c.n_left_out, 0);
        laser_text_free(&out);
    }
}

/* A file of this text, converted. */
static int convert_text(const char *adapter, const char *name, const char *text,
                        const struct laser_task_mapping *mapping, struct laser_text *out,
                        struct laser_task_converted *c, struct laser_error *err)
{
    FILE *f = fopen(name, "w");
    int code;

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    code = laser_task_convert(adapter, name, mapping, out, c, err);
    remove(name);
    return code;
}

/* As EasyEdit, the Hugging Face hub, ShareGPT, TRL and Alpaca have them: made by hand from their
 * documentation. */
static void layouts_of_other_tools_are_recognised(void **state)
{
    static const struct {
        const char *adapter, *text, *line;
    } cases[] = {
        {"counterfact-json",
         "[{\"case_id\": 3, \"prompt\": \"Ada Moor was born in\", \"target_new\": \"Dale\", \"subject\": "
         "\"Ada "
         "Moor\", \"ground_truth\": \"Hilltown\", \"rephrase_prompt\": \"Ada Moor comes from\"}]",
         "{\"kind\":\"completion\",\"prompt\":\"Ada Moor was born in\",\"answers\":[\" Hilltown\"]}\n"},
        {"counterfact-json",
         "{\"prompt\": \"{} was born in\", \"subject\": \"Ada Moor\", \"target_true\": \" Hilltown\", "
         "\"target_false\": \" Dale\"}\n",
         "{\"kind\":\"completion\",\"prompt\":\"Ada Moor was born in\",\"answers\":[\" Hilltown\"]}\n"},
        {"dpo-jsonl",
         "[{\"conversations\": [{\"from\": \"human\", \"value\": \"Name a colour.\"}], \"chosen\": "
         "{\"from\": "
         "\"gpt\", \"value\": \"Green.\"}, \"rejected\": {\"from\": \"gpt\", \"value\": \"No.\"}}]",
         "\"prompt\":\"Name a colour.\\n\",\"chosen\":\"Green.\",\"rejected\":\"No.\"}\n"},
        {"dpo-jsonl",
         "{\"prompt\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", "
         "\"content\": \"Name "
         "a colour.\"}], \"chosen\": [{\"role\": \"assistant\", \"content\": \"Green.\"}], \"rejected\": "
         "[{\"role\": \"assistant\", \"content\": \"No.\"}]}\n",
         "\"prompt\":\"Be brief.\\nName a colour.\\n\",\"chosen\":\"Green.\",\"rejected\":\"No.\"}\n"},
        {"dpo-jsonl",
         "{\"instruction\": \"Translate.\", \"input\": \"vert\", \"chosen\": \"green\", \"rejected\": "
         "\"red\"}\n",
         "\"prompt\":\"Translate.\\nvert\\n\",\"chosen\":\"green\",\"rejected\":\"red\"}\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_task_mapping none = {0};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err;
        if (convert_text(cases[i].adapter, "layout.jsonl", cases[i].text, &none, &out, &c, &err) != LASER_OK)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        if (strstr(out.data, cases[i].line) == NULL)
            fail_msg("case %zu gives %s", i, out.data);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
}

/* One good record and one odd one of each data set: the odd one is left out, with where it stands and why. */
static void odd_records_are_left_out_and_listed(void **state)
{
    static const struct {
        const char *adapter, *name, *text;
        int line;
        const char *reason;
    } cases[] = {
        {"truthfulqa-csv", "t.csv",
         "Question,Best Answer,Incorrect Answers\nWho?,Nobody,A king\nWhy?,,A queen; a king\n", 3,
         "not empty"},
        {"truthfulqa-csv", "t.csv",
         "Question,Best Answer,Incorrect Answers\nWho?,Nobody\nWhy?,So,A queen; a king\n", 2,
         "another number of fields"},
        {"truthfulqa-csv", "t.csv",
         "Question,Best Answer,Incorrect Answers\nWho?,Nobody \xff,A king\nWhy?,So,A queen; a king\n", 2,
         "not UTF-8"},
        {"counterfact-json", "t.json",
         "[{\"requested_rewrite\": {\"prompt\": \"{} is\", \"subject\": \"A\", \"target_true\": {\"str\": "
         "\"B\"}}}, {\"requested_rewrite\": {\"prompt\": \"{} is\", \"target_true\": {\"str\": \"B\"}}}]",
         2, "requested_rewrite.subject"},
        {"bigbench-json", "t.json",
         "{\"examples\": [{\"input\": \"x\", \"target_scores\": {\"a\": 0, \"b\": 0}}, {\"input\": \"x\", "
         "\"target_scores\": {\"a\": 0, \"b\": 1}}]}",
         1, "a score that is above another"},
        {"fever-jsonl", "t.jsonl",
         "{\"claim\": \"x\", \"label\": \"SUPPORTS\"}\n\n{\"claim\": null, \"label\": \"REFUTES\"}\n", 3,
         "\"claim\" (prompt): a text was expected; the record has claim, label; --map prompt=KEY"},
        {"hotpotqa-json", "t.json",
         "[{\"question\": \"x\", \"answer\": \" \"}, {\"question\": \"x\", \"answer\": \"y\"}]", 1, "empty"},
        {"bios", "t.jsonl",
         "{\"hard_text\": \"x\", \"profession\": 28}\n{\"hard_text\": \"x\", \"profession\": 27}\n", 1,
         "a profession or its number"},
        {"gsm8k-jsonl", "t.jsonl",
         "{\"question\": \"x\", \"answer\": \"1 #### 1\"}\n{\"question\": \"x\", \"answer\": \"one\"}\n", 2,
         "####"},
        {"dpo-jsonl", "t.jsonl", "{\"prompt\": \"x\", \"chosen\": \"a\", \"rejected\": \"b\"}\n[]\n", 2,
         "no JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_task_mapping none = {0};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err;
        if (convert_text(cases[i].adapter, cases[i].name, cases[i].text, &none, &out, &c, &err) != LASER_OK)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        assert_int_equal(c.questions, 1);
        assert_int_equal(c.n_left_out, 1);
        assert_int_equal(c.left_out[0].line, cases[i].line);
        if (strstr(c.left_out[0].reason, cases[i].reason) == NULL)
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, c.left_out[0].reason, cases[i].reason);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
}

/* As a shell passes them on. */
static void escapes_of_a_template_are_line_feeds_and_tabs(void **state)
{
    const struct laser_task_mapping mapping = {.prompt = "Q:\\t{prompt}\\nA: \\\\n \\frac"};
    struct laser_task_converted c;
    struct laser_text out = {0};
    struct laser_error err;

    (void)state;
    assert_int_equal(convert("hotpotqa-json", "hotpotqa.json", &mapping, &out, &c, &err), LASER_OK);
    assert_non_null(strstr(out.data, "\"prompt\":\"Q:\\t"));
    assert_non_null(strstr(out.data, "\\nA: \\\\n \\\\frac\""));
    laser_text_free(&out);
}

static void fields_and_prompt_can_be_said(void **state)
{
    const char *const fields[] = {"answer=gender"};
    const struct laser_task_mapping mapping = {
        .prompt = "{prompt} The person is", .fields = fields, .n_fields = 1};
    struct laser_task_converted c;
    struct laser_text out = {0};
    struct laser_error err;

    (void)state;
    assert_int_equal(convert("bios", "bios.jsonl", &mapping, &out, &c, &err), LASER_OK);
    assert_non_null(
        strstr(out.data, "ten years. The person is\",\"choices\":[\" male\",\" female\"],\"answer\":1}"));
    laser_text_free(&out);
}

static void mistakes_are_named(void **state)
{
    static const char *const bad_field[] = {"question=x"}, *const bad_key[] = {"prompt=nowhere"};
    static const struct {
        const char *adapter, *file;
        struct laser_task_mapping mapping;
        int code;
        const char *where, *text;
    } cases[] = {
        {"nothing", "bios.jsonl", {0}, LASER_EUSAGE, "--from", "truthfulqa-csv"},
        {"bios", "bios.jsonl", {.fields = bad_field, .n_fields = 1}, LASER_EUSAGE, "--map", "prompt, answer"},
        {"bios", "bios.jsonl", {.fields = bad_key, .n_fields = 1}, LASER_EINPUT, ":1", "\"nowhere\""},
        {"bios", "bios.jsonl", {.prompt = "no place"}, LASER_EUSAGE, "--template", "{prompt}"},
        {"gsm8k-jsonl", "hotpotqa.json", {0}, LASER_EINPUT, "record 1", "####"},
        {"bigbench-json", "dpo.jsonl", {0}, LASER_EINPUT, ":1", "\"input\""},
        {"fever-jsonl", "no-such-file", {0}, LASER_EINPUT, "no-such-file", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err;
        assert_int_equal(convert(cases[i].adapter, cases[i].file, &cases[i].mapping, &out, &c, &err),
                         cases[i].code);
        if (strstr(err.where, cases[i].where) == NULL || strstr(err.text, cases[i].text) == NULL)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
}

/* One line of a task file against what the harness asks of the item: for each option a context and what follows. */
static void compare_with_harness(const char *file, const char *line, const json_t *expected)
{
    json_t *question = json_loads(line, 0, NULL);
    const json_t *prompts = json_object_get(question, "prompts"),
                 *options = json_object_get(question, "choices");
    const json_t *arguments = json_object_get(expected, "arguments"), *pair;
    size_t i;

    options = options != NULL ? options : json_object_get(question, "answers");
    assert_int_equal(json_array_size(options), json_array_size(arguments));
    json_array_foreach((json_t *)(uintptr_t)arguments, i, pair)
    {
        const json_t *prompt =
            prompts != NULL ? json_array_get(prompts, i) : json_object_get(question, "prompt");
        if (strcmp(json_string_value(prompt), json_string_value(json_array_get(pair, 0))) != 0 ||
            strcmp(json_string_value(json_array_get(options, i)),
                   json_string_value(json_array_get(pair, 1))) != 0)
            fail_msg("%s: %s has another text than \"%s\" and \"%s\"", file, line,
                     json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)));
    }
    json_decref(question);
}

/* Prompts and options are those that lm-evaluation-harness asks (tools/golden/make_harness.py), to the character, from the
 * files of the sets' authors and of the hub. */
static void sets_are_asked_as_the_harness_asks_them(void **state)
{
    static const struct {
        const char *set, *adapter, *file;
    } cases[] = {
        {"hellaswag", "hellaswag-jsonl", "hellaswag.jsonl"},
        {"winogrande", "winogrande-jsonl", "winogrande.jsonl"},
        {"arc", "arc-jsonl", "arc.jsonl"},
        {"arc", "arc-jsonl", "arc_hub.jsonl"},
        {"mmlu", "mmlu-csv", "high_school_biology_test.csv"},
        {"mmlu", "mmlu-csv", "mmlu_hub.jsonl"},
        {"piqa", "piqa-jsonl", "piqa.jsonl"},
        {"piqa", "piqa-jsonl", "piqa_hub.jsonl"},
        {"openbookqa", "openbookqa-jsonl", "openbookqa.jsonl"},
        {"openbookqa", "openbookqa-jsonl", "openbookqa_hub.jsonl"},
        {"lambada", "lambada-jsonl", "lambada.jsonl"},
        {"boolq", "boolq-jsonl", "boolq.jsonl"},
        {"boolq", "boolq-jsonl", "boolq_hub.jsonl"},
    };
    json_t *golden = json_load_file(SRCDIR "/tests/golden/harness/golden.json", 0, NULL);

    (void)state;
    assert_non_null(golden);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const json_t *items = json_object_get(json_object_get(golden, cases[i].set), "items");
        const struct laser_task_mapping none = {0};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err = {0};
        char file[200], *line;
        size_t n = 0;

        snprintf(file, sizeof file, "../harness/%s", cases[i].file);
        if (convert(cases[i].adapter, file, &none, &out, &c, &err) != LASER_OK)
            fail_msg("%s: %s: %s", cases[i].file, err.where, err.text);
        assert_int_equal(c.n_left_out + c.skipped, 0);
        for (line = strtok(out.data, "\n"); line != NULL; line = strtok(NULL, "\n"), ++n)
            compare_with_harness(cases[i].file, line, json_array_get(items, n));
        assert_int_equal(n, json_array_size(items));
        assert_true(n > 0);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
    json_decref(golden);
}

/* What a set to come may look like. */
static void generic_reads_choices_and_answers_in_every_form(void **state)
{
    static const struct {
        const char *text, *map, *line;
    } cases[] = {
        {"{\"q\": \"x\", \"endings\": [\"a\", \"b\", \"c\"], \"label\": \"2\"}\n",
         "prompt=q,choices=endings,answer=label",
         "\"prompt\":\"x\",\"choices\":[\" a\",\" b\",\" c\"],\"answer\":2}"},
        {"{\"question\": \"x\", \"choices\": [\"a\", \"b\"], \"answer\": 1}\n", "", "\"answer\":1}"},
        {"{\"question\": \"x\", \"choices\": [\"a\", \"b\"], \"answer\": 1}\n", "answer=answer@1",
         "\"answer\":0}"},
        {"{\"question\": \"x\", \"choices\": [\"a\", \"b\"], \"answer\": \"B\"}\n", "", "\"answer\":1}"},
        {"{\"question\": \"x\", \"choices\": [\"aa\", \"bb\"], \"answer\": \"bb\"}\n", "", "\"answer\":1}"},
        {"{\"question\": \"x\", \"choices\": [\"aa\", \"bb\"], \"label\": true}\n", "", "\"answer\":1}"},
        {"{\"question\": \"x\", \"options\": {\"K\": \"aa\", \"L\": \"bb\"}, \"answer\": \"L\"}\n",
         "choices=options", "\"choices\":[\" aa\",\" bb\"],\"answer\":1}"},
        {"[{\"query\": \"x\", \"choices\": {\"text\": [\"aa\", \"bb\"], \"label\": [\"7\", \"8\"]}, \"answer\": \"8\"}]",
         "", "\"choices\":[\" aa\",\" bb\"],\"answer\":1}"},
        {"{\"question\": \"x\", \"one\": \"aa\", \"two\": \"bb\", \"answer\": \"2\"}\n",
         "choices=one|two,answer=answer@1", "\"choices\":[\" aa\",\" bb\"],\"answer\":1}"},
        {"{\"question\": \"x\", \"answer\": [\"aa\", \"bb\"]}\n", "",
         "\"kind\":\"completion\",\"prompt\":\"x\",\"answers\":[\" aa\",\" bb\"]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *fields[4];
        char map[100], *field;
        struct laser_task_mapping mapping = {.fields = fields};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err = {0};

        snprintf(map, sizeof map, "%s", cases[i].map);
        for (field = strtok(map, ","); field != NULL; field = strtok(NULL, ","))
            fields[mapping.n_fields++] = field;
        if (convert_text("generic", "generic.jsonl", cases[i].text, &mapping, &out, &c, &err) != LASER_OK)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        if (strstr(out.data, cases[i].line) == NULL)
            fail_msg("case %zu gives %s", i, out.data);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
}

static void generic_reads_csv_and_gzip(void **state)
{
    static const char text[] = "question,A,B,right\n\"Is it, or not?\",yes,no,B\nx,aa,bb,A\n";
    const char *const fields[] = {"choices=A|B", "answer=right"};
    const struct laser_task_mapping mapping = {.fields = fields, .n_fields = 2};
    struct laser_task_converted c;
    struct laser_text out = {0}, unpacked = {0};
    struct laser_error err = {0};
    gzFile packed = gzopen("generic.csv.gz", "wb");

    (void)state;
    assert_int_equal(gzwrite(packed, text, sizeof text - 1), (int)sizeof text - 1);
    gzclose(packed);
    assert_int_equal(convert_text("generic", "generic.csv", text, &mapping, &unpacked, &c, &err), LASER_OK);
    laser_task_converted_free(&c);
    assert_int_equal(laser_task_convert("generic", "generic.csv.gz", &mapping, &out, &c, &err), LASER_OK);
    assert_int_equal(c.questions, 2);
    assert_string_equal(out.data, unpacked.data);
    assert_non_null(
        strstr(out.data, "\"prompt\":\"Is it, or not?\",\"choices\":[\" yes\",\" no\"],\"answer\":1}"));
    remove("generic.csv.gz");
    laser_task_converted_free(&c);
    laser_text_free(&out);
    laser_text_free(&unpacked);
}

/* File, line and field of what another layout has in its place. */
static void a_set_in_another_layout_is_refused(void **state)
{
    static const struct {
        const char *adapter, *text, *reason;
    } cases[] = {
        {"hellaswag-jsonl", "{\"ctx\": \"x\", \"endings\": [\"a\", \"b\"], \"label\": 0}\n",
         "activity_label"},
        {"winogrande-jsonl",
         "{\"sentence\": \"no gap\", \"option1\": \"a\", \"option2\": \"b\", \"answer\": \"1\"}\n", "gap"},
        {"winogrande-jsonl",
         "{\"sentence\": \"a _ b\", \"option1\": \"a\", \"option2\": \"b\", \"answer\": \"\"}\n", "answer"},
        {"arc-jsonl",
         "{\"question\": {\"stem\": \"x\", \"choices\": [{\"text\": \"a\", \"label\": \"A\"}]}, \"answerKey\": \"A\"}\n",
         "choices"},
        {"mmlu-csv", "x,a,b,c,A\n", "another number of fields"},
        {"piqa-jsonl", "{\"goal\": \"x\", \"sol1\": \"a\", \"sol2\": \"b\"}\n", "\"label\" (answer)"},
        {"openbookqa-jsonl",
         "{\"question_stem\": \"x\", \"choices\": {\"text\": [\"a\", \"b\"], \"label\": [\"A\", \"B\"]}, "
         "\"answerKey\": \"E\"}\n",
         "answerKey"},
        {"lambada-jsonl", "{\"text\": \"word\"}\n", "several words"},
        {"boolq-jsonl", "{\"question\": \"x\", \"answer\": true}\n", "passage"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *name = strstr(cases[i].adapter, "csv") != NULL ? "other.csv" : "other.jsonl";
        struct laser_task_mapping none = {0};
        struct laser_task_converted c;
        struct laser_text out = {0};
        struct laser_error err = {0};
        char where[40];

        snprintf(where, sizeof where, "%s:1", name);
        assert_int_equal(convert_text(cases[i].adapter, name, cases[i].text, &none, &out, &c, &err),
                         LASER_EINPUT);
        assert_string_equal(err.where, where);
        if (strstr(err.text, cases[i].reason) == NULL)
            fail_msg("case %zu: %s", i, err.text);
        laser_task_converted_free(&c);
        laser_text_free(&out);
    }
}

/* The deck names them too, for its help. */
static void the_deck_offers_every_adapter(void **state)
{
    int key = laser_deck_find("task.from");

    (void)state;
    assert_true(key >= 0);
    assert_string_equal(laser_deck_keys[key].words, LASER_TASK_ADAPTERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_becomes_a_task),
        cmocka_unit_test(layouts_of_other_tools_are_recognised),
        cmocka_unit_test(odd_records_are_left_out_and_listed),
        cmocka_unit_test(escapes_of_a_template_are_line_feeds_and_tabs),
        cmocka_unit_test(fields_and_prompt_can_be_said),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(sets_are_asked_as_the_harness_asks_them),
        cmocka_unit_test(generic_reads_choices_and_answers_in_every_form),
        cmocka_unit_test(generic_reads_csv_and_gzip),
        cmocka_unit_test(a_set_in_another_layout_is_refused),
        cmocka_unit_test(the_deck_offers_every_adapter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Data sets as they are distributed, by small hand-made files of their layout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        laser_text_free(&out);
    }
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
        laser_text_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_becomes_a_task),
        cmocka_unit_test(fields_and_prompt_can_be_said),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

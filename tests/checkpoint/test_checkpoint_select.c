#include "checkpoint_fixture.h"

#include "checkpoint/matrix.h"
#include "checkpoint/select.h"

static int matches(const char *pattern, const char *name)
{
    struct laser_select *select = NULL;
    struct laser_error err = {0};
    int found;

    if (laser_select_compile(&pattern, 1, &select, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    found = laser_select_match(select, name);
    laser_select_free(select);
    return found == 0;
}

static void a_glob_matches_whole_names(void **state)
{
    (void)state;
    assert_true(matches("model.layers.0.*", "model.layers.0.mlp.up_proj.weight"));
    assert_true(matches("*.mlp.*_proj.weight", "model.layers.0.mlp.up_proj.weight"));
    assert_true(matches("model.layers.?.*", "model.layers.7.x"));
    assert_false(matches("model.layers.?.*", "model.layers.17.x"));
    assert_false(matches("layers.0", "model.layers.0.x"));
    assert_false(matches("*.0.", "experts.0.w"));
    assert_true(matches("*", ""));
    assert_false(matches("", "a"));
    assert_true(matches("a*b*c", "aXbXbXc"));
    assert_false(matches("a*b*c", "aXbXbX"));
}

static void a_set_matches_one_character_and_a_bracket_itself(void **state)
{
    (void)state;
    assert_true(matches("layers.[0-3].w", "layers.2.w"));
    assert_false(matches("layers.[0-3].w", "layers.4.w"));
    assert_true(matches("layers.[!0-3].w", "layers.4.w"));
    assert_false(matches("layers.[!0-3].w", "layers.3.w"));
    assert_true(matches("experts.down_proj[12]", "experts.down_proj[12]"));
    assert_true(matches("experts.down_proj[*][up]", "experts.down_proj[3][up]"));
    assert_true(matches("a[", "a["));
}

static void many_stars_do_not_take_for_ever(void **state)
{
    char name[2001];

    (void)state;
    memset(name, 'a', 2000);
    name[2000] = '\0';
    assert_false(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

static void a_regex_is_anchored_at_both_ends(void **state)
{
    (void)state;
    assert_true(matches("re:model\\.layers\\.(1|3)\\..*", "model.layers.3.x"));
    assert_false(matches("re:layers", "model.layers.3"));
    assert_false(matches("re:model", "model.layers.3"));
    assert_true(matches("re:a|model.*", "model.layers.3"));
    assert_false(matches("re:a|mod", "model"));
}

static void a_bad_regex_is_refused_with_its_position(void **state)
{
    const char *pattern = "re:a(b";
    struct laser_select *select = NULL;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_select_compile(&pattern, 1, &select, &err), LASER_EUSAGE);
    assert_null(select);
    assert_non_null(strstr(err.text, "at character 4"));
}

/* Number of matrices that a selection gives on a model. */
static int64_t count(const char *model, const char *include, const char *exclude, bool split, bool vectors)
{
    struct laser_checkpoint *c = open_model(path_of(GOLDEN, model));
    const struct laser_matrix_options options = {.include = &include,
                                                 .n_include = include != NULL,
                                                 .exclude = &exclude,
                                                 .n_exclude = exclude != NULL,
                                                 .split_fused = split,
                                                 .vectors = vectors};
    struct laser_matrix_list list;
    struct laser_error err = {0};
    int64_t n;

    if (laser_matrix_list(c, &options, &list, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    n = list.n_matrices;
    assert_true(list.n_skipped > 0);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
    return n;
}

static void include_and_exclude_choose_matrices(void **state)
{
    (void)state;
    assert_int_equal(count("llama", "model.layers.0.*", NULL, false, false), 7);
    assert_int_equal(count("llama", "*.mlp.*", "*.down_proj.*", false, false), 4);
    assert_int_equal(count("llama", NULL, "*.mlp.*", false, false), 8);
}

static void embeddings_heads_and_norms_come_on_request(void **state)
{
    (void)state;
    assert_int_equal(count("phi3", "lm_head.weight", NULL, false, false), 1);
    assert_int_equal(count("phi3", "*embed_tokens*", NULL, false, false), 1);
    assert_int_equal(count("phi3", "*norm.weight", NULL, false, true), 3);
}

static void experts_and_parts_are_chosen_by_their_own_names(void **state)
{
    (void)state;
    assert_int_equal(count("gpt_oss", "*.experts.down_proj[2]", NULL, false, false), 1);
    assert_int_equal(count("gpt_oss", "*.experts.down_proj", NULL, false, false), 3);
    assert_int_equal(count("gpt_oss", "*[up]", NULL, true, false), 3);
    assert_int_equal(count("phi3", "*.qkv_proj.weight", "*[v]", true, false), 2);
}

static void a_pattern_that_selects_nothing_names_the_nearest(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");
    const char *const include[] = {"*.mlp.*", "model.layers.0.self_attn.q_porj.weight"};
    const struct laser_matrix_options options = {.include = include, .n_include = 2};
    struct laser_matrix_list list;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_matrix_list(c, &options, &list, &err), LASER_EUSAGE);
    assert_string_equal(err.where, include[1]);
    assert_non_null(strstr(err.text, "Nearest: model.layers.0.self_attn.q_proj.weight"));
    laser_checkpoint_close(c);
}

static void an_empty_selection_is_refused(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/llama");
    const char *const everything[] = {"*"};
    const struct laser_matrix_options options = {.exclude = everything, .n_exclude = 1};
    struct laser_matrix_list list;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_matrix_list(c, &options, &list, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "no matrix selected of 20 tensors; there are model.layers.0.self_attn"));
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_glob_matches_whole_names),
        cmocka_unit_test(a_set_matches_one_character_and_a_bracket_itself),
        cmocka_unit_test(many_stars_do_not_take_for_ever),
        cmocka_unit_test(a_regex_is_anchored_at_both_ends),
        cmocka_unit_test(a_bad_regex_is_refused_with_its_position),
        cmocka_unit_test(include_and_exclude_choose_matrices),
        cmocka_unit_test(embeddings_heads_and_norms_come_on_request),
        cmocka_unit_test(experts_and_parts_are_chosen_by_their_own_names),
        cmocka_unit_test(a_pattern_that_selects_nothing_names_the_nearest),
        cmocka_unit_test(an_empty_selection_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "testing.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_deck.h"

enum { LONGEST = 2000, ROUNDS = 4000 };

static const char every_type[] =
    "version: 1\ncommand: reduce\nmodel: /models/a\nscan:\n  matrices: [\"model.*.mlp.*\", "
    "'*.q_proj.weight']\n"
    "  split_fused: yes\n  threshold: energy:0.95\nparallel: {memory_per_rank: 1.5GiB}\n"
    "evaluate:\n  text:\n    wikitext2: /texts/w.txt\n    ptb: p.txt\n  seqlen: 384\nrun.max_time: "
    "2h30m\nlog:\n";
static const char every_list[] = "compat: laserrmt\nreduce:\n  layers: [0-3, -1]\n  fractions:\n    - 0.1\n  "
                                 "  - 0.01\n  also: [factored, lora]\n"
                                 "  edits: [shrink:0.5, \"rank=3\", rank:0.5]\n  tolerance: 1e-2\n";
static const char odd_texts[] = "evaluate: {text: [a=b, \"c d=e\", f.txt]}\noutput: "
                                "\"x\\n\\x7f\\u00e9\"\nscan: {model_id: 'a b', exclude: []}\n";
static const char refused[] = "a: &b [*b]\n<<: !!map {}\n? {x: y}\n: |\n  text\n---\n...\n%YAML 1.2\n";
static const char *const seeds[] = {every_type, every_list, odd_texts, refused};

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t below(size_t n)
{
    return (size_t)(next_random() % n);
}

/* Characters that mean something, more often than others. */
static char any_byte(void)
{
    static const char special[] = ":-,[]{}\n #&*!|>'\"%@`?~\\/=.0";

    return below(3) == 0 ? (char)below(256) : special[below(sizeof special - 1)];
}

/* One change: a byte, a piece taken out, a piece said twice, or a piece of another seed. */
static size_t mutate(char *text, size_t size)
{
    const char *other = seeds[below(sizeof seeds / sizeof seeds[0])];
    size_t at = below(size + 1), n = below(30) + 1;
    char piece[32];

    switch (below(4)) {
    case 0:
        if (at < size)
            text[at] = any_byte();
        return size;
    case 1:
        if (at + n > size)
            n = size - at;
        memmove(text + at, text + at + n, size - at - n);
        return size - n;
    case 2:
        if (at + n > size || size + n > LONGEST)
            return size;
        memmove(text + at + n, text + at, size - at);
        return size + n;
    default:
        if (size + n > LONGEST || strlen(other) <= n)
            return size;
        memcpy(piece, other + below(strlen(other) - n), n);
        memmove(text + at + n, text + at, size - at);
        memcpy(text + at, piece, n);
        return size + n;
    }
}

static void test_mutated_decks_are_read_or_refused(void **state)
{
    static char text[LONGEST + 1];

    (void)state;
    random_state = 88172645463325252u;
    for (int round = 0; round < ROUNDS; round++) {
        const char *seed = seeds[below(sizeof seeds / sizeof seeds[0])];
        size_t size = strlen(seed);
        char *exact;

        memcpy(text, seed, size);
        for (size_t changes = below(6); changes > 0; changes--)
            size = mutate(text, size);
        /* A copy of just this size: a read beyond it is seen by the sanitizer. */
        exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        memcpy(exact, text, size);
        assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)exact, size), 0);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutated_decks_are_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

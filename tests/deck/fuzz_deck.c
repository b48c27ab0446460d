/* Any bytes as a deck: no crash, no leak, and what is accepted can be printed, read again and sent.
 *
 * By hand, with libFuzzer, in a build folder configured with CC=clang and --enable-sanitizers:
 *
 *   clang -g -fsanitize=fuzzer,address,undefined -I$SRC/src -I. $SRC/tests/deck/fuzz_deck.c $SRC/src/deck/[a-z]*.c \
 *       $SRC/src/base/[a-z]*.c -lyaml -ljansson -lutf8proc -lm -o fuzz_deck && ./fuzz_deck -max_len=4096 corpus/
 *
 * tests/deck/test_deck_fuzz.c runs the same function on a fixed series of mutations in make check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deck/deck.h"
#include "fuzz_deck.h"

/* The deck once more, from its own text or bytes: both have to give the same identity. */
static void check_round_trip(const struct laser_deck *deck)
{
    struct laser_deck *read = NULL, *sent = NULL;
    char *text = laser_deck_print(deck, LASER_COMMAND_NONE), *bytes = NULL;
    char *expected = laser_deck_json(deck, LASER_COMMAND_NONE, 1), *a, *b;
    struct laser_error err = {0};
    size_t size;

    if (text == NULL || expected == NULL || laser_deck_new(&read, &err) != LASER_OK ||
        laser_deck_read_text(read, "again.yaml", text, strlen(text), &err) != LASER_OK ||
        laser_deck_pack(deck, &bytes, &size, &err) != LASER_OK ||
        laser_deck_unpack(&sent, bytes, size, &err) != LASER_OK)
        abort();
    a = laser_deck_json(read, LASER_COMMAND_NONE, 1);
    b = laser_deck_json(sent, LASER_COMMAND_NONE, 1);
    if (a == NULL || b == NULL || strcmp(a, expected) != 0 || strcmp(b, expected) != 0)
        abort();
    free(a);
    free(b);
    free(bytes);
    free(text);
    free(expected);
    laser_deck_free(read);
    laser_deck_free(sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laser_deck *deck = NULL;
    struct laser_error err = {0};

    if (laser_deck_new(&deck, &err) != LASER_OK)
        abort();
    if (laser_deck_read_text(deck, "fuzz.yaml", (const char *)data, size, &err) == LASER_OK)
        check_round_trip(deck);
    else if (err.code != LASER_EUSAGE || err.text[0] == '\0')
        abort();
    laser_deck_free(deck);
    return 0;
}

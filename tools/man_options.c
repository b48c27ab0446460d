/* Prints what is made from the tables of keys and commands: the man page's lists (man), doc/settings.md (markdown),
 * completion for bash and zsh. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/deck.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        char *(*make)(void);
    } kinds[] = {{"man", laser_deck_roff},
                 {"markdown", laser_deck_markdown},
                 {"bash", laser_deck_bash},
                 {"zsh", laser_deck_zsh}};

    for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            char *text = kinds[i].make();
            int failed = text == NULL || fputs(text, stdout) == EOF;

            free(text);
            return failed;
        }
    fprintf(stderr, "usage: man_options man|markdown|bash|zsh\n");
    return 2;
}

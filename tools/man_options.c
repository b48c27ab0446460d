/* Prints the man page's lists of options and keys; make man-options puts them into doc/laser_mpi.1. */
#include <stdio.h>
#include <stdlib.h>

#include "deck/deck.h"

int main(void)
{
    char *roff = laser_deck_roff();

    if (roff == NULL || fputs(roff, stdout) == EOF)
        return 1;
    free(roff);
    return 0;
}

#!/bin/sh
# Every key that the program asks a deck for is in the schema.
schema=$SRCDIR/src/deck/schema.c
find "$SRCDIR/src" "$SRCDIR/mpi" -name '*.c' -exec cat {} + | tr '\n' ' ' |
    grep -oE 'laser_deck_(string|int|real|bool|is|list|pairs|has|is_set|origin)\([^,()"]*, *"[^"]*"' |
    sed 's/.*"\(.*\)"$/\1/' | sort -u > deck-keys.tmp
status=0
while read -r key; do
    grep -q "{\"$key\", *LASER_TYPE" "$schema" || { echo "no key \"$key\" in src/deck/schema.c"; status=1; }
done < deck-keys.tmp
test -s deck-keys.tmp || { echo "no call found: the pattern is out of date"; status=1; }
rm -f deck-keys.tmp
exit $status

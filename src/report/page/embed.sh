#!/bin/sh
# Writes the sources of the page as C tables: embed.sh DIRECTORY >page_tables.c
set -e
cd "$1"
table() { # name, files
    table_name=$1
    shift
    echo "const unsigned char laser_page_$table_name[] = {"
    cat "$@" | od -An -v -tu1 | sed 's/^ *//; s/  */,/g; s/$/,/'
    echo "0};"
    echo "const size_t laser_page_${table_name}_size = sizeof laser_page_$table_name - 1;"
}
echo '/* Made by src/report/page/embed.sh when the program is built. */'
echo '#include "report/page_parts.h"'
table html page.html
table css page.css
table js base.js model.js maps.js figures.js tables.js tasks.js learned.js main.js

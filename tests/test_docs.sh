#!/bin/sh
# The documentation holds together: each relative link leads to a file, each anchor to a heading, and each command that it shows
# is one of the program's.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
cd "$SRCDIR" || exit 1

# anchors FILE: those of its headings, as GitHub and MkDocs make them.
anchors() {
    sed -n 's/^##* *//p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/`//g; s/[^a-z0-9 _-]//g; s/ /-/g'
}
links() { # FILE: the targets of its links, code blocks left out
    awk '/^```/ { code = !code; next } !code' "$1" | grep -oE '\]\([^)# ]*(#[^) ]*)?\)' | sed 's/^](//; s/)$//'
}
broken_links() { # FILE: what leads nowhere
    for link in $(links "$1"); do
        case $link in *://* | mailto:*) continue ;; esac
        file=${link%%#*}
        target=$(dirname "$1")/$file
        [ -n "$file" ] || target=$1
        if [ ! -e "$target" ]; then
            echo "$1: $link: no such file"
        elif [ "$link" != "$file" ] && ! anchors "$target" | grep -qxF -- "${link#*#}"; then
            echo "$1: $link: no such heading"
        fi
    done
}
for page in README.md CONTRIBUTING.md doc/*.md bench/*.md inputs/*.md; do
    [ -f "$page" ] || continue
    check "$page: its links lead somewhere" test -z "$(broken_links "$page" | tee "$scratch/broken")"
    cat "$scratch/broken"
done

# Commands of the program as code blocks and tables show them.
known=$("$laser" --help 2>/dev/null | awk '/^  [a-z]/ { print $1 }')
shown() {
    cat README.md doc/*.md | awk '/^```/ { code = !code; next } code' | sed 's/\\$//' |
        grep -oE '(^|/| )laser_mpi +[a-z]+( |$)' | awk '{ print $NF }' | sort -u
}
unknown=$(for word in $(shown); do echo "$known" | grep -qx "$word" || echo "$word"; done)
check "every command that is shown exists" test -z "$unknown"
[ -z "$unknown" ] || echo "    not a command: $unknown"
check "... and some are shown" test "$(shown | wc -l)" -gt 5

# Keys given with --set.
keys=$("$laser" reduce --print-deck 2>/dev/null; for c in compress generate plan; do "$laser" $c --print-deck 2>/dev/null; done)
missing=$(cat README.md doc/*.md | grep -oE -- '--set [a-z_]+\.[a-z_]+' | awk '{ print $2 }' | sort -u | while read -r key; do
    printf '%s\n' "$keys" | awk -v section="${key%%.*}:" -v name="${key#*.}:" '
        /^[a-z]/ { in_section = ($1 == section) } in_section && $1 == name { found = 1 } END { exit !found }' || echo "$key"
done)
check "every key that is shown exists" test -z "$missing"
[ -z "$missing" ] || echo "    not a key: $missing"
finish

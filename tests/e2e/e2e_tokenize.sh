#!/bin/sh
# The command tokenize: ids, pieces and counts of a text, for people and as JSON lines, and what is refused.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
golden=$SRCDIR/tests/golden/tokenizer

printf 'In the beginning' >"$scratch/text"
check "a text" run 1 tokenize --model "$demo" "$scratch/text"
check "... each token with its place, id and piece" grep -qE '^ +0 +[0-9]+  "' "$scratch/last.log"
check "... and their number" says '^TOKENS +[0-9]+ of 16 bytes \(16 characters\), [0-9]+ kinds of [0-9]+ in the vocabulary, [0-9.]+ bytes a token$'
n=$(grep -cE '^ +[0-9]+ +[0-9]+  "' "$scratch/last.log")
check "... as many as it lists" says "^TOKENS +$n of 16 bytes"
check "as JSON" run 1 tokenize --model "$demo" "$scratch/text" --log json
check "... one object for each" [ "$(grep -c '"event":"TOKEN",' "$scratch/last.log")" = "$n" ]
check "... that Python's json reads" sh -c "! command -v python3 || python3 -c 'import json,sys
rows = [json.loads(line) for line in open(\"$scratch/last.log\")]
assert [r[\"token\"][\"position\"] for r in rows[:-1]] == list(range($n)), rows
assert rows[-1][\"counts\"][\"tokens\"] == $n and rows[-1][\"counts\"][\"bytes\"] == 16, rows[-1]'"

# tools/golden/make_tokenizer.py: t5 ends a text with </s>
mkdir "$scratch/t5" && cp "$golden/t5.json" "$scratch/t5/tokenizer.json"
printf '\357\254\201n' >"$scratch/ligature"
check "a charsmap" run 1 tokenize --model "$scratch/t5" "$scratch/ligature"
check "... replaces a ligature" grep -qE '^ +0 +[0-9]+  "▁f"$' "$scratch/last.log"
check "... a special token is marked" grep -qE '^ +[0-9]+ +1  "</s>"  special$' "$scratch/last.log"
check "without special tokens" run 1 tokenize --model "$scratch/t5" "$scratch/ligature" --special-tokens false
check "... there is none" sh -c "! grep -q special '$scratch/last.log'"
check "a file of its own as the model" run 1 tokenize --model "$golden/t5.json" "$scratch/ligature"
printf '\344\270\255' >"$scratch/chinese"
check "an unknown character" run 1 tokenize --model "$golden/t5.json" "$scratch/chinese"
check "... is counted" says '^TOKENS .*, 1 unknown$'
: >"$scratch/empty"
check "an empty text" run 1 tokenize --model "$golden/gpt2.json" "$scratch/empty"
check "... has no token" says '^TOKENS +0 of 0 bytes \(0 characters\), 0 kinds of [0-9]+ in the vocabulary$'
check "the standard input" sh -c "printf 'In the beginning' | '$laser' tokenize --model '$demo' - >'$scratch/last.log'"
check "... the same" says "^TOKENS +$n of 16 bytes"

check "no model" refuses 2 'whose tokenizer\? give --model DIR' 1 tokenize "$scratch/text"
check "no file" refuses 3 "$scratch/nowhere" 1 tokenize --model "$demo" "$scratch/nowhere"
check "no text" refuses 2 'tokenize' 1 tokenize --model "$demo"
printf 'ab\377' >"$scratch/bytes"
check "no UTF-8" refuses 3 "bytes: the text is not UTF-8: byte 2" 1 tokenize --model "$demo" "$scratch/bytes"
check "no tokenizer" refuses 3 "tokenizer.json" 1 tokenize --model "$SRCDIR/tests/golden/model/llama" "$scratch/text"
sed 's/"precompiled_charsmap":"....../"precompiled_charsmap":"AAAAEA/' "$golden/t5.json" >"$scratch/t5/tokenizer.json"
check "a torn charsmap" refuses 3 "t5/tokenizer.json: normalizer Precompiled: its charsmap is torn: it is shorter" 1 \
    tokenize --model "$scratch/t5" "$scratch/text"
finish

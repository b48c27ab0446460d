#!/bin/sh
# Bad input through the program: the documented exit code on every rank, a message that names the place, no hang, nothing
# half-written.
. "$SRCDIR/tests/e2e/e2e_lib.sh"
out=$scratch/out
mkdir "$out"
limit=60

nothing_made() { ! [ -e "$1" ]; }
no_results() { ! [ -e "$1/results.json" ] && ! [ -e "$1/spectra.h5" ] && ! [ -e "$1/model" ]; }
copy_demo() { cp -R "$demo" "$1" && chmod -R u+w "$1"; }

# everywhere NAME CODE PATTERN ARGUMENTS...: refused on 1 and on 3 ranks.
everywhere() {
    everywhere_name=$1 everywhere_code=$2 everywhere_pattern=$3
    shift 3
    for everywhere_n in $(ranks_of 1 3); do
        check "$everywhere_name, $everywhere_n ranks" refuses "$everywhere_code" "$everywhere_pattern" \
            "$everywhere_n" "$@"
    done
}
reduce_of() { # model, options...
    reduce_model=$1
    shift
    echo "reduce --compat laserrmt --model $reduce_model --set evaluate.max_tokens=1000 --set reduce.candidates=2 $*"
}

# ---- command line and deck ----
everywhere "no such option" 2 "treshold" scan --treshold laserrmt
everywhere "an unknown key" 2 'scan.threshold' scan --model "$demo" --output "$out/a" --set scan.treshold=laserrmt
printf 'version: 1\nmodel: %s\nscan:\n  treshold: laserrmt\n' "$demo" >"$scratch/key.yaml"
everywhere "an unknown key in a deck" 2 'key.yaml:4.*scan\.treshold.*scan\.threshold' scan "$scratch/key.yaml" --output "$out/a"
printf 'version: 7\nmodel: %s\n' "$demo" >"$scratch/version.yaml"
everywhere "a deck of another version" 2 'version.yaml:1.*version' scan "$scratch/version.yaml" --output "$out/a"
printf 'version: 1\nscan:\n  top_percent: many\n' >"$scratch/type.yaml"
everywhere "a value of the wrong type" 2 'type.yaml:3.*top_percent' scan "$scratch/type.yaml" --model "$demo" --output "$out/a"
everywhere "a rule that does not exist" 2 'threshold' scan --model "$demo" --threshold median --output "$out/a"
everywhere "no such deck" 2 'no-such.yaml' run "$scratch/no-such.yaml"
everywhere "no such command" 2 'scna' scna --model "$demo"
mkfifo "$scratch/fifo"
everywhere "a text that is no file" 3 'fifo: is not a regular file' perplexity --model "$demo" --text "a=$scratch/fifo" --output "$out/fifo"
printf '\050\265\057\375 some frame' >"$scratch/text.jsonl.zst"
everywhere "a text that zstd has compressed" 3 "text.jsonl.zst: this is compressed by zstd.*zstd -d" perplexity --model "$demo" --text "a=$scratch/text.jsonl.zst" --output "$out/fifo"
printf 'ARROW1\0\0....' >"$scratch/task.jsonl"
everywhere "questions that are an Arrow file" 3 "task.jsonl: this is an Arrow file" evaluate --model "$demo" --task "a=$scratch/task.jsonl" --output "$out/fifo"
everywhere "spectra that are no file" 3 'fifo: is not a regular file' derive "$scratch/fifo" --output "$out/a"
# An HDF5 file that another process holds.
run 1 scan --model "$demo" --output "$out/held" >/dev/null 2>&1
if command -v flock >/dev/null && [ -f "$out/held/spectra.h5" ]; then
    cp "$out/held/spectra.h5" "$scratch/matrices.h5"
    for held in "$out/held/spectra.h5" "$scratch/matrices.h5"; do
        flock -x "$held" sh -c 'echo $$ >"$1.held"; exec sleep 600' - "$held" &
        until [ -s "$held.held" ]; do sleep 0.05; done
    done
    locked='is locked \(unable to lock file, errno = 11.*another process has it open for writing.*HDF5_USE_FILE_LOCKING'
    everywhere "spectra that another process holds" 5 "spectra.h5: .*$locked" derive "$out/held" --output "$out/held-derived"
    everywhere "matrices that another process holds" 5 "matrices.h5: .*$locked" scan --model "$scratch/matrices.h5" --output "$out/held-scan"
    kill $(cat "$out/held/spectra.h5.held" "$scratch/matrices.h5.held")
    wait
else
    skip "a locked HDF5 file" "no flock"
fi
long=$(printf '%0230d' 0 | tr 0 m)
too_long='scan.model_id: the model.s name is too long for a file: snr_results_m+\.\.\. would have 276 bytes, at most 255 are possible'
everywhere "a model's name that is too long for a file" 2 "$too_long" scan --model "$demo" --model-id "$long" --output "$out/long"
everywhere "... before a reduction" 2 "$too_long" reduce --model "$demo" --text "a=$text" --model-id "$long" --output "$out/long"
everywhere "... of a derived scan" 2 "$too_long" derive "$out/held" --model-id "$long" --output "$out/long"
everywhere "... of an export" 2 "$too_long" export "$out/held" --model-id "$long" --output "$out/long"
check "... is refused before the work" nothing_made "$out/long"
longest=$(printf '%0209d' 0 | tr 0 m) # 12 + 209 + 34 bytes
check "the longest name that there is" run 1 scan --model "$demo" --model-id "$longest" --output "$out/longest"
check "... has its file" test -f "$out/longest/snr_results_${longest}_unfrozenparameters_50percent.yaml"
everywhere "no model" 2 'no model' scan --output "$out/a"
everywhere "no matrix is selected" 2 'scan.matrices|--matrices|no matrix|selects' scan --model "$demo" --matrices 'nothing.*' --output "$out/a"
check "... nothing is made" nothing_made "$out/a"

# ---- the model ----
everywhere "no such model" 3 "$scratch/no-model" scan --model "$scratch/no-model" --output "$out/b"
mkdir "$scratch/empty"
everywhere "an empty directory" 3 "$scratch/empty" scan --model "$scratch/empty" --output "$out/b"
copy_demo "$scratch/truncated"
head -c 1000000 "$demo/model.safetensors" >"$scratch/truncated/model.safetensors"
everywhere "a truncated file" 3 'truncated/model.safetensors' scan --model "$scratch/truncated" --output "$out/b"
: >"$scratch/truncated/model.safetensors"
everywhere "an empty file" 3 'truncated/model.safetensors' scan --model "$scratch/truncated" --output "$out/b"
printf '\377\377\377\377\377\377\377\177{}' >"$scratch/truncated/model.safetensors"
everywhere "a header longer than the file" 3 'truncated/model.safetensors' scan --model "$scratch/truncated" --output "$out/b"
bad_header() { # name, pattern, header, bytes of data
    mkdir "$scratch/h"
    awk -v n="${#3}" 'BEGIN { printf "%c%c", n % 256, int(n / 256) }' >"$scratch/h/model.safetensors"
    head -c 6 /dev/zero >>"$scratch/h/model.safetensors"
    printf '%s' "$3" >>"$scratch/h/model.safetensors"
    head -c "$4" /dev/zero >>"$scratch/h/model.safetensors"
    check "$1" refuses 3 "h/model.safetensors.*$2" 2 scan --model "$scratch/h" --output "$out/b"
    rm -r "$scratch/h"
}
w='model.layers.0.mlp.up_proj.weight'
bad_header "overlapping offsets" "" '{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}}' 24
bad_header "a hole between offsets" "" '{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[24,40]}}' 40
bad_header "a name twice" "" '{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}' 32
bad_header "a shape that does not match its size" "$w" "{\"$w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,16]}}" 16
bad_header "a shape that overflows" "$w" "{\"$w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,16]}}" 16
bad_header "an unknown dtype" "F12" "{\"$w\":{\"dtype\":\"F12\",\"shape\":[2,2],\"data_offsets\":[0,16]}}" 16
bad_header "a negative number" "$w" "{\"$w\":{\"dtype\":\"F32\",\"shape\":[-2,2],\"data_offsets\":[0,16]}}" 16
bad_header "a fractional number" "$w" "{\"$w\":{\"dtype\":\"F32\",\"shape\":[2.5,2],\"data_offsets\":[0,16]}}" 16
bad_header "deep nesting" "" "{\"a\":$(printf '%4000s' | tr ' ' '[')" 16
copy_demo "$scratch/index"
mv "$scratch/index/model.safetensors" "$scratch/index/model-1.safetensors"
index() { printf '{"metadata":{},"weight_map":{"%s":"%s"}}' "$1" "$2" >"$scratch/index/model.safetensors.index.json"; }
index model.norm.weight gone.safetensors
everywhere "a shard is missing" 3 'gone.safetensors' scan --model "$scratch/index" --output "$out/b"
index model.norm.weight ../index/model-1.safetensors
everywhere "a shard elsewhere" 3 'model.safetensors.index.json.*\.\.|\.\..*index' scan --model "$scratch/index" --output "$out/b"
index model.nothing.weight model-1.safetensors
everywhere "a tensor that its shard lacks" 3 'model.nothing.weight' scan --model "$scratch/index" --output "$out/b"
check "... nothing is made" nothing_made "$out/b"

# ---- names and packings that tools leave behind ----
for prefix in base_model.model. _orig_mod. module.; do
    copy_demo "$scratch/prefixed"
    rm "$scratch/prefixed/model.safetensors"
    "$tool" prefix "$demo/model.safetensors" "$scratch/prefixed/model.safetensors" $prefix
    everywhere "every name begins with $prefix" 3 "names begin with \"$prefix\", which a training tool has left there" \
        perplexity --model "$scratch/prefixed" --text "a=$text" --output "$out/prefixed"
    rm -r "$scratch/prefixed"
done
mkdir "$scratch/packed"
put_header() { # header, bytes of data
    awk -v n="${#1}" 'BEGIN { printf "%c%c", n % 256, int(n / 256) }' >"$scratch/packed/model.safetensors"
    head -c 6 /dev/zero >>"$scratch/packed/model.safetensors"
    printf '%s' "$1" >>"$scratch/packed/model.safetensors"
    head -c "$2" /dev/zero >>"$scratch/packed/model.safetensors"
}
q='model.layers.0.self_attn.q_proj'
put_header "{\"$q.W_q\":{\"dtype\":\"U8\",\"shape\":[8,8],\"data_offsets\":[0,64]}}" 64
everywhere "packed weights (HQQ)" 3 "the weights of 1 matrix are packed integers \(HQQ: $q.W_q\).*written back as floats" \
    scan --model "$scratch/packed" --output "$out/packed"
put_header "{\"$q.codes\":{\"dtype\":\"I32\",\"shape\":[4,4],\"data_offsets\":[0,64]},\"$q.codebooks\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[64,80]}}" 80
everywhere "packed weights (AQLM), asked for by a glob" 3 "the weights of 1 matrix are packed integers \(AQLM" \
    scan --model "$scratch/packed" --matrices '*q_proj.weight' --output "$out/packed"
check "... nothing is made" nothing_made "$out/packed"

# ---- what stands where a file should be ----
lfs() { printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 0; }
page() { echo '<!DOCTYPE html><html><body>401 Unauthorized</body></html>'; }
for file in model.safetensors config.json tokenizer.json; do
    copy_demo "$scratch/stray"
    lfs >"$scratch/stray/$file"
    everywhere "a pointer of Git LFS for $file" 3 "stray/$file: this is a pointer of Git LFS.*git lfs pull" \
        perplexity --model "$scratch/stray" --text "a=$text" --output "$out/stray"
    rm -r "$scratch/stray"
done
for file in model.safetensors config.json; do
    copy_demo "$scratch/stray"
    page >"$scratch/stray/$file"
    everywhere "an HTML page for $file" 3 "stray/$file: this is an HTML page" scan --model "$scratch/stray" --output "$out/stray"
    rm -r "$scratch/stray"
done
copy_demo "$scratch/stray"
rm "$scratch/stray/tokenizer.json"
: >"$scratch/stray/tokenizer.model"
everywhere "a tokenizer of SentencePiece alone" 3 'stray/tokenizer.model: not a SentencePiece model: it has no pieces' \
    perplexity --model "$scratch/stray" --text "a=$text" --output "$out/stray"
lfs >"$scratch/lfs.txt"
everywhere "a text that is a pointer of Git LFS" 3 'lfs.txt: this is a pointer of Git LFS' \
    perplexity --model "$demo" --text "a=$scratch/lfs.txt" --output "$out/stray"
everywhere "an output directory as a model" 3 'held: this is an output directory of laser_mpi, not a model' scan --model "$out/held" --output "$out/stray"
mkdir -p "$scratch/models--a--b/snapshots/1"
everywhere "a folder of the hub cache as a model" 3 'models--a--b: this is a folder of the hub cache.*snapshots/' \
    scan --model "$scratch/models--a--b" --output "$out/stray"
check "... no results" no_results "$out/stray"

# ---- matrices that fail, and odd ones that do not ----
mkdir "$scratch/mixed"
m=model.layers
"$tool" checkpoint "$scratch/mixed" $m.0.mlp.up_proj.weight:40:30:normal $m.1.mlp.up_proj.weight:40:30:nan \
    $m.2.mlp.up_proj.weight:30:40:inf $m.3.mlp.up_proj.weight:30:40:normal
for solver in auto gesvd; do
    for n in $(ranks_of 1 3); do
        check "NaN and Inf by $solver, $n ranks" refuses 4 "$m.1.mlp.up_proj.weight.*2 of 4 matrices failed" "$n" \
            scan --model "$scratch/mixed" --output "$out/mixed-$solver-$n" --solver $solver
        check "... the others are done" test "$("$tool" get "$out/mixed-$solver-$n/results.json" counts scanned)" = 2
        check "... the place is told" says "FAILED +$m.2.mlp.up_proj.weight.*row 29.*column 39|$m.2.*29.*39"
    done
    check "NaN and Inf by $solver in a group" refuses 4 "2 of 4 matrices failed" 3 \
        scan --model "$scratch/mixed" --output "$out/mixed-$solver-g" --solver $solver --group-size 2
done
check "again: failed ones are tried again" refuses 4 "2 of 4 matrices failed" 2 \
    scan --model "$scratch/mixed" --output "$out/mixed-auto-1"
mkdir "$scratch/odd"
"$tool" checkpoint "$scratch/odd" $m.0.mlp.up_proj.weight:1:30:normal $m.1.mlp.up_proj.weight:30:1:normal \
    $m.2.mlp.up_proj.weight:1:1:normal $m.3.mlp.up_proj.weight:20:30:zero $m.4.mlp.up_proj.weight:20:30:lowrank \
    $m.5.mlp.up_proj.weight:20:30:tiny $m.6.mlp.up_proj.weight:30:20:huge $m.7.mlp.up_proj.weight:30:20:graded
check "odd matrices" run 1 scan --model "$scratch/odd" --output "$out/odd" --solver gesvd
check "... all are scanned" test "$("$tool" get "$out/odd/results.json" counts scanned)" = 8
check "... strict JSON, with infinities" "$tool" canonical "$out/odd/results.json"
for n in $(ranks_of 3); do
    check "odd matrices, auto, $n ranks" run "$n" scan --model "$scratch/odd" --output "$out/odd-$n"
    check "... the same ranks and scores as gesvd" near_results "$out/odd" "$out/odd-$n" 1e-9
    check "odd matrices, a group of 2" run 3 scan --model "$scratch/odd" --output "$out/odd-g" --group-size 2
    check "... the same ranks and scores as gesvd" near_results "$out/odd" "$out/odd-g" 1e-9
done
mkdir "$scratch/line"
"$tool" checkpoint "$scratch/line" $m.0.mlp.up_proj.weight:1:64:normal
check "only a 1 x n matrix, more ranks than matrices" run 4 scan --model "$scratch/line" --output "$out/line"
check "... is scanned" test "$("$tool" get "$out/line/results.json" matrices 0 status)" = scanned

# ---- evaluation ----
everywhere "reduce without config.json" 3 'config.json' $(reduce_of "$scratch/mixed" --text "a=$text" --output "$out/g")
everywhere "no text" 2 'evaluate.text' $(reduce_of "$demo" --output "$out/c")
everywhere "no such text" 3 'no-such.txt' $(reduce_of "$demo" --text "a=$scratch/no-such.txt" --output "$out/c")
echo short >"$scratch/short.txt"
everywhere "a text shorter than a window" 3 'short' $(reduce_of "$demo" --text "a=$scratch/short.txt" --output "$out/c")
copy_demo "$scratch/no-tokenizer"
rm "$scratch/no-tokenizer/"tokenizer*
everywhere "no tokenizer" 3 'no-tokenizer.*tokenizer' $(reduce_of "$scratch/no-tokenizer" --text "a=$text" --output "$out/d")
copy_demo "$scratch/vocabulary"
sed 's/"vocab_size": 768/"vocab_size": 700/' "$demo/config.json" >"$scratch/vocabulary/config.json"
everywhere "a vocabulary that does not match" 3 'vocab|embed_tokens|token' $(reduce_of "$scratch/vocabulary" --text "a=$text" --output "$out/e")
copy_demo "$scratch/unknown"
sed 's/"llama"/"lama"/; s/LlamaFor/LamaFor/' "$demo/config.json" >"$scratch/unknown/config.json"
everywhere "an architecture that is not known" 3 'lama' $(reduce_of "$scratch/unknown" --text "a=$text" --output "$out/f")
everywhere "spectra that are none" 3 'demo/config.json|config.json' derive "$demo/config.json" --output "$out/h"
for d in c d e f g h; do check "no results in $d" no_results "$out/$d"; done

# ---- the output ----
copy_demo "$scratch/model"
everywhere "output is the model directory" 2 'is the model directory' scan --model "$scratch/model" --output "$scratch/model"
everywhere "output is inside it" 2 'inside the model directory' scan --model "$scratch/model" --output "$scratch/model/x/y"
ln -s "$scratch/model" "$scratch/link"
everywhere "output is inside it by a link" 2 'inside the model directory' scan --model "$scratch/model" --output "$scratch/link/x"
check "the model directory is as it was" diff -r "$demo" "$scratch/model"
everywhere "output is a file" 5 'not a directory|cannot make' scan --model "$demo" --output "$text/x"
# A directory without write permission, as somebody whom permissions bind.
mkdir "$scratch/locked"
chmod 555 "$scratch/locked"
if [ "$(id -u)" != 0 ]; then
    everywhere "output is not writable" 5 'locked.*Permission denied' scan --model "$demo" --output "$scratch/locked"
    everywhere "output cannot be made" 5 'locked.*Permission denied' scan --model "$demo" --output "$scratch/locked/x"
elif command -v setpriv >/dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$laser" -a -r "$demo"; then
    chmod 755 "$scratch"
    mkdir -m 777 "$scratch/tmp"
    as="env TMPDIR=$scratch/tmp setpriv --reuid 65534 --regid 65534 --clear-groups"
    # Without a launcher: its socket directory belongs to root.
    check "output is not writable" refuses 5 'locked.*Permission denied' 0 scan --model "$demo" --output "$scratch/locked"
    check "output cannot be made" refuses 5 'locked.*Permission denied' 0 scan --model "$demo" --output "$scratch/locked/x"
    as=
else
    skip "output is not writable" "root, and no setpriv or a build directory that others may not read"
fi
chmod 755 "$scratch/locked"
# A full disk.
mkdir "$scratch/disk"
if mount -t tmpfs -o size=256k none "$scratch/disk" 2>/dev/null; then
    trap 'umount "$scratch/disk" 2>/dev/null; rm -rf "$scratch"' EXIT
    head -c 200k /dev/zero >"$scratch/disk/fill"
    everywhere "a full disk, scan" 5 "disk/out.*(No space|disk full|room)" scan --model "$demo" --output "$scratch/disk/out"
    check "... no results" no_results "$scratch/disk/out"
    rm -r "$scratch/disk/out" "$scratch/disk/fill"
    everywhere "a disk without room for the model" 5 "disk/out.*too little space: [0-9]+ bytes free, [0-9]+ needed" \
        $(reduce_of "$demo" --text "a=$text" --output "$scratch/disk/out")
    check "... said before any work" says_not "PHASE"
    umount "$scratch/disk"
else
    skip "a full disk" "no permission to mount a small file system"
fi
finish

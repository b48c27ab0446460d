#!/bin/sh
# The walls of the architecture (doc/architecture.md): src/ knows no MPI, modules depend on each other along a fixed
# acyclic order only, every header compiles by itself.
cd "${SRCDIR:-$(dirname "$0")/..}" || exit 1
passed=0 failed=0
check() { # name, output that must be empty
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not so: %s\n%s\n' "$1" "$2"
    fi
}

check "src/ does not include MPI" "$(grep -rlE '#include *[<"]mpi\.h' src)"
check "src/store alone includes HDF5" "$(grep -rlE '#include *[<"]hdf5\.h' src mpi | grep -v '^src/store/')"
check "mpi/ holds no file without MPI or an agreement of ranks" \
    "$(grep -rLE '(^|[^a-z_])(MPI_[A-Z]|laser_mpi_(agree|farm_run|share|wait|barrier|world|texts_open)|pd[a-z]+_ *\()' mpi --include='*.c')"
check "src/ neither prints nor exits" \
    "$(grep -rnE '(^|[^a-z_])(printf|puts|putchar|exit|abort) *\(' src --include='*.c' | grep -vE '^src/[^:]*:[0-9]+: *(/?\*|//)')"

# module: the modules it may include (itself is understood)
allowed() {
    case $1 in
    src/base) echo "" ;;
    src/corpus | src/kernels | src/layout | src/search | src/spectrum) echo base ;;
    src/deck) echo "base corpus kernels spectrum" ;;
    src/arch) echo "base kernels" ;;
    src/checkpoint) echo "arch base" ;;
    src/tokenizer) echo "base checkpoint" ;;
    src/linalg | src/report) echo "base spectrum" ;;
    src/exchange) echo "arch base checkpoint report" ;;
    src/model) echo "arch base checkpoint kernels" ;;
    src/task) echo "arch base checkpoint corpus kernels model" ;;
    src/generate) echo "base checkpoint tokenizer" ;;
    src/run) echo "arch base checkpoint deck report spectrum" ;;
    src/store) echo "arch base checkpoint corpus deck exchange report run spectrum" ;;
    src/plan) echo "arch base checkpoint deck kernels layout linalg model run" ;;
    src/evaluate) echo "arch base checkpoint corpus deck kernels model plan run search store task tokenizer" ;;
    src/sensitivity) echo "arch base checkpoint deck evaluate kernels linalg model plan run spectrum store" ;;
    src/compress) echo "arch base checkpoint deck evaluate linalg plan run search store" ;;
    src/reduce)
        echo "arch base checkpoint compress corpus deck evaluate linalg model plan report run search sensitivity spectrum store" ;;
    src/commands) echo "arch base checkpoint deck exchange report run spectrum store task tokenizer" ;;
    mpi/comm) echo "base report run" ;;
    mpi/grid) echo "base comm layout" ;;
    mpi/svd) echo "base comm grid layout linalg" ;;
    mpi/forward) echo "base comm model" ;;
    mpi/schedule)
        echo "arch base checkpoint comm deck grid kernels layout linalg model plan report run spectrum store svd" ;;
    mpi/evaluate)
        echo "arch base checkpoint comm corpus deck forward generate kernels model plan run schedule search store task tokenizer" ;;
    mpi/sensitivity)
        echo "arch base checkpoint comm evaluate forward kernels linalg model plan run schedule spectrum store" ;;
    mpi/compress)
        echo "arch base checkpoint comm compress corpus evaluate plan report run schedule search sensitivity store" ;;
    mpi/reduce)
        echo "arch base checkpoint comm compress corpus evaluate layout linalg model plan report run schedule search sensitivity spectrum store svd" ;;
    mpi/commands)
        echo "arch base checkpoint comm compress evaluate exchange generate kernels linalg model plan reduce report run schedule search sensitivity spectrum store task" ;;
    *) echo "" ;;
    esac
}
wrong=$(for module in src/*/ mpi/*/; do
    module=${module%/}
    for used in $(grep -ohE '^#include "[a-z_]+/' "$module"/*.[ch] 2>/dev/null | sed 's/#include "//; s,/,,' | sort -u); do
        case " $(allowed "$module") ${module#*/} " in
        *" $used "*) ;;
        *) echo "$module includes $used" ;;
        esac
    done
done)
check "modules include only those below them" "$wrong"

# Two files of a module that use each other's functions are one file, or three.
circles() { # module
    # shellcheck disable=SC2016
    awk '
    FNR == 1 { file = FILENAME }
    !uses { # where each function stands
        if (/^[a-z]/ && !/^static/ && !/;[ \t]*$/ && match($0, /laser_[a-z0-9_]+\(/))
            home[substr($0, RSTART, RLENGTH - 1)] = file
        next
    }
    {
        line = $0
        while (match(line, /laser_[a-z0-9_]+/)) {
            name = substr(line, RSTART, RLENGTH)
            before = substr(line, 1, RSTART - 1)
            line = substr(line, RSTART + RLENGTH)
            if (name in home && home[name] != file && before !~ /(struct|enum) $/)
                print file, home[name]
        }
    }' "$1"/*.c uses=1 "$1"/*.c | sort -u | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \(.*\.c\)$/\1/p' | sort -u
}
check "no two files of a module use each other" "$(for module in src/* mpi/*; do
    [ -d "$module" ] && circles "$module"
done)"

# One writer: temporary, fsync, rename, fsync of the directory.  (run.c puts an old ledger aside.)
check "files appear by src/base/output.h alone" \
    "$(grep -rnE '(^|[^a-z_])(rename|mkstemp|fdopen) *\(|fopen *\([^)]*"[wa]' src mpi --include='*.c' | grep -vE '^(src/base/output|src/run/run)\.c:')"

# Comments name files that are there.  Those of other programs are listed here, and what is made in the build.
elsewhere="rmt_laser.py rmt_laser_snr.py rmt_laser_snr_math.py gptq_data_utils.py laser_scanner.py modeling_rope_utils.py
    generation/logits_process.py encoder.py common_ARCHITECTURE.h page_tables.c a.b.c SRC/tests/deck/fuzz_deck.c
    SRC/tests/tokenizer/fuzz_tokenizer.c models/auto/tokenization_auto.py"
wrong=$(find src mpi tests tools bench doc slurm packaging inputs share -type f -print | awk -v elsewhere="$elsewhere" '
    BEGIN { n = split(elsewhere, e, /[ \n]+/); for (i = 1; i <= n; i++) there[e[i]] = 1 }
    { # the path, and every end of it
        file[++count] = $0
        for (path = $0; path != ""; path = index(path, "/") ? substr(path, index(path, "/") + 1) : "")
            there[path] = 1
    }
    END {
        there["README.md"] = there["CONTRIBUTING.md"] = 1
        for (k = 1; k <= count; k++) {
            if (file[k] !~ /\.[ch]$/)
                continue
            inside = 0
            number = 0
            while ((getline line < file[k]) > 0) {
                number++
                text = line
                if (!inside) {
                    if (!index(line, "/*"))
                        continue
                    text = substr(line, index(line, "/*"))
                }
                inside = !index(text, "*/")
                if (!inside)
                    text = substr(text, 1, index(text, "*/"))
                while (match(text, /[A-Za-z0-9_][A-Za-z0-9_.\/-]*\.(c|h|py|sh|md)/)) {
                    name = substr(text, RSTART, RLENGTH)
                    after = substr(text, RSTART + RLENGTH, 1)
                    text = substr(text, RSTART + RLENGTH)
                    if (after !~ /[A-Za-z0-9_]/ && !(name in there))
                        print file[k] ":" number ": " name
                }
            }
            close(file[k])
        }
    }')
check "files that comments name exist" "$wrong"

mpi_flags=$("${MPICC:-mpicc}" --showme:compile 2>/dev/null)
hdf5_flags=$(pkg-config --cflags hdf5-serial 2>/dev/null || pkg-config --cflags hdf5 2>/dev/null)
# shellcheck disable=SC2086
wrong=$(for h in src/*/*.h; do
    echo "#include \"${h#src/}\"" | ${CC:-cc} -std=gnu11 -fsyntax-only -Isrc $hdf5_flags -x c - >/dev/null 2>&1 || echo "$h"
done
for h in mpi/*/*.h; do
    echo "#include \"${h#mpi/}\"" |
        ${CC:-cc} -std=gnu11 -fsyntax-only -Isrc -Impi $mpi_flags $hdf5_flags -x c - >/dev/null 2>&1 || echo "$h"
done)
check "every header compiles by itself" "$wrong"

[ "$passed" -gt 0 ] && echo "[  PASSED  ] $passed test(s)."
[ "$failed" -gt 0 ] && echo "[  FAILED  ] $failed test(s)."
exit $((failed > 0))

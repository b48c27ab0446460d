#!/bin/sh
# Four hosts made of network namespaces on this machine, with Open MPI over TCP between them: the demo is scanned and reduced
# by groups of ranks that span the hosts, over fast links and over one of 10 ms and 100 Mbit/s; bytes between hosts are
# counted at the interfaces; a host is lost in the middle.
#
#   SRCDIR=.. BUILDDIR=. sh ../tests/cluster/hosts.sh [short]        (make check-hosts)      needs root, Linux and iproute2
. "$SRCDIR/tests/e2e/e2e_lib.sh"
length=${1:-long} me=lmpi$$
out=$scratch/out
mkdir "$out"

clean() {
    trap - EXIT INT TERM
    [ -z "${cable:-}" ] || kill "$cable" 2>/dev/null
    for h in 1 2 3 4; do
        for pid in $(ip netns pids $me-$h 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
        ip netns del $me-$h 2>/dev/null
    done
    ip netns del $me-s 2>/dev/null
    rm -rf "$scratch"
}
why=''
[ "$(id -u)" = 0 ] || why="not root"
[ -n "$why" ] || command -v ip >/dev/null || why="no iproute2 (Debian, Ubuntu: apt-get install iproute2)"
[ -n "$why" ] || "$launcher" --version 2>/dev/null | grep -q "Open MPI" || why="the launcher is not that of Open MPI"
[ -n "$why" ] || { ip netns add $me-s && ip -n $me-s link add switch type bridge && ip -n $me-s link set switch up; } 2>"$scratch/why" ||
    why="no network namespaces here: $(tail -1 "$scratch/why")"
if [ -n "$why" ]; then
    ip netns del $me-s 2>/dev/null
    skip "hosts of network namespaces" "$why"
    finish
fi
trap clean EXIT INT TERM

# host N: its namespace, its interface net0 at the switch, its address 10.77.0.N.
cable_to() { # host
    ip -n $me-s link add port$1 type veth peer name net0 netns $me-$1
    ip -n $me-s link set port$1 master switch up
}
address() {
    ip -n $me-$1 addr add 10.77.0.$1/24 dev net0
    ip -n $me-$1 link set net0 up
}
for h in 1 2 3 4; do
    ip netns add $me-$h && ip -n $me-$h link set lo up && cable_to $h && address $h || exit 1
done
# What mpirun starts a daemon of another host with: in that host's namespace, under a host name of its own.
cat >"$scratch/agent" <<SH
#!/bin/sh
host=\$1
shift
exec ip netns exec $me-\${host##*.} unshare -u sh -c 'hostname host\$0; exec sh -c "\$*"' "\${host##*.}" "\$@"
SH
chmod +x "$scratch/agent"

hosts() { # hosts arguments...: laser_mpi with one rank on each host, rank 0 on the first
    hosts_list=$1
    shift
    rm -rf "$LASER_CODES"
    mkdir "$LASER_CODES"
    n=$(echo "$hosts_list" | tr , '\n' | grep -c .)
    ip netns exec $me-1 unshare -u sh -c 'hostname host1; exec "$@"' sh \
        timeout "${limit:-120}" "$launcher" -n "$n" --host "$hosts_list" --map-by node --mca plm rsh --mca plm_rsh_agent "$scratch/agent" \
        --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
        --mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 2 \
        -x LASER_CODES ${count:+-x LD_PRELOAD=$count -x LASER_COUNT_RANKS=1} "$laser" "$@" >"$scratch/last.log" 2>&1
}
all=10.77.0.1,10.77.0.2,10.77.0.3,10.77.0.4
bytes() { # host: bytes and packets that it has sent
    ip netns exec $me-$1 cat /proc/net/dev | awk '/net0:/ { sub(/.*:/, ""); print $9, $10 }'
}
same_run() { same_results "$1" "$2" && { [ ! -d "$1/model" ] || same_model "$1" "$2"; }; }

tokens=3000 candidates=5
[ "$length" = long ] || tokens=1500 candidates=2
common="reduce --compat laserrmt --model $demo --text demo=$text --set evaluate.max_tokens=$tokens --set reduce.candidates=$candidates"
scan="scan --model $demo --group-size 3" reduce="$common --group-size 3 --shards 3"

check "a scan on one host" run 4 $scan --output "$out/scan-one"
check "a reduction on one host" run 4 $reduce --output "$out/reduce-one"
check "a scan on four hosts, one group that spans three" hosts $all $scan --output "$out/scan"
check "... sees four" test "$(grep -c '^NODE' "$scratch/last.log")" = 4
check "... the same results" same_run "$out/scan-one" "$out/scan"
check "a reduction on four hosts, one copy of the model in shards on three" hosts $all $reduce --output "$out/reduce"
check "... the same results and model" same_run "$out/reduce-one" "$out/reduce"

# Bytes: what MPI calls of a rank send, counted by the profiling interface, against its host's interface.  With a group of two
# ranks each call has one receiver, so that the two can be compared.
count=$scratch/count.so
if ${MPICC:-mpicc} -shared -fPIC -O1 -o "$count" "$SRCDIR/tests/e2e/count_mpi.c" 2>"$scratch/cc.log"; then
    for what in "scan --model $demo --group-size 2" \
        "perplexity --model $demo --text demo=$text --shards 2 --set evaluate.max_tokens=8000"; do
        set -- $(bytes 3)
        before=$1 packets=$2
        check "${what%% *} by two ranks on two hosts" hosts 10.77.0.1,10.77.0.2,10.77.0.3 $what --output "$out/counted-${what%% *}"
        set -- $(bytes 3)
        # A frame has 66 bytes of headers.
        sent=$(($1 - before - 66 * ($2 - packets)))
        said=$(sed -n 's/^RANK 2 sent //p' "$scratch/last.log")
        echo "    ${what%% *}: host 3 sent $sent bytes of payload in $(($2 - packets)) frames, the calls of its rank $said"
        check "... the interface has what the calls sent, within 10 %" awk "BEGIN { exit !($said > 0 && $sent < 1.1 * $said + 60000 && $sent > 0.9 * $said) }"
    done
else
    skip "bytes between hosts" "no compiler wrapper of MPI"
fi
count=''

# One of the links slow.  Over it a group of ranks is a bad idea (ScaLAPACK sends thousands of small messages), so that matrices
# are of one rank there; the shards of the model span it.
if [ "$length" != long ]; then
    skip "a slow link" "the short run leaves it out"
elif ${CC:-cc} -O1 -o "$scratch/slow_link" "$SRCDIR/tests/cluster/slow_link.c" 2>"$scratch/cc.log" && [ -e /dev/net/tun ]; then
    reduce_alone="$common --group-size 1 --shards 3"
    evaluate="perplexity --model $demo --text demo=$text --shards 3 --set evaluate.max_tokens=8000"
    speed() { "$tool" get "$1/results.json" perplexity pooled tokens_per_second; }
    check "a reduction on one host, matrices of one rank" run 4 $reduce_alone --output "$out/alone-one"
    check "an evaluation over fast links" hosts $all $evaluate --output "$out/evaluate-fast"
    ip -n $me-s link del port4
    "$scratch/slow_link" $me-4 net0 $me-s port4 10 100 &
    cable=$!
    sleep 0.3
    ip -n $me-s link set port4 master switch up && address 4
    check "an evaluation over a link of 10 ms and 100 Mbit/s" hosts $all $evaluate --output "$out/evaluate-slow"
    check "... the same results" same_run "$out/evaluate-fast" "$out/evaluate-slow"
    echo "    tokens a second: $(speed "$out/evaluate-fast") over fast links, $(speed "$out/evaluate-slow") with one slow link"
    limit=300
    check "a reduction over it" hosts $all $reduce_alone --output "$out/slow"
    unset limit
    check "... the same results and model" same_run "$out/alone-one" "$out/slow"
    kill $cable
    wait $cable 2>/dev/null
    cable=''
    sleep 0.2
    cable_to 4 && address 4
else
    skip "a slow link" "no compiler or no /dev/net/tun"
fi

# A host is lost.
lose() { # how: crash (its processes die) or link (nothing of it is heard any more)
    rm -rf "$out/lost"
    (trap - EXIT; hosts $all $reduce --set run.stall_time=5s --output "$out/lost"; echo $? >"$scratch/code") &
    i=0
    until grep -q '^decision' "$out/lost/ledger.txt" 2>/dev/null || [ $i = 400 ]; do sleep 0.05; i=$((i + 1)); done
    if [ "$1" = crash ]; then
        for pid in $(ip netns pids $me-3); do kill -9 "$pid" 2>/dev/null; done
    else
        ip -n $me-3 link set net0 down
    fi
    wait $!
    code=$(cat "$scratch/code")
    [ "$1" = crash ] || { for pid in $(ip netns pids $me-3); do kill -9 "$pid" 2>/dev/null; done; address 3 2>/dev/null; ip -n $me-3 link set net0 up; }
    echo "    host 3 lost ($1): exit code $code"
    [ "$code" != 0 ] && [ "$code" != 124 ]
}
for how in crash link; do
    [ "$length" = long ] || [ $how = crash ] || continue
    check "a host is lost in a reduction ($how): the job ends" lose $how
    check "... the same command resumes" hosts $all $reduce --output "$out/lost"
    check "... to the same results and model" same_run "$out/reduce-one" "$out/lost"
done
finish

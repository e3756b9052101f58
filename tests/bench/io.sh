#!/usr/bin/env bash
# io.sh RUNNER CASE: the I/O benchmarks with little work, and no peers but the raw loops. Programs lie
# beside RUNNER, in programs/ (links to the load) and servers/. 77: cannot be tried here.
set -u

runner=$1
programs=$(dirname "$1")/programs
servers=$(dirname "$1")/servers
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
out=$work/out
err=$work/err

fail() {
    printf 'FAILED: %s\n--- stdout\n' "$*"
    cat "$out"
    printf -- '--- stderr\n'
    cat "$err"
    exit 1
}

# run STATUS COMMAND...: it must end with STATUS.
run() {
    local want=$1 got=0
    shift
    "$@" >"$out" 2>"$err" || got=$?
    [ "$got" -eq "$want" ] || fail "status $got instead of $want: $*"
}

has() {
    grep -q -E -e "$2" "$1" || fail "no '$2' in the output"
}

# A directory of programs as the build makes it, with $1 as a server of these lines.
fake() {
    mkdir -p "$work/programs" "$work/servers"
    cp "$(dirname "$runner")/load" "$work/load"
    ln -sf ../load "$work/programs/$1"
    {
        printf '#!/bin/sh\n[ "$1" = version ] && { echo "fake"; exit 0; }\n'
        cat
    } >"$work/servers/$1"
    chmod +x "$work/servers/$1"
}

case $2 in
workloads)
    # Each server, each workload it has; replies are compared by the load.
    for server in epoll uring brigade; do
        [ -x "$servers/$server" ] || continue
        "$servers/$server" nothing >"$out" 2>&1
        [ $? -eq 2 ] || fail "$server knows a workload that does not exist"
        got=0
        "$programs/$server" echo conns=30 count=100 >"$out" 2>"$err" || got=$?
        [ "$server" != uring ] || [ "$got" -ne 2 ] || continue # it is forbidden here
        [ "$got" -eq 0 ] || fail "$server: status $got"
        for figure in request per_s cpu p50 p99; do
            has "$out" "^$figure [0-9.]+ "
        done
        run 0 "$programs/$server" idle count=20
        has "$out" '^each_kib [0-9.-]+ KiB'
    done
    for driver in epoll uring; do
        if [ $driver = uring ] && ! "$programs/brigade" echo conns=1 count=1 driver=uring >"$out" 2>"$err" &&
            grep -q 'not offered by this system' "$err"; then
            continue # there is no io_uring here, or no liburing
        fi
        run 0 "$programs/brigade" echo conns=10 count=100 driver=$driver workers=2
        run 0 "$programs/brigade" late count=50 driver=$driver workers=2
        has "$out" '^p99 [0-9.]+ ms'
    done
    for server in posix brigade; do
        run 0 "$programs/$server" spawn count=6
        has "$out" '^each [0-9.]+ us'
    done
    ;;
wrong)
    # A server that does not start, says it cannot, crashes, or replies wrongly.
    fake epoll <<<'exit 1'
    run 1 "$work/programs/epoll" echo count=100
    has "$err" 'did not start'
    fake epoll <<<'exit 2'
    run 2 "$work/programs/epoll" echo count=100
    has "$out" '^cannot '
    fake epoll <<<'kill -SEGV $$'
    run 1 "$runner" --programs "$work/programs" --quick --repeat 1 --only echo_100 --peers epoll
    has "$out" 'epoll .*FAILED: .*did not start'
    command -v python3 >/dev/null || exit 0
    fake epoll <<'SERVER'
exec python3 -c '
import socket
l = socket.create_server(("127.0.0.1", 0))
print("port", l.getsockname()[1], flush=True)
c = l.accept()[0]
while d := c.recv(64): c.sendall(d[:-1] + b"?")
'
SERVER
    run 1 "$work/programs/epoll" echo conns=1 count=1000
    has "$err" 'a reply is wrong'
    # Its directory is gone, and so is the server.
    fake epoll <<<'echo "$IO_DIRECTORY $$" >"$(dirname "$0")/started"; exit 1'
    run 1 "$work/programs/epoll" echo count=100
    read -r directory pid <"$work/servers/started"
    [ ! -e "$directory" ] && [ ! -e "/proc/$pid" ] || fail "something is left"
    ;;
runner)
    command -v python3 >/dev/null || exit 77
    run 0 "$runner" --programs "$programs" --quick --repeat 2 --peers brigade,brigade_1w,epoll,epoll_1t \
        --only echo,echo_2w,idle,http --json "$work/json"
    has "$out" 'echo_100 +a request +at most .* \(1.03 times the best of epoll\)$'
    python3 - "$work/json" <<'CHECK' || fail "the JSON is not as it should be"
import json, sys
r = json.load(open(sys.argv[1], encoding="utf-8"))
assert r["format"] == "brigade-io-1" and r["interrupted"] is False
rows = {w["name"]: {c["peer"]: c for c in w["results"]} for w in r["workloads"]}
for name in "echo_100", "echo_1000":
    assert set(rows[name]) == {"brigade", "epoll"}, rows[name].keys()
    for c in rows[name].values():
        assert c["status"] == "measured", c
        for metric in "request", "per_s", "cpu", "p50", "p99":
            m = c["metrics"][metric]
            assert len(m["samples"]) == 2 and 0 < m["min"] <= m["median"] <= m["max"], (c, metric)
assert set(rows["echo_2w"]) == {"brigade", "brigade_1w", "epoll", "epoll_1t"}
assert rows["idle"]["brigade"]["status"] == "measured"
assert "brigade_1w" not in rows["idle"]
CHECK
    ;;
options)
    for wrong in '--nonsense' '--repeat 0' '--json' '--peers serial' '--only fib'; do
        # shellcheck disable=SC2086 # words
        run 64 "$runner" $wrong
        [ "$(wc -l <"$err")" -eq 1 ] || fail "not one line"
    done
    run 0 "$runner" --list
    for name in echo_100 echo_1000_uring echo_2w http idle late spawn tokio nginx; do
        has "$out" "^ +$name\b"
    done
    ;;
*)
    printf 'no such case: %s\n' "$2"
    exit 1
    ;;
esac
exit 0

#!/usr/bin/env bash
# contrast.sh PROGRAM CASE: brigade-contrast as a user meets it. 77: cannot be tried here.
set -u

work=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
program=$work/brigade-contrast # a copy, so that /proc tells its processes from others'
cp "$1" "$program" && cp "$(dirname "$1")/asyncio_peer.py" "$work" || exit 1
tree=$work/tree
out=$work/out
err=$work/err

fail() {
    printf 'FAILED: %s\n--- stdout\n' "$*"
    cat "$out"
    printf -- '--- stderr\n'
    cat "$err"
    exit 1
}

# run STATUS ARGUMENT...: the program must end with STATUS.
run() {
    local want=$1 got=0
    shift
    "$program" "$@" >"$out" 2>"$err" || got=$?
    [ "$got" -eq "$want" ] || fail "status $got instead of $want: $*"
}

has() {
    grep -q -e "$2" "$1" || fail "no '$2' in the output"
}

make_tree() {
    mkdir -p "$tree/a/b" "$tree/with space"
    : >"$tree/empty"
    printf 'abc' >"$tree/a/abc"
    head -c 100000 /dev/zero >"$tree/a/b/zeros"
    for i in $(seq 40); do
        seq "$i" $((i * 50)) >"$tree/with space/$i"
    done
    ln -s a/abc "$tree/link"
}

have_python() {
    python3 -c 'import asyncio, hashlib' 2>/dev/null
}

case $2 in
agree)
    make_tree
    run 0 --jobs cpu,mixed --wait 1 --csv "$work/csv" "$tree"
    has "$out" 'modes that hashed a file agree, on 43 files'
    has "$out" '1 symbolic links not followed'
    have_python && modes=6 || modes=5
    for job in cpu mixed; do
        [ "$(grep -c "^$job," "$work/csv")" -eq $modes ] || fail "not $modes modes in $job"
        [ "$(grep "^$job," "$work/csv" | cut -d, -f16,17 | sort -u | wc -l)" -eq 1 ] ||
            fail "more than one digest in $job"
    done
    ;;
sha256sum)
    make_tree
    run 0 --jobs cpu --csv "$work/csv" "$tree"
    want=$(find "$tree" -type f -print0 | LC_ALL=C sort -z | while IFS= read -r -d '' path; do
        printf '%s\0' "$path"
        # Bytes from hex, by printf itself: a variable cannot hold a zero byte.
        printf '%b' "$(sha256sum <"$path" | cut -c1-64 | sed 's/../\\x&/g')"
    done | sha256sum | cut -c1-64)
    has "$work/csv" "^cpu,sequential,.*,$want,"
    has "$work/csv" "^cpu,stealing,.*,$want,"
    ;;
sample)
    # 2 s of waits of 500 ms, one after another, are 4 tasks; the rest is estimated and marked so.
    run 0 --jobs io --n 50 --wait 500 --modes sequential,stealing --csv "$work/csv"
    has "$out" 'sequential .* 4 of 50'
    has "$out" 'estimated, not measured'
    has "$out" 'stealing .*~'
    has "$work/csv" '^io,sequential,1,50,4,1,'
    awk -F, '$2 == "sequential" { exit !($7 >= 2) }' "$work/csv" || fail "it ended too early"
    has "$work/csv" '^io,stealing,1,50,50,0,'
    has "$out" 'io: 50 tasks that each fetch from a server that answers after 500 ms'
    run 0 --jobs io --n 5 --latency 10 --sleep --modes stealing
    has "$out" 'io: 5 tasks that each wait 10'
    # What there can be no connections for sleeps, and says so.
    got=0
    (ulimit -n 200 && exec "$program" --jobs io --n 500 --wait 1 --modes stealing) >"$out" \
        2>"$err" || got=$?
    [ "$got" -eq 0 ] || fail "status $got"
    has "$err" 'io: 500 tasks are more than there can be connections here (72): they sleep'
    has "$out" 'io: 500 tasks that each wait'
    ;;
partial_reach)
    # A mode that cannot have as many says how far it got. The limit is on all tasks of a user, and
    # does not hold for root, who runs this as a user that nobody is.
    chmod 755 "$work" "$program"
    as=()
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid 54321 --clear-groups)
        busy=0
    else
        busy=$(find /proc/[0-9]*/task -mindepth 1 -maxdepth 1 -user "$(id -u)" 2>/dev/null | wc -l)
    fi
    "${as[@]+"${as[@]}"}" "$program" --help >"$out" 2>"$err" || exit 77
    got=0
    (ulimit -u $((busy + $(nproc --all) + 40)) &&
        exec "${as[@]+"${as[@]}"}" "$program" --jobs io --n 9999 --wait 3000 \
            --modes processes,threads) >"$out" 2>"$err" || got=$?
    [ "$got" -eq 0 ] || fail "status $got"
    has "$out" 'processes: got as far as [0-9]* of 9999'
    has "$out" 'threads: got as far as [0-9]* of 9999'
    ;;
disagree)
    # A mode that hashes otherwise: Python with another algorithm.
    have_python || exit 77
    make_tree
    sed -i 's/hashlib.sha256()/hashlib.sha3_256()/' "$work/asyncio_peer.py"
    run 4 --jobs cpu --modes threads,asyncio --json "$work/json" "$tree"
    has "$out" 'DISAGREE: 43 of 43'
    has "$err" 'disagree on .*/a/abc: threads says ba7816bf.*, asyncio says '
    has "$work/json" '"digests_agree": false'
    ;;
failures)
    # A mode that crashes, or loses a file, fails alone and by name; Python may be missing.
    make_tree
    PATH=/nowhere run 0 --jobs cpu --modes threads,asyncio "$tree"
    has "$out" 'asyncio: left out, python3 is not installed'
    has "$out" 'threads .* 43$'
    have_python || exit 0
    cp "$work/asyncio_peer.py" "$work/peer"
    sed -i 's/^if __name__.*/os.kill(os.getpid(), 11)/' "$work/asyncio_peer.py"
    run 1 --jobs cpu --modes threads,asyncio "$tree"
    has "$out" 'asyncio: FAILED: .*ended badly'
    has "$out" 'threads .* 43$'
    sed 's/if self.hashes:/if self.hashes and i > 0:/' "$work/peer" >"$work/asyncio_peer.py"
    run 1 --jobs cpu --modes threads,asyncio "$tree"
    has "$out" 'asyncio: FAILED: .*43 tasks ended, but 42 files have a result'
    ;;
unreadable)
    make_tree
    chmod 000 "$tree/a/abc" "$tree/a/b"
    as=()
    if [ "$(id -u)" -eq 0 ]; then
        # Without these two, root is held to the modes of its files like anybody.
        as=(setpriv '--bounding-set=-dac_override,-dac_read_search')
        "${as[@]}" true 2>/dev/null || exit 77
        "${as[@]}" cat "$tree/a/abc" >/dev/null 2>&1 && exit 77
    fi
    got=0
    "${as[@]+"${as[@]}"}" "$program" --jobs cpu --json "$work/json" "$tree" >"$out" 2>"$err" ||
        got=$?
    [ "$got" -eq 3 ] || fail "status $got instead of 3"
    [ "$(grep -c "skipped .*/a/abc: Permission denied" "$err")" -eq 1 ] || fail "a/abc, once"
    [ "$(grep -c "skipped .*/a/b: Permission denied" "$err")" -eq 1 ] || fail "a/b, once"
    has "$out" 'agree, on 41 files'
    has "$out" 'Skipped: 2 '
    has "$work/json" '/a/abc", "reason": "Permission denied"'
    has "$work/json" '/a/b", "reason": "Permission denied"'
    ;;
json)
    have_python || exit 77
    make_tree
    # A name with a quote, a backslash, a control character and a byte that is no UTF-8.
    odd=$(printf 'q"b\\t\001x\377')
    mv "$tree" "$work/$odd"
    run 0 --n 20 --wait 5 --repeat 2 --json "$work/json" "$work/$odd"
    python3 - "$work/json" <<'END' || fail "the JSON is not as it should be"
import json, sys
r = json.load(open(sys.argv[1], encoding="utf-8"))
assert r["partial"] is False and r["rounds"] == 2 and r["workers"] >= 1
assert r["files"]["count"] == 43 and r["files"]["digests_agree"] and r["files"]["skipped"] == []
assert len(r["results"]) == 18 and r["fetches"] == {"io": True, "mixed": True}
for c in r["results"]:
    assert c["error"] is None and len(c["runs"]) == 2, c
    waits = c["job"] != "cpu"
    assert c["wall_s"] > 0 and c["wall_min_s"] <= c["wall_s"] <= c["wall_max_s"], c
    assert not waits or c["wall_min_s"] >= 0.005, c
    assert c["cpu_s"] >= 0 and c["peak_memory_bytes"] > 100000 and c["threads"] >= 1, c
    assert c["tasks_done"] == c["tasks"] == (20 if c["job"] == "io" else 43), c
    assert (c["waiting_at_once"] >= 1) == waits, c
    if c["mode"] in ("one-worker", "stealing", "asyncio") and c["job"] == "io":
        assert c["waiting_at_once"] <= 20, c
    assert c["speedup"] > 0 and c["speedup_estimated"] is False, c
END
    ;;
csv)
    make_tree
    run 0 --jobs cpu --modes sequential,threads --csv "$work/csv" "$tree"
    [ "$(wc -l <"$work/csv")" -eq 3 ] || fail "not a header and two rows"
    has "$work/csv" '^job,mode,rounds,tasks,tasks_done,sample,wall_s,'
    fields=$(head -1 "$work/csv" | tr -cd , | wc -c)
    [ "$(sed 's/"[^"]*"//g' "$work/csv" | tr -d '0-9a-zA-Z._\n-' | wc -c)" -eq $((3 * fields)) ] ||
        fail "rows of different lengths"
    has "$work/csv" '^cpu,sequential,1,43,43,0,'
    has "$work/csv" '^cpu,threads,1,43,43,0,'
    ;;
whole_outputs)
    make_tree
    mkdir "$work/results"
    printf 'old\n' >"$work/results/target"
    ln -s target "$work/results/link"
    run 0 --jobs cpu --modes sequential --csv "$work/results/link" --json "$work/results/new" \
        "$tree"
    [ -L "$work/results/link" ] || fail "the link was replaced"
    has "$work/results/target" '^cpu,sequential'
    has "$work/results/new" '"program": "brigade-contrast"'
    [ "$(ls "$work/results" | tr '\n' ' ')" = 'link new target ' ] || fail "something is left"
    # Standard output, here by a link of our own to the file it goes to: the table stays.
    ln -s "$out" "$work/stdout"
    run 0 --jobs cpu --modes sequential --json "$work/stdout" "$tree"
    has "$out" 'modes that hashed a file agree'
    has "$out" '"program": "brigade-contrast"'
    # A full device is an error, not a silent half of a file.
    [ -c /dev/full ] || exit 0
    run 1 --jobs cpu --modes sequential --json /dev/full "$tree"
    has "$err" 'cannot write /dev/full'
    ;;
interrupt)
    set -m # jobs of their own, which do not start with SIGINT ignored
    make_tree
    "$program" --jobs cpu,io --modes processes,threads --n 50 --wait 600000 --json "$work/json" \
        "$tree" >"$out" 2>"$err" &
    pid=$!
    running() {
        ls -l /proc/[0-9]*/exe 2>/dev/null | grep -c -F "$program"
    }
    # The program itself, the server, the mode and its 50 processes: the io job is under way.
    until [ "$(running)" -ge 53 ]; do
        kill -0 $pid 2>/dev/null || fail "it ended by itself"
        sleep 0.05
    done
    kill -INT $pid
    wait $pid
    got=$?
    [ $got -eq 130 ] || fail "status $got instead of 130"
    [ "$(running)" -eq 0 ] || fail "processes are left behind"
    has "$out" 'PARTIAL'
    has "$out" 'processes .* 43$'
    has "$work/json" '"partial": true'
    ;;
options)
    run 2 --jobs cpu /nowhere/at/all
    [ "$(wc -l <"$err")" -eq 1 ] || fail "more than one line"
    run 2 --nonsense
    [ "$(wc -l <"$err")" -eq 1 ] || fail "more than one line"
    run 2 --modes fast
    has "$err" "does not know 'fast'.*stealing"
    run 0 --help
    has "$out" '--repeat R'
    mkdir "$work/nothing"
    run 1 --jobs cpu "$work/nothing"
    has "$err" 'no regular file'
    ;;
*)
    printf 'no such case: %s\n' "$2"
    exit 1
    ;;
esac
exit 0

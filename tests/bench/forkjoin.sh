#!/usr/bin/env bash
# forkjoin.sh RUNNER PROGRAMS RUN CASE: the fork/join benchmarks with little work, and no peer but the
# serial program. PROGRAMS is their directory, RUN is bench/forkjoin/run. 77: cannot be tried here.
set -u

runner=$1
programs=$2
script=$3
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

one_line() {
    [ "$(wc -l <"$1")" -eq 1 ] || fail "not one line: $(basename "$1")"
}

# A directory in which $1 is a program that runs the lines on standard input.
fake() {
    mkdir -p "$work/programs"
    {
        printf '#!/bin/sh\n[ "$1" = version ] && { echo "fake"; exit 0; }\n'
        cat
    } >"$work/programs/$1"
    chmod +x "$work/programs/$1"
}

case $4 in
results)
    # Each algorithm checks its result; both programs, one worker and two.
    for program in brigade serial; do
        for workers in 1 2; do
            for what in 'fib 1' 'fib 2' 'fib 20' 'queens 1' 'queens 3' 'queens 8' 'uts_t1 5' \
                'uts_t3 20' 'integrate 1' 'integrate 60' 'reduce 1' 'reduce 100000' 'loop_task 1' \
                'loop_task 40' 'loop_thread 40' 'grain1 1' 'grain1 50000' 'uneven 1' 'uneven 600' \
                'scan 1' 'scan 100000' 'sort 1' 'sort 30000' 'sort_strings 1' \
                'sort_strings 3000'; do
                run 0 "$programs/$program" "${what% *}" "count=${what#* }" workers=$workers
                case $what in
                'fib 1') [ ! -s "$out" ] || fail "a figure for no fork" ;;
                fib*) has "$out" '^fork_ns [0-9.]+ ns$' ;;
                integrate*) has "$out" '^each_ns [0-9.]+ ns$' ;;
                loop*) has "$out" '^loop_us [0-9.]+ us$' ;;
                *) has "$out" '^all_ms [0-9.]+ ms$' ;;
                esac
                case $program-$what in
                brigade-uts*) has "$out" '^memory_mb [0-9.]+ MB$' ;;
                esac
            done
        done
        run 0 "$programs/$program" version
        one_line "$out"
    done
    run 0 "$programs/brigade" spawn count=200 workers=2
    has "$out" '^each_ns [0-9.]+ ns$'
    # What is not there is told from what has failed.
    run 2 "$programs/serial" spawn count=200
    has "$out" '^cannot no such workload$'
    run 2 "$programs/brigade" nonsense
    for what in 'fib 0' 'fib 81' 'queens 15' 'uts_t1 9' 'uts_t3 21' 'integrate 0' 'spawn 0' \
        'reduce 0' 'loop_task 0' 'grain1 0' 'uneven 1000001' 'scan 0' 'sort 0' 'sort_strings 0'; do
        run 1 "$programs/brigade" "${what% *}" "count=${what#* }"
        one_line "$err"
        has "$err" '^count is to be '
    done
    ;;
wrong)
    # A program that reports a failure fails the run, and is named; so is one that crashes.
    fake serial <<<'echo "the result is 3 instead of 2" >&2; exit 1'
    fake brigade <<<'kill -SEGV $$'
    run 1 "$runner" --programs "$work/programs" --quick --repeat 2 --only queens_1w \
        --peers brigade,serial
    has "$out" 'serial .*FAILED: the result is 3 instead of 2'
    has "$out" 'brigade .*FAILED: ended by signal 11'
    has "$out" 'queens_1w .*not measured'
    ;;
runner)
    command -v python3 >/dev/null || exit 77
    run 0 "$runner" --programs "$programs" --quick --repeat 2 --peers brigade,serial \
        --only fib_2w,queens,uts_t1_2w,integrate_1w,spawn_1w,reduce_2w,loop1000_thread,sort_1w \
        --json "$work/json"
    has "$out" 'xN: N times the figure of serial'
    has "$out" '^brigade.s targets$'
    # A figure can have several targets.
    has "$out" 'sort_1w +all .* \(0.556 times the best of serial\)$'
    has "$out" 'sort_1w +all +at most +\? .*not measured +\(1 times the best of onetbb_function\)$'
    has "$out" 'uts_t1_2w +memory +at most +6.00 MB'
    python3 - "$work/json" <<'END' || fail "the JSON is not as it should be"
import json, sys
r = json.load(open(sys.argv[1], encoding="utf-8"))
assert r["format"] == "brigade-forkjoin-1" and r["interrupted"] is False
assert r["options"]["ratio_to"] == "serial" and r["options"]["repeats"] == 2
rows = {w["name"]: {c["peer"]: c for c in w["results"]} for w in r["workloads"]}
assert len(rows) == 9, rows.keys()
for name, cells in rows.items():
    assert set(cells) == ({"brigade"} if name == "spawn_1w" else {"brigade", "serial"}), name
    for c in cells.values():
        assert c["status"] == "measured", c
        for metric, m in c["metrics"].items():
            assert len(m["samples"]) == 2 and 0 < m["min"] <= m["median"] <= m["max"], (c, metric)
ours, base = rows["queens_2w"]["brigade"], rows["queens_2w"]["serial"]
ratio = ours["metrics"]["all_ms"]["median"] / base["metrics"]["all_ms"]["median"]
assert abs(ours["metrics"]["all_ms"]["ratio"] / ratio - 1) < 0.01
assert "memory_mb" in rows["uts_t1_2w"]["brigade"]["metrics"]
assert "memory_mb" not in rows["uts_t1_2w"]["serial"]["metrics"]
targets = {(t["workload"], t["metric"]): t for t in r["targets"]}
assert targets["loop1000_thread", "loop_us"]["at_most"] == 2
sorts = {t["beside"]: t for t in r["targets"] if t["workload"] == "sort_1w"}
assert set(sorts) == {"serial", "onetbb_function"}
assert sorts["onetbb_function"]["verdict"] == "not measured" != sorts["serial"]["verdict"]
assert targets["fib_2w", "fork_ns"]["at_most"] == 1.3
assert targets["integrate_1w", "each_ns"]["beside"] == "serial"
t = targets["queens_1w", "all_ms"]
assert abs(t["at_most"] / rows["queens_1w"]["serial"]["metrics"]["all_ms"]["median"] - 1.02) < 0.001
assert t["verdict"] == ("met" if t["value"] <= t["at_most"] else "missed")
END
    ;;
without_peers)
    # Each peer that is missing is one line; without the serial program ratios are to brigade.
    mkdir "$work/programs"
    cp "$programs/brigade" "$work/programs/"
    run 0 "$runner" --programs "$work/programs" --quick --repeat 1 --only queens_1w
    for peer in serial lace rayon onetbb taskflow openmp_gcc openmp_clang onetbb_function \
        std_sort; do
        [ "$(grep -c "^$peer is not built: left out\$" "$err")" -eq 1 ] || fail "$peer, once"
    done
    has "$out" 'xN: N times the figure of brigade'
    has "$out" 'queens_1w .*not measured'
    ;;
options)
    for wrong in '--nonsense' '--repeat 0' '--repeat x' '--limit -1' '--json' '--peers go'; do
        # shellcheck disable=SC2086 # words
        run 64 "$runner" $wrong
        one_line "$err"
    done
    run 0 "$runner" --help
    has "$out" '^usage: '
    run 64 "$runner" --only fib,nonsense
    one_line "$err"
    has "$err" 'no workload called "nonsense"'
    run 0 "$runner" --list
    for name in fib_1w uts_t3_2w integrate_2w uneven_2w sort_strings_1w openmp_clang std_sort; do
        has "$out" "^ +$name\b"
    done
    run 1 "$script" --lace
    one_line "$err"
    has "$err" 'needs the directory of a checkout'
    run 1 "$script" --taskflow "$work/nothing"
    one_line "$err"
    ;;
scaling)
    # A row for each workload and number of workers; what is not there is said in one line.
    run 0 "$(dirname "$script")/scaling" "$programs/brigade" --quick --workers 1,3
    [ "$(grep -c 'x ' "$out")" -eq 20 ] || fail "not 20 rows"
    for name in fib uts_t3 reduce sort; do
        has "$out" "^$name +1 .* 1\.00x +0 +0 "
        has "$out" "^$name +3 .*x( +[0-9]+){5}\$"
    done
    run 0 "$(dirname "$script")/scaling" "$programs/brigade" --quick --workers 2 --only scan
    [ "$(wc -l <"$out")" -eq 3 ] || fail "not one row"
    for wrong in '--workers 0' '--workers 1,' '--workers' '--only' '--only nothing' '--nonsense'; do
        # shellcheck disable=SC2086 # words
        run 1 "$(dirname "$script")/scaling" "$programs/brigade" --quick $wrong
        has "$err" '^scaling: '
    done
    ;;
*)
    printf 'no such case: %s\n' "$4"
    exit 1
    ;;
esac
exit 0

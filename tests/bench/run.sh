#!/usr/bin/env bash
# run.sh BENCH_RUN CASE: bench/run as far as it goes without building anything.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'FAILED: %s\n' "$*"
    cat "$work/out" "$work/err"
    exit 1
}

run() {
    local want=$1 got=0
    shift
    "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" -eq "$want" ] || fail "status $got instead of $want: $*"
}

# A system that has these commands and no others.
only() {
    mkdir "$work/bin"
    for name in "$@"; do
        ln -s "$(command -v "$name")" "$work/bin/$name"
    done
}

case $2 in
help)
    run 0 "$1" --help
    grep -q -e '--micro' "$work/out" || fail "--help does not name --micro"
    grep -q -e '--forkjoin' "$work/out" || fail "--help does not name --forkjoin"
    grep -q -e '--io' "$work/out" || fail "--help does not name --io"
    ;;
missing)
    # Neither a compiler nor apt-get: one line that names the packages.
    only bash dirname
    run 1 env PATH="$work/bin" "$(command -v bash)" "$1" --jobs io
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line"
    for package in build-essential cmake ninja-build pkg-config libatomic-ops-dev libssl-dev; do
        grep -q -w -e "$package" "$work/err" || fail "$package is not named"
    done
    # The others need no more than brigade's own build, and one a raw loop and a load of its own.
    for part in --micro --forkjoin --io; do
        run 1 env PATH="$work/bin" "$(command -v bash)" "$1" $part
        [ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line for $part"
        more=
        [ $part != --io ] || more=' liburing-dev wrk'
        grep -q "build-essential cmake libatomic-ops-dev$more\$" "$work/err" || fail "$part: packages"
    done
    # apt-get, but neither root nor sudo.
    printf '#!/bin/sh\nexit 99\n' >"$work/bin/apt-get"
    printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
    chmod +x "$work/bin/apt-get" "$work/bin/id"
    run 1 env PATH="$work/bin" "$(command -v bash)" "$1" --jobs io
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line without sudo"
    grep -q 'apt-get install build-essential' "$work/err" || fail "no command to type"
    # With sudo, apt-get is run through it; here it fails, and the status says so.
    printf '#!/bin/sh\necho "sudo $*" >&2\nexec "$@"\n' >"$work/bin/sudo"
    chmod +x "$work/bin/sudo"
    ln -s "$(command -v env)" "$(command -v sh)" "$work/bin/"
    run 1 env PATH="$work/bin" "$(command -v bash)" "$1" --jobs io
    grep -q 'sudo .*apt-get install .*libssl-dev' "$work/err" || fail "sudo was not used"
    ;;
micro | forkjoin | io)
    # Handed on with its arguments, or one line that it is not there.
    mkdir -p "$work/tree/bench/$2"
    cp "$1" "$work/tree/bench/run"
    run 1 "$work/tree/bench/run" "--$2"
    grep -q "bench/$2/run is not there" "$work/err" || fail "what is not there is not named"
    printf '#!/bin/sh\nprintf "%%s|" "$@"\nexit 7\n' >"$work/tree/bench/$2/run"
    chmod +x "$work/tree/bench/$2/run"
    run 7 "$work/tree/bench/run" "--$2" 'a b' --help
    [ "$(cat "$work/out")" = 'a b|--help|' ] || fail "arguments were changed"
    ;;
*)
    printf 'no such case: %s\n' "$2"
    exit 1
    ;;
esac
exit 0

#!/usr/bin/env bash
# examples.sh PROGRAM CASE: what the examples print and return, with good input and with bad.
# DEBUG=1 in the environment: a build that catches misuse.
set -u
program=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'FAILED: %s\n%s\n' "$*" "${output:-}"
    exit 1
}

# refuses ARGUMENTS...: one usage line on stderr, and a status that says so.
refuses() {
    local status=0
    output=$("$program" "$@" 2>&1 >/dev/null) || status=$?
    [ $status -ne 0 ] && [[ $output = usage:* ]] || fail "'$*' is taken for good"
}

case $2 in
crawl)
    # 40 directories, 3 levels, and 160 files of known sizes; one name with a space and a line end.
    bytes=0
    for i in $(seq 1 10); do
        for j in a "b c" $'d\ne'; do
            mkdir -p "$work/tree/$i/$j"
            for k in 1 2 3 4; do
                head -c $((i * k)) /dev/zero >"$work/tree/$i/$j/$k"
                bytes=$((bytes + i * k))
            done
        done
        head -c 7 /dev/zero >"$work/tree/$i/plain"
        bytes=$((bytes + 7))
        ln -s / "$work/tree/$i/plain.link" # is counted, not followed
        bytes=$((bytes + 1))
    done
    for at_once in '' 1 2 100; do
        # shellcheck disable=SC2086 # may be absent
        output=$("$program" "$work/tree" $at_once 2>&1) || fail "status $?"
        [ "$output" = "140 files, 41 directories, $bytes bytes" ] || fail "at once: '$at_once'"
    done
    output=$("$program" "$work/none" 2>"$work/errors") || fail "status $? for what is not there"
    [ "$(wc -l <"$work/errors")" -eq 1 ] || fail "what is not there is not named"
    output=$("$program" "$work/tree/1/plain" 2>&1) && fail "a file is taken for a directory"
    [ "$(wc -l <<<"$output")" -le 2 ] || fail "more than one line"
    refuses
    refuses "$work" 0
    refuses "$work" x
    refuses "$work" 1 2
    ;;
pipeline)
    output=$("$program" 100) || fail "status $?"
    [ "$(head -1 <<<"$output")" = "sum of the squares of 1 to 100: 338350" ] || fail "the sum"
    [[ $(tail -1 <<<"$output") =~ ^at\ most\ [0-9]+\ under\ way,\ room\ for\ [0-9]+$ ]] || fail "the room"
    output=$(BRIGADE_SEED=7 "$program" 500) || fail "status $? on virtual time"
    [ "$(head -1 <<<"$output")" = "sum of the squares of 1 to 500: 41791750" ] || fail "the sum"
    output=$("$program" 0) || fail "status $? for no numbers"
    [ "$(head -1 <<<"$output")" = "sum of the squares of 1 to 0: 0" ] || fail "no numbers"
    refuses x
    refuses -1
    refuses 1 2
    ;;
rate_limit)
    output=$(BRIGADE_SEED=1 "$program" 9) || fail "status $?"
    expected=
    for i in 0 1 2 3 4 5 6 7 8; do
        expected+=$(printf 'request %2d after %3d ms' "$i" $((i < 5 ? 0 : (i - 4) * 10)))$'\n'
    done
    [ "$output" = "${expected%$'\n'}" ] || fail "on virtual time"
    output=$("$program" 8) || fail "status $? on real time"
    [ "$(wc -l <<<"$output")" -eq 8 ] || fail "not eight lines"
    refuses x
    refuses -1
    refuses 1 2
    ;;
philosophers)
    output=$("$program" ordered 2>&1) || fail "status $?"
    [ "$output" = "ordered: no deadlock in 2000 schedules" ] || fail "the ordered ones"
    status=0
    output=$("$program" naive 2>&1) || status=$?
    if [ "${DEBUG:-0}" = 1 ]; then
        # The order of the locks is caught before they ever meet.
        [ $status -ne 0 ] || fail "status 0"
        [[ $output = *"can deadlock"* ]] || fail "the order is not caught"
    else
        [ $status -eq 0 ] || fail "status $status"
        [ "$(tail -1 <<<"$output")" = "naive: a deadlock" ] || fail "the naive ones"
        [[ $output = *"brigade: deadlock: "* ]] || fail "no report"
        [[ $output = *"task 'Hypatia' waits in bg_mutex_lock for "* ]] || fail "who waits is not named"
        [[ $output = *"BRIGADE_SEED="*"replays it"* ]] || fail "the seed is not named"
    fi
    refuses hungry
    refuses naive ordered
    ;;
nqueens)
    # The published numbers.
    for pair in 1:1 2:0 3:0 4:2 5:10 6:4 7:40 8:92 9:352 11:2680; do
        output=$("$program" "${pair%:*}" 2>&1) || fail "status $?"
        [ "$output" = "${pair%:*} queens: ${pair#*:} ways" ] || fail "${pair%:*} queens"
    done
    output=$("$program") || fail "status $? for the usual number"
    [ "$output" = "10 queens: 724 ways" ] || fail "the usual number"
    refuses x
    refuses ''
    refuses 0
    refuses 17
    refuses 8 8
    ;;
uts)
    # Counted by another program, one node after another.
    output=$("$program" 10 1) || fail "status $?"
    [ "$output" = "8791 nodes, 6422 leaves, 10 deep" ] || fail "depth 10"
    output=$("$program" 12 7) || fail "status $?"
    [ "$output" = "24335 nodes, 17758 leaves, 12 deep" ] || fail "depth 12"
    output=$("$program" 0) || fail "status $? for a root alone"
    [ "$output" = "1 nodes, 1 leaves, 0 deep" ] || fail "a root alone"
    refuses x
    refuses -1
    refuses 31
    refuses 5 x
    refuses 5 1 1
    ;;
*)
    fail "no such case: $2"
    ;;
esac
exit 0

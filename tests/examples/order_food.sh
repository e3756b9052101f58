#!/usr/bin/env bash
# order_food.sh PROGRAM CASE: the examples' output and its order, and lower bounds of time.
#
# At once, both dishes start before either ends; which of the two comes first is up to the workers.
# A machine so loaded that one dish's whole time passes before the other has started would show
# another order, so a try that fails is repeated with longer times; a wrong program fails them all.
set -u
program=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$*" "$output"
    exit 1
}

# The lines of one meal cooked at once: both starts, then both ends, of both dishes.
at_once() {
    [ "$(sed -n 1,2p <<<"$1" | LC_ALL=C sort)" = $'Start pasta\nStart salad' ] &&
        [ "$(sed -n 3,4p <<<"$1" | LC_ALL=C sort)" = $'End pasta\nEnd salad' ]
}

# at_least SECONDS LINE: the time at the end of the line.
at_least() {
    awk -v least="$1" '{ exit !($(NF - 1) + 0.006 >= least) }' <<<"$2"
}

try_order_food() {
    output=$("$program" "$1") || fail "status $?"
    [ "$(wc -l <<<"$output")" -eq 10 ] || fail "not ten lines"
    [ "$(head -4 <<<"$output")" = $'Start pasta\nEnd pasta\nStart salad\nEnd salad' ] ||
        fail "one after another is out of order"
    local one all
    one=$(sed -n 5p <<<"$output")
    all=$(sed -n 10p <<<"$output")
    [[ $one =~ ^One\ after\ another:\ [0-9.]+\ seconds$ ]] || fail "the first total"
    [[ $all =~ ^At\ once:\ [0-9.]+\ seconds$ ]] || fail "the second total"
    at_least "$(awk "BEGIN { print 4 * $1 }")" "$one" || fail "one after another ended too early"
    at_least "$(awk "BEGIN { print 2 * $1 }")" "$all" || fail "at once ended too early"
    at_once "$(sed -n 6,9p <<<"$output")"
}

case $2 in
order_food)
    try_order_food 0.1 || try_order_food 1 || try_order_food 5 || fail "at once is out of order"
    for wrong in x -1 '' 1001; do
        output=$("$program" "$wrong" 2>&1) && fail "'$wrong' is taken for a scale"
        [[ $output = usage:* ]] || fail "no usage line for '$wrong'"
    done
    ;;
order_food_gathered)
    before=$(date +%s%N)
    output=$("$program") || fail "status $?"
    after=$(date +%s%N)
    [ $((after - before)) -ge 2000000000 ] || fail "it ended too early"
    [ "$(wc -l <<<"$output")" -eq 4 ] || fail "not four lines"
    at_once "$output" || fail "out of order"
    ;;
*)
    output="no such case: $2"
    fail
    ;;
esac
exit 0

#!/usr/bin/env bash
# order_food.sh PROGRAM CASE: the examples' output and its order, and lower bounds of time.
#
# With one worker the order is fixed, however slow the machine: a task that is ready runs before the
# worker looks at its timers again.
set -u
program=$1

fail() {
    printf 'FAILED: %s\n%s\n' "$*" "$output"
    exit 1
}

together=$'Start pasta\nStart salad\nEnd pasta\nEnd salad'

# at_least SECONDS LINE: the time at the end of the line.
at_least() {
    awk -v least="$1" '{ exit !($(NF - 1) + 0.006 >= least) }' <<<"$2"
}

check_order_food() {
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
    [ "$(sed -n 6,9p <<<"$output")" = "$together" ] || fail "at once is out of order"
}

case $2 in
order_food)
    check_order_food 0.1
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
    [ "$output" = "$together" ] || fail "out of order"
    ;;
*)
    output="no such case: $2"
    fail
    ;;
esac
exit 0

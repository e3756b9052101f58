#!/bin/sh
# The test runner tells good from bad: usage runner_selftest.sh PROGRAM, built of runner_cases.c.
set -u
program=$1
failed=0

expect() { # exit status, closing line, arguments
    status=$1
    line="[====] Synthesis: $2"
    shift 2
    output=$("$program" "$@" 2>&1)
    got=$?
    last=$(printf '%s\n' "$output" | tail -n 1)
    if [ $got != "$status" ] || [ "$last" != "$line" ]; then
        printf '%s: status %s, "%s" instead of "%s"\n' "$*" "$got" "$last" "$line"
        failed=1
    fi
}

expect 0 "Tested: 4 | Passing: 4 | Failing: 0 | Crashing: 0" --filter 'good/*'
expect 0 "Tested: 1 | Passing: 1 | Failing: 0 | Crashing: 0" --filter='suite/*' -j1
expect 1 "Tested: 8 | Passing: 0 | Failing: 8 | Crashing: 1" --filter 'bad/*'
expect 1 "Tested: 0 | Passing: 0 | Failing: 0 | Crashing: 0" --filter 'left_out/*'
expect 1 "Tested: 0 | Passing: 0 | Failing: 0 | Crashing: 0" --filter 'no/such'
expect 1 "Tested: 13 | Passing: 5 | Failing: 8 | Crashing: 1"
for name in expectation assertion in_fini early_exit wrong_exit no_signal crash too_slow; do
    expect 1 "Tested: 1 | Passing: 0 | Failing: 1 | Crashing: $([ $name = crash ] && echo 1 || echo 0)" \
        --filter "bad/$name"
done
if ! "$program" --filter bad/expectation 2>&1 | grep -q 'number 42'; then
    echo "a message is not shown"
    failed=1
fi
if "$program" --nonsense >/dev/null 2>&1; then
    echo "an unknown option is accepted"
    failed=1
fi
if [ "$("$program" --list | wc -l)" != 15 ]; then
    echo "--list does not show the tests"
    failed=1
fi
exit $failed

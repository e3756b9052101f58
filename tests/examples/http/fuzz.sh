#!/usr/bin/env bash
# fuzz.sh SECONDS WORK: the parser of examples/http under libFuzzer, with the corpus to begin with.
# What is found stays in WORK, as crash-* and the like: it belongs into the corpus. 77: no clang 19.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seconds=$1
work=$2
command -v clang-19 >/dev/null || exit 77
mkdir -p "$work/found" || exit 1
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d == 0 && n > 1; }' \
    >"$work/try.c"
clang-19 -fsanitize=fuzzer "$work/try.c" -o "$work/try" 2>/dev/null || exit 77 # no run-time library
clang-19 -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    "$here/fuzz.c" "$here/drive.c" "$here/../../../examples/http/parser.c" -o "$work/fuzz" || exit 1
"$work/fuzz" -max_total_time="$seconds" -max_len=600 -timeout=60 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work/found" "$here/corpus" >"$work/log" 2>&1 || {
    tail -n 60 "$work/log"
    exit 1
}
runs=$(awk '/stat::number_of_executed_units/ { print $2 }' "$work/log")
echo "$runs inputs"
[ "$runs" -gt 100 ]

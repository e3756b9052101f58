#!/bin/sh
# Shows that snippets.sh passes what is right and finds what is wrong:
# usage snippets_selftest.sh META_DIR STATIC_LIBRARY INCLUDE_DIR WORK_DIR
set -eu
meta=$1
library=$2
include=$3
work=$4
failed=0
rm -rf "$work"
mkdir -p "$work/tree"
ln -s "$include" "$work/tree/include"

verdict() { # the wanted one, what; the document comes on standard input
    cat >"$work/tree/doc.md"
    got=good
    sh "$meta/snippets.sh" "$work/tree" "$library" "$work/out" >"$work/log" 2>&1 || got=bad
    if [ "$got" != "$1" ]; then
        echo "$2: found $got"
        cat "$work/log"
        failed=1
    fi
}

program() { # comment, statement
    printf '%s\n```c\n#include <stdio.h>\nint main(void) { %s }\n```\n' "$1" "$2"
}
text() {
    printf '\n```text\n%s\n```\n' "$1"
}

two_lines='puts("one"); puts("two"); return 0;'
{ program '<!-- snippet: a.c -->' "$two_lines"; text 'one
two'; } | verdict good "a program and its output"
{ program '<!-- snippet: a.c -->' "$two_lines"; text '...
two'; } | verdict good "an output with a gap"
{ program '<!-- snippet: a.c -->' "$two_lines"; text 'one'; } | verdict bad "an output cut short"
{ program '<!-- snippet: a.c -->' "$two_lines"; text 'one
three'; } | verdict bad "another output"
program '<!-- snippet: a.c run=3 -->' 'return 3;' | verdict good "an exit status"
program '<!-- snippet: a.c -->' 'return 3;' | verdict bad "an unexpected exit status"
program '<!-- snippet: a.c run=no -->' 'return 3;' | verdict good "a program that is not run"
program '<!-- snippet: a.c run=no -->' 'return x;' | verdict bad "a program that does not compile"
program '' 'return 0;' | verdict bad "a block without a comment"
program '<!-- snippet: what -->' 'return 0;' | verdict bad "a comment without meaning"
printf '<!-- snippet: fragment file -->\n```c\nint f(void);\n```\n' | verdict good "a file fragment"
printf '<!-- snippet: fragment -->\n```c\nint x = 1;\nx++;\n```\n' | verdict good "a fragment"
printf '<!-- snippet: fragment -->\n```c\nx++;\n```\n' | verdict bad "a broken fragment"
printf '```sh\nls\n```\n' | verdict good "a block in another language"
exit $failed

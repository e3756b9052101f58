#!/bin/sh
# Compiles and runs the C code of the documents: usage snippets.sh ROOT STATIC_LIBRARY WORK_DIR
#
# Each ```c block of a *.md file has to follow a comment on a line of its own, one of:
#   <!-- snippet: NAME.c -->           a whole program: compiled, run, and has to exit with 0
#   <!-- snippet: NAME.c run=N -->     the same, with exit status N
#   <!-- snippet: NAME.c run=no -->    a whole program, only compiled
#   <!-- snippet: fragment -->         statements: compiled as the body of a task
#   <!-- snippet: fragment file -->    declarations and functions: compiled as a file
# A ```text block after a program that is run, with no other C block between them, is what it has
# to print, line by line; a line of the text "..." stands for any lines.
set -eu
root=$1
library=$2
work=$3
cc=${CC:-cc}
rm -rf "$work"
mkdir -p "$work"
failed=0
checked=0

documents=$(cd "$root" && find . -name '*.md' -not -path './build/*' -not -path './.*/*' |
    sed 's|^\./||' | sort)
for document in $documents; do
    stem=$work/$(echo "$document" | tr '/.' '__')
    # Writes STEM.N.c, STEM.N.how (the comment's words) and STEM.N.text for each block.
    awk -v stem="$stem" -v document="$document" '
    /^<!-- snippet:.*-->[ \t\r]*$/ {
        how = $0
        sub(/^<!-- snippet:[ \t]*/, "", how); sub(/[ \t]*-->.*$/, "", how)
        next
    }
    !inside && /^[ \t]*```c[ \t]*$/ {
        inside = "c"; n++
        if (how == "") { print document ":" FNR ": a C block without a snippet comment"; bad = 1 }
        out = stem "." n ".c"
        print how > (stem "." n ".how"); printf "" > out
        last = n; how = ""
        next
    }
    !inside && /^[ \t]*```text[ \t]*$/ && last {
        inside = "text"; out = stem "." last ".text"; printf "" > out; last = 0
        next
    }
    !inside && /^[ \t]*```/ { inside = "other"; next }
    inside && /^[ \t]*```[ \t]*$/ { if (inside != "other") close(out); inside = ""; next }
    inside == "c" || inside == "text" { print > out }
    END {
        if (inside) { print document ": a block without an end"; bad = 1 }
        exit bad
    }' "$root/$document" || failed=1
done

fragment() { # source, as a function or as a file
    printf '#include <brigade.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
    printf '#pragma GCC diagnostic ignored "-Wunused"\n'
    if [ "$2" = file ]; then
        printf '#line 1\n'
        cat "$1"
    else
        printf 'int fragment(void *arg);\nint fragment(void *arg) {\n(void)arg;\n#line 1\n'
        cat "$1"
        printf 'return 0;\n}\n'
    fi
}

# Whether the output is the text, where a line "..." of the text matches any number of lines.
matches() { # text, output
    awk -v text="$1" '
    BEGIN { while ((getline line < text) > 0) want[++n] = line; at = 1 }
    function fits(i, j) { # does want[i..] match got[j..]?
        if (i > n) return j > m
        if (want[i] == "...") return fits(i + 1, j) || (j <= m && fits(i, j + 1))
        return j <= m && want[i] == got[j] && fits(i + 1, j + 1)
    }
    { got[++m] = $0 }
    END { exit !fits(1, 1) }' "$2"
}

flags="-std=c11 -D_POSIX_C_SOURCE=200809L -O1 -g -Wall -Wextra -Werror -I$root/include"
for how_file in $(find "$work" -name '*.how' | sort); do
    base=${how_file%.how}
    label=$(basename "$base")
    read -r name option <"$how_file" || true
    case ${name:-} in
    '') continue ;; # reported above
    fragment)
        fragment "$base.c" "${option:-body}" >"$base.wrapped.c"
        # shellcheck disable=SC2086
        if ! $cc $flags -c -o "$base.o" "$base.wrapped.c"; then
            echo "$label: the fragment does not compile"
            failed=1
        fi
        checked=$((checked + 1))
        continue
        ;;
    *.c) ;;
    *)
        echo "$label: not understood: $name"
        failed=1
        continue
        ;;
    esac
    # shellcheck disable=SC2086
    if ! $cc $flags -o "$base.program" "$base.c" "$library" -pthread; then
        echo "$label ($name): does not compile"
        failed=1
        continue
    fi
    checked=$((checked + 1))
    expected=0
    case ${option:-} in
    '') ;;
    run=no) continue ;;
    run=*) expected=${option#run=} ;;
    *)
        echo "$label ($name): not understood: $option"
        failed=1
        ;;
    esac
    status=0
    "$base.program" >"$base.output" 2>&1 </dev/null || status=$?
    if [ "$status" != "$expected" ]; then
        echo "$label ($name): exited with $status instead of $expected:"
        cat "$base.output"
        failed=1
    fi
    if [ -f "$base.text" ] && ! matches "$base.text" "$base.output"; then
        echo "$label ($name): printed something else:"
        diff "$base.text" "$base.output" || true
        failed=1
    fi
done
echo "$checked snippets checked"
exit $failed

#!/bin/sh
# Checks the tree's own rules: usage layers.sh ROOT
#   - a file of lib/<layer> includes only its own layer and lower ones; lib/tls, which is a library
#     of its own, only itself and public headers, and nobody else includes it;
#   - public headers include public and system headers only, and no threads or atomics library;
#   - atomic operations come from lib/base/atomic.h alone (a header's name counts in a directive:
#     nothing else can include it, and code may know the name of a path); but for the public header
#     of what is compiled into the user's own code, which cannot see that;
#   - no file of lib or include is longer than 700 lines.
# Prints one line for each breach and exits with 1 if there are any.
set -eu
cd "$1"

# Comments are left out, so that they may speak of what the code may not use.
files=$(find lib include -type f \( -name '*.[chS]' -o -name '*.inc' \) | sort)
more=$(find tests examples bench -type f \( -name '*.[ch]' -o -name '*.cpp' \) \
    -not -path 'bench/peers/*' 2>/dev/null | sort || true)
[ -n "$files" ] || { echo "no sources below $1/lib"; exit 1; }

# shellcheck disable=SC2086 # the paths hold no spaces
awk '
BEGIN {
    ranks = "base 0 arch 1 stack 2 queue 2 timer 3 core 4 wait 5 task 6 sync 7 io 8 parallel 9 " \
            "batch 10 observe 11 runtime 12 tls -1"
    n = split(ranks, word, " ")
    for (i = 1; i < n; i += 2) rank[word[i]] = word[i + 1]
    inlined = "include/brigade/detail/fork.h"
}
function breach(text) { print FILENAME ":" FNR ": " text; bad = 1 }
# The line without comments; in_comment holds over lines.
function code_of(line,    out, i) {
    out = ""
    while (line != "") {
        if (in_comment) {
            i = index(line, "*/")
            if (i == 0) return out
            line = substr(line, i + 2); in_comment = 0
        } else {
            i = match(line, /\/[*\/]/)
            if (i == 0) return out line
            out = out substr(line, 1, i - 1)
            if (substr(line, i, 2) == "//") return out
            line = substr(line, i + 2); in_comment = 1
        }
    }
    return out
}
FNR == 1 {
    in_comment = 0; directive = 0; continued = 0
    split(FILENAME, part, "/")
    place = part[1]; layer = part[2]
    if (place == "lib" && !(layer in rank)) breach("no such layer: " layer)
}
(place == "lib" || place == "include") && FNR == 701 { breach("more than 700 lines") }
{
    code = code_of($0)
    directive = code ~ /^[ \t]*(#|%:)/ || (directive && continued)
    continued = in_comment || $0 ~ /\\$/
    if (FILENAME != "lib/base/atomic.h" && FILENAME != inlined &&
        (code ~ /(^|[^A-Za-z0-9_])(__atomic_|__sync_|_Atomic|AO_[a-z])/ ||
         (directive && code ~ /stdatomic\.h|atomic_ops/)))
        breach("atomic operations come from base/atomic.h alone")
    if (code !~ /^[ \t]*#[ \t]*include/) next
    if (place == "include") {
        if (code ~ /"/) breach("public headers include with <> only")
        if (code ~ /<(pthread|threads|atomic_ops)\.h>/) breach("not in a public header: " code)
    }
    if (place == "lib" && match(code, /"[^"]*"/)) {
        path = substr(code, RSTART + 1, RLENGTH - 2)
        slash = index(path, "/")
        target = slash ? substr(path, 1, slash - 1) : ""
        if (!(target in rank)) breach("includes are written from lib/: " path)
        else if (target != layer && (rank[target] >= rank[layer] || target == "tls"))
            breach("layer " layer " may not include " path)
    }
}
END { exit bad }
' $files $more

#!/bin/sh
# Every public header compiles on its own and twice over, as C11 and as C++17, without a warning,
# with each compiler that is here: usage headers.sh ROOT
set -eu
cd "$1/include"
failed=0
compiled=0

try() { # compiler, language, standard, header
    if printf "#include <%s>\n#include <%s>\ntypedef int nothing_else;\n" "$4" "$4" |
        "$1" -x "$2" "-std=$3" -pedantic -Wall -Wextra -Wshadow -Wundef -Werror -fsyntax-only \
            -I. -; then
        compiled=$((compiled + 1))
    else
        echo "$4: $1 -std=$3 failed"
        failed=1
    fi
}

clang=$(command -v clang-19 || command -v clang || true)
clangxx=$(command -v clang++-19 || command -v clang++ || true)
for header in $(find . -name '*.h' | sed 's|^\./||' | sort); do
    for cc in gcc $clang; do
        command -v "$cc" >/dev/null && try "$cc" c c11 "$header"
    done
    for cxx in g++ $clangxx; do
        command -v "$cxx" >/dev/null && try "$cxx" c++ c++17 "$header"
    done
done
[ "$compiled" -gt 0 ] || failed=1
exit $failed

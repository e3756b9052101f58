#!/bin/sh
# Programs that use the macros of the public headers compile as C11 and as C++17 without a warning,
# with each compiler that is here: usage macros.sh ROOT
#
# Sources that are both languages are compiled as both; a macro's own code is the user's, in
# whose build it must not warn.
set -eu
cd "$1"
failed=0
compiled=0

try() { # compiler, language, standard, source
    if "$1" -x "$2" "-std=$3" -pedantic -Wall -Wextra -Wshadow -Wconversion -Wundef -Wunused \
        -Wmissing-declarations -Werror -O1 -c -o /dev/null -Iinclude "$4"; then
        compiled=$((compiled + 1))
    else
        echo "$4: $1 -std=$3 failed"
        failed=1
    fi
}

clang=$(command -v clang-19 || command -v clang || true)
clangxx=$(command -v clang++-19 || command -v clang++ || true)
for source in tests/meta/macros/*.c; do
    for cc in gcc $clang; do
        command -v "$cc" >/dev/null && try "$cc" c c11 "$source"
    done
    for cxx in g++ $clangxx; do
        command -v "$cxx" >/dev/null && try "$cxx" c++ c++17 "$source"
    done
done
[ "$compiled" -gt 0 ] || failed=1
exit $failed

#!/bin/sh
# The shared library exports bg_* and nothing else; the archive defines bg_* and bgi_* alone:
# usage symbols.sh SHARED_LIBRARY STATIC_LIBRARY [ONE_THAT_IS_EXPORTED]
set -eu
failed=0

names() {
    nm "$@" --defined-only | awk 'NF >= 3 && $2 ~ /^[A-Za-z]$/ { print $3 }' | sort -u
}

exported=$(names -D "$1")
one=${3:-bg_strerror}
if ! echo "$exported" | grep -qx "$one"; then
    echo "$one is not exported: is this brigade?"
    failed=1
fi
if others=$(echo "$exported" | grep -v '^bg_'); then
    echo "exported, but not bg_*:" $others
    failed=1
fi
if others=$(names -g "$2" | grep -Ev '^bgi?_'); then
    echo "global in the archive, but neither bg_* nor bgi_*:" $others
    failed=1
fi
exit $failed

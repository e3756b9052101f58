#!/bin/sh
# Installs brigade below WORK_DIR and builds its users there, in every way a user may:
# usage consumers.sh ROOT WORK_DIR
set -eu
root=$1
work=$2
here=$root/tests/meta/consumer
cmake=${CMAKE:-cmake}
rm -rf "$work"
mkdir -p "$work"
unset DESTDIR || true

step() { # name, command...: quiet unless it fails
    name=$1
    shift
    if ! "$@" >"$work/log" 2>&1; then
        echo "$name failed:"
        cat "$work/log"
        exit 1
    fi
}

prints() { # program: what it prints is what both have to
    output=$("$@") || { echo "$* failed: $output"; exit 1; }
    if [ "$output" != "42 0.1.0" ]; then
        echo "$* printed '$output'"
        exit 1
    fi
}

step configure "$cmake" -G Ninja -S "$root" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DBRIGADE_BUILD_TESTS=OFF -DBRIGADE_BUILD_BENCH=OFF -DBRIGADE_BUILD_EXAMPLES=OFF
step build "$cmake" --build "$work/build"
step install "$cmake" --install "$work/build"

# By the CMake package, and as a subproject of one that optimises across files.
step find_package "$cmake" -G Ninja -S "$here" -B "$work/package" \
    -DCMAKE_PREFIX_PATH="$work/prefix"
step "build by find_package" "$cmake" --build "$work/package"
step add_subdirectory "$cmake" -G Ninja -S "$here" -B "$work/sub" -DBRIGADE_SOURCE="$root" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS=-flto -DCMAKE_CXX_FLAGS=-flto
step "build by add_subdirectory" "$cmake" --build "$work/sub"
for way in package sub; do
    for program in c_brigade c_static cxx_brigade cxx_static; do
        prints "$work/$way/$program"
    done
    if [ -e "$work/prefix/include/brigade/tls.h" ]; then
        prints "$work/$way/c_tls"
        prints "$work/$way/c_tls_static"
    fi
done

# By pkg-config.
PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
export PKG_CONFIG_PATH
lib=$work/prefix/lib
cc=${CC:-cc}
cxx=${CXX:-c++}
cflags=$(pkg-config --cflags brigade)
libs=$(pkg-config --libs brigade)
static=$(pkg-config --static --libs-only-other brigade)
# shellcheck disable=SC2086 # flags are words
{
    step "C, shared" $cc -std=c11 $cflags "$here/main.c" -o "$work/c_shared" $libs
    step "C, static" $cc -std=c11 $cflags "$here/main.c" -o "$work/c_static" \
        "$lib/libbrigade.a" $static
    step "C++, shared" $cxx -std=c++17 $cflags "$here/main.cpp" -o "$work/cxx_shared" $libs
    step "C++, static" $cxx -std=c++17 $cflags "$here/main.cpp" -o "$work/cxx_static" \
        "$lib/libbrigade.a" $static
}
prints "$work/c_static"
prints "$work/cxx_static"
prints env LD_LIBRARY_PATH="$lib" "$work/c_shared"
prints env LD_LIBRARY_PATH="$lib" "$work/cxx_shared"

# TLS, where it was built.
if [ -e "$work/prefix/include/brigade/tls.h" ]; then
    # shellcheck disable=SC2046,SC2086 # flags are words
    step "C with TLS, shared" $cc -std=c11 $(pkg-config --cflags brigade-tls) "$here/tls.c" \
        -o "$work/c_tls" $(pkg-config --libs brigade-tls)
    prints env LD_LIBRARY_PATH="$lib" "$work/c_tls"
fi

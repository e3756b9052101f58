#!/bin/sh
# Shows that layers.sh finds what it is there to find: usage layers_selftest.sh META_DIR WORK_DIR
# Plants one breach after another in a small clean tree; each has to be reported, the clean tree not.
set -eu
check=$1/layers.sh
work=$2
failed=0

fresh() {
    rm -rf "$work"
    mkdir -p "$work/lib/base" "$work/lib/stack" "$work/lib/queue" "$work/lib/core" \
        "$work/lib/tls" "$work/include/brigade" "$work/tests/core"
    printf '#include <brigade/task.h>\n#include "tls/tls.h"\n' >"$work/lib/tls/tls.c"
    printf '#include <openssl/ssl.h>\n' >"$work/lib/tls/tls.h"
    printf '#include "base/list.h" /* not #include "core/x.h" */\n' >"$work/lib/core/worker.c"
    printf '// _Atomic is not used\n/* nor __sync_\n * stdatomic.h */\n' >"$work/lib/base/list.h"
    printf '#include <atomic_ops.h>\nAO_load(p);\n' >"$work/lib/base/atomic.h"
    printf '#include <stdint.h>\n#include <brigade/time.h>\n' >"$work/include/brigade/task.h"
    printf '#include <brigade/task.h>\n#include "queue/runq.h"\n' >>"$work/lib/core/worker.c"
    printf '#include "core/worker.h"\nbool is_its(const char *path) { return strstr(path, "/atomic_ops"); }\n' \
        >"$work/tests/core/test_worker.c"
}

finds() { # what, file, line to plant
    fresh
    printf '%s\n' "$3" >>"$work/$2"
    if sh "$check" "$work" >"$work/out" 2>&1; then
        echo "not found: $1"
        failed=1
    elif ! grep -q "^$2:" "$work/out"; then
        echo "reported elsewhere: $1"
        failed=1
    fi
}

fresh
if ! sh "$check" "$work"; then
    echo "the clean tree is reported"
    failed=1
fi
finds "a higher layer" lib/base/list.h '#include "core/worker.h"'
finds "a higher layer, oddly spaced" lib/base/list.h ' #  include  "core/worker.h"'
finds "a neighbour of equal rank" lib/stack/stack.h '#include "queue/deque.h"'
finds "an internal header in lib/tls" lib/tls/tls.c '#include "base/list.h"'
finds "lib/tls elsewhere" lib/core/worker.c '#include "tls/tls.h"'
finds "an include without a layer" lib/core/worker.c '#include "worker.h"'
finds "a builtin" lib/core/worker.c 'x = __atomic_load_n(&y, 0);'
finds "an old builtin" lib/core/worker.c '__sync_synchronize();'
finds "the standard header" lib/core/worker.c '#include <stdatomic.h>'
finds "the standard header by a macro" lib/core/worker.c '#define HEADER <stdatomic.h>'
finds "the library's header" lib/core/worker.c '#include <atomic_ops.h>'
finds "one of its parts, in a test" tests/core/test_worker.c ' # include "atomic_ops/generalize.h"'
finds "a header on the next line" lib/core/worker.c '#include \
    <atomic_ops.h>'
finds "a header on the third line" lib/core/worker.c '#define HEADER \
    \
    <stdatomic.h>'
finds "a header after a comment" lib/core/worker.c '/* now */ #include <atomic_ops.h>'
finds "a header after a long comment" lib/core/worker.c "#include /* the
    library */ <atomic_ops.h>"
finds "an atomic type" lib/core/worker.c 'static _Atomic int x;'
finds "the library itself" lib/core/worker.c 'AO_store(&x, 1);'
finds "atomics in a test" tests/core/test_worker.c 'AO_store(&x, 1);'
finds "an internal header in a public one" include/brigade/task.h '#include "base/list.h"'
finds "pthreads in a public header" include/brigade/task.h '#include <pthread.h>'

fresh
mkdir -p "$work/lib/misc"
echo 'int x;' >"$work/lib/misc/misc.c"
if sh "$check" "$work" >/dev/null; then
    echo "not found: an unknown layer"
    failed=1
fi
fresh
awk 'BEGIN { for (i = 0; i < 701; i++) print "" }' >"$work/lib/core/long.c"
if sh "$check" "$work" >/dev/null; then
    echo "not found: a file that is too long"
    failed=1
fi
exit $failed

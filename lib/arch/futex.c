/*
 * futex(2). FUTEX_WAIT_BITSET is the form whose deadline is absolute.
 *
 * `replacement` is written by bgi_futex_set_ops (release) and read by both calls (acquire).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if !defined(SYS_futex) && defined(SYS_futex_time64)
#define SYS_futex SYS_futex_time64
#endif

static bgi_atomic replacement;

static uint32_t *low_half(bgi_atomic *w)
{
    char *p = (char *)(uintptr_t)w;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    p += sizeof *w - sizeof(uint32_t);
#endif
    return (uint32_t *)(void *)p;
}

int bgi_futex_wait(bgi_atomic *w, uint32_t expected, int64_t deadline_ns)
{
    const struct bgi_futex_ops *ops = bgi_load_acquire_ptr(&replacement);
    if (bgi_unlikely(ops != NULL)) {
        return ops->wait(ops->ctx, w, expected, deadline_ns);
    }
    struct timespec ts;
    struct timespec *limit = NULL;
    if (deadline_ns >= 0) {
        ts.tv_sec = (time_t)(deadline_ns / 1000000000);
        ts.tv_nsec = (long)(deadline_ns % 1000000000);
        limit = &ts;
    }
    long rc = syscall(SYS_futex, low_half(w), FUTEX_WAIT_BITSET_PRIVATE, expected, limit, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    return rc == 0 ? 0 : -errno;
}

int bgi_futex_wake(bgi_atomic *w, int n)
{
    const struct bgi_futex_ops *ops = bgi_load_acquire_ptr(&replacement);
    if (bgi_unlikely(ops != NULL)) {
        return ops->wake(ops->ctx, w, n);
    }
    long rc = syscall(SYS_futex, low_half(w), FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
    return rc < 0 ? -errno : (int)rc;
}

void bgi_futex_set_ops(const struct bgi_futex_ops *ops)
{
    bgi_store_release_ptr(&replacement, ops);
}

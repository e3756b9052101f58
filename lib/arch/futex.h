/*
 * Waiting on a word: the door to futex(2), which a test can replace.
 *
 * The kernel compares 32 bits, a bgi_atomic has as many as a pointer. The futex is the low half of
 * the word, wherever the byte order puts it: every change that a waiter must notice has to change
 * the low 32 bits. Words are private to the process.
 *
 * A wait gives no ordering of its own: the caller looks at the word again, with acquire, after it
 * returns. What the pair does promise is the usual: if the word no longer holds the expected value
 * when the waiter is about to sleep, it does not sleep; a wake-up that comes after the sleeper's
 * check finds it. Returns without a cause are allowed.
 *
 * All waits and wake-ups go through a table of functions, so that a model checker can put its
 * own in place. While none is put there, that costs one load of a word nobody writes.
 */
#ifndef BGI_FUTEX_H
#define BGI_FUTEX_H

#include "base/atomic.h"
#include "base/compiler.h"

#include <stdint.h>

struct bgi_futex_ops {
    int (*wait)(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline_ns);
    int (*wake)(void *ctx, bgi_atomic *w, int n);
    void *ctx;
};

/*
 * Sleeps while the low half of *w is `expected`, until a wake-up, or until the absolute time
 * deadline_ns of CLOCK_MONOTONIC (negative: no limit). Blocks the thread.
 * 0: woken, or no cause at all; -EAGAIN: the word held something else; -ETIMEDOUT; -EINTR: a
 * signal handler ran.
 */
int bgi_futex_wait(bgi_atomic *w, uint32_t expected, int64_t deadline_ns);

/* Wakes at most n waiters of w; gives how many. Never blocks. */
int bgi_futex_wake(bgi_atomic *w, int n);

/*
 * Puts ops in the place of the system call for the whole process; NULL brings it back. *ops must
 * outlive its use, and nobody may be waiting while it changes.
 */
void bgi_futex_set_ops(const struct bgi_futex_ops *ops);

#endif

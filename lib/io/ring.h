/*
 * A ring of io_uring, by liburing, which is loaded when it is first wanted: a program that is
 * linked with the library needs nothing more, and one on a system without it goes on with epoll.
 *
 * A ring belongs to a worker, whose thread the kernel uses for what is completed. It is entered
 * under a biased lock, since others take part now and then: who cancels what was asked for on it,
 * who closes a descriptor, who polls it for a worker that is held up.
 *
 * Entries are collected and submitted together, when the worker has nothing left to run, looks
 * around, or is held up.
 *   unsubmitted  how many are collected; written under the lock; read by anybody as a hint
 */
#ifndef BGI_RING_H
#define BGI_RING_H

#include "arch/bias.h"

#if defined(BGI_URING)

#include <liburing.h>

enum { BGI_RING_ENTRIES = 256, BGI_RING_COMPLETIONS = 4096 };

typedef struct bgi_ring {
    struct io_uring u;
    bgi_bias lock;
    bgi_atomic unsubmitted;
} bgi_ring;

/* Whether rings can be had here: the library is there, and the kernel allows what is needed. Found
 * out once. */
int bgi_ring_possible(void);

/* NULL, with *error, when it cannot be had. */
bgi_ring *bgi_ring_create(int *error);
void bgi_ring_destroy(bgi_ring *r);

/* The lock; `own`: the caller is the worker it belongs to. Gives what leave wants back. */
int bgi_ring_enter(bgi_ring *r, int own);
void bgi_ring_leave(bgi_ring *r, int own, int how);

/* Inside: a new entry; submits the others when there is no room. NULL: the kernel takes none now.
 */
struct io_uring_sqe *bgi_ring_entry(bgi_ring *r);

/* Inside: makes the entries visible to the kernel; how many are to be submitted by bgi_ring_call.
 */
unsigned bgi_ring_flush(bgi_ring *r);

/* Inside: the place of the last entry that was flushed. Outside: how many entries up to there the
 * kernel has not taken yet. */
unsigned bgi_ring_last(const bgi_ring *r);
unsigned bgi_ring_left(const bgi_ring *r, unsigned last);

/* Outside: submits, and waits for a completion if `wait`, at most for `timeout` (NULL: no end). */
void bgi_ring_call(bgi_ring *r, unsigned submit, int wait, struct __kernel_timespec *timeout);

/* Whether the kernel has something for a call without wait to finish, or has refused entries, or
 * completions are there. */
int bgi_ring_has_work(const bgi_ring *r);

typedef struct bgi_completion {
    void *data;
    int result;
    unsigned flags;
} bgi_completion;

/* Inside: takes at most `most` completions. */
unsigned bgi_ring_take(bgi_ring *r, bgi_completion *out, unsigned most);

#endif

#endif

/*
 * A latch for functions that block a thread until the test lets them go on, and a gauge of how many
 * do so at once.
 */
#ifndef TESTS_IO_LATCH_H
#define TESTS_IO_LATCH_H

#include "../task/check.h"

#include "arch/futex.h"

typedef struct latch {
    bgi_atomic open; /* 0 -> 1; a futex */
} latch;

static inline void latch_open(latch *l)
{
    bgi_store_release(&l->open, 1);
    (void)bgi_futex_wake(&l->open, INT32_MAX);
}

/* On a plain thread. */
static inline void latch_wait(latch *l)
{
    while (bgi_load_acquire(&l->open) == 0) {
        (void)bgi_futex_wait(&l->open, 0, -1);
    }
}

/* How many threads are within, and the most there were. */
typedef struct gauge {
    bgi_atomic now, most;
} gauge;

static inline void gauge_enter(gauge *g)
{
    bgi_word now = bgi_fetch_add(&g->now, 1) + 1;
    bgi_word most = bgi_load(&g->most);
    while (now > most && !bgi_cas(&g->most, most, now)) {
        most = bgi_load(&g->most);
    }
}

static inline void gauge_leave(gauge *g)
{
    (void)bgi_fetch_sub(&g->now, 1);
}

#endif

/*
 * What the tests of synchronisation share: running a body everywhere, plain threads beside tasks,
 * and a look at who waits.
 */
#ifndef TESTS_SYNC_SYNC_H
#define TESTS_SYNC_SYNC_H

#include "../task/check.h"

#include "wait/check.h"

#include <errno.h>

/* Runs the body under many schedules on virtual time, and on threads. */
static inline void everywhere(bg_fn body)
{
    cr_assert_eq(bg_explore(body, NULL, .seeds = MANY(300)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        for (int i = 0; i < (CHECK_SLOW ? 3 : 20); i++) {
            RUN(body, NULL, .workers = w);
        }
    }
}

/* Likewise, where plain threads take part: they have no place in virtual time. */
static inline void on_threads(bg_fn body)
{
    EACH_WORKER_COUNT(w)
    {
        for (int i = 0; i < (CHECK_SLOW ? 3 : 20); i++) {
            RUN(body, NULL, .workers = w);
        }
    }
}

/* How many wait on an object: the queue is the first thing in each. */
static inline int waiting_on(void *object)
{
    bgi_waitq *q = object;
    int n = 0;
    bgi_word s = bgi_waitq_enter(q);
    bgi_wait_node *first = q->first, *at = first;
    bgi_waitq_check(q, "a test");
    if (first != NULL) {
        do {
            CHECK(at->next->prev == at);
            CHECK(bgi_wait_node_queued(at));
            at = at->next;
            n++;
        } while (at != first);
    }
    CHECK(((s & BGI_WAITQ_QUEUED) != 0) == (n != 0));
    bgi_waitq_leave(q, s);
    return n;
}

/* In a task: until so many wait. */
static inline void until_waiting(void *object, int n)
{
    while (waiting_on(object) != n) {
        bg_yield();
    }
}

static inline void until_at_least(void *object, int n)
{
    while (waiting_on(object) < n) {
        bg_yield();
    }
}

static inline int cancel_arg(void *arg)
{
    return bg_cancel(arg);
}

/* A plain thread that runs a body as a task would; joined by blocking the worker, so only when it
 * is about to end. */
struct helper {
    pthread_t thread;
    bg_fn fn;
    void *arg;
    int result;
    bgi_atomic done;
};

static inline void *helper_main(void *arg)
{
    struct helper *h = arg;
    h->result = h->fn(h->arg);
    bgi_store_release(&h->done, 1);
    return NULL;
}

static inline void helper_start(struct helper *h, bg_fn fn, void *arg)
{
    h->fn = fn;
    h->arg = arg;
    bgi_store(&h->done, 0);
    CHECK(pthread_create(&h->thread, NULL, helper_main, h) == 0);
}

/* In a task. */
static inline int helper_end(struct helper *h)
{
    yield_until(&h->done, 1);
    CHECK(pthread_join(h->thread, NULL) == 0);
    return h->result;
}

#endif

/*
 * Making items ready, from a worker or from any other thread.
 */
#include "core/sim.h"

enum { TELL_SELDOM = 4096 }; /* a wake-up for each item of so many to twice as many, at least */

/* Wakes a sleeper that has been counted as searching; 0 when there is none. */
static int wake_one(bgi_sched *s)
{
    bgi_ec_node *node = bgi_ec_notify(&s->idle);
    if (node == NULL) {
        return 0;
    }
    bgi_worker *w = BGI_CONTAINER_OF(node, bgi_worker, node);
    if (s->driver->ops->wake != NULL) {
        s->driver->ops->wake(s->driver, w);
    }
    return 1;
}

/* Whether it was all a deterministic scheduler, whose sleepers nobody wakes. */
BGI_INLINE int notify(bgi_sched *s)
{
    for (;;) {
        bgi_fence_full(); /* partner: the fences in bgi_ec_prepare and bgi_park */
        if (bgi_load(&s->searching) != 0 || bgi_ec_waiting(&s->idle) == 0) {
            return 0;
        }
        if (bgi_unlikely(s->sim != NULL)) {
            return 1;
        }
        /* One waker at a time: the woken one searches from its first moment on. */
        if (!bgi_cas(&s->searching, 0, 1) || wake_one(s)) {
            return 0;
        }
        /* All have woken by themselves. Another submitter may have relied on the searcher that was
         * not to be, while somebody went to sleep: look again. */
        (void)bgi_fetch_sub(&s->searching, 1);
    }
}

void bgi_notify_one_more(bgi_sched *s)
{
    (void)bgi_fetch_add(&s->searching, 1);
    if (!wake_one(s) && bgi_fetch_sub(&s->searching, 1) == 1) {
        bgi_notify(s); /* as the last to leave the search, who finds nothing */
    }
}

void bgi_notify(bgi_sched *s)
{
    (void)notify(s);
}

void bgi_notify_here(bgi_sched *s)
{
    if (bgi_unlikely(notify(s))) {
        bgi_sim_point(s);
    }
}

void bgi_push_overflow(bgi_worker *w, struct bgi_fifo *chain, size_t n)
{
    bgi_injector_push(&w->sched->injector, chain, n);
}

/* From a thread that is no worker of `s`. Until the item is in the queue it keeps the scheduler
 * alive; it may be run at once and be the last, so from then on the caller's visit does. */
static void inject(bgi_sched *s, bgi_item *item)
{
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item->link);
    (void)bgi_fetch_add(&s->visitors, 1);
    bgi_injector_push(&s->injector, &chain, 1);
    bgi_notify(s);
    (void)bgi_fetch_sub(&s->visitors, 1);
}

void bgi_submit(bgi_sched *s, bgi_item *item)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_likely(w != NULL && w->sched == s)) {
        bgi_push(w, item);
    } else {
        inject(s, item);
    }
}

/*
 * An item has gone to the next slot while other workers sleep. If this one goes on for long before
 * it takes it, somebody else had better: who has been handed a lock, the next stage of a pipeline,
 * and all that waits for them in turn, would wait for what this one computes. If it takes it soon,
 * a wake-up is in vain, and dear. Which of the two it is nobody knows beforehand, but a thief that
 * comes finds out (core/steal.c). So a sleeper is woken every so many times: hardly ever, unless
 * thieves find something worth taking, and each time as long as they do.
 *
 * A wake-up that is put off, or is not made as somebody searches already, loses nothing: what stays
 * in the slot while its owner goes on for long is the monitor's concern, as ever.
 */
BGI_NOINLINE static void tell_of_next(bgi_worker *w)
{
    if (bgi_load(&w->robbed) != 0) { /* partner: steal_next */
        bgi_store(&w->robbed, 0);
        w->tell_every /= 16;
    } else if (w->tell_every < TELL_SELDOM) {
        w->tell_every = 2 * w->tell_every + 1;
    }
    w->tell_in = w->tell_every;
    bgi_notify(w->sched);
}

void bgi_ready(bgi_sched *s, bgi_item *item)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_likely(w != NULL && w->sched == s)) {
        struct bgi_link *displaced = bgi_runq_put_next(&w->queue, &item->link);
        if (displaced != NULL) {
            bgi_push(w, bgi_item_of(displaced));
        } else if (s->workers > 1 && bgi_ec_waiting(&s->idle) != 0 && w->tell_in-- == 0) {
            tell_of_next(w);
        }
    } else {
        inject(s, item);
    }
}

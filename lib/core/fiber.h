/*
 * Fibers: items that have a stack of their own and can suspend.
 *
 * Suspend with a commit. A task that waits must be off its stack before anybody can find it, or a
 * second worker would resume a stack still in use. So it names a commit callback, the worker leaves
 * its stack, and only then the callback runs: on the stack of whatever runs next, be that another
 * fiber or the loop. It publishes the waiter, or unlocks the lock, and says whether the fiber is to
 * wait (0) or found that it need not (1: it goes to the next slot).
 *
 * A fiber that suspends picks the next item itself. If that is a fiber too, it switches straight to
 * it: one switch instead of two, and all who suspend return from the same call, so the processor
 * predicts their returns. Otherwise it switches to the loop, with the item handed off.
 *
 * A stack is bound when the fiber first runs, and goes on to the next fresh fiber when a body has
 * ended: a million spawned tasks that never wait run on one stack. When no fresh one is next the
 * stack goes back to the pool, and rests in the loop over bodies until it is bound again.
 *
 * States of a fiber. Only the worker that runs it, and whoever claimed its wake-up, touch it.
 *   fresh     (stack NULL)   -> running    bind, by the worker that took it from a queue
 *   running   (w->current)   -> suspended  after the commit has run and returned 0
 *   running                  -> queued     after the commit has run and returned 1, or a yield
 *   suspended                -> queued     bgi_ready, once, by the one who claimed the wake-up
 *   queued                   -> running    the worker that took it from a queue
 *   running                  -> ended      body returns; the record may be gone by then
 *
 * Partner of the switch: what a fiber wrote before it suspended is seen by who resumes it, since
 * its commit publishes with a release (queue, waiter word) that the resumer's acquire pairs with.
 */
#ifndef BGI_FIBER_H
#define BGI_FIBER_H

#include "core/sched.h"

typedef struct bgi_fiber {
    bgi_item item;
    bgi_stack *stack;         /* NULL while fresh */
    uint32_t stack_size : 31; /* 0: the scheduler's default */
    uint32_t flag : 1;        /* the task layer's, as is the result */
    int result;               /* the task layer's */
} bgi_fiber;

/* The run function of fibers, by which they are told from other items. */
void bgi_fiber_run(bgi_worker *w, bgi_item *item);

BGI_INLINE void bgi_fiber_init(bgi_fiber *f, uint32_t stack_size)
{
    f->item.run = bgi_fiber_run;
    f->stack = NULL;
    f->stack_size = stack_size & 0x7fffffffU;
    f->flag = 0;
}

BGI_INLINE bgi_fiber *bgi_fiber_of(bgi_item *item)
{
    return BGI_CONTAINER_OF(item, bgi_fiber, item);
}

/* The item will run soon, after others: if it is a fiber, fetches what it needs first, its context
 * and the frames it returns through. Many that wake at once would miss the cache one after another.
 */
BGI_INLINE void bgi_item_prefetch(bgi_item *item)
{
    if (item->run == bgi_fiber_run) {
        const char *top = (const char *)bgi_fiber_of(item)->stack;
        for (int line = 0; line < 5; line++) {
            __builtin_prefetch(top - line * BGI_CACHE_LINE);
        }
    }
}

/*
 * Likewise in two steps, for those that wait deep in their stacks. First the context of an item
 * that has just been woken and is in no queue yet, then, when others have had their first step,
 * bgi_push_woken: the frames, from where it left.
 */
BGI_INLINE void bgi_item_prefetch_context(const bgi_item *item)
{
    if (item->run == bgi_fiber_run) {
        __builtin_prefetch(BGI_CONTAINER_OF(item, bgi_fiber, item)->stack);
    }
}

/* Those, in order, to the end of the run queue of w, whose thread this is; how many. */
size_t bgi_push_woken(bgi_worker *w, struct bgi_fifo *woken);

/* The fiber that runs on the calling thread, or NULL. */
BGI_INLINE bgi_fiber *bgi_fiber_self(void)
{
    bgi_worker *w = bgi_worker_self();
    return w == NULL ? NULL : w->current;
}

/*
 * Marks a function that suspends and then returns to its caller. When a task goes on, the return
 * predictor holds the calls of the task before it, so each return on the way from the suspension
 * back to the task's own code is mispredicted (8 ns each; four of them were half the price of a
 * contended mutex). So all functions on this way return by a jump, and a public function calls the
 * last of them last, as a tail call. A file that has one needs BGI_RETURN_THUNK.
 */
#define BGI_WAITS BGI_NOINLINE BGI_RETURN_BY_JUMP

/* Called by the running fiber. Returns when it has been made ready and its turn has come, perhaps
 * on another worker: nothing that depends on the thread may be kept across it. */
void bgi_suspend(bgi_commit commit, void *arg);

/*
 * Likewise, for a wait that mostly ends when a fresh fiber has run and returned here, as a call
 * does. The two differ in how they return, for the sake of the return predictor: between fibers
 * that take turns nothing matches, and bgi_suspend returns by a jump; here all calls and returns
 * pair up.
 */
void bgi_suspend_for_child(bgi_commit commit, void *arg);

/* The running fiber lets the others that are ready run first. */
void bgi_yield(void);

/* bgi_fiber_run in two halves, for a loop that looks in between at what the fiber left by (the
 * worker's commit). Enter gives 0 when there was no stack for the fiber, which has then ended. */
int bgi_fiber_enter(bgi_worker *w, bgi_fiber *f);
void bgi_fiber_left(bgi_worker *w);

/* Whether the commit of a fiber that left is that of bgi_yield. */
int bgi_fiber_yielded(bgi_commit commit);

/* The return addresses on the stack of a suspended fiber, innermost first, at most n; from the
 * loop of a worker. The number found; 0 where the C library cannot say. */
int bgi_fiber_backtrace(bgi_worker *w, bgi_fiber *f, void **frames, int n);

#endif

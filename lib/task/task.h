/*
 * Tasks: the record, its life, and what a runtime keeps of its tasks.
 *
 * `done`, the word in which a task's end meets its awaiter. Values, and who moves it
 *   FREE       in a free list
 *   LIVE       the task has not ended, the handle is somebody's, nobody waits
 *   <waiter>   likewise, and this waiter is registered (a pointer, above DONE)
 *   <kept>     likewise, and it stays to the end (the pointer, plus BGI_TASK_KEPT)
 *   <sink>     the task has not ended, and the handle is a sink's (a pointer, plus BGI_TASK_SINK)
 *   FORK       likewise, it has not begun, and who forked may take it back
 *   DETACHED   the task has not ended, there is no handle
 *   DONE       it has ended, the handle is still somebody's; the result can be read
 *
 *   FREE     -> LIVE       spawn
 *   LIVE     -> <kept>     await, runtime_wait: registration
 *   LIVE     -> <waiter>   wait_any: likewise
 *   <waiter> -> LIVE       wait_any takes a registration back
 *   LIVE     -> <sink>     as_completed; a group, before anybody else sees the task
 *   <sink>   -> LIVE       as_completed takes a registration back
 *   LIVE     -> DETACHED   detach
 *   LIVE     -> DONE       the task ends
 *   <kept>   -> DONE       the task ends: it owes the waiter one signal
 *   <waiter> -> DONE       likewise
 *   <sink>   -> DONE       the task ends: the sink is told, and has it from then on
 *   DETACHED -> FREE       the task ends: it frees its own record; or its maker does, who ends it
 *   DONE     -> FREE       the handle is given back
 *
 *   LIVE     -> FORK       a fork's task, before anybody else sees it (parallel/fork.c)
 *   FORK     -> LIVE       the task begins
 *   FORK     -> DETACHED   who forked runs the function itself; the task has nothing to do
 *   FORK     -> DONE       the task ends without having begun
 * All but the frees are compare-and-swaps, with acquire and release, and two more that have nobody
 * to race with. Who awaits a task that goes on right here, on the worker that runs the awaiter's
 * commit, stores <kept>: the handle is its own, and the end is this worker's, later, or that of one
 * to which the task is passed on. And the end of a task finds <kept> (acquire) and stores DONE: the
 * handle's owner waits for the signal, and looks at the word no more. Partners: the end (release)
 * -> whoever finds DONE (acquire): the result, and all the task has written, is seen; by who waits,
 * through the signal. Registration (release) -> the end (acquire): the waiter is seen.
 *
 * A task that has ended may not touch its record after it has stored DONE: the awaiter may free it.
 *
 * Records come from chunks that live as long as the runtime, so that cancelling everybody at the
 * end can walk over them without a list, and an old handle reads memory that is a record still
 * (which is how debug builds catch it).
 */
#ifndef BGI_TASK_H
#define BGI_TASK_H

#include "arch/lock.h"
#include "core/fiber.h"
#include "core/sim.h"
#include "wait/scope.h"

#include <brigade/task.h>
#include <errno.h>

enum bgi_done { BGI_TASK_LIVE = 0, BGI_TASK_DETACHED = 1, BGI_TASK_DONE = 2, BGI_TASK_FREE = 3 };

/* In `done`, with the address of a sink. */
#define BGI_TASK_SINK ((bgi_word)4)

/* In `done`, with the address of a waiter whose registration nobody takes back. */
#define BGI_TASK_KEPT ((bgi_word)2)

/* A sink that is nobody: a fork's task that has not begun. */
#define BGI_TASK_FORK BGI_TASK_SINK

/* Whom a task's end is told to, if that is more than a waiter: on the worker that ran the task,
 * when its result and DONE are stored. The sink owns the handle. May give an item to be run next.
 */
typedef struct bgi_task_sink {
    bgi_item *(*ended)(struct bgi_task_sink *sink, bg_task *t, bgi_worker *w);
} bgi_task_sink;

_Static_assert(_Alignof(bgi_task_sink) >= 8, "there is room for BGI_TASK_SINK");

/* A task that never waits, is not named and copied nothing touches its first cache line only. */
struct bg_task {
    bgi_fiber fiber; /* its result is the task's; its flag says that there is an extra */
    bgi_atomic done;
    bg_fn fn;
    void *arg;
    bgi_waiter waiter;       /* its state in the first line; `wake` is set once for each record */
    struct bgi_extra *extra; /* what was copied, if the flag is set */
};

_Static_assert(sizeof(struct bg_task) == 128, "two cache lines a task");
_Static_assert(offsetof(struct bg_task, waiter) + offsetof(bgi_waiter, wake) == 64,
               "what every task needs is in the first");

/* What a task copied when it was spawned. */
struct bgi_extra {
    const char *name;              /* NULL: unnamed */
    struct bgi_extra *next, *prev; /* of a group's member: its neighbours, and itself */
    bg_task *task;
    struct bgi_locals *locals; /* until it begins: what it has inherited, or NULL (task/local.h) */
    bg_fn fn;                  /* if it has inherited: its function */
    _Alignas(max_align_t) char bytes[]; /* the argument, then the name */
};

/* What each worker keeps for itself. */
typedef struct bgi_task_cache {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) struct bgi_link *free; /* linked by fiber.item.link */
    unsigned count;
    bgi_atomic spawned; /* stored by the owner (release), summed by anybody (acquire) */
    bgi_atomic ended;
} bgi_task_cache;

#define BGI_TASK_CHUNK ((size_t)64 * 1024)
#define BGI_TASK_BATCH 128

/* Aligned to its size, so that a record's address tells its chunk, and the chunk its runtime. */
struct bgi_task_chunk {
    bg_runtime *runtime;
    struct bgi_task_chunk *next;
    size_t used; /* records that have ever been handed out; under the lock */
    BGI_ALIGNED(64) struct bg_task task[];
};

#define BGI_TASKS_A_CHUNK                                                                          \
    ((BGI_TASK_CHUNK - sizeof(struct bgi_task_chunk)) / sizeof(struct bg_task))

struct bg_runtime {
    bgi_sched *sched;
    bgi_task_cache *cache; /* one a place of the scheduler */
    size_t max_tasks;      /* 0: no limit */
    bgi_word look;         /* how a waiter's word begins (wait/waiter.h) */
    bgi_atomic locals;     /* 0 -> 1: a task has set a local (task/local.h) */
    bgi_atomic alive;      /* counted only when there is a limit */
    bgi_atomic foreign_spawned;
    bgi_atomic stopping; /* 0 -> 1: everybody is cancelled, also who is spawned from now on */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_lock lock; /* chunks and free batches */
    struct bgi_task_chunk *chunks;
    struct bgi_link *free; /* records that caches gave away */
    size_t free_count;
    bgi_atomic main; /* of bg_run: its end is the runtime's; 0 after that */
    int main_result;
    unsigned deadlocks;        /* of the deterministic mode */
    bgi_atomic blocking;       /* the pool for blocking calls, once there was one (io/blocking.c) */
    bgi_atomic resolving;      /* likewise, for names of hosts */
    unsigned blocking_threads; /* how many `blocking` may have */
    struct bgi_io *io;         /* descriptors (io/io.h) */
};

BGI_INLINE bg_task *bgi_task_of(bgi_fiber *f)
{
    return BGI_CONTAINER_OF(f, struct bg_task, fiber);
}

BGI_INLINE bg_runtime *bgi_task_runtime(const bg_task *t)
{
    return ((struct bgi_task_chunk *)((uintptr_t)t & ~(BGI_TASK_CHUNK - 1)))->runtime;
}

/* The task that runs here, or NULL. */
BGI_INLINE bg_task *bgi_task_self(void)
{
    bgi_fiber *f = bgi_fiber_self();
    return f == NULL ? NULL : bgi_task_of(f);
}

/* ---- task/record.c ---- */

bg_task *bgi_task_alloc_slow(bg_runtime *rt, bgi_worker *w);
void bgi_task_free_slow(bg_runtime *rt, bg_task *t);
BGI_COLD void bgi_task_cache_spill(bg_runtime *rt, bgi_task_cache *cache);

/* A record for the worker w, or NULL for another thread. NULL: no memory. */
BGI_INLINE bg_task *bgi_task_alloc(bg_runtime *rt, bgi_worker *w)
{
    bgi_task_cache *cache = w == NULL ? NULL : &rt->cache[w->index];
    if (bgi_unlikely(cache == NULL || cache->free == NULL)) {
        return bgi_task_alloc_slow(rt, w);
    }
    struct bgi_link *l = cache->free;
    cache->free = l->next;
    cache->count--;
    return bgi_task_of(bgi_fiber_of(bgi_item_of(l)));
}

/* Any thread. */
BGI_INLINE void bgi_task_free(bg_task *t)
{
    bg_runtime *rt = bgi_task_runtime(t);
    bgi_worker *w = bgi_worker_self();
    bgi_store_release(&t->done, BGI_TASK_FREE);
    if (bgi_unlikely(w == NULL || w->sched != rt->sched)) {
        bgi_task_free_slow(rt, t);
        return;
    }
    bgi_task_cache *cache = &rt->cache[w->index];
    t->fiber.item.link.next = cache->free;
    cache->free = &t->fiber.item.link;
    if (bgi_unlikely(++cache->count > 2 * BGI_TASK_BATCH)) {
        bgi_task_cache_spill(rt, cache);
    }
}

/* Calls visit for each record that has ever been in use and is not free. */
void bgi_task_each(bg_runtime *rt, void (*visit)(bg_task *t, void *arg), void *arg);

void bgi_task_chunks_free(bg_runtime *rt);

/* ---- task/spawn.c ---- */

/* A task that is not in any queue yet; NULL: no memory, not valid, or over the limit. */
bg_task *bgi_task_make(bg_runtime *rt, bgi_worker *w, bg_fn fn, void *arg, const void *copy,
                       size_t copy_size, const bg_spawn_options *options);

/* Likewise, with an extra in any case. */
bg_task *bgi_task_make_member(bg_runtime *rt, bgi_worker *w, bg_fn fn, void *arg, const void *copy,
                              size_t copy_size, const bg_spawn_options *options);

/*
 * Likewise, for a fork of the task that runs on `from`: with its locals, and a stack as large. w:
 * on which the caller runs, or NULL: another thread, which sees to it that the task stays there,
 * and changes no locals, meanwhile.
 */
bg_task *bgi_task_make_fork(bgi_worker *w, const bgi_worker *from, bg_fn fn, void *arg);

/* Whether the options of a spawn are valid; NULL is. */
int bgi_spawn_options_valid(const bg_spawn_options *o);

/* The wake function of a task's waiter, and what it does. */
bgi_item *bgi_task_wake(bgi_waiter *w, bgi_sched *here);

BGI_INLINE bgi_item *bgi_task_woken(bgi_waiter *w, bgi_sched *here)
{
    bg_task *t = BGI_CONTAINER_OF(w, struct bg_task, waiter);
    bgi_sched *home = bgi_task_runtime(t)->sched;
    if (bgi_likely(home == here)) {
        return &t->fiber.item;
    }
    bgi_ready(home, &t->fiber.item);
    return NULL;
}

/* Of a waiter that is known to be a task's: without a look at its wake function, which lies in the
 * record's second line. (The models have wake functions of their own.) */
BGI_INLINE bgi_item *bgi_task_waiter_wake(bgi_waiter *w, bgi_sched *here)
{
#ifdef BGI_MODEL
    return w->wake(w, here);
#else
    return bgi_task_woken(w, here);
#endif
}

/* ---- task/local.c ---- */

/* Of a stack that has some: its task has ended. */
BGI_COLD void bgi_locals_drop(bgi_stack *stack);

void bgi_locals_release(struct bgi_locals *l);

/* Frees what the task copied. */
BGI_INLINE void bgi_task_drop_extra(bg_task *t)
{
    if (bgi_unlikely(t->fiber.flag)) {
        t->fiber.flag = 0;
        if (bgi_unlikely(t->extra->locals != NULL)) { /* it has never begun */
            bgi_locals_release(t->extra->locals);
        }
        bgi_free(t->extra);
    }
}

/* The scheduler's body and no_stack functions. */
bgi_item *bgi_task_body(bgi_worker *w, bgi_fiber *f);
void bgi_task_no_stack(bgi_worker *w, bgi_fiber *f);

/* Its name_of function. */
const char *bgi_task_fiber_name(const bgi_fiber *f);

/* The body in the deterministic mode: what may run next is left to its loop. */
bgi_item *bgi_task_body_simulated(bgi_worker *w, bgi_fiber *f);

/* ---- task/end.c ---- */

/* The task has ended with fiber.result: tells whom it concerns. Returns the awaiter's item when it
 * is to run next here. The record may be gone. */
bgi_item *bgi_task_end(bgi_worker *w, bg_task *t);

/* Cancels all tasks, those to come as well; the scheduler stops when the last one has ended. */
void bgi_runtime_begin_stop(bg_runtime *rt);

/* Spawned minus ended; exact 0 only when there is none. */
size_t bgi_tasks_live(bg_runtime *rt);

/* ---- task/failure.c ---- */

void bgi_failure(const char *name, int result);

/* ---- task/await.c ---- */

/* Cancels a task of whatever runtime. */
void bgi_task_cancel(bg_task *t);

/* The running task, or the end: misuse in debug builds, NULL in others. */
BGI_COLD void bgi_not_a_task(const char *function);

/* For messages: the name of the running task, NULL when there is none. */
BGI_INLINE const char *bgi_task_self_name(void)
{
    bg_task *self = bgi_task_self();
    return self == NULL ? NULL : bg_task_name(self);
}

BGI_INLINE bg_task *bgi_task_required(const char *function)
{
    bg_task *self = bgi_task_self();
    if (bgi_unlikely(self == NULL)) {
        bgi_not_a_task(function);
    }
    return self;
}

/* The waiter of the running task, or NULL on a plain thread: 0; or -EPERM in a callback, which
 * would hold its worker up (misuse in debug builds). */
BGI_INLINE int bgi_task_waiter(const char *function, bgi_waiter **waiter)
{
    bgi_worker *w = bgi_worker_self();
    *waiter = NULL;
    if (bgi_unlikely(w == NULL)) {
        return 0;
    }
    bgi_fiber *f = w->current;
    if (bgi_unlikely(f == NULL)) {
        bgi_not_a_task(function);
        return -EPERM;
    }
    *waiter = &bgi_task_of(f)->waiter;
    return 0;
}

/* The beginning of everything that may wait, for tasks and plain threads alike: likewise, or what
 * the call fails with, the code of a triggered scope or cancel. */
BGI_INLINE int bgi_task_may_wait(const char *function, bgi_waiter **waiter)
{
    int r = bgi_task_waiter(function, waiter);
    return bgi_unlikely(*waiter == NULL) ? r : bgi_wait_check(*waiter);
}

/* Of what could wait, and has been told not to: it does what it can though the task is to end. */
BGI_INLINE int bgi_task_may_try(const char *function, bgi_waiter **waiter)
{
    int r = bgi_task_waiter(function, waiter);
    if (bgi_likely(*waiter != NULL)) {
        bgi_wait_point(*waiter);
    }
    return r;
}

/* The beginning of what never waits: in the deterministic mode others may go on first. */
BGI_INLINE void bgi_task_point(void)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_likely(w != NULL && w->current != NULL)) {
        bgi_wait_point(&bgi_task_of(w->current)->waiter);
    }
}

/* ---- task/await.c, task/gather.c: their waits, for reports ---- */

extern const bgi_wait_kind bgi_wait_await, bgi_wait_any;

/* ---- task/after.c ---- */

/* A timer left when the runtime ends; an item left in a queue. */
void bgi_after_drop_timer(bgi_timer *t);
void bgi_after_drop_item(bgi_item *item);

#endif

/*
 * The timer service: one for the runtime, a wheel per worker inside.
 *
 * A worker sets timers on its own wheel. Its lock is biased to it (arch/bias.h), so setting and
 * cancelling a timeout takes no locked instruction, no allocation and O(1). Anybody may take a
 * timer off, or fire what is due, by the lock's other road: a task that moved to another worker
 * while it waited, an idle worker, a spare one when the owner is stuck.
 *
 * A timeout is given as a delay and reading the clock costs more than all the rest, so a delay is
 * not made a deadline at once. The timer goes to the list of fresh ones, which the owner settles
 * whenever it reads the clock next: every few dozen items, and always before it sleeps. The
 * deadline counts from then, so it is never early; most timeouts are cancelled before that. When
 * the owner is stuck in one task, the monitor has another worker settle them.
 *
 * Expiry has two steps. Under the lock, `expire` claims whoever waits and says what to do outside
 * it; from there on the timer is out of the service and its memory is the caller's again. Whoever
 * takes a timer off holds the same lock, so when bgi_timers_stop returns nobody looks at the timer
 * any more, whichever of them came first.
 *
 * Invariants
 *   T1  a node is in `fresh`, in the wheel, or out; under the lock only.
 *   T2  `next` is not above the tick at which the earliest timer in the wheel is due, whenever the
 *       lock is free. It may be below (the earliest was cancelled): somebody then looks in vain,
 *       once.
 *   T3  `unsettled` is 1 while `fresh` is not empty; it may be 1 when it is.
 *
 * Partners: next, unsettled: stored under the lock (release) -> read by workers about to sleep,
 * after their fence, and by the monitor.
 */
#ifndef BGI_TIMERS_H
#define BGI_TIMERS_H

#include "arch/bias.h"
#include "base/atomic.h"
#include "core/item.h"
#include "timer/wheel.h"

#include <brigade/types.h>

struct bgi_sched;
struct bgi_worker;
struct bgi_timers;

/* What is to be done when the lock has been left: item to be made ready, or else, after all items
 * of the batch, act(fn, arg); both NULL for nothing. */
typedef struct bgi_expiry {
    bgi_item *item;
    void (*act)(bg_fn fn, void *arg);
    bg_fn fn;
    void *arg;
} bgi_expiry;

typedef struct bgi_timer {
    bgi_timer_node node;
    bgi_atomic
        home; /* bgi_timers *; NULL: nobody's. Stored by who starts it, before it can be seen */
    void (*expire)(struct bgi_timer *t, bgi_expiry *out); /* under the lock: must not wait */
} bgi_timer;

/* At most so many are fired at one stretch under the lock. */
#ifndef BGI_TIMERS_BATCH /* the models make it tiny */
#define BGI_TIMERS_BATCH 64
#endif

#define BGI_TIMER_FRESH ((uint32_t)BGI_WHEEL_OUT + 1)

typedef struct bgi_timers {
    struct bgi_sched *sched; /* whose it is */
    bgi_bias lock;
    struct bgi_list fresh;
    bgi_atomic unsettled;
    bgi_atomic next; /* ns as a word; BGI_TIMERS_NEVER when the wheel is empty */
    struct bgi_wheel wheel;
} bgi_timers;

#define BGI_TIMERS_NEVER ((bgi_word)INT64_MAX)

void bgi_timers_init(bgi_timers *t, bg_time now);

BGI_INLINE void bgi_timer_init(bgi_timer *t, void (*expire)(bgi_timer *t, bgi_expiry *out))
{
    bgi_timer_node_init(&t->node);
    bgi_store(&t->home, 0);
    t->expire = expire;
}

/* Partner: who fires a callback's timer lets go of it by a release store of NULL, its last touch.
 */
BGI_INLINE bgi_timers *bgi_timer_home(const bgi_timer *t)
{
    return bgi_load_acquire_ptr(&t->home);
}

/* The owner of `s`, under the lock, sets a timer that is out, for a delay. */
BGI_INLINE void bgi_timers_add_fresh(bgi_timers *s, bgi_timer *t, bg_duration delay)
{
    bgi_store_ptr(&t->home, s);
    t->node.deadline = (uint64_t)(delay > 0 ? delay : 0);
    t->node.slot = BGI_TIMER_FRESH;
    bgi_list_push_back(&s->fresh, &t->node.link);
    if (bgi_load(&s->unsettled) == 0) {
        bgi_store_release(&s->unsettled, 1);
    }
}

BGI_INLINE void bgi_timers_start_fresh(bgi_timers *own, bgi_timer *t, bg_duration delay)
{
    int how = bgi_bias_enter(&own->lock);
    bgi_timers_add_fresh(own, t, delay);
    bgi_bias_leave(&own->lock, how);
}

/* Whether a timer of another's service is pending. */
int bgi_timers_pending_stranger(bgi_timers *home, bgi_timer *t);

/* The owner of `s` sets a timer that is out, at a point in time. `armed` is called under the lock
 * before the timer is set; if it returns 0, the timer is not. So a waiter can be armed and its
 * timer set at one stroke: whoever wakes it up in between finds the timer's home, and waits for the
 * lock. NULL: always. Returns 1 if the timer is set. */
int bgi_timers_start_at(bgi_timers *s, bgi_timer *t, bg_time deadline, int (*armed)(void *arg),
                        void *arg);

/* Under the lock of `home`: 1 if the timer was in it. Not its home any more: 0, it was fired, or
 * even started elsewhere, before the lock was entered. */
BGI_INLINE int bgi_timers_unlink(bgi_timers *home, bgi_timer *t)
{
    if (bgi_unlikely(bgi_timer_home(t) != home)) {
        return 0;
    }
    if (t->node.slot == BGI_TIMER_FRESH) {
        bgi_list_unlink(&t->node.link);
        t->node.slot = BGI_WHEEL_OUT;
        return 1;
    }
    return bgi_wheel_remove(&home->wheel, &t->node);
}

int bgi_timers_stop_stranger(bgi_timers *home, bgi_timer *t);

/* Takes a timer off. `own` is the caller's own service, or NULL on a thread that has none. Returns
 * 1 if it had not expired, 0 if it had or was never started. */
BGI_INLINE int bgi_timers_stop(bgi_timers *own, bgi_timer *t)
{
    bgi_timers *home = bgi_timer_home(t);
    if (bgi_unlikely(home == NULL)) {
        return 0;
    }
    if (bgi_unlikely(home != own)) {
        return bgi_timers_stop_stranger(home, t);
    }
    int how = bgi_bias_enter(&own->lock);
    int was_in = bgi_timers_unlink(own, t);
    bgi_bias_leave(&own->lock, how);
    return was_in;
}

/* The time of the next expiry, or earlier; INT64_MAX for none. Any thread; settled ones only. */
BGI_INLINE bg_time bgi_timers_next(const bgi_timers *s)
{
    return (bg_time)bgi_load_acquire(&s->next);
}

BGI_INLINE int bgi_timers_unsettled(const bgi_timers *s)
{
    return bgi_load_acquire(&s->unsettled) != 0;
}

/*
 * Settles the fresh ones and fires up to about `most` timers that are due, on the worker w; `owner`
 * says that s is w's own. What they make ready goes to w's run queue, and nobody is told. Returns 1
 * when some that are due are left; *fired grows by the number fired.
 */
int bgi_timers_run(struct bgi_worker *w, bgi_timers *s, int owner, bg_time now, size_t most,
                   size_t *fired);

/* Empties the service when nobody else uses it any more: calls drop for each timer left. */
void bgi_timers_drain(bgi_timers *s, void (*drop)(bgi_timer *t));

#endif

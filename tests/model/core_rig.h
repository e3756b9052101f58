/*
 * A scheduler for the models of lib/core: static, set up anew for each execution by a few dozen
 * stores, without threads of its own. The model's threads play the workers.
 *
 * A thread of a model that returns stands for a worker stuck in what it took last: nobody may count
 * on it any more. Where a model says that an item is run "by somebody", everybody else being asleep
 * when it is not run is the failure the checker reports.
 *
 * What the setup leaves alone: the slots of rings (never read before they were written), and the
 * slots of a wheel in which nothing was left.
 */
#ifndef TESTS_MODEL_CORE_RIG_H
#define TESTS_MODEL_CORE_RIG_H

#include "base/clock.h"
#include "core/sched.h"
#include "mc.h"

#define RIG_UNUSED __attribute__((unused))

enum { RIG_PLACES = 3 };

static bgi_sched S;
static bgi_worker W[RIG_PLACES];

/* The pool of stacks: nobody takes one, a retiring spare finds its cache empty. */
static struct bgi_stack_cache rig_caches[RIG_PLACES];
static BGI_ALIGNED(128) char rig_pool_rest[4096];
static bgi_stack_pool rig_pool = {
    .cache = rig_caches,
    .caches = RIG_PLACES,
    .global = (struct bgi_stack_global *)(void *)rig_pool_rest,
};

/* An item that notes, by plain stores, that it ran; the last of the execution's stops the
 * scheduler, if it is to. */
struct rig_item {
    bgi_item item;
    int filled; /* written before it is submitted: has to be seen by who runs it */
    int ran;
};

RIG_UNUSED static struct rig_item A, B, C;
static bgi_atomic rig_left; /* items until the scheduler stops; 0: never */

RIG_UNUSED static void rig_run(bgi_worker *w, bgi_item *item)
{
    struct rig_item *i = BGI_CONTAINER_OF(item, struct rig_item, item);
    mc_assert(i->filled == 1);
    i->ran++;
    if (bgi_fetch_add_relaxed(&rig_left, (bgi_word)0 - 1) == 1) {
        bgi_sched_stop(w->sched);
    }
}

RIG_UNUSED static void rig_item_setup(struct rig_item *i)
{
    i->item.link.next = NULL;
    i->item.run = rig_run;
    i->filled = 0;
    i->ran = 0;
}

/* As a program fills an object before it gives it away. */
RIG_UNUSED static bgi_item *rig_fill(struct rig_item *i)
{
    i->filled = 1;
    return &i->item;
}

/* A timer that makes an item ready. */
struct rig_timer {
    bgi_timer timer;
    bg_time due;
    struct rig_item *item;
};

RIG_UNUSED static struct rig_timer T;

RIG_UNUSED static void rig_expire(bgi_timer *t, bgi_expiry *out)
{
    struct rig_timer *r = BGI_CONTAINER_OF(t, struct rig_timer, timer);
    mc_assert(bgi_clock_now() >= r->due);
    out->item = &r->item->item;
}

/* Its time is a whole tick of the wheel: when a wait until then ends, it is due. */
RIG_UNUSED static void rig_timer_setup(struct rig_timer *t, struct rig_item *item, bg_duration in)
{
    bgi_timer_init(&t->timer, rig_expire);
    t->item = item;
    t->due = (bg_time)((uint64_t)(bgi_clock_now() + in) & ~(BGI_WHEEL_TICK - 1));
}

RIG_UNUSED static void rig_wheel_setup(struct bgi_wheel *wheel, bg_time now)
{
    if (wheel->slots[0].head.next == NULL) {
        bgi_wheel_init(wheel, (uint64_t)now);
        return;
    }
    for (uint32_t level = 0; level <= BGI_WHEEL_LEVELS; level++) {
        while (wheel->occupied[level] != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(wheel->occupied[level]);
            bgi_list_init(&wheel->slots[level * BGI_WHEEL_SLOTS + bit].head);
            wheel->occupied[level] &= wheel->occupied[level] - 1;
        }
    }
    wheel->tick = (uint64_t)now >> BGI_WHEEL_TICK_BITS;
    wheel->count = 0;
    wheel->cascading = 0;
}

RIG_UNUSED static void rig_worker_setup(unsigned i, bg_time now)
{
    bgi_worker *w = &W[i];
    w->sched = &S;
    w->current = NULL;
    w->commit = NULL;
    w->handoff = NULL;
    bgi_store(&w->budget, BGI_BUDGET);
    w->index = i;
    bgi_store(&w->tick, 0);
    bgi_random_seed(&w->random, i);
    w->searching = 0;
    w->is_spare = i >= S.workers;
    w->tell_in = 0;
    w->tell_every = 0;
    bgi_store(&w->robbed, 0);
    bgi_store(&w->queue.tail, 0);
    bgi_store(&w->queue.next, 0);
    bgi_store(&w->queue.head, 0);
    w->queue.jumps = 0;
    w->own.newest = &w->own.oldest;
    bgi_store((bgi_atomic *)&w->own.attention, 0);
    bgi_lock_init(&w->own_lock, BGI_RANK_FORKS, "forks");
    w->taken = NULL;
    bgi_store(&w->in_callback, 0);
    bgi_store(&w->forks.bottom, 0);
    bgi_store(&w->forks.top, 0);
    w->timers.sched = &S;
    bgi_bias_init(&w->timers.lock, BGI_RANK_TIMERS, "timers");
    bgi_list_init(&w->timers.fresh);
    bgi_store(&w->timers.unsettled, 0);
    bgi_store(&w->timers.next, BGI_TIMERS_NEVER);
    rig_wheel_setup(&w->timers.wheel, now);
    bgi_store(&w->state, BGI_ACTIVE);
    bgi_ec_node_init(&w->node);
    bgi_store(&w->tid, 1);
    bgi_store(&w->held_up, 0);
    w->has_thread = 0;
    w->seen_tick = 0;
    w->same_tick = 0;
    w->seen_first = 0;
    w->seen_fork = 0;
    w->seen_next = 0;
    bgi_store(&w->steals, 0);
    bgi_store(&w->parks, 0);
    bgi_store(&w->fired, 0);
}

/* `items`: how many run before the scheduler stops by itself, 0: it doesn't. */
RIG_UNUSED static void rig_setup(unsigned workers, unsigned spares, unsigned items)
{
    bg_time now = bgi_clock_now();
    S.workers = workers;
    S.places = workers + spares;
    S.worker = W;
    S.stacks = &rig_pool;
    S.driver = &bgi_driver_default;
    bgi_injector_init(&S.injector);
    bgi_ec_init(&S.idle);
    bgi_store(&S.searching, 0);
    bgi_store(&S.leader, 0);
    bgi_store(&S.leader_until, 0); /* what the last leader left: earlier than any timer */
    bgi_store(&S.stopping, 0);
    bgi_store(&S.used, workers + spares);
    bgi_store(&S.stuck, 0);
    bgi_store(&S.spares_active, spares);
    bgi_store(&S.spares_peak, spares);
    bgi_store(&S.visitors, 0);
    bgi_store(&S.monitor_asleep, 0);
    bgi_ec_node_init(&S.monitor_node);
    S.has_monitor = 0;
    for (unsigned i = 0; i < workers + spares; i++) {
        rig_worker_setup(i, now);
    }
    bgi_store(&rig_left, items);
    rig_item_setup(&A);
    rig_item_setup(&B);
    rig_item_setup(&C);
}

/* The worker is one of those who search. */
RIG_UNUSED static void rig_searches(bgi_worker *w)
{
    w->searching = 1;
    bgi_store(&S.searching, bgi_load(&S.searching) + 1);
}

/* The monitor has found it stuck, at its last look. */
RIG_UNUSED static void rig_stuck(bgi_worker *w)
{
    w->same_tick = 1000;
    bgi_store(&w->held_up, 1);
    bgi_store(&S.stuck, bgi_load(&S.stuck) + 1);
}

/* What the loop does between two sleeps: the item that was found, or NULL. */
RIG_UNUSED static bgi_item *rig_take(bgi_worker *w)
{
    struct bgi_fifo chain;
    struct bgi_link *l = bgi_runq_pop(&w->queue);
    if (l != NULL) {
        return bgi_item_of(l);
    }
    if (bgi_injector_pop(&S.injector, &chain, 1) != 0) {
        return bgi_item_of(bgi_fifo_pop(&chain));
    }
    return NULL;
}

/* Sleeps until there is an item, runs it, and is stuck in it for ever. */
RIG_UNUSED static void rig_run_one(bgi_worker *w)
{
    bgi_item *item;
    while ((item = rig_take(w)) == NULL && (item = bgi_search(w)) == NULL &&
           (item = rig_take(w)) == NULL) {
        bgi_park(w);
        if (bgi_load_acquire(&S.stopping)) {
            break;
        }
    }
    if (w->searching) {
        bgi_stop_searching(w);
    }
    if (item != NULL) {
        item->run(w, item);
    }
}

/* At the end of an execution nobody is announced, counted as searching, or in a role. */
RIG_UNUSED static void rig_at_rest(void)
{
    mc_assert(bgi_load(&S.searching) == 0);
    mc_assert(bgi_ec_waiting(&S.idle) == 0 && bgi_list_empty(&S.idle.sleepers));
    mc_assert(bgi_load(&S.leader) == 0);
    mc_assert(bgi_load(&S.visitors) == 0);
    mc_assert(bgi_load(&S.injector.lock.state) == BGI_LOCK_FREE);
    for (unsigned i = 0; i < S.workers; i++) {
        mc_assert(bgi_load(&W[i].state) == BGI_ACTIVE);
    }
}

#endif

/*
 * The loop of a worker: the order in which it takes things, and that nothing starves, whatever an
 * item does that never ends: the injector, the timers, the driver and the end itself are looked at
 * all the same.
 *
 * Labels: valgrind aarch64
 */
#include "core/sched.h"

#include "rig.h"

/* ---- what an item that never ends may do ---- */

struct endless {
    bgi_item item;
    int way; /* how it comes again: 0 run queue, 1 next slot, 2 fork, 3 injector */
    bgi_atomic rounds;
};

static bgi_atomic enough; /* set by what must not starve */

static void run_endless(bgi_worker *w, bgi_item *self)
{
    struct endless *e = BGI_CONTAINER_OF(self, struct endless, item);
    (void)bgi_fetch_add(&e->rounds, 1);
    if (bgi_load_acquire(&enough)) {
        return;
    }
    switch (e->way) {
    case 0:
        bgi_push(w, self);
        break;
    case 1:
        bgi_ready(w->sched, self);
        break;
    case 2:
        (void)bgi_deque_push(&w->forks, self);
        break;
    default:
        rig_inject(w->sched, self);
    }
}

static void run_enough(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    bgi_store_release(&enough, 1);
}

enum { WAYS = 4 };

Test(worker, an_injected_item_does_not_starve)
{
    for (int way = 0; way < WAYS; way++) {
        bgi_sched *s = rig_start(1, 0);
        struct endless e = {.item = {.run = run_endless}, .way = way};
        bgi_item last = {.run = run_enough};
        bgi_store(&enough, 0);
        bgi_submit(s, &e.item);
        rig_reach(&e.rounds, 10);
        bgi_submit(s, &last);
        rig_reach(&enough, 1);
        rig_end(s);
    }
}

static struct {
    bgi_item set;
    bgi_item due;
    bgi_timer timer;
    int fresh;
} timed;

static void expire(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->item = &timed.due;
}

static void run_set(bgi_worker *w, bgi_item *self)
{
    (void)self;
    bgi_timer_init(&timed.timer, expire);
    if (timed.fresh) {
        int how = bgi_bias_enter(&w->timers.lock);
        bgi_timers_add_fresh(&w->timers, &timed.timer, BG_MS);
        bgi_bias_leave(&w->timers.lock, how);
    } else {
        (void)bgi_timers_start_at(&w->timers, &timed.timer, bgi_clock_now() + BG_MS, NULL, NULL);
    }
}

Test(worker, a_timer_does_not_starve)
{
    for (int way = 0; way < WAYS; way++) {
        for (int fresh = 0; fresh <= 1; fresh++) {
            bgi_sched *s = rig_start(1, 0);
            struct endless e = {.item = {.run = run_endless}, .way = way};
            timed.set.run = run_set;
            timed.due.run = run_enough;
            timed.fresh = fresh;
            bgi_store(&enough, 0);
            if (way == 2) {
                rig_end(s); /* what a timer makes ready waits for the end of the forks */
                continue;
            }
            bgi_submit(s, &timed.set);
            bgi_submit(s, &e.item);
            rig_reach(&enough, 1);
            rig_end(s);
        }
    }
}

static struct {
    bgi_driver driver;
    bgi_atomic polls;
} polled;

static void wait_in_driver(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    (void)d;
    bgi_ec_wait(&w->node, deadline);
}

static size_t poll_driver(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)d;
    (void)w;
    (void)of;
    (void)bgi_fetch_add(&polled.polls, 1);
    return 0;
}

static int nothing_pending(bgi_driver *d, bgi_worker *of)
{
    (void)d;
    (void)of;
    return 0;
}

Test(worker, the_driver_is_polled_every_budget)
{
    static const struct bgi_driver_ops ops = {"polled",    wait_in_driver,  NULL,
                                              poll_driver, nothing_pending, NULL};
    for (int way = 0; way < WAYS; way++) {
        struct bgi_sched_config config = rig_config(1, 0);
        bgi_sched *s = NULL;
        polled.driver.ops = &ops;
        config.driver = &polled.driver;
        cr_assert_eq(bgi_sched_create(&s, &config), 0);
        cr_assert_eq(bgi_sched_start(s, 0), 0);
        struct endless e = {.item = {.run = run_endless}, .way = way};
        bgi_store(&enough, 0);
        bgi_store(&polled.polls, 0);
        bgi_submit(s, &e.item);
        rig_reach(&polled.polls, 5);
        bgi_store_release(&enough, 1);
        bgi_word rounds = bgi_load(&e.rounds);
        rig_end(s);
        cr_assert_geq(bgi_load(&e.rounds), rounds);
        cr_assert_geq(rounds, 2);
    }
}

Test(worker, a_stop_ends_the_endless)
{
    for (int way = 0; way < WAYS; way++) {
        bgi_sched *s = rig_start(2, 0);
        struct endless e = {.item = {.run = run_endless}, .way = way};
        bgi_store(&enough, 0);
        bgi_submit(s, &e.item);
        rig_reach(&e.rounds, 10);
        rig_end(s);
        cr_assert_eq(bgi_load(&rig_dropped_items), (bgi_word)way + 1); /* it was queued somewhere */
    }
}

/* ---- order ---- */

static struct {
    bgi_item start, next, fork[2], queued[3], injected, offered;
    int order[9];
    int n;
} seen;

static void run_seen(bgi_worker *w, bgi_item *self)
{
    seen.order[seen.n++] = (int)(self - &seen.start);
    if (seen.n == 8) {
        bgi_sched_stop(w->sched);
    }
}

static void run_all(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (int i = 0; i < 3; i++) {
        bgi_push_quiet(w, &seen.queued[i]);
    }
    (void)bgi_runq_put_next(&w->queue, &seen.next.link);
    for (int i = 0; i < 2; i++) {
        (void)bgi_deque_push(&w->forks, &seen.fork[i]);
    }
    bgi_store_ptr(&w->offered, &seen.offered);
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &seen.injected.link);
    bgi_injector_push(&w->sched->injector, &chain, 1);
}

Test(worker, forks_newest_first_then_the_next_slot_then_the_queue_then_the_injector)
{
    static const int order[] = {3, 2, 8, 1, 4, 5, 6, 7};
    /* Without a monitor, which has the injector looked at sooner when this takes a millisecond. */
    bgi_sched *s = rig_create(1, 0);
    for (bgi_item *i = &seen.next; i <= &seen.offered; i++) {
        i->run = run_seen;
    }
    seen.start.run = run_all;
    bgi_submit(s, &seen.start);
    bgi_worker_run(&s->worker[0]);
    bgi_sched_join(s);
    cr_assert(s->worker[0].was_injected);
    bgi_sched_destroy(s);
    cr_assert_arr_eq(seen.order, order, sizeof order);
}

/* ---- a share of what is injected ---- */

static bgi_atomic injected_ran;
static bgi_worker *by[2];

static void run_injected(bgi_worker *w, bgi_item *self)
{
    (void)self;
    size_t n = bgi_fetch_add(&injected_ran, 1);
    if (n < 2) {
        by[n] = w;
        RIG_UNTIL(bgi_load_acquire(&injected_ran) >= 2); /* two at once, so on two workers */
    }
}

Test(worker, one_worker_does_not_take_all_that_is_injected)
{
    enum { N = 100 };
    bgi_item item[N];
    struct bgi_fifo chain;
    bgi_sched *s = rig_start(2, 0);
    rig_idle(s);
    bgi_fifo_init(&chain);
    for (size_t i = 0; i < N; i++) {
        item[i].run = run_injected;
        bgi_fifo_push(&chain, &item[i].link);
    }
    bgi_injector_push(&s->injector, &chain, N);
    bgi_notify(s); /* one is told; it tells the next */
    rig_reach(&injected_ran, N);
    rig_end(s);
    cr_assert(by[0] != by[1]);
}

/* ---- this worker ---- */

static bgi_atomic inner_done;

static void run_inner_stop(bgi_worker *w, bgi_item *self)
{
    (void)self;
    (void)bgi_fetch_add(&inner_done, bgi_worker_self() == w);
    bgi_sched_stop(w->sched);
}

/* A worker's thread runs a worker of another scheduler meanwhile, and is itself again after it. */
static void run_outer(bgi_worker *w, bgi_item *self)
{
    struct bgi_sched_config config = rig_config(1, 0);
    bgi_sched *inner = NULL;
    bgi_item stop = {.run = run_inner_stop};
    (void)self;
    if (bgi_sched_create(&inner, &config) == 0 && bgi_sched_start(inner, 1) == 0) {
        bgi_submit(inner, &stop);
        bgi_worker_run(&inner->worker[0]);
        bgi_sched_join(inner);
        bgi_sched_destroy(inner);
    }
    (void)bgi_fetch_add(&inner_done, bgi_worker_self() == w);
    bgi_store_release(&enough, 1);
}

Test(worker, one_loop_inside_another)
{
    cr_assert_null(bgi_worker_self());
    bgi_sched *s = rig_start(1, 0);
    bgi_item outer = {.run = run_outer};
    bgi_submit(s, &outer);
    rig_reach(&enough, 1);
    rig_end(s);
    cr_assert_eq(bgi_load(&inner_done), 2);
    cr_assert_null(bgi_worker_self());
}

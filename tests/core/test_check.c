/*
 * The walkers of timers, workers and schedulers: every way of being broken is named. What is
 * checked here is not running, and the test plays whoever is needed.
 */
#include "core/check.h"

#include "dies.h"
#include "rig.h"

static void run_nothing(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
}

static void expire(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    (void)out;
}

static bgi_item item[8];
static bgi_timer timer[3];

/* Two workers with something everywhere: ring, next slot, forks, timers, injector. */
static bgi_sched *make(void)
{
    bgi_sched *s = rig_create(2, 2);
    struct bgi_fifo chain;
    for (size_t i = 0; i < BGI_ARRAY_LEN(item); i++) {
        item[i].run = run_nothing;
    }
    bgi_push_quiet(&s->worker[0], &item[0]);
    bgi_push_quiet(&s->worker[1], &item[1]);
    (void)bgi_runq_put_next(&s->worker[1].queue, &item[2].link);
    cr_assert_eq(bgi_deque_push(&s->worker[0].forks, &item[3]), 0);
    bgi_store_ptr(&s->worker[1].offered, &item[7]);
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item[4].link);
    bgi_fifo_push(&chain, &item[5].link);
    bgi_injector_push(&s->injector, &chain, 2);
    for (size_t i = 0; i < BGI_ARRAY_LEN(timer); i++) {
        bgi_timer_init(&timer[i], expire);
    }
    (void)bgi_timers_start_at(&s->worker[0].timers, &timer[0], bgi_clock_now() + BG_S, NULL, NULL);
    (void)bgi_timers_start_at(&s->worker[0].timers, &timer[1], bgi_clock_now() + 9 * BG_S, NULL,
                              NULL);
    int how = bgi_bias_enter(&s->worker[0].timers.lock);
    bgi_timers_add_fresh(&s->worker[0].timers, &timer[2], BG_S);
    bgi_bias_leave(&s->worker[0].timers.lock, how);
    return s;
}

Test(check, what_is_sound_passes)
{
    bgi_sched *s = make();
    bgi_sched_check(s);
    bgi_worker_check(&s->worker[0]);
    bgi_worker_check(&s->worker[1]);
    bgi_sched_check(s);
    static bgi_item handed = {.run = run_nothing};
    s->worker[1].handoff = &handed;
    bgi_sched_check(s);
    s->worker[1].handoff = NULL;
    rig_end(s);
    s = rig_start(3, 1); /* and one that runs is looked at when it ends */
    rig_idle(s);
    rig_end(s);
    cr_assert_eq(bgi_load(&rig_dropped_items), 7);
}

#if BGI_DEBUG

static void check(void *s)
{
    bgi_sched_check(s);
}

static void check_stopped(void *s)
{
    bgi_sched_check_stopped(s);
}

/* A word of a scheduler that is wrong for as long as it takes to be found. */
#define FINDS(word, wrong, words)                                                                  \
    do {                                                                                           \
        __typeof__(word) right = (word);                                                           \
        (word) = (wrong);                                                                          \
        DIES(check, s, words);                                                                     \
        (word) = right;                                                                            \
        bgi_sched_check(s);                                                                        \
    } while (0)

#define FINDS_ATOMIC(word, wrong, words)                                                           \
    do {                                                                                           \
        bgi_word right = bgi_load(&(word));                                                        \
        bgi_store(&(word), (bgi_word)(wrong));                                                     \
        DIES(check, s, words);                                                                     \
        bgi_store(&(word), right);                                                                 \
        bgi_sched_check(s);                                                                        \
    } while (0)

Test(check, wrong_words_of_a_worker_are_found)
{
    bgi_sched *s = make();
    bgi_worker *w = &s->worker[1];
    FINDS(w->index, 0, "brigade: scheduler: place 1 has worker 0");
    FINDS(w->is_spare, 1, "scheduler: worker 1 of 2 is spare: 1");
    FINDS(w->searching, 2, "scheduler: worker 1 searches 2 times");
    FINDS(w->searching, 1, "scheduler: searching is 0, 1 of 2 workers search");
    FINDS(w->commit, (bgi_commit)(uintptr_t)s, "scheduler: worker 1 owes somebody a commit");
    FINDS_ATOMIC(w->budget, BGI_BUDGET + 1, "scheduler: worker 1 has a budget of 62");
    FINDS_ATOMIC(w->state, 4, "scheduler: worker 1 is in state 4");
    FINDS_ATOMIC(w->held_up, 2, "scheduler: worker 1 is held up 2 times");
    FINDS_ATOMIC(w->node.word, 9, "eventcount: a node's word is 9");
    rig_end(s);
}

Test(check, wrong_counts_are_found)
{
    bgi_sched *s = make();
    FINDS_ATOMIC(s->used, 1, "scheduler: 1 places are used, of 2..4");
    FINDS_ATOMIC(s->used, 5, "scheduler: 5 places are used, of 2..4");
    FINDS_ATOMIC(s->searching, 3, "scheduler: searching is 3, 0 of 2 workers search");
    FINDS_ATOMIC(s->searching, -1, "scheduler: searching is 18446744073709551615");
    FINDS_ATOMIC(s->leader, 3, "scheduler: the leader is worker 2 of 2");
    FINDS_ATOMIC(s->spares_active, 1, "scheduler: spares_active is 1, 0 spares are active");
    FINDS_ATOMIC(s->stuck, 3, "scheduler: 3 of 2 workers are stuck");
    FINDS_ATOMIC(s->injector.count, 3, "injector: count is 3, the list has 2");
    bgi_ec_prepare(&s->idle, &s->worker[1].node);
    FINDS_ATOMIC(s->idle.waiting, 2, "eventcount: waiting is 2, the list has 1");
    (void)bgi_ec_cancel(&s->idle, &s->worker[1].node);
    rig_end(s);
}

Test(check, broken_queues_are_found)
{
    bgi_sched *s = make();
    bgi_worker *w = &s->worker[1];
    FINDS_ATOMIC(w->queue.tail, 1000, "run queue: R2: tail - head = 1000 > 256");
    FINDS_ATOMIC(w->forks.top, 1, "deque: I1: top is 1 above bottom");
    FINDS(item[1].run, NULL, "scheduler: an item that cannot run is queued");
    FINDS_ATOMIC(w->queue.slots[0], (uintptr_t)&item[0], "scheduler: an item is in two places");
    FINDS_ATOMIC(w->queue.next, (uintptr_t)&item[1], "scheduler: an item is in two places");
    FINDS_ATOMIC(w->queue.next, (uintptr_t)&item[3], "scheduler: an item is in two places");
    FINDS(w->handoff, &item[0], "scheduler: an item is in two places");
    bgi_store_ptr(&w->queue.next, &item[5]); /* the injector's */
    DIES(check, s, "injector: count is 2, the list has at least 3");
    bgi_store_ptr(&w->queue.next, NULL);
    item[5].link.next = NULL;
    rig_end(s);
}

Test(check, broken_timers_are_found)
{
    bgi_sched *s = make();
    bgi_timers *t = &s->worker[0].timers;
    FINDS_ATOMIC(t->next, BGI_TIMERS_NEVER,
                 "timers: T2: next is 9223372036854775807, one is due at");
    FINDS_ATOMIC(t->unsettled, 0, "timers: T3: unsettled is 0, 1 are fresh");
    FINDS_ATOMIC(timer[0].home, (uintptr_t)&s->worker[1].timers,
                 "timers: T1: one says that it is with another worker");
    FINDS_ATOMIC(timer[2].home, 0, "timers: T1: one says that it is with another worker");
    FINDS(timer[2].node.slot, 12, "timers: T1: a fresh one says that it is in slot 12");
    FINDS(t->wheel.count, 1, "timer wheel: count is 1, the slots have 2");
    rig_end(s);
}

static void check_worker(void *w)
{
    bgi_worker_check(w);
}

/* The owner looks at its own now and then. */
Test(check, a_worker_looks_at_what_is_its_own)
{
    bgi_sched *s = make();
    bgi_worker *w = &s->worker[0];
    bgi_store(&w->queue.slots[0], 0);
    DIES(check_worker, w, "run queue: R2: index 0 holds no item");
    bgi_store_ptr(&w->queue.slots[0], &item[0]);
    bgi_store(&w->forks.top, 3);
    DIES(check_worker, w, "deque: I1: top is 2 above bottom");
    bgi_store(&w->forks.top, 0);
    w->timers.wheel.count = 7;
    DIES(check_worker, w, "timer wheel: count is 7");
    w->timers.wheel.count = 2;
    bgi_store(&w->budget, 99);
    DIES(check_worker, w, "scheduler: worker 0 has a budget of 99");
    bgi_store(&w->budget, 1);
    check_worker(w);
    rig_end(s);
}

static void run_spoiler(bgi_worker *w, bgi_item *self)
{
    (void)self;
    w->timers.wheel.count++;
}

static void run_again(bgi_worker *w, bgi_item *self)
{
    bgi_push_quiet(w, self);
}

static void spoil_one_that_runs(void *arg)
{
    (void)arg;
    bgi_sched *s = rig_start(1, 0);
    item[0].run = run_again;
    item[1].run = run_spoiler;
    bgi_submit(s, &item[0]);
    bgi_submit(s, &item[1]);
    for (;;) {
        sched_yield(); /* it has to be found while the scheduler runs */
    }
}

Test(check, a_worker_that_runs_finds_it_by_itself)
{
    DIES(spoil_one_that_runs, NULL, "timer wheel: count is ");
}

Test(check, a_scheduler_that_has_stopped_is_at_rest)
{
    bgi_sched *s = make();
    bgi_sched_check_stopped(s);
    bgi_store(&s->searching, 1);
    DIES(check_stopped, s, "brigade: scheduler: stopped, searching is 1");
    bgi_store(&s->searching, 0);
    bgi_store(&s->leader, 2);
    DIES(check_stopped, s, "scheduler: stopped, worker 1 leads");
    bgi_store(&s->leader, 0);
    bgi_ec_prepare(&s->idle, &s->worker[1].node);
    DIES(check_stopped, s, "scheduler: stopped, somebody sleeps");
    (void)bgi_ec_cancel(&s->idle, &s->worker[1].node);
    s->worker[1].current = (struct bgi_fiber *)(void *)s;
    DIES(check_stopped, s, "scheduler: stopped, a fiber runs on worker 1");
    s->worker[1].current = NULL;
    s->worker[1].handoff = &item[6];
    DIES(check_stopped, s, "scheduler: stopped, worker 1 has an item in hand");
    s->worker[1].handoff = NULL;
    rig_end(s);
}

static void end_one_that_searches(void *arg)
{
    (void)arg;
    bgi_sched *s = rig_start(1, 0);
    rig_idle(s);
    bgi_store(&s->searching, 5);
    rig_end(s);
}

Test(check, the_end_of_a_scheduler_looks_at_it)
{
    DIES(end_one_that_searches, NULL, "brigade: scheduler: searching is ");
}

#endif

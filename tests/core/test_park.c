/*
 * Sleeping: no wake-up is lost when items come one at a time to workers that all sleep, nothing
 * moves while there is nothing to do, the earliest timer of all workers ends the sleep, all idle
 * workers wait in the driver, one of them as leader, and nobody goes to sleep beside work.
 */
#include "core/sched.h"

#include "arch/futex.h"
#include "base/random.h"
#include "rig.h"

#include <unistd.h>

/* ---- items, one at a time ---- */

static bgi_atomic ran;

static void run_count(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    (void)bgi_fetch_add(&ran, 1);
}

enum { ROUNDS = 10000 };

static void one_at_a_time(unsigned workers)
{
    bgi_item item = {.run = run_count};
    bgi_sched *s = rig_start(workers, 0);
    for (bgi_word n = 1; n <= ROUNDS; n++) {
        if (n % 2) {
            rig_idle(s); /* all sleep; in the other rounds they may be on the way there */
        }
        bgi_submit(s, &item);
        RIG_UNTIL(bgi_load_acquire(&ran) == n); /* a lost wake-up would hang here */
    }
    rig_end(s);
    cr_assert_eq(bgi_load(&ran), ROUNDS);
}

Test(park, an_item_wakes_the_only_worker)
{
    one_at_a_time(1);
}

Test(park, an_item_wakes_one_of_two_workers)
{
    one_at_a_time(2);
}

Test(park, an_item_wakes_one_of_eight_workers)
{
    one_at_a_time(8);
}

/* Several at a time, each of which makes another one: the woken wake the next. */
struct pair {
    bgi_item item;
    bgi_item then;
};

static void run_pair(bgi_worker *w, bgi_item *self)
{
    struct pair *p = BGI_CONTAINER_OF(self, struct pair, item);
    bgi_push(w, &p->then);
    (void)bgi_fetch_add(&ran, 1);
}

Test(park, several_items_wake_as_many_as_are_needed)
{
    enum { N = 6 };
    struct pair p[N];
    bgi_sched *s = rig_start(4, 0);
    for (size_t i = 0; i < N; i++) {
        p[i].item.run = run_pair;
        p[i].then.run = run_count;
    }
    for (bgi_word round = 0; round < ROUNDS / 5; round++) {
        bgi_word before = bgi_load(&ran);
        size_t n = 1 + round % N;
        for (size_t i = 0; i < n; i++) {
            bgi_submit(s, &p[i].item);
        }
        RIG_UNTIL(bgi_load_acquire(&ran) == before + 2 * n);
        if (round % 3 == 0) {
            rig_idle(s);
        }
    }
    rig_end(s);
}

/* All items must be running at the same time: each but the last waits for the others. */
static bgi_atomic together, together_wanted, together_done;

static void run_together(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    (void)bgi_fetch_add(&together, 1);
    RIG_UNTIL(bgi_load_acquire(&together) >= bgi_load(&together_wanted));
    (void)bgi_fetch_add(&together_done, 1);
}

Test(park, as_many_as_there_are_workers_run_at_once)
{
    enum { N = 6 };
    bgi_item item[N];
    bgi_sched *s = rig_start(N, 0);
    for (bgi_word round = 1; round <= 300; round++) {
        bgi_store(&together, 0);
        bgi_store(&together_wanted, N);
        if (round % 2) {
            rig_idle(s);
        }
        for (size_t i = 0; i < N; i++) {
            item[i].run = run_together;
            bgi_submit(s, &item[i]);
        }
        RIG_UNTIL(bgi_load_acquire(&together_done) == round * N);
    }
    rig_end(s);
}

/* ---- nothing to do ---- */

static bgi_word parks_of_all(bgi_sched *s)
{
    bgi_word n = 0;
    for (unsigned i = 0; i < s->workers; i++) {
        n += bgi_load(&s->worker[i].parks);
    }
    return n;
}

/* In the futex, or about to be: each of the workers, and the monitor without an end to its sleep.
 */
static int all_asleep(bgi_sched *s)
{
    enum { PARKED = 1 }; /* queue/eventcount.c */
    int asleep = bgi_load(&s->monitor_asleep) && bgi_load(&s->monitor_node.word) == PARKED;
    for (unsigned i = 0; i < s->workers; i++) {
        asleep = asleep && bgi_load(&s->worker[i].node.word) == PARKED;
    }
    return asleep;
}

/* While nothing happens, nobody does anything, the monitor least of all. */
Test(park, an_idle_runtime_sleeps_without_an_end)
{
    bgi_item item = {.run = run_count};
    bgi_sched *s = rig_start(3, 1);
    for (bgi_word round = 1; round <= 3; round++) {
        bgi_submit(s, &item);
        RIG_UNTIL(bgi_load_acquire(&ran) == round);
        RIG_UNTIL(all_asleep(s));
        bgi_word parks = parks_of_all(s);
        struct timespec pause = {.tv_nsec = 250000000}, cpu[2];
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
        (void)nanosleep(&pause, NULL);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
        cr_assert_eq(parks_of_all(s), parks);
        cr_assert_eq(bgi_load(&s->monitor_asleep), 1);
        cr_assert_eq(bgi_ec_waiting(&s->idle), 3);
        /* One that turned round and round would have used all of it. */
        long used = (cpu[1].tv_sec - cpu[0].tv_sec) * 1000000000 + cpu[1].tv_nsec - cpu[0].tv_nsec;
        cr_assert_lt(used, 125000000L);
    }
    rig_end(s);
}

/* ---- timers ---- */

struct sleeper {
    bgi_item start; /* sets the timer, on whichever worker it runs */
    bgi_item due;
    bgi_timer timer;
    bg_duration delay;
    bg_time deadline;
    bgi_atomic fired, early;
    int fresh;
};

static bgi_atomic fired_of_all;

static void run_due(bgi_worker *w, bgi_item *self)
{
    struct sleeper *s = BGI_CONTAINER_OF(self, struct sleeper, due);
    (void)w;
    (void)bgi_fetch_add(&s->early, bgi_clock_now() < s->deadline);
    (void)bgi_fetch_add(&s->fired, 1);
    (void)bgi_fetch_add(&fired_of_all, 1);
}

static void expire(bgi_timer *t, bgi_expiry *out)
{
    out->item = &BGI_CONTAINER_OF(t, struct sleeper, timer)->due;
}

static void run_start(bgi_worker *w, bgi_item *self)
{
    struct sleeper *s = BGI_CONTAINER_OF(self, struct sleeper, start);
    s->deadline = bgi_time_add(bgi_clock_now(), s->delay);
    bgi_timer_init(&s->timer, expire);
    if (s->fresh) {
        int how = bgi_bias_enter(&w->timers.lock);
        bgi_timers_add_fresh(&w->timers, &s->timer, s->delay);
        bgi_bias_leave(&w->timers.lock, how);
    } else {
        (void)bgi_timers_start_at(&w->timers, &s->timer, s->deadline, NULL, NULL);
    }
    (void)bgi_fetch_add(&ran, 1);
}

static void make_sleeper(struct sleeper *s, bg_duration delay, int fresh)
{
    memset((void *)s, 0, sizeof *s);
    s->start.run = run_start;
    s->due.run = run_due;
    s->delay = delay;
    s->fresh = fresh;
}

/*
 * Somebody sleeps as the leader until an hour from now. A timer that is set later and comes sooner,
 * by whichever worker, has to be waited for all the same.
 */
static void sooner_than_the_leader_thought(unsigned workers)
{
    struct sleeper late, soon;
    bgi_sched *s = rig_start(workers, 0);
    make_sleeper(&late, 3600 * BG_S, 0);
    bgi_submit(s, &late.start);
    rig_reach(&ran, 1);
    for (bgi_word round = 1; round <= 200; round++) {
        if (round % 2) {
            rig_idle(s);
        }
        make_sleeper(&soon, (bg_duration)(round % 5) * 500 * BG_US, round % 3 == 0);
        bgi_submit(s, &soon.start);
        RIG_UNTIL(bgi_load_acquire(&fired_of_all) == round);
        cr_assert_eq(bgi_load(&soon.early), 0);
        cr_assert_eq(bgi_load(&late.fired), 0);
    }
    rig_end(s);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 1);
}

Test(park, one_worker_wakes_for_the_earliest_timer)
{
    sooner_than_the_leader_thought(1);
}

Test(park, two_workers_wake_for_the_earliest_timer)
{
    sooner_than_the_leader_thought(2);
}

Test(park, eight_workers_wake_for_the_earliest_timer)
{
    sooner_than_the_leader_thought(8);
}

/* Timers of all workers, some of which are set while others fire; none is early, none is lost. */
Test(park, each_of_many_timers_fires_once_and_not_early)
{
    enum { N = 3000 };
    static struct sleeper all[N];
    struct bgi_random random;
    bgi_sched *s = rig_start(4, 0);
    bgi_random_seed(&random, 1);
    for (size_t i = 0; i < N; i++) {
        make_sleeper(&all[i], (bg_duration)bgi_random_below(&random, 6000) * BG_US, i % 4 == 0);
        bgi_submit(s, &all[i].start);
        if (i % 64 == 0) {
            struct timespec pause = {.tv_nsec = 500000};
            (void)nanosleep(&pause, NULL);
        }
    }
    rig_reach(&fired_of_all, N);
    rig_end(s);
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(bgi_load(&all[i].fired), 1);
        cr_assert_eq(bgi_load(&all[i].early), 0);
    }
}

/* ---- the driver ---- */

static struct {
    bgi_driver driver;
    bgi_atomic inside, leaders, crowded, waits, wakes, polls, strange;
} watched;

static void watched_wait(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    int leads = bgi_load(&w->sched->leader) == w->index + 1U;
    if (leads) {
        (void)bgi_fetch_add(&watched.crowded, bgi_fetch_add(&watched.leaders, 1) != 0);
    }
    (void)bgi_fetch_add(&watched.strange, d != &watched.driver || w != bgi_worker_self() ||
                                              (!leads && deadline != BG_TIME_MAX));
    (void)bgi_fetch_add(&watched.waits, 1);
    (void)bgi_fetch_add(&watched.inside, 1);
    bgi_ec_wait(&w->node, deadline);
    (void)bgi_fetch_sub(&watched.inside, 1);
    if (leads) {
        (void)bgi_fetch_sub(&watched.leaders, 1);
    }
}

static void watched_wake(bgi_driver *d, bgi_worker *w)
{
    (void)d;
    (void)w;
    (void)bgi_fetch_add(&watched.wakes, 1);
}

static size_t watched_poll(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)bgi_fetch_add(&watched.strange,
                        d != &watched.driver || w != bgi_worker_self() || w != of);
    (void)bgi_fetch_add(&watched.polls, 1);
    return 0;
}

static int watched_pending(bgi_driver *d, bgi_worker *of)
{
    (void)of;
    (void)bgi_fetch_add(&watched.strange, d != &watched.driver);
    return 0;
}

Test(park, all_who_are_idle_wait_in_the_driver)
{
    static const struct bgi_driver_ops ops = {"watched",    watched_wait,    watched_wake,
                                              watched_poll, watched_pending, NULL};
    bgi_sched *s = NULL;
    bgi_item item = {.run = run_count};
    struct bgi_sched_config config = rig_config(4, 0);
    watched.driver.ops = &ops;
    config.driver = &watched.driver;
    cr_assert_eq(bgi_sched_create(&s, &config), 0);
    cr_assert_eq(bgi_sched_start(s, 0), 0);
    for (bgi_word round = 1; round <= 1000; round++) {
        bgi_submit(s, &item);
        RIG_UNTIL(bgi_load_acquire(&ran) == round);
        if (round % 2) {
            rig_idle(s);
        }
    }
    rig_idle(s);
    RIG_UNTIL(bgi_load(&watched.inside) == 4);
    RIG_UNTIL(bgi_load(&watched.leaders) == 1); /* somebody has the role, whenever all are idle */
    rig_end(s);
    cr_assert_eq(bgi_load(&watched.crowded), 0);
    cr_assert_eq(bgi_load(&watched.strange), 0);
    cr_assert_geq(bgi_load(&watched.waits), 1);
    cr_assert_geq(bgi_load(&watched.wakes), 1);
}

/* ---- the second look, on workers that no thread runs ---- */

static int slept;
static void (*while_asleep)(bgi_worker *w);
static bgi_worker *asleep;

static int count_sleep(void *ctx, bgi_atomic *word, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)word;
    (void)expected;
    (void)deadline;
    slept++;
    if (while_asleep != NULL) {
        while_asleep(asleep);
    } else {
        bgi_ec_kick(&asleep->node);
    }
    return 0;
}

static int no_wake(void *ctx, bgi_atomic *word, int n)
{
    (void)ctx;
    (void)word;
    return n;
}

static const struct bgi_futex_ops counting = {count_sleep, no_wake, NULL};

Test(park, nobody_sleeps_beside_work)
{
    bgi_item item = {.run = run_count};
    bgi_sched *s = rig_create(3, 0);
    bgi_worker *w = &s->worker[0];
    asleep = w;
    bgi_futex_set_ops(&counting);

    bgi_park(w);
    cr_assert_eq(slept, 1);
    cr_assert_eq(bgi_load(&w->parks), 1);
    cr_assert_eq(bgi_load(&w->state), BGI_ACTIVE);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 0);
    cr_assert_eq(bgi_load(&s->leader), 0);

    for (unsigned i = 0; i < 3; i++) {
        bgi_push_quiet(&s->worker[i], &item);
        bgi_park(w);
        cr_assert(bgi_worker_pick(&s->worker[i]) == &item);
        cr_assert_eq(bgi_deque_push(&s->worker[i].forks, &item), 0);
        bgi_park(w);
        cr_assert(bgi_deque_take(&s->worker[i].forks) == &item);
    }
    rig_inject(s, &item);
    bgi_park(w);
    cr_assert_eq(slept, 1);
    struct bgi_fifo chain;
    cr_assert_eq(bgi_injector_pop(&s->injector, &chain, 1), 1);

    bgi_timer timer;
    bgi_timer_init(&timer, expire);
    bgi_timers_add_fresh(&w->timers, &timer, BG_S); /* its deadline is still to be known */
    bgi_park(w);
    cr_assert_eq(slept, 1);
    cr_assert_eq(bgi_timers_stop(&w->timers, &timer), 1);
    bgi_store(&w->timers.unsettled, 0);

    bgi_store(&s->stopping, 1);
    bgi_park(w);
    cr_assert_eq(slept, 1);
    cr_assert_eq(bgi_load(&w->parks), 1);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(s);
}

/* Work that comes while it sleeps, from one who sees that nobody searches. */
static void submit_meanwhile(bgi_worker *w)
{
    static bgi_item item = {.run = run_count};
    cr_expect_eq(bgi_load(&w->state), BGI_IDLE);
    cr_expect_eq(bgi_ec_waiting(&w->sched->idle), 1);
    rig_inject(w->sched, &item);
}

Test(park, who_is_notified_searches_from_its_first_moment_on)
{
    bgi_sched *s = rig_create(2, 0);
    bgi_worker *w = &s->worker[0];
    asleep = w;
    while_asleep = submit_meanwhile;
    bgi_futex_set_ops(&counting);
    w->searching = 1; /* as after a search */
    bgi_store(&s->searching, 1);
    bgi_park(w);
    cr_assert_eq(slept, 1);
    cr_assert_eq(w->searching, 1);
    cr_assert_eq(bgi_load(&s->searching), 1);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(s);
}

/* Another worker goes to sleep meanwhile, whose timer comes before the leader's deadline. */
static bgi_timer other_timer;
static int depth;

static void park_another(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (depth++ != 0) {
        bgi_ec_kick(&s->worker[1].node); /* the other's own sleep ends at once */
        return;
    }
    cr_expect_eq(bgi_load(&s->leader), 1);
    bgi_timer_init(&other_timer, expire);
    (void)bgi_timers_start_at(&s->worker[1].timers, &other_timer, 12345, NULL, NULL);
    bgi_park(&s->worker[1]);
    cr_expect_eq(bgi_load(&w->node.word), 2); /* NOTIFIED: the leader has been told */
}

Test(park, the_leader_is_told_of_an_earlier_timer)
{
    bgi_sched *s = rig_create(2, 0);
    asleep = &s->worker[0];
    while_asleep = park_another;
    bgi_futex_set_ops(&counting);
    bgi_park(asleep);
    cr_assert_eq(depth, 2);
    cr_assert_eq(bgi_earliest_timer(s), 12345);
    cr_assert_eq(bgi_timers_stop(NULL, &other_timer), 1);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(s);
}

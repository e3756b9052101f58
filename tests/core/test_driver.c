/*
 * What the driver finds: for a worker that sleeps, for one that is about to search, and for one
 * that is held up.
 */
#include "base/clock.h"
#include "rig.h"

enum { ITEMS = 4 };

static struct {
    bgi_driver driver;
    bgi_sched *s;
    size_t left;      /* how many items it will find */
    unsigned pending; /* for which workers: bits */
    unsigned polled;  /* for which it was polled */
    bgi_item item[ITEMS];
} outside;

static bgi_atomic ran;

static void run_item(bgi_worker *w, bgi_item *self)
{
    (void)self;
    if (bgi_fetch_add(&ran, 1) + 1 == ITEMS) {
        bgi_sched_stop(w->sched);
    }
}

static size_t find(bgi_worker *w, size_t most)
{
    size_t n = 0;
    for (; outside.left > 0 && n < most; n++) {
        bgi_item *item = &outside.item[--outside.left];
        item->run = run_item;
        bgi_push_quiet(w, item);
    }
    return n;
}

static void wait_outside(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    (void)d;
    (void)deadline;
    (void)find(w, ITEMS);
}

static void wake_outside(bgi_driver *d, bgi_worker *w)
{
    (void)d;
    (void)w;
}

static size_t poll_outside(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)d;
    outside.polled |= 1U << of->index;
    return find(w, 1);
}

static int pending_outside(bgi_driver *d, bgi_worker *of)
{
    (void)d;
    return (outside.pending >> of->index & 1) != 0;
}

static const struct bgi_driver_ops ops = {"outside",    wait_outside,    wake_outside,
                                          poll_outside, pending_outside, NULL};

static bgi_sched *begin(unsigned workers, size_t items)
{
    bgi_sched *s = rig_create(workers, 0);
    outside.driver.ops = &ops;
    outside.s = s;
    outside.left = items;
    outside.pending = outside.polled = 0;
    s->driver = &outside.driver;
    return s;
}

/* ---- for one that sleeps ---- */

static int wakes_another_at(bg_duration pace, size_t items)
{
    bgi_sched *s = begin(2, items);
    s->worker[0].pace = pace;
    bgi_store(&s->worker[1].state, BGI_IDLE);
    bgi_ec_prepare(&s->idle, &s->worker[1].node);
    bgi_park(&s->worker[0]);
    cr_expect_eq(bgi_runq_size(&s->worker[0].queue), items);
    int woken = bgi_ec_waiting(&s->idle) == 0;
    (void)bgi_ec_cancel(&s->idle, &s->worker[1].node);
    bgi_store(&s->searching, 0);
    bgi_sched_destroy(s);
    return woken;
}

static int wakes_another(size_t items)
{
    return wakes_another_at(BG_MS, items);
}

Test(driver, another_is_woken_for_what_takes_long_enough)
{
    cr_assert_eq(wakes_another_at(5 * BG_US, 4), 0);
    cr_assert_eq(wakes_another_at(30 * BG_US, 1), 0, "that one it runs itself");
    cr_assert_eq(wakes_another_at(30 * BG_US, 2), 1);
    bgi_sched *s = begin(2, 0);
    cr_assert_geq(s->worker[0].pace, BG_MS, "long, at first");
    bgi_sched_destroy(s);
}

Test(driver, another_is_woken_for_what_is_more_than_one_item)
{
    cr_assert_eq(wakes_another(0), 0);
    cr_assert_eq(wakes_another(1), 0);
    cr_assert_eq(wakes_another(2), 1);
    bgi_sched *s = begin(1, 2);
    bgi_park(&s->worker[0]);
    cr_assert_eq(bgi_runq_size(&s->worker[0].queue), 2);
    cr_assert_eq(bgi_load(&s->searching), 0, "there is no other");
    bgi_sched_destroy(s);
}

/* ---- for one that has nothing left ---- */

static unsigned loop(unsigned workers, int more)
{
    bgi_sched *s = begin(workers, ITEMS);
    s->worker[0].more = more;
    bgi_store(&ran, 0);
    bgi_store(&s->worker[0].state, BGI_ACTIVE);
    bgi_worker_loop(&s->worker[0]);
    cr_expect_eq(bgi_load(&ran), ITEMS);
    unsigned polled = outside.polled;
    bgi_sched_destroy(s);
    return polled;
}

Test(driver, one_of_several_looks_before_it_searches)
{
    cr_assert_eq(loop(2, 0), 1);
    cr_assert_eq(loop(1, 0), 0, "one alone just sleeps there");
    cr_assert_eq(loop(1, 1), 1, "but there was more than it took the last time");
}

/* ---- for one that is held up ---- */

Test(driver, who_searches_polls_for_those_that_are_held_up)
{
    bgi_sched *s = begin(4, ITEMS);
    bgi_worker *thief = &s->worker[3];
    outside.pending = 0xd; /* all but worker 1 */
    cr_assert_null(bgi_search(thief), "nobody is held up");
    bgi_store(&s->stuck, 3);
    bgi_store(&s->worker[0].held_up, 1);
    bgi_store(&s->worker[1].held_up, 1);
    bgi_store(&thief->held_up, 1);
    bgi_item *found = bgi_search(thief);
    cr_assert(found == &outside.item[ITEMS - 1]);
    cr_assert_eq(outside.polled, 1, "it is held up, and something has come for it");
    cr_assert_eq(outside.left, ITEMS - 1);
    outside.pending = 0;
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(outside.left, ITEMS - 1);
    bgi_store(&s->stuck, 0);
    if (thief->searching) {
        bgi_stop_searching(thief);
    }
    bgi_sched_destroy(s);
}

/* ---- how often a worker looks around ---- */

static bg_time time_now, item_takes;
static unsigned items_left;
static bgi_word least, most;

static bg_time read_clock(void *ctx)
{
    (void)ctx;
    return time_now;
}

static const struct bgi_clock_ops own_clock = {.now = read_clock};

static void run_for_a_while(bgi_worker *w, bgi_item *self)
{
    time_now += item_takes;
    least = w->allotted < least ? w->allotted : least;
    most = w->allotted > most ? w->allotted : most;
    if (--items_left == 0) {
        bgi_sched_stop(w->sched);
    } else {
        bgi_push_quiet(w, self);
    }
}

static void run_items(bgi_sched *s, unsigned n, bg_duration each)
{
    bgi_item item = {.run = run_for_a_while};
    items_left = n;
    item_takes = each;
    bgi_store(&s->stopping, 0);
    bgi_push_quiet(&s->worker[0], &item);
    least = BGI_BUDGET;
    most = 0;
    bgi_worker_loop(&s->worker[0]);
}

Test(driver, who_runs_long_items_looks_around_more_often)
{
    time_now = 100 * BG_S;
    bgi_clock_set_ops(&own_clock);
    bgi_sched *s = begin(1, 0);
    bgi_worker *w = &s->worker[0];
    bgi_store(&w->state, BGI_ACTIVE);
    w->looked = time_now;
    run_items(s, 1000, BG_US);
    cr_assert_eq(least, BGI_BUDGET, "as many as there may be while they are short");
    run_items(s, 1000, 100 * BG_US);
    cr_assert_eq(w->allotted, BGI_LOOK_PERIOD / (100 * BG_US));
    run_items(s, 100, 2 * BGI_LOOK_PERIOD);
    cr_assert_eq(w->allotted, 2, "after each");
    run_items(s, 100, BGI_LOOK_PERIOD / 3);
    cr_assert_leq(most, 4);
    run_items(s, 1000, BGI_LOOK_PERIOD / 40);
    cr_assert_geq(w->allotted, 20);
    cr_assert_leq(w->allotted, 40, "about as long as it is to be");
    run_items(s, 1000, BG_US);
    cr_assert_eq(w->allotted, BGI_BUDGET, "and back");
    bgi_sched_destroy(s);
    bgi_clock_set_ops(NULL);
}

/* ---- the pace ---- */

static bg_time time_now;

static bg_time tell_time(void *ctx)
{
    (void)ctx;
    return time_now;
}

static void take_time(bgi_worker *w, bgi_item *self)
{
    (void)self;
    time_now += 10 * BG_US;
    bgi_sched_stop(w->sched);
}

/* One item in ten microseconds, and then another look. */
static bg_duration pace_after(bg_duration before, bg_duration back)
{
    static const struct bgi_clock_ops clock = {.now = tell_time};
    static bgi_item item = {.run = take_time};
    bgi_clock_set_ops(&clock);
    bgi_sched *s = begin(2, 1);
    bgi_worker *w = &s->worker[0];
    w->pace = before;
    bgi_worker_pace_from_here(w);
    bgi_push_quiet(w, &item);
    bgi_worker_loop(w);
    time_now -= back;
    bgi_store(&s->stopping, 0);
    bgi_store(&ran, ITEMS - 1); /* what the driver finds ends the loop */
    bgi_worker_loop(w);
    bg_duration pace = w->pace;
    bgi_sched_destroy(s);
    bgi_clock_set_ops(NULL);
    return pace;
}

Test(driver, what_items_take_is_noted)
{
    time_now = BG_S;
    cr_assert_eq(pace_after(30 * BG_US, 0), 20 * BG_US);
    cr_assert_eq(pace_after(10 * BG_US, 0), 10 * BG_US);
    cr_assert_eq(pace_after(30 * BG_US, 20 * BG_US), 30 * BG_US, "another CPU's clock");
}

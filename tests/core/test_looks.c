/*
 * The monitor's judgement, look by look: who is stuck, what waits behind it and for whom, what one
 * look at everybody does, and when the monitor sleeps (core/looks.h).
 */
#include "looks.h"

/* ---- whether a thread is blocked ---- */

Test(looks, what_proc_says_of_a_thread)
{
    static const struct {
        const char *text;
        unsigned weight;
    } table[] = {
        {"12 (bg-worker-0) R 1 12", 0},
        {"12 (bg-worker-0) D 1 12", 1},
        {"12 (bg-worker-0) S 1 12", STUCK_AT},
        {"12 (bg-worker-0) T 1 12", STUCK_AT},
        {"12 (name) R) S 1 12", STUCK_AT}, /* a name may hold anything */
        {"12 (name) S) R 1 12", 0},
        {"12 (bg-worker-0)", STUCK_AT}, /* what cannot be read is taken for blocked */
        {"12 (bg-worker-0)R", STUCK_AT},
        {"12 R", STUCK_AT},
        {"", STUCK_AT},
    };
    bgi_worker w;
    memset((void *)&w, 0, sizeof w);
    for (size_t i = 0; i < BGI_ARRAY_LEN(table); i++) {
        stat_text = table[i].text;
        cr_assert_eq(blocked_weight(&w), table[i].weight, "%zu", i);
    }
    stat_text = "12 (bg-worker-0) R 1 12";
    stat_fails = 2; /* it has just ended */
    cr_assert_eq(blocked_weight(&w), STUCK_AT);
    stat_fails = 1;
    cr_assert_eq(blocked_weight(&w), STUCK_AT);
    cr_assert_eq(stats_open, 0);
}

static bgi_worker watched;

/* A look after which the thread has used so much CPU time. */
static int look_after(bg_time used, const char *text)
{
    cpu_used += used;
    stat_text = text;
    return look_at(&watched);
}

static void watch(void)
{
    memset((void *)&watched, 0, sizeof watched);
    bgi_store(&watched.state, BGI_ACTIVE);
    bgi_store(&watched.tid, 1);
    bgi_store(&watched.tick, 5);
    cr_assert_not(look_at(&watched), "its tick has moved");
    cr_assert_not(look_at(&watched), "the first time that it has not");
}

Test(looks, one_is_stuck_when_it_computes_or_is_blocked)
{
    static const char runs[] = "1 (a) R", sleeps[] = "1 (a) S", disk[] = "1 (a) D";
    watch();
    cr_assert(look_after(BG_MS, runs), "a period of CPU time in the same item");
    cr_assert(look_after(0, runs), "and it stays so");
    bgi_store(&watched.tick, 6);
    cr_assert_not(look_after(BG_MS, runs), "until its tick moves");

    watch();
    cr_assert(look_after(0, sleeps), "blocked");

    watch();
    for (int i = 0; i < 20; i++) {
        cr_assert_not(look_after(0, runs), "it waits for a core");
    }
    cr_assert(look_after(0, sleeps));

    watch();
    cr_assert_not(look_after(0, disk), "often just the lock of the address space");
    cr_assert_not(look_after(0, disk));
    cr_assert(look_after(0, disk), "but not so often");

    watch();
    for (int i = 0; i < 3; i++) { /* it gets a core now and then: not asked whether it is blocked */
        cr_assert_not(look_after(BG_MS * 3 / 10, sleeps));
    }
    cr_assert(look_after(BG_MS * 3 / 10, sleeps), "in sum it has computed for a period");

    watch();
    cpu_used = -1; /* a thread that has gone has no clock */
    cr_assert(look_after(0, sleeps));
}

Test(looks, who_is_not_at_work_is_not_stuck)
{
    static const char sleeps[] = "1 (a) S";
    for (int i = 0; i < 4; i++) {
        watch();
        if (i == 0) {
            bgi_store(&watched.state, BGI_IDLE);
        } else if (i == 1) {
            bgi_store(&watched.state, BGI_RETIRED);
        } else if (i == 2) {
            bgi_store(&watched.tid, 0); /* its thread has not started */
        }
        for (int k = 0; k < 5; k++) {
            cr_assert_eq(look_after(0, sleeps), i == 3, "%d", i);
        }
    }
}

/* ---- what waits behind it ---- */

/* Behind one that is stuck, blocked in the kernel. */
static int waits(bgi_worker *w, bg_time now)
{
    cpu_used = 0;
    stat_text = "7 (worker) S 1";
    return waits_behind(w, now, 1) == FOR_A_SPARE;
}

Test(looks, only_what_stays_where_it_is_waits)
{
    own_clock();
    bgi_sched *s = rig_create(1, 0);
    bgi_worker *w = &s->worker[0];
    struct bgi_fifo chain;
    cr_assert_not(waits(w, time_now));

    (void)bgi_runq_push(&w->queue, &items[0].link, &chain);
    (void)bgi_runq_push(&w->queue, &items[1].link, &chain);
    bgi_store(&w->queue.head, bgi_load(&w->queue.head)); /* as the last look saw it */
    cr_assert(waits(w, time_now));
    (void)bgi_runq_pop(&w->queue);
    cr_assert_not(waits(w, time_now), "others take from it");
    cr_assert(waits(w, time_now), "no longer");
    (void)bgi_runq_pop(&w->queue);
    cr_assert_not(waits(w, time_now));
    cr_assert_not(waits(w, time_now));

    void *fork;
    cr_assert_eq(bgi_deque_push(&w->forks, &items[2]), 0);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[3]), 0);
    cr_assert(waits(w, time_now));
    cr_assert_eq(bgi_deque_steal(&w->forks, &fork), 1);
    cr_assert_not(waits(w, time_now), "a thief has been there");
    cr_assert(waits(w, time_now));
    cr_assert_eq(bgi_deque_steal(&w->forks, &fork), 1);
    cr_assert_not(waits(w, time_now));

    cr_assert_null(bgi_runq_put_next(&w->queue, &items[4].link));
    cr_assert_not(waits(w, time_now), "it may just have come");
    cr_assert(waits(w, time_now));
    cr_assert_eq(bgi_runq_put_next(&w->queue, &items[5].link), &items[4].link);
    cr_assert_not(waits(w, time_now), "another one");
    (void)bgi_runq_pop(&w->queue);
    cr_assert_not(waits(w, time_now));

    bgi_timer_init(&timers[0].timer, expire_item);
    cr_assert_eq(bgi_timers_start_at(&w->timers, &timers[0].timer, time_now + BG_S, NULL, NULL), 1);
    cr_assert_not(waits(w, time_now));
    cr_assert(waits(w, time_now + BG_S), "a timer is due");
    cr_assert_eq(bgi_timers_stop(&w->timers, &timers[0].timer), 1);
    size_t fired = 0;
    (void)bgi_timers_run(w, &w->timers, 1, time_now, 1, &fired);
    cr_assert_not(waits(w, time_now + BG_S));
    bgi_timers_add_fresh(&w->timers, &timers[0].timer, BG_S);
    cr_assert(waits(w, time_now), "a fresh one has no time yet");
    cr_assert_eq(bgi_timers_stop(&w->timers, &timers[0].timer), 1);
    bgi_sched_destroy(s);
}

/* Twice the same: as the look before saw it, and then. */
static enum waits second_look(bgi_worker *w)
{
    (void)waits_behind(w, time_now, 1);
    cpu_used += BGI_MONITOR_PERIOD / 4;
    return waits_behind(w, time_now, 1);
}

Test(looks, forks_of_who_computes_wait_for_an_idle_worker_only)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    bgi_worker *w = &s->worker[0];
    void *fork;
    stat_text = "7 (worker) R 1";
    bgi_worker_count(w);
    w->seen_tick = bgi_load(&w->tick);
    bgi_forks_note(w);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bgi_deque_push(&w->forks, &items[i]), 0);
        bgi_forks_note(w);
    }
    cr_assert_eq(second_look(w), FOR_AN_IDLE);
    cr_assert_eq(waits_behind(w, time_now, 1), FOR_AN_IDLE, "it would compute if it had a core");
    stat_text = "7 (worker) S 1";
    cr_assert_eq(waits_behind(w, time_now, 1), FOR_A_SPARE, "blocked: it may be so for long");
    cr_assert_eq(second_look(w), FOR_AN_IDLE);
    cr_assert_eq(waits_behind(w, time_now, 0), NOTHING, "it is not stuck");

    (void)bgi_runq_put_next(&w->queue, &items[4].link);
    cr_assert_eq(second_look(w), FOR_A_SPARE, "something else waits as well");
    (void)bgi_runq_pop(&w->queue);

    bgi_store(&w->in_callback, 1);
    cr_assert_eq(second_look(w), FOR_A_SPARE, "the item waits, and a callback computes");
    bgi_store(&w->in_callback, 0);
    cr_assert_eq(second_look(w), FOR_AN_IDLE);

    /* Another item runs, which has forked the last one only. */
    bgi_worker_count(w);
    w->seen_tick = bgi_load(&w->tick);
    cr_assert_eq(second_look(w), FOR_A_SPARE, "who has forked it does not run");
    bgi_forks_note(w);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[3]), 0);
    cr_assert_eq(second_look(w), FOR_A_SPARE);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bgi_deque_steal(&w->forks, &fork), 1);
    }
    cr_assert_eq(second_look(w), FOR_AN_IDLE, "those of the others are gone");
    cr_assert_eq(bgi_deque_steal(&w->forks, &fork), 1);
    cr_assert_eq(second_look(w), NOTHING);

    /* One that takes back what an item before it has left, and forks again. */
    bgi_forks_note(w);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[0]), 0);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[1]), 0);
    bgi_worker_count(w);
    w->seen_tick = bgi_load(&w->tick);
    bgi_forks_note(w);
    cr_assert(bgi_deque_take(&w->forks) == &items[1]);
    cr_assert(bgi_deque_take(&w->forks) == &items[0]);
    bgi_forks_note(w);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[2]), 0);
    cr_assert_eq(second_look(w), FOR_AN_IDLE);
    cr_assert(bgi_deque_take(&w->forks) == &items[2]);
    bgi_sched_destroy(s);
}

/* What the monitor has taken is the item's that ran then. */
Test(looks, what_was_taken_waits_likewise)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    bgi_worker *w = &s->worker[0];
    stat_text = "7 (worker) R 1";
    bgi_worker_count(w);
    w->seen_tick = bgi_load(&w->tick);
    w->offered_tick = w->seen_tick;
    bgi_store_ptr(&w->offered, &items[0]);
    cr_assert_eq(waits_behind(w, time_now, 1), NOTHING, "it may just have come");
    cr_assert_eq(second_look(w), FOR_AN_IDLE);
    bgi_store_ptr(&w->offered, &items[1]);
    cr_assert_eq(waits_behind(w, time_now, 1), NOTHING, "another one");
    stat_text = "7 (worker) S 1";
    cr_assert_eq(waits_behind(w, time_now, 1), FOR_A_SPARE, "blocked");
    bgi_worker_count(w);
    w->seen_tick = bgi_load(&w->tick);
    cr_assert_eq(second_look(w), FOR_A_SPARE, "who has forked it does not run");
    cr_assert(bgi_take_offered(w) == &items[1]);
    cr_assert_eq(second_look(w), NOTHING);
    bgi_sched_destroy(s);
}

static unsigned asked; /* for a fork: which workers, a bit each */
static unsigned have;  /* those who have one */

static void offers(bgi_worker *w)
{
    asked |= 1U << w->index;
    if ((have >> w->index & 1) != 0) {
        bgi_store_ptr(&w->offered, &items[w->index]);
    }
}

Test(looks, as_many_forks_are_taken_as_workers_are_idle)
{
    own_clock();
    bgi_sched *s = rig_create(6, 0);
    s->config.take_fork = offers;
    for (unsigned i = 0; i < 6; i++) {
        bgi_store(&s->worker[i].tick, 7);
        bgi_store(&s->worker[i].held_up, i != 1);
    }
    take_forks(s, 6, 0);
    cr_assert_eq(asked, 0);
    have = 8;
    take_forks(s, 6, 1);
    cr_assert_eq(asked, 1 | 4 | 8, "who is not stuck is not asked, and nobody once there is one");
    cr_assert_eq(s->worker[3].offered_tick, 7);
    asked = 0;
    have = 1 | 32;
    bgi_store(&s->worker[3].tick, 8);
    take_forks(s, 6, 2);
    cr_assert_eq(asked, 1 | 4, "the one that is offered already counts");
    cr_assert_eq(s->worker[3].offered_tick, 7);
    take_forks(s, 6, 9);
    cr_assert_eq(asked, 1 | 4 | 16 | 32);
    for (unsigned i = 0; i < 6; i++) {
        (void)bgi_take_offered(&s->worker[i]);
    }
    bgi_sched_destroy(s);
}

/* ---- one look at everybody ---- */

static size_t poll_nothing(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)d;
    (void)w;
    (void)of;
    return 0;
}

static bgi_worker *has_events; /* whose events wait */

static int is_pending(bgi_driver *d, bgi_worker *of)
{
    (void)d;
    return of == has_events;
}

static const struct bgi_driver_ops polling_ops = {"polling",    NULL,       NULL,
                                                  poll_nothing, is_pending, NULL};
static bgi_driver polling = {&polling_ops};

/* One worker that is stuck, whatever is looked at. */
static void get_stuck(bgi_sched *s, unsigned i)
{
    bgi_worker *w = &s->worker[i];
    bgi_store(&w->state, BGI_ACTIVE);
    bgi_store(&w->tid, 1);
    w->seen_tick = bgi_load(&w->tick);
    w->same_tick = STUCK_AT;
}

static void sleep_announced(bgi_sched *s, unsigned i)
{
    bgi_store(&s->worker[i].state, BGI_IDLE);
    bgi_ec_prepare(&s->idle, &s->worker[i].node);
}

Test(looks, who_is_stuck_is_helped_when_its_events_wait)
{
    bgi_sched *s = with_retired_spares();
    has_events = NULL;
    s->driver = &polling;
    get_stuck(s, 0);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->stuck), 1);
    cr_assert_eq(bgi_load(&s->worker[0].held_up), 1);
    cr_assert_eq(bgi_load(&s->spares_active), 0, "nothing waits for it");
    has_events = &s->worker[0];
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->spares_active), 1, "nobody else polls for it");
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->spares_active), 1, "now there is one");
    bgi_sched_destroy(s);
}

Test(looks, no_spare_is_lent_for_the_forks_of_who_computes)
{
    bgi_sched *s = with_retired_spares();
    bgi_worker *w = &s->worker[0];
    stat_text = "7 (worker) R 1";
    bgi_worker_count(w);
    bgi_forks_note(w);
    cr_assert_eq(bgi_deque_push(&w->forks, &items[0]), 0);
    get_stuck(s, 0);
    for (int i = 0; i < 9; i++) {
        cpu_used += BGI_MONITOR_PERIOD;
        cr_assert(bgi_monitor_look(s));
        cr_assert_eq(bgi_load(&s->stuck), 1);
        cr_assert_eq(bgi_load(&s->spares_active), 0);
    }
    stat_text = "7 (worker) S 1";
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->spares_active), 1, "now it is blocked");
    cr_assert(bgi_deque_take(&w->forks) == &items[0]);
    bgi_sched_destroy(s);
}

Test(looks, who_is_busy_is_hurried_when_its_events_wait)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    s->driver = &polling;
    has_events = &s->worker[1];
    bgi_store(&s->worker[0].state, BGI_ACTIVE);
    bgi_store(&s->worker[1].state, BGI_ACTIVE);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->worker[0].budget), BGI_BUDGET);
    cr_assert_eq(bgi_load(&s->worker[1].budget), 1, "it looks around after this item");
    cr_assert_eq(bgi_load(&s->stuck), 0);
    bgi_store(&s->worker[1].budget, BGI_BUDGET);
    bgi_store(&s->worker[1].state, BGI_IDLE);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->worker[1].budget), BGI_BUDGET, "who sleeps sleeps in them");
    bgi_sched_destroy(s);
}

Test(looks, what_is_injected_is_hurried_and_helped)
{
    bgi_sched *s = with_retired_spares();
    rig_inject(s, &items[0]);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->worker[0].budget), 1, "it looks around after this item");
    cr_assert_eq(bgi_load(&s->spares_active), 0);
    get_stuck(s, 0);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->spares_active), 1);
    bgi_store(&s->worker[0].tick, 9);
    bgi_store(&s->worker[1].state, BGI_IDLE);
    bgi_store(&s->worker[1].node.word, 0);
    cr_assert(bgi_monitor_look(s));
    cr_assert_neq(bgi_load(&s->worker[1].node.word), 0, "called so that it retires");
    bgi_sched_destroy(s);
}

Test(looks, a_due_timer_hurries_its_worker)
{
    bgi_sched *s = with_retired_spares();
    bgi_worker *w = &s->worker[0];
    set_timers(w, 1);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&w->budget), 1);
    cr_assert_eq(bgi_load(&s->spares_active), 0);
    get_stuck(s, 0);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->spares_active), 1, "somebody else must fire it");
    bgi_sched_destroy(s);
}

/* Whether a look woke the one that sleeps. */
static int look_wakes(bgi_sched *s, int reason_to_look_again)
{
    cr_expect_eq(bgi_monitor_look(s) != 0, reason_to_look_again);
    int woken = bgi_ec_waiting(&s->idle) == 0;
    if (woken) {
        cr_expect_eq(bgi_load(&s->searching), 1);
        bgi_store(&s->searching, 0);
        sleep_announced(s, 0);
    }
    return woken;
}

Test(looks, somebody_leads)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    sleep_announced(s, 0);
    bgi_store(&s->worker[1].state, BGI_IDLE);
    cr_assert_not(look_wakes(s, 0), "nothing to lead for");

    bgi_timer_init(&timers[0].timer, expire_item);
    cr_assert_eq(bgi_timers_start_at(&s->worker[0].timers, &timers[0].timer, time_now + 60 * BG_S,
                                     NULL, NULL),
                 1);
    cr_assert(look_wakes(s, 1), "a timer, nobody leads, nobody is awake");
    bgi_store(&s->leader, 2);
    cr_assert_not(look_wakes(s, 0), "worker 1 leads");
    bgi_store(&s->leader, 0);
    bgi_store(&s->worker[1].state, BGI_ACTIVE);
    cr_assert_not(look_wakes(s, 1), "one that is awake will lead when it sleeps");
    time_now += 60 * BG_S;
    cr_assert(look_wakes(s, 1), "but this one is due");
    bgi_store(&s->leader, 2);
    cr_assert_not(look_wakes(s, 1));
    bgi_store(&s->leader, 0);

    size_t fired = 0;
    cr_assert_eq(bgi_timers_stop(&s->worker[0].timers, &timers[0].timer), 1);
    (void)bgi_timers_run(&s->worker[0], &s->worker[0].timers, 1, time_now, 1, &fired);
    cr_assert_not(look_wakes(s, 1));
    s->driver = &polling;
    has_events = NULL;
    bgi_store(&s->worker[1].state, BGI_IDLE);
    cr_assert_not(look_wakes(s, 0), "who sleeps waits for its own descriptors, leader or not");
    bgi_sched_destroy(s);
}

/* More came for a worker than seemed worth it, and takes its time. */
Test(looks, what_stays_in_a_queue_has_somebody_woken)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    bgi_worker *w = &s->worker[1];
    sleep_announced(s, 0);
    bgi_store(&w->state, BGI_ACTIVE);
    cr_assert_not(look_wakes(s, 1), "there is nothing");
    bgi_push_quiet(w, &items[0]);
    w->seen_first = 9;
    cr_assert_not(look_wakes(s, 1), "others were next at the last look");
    bgi_store(&w->tick, 1);
    cr_assert(look_wakes(s, 1));
    bgi_store(&w->tick, 2);
    bgi_store(&w->state, BGI_IDLE);
    cr_assert_not(look_wakes(s, 0), "it has just been left there");
    bgi_store(&w->state, BGI_ACTIVE);
    (void)bgi_ec_cancel(&s->idle, &s->worker[0].node);
    cr_assert(bgi_monitor_look(s));
    cr_assert_eq(bgi_load(&s->searching), 0, "nobody sleeps");
    bgi_sched_destroy(s);
    cr_assert_eq(bgi_load(&rig_dropped_items), 1);
}

/* A leader that does not wake up for a sleeper's timer: it stands still, or whoever owes it the
 * wake-up. */
Test(looks, a_leader_that_stands_still)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    sleep_announced(s, 0);
    bgi_store(&s->worker[1].state, BGI_IDLE);
    bgi_store(&s->leader, 2);
    bgi_timer_init(&timers[0].timer, expire_item);
    (void)bgi_timers_start_at(&s->worker[0].timers, &timers[0].timer, time_now, NULL, NULL);
    cr_assert_not(look_wakes(s, 0), "it is about to");
    time_now += 2 * BGI_MONITOR_PERIOD - 1;
    cr_assert_not(look_wakes(s, 0));
    time_now++;
    cr_assert(look_wakes(s, 1), "it was to, long ago");
    bgi_store(&s->worker[0].state, BGI_ACTIVE);
    bgi_store(&s->worker[1].state, BGI_ACTIVE);
    cr_assert_not(look_wakes(s, 1), "its owner will fire it");
    bgi_sched_destroy(s);
}

/* Somebody is counted as searching, and never comes to it. */
Test(looks, a_searcher_that_stands_still)
{
    own_clock();
    bgi_sched *s = rig_create(2, 0);
    rig_inject(s, &items[0]);
    sleep_announced(s, 0);
    for (int round = 0; round < 2; round++) {
        get_stuck(s, 1);
        bgi_store(&s->searching, 1);
        for (int look = 1; look < UNHELPED_AT; look++) {
            cr_assert(bgi_monitor_look(s));
            cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
        }
        cr_assert(bgi_monitor_look(s));
        cr_assert_eq(bgi_ec_waiting(&s->idle), 0, "another one");
        cr_assert_eq(bgi_load(&s->searching), 2);
        sleep_announced(s, 0);
        bgi_store(&s->worker[1].tick, 9 + (bgi_word)round);
        cr_assert(bgi_monitor_look(s)); /* the stuck one goes on: nothing to help with */
        cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
    }
    bgi_store(&s->searching, 0);
    bgi_sched_destroy(s);
    cr_assert_eq(bgi_load(&rig_dropped_items), 1);
}

/* It had to wake one more, and all had woken by themselves. */
Test(looks, one_more_where_nobody_sleeps)
{
    bgi_sched *s = rig_create(1, 0);
    bgi_notify_one_more(s);
    cr_assert_eq(bgi_load(&s->searching), 0);
    bgi_store(&s->searching, 1);
    bgi_notify_one_more(s);
    cr_assert_eq(bgi_load(&s->searching), 1);
    bgi_store(&s->searching, 0);
    bgi_sched_destroy(s);
}

/* ---- the thread itself ---- */

static bgi_sched *watched_sched;
static unsigned short_sleeps, long_sleeps, long_sleeps_wanted;

static int monitor_sleeps(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)expected;
    cr_expect(w == &watched_sched->monitor_node.word);
    if (deadline >= 0) {
        short_sleeps++;
        time_now = deadline;
        return -ETIMEDOUT;
    }
    cr_expect(bgi_load(&watched_sched->monitor_asleep));
    if (++long_sleeps == long_sleeps_wanted) {
        bgi_sched_stop(watched_sched);
    }
    bgi_ec_kick(&watched_sched->monitor_node);
    return 0;
}

static const struct bgi_futex_ops monitor_ops = {monitor_sleeps, wake_nobody, NULL};

static void watch_the_monitor(void)
{
    own_clock();
    watched_sched = rig_create(1, 0);
    bgi_store(&watched_sched->worker[0].state, BGI_IDLE);
    bgi_futex_set_ops(&monitor_ops);
}

static void end_of_watch(void)
{
    cr_assert_not(bgi_load(&watched_sched->monitor_asleep));
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(watched_sched);
}

Test(looks, after_some_quiet_ones_it_sleeps_without_an_end)
{
    watch_the_monitor();
    unused_stacks = 2 * TRIM_BUDGET + 1;
    long_sleeps_wanted = 4;
    cr_assert_null(bgi_monitor_main(watched_sched));
    cr_assert_eq(long_sleeps, 4);
    cr_assert_eq(unused_stacks, 0, "unused memory is given back before that");
    cr_assert_geq(trims, 3 + 3);
    cr_assert_geq(short_sleeps, 4 * QUIET_LOOKS, "woken, it has looked as often again");
    end_of_watch();
}

static void wakes_up(void);

/* At the clock of the look that comes after the monitor has said that it sleeps. */
static void wakes_up(void)
{
    if (!bgi_load(&watched_sched->monitor_asleep)) {
        at_clock = wakes_up;
        return;
    }
    bgi_store(&watched_sched->worker[0].state, BGI_ACTIVE);
}

static int sleeps_again_soon(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    if (bgi_load(&watched_sched->worker[0].state) == BGI_ACTIVE && deadline >= 0) {
        cr_expect_eq(long_sleeps, 0, "it saw that one was awake");
        bgi_store(&watched_sched->worker[0].state, BGI_IDLE);
        long_sleeps_wanted = 1;
    }
    return monitor_sleeps(ctx, w, expected, deadline);
}

Test(looks, one_wakes_up_as_the_monitor_goes_to_sleep)
{
    static const struct bgi_futex_ops ops = {sleeps_again_soon, wake_nobody, NULL};
    watch_the_monitor();
    bgi_futex_set_ops(&ops);
    at_clock = wakes_up;
    cr_assert_null(bgi_monitor_main(watched_sched));
    cr_assert_eq(long_sleeps, 1);
    cr_assert_geq(short_sleeps, 2 * QUIET_LOOKS);
    end_of_watch();
}

static void all_stop(void)
{
    if (!bgi_load(&watched_sched->monitor_asleep)) {
        at_clock = all_stop;
        return;
    }
    bgi_sched_stop(watched_sched);
}

Test(looks, a_stop_comes_as_the_monitor_goes_to_sleep)
{
    watch_the_monitor();
    at_clock = all_stop;
    cr_assert_null(bgi_monitor_main(watched_sched));
    cr_assert_eq(long_sleeps, 0);
    end_of_watch();
}

static unsigned looks_until_trim;

static int monitor_works(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    if (trims == 1 && looks_until_trim == 0) {
        looks_until_trim = short_sleeps;
        bgi_sched_stop(watched_sched);
    }
    return monitor_sleeps(ctx, w, expected, deadline);
}

Test(looks, also_a_busy_runtime_gives_unused_stacks_back)
{
    static const struct bgi_futex_ops ops = {monitor_works, wake_nobody, NULL};
    watch_the_monitor();
    bgi_futex_set_ops(&ops);
    bgi_store(&watched_sched->worker[0].state, BGI_ACTIVE);
    cr_assert_null(bgi_monitor_main(watched_sched));
    cr_assert_eq(looks_until_trim, TRIM_LOOKS);
    cr_assert_eq(long_sleeps, 0);
    end_of_watch();
}

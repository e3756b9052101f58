/*
 * The search: where it looks and in which order, its limits, what it does about timers of others,
 * and the duty of the last one to stop. Played on workers that no thread runs; then with threads.
 */
#include "core/sched.h"

#include "rig.h"

static void run_nothing(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
}

enum { N = 64 };

static bgi_item item[N];
static bgi_sched *s;
static bgi_worker *thief, *victim;

/* Four workers that nobody runs; the test's thread is worker 3. */
static void begin(void)
{
    s = rig_create(4, 1);
    thief = &s->worker[3];
    victim = &s->worker[1];
    bgi_worker_is(thief);
    for (size_t i = 0; i < N; i++) {
        item[i].run = run_nothing;
    }
}

static void end(void)
{
    bgi_worker_is(NULL);
    bgi_sched_destroy(s);
}

static void stop_searching(bgi_worker *w)
{
    if (w->searching) {
        bgi_stop_searching(w);
    }
}

/* ---- where it looks ---- */

Test(steal, nothing_is_found_where_nothing_is)
{
    begin();
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(thief->searching, 1);
    cr_assert_eq(bgi_load(&s->searching), 1);
    cr_assert_not(bgi_anything_queued(s));
    stop_searching(thief);
    cr_assert_eq(bgi_load(&s->searching), 0);
    end();
}

Test(steal, half_of_a_ring_comes_along)
{
    begin();
    for (size_t i = 0; i < 10; i++) {
        bgi_push_quiet(victim, &item[i]);
    }
    cr_assert(bgi_anything_queued(s));
    cr_assert(bgi_search(thief) == &item[0]);
    cr_assert_eq(bgi_load(&thief->steals), 1);
    for (size_t i = 1; i < 5; i++) {
        cr_assert(bgi_worker_pick(thief) == &item[i]);
    }
    cr_assert_null(bgi_worker_pick(thief));
    cr_assert_eq(bgi_runq_size(&victim->queue), 5);
    stop_searching(thief);
    end();
}

Test(steal, the_oldest_fork_comes_first_and_alone)
{
    begin();
    bgi_push_quiet(victim, &item[0]);
    for (size_t i = 1; i < 4; i++) {
        cr_assert_eq(bgi_deque_push(&victim->forks, &item[i]), 0);
    }
    for (size_t i = 1; i < 4; i++) {
        cr_assert(bgi_anything_queued(s));
        cr_assert(bgi_search(thief) == &item[i]);
        cr_assert_null(bgi_worker_pick(thief));
    }
    cr_assert(bgi_search(thief) == &item[0]);
    cr_assert_not(bgi_anything_queued(s));
    stop_searching(thief);
    end();
}

Test(steal, what_the_monitor_has_taken_comes_after_the_forks)
{
    begin();
    bgi_push_quiet(victim, &item[0]);
    bgi_store_ptr(&victim->offered, &item[1]);
    cr_assert_eq(bgi_deque_push(&victim->forks, &item[2]), 0);
    cr_assert(bgi_search(thief) == &item[2]);
    cr_assert(bgi_search(thief) == &item[1]);
    cr_assert(bgi_search(thief) == &item[0]);
    cr_assert_not(bgi_anything_queued(s));
    bgi_store_ptr(&victim->offered, &item[1]);
    cr_assert(bgi_anything_queued(s));
    cr_assert(bgi_take_offered(victim) == &item[1]);
    cr_assert_null(bgi_take_offered(victim));
    stop_searching(thief);
    end();
}

static int polled;

static size_t poll_and_count(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)d;
    polled += w == of;
    return 0;
}

static const struct bgi_driver_ops counting_ops = {.name = "counting", .poll = poll_and_count};
static bgi_driver counting = {&counting_ops};

Test(steal, who_is_alone_rests_for_more_from_outside)
{
    bgi_sched *one = rig_create(1, 0);
    bgi_worker *w = &one->worker[0];
    struct bgi_fifo chain;
    one->driver = &counting;
    one->rests_alone = 1;
    w->in_vain = 3;
    cr_assert_null(bgi_search(w));
    cr_assert_eq(w->in_vain, 3, "nothing came from there");
    w->was_injected = 1;
    cr_assert_null(bgi_search(w));
    cr_assert_eq(w->in_vain, 4, "nothing more came");
    cr_assert_eq(w->was_injected, 0);
    rig_inject(one, &item[0]);
    one->rests_alone = 0;
    w->was_injected = 1;
    cr_assert_null(bgi_search(w));
    cr_assert_eq(w->in_vain, 4, "on one CPU nothing comes while it rests");
    one->rests_alone = 1;
    cr_assert_eq(polled, 0);
    cr_assert_null(bgi_search(w));
    cr_assert_eq(w->in_vain, 0, "the loop takes it");
    cr_assert_eq(polled, 1, "and nobody waits in the driver");
    cr_assert_eq(bgi_injector_pop(&one->injector, &chain, 1), 1);
    bgi_sched_destroy(one);
}

Test(steal, a_spare_asks_nobody_for_forks)
{
    begin();
    bgi_atomic *attention = (bgi_atomic *)&victim->own.attention;
    bgi_store(attention, 0);
    thief->is_spare = 1;
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(bgi_load(attention), 0);
    thief->is_spare = 0;
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(bgi_load(attention), BGI_FORKS_WANTED);
    stop_searching(thief);
    end();
}

Test(steal, a_next_slot_only_when_nothing_else_is_there)
{
    begin();
    (void)bgi_runq_put_next(&s->worker[0].queue, &item[0].link);
    bgi_push_quiet(victim, &item[1]);
    cr_assert(bgi_search(thief) == &item[1]);
    cr_assert(bgi_search(thief) == &item[0]);
    cr_assert_null(bgi_search(thief));
    stop_searching(thief);
    end();
}

Test(steal, the_places_of_spares_are_searched_once_used)
{
    begin();
    cr_assert_eq(bgi_worker_prepare(s, 4), 0);
    bgi_push_quiet(&s->worker[4], &item[0]);
    cr_assert_null(bgi_search(thief));
    bgi_store_release(&s->used, 5);
    cr_assert(bgi_search(thief) == &item[0]);
    stop_searching(thief);
    end();
}

/* A worker that shares a cache, one of the same node, one of another: near ones first, whatever
 * the order in which the round begins. */
Test(steal, near_ones_come_first)
{
    static const bgi_place place[] = {1 << 16, 1, 0, 0}; /* far, same node, near, the thief */
    begin();
    s->far = BGI_FAR;
    for (size_t i = 0; i < 4; i++) {
        s->worker[i].cpu = 0; /* none looks where it is */
        bgi_store(&s->worker[i].place, place[i]);
    }
    for (int i = 0; i < 50; i++) {
        for (size_t j = 0; j < 3; j++) {
            bgi_push_quiet(&s->worker[j], &item[j]);
        }
        cr_assert(bgi_search(thief) == &item[2]);
        cr_assert(bgi_search(thief) == &item[1]);
        cr_assert(bgi_search(thief) == &item[0]);
        cr_assert_null(bgi_search(thief));
    }
    stop_searching(thief);
    end();
}

/* Places that are not known yet can be farther away than any are: they are searched all the same.
 */
Test(steal, those_of_unknown_places_are_not_left_out)
{
    begin();
    s->far = BGI_SAME_NODE;
    for (size_t i = 0; i < 4; i++) {
        s->worker[i].cpu = 0;
        bgi_store(&s->worker[i].place, 1 << 16);
    }
    bgi_store(&victim->place, 0);
    bgi_push_quiet(victim, &item[0]);
    cr_assert(bgi_search(thief) == &item[0]);
    stop_searching(thief);
    end();
}

/* One that may move notes where it is when it begins to search; one that may not, does not. */
Test(steal, who_begins_to_search_notes_where_it_is)
{
    static bgi_topology topology;
    begin();
    for (size_t i = 0; i < BGI_CPUS_MOST; i++) {
        topology.place[i] = 7;
    }
    s->topology = &topology;
    s->far = BGI_SAME_NODE;
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(bgi_load(&thief->place), 7);
    stop_searching(thief);
    bgi_store(&thief->place, 3);
    thief->cpu = 0;
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(bgi_load(&thief->place), 3);
    stop_searching(thief);
    end();
}

Test(steal, what_is_injected_is_left_to_the_loop)
{
    begin();
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item[0].link);
    bgi_injector_push(&s->injector, &chain, 1);
    cr_assert(bgi_anything_queued(s));
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(bgi_injector_size(&s->injector), 1);
    stop_searching(thief);
    end();
}

Test(steal, from_any_of_many)
{
    begin();
    for (size_t round = 0; round < 300; round++) {
        unsigned from = (unsigned)(round % 3);
        bgi_push_quiet(&s->worker[from], &item[0]);
        cr_assert(bgi_search(thief) == &item[0]);
    }
    cr_assert_eq(bgi_load(&thief->steals), 300);
    stop_searching(thief);
    end();
}

/* ---- who searches ---- */

Test(steal, at_most_half_of_the_workers_search)
{
    begin();
    cr_assert_null(bgi_search(&s->worker[0]));
    cr_assert_null(bgi_search(&s->worker[1]));
    cr_assert_eq(bgi_load(&s->searching), 2);
    bgi_push_quiet(&s->worker[2], &item[0]);
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(thief->searching, 0);
    cr_assert(bgi_search(&s->worker[0]) == &item[0]); /* who does already may go on */
    cr_assert_eq(bgi_load(&s->searching), 2);
    stop_searching(&s->worker[0]);
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(thief->searching, 1);
    stop_searching(&s->worker[1]);
    stop_searching(thief);
    cr_assert_eq(bgi_load(&s->searching), 0);
    end();
}

Test(steal, the_last_to_stop_searching_wakes_another_for_the_rest)
{
    begin();
    bgi_ec_prepare(&s->idle, &s->worker[0].node);
    for (size_t i = 0; i < 4; i++) {
        bgi_push_quiet(victim, &item[i]);
    }
    cr_assert(bgi_search(thief) == &item[0]);
    cr_assert_not_null(bgi_search(&s->worker[2]));
    /* Not the last: it leaves it to the other. */
    cr_assert_eq(s->worker[2].searching, 1);
    stop_searching(&s->worker[2]);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
    stop_searching(thief);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 0);
    cr_assert_eq(bgi_ec_cancel(&s->idle, &s->worker[0].node), 1);
    cr_assert_eq(bgi_load(&s->searching), 1); /* on behalf of the one that was woken */
    s->worker[0].searching = 1;
    /* Nothing left: nobody is disturbed. */
    while (bgi_search(&s->worker[0]) != NULL || bgi_worker_pick(&s->worker[0]) != NULL ||
           bgi_worker_pick(&s->worker[2]) != NULL || bgi_worker_pick(thief) != NULL) {
    }
    bgi_ec_prepare(&s->idle, &victim->node);
    stop_searching(&s->worker[0]);
    cr_assert_eq(bgi_ec_cancel(&s->idle, &victim->node), 0);
    cr_assert_eq(bgi_load(&s->searching), 0);
    end();
}

Test(steal, a_submitter_wakes_one_and_only_when_nobody_searches)
{
    begin();
    bgi_ec_prepare(&s->idle, &s->worker[0].node);
    bgi_ec_prepare(&s->idle, &s->worker[1].node);
    (void)bgi_search(thief);
    bgi_notify(s);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 2);
    thief->searching = 0;
    (void)bgi_fetch_sub(&s->searching, 1);
    bgi_notify(s);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
    cr_assert_eq(bgi_load(&s->searching), 1);
    bgi_notify(s); /* the one that was woken searches already */
    cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
    cr_assert_eq(bgi_ec_cancel(&s->idle, &s->worker[1].node), 1);
    cr_assert_eq(bgi_ec_cancel(&s->idle, &s->worker[0].node), 0);
    end();
}

/* ---- timers of others ---- */

static struct {
    bgi_timer timer;
    bgi_item item;
    int as_next; /* its callback makes the item ready, as a callback that wakes somebody does */
    int fired;
} timed;

static int make_ready(void *arg)
{
    (void)arg;
    bgi_ready(s, &timed.item);
    return 0;
}

static void act(bg_fn fn, void *arg)
{
    (void)fn(arg);
}

static void expire(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    timed.fired++;
    if (timed.as_next) {
        out->act = act;
        out->fn = make_ready;
    } else {
        out->item = &timed.item;
    }
}

static void set_timer(bgi_worker *w, bg_time at)
{
    bgi_timer_init(&timed.timer, expire);
    timed.item.run = run_nothing;
    cr_assert_eq(bgi_timers_start_at(&w->timers, &timed.timer, at, NULL, NULL), 1);
}

Test(steal, timers_that_are_due_are_fired_for_others)
{
    begin();
    set_timer(victim, bgi_clock_now() + 3600 * BG_S);
    cr_assert_null(bgi_search(thief));
    cr_assert_eq(timed.fired, 0);
    cr_assert_eq(bgi_timers_stop(NULL, &timed.timer), 1);

    set_timer(victim, 1);
    cr_assert(bgi_search(thief) == &timed.item);
    cr_assert_eq(timed.fired, 1);
    cr_assert_eq(bgi_load(&thief->fired), 1);
    stop_searching(thief);
    end();
}

Test(steal, timers_are_fired_also_by_one_that_may_not_search)
{
    begin();
    cr_assert_null(bgi_search(&s->worker[0]));
    cr_assert_null(bgi_search(&s->worker[1]));
    set_timer(victim, 1);
    cr_assert(bgi_search(thief) == &timed.item);
    cr_assert_eq(thief->searching, 0);
    end();
}

Test(steal, fresh_timers_are_settled_for_others_only_when_these_are_held_up)
{
    begin();
    bgi_timer_init(&timed.timer, expire);
    timed.item.run = run_nothing;
    bgi_timers_add_fresh(&victim->timers, &timed.timer, BG_MS);
    cr_assert_null(bgi_search(thief));
    cr_assert(bgi_timers_unsettled(&victim->timers));
    bg_time before = bgi_clock_now();
    bgi_store_release(&victim->held_up, 1);
    cr_assert_null(bgi_search(thief));
    cr_assert_not(bgi_timers_unsettled(&victim->timers));
    bgi_item *found;
    RIG_UNTIL((found = bgi_search(thief)) != NULL);
    cr_assert(found == &timed.item);
    cr_assert_geq(bgi_clock_now(), before + BG_MS);
    stop_searching(thief);
    end();
}

/*
 * What a fired timer made ready is found whatever is left of the budget: a worker that gave up here
 * would go to sleep beside it, and nobody looks into the next slot of one who sleeps.
 */
Test(steal, what_timers_made_ready_does_not_depend_on_the_budget)
{
    for (int as_next = 0; as_next <= 1; as_next++) {
        for (unsigned budget = 1; budget < 4; budget++) {
            begin();
            timed.as_next = as_next;
            set_timer(victim, 1);
            thief->budget = budget;
            cr_assert(bgi_search(thief) == &timed.item, "as next: %d, budget %u", as_next, budget);
            stop_searching(thief);
            end();
        }
    }
}

/* ---- with threads ---- */

enum { MEETINGS = 3000 };

static struct {
    bgi_item producer;
    bgi_item item[2];
    bgi_atomic here, ran, finished;
} meet;

/* Neither ends before the other has begun, so two workers must run them. */
static void run_meeting(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    (void)bgi_fetch_add(&meet.here, 1);
    RIG_UNTIL(bgi_load_acquire(&meet.here) == 2);
    (void)bgi_fetch_add(&meet.ran, 1);
}

static void run_two(bgi_worker *w, bgi_item *self)
{
    (void)self;
    bgi_push(w, &meet.item[0]);
    bgi_push(w, &meet.item[1]);
}

Test(steal, what_one_worker_made_is_run_by_two_at_the_same_time)
{
    s = rig_start(2, 0);
    meet.producer.run = run_two;
    meet.item[0].run = meet.item[1].run = run_meeting;
    for (bgi_word n = 1; n <= MEETINGS; n++) {
        bgi_store(&meet.here, 0);
        bgi_submit(s, &meet.producer);
        rig_reach(&meet.ran, 2 * n);
    }
    bgi_word steals = bgi_load(&s->worker[0].steals) + bgi_load(&s->worker[1].steals);
    rig_end(s);
    cr_assert_geq(steals, MEETINGS);
}

static bgi_atomic forks_ran;

static void run_fork(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
    (void)bgi_fetch_add(&forks_ran, 1);
}

/* Forks are pushed and, some of them, taken back; the rest is stolen meanwhile. */
static void run_forker(bgi_worker *w, bgi_item *self)
{
    (void)self;
    for (size_t round = 0; round < 2000; round++) {
        size_t pushed = 1 + round % N;
        for (size_t i = 0; i < pushed; i++) {
            item[i].run = run_fork;
            (void)bgi_deque_push(&w->forks, &item[i]);
            bgi_notify(w->sched);
        }
        bgi_word before = bgi_load(&meet.ran);
        bgi_item *fork;
        while ((fork = bgi_deque_take(&w->forks)) != NULL) {
            fork->run(w, fork);
        }
        bgi_store(&meet.ran, before + pushed);
        RIG_UNTIL(bgi_load_acquire(&forks_ran) == before + pushed);
    }
    bgi_store_release(&meet.finished, 1);
}

Test(steal, forks_are_run_once_by_their_maker_or_by_thieves)
{
    s = rig_start(4, 0);
    meet.producer.run = run_forker;
    bgi_submit(s, &meet.producer);
    rig_reach(&meet.finished, 1);
    cr_assert_eq(bgi_load(&forks_ran), bgi_load(&meet.ran));
    rig_end(s);
}

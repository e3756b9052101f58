/*
 * Workers at the same words at the same moment: who leads, who searches, who is woken. The files of
 * parking, searching, submitting and of the loop are compiled here once more, in place of the
 * library's, with a neighbour who comes just before or after a compare-and-swap.
 */
#include "rig.h"

#include "arch/futex.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

static void (*comes_before)(bgi_atomic *word), (*comes_after)(bgi_atomic *word); /* once each */

static void meet(void (**who)(bgi_atomic *), bgi_atomic *word)
{
    void (*comes)(bgi_atomic *) = *who;
    *who = NULL;
    if (comes != NULL) {
        comes(word);
    }
}

static int met_cas(bgi_atomic *p, bgi_word old, bgi_word want)
{
    meet(&comes_before, p);
    int r = bgi_cas(p, old, want);
    meet(&comes_after, p);
    return r;
}

static int met_cas_acquire(bgi_atomic *p, bgi_word old, bgi_word want)
{
    meet(&comes_before, p);
    return bgi_cas_acquire(p, old, want);
}

static void (*thief)(bgi_deque *d);

static int met_steal(bgi_deque *d, void **item)
{
    if (thief != NULL) {
        thief(d);
    }
    return bgi_deque_steal(d, item);
}

static int slack_known, slack_set;

static int met_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    if (option == PR_GET_TIMERSLACK) {
        return slack_known ? prctl(option, a, b, c, d) : -1;
    }
    slack_set++;
    return prctl(option, a, b, c, d);
}

static unsigned yields;

/* Who destroys has seen a visitor: it goes. */
static int met_yield(void);

static void (*while_searching)(void);

static void met_pause(void)
{
    if (while_searching != NULL) {
        while_searching();
    }
}

#define bgi_pause met_pause
#define bgi_cas met_cas
#define bgi_cas_acquire met_cas_acquire
#define bgi_deque_steal met_steal
#define prctl met_prctl
#define sched_yield met_yield
#include "core/park.c"
#include "core/sched.c"
#include "core/steal.c"
#include "core/submit.c"
#include "core/worker.c"
#undef bgi_pause
#undef bgi_cas
#undef bgi_cas_acquire
#undef bgi_deque_steal
#undef sched_yield
#undef prctl

static unsigned sleeps;

static int wake_at_once(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    (void)deadline;
    sleeps++;
    return -ETIMEDOUT;
}

static int wake_nobody(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    (void)w;
    (void)n;
    return 0;
}

static const struct bgi_futex_ops no_sleep = {wake_at_once, wake_nobody, NULL};

static bgi_sched *here;

static int met_yield(void)
{
    if (++yields == 3) {
        bgi_store_release(&here->visitors, 0);
    }
    return sched_yield();
}

/* A scheduler without threads: this one plays all of its workers. */
static bgi_sched *new_sched(unsigned workers)
{
    here = rig_create(workers, 0);
    for (unsigned i = 0; i < workers; i++) {
        bgi_store(&here->worker[i].state, BGI_ACTIVE);
    }
    bgi_futex_set_ops(&no_sleep);
    return here;
}

static void end(void)
{
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(here);
}

static void sleep_announced(unsigned i)
{
    bgi_store(&here->worker[i].state, BGI_IDLE);
    bgi_ec_prepare(&here->idle, &here->worker[i].node);
}

/* ---- leading ---- */

static void the_leader_resigns(bgi_atomic *leader)
{
    bgi_store(leader, 0);
}

Test(moments, the_leader_resigns_as_another_goes_to_sleep)
{
    bgi_sched *s = new_sched(2);
    bgi_store(&s->leader, 2);
    comes_after = the_leader_resigns;
    bgi_park(&s->worker[0]);
    cr_assert_eq(sleeps, 1);
    cr_assert_eq(bgi_load(&s->leader_until), BG_TIME_MAX, "it led itself then");
    cr_assert_eq(bgi_load(&s->leader), 0);
    cr_assert_eq(bgi_load(&s->worker[0].state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&s->worker[0].parks), 1);
    end();
}

Test(moments, who_does_not_lead_sleeps_without_an_end)
{
    bgi_sched *s = new_sched(2);
    bgi_store(&s->leader, 2);
    bgi_store(&s->leader_until, 5);
    bgi_park(&s->worker[0]);
    cr_assert_eq(sleeps, 1);
    cr_assert_eq(bgi_load(&s->leader), 2);
    cr_assert_eq(bgi_load(&s->leader_until), 5);
    end();
}

Test(moments, nobody_sleeps_once_it_is_stopped)
{
    bgi_sched *s = new_sched(2);
    bgi_store(&s->stopping, 1);
    bgi_park(&s->worker[0]);
    cr_assert_eq(sleeps, 0);
    cr_assert_eq(bgi_load(&s->worker[0].state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&s->worker[0].parks), 0);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 0);
    end();
}

static bgi_item item[16];

static void an_item_comes(bgi_atomic *leader)
{
    (void)leader;
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item[0].link);
    bgi_injector_push(&here->injector, &chain, 1);
    bgi_notify(here);
}

Test(moments, an_item_comes_between_the_second_look_and_the_sleep)
{
    bgi_sched *s = new_sched(2);
    comes_before = an_item_comes; /* at the word of the leader */
    bgi_park(&s->worker[0]);
    cr_assert_eq(sleeps, 0, "its notification was there before");
    cr_assert(s->worker[0].searching, "counted in by who notified it");
    cr_assert_eq(bgi_load(&s->searching), 1);
    end();
    cr_assert_eq(bgi_load(&rig_dropped_items), 1);
}

/* ---- searching ---- */

static void *stolen;

static void another_thief(bgi_deque *d)
{
    void *got;
    thief = NULL;
    if (bgi_deque_steal(d, &got) == 1) {
        stolen = got;
    }
}

Test(moments, the_fork_is_gone_but_the_queue_is_there)
{
    bgi_sched *s = new_sched(2);
    struct bgi_fifo chain;
    cr_assert_eq(bgi_deque_push(&s->worker[1].forks, &item[0]), 0);
    cr_assert_eq(bgi_runq_push(&s->worker[1].queue, &item[1].link, &chain), 0);
    thief = another_thief;
    cr_assert_eq(steal_from(&s->worker[0], &s->worker[1]), &item[1]);
    cr_assert_eq(stolen, &item[0]);
    cr_assert_null(steal_from(&s->worker[0], &s->worker[1]));
    cr_assert_eq(bgi_deque_push(&s->worker[1].forks, &item[2]), 0);
    cr_assert_eq(steal_from(&s->worker[0], &s->worker[1]), &item[2]);
    end();
}

static void another_takes_it(bgi_atomic *word)
{
    bgi_store(word, 0);
}

Test(moments, what_the_monitor_has_taken_is_gone_but_the_queue_is_there)
{
    bgi_sched *s = new_sched(2);
    struct bgi_fifo chain;
    bgi_store_ptr(&s->worker[1].offered, &item[0]);
    cr_assert_eq(bgi_runq_push(&s->worker[1].queue, &item[1].link, &chain), 0);
    comes_before = another_takes_it;
    cr_assert_eq(steal_from(&s->worker[0], &s->worker[1]), &item[1]);
    cr_assert_null(steal_from(&s->worker[0], &s->worker[1]));
    end();
}

Test(moments, a_stopped_search_ends)
{
    bgi_sched *s = new_sched(2);
    bgi_store(&s->stopping, 1);
    bgi_worker *w = &s->worker[0];
    cr_assert_null(bgi_runq_put_next(&s->worker[1].queue, &item[0].link));
    cr_assert_null(bgi_search(w), "not as far as the next slots");
    cr_assert(w->searching);
    bgi_stop_searching(w);
    cr_assert_eq(bgi_load(&s->searching), 0);
    end();
}

/* ---- next slots ---- */

static void the_victim_goes_on(void)
{
    bgi_worker_count(&here->worker[1]);
}

static void the_victim_takes_it(void)
{
    (void)bgi_runq_pop_next(&here->worker[1].queue);
}

/* In the slot of worker 1, or of each one from there on. */
static void fill_next(unsigned workers)
{
    for (unsigned i = 1; i < workers; i++) {
        cr_assert_null(bgi_runq_put_next(&here->worker[i].queue, &item[i].link));
    }
}

static void search_ends(bgi_worker *w)
{
    while_searching = NULL;
    bgi_stop_searching(w);
    bgi_store(&here->searching, 0);
}

Test(moments, a_next_slot_is_left_to_who_is_about_to_take_it)
{
    bgi_sched *s = new_sched(2);
    bgi_worker *w = &s->worker[0];
    fill_next(2);
    while_searching = the_victim_goes_on;
    cr_assert_null(bgi_search(w));
    search_ends(w);
    cr_assert_eq(bgi_load(&s->worker[1].robbed), 0);
    cr_assert_eq(bgi_search(w), &item[1], "it has been at the same item throughout");
    search_ends(w);
    cr_assert_eq(bgi_load(&s->worker[1].robbed), 1);
    bgi_store(&s->worker[1].robbed, 0);
    fill_next(2);
    while_searching = the_victim_takes_it;
    cr_assert_null(bgi_search(w));
    search_ends(w);
    cr_assert_eq(bgi_load(&s->worker[1].robbed), 0);
    end();
}

static unsigned pauses;

static void count_the_pause(void)
{
    pauses++;
}

static void one_comes(void)
{
    if (pauses++ == 0) {
        struct bgi_fifo chain;
        cr_assert_eq(bgi_runq_push(&here->worker[1].queue, &item[0].link, &chain), 0);
    }
}

static void one_is_injected(void)
{
    if (pauses++ == 0) {
        struct bgi_fifo chain;
        bgi_fifo_init(&chain);
        bgi_fifo_push(&chain, &item[0].link);
        bgi_injector_push(&here->injector, &chain, 1);
    }
}

/* How it went: what was found, and whether it rested. */
static bgi_item *search_counted(bgi_worker *w, void (*meanwhile)(void))
{
    pauses = 0;
    while_searching = meanwhile;
    bgi_item *found = bgi_search(w);
    search_ends(w);
    return found;
}

Test(moments, who_has_waited_in_vain_rests_seldom)
{
    bgi_sched *s = new_sched(2);
    bgi_worker *w = &s->worker[0];
    struct bgi_fifo chain;
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_null(search_counted(w, count_the_pause));
        cr_assert_eq(pauses != 0, i < 4 || i % 16 == 0);
    }
    cr_assert_eq(bgi_runq_push(&s->worker[1].queue, &item[0].link, &chain), 0);
    cr_assert_eq(search_counted(w, count_the_pause), &item[0]);
    cr_assert_eq(w->in_vain, 40, "it was there already");
    fill_next(2);
    cr_assert_eq(search_counted(w, count_the_pause), &item[1]);
    cr_assert_neq(pauses, 0, "a next slot is rested for");
    fill_next(2);
    bgi_store(&s->worker[1].held_up, 1);
    cr_assert_eq(search_counted(w, count_the_pause), &item[1]);
    cr_assert_neq(pauses, 0, "also that of one who is stuck");
    w->in_vain = 48;
    cr_assert_eq(search_counted(w, one_comes), &item[0]);
    cr_assert_eq(w->in_vain, 0, "patient again");
    w->in_vain = 48;
    cr_assert_null(search_counted(w, one_is_injected));
    cr_assert_leq(pauses, 2, "it goes at once");
    cr_assert_eq(w->in_vain, 0, "patient again");
    cr_assert_eq(bgi_injector_pop(&s->injector, &chain, 1), 1);
    end();
}

/* One worker, and a spare that has been called up before. */
Test(moments, who_is_alone_does_not_search)
{
    here = rig_create(1, 1);
    cr_assert_eq(bgi_worker_prepare(here, 1), 0);
    bgi_store(&here->worker[0].state, BGI_ACTIVE);
    bgi_store(&here->worker[1].state, BGI_RETIRED);
    bgi_store(&here->used, 2);
    bgi_futex_set_ops(&no_sleep);
    cr_assert_null(search_counted(&here->worker[0], count_the_pause));
    cr_assert_eq(pauses, 0);
    cr_assert_eq(bgi_load(&here->worker[0].failed), 0);
    bgi_store(&here->worker[1].state, BGI_ACTIVE);
    bgi_store(&here->spares_active, 1);
    cr_assert_null(search_counted(&here->worker[0], count_the_pause));
    cr_assert_neq(pauses, 0, "the spare may have something");
    cr_assert_eq(bgi_load(&here->worker[0].failed), 1);
    end();
}

/* At the last pause before the last round. */
static int after_the_look(void)
{
    return ++pauses == PAUSES + 2 * PAUSES + 4 * PAUSES;
}

static void it_takes_it_after_the_look(void)
{
    if (after_the_look()) {
        the_victim_takes_it();
    }
}

Test(moments, a_next_slot_that_was_full_is_empty)
{
    bgi_sched *s = new_sched(2);
    bgi_worker *w = &s->worker[0];
    fill_next(2);
    pauses = 0;
    while_searching = it_takes_it_after_the_look;
    cr_assert_null(bgi_search(w));
    search_ends(w);
    cr_assert_eq(bgi_load(&s->worker[1].robbed), 0);
    end();
}

static void empty_next(unsigned workers)
{
    for (unsigned i = 1; i < workers; i++) {
        (void)bgi_runq_pop_next(&here->worker[i].queue);
    }
}

static unsigned computing; /* the one worker that stays at its item */

static void all_others_go_on(void)
{
    if (after_the_look()) {
        for (unsigned i = 1; i < here->workers; i++) {
            if (i != computing) {
                bgi_worker_count(&here->worker[i]);
            }
        }
    }
}

Test(moments, of_several_next_slots_that_of_a_worker_that_computes_is_taken)
{
    bgi_sched *s = new_sched(5);
    bgi_worker *w = &s->worker[0];
    for (computing = 1; computing < 5; computing++) {
        for (int i = 0; i < 10; i++) { /* wherever the search begins */
            fill_next(5);
            pauses = 0;
            while_searching = all_others_go_on;
            cr_assert_eq(bgi_search(w), &item[computing]);
            search_ends(w);
            empty_next(5);
        }
    }
    end();
}

Test(moments, of_many_next_slots_that_of_a_stuck_worker_is_taken)
{
    enum { MANY = FULL_MOST + 4 };
    bgi_sched *s = new_sched(MANY);
    bgi_worker *w = &s->worker[0];
    for (unsigned stuck = 1; stuck < MANY; stuck++) {
        for (int i = 0; i < 10; i++) {
            fill_next(MANY);
            bgi_store(&s->worker[stuck].held_up, 1);
            cr_assert_eq(bgi_search(w), &item[stuck]);
            search_ends(w);
            bgi_store(&s->worker[stuck].held_up, 0);
            empty_next(MANY);
        }
    }
    end();
}

/* How many items go to the next slot until a sleeper is woken; at most `most`. */
static unsigned until_told(bgi_worker *w, unsigned most)
{
    unsigned n = 0;
    bgi_word sleepers = bgi_ec_waiting(&here->idle);
    while (n < most && bgi_ec_waiting(&here->idle) == sleepers) {
        bgi_ready(here, &item[1]);
        (void)bgi_runq_pop_next(&w->queue);
        n++;
    }
    if (bgi_ec_waiting(&here->idle) != sleepers) {
        bgi_store(&here->searching, 0);
        sleep_announced(1);
    }
    return n;
}

Test(moments, others_are_told_of_next_slots_as_often_as_they_are_of_use)
{
    bgi_sched *s = new_sched(2);
    bgi_worker *w = &s->worker[0];
    bgi_worker_is(w);
    cr_assert_eq(until_told(w, 10), 10, "nobody sleeps");
    sleep_announced(1);
    unsigned last = until_told(w, 1);
    cr_assert_eq(last, 1);
    for (unsigned every = 2; every <= 2 * TELL_SELDOM; every *= 2) {
        last = until_told(w, 4 * TELL_SELDOM);
        cr_assert_eq(last, every, "half as often each time");
    }
    cr_assert_eq(until_told(w, 4 * TELL_SELDOM), last, "but not more seldom than that");
    for (unsigned every = last / 16; every >= 1; every /= 16) {
        bgi_store(&w->robbed, 1);
        (void)until_told(w, 4 * TELL_SELDOM);
        cr_assert_eq(bgi_load(&w->robbed), 0);
        cr_assert_eq(until_told(w, 4 * TELL_SELDOM), every);
        w->tell_every = (w->tell_every - 1) / 2; /* as if it had not been in vain */
        w->tell_in = w->tell_every;
    }
    bgi_worker_is(NULL);
    end();
}

/* Worker 0 is at an item that computes, and makes another one ready. How many times it has to until
 * worker 1, who sleeps, is woken and runs one. Worker 0 takes the others itself. */
static unsigned until_one_is_taken(bgi_sched *s, unsigned most)
{
    bgi_worker *w = &s->worker[0], *other = &s->worker[1];
    for (unsigned n = 1; n <= most; n++) {
        bgi_worker_is(w);
        bgi_ready(s, &item[1]);
        if (bgi_ec_waiting(&s->idle) != 0) {
            cr_assert_eq(bgi_runq_pop(&w->queue), &item[1].link);
            bgi_worker_count(w);
            continue;
        }
        bgi_worker_is(other);
        other->searching = bgi_ec_cancel(&s->idle, &other->node);
        cr_assert_eq(bgi_search(other), &item[1]);
        bgi_stop_searching(other);
        cr_assert_eq(bgi_load(&s->searching), 0);
        sleep_announced(1);
        return n;
    }
    return 0;
}

/* The same until one is taken each time: how many items in all. */
static unsigned until_each_is_taken(bgi_sched *s)
{
    unsigned items = 0, last = 0;
    while (last != 1 || s->worker[0].tell_every != 0) {
        last = until_one_is_taken(s, 4 * TELL_SELDOM);
        cr_assert_neq(last, 0);
        items += last;
    }
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(until_one_is_taken(s, 1), 1);
    }
    return items;
}

Test(moments, what_lies_beside_a_task_that_computes_is_taken_by_a_sleeper)
{
    bgi_sched *s = new_sched(2);
    bgi_worker *w = &s->worker[0];
    sleep_announced(1);
    cr_assert_eq(until_one_is_taken(s, 1), 1, "the first time");
    cr_assert_leq(until_each_is_taken(s), 3, "and soon each time");
    w->tell_every = 2 * TELL_SELDOM - 1; /* as if wakers had always waited at once */
    w->tell_in = w->tell_every;
    bgi_store(&w->robbed, 0);
    cr_assert_leq(until_each_is_taken(s), 5 * TELL_SELDOM, "or as soon as it proves right");
    bgi_worker_is(NULL);
    end();
}

Test(moments, one_worker_tells_nobody)
{
    bgi_sched *s = new_sched(1);
    bgi_worker_is(&s->worker[0]);
    sleep_announced(0); /* though there was somebody */
    bgi_ready(s, &item[1]);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 1);
    bgi_worker_is(NULL);
    end();
}

/* ---- waking ---- */

static void another_wakes_one(bgi_atomic *searching)
{
    cr_expect_eq(bgi_load(searching), 0);
    bgi_notify(here);
}

Test(moments, two_submitters_wake_one_sleeper)
{
    bgi_sched *s = new_sched(4);
    sleep_announced(0);
    sleep_announced(1);
    comes_before = another_wakes_one;
    bgi_notify(s);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 1, "the woken one searches for both");
    cr_assert_eq(bgi_load(&s->searching), 1);
    end();
}

static void the_sleeper_wakes_by_itself(bgi_atomic *searching)
{
    (void)searching;
    cr_expect_eq(bgi_ec_cancel(&here->idle, &here->worker[0].node), 0);
}

static void and_another_goes_to_sleep(bgi_atomic *searching)
{
    the_sleeper_wakes_by_itself(searching);
    sleep_announced(1);
}

Test(moments, the_sleeper_wakes_by_itself_as_it_is_to_be_woken)
{
    bgi_sched *s = new_sched(4);
    sleep_announced(0);
    comes_after = the_sleeper_wakes_by_itself;
    bgi_notify(s);
    cr_assert_eq(bgi_load(&s->searching), 0, "nobody was woken to search");
    end();
}

Test(moments, one_wakes_by_itself_and_another_sleeps)
{
    bgi_sched *s = new_sched(4);
    sleep_announced(0);
    comes_after = and_another_goes_to_sleep;
    bgi_notify(s);
    cr_assert_eq(bgi_ec_waiting(&s->idle), 0, "the other one was woken");
    cr_assert_eq(bgi_load(&s->searching), 1);
    cr_assert_eq(bgi_ec_cancel(&s->idle, &s->worker[1].node), 1);
    end();
}

static unsigned driver_wakes;

static void count_wakes(bgi_driver *d, bgi_worker *w)
{
    (void)d;
    cr_expect_eq(w, &here->worker[0]);
    cr_expect(bgi_ec_notified(&w->node));
    driver_wakes++;
}

Test(moments, the_driver_is_told_who_is_woken)
{
    static const struct bgi_driver_ops ops = {"counting", NULL, count_wakes, NULL, NULL, NULL};
    static bgi_driver driver = {&ops};
    bgi_sched *s = new_sched(2);
    s->driver = &driver;
    sleep_announced(0);
    bgi_notify(s);
    cr_assert_eq(driver_wakes, 1);
    bgi_wake_worker(&s->worker[0]);
    cr_assert_eq(driver_wakes, 2);
    s->driver = &bgi_driver_default;
    bgi_store(&s->searching, 0);
    sleep_announced(0);
    bgi_notify(s);
    cr_assert_eq(driver_wakes, 2, "there is none to tell");
    end();
}

/* ---- timers ---- */

static void expire_nothing(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    (void)out;
}

Test(moments, a_timer_that_has_moved_is_not_pending_here)
{
    bgi_sched *s = new_sched(2);
    bgi_timers *first = &s->worker[0].timers, *second = &s->worker[1].timers;
    bgi_timer t;
    bgi_timer_init(&t, expire_nothing);
    cr_assert_eq(bgi_timers_start_at(second, &t, BG_S, NULL, NULL), 1);
    cr_assert_eq(bgi_timers_pending_stranger(first, &t), 0);
    cr_assert_eq(bgi_timers_pending_stranger(second, &t), 1);
    cr_assert_eq(bgi_timers_stop_stranger(first, &t), 0);
    cr_assert_eq(bgi_timers_stop(second, &t), 1);
    cr_assert_eq(bgi_timers_pending_stranger(second, &t), 0);
    end();
}

/* ---- the end ---- */

Test(moments, the_end_waits_for_visitors)
{
    bgi_sched *s = new_sched(1);
    bgi_store(&s->visitors, 1);
    end();
    cr_assert_eq(yields, 3);
}

/* ---- the thread of a worker ---- */

Test(moments, a_thread_without_a_timer_slack_keeps_none)
{
    bgi_sched *s = new_sched(1);
    struct thread_before was;
    become_worker(&s->worker[0], &was);
    cr_assert_eq(slack_set, 1);
    cr_assert_eq(bgi_worker_self(), &s->worker[0]);
    leave_worker(&s->worker[0], &was);
    cr_assert_eq(slack_set, 1, "there is nothing to go back to");
    cr_assert_null(bgi_worker_self());
    slack_known = 1;
    become_worker(&s->worker[0], &was);
    leave_worker(&s->worker[0], &was);
    cr_assert_eq(slack_set, 3);
    end();
}

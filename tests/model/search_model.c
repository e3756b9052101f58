/*
 * core/steal.c: who may search, what a search finds, and that the count of searchers is kept.
 */
#include "core_rig.h"

static void all_ran(void)
{
    mc_assert(A.ran == A.filled && B.ran == B.filled && C.ran == C.filled);
    rig_at_rest();
}

static void sleep_then_run_1(void)
{
    bgi_park(&W[1]);
    rig_run_one(&W[1]);
}

static void sleep_then_run_2(void)
{
    bgi_park(&W[2]);
    rig_run_one(&W[2]);
}

static void search_once(bgi_worker *w)
{
    bgi_item *item = bgi_search(w);
    if (w->searching) {
        bgi_stop_searching(w);
    }
    if (item != NULL) {
        item->run(w, item);
    }
}

/* ---- two who start at once ---- */

static void search_0(void)
{
    mc_assert(bgi_search(&W[0]) == NULL);
    bgi_park(&W[0]);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
}

static void search_1(void)
{
    mc_assert(bgi_search(&W[1]) == NULL);
    bgi_park(&W[1]);
    if (W[1].searching) {
        bgi_stop_searching(&W[1]);
    }
}

static void stop(void)
{
    bgi_sched_stop(&S);
}

static void two_workers(void)
{
    rig_setup(2, 0, 0);
}

MC_MODEL(count, .name = "search/two_start_at_once",
         .says = "the count of searchers is 0 when nobody searches", .bound = 2,
         .setup = two_workers, .thread = {search_0, search_1, stop}, .check = all_ran);

/* ---- a stuck worker's queue is shared out ---- */

static void push_two_and_stick(void)
{
    bgi_push(&W[0], rig_fill(&A));
    bgi_push(&W[0], rig_fill(&B));
}

static void three_workers(void)
{
    rig_setup(3, 0, 0);
}

MC_MODEL(share, .name = "search/queue_of_a_stuck_worker",
         .says = "two others get what a stuck worker pushed, one each", .bound = 2, .quick = 1,
         .setup = three_workers, .thread = {push_two_and_stick, sleep_then_run_1, sleep_then_run_2},
         .check = all_ran);

/* ---- the next slot: its owner against a thief ---- */

static int got_0, got_1;

static void owner_takes(void)
{
    struct bgi_link *l = bgi_runq_put_next(&W[0].queue, &rig_fill(&A)->link);
    mc_assert(l == NULL);
    l = bgi_runq_pop(&W[0].queue);
    if (l != NULL) {
        got_0 = 1;
        A.item.run(&W[0], bgi_item_of(l));
    }
}

static void thief_takes(void)
{
    bgi_item *item = bgi_search(&W[1]);
    bgi_stop_searching(&W[1]);
    if (item != NULL) {
        got_1 = 1;
        item->run(&W[1], item);
    }
}

static void slot(void)
{
    rig_setup(2, 0, 0);
    rig_searches(&W[1]);
    got_0 = 0;
    got_1 = 0;
}

static void one_got_it(void)
{
    mc_assert(got_0 + got_1 == 1 && A.ran == 1);
    rig_at_rest();
}

MC_MODEL(next_slot, .name = "search/next_slot",
         .says = "what is put in the next slot is run once, by its owner or a thief", .setup = slot,
         .thread = {owner_takes, thief_takes}, .check = one_got_it);

/* The owner goes on to other items meanwhile, as its tick tells. */

static void owner_goes_on(void)
{
    bgi_worker_count(&W[0]);
    owner_takes();
    bgi_worker_count(&W[0]);
}

MC_MODEL(next_slot_goes_on, .name = "search/next_slot_of_one_that_goes_on",
         .says = "likewise when the owner goes from item to item", .setup = slot,
         .thread = {owner_goes_on, thief_takes}, .check = one_got_it);

/* ---- the next slot of an owner that computes: somebody who sleeps is told ---- */

static void ready_and_compute(void)
{
    bgi_worker_is(&W[0]);
    mc_await_equal(&S.idle.waiting, S.workers - 1);
    bgi_ready(&S, rig_fill(&A));
}

static void next_slots_are_told_of(void)
{
    rig_setup(2, 0, 0);
}

MC_MODEL(told, .name = "search/next_slot_of_one_that_computes",
         .says = "a sleeper is woken for the next slot of a worker that goes on computing, and "
                 "takes what is there",
         .setup = next_slots_are_told_of, .thread = {ready_and_compute, sleep_then_run_1},
         .check = all_ran);

/* Who was robbed tells of each item; of two wake-ups the second may be left out, as somebody
 * searches. What is left in the slot then its owner takes. */

static void ready_twice(void)
{
    bgi_worker_is(&W[0]);
    mc_await_equal(&S.idle.waiting, S.workers - 1);
    bgi_ready(&S, rig_fill(&A));
    bgi_ready(&S, rig_fill(&B));
    struct bgi_link *l;
    while ((l = bgi_runq_pop(&W[0].queue)) != NULL) {
        bgi_item_of(l)->run(&W[0], bgi_item_of(l));
    }
    bgi_sched_stop(&S);
}

static void sleep_then_search_1(void)
{
    bgi_park(&W[1]);
    search_once(&W[1]);
}

static void sleep_then_search_2(void)
{
    bgi_park(&W[2]);
    search_once(&W[2]);
}

static void robbed_before(void)
{
    rig_setup(3, 0, 0);
    bgi_store(&W[0].robbed, 1);
}

MC_MODEL(robbed, .name = "search/robbed_owner",
         .says = "an owner that is robbed, or not, as it tells of its items: each is run once",
         .bound = 1, .quick = 1, .setup = robbed_before,
         .thread = {ready_twice, sleep_then_search_1, sleep_then_search_2}, .check = all_ran);

/* ---- timers nobody else settles ---- */

static void start_fresh_and_stick(void)
{
    A.filled = 1;
    int how = bgi_bias_enter(&W[0].timers.lock);
    bgi_timers_add_fresh(&W[0].timers, &T.timer, 0);
    bgi_bias_leave(&W[0].timers.lock, how);
}

/* The monitor finds W[0] stuck; looks until what waits behind it is seen. */
static void look(void)
{
    (void)bgi_monitor_look(&S);
}

static void search_for_timers(void)
{
    search_once(&W[1]);
}

static void stuck_with_a_timer(void)
{
    rig_setup(2, 0, 0);
    rig_timer_setup(&T, &A, 0);
    rig_stuck(&W[0]);
    bgi_store(&W[0].held_up, 0);
}

static void at_most_once(void)
{
    mc_assert(A.ran <= 1);
    mc_assert((A.ran == 1) != bgi_timer_node_pending(&T.timer.node));
    rig_at_rest();
}

MC_MODEL(unsettled, .name = "search/unsettled_timer_of_a_stuck_worker",
         .says = "a searcher settles and fires a stuck worker's timer once, or leaves it there",
         .setup = stuck_with_a_timer, .thread = {start_fresh_and_stick, look, search_for_timers},
         .check = at_most_once);

/* Two thieves at one due timer, and its owner. */
static void owner_fires(void)
{
    if (bgi_worker_run_timers(&W[0])) {
        struct bgi_link *l = bgi_runq_pop(&W[0].queue);
        if (l != NULL) {
            bgi_item_of(l)->run(&W[0], bgi_item_of(l));
        }
    }
}

static void thief_fires(void)
{
    search_for_timers();
}

static void due_timer(void)
{
    rig_setup(2, 0, 0);
    rig_timer_setup(&T, &A, 0);
    A.filled = 1;
    (void)bgi_timers_start_at(&W[0].timers, &T.timer, T.due, NULL, NULL);
}

MC_MODEL(due, .name = "search/due_timer",
         .says = "a due timer is fired by its owner or a searcher, and its item runs once",
         .setup = due_timer, .thread = {owner_fires, thief_fires}, .check = all_ran);

/* ---- a place that is filled while others look through all of them ---- */

static void fill_place_1(void)
{
    rig_worker_setup(1, bgi_clock_now());
    bgi_store(&W[1].held_up, 1);
    bgi_store(&W[1].timers.unsettled, 1); /* as if it were stuck with a timer just set */
    bgi_store_release(&S.used, 2);
}

static void search_all(void)
{
    mc_assert(bgi_search(&W[0]) == NULL);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
}

static void one_place(void)
{
    rig_setup(2, 0, 0);
    bgi_store(&S.used, 1);
    W[1].timers.sched = NULL;
    bgi_store(&W[1].timers.next, 0);
    bgi_store(&W[1].held_up, 1);
    bgi_store(&W[1].timers.unsettled, 1);
}

static void nothing_fired(void)
{
    mc_assert(bgi_load(&W[0].fired) == 0);
    mc_assert(bgi_load(&S.searching) == 0);
}

MC_MODEL(new_place, .name = "search/new_place",
         .says = "a place is looked into only when all of it has been made", .setup = one_place,
         .thread = {fill_place_1, search_all}, .check = nothing_fired);

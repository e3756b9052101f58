/*
 * core/submit.c and the end of a search: who wakes the next one, and who may rely on whom.
 */
#include "core_rig.h"

static void submit_a(void)
{
    bgi_submit(&S, rig_fill(&A));
}

static void submit_b(void)
{
    bgi_submit(&S, rig_fill(&B));
}

static void submit_both(void)
{
    submit_a();
    submit_b();
}

static void one_run_0(void)
{
    rig_run_one(&W[0]);
}

static void one_run_1(void)
{
    rig_run_one(&W[1]);
}

/* Goes to sleep before it looks. */
static void sleep_then_run_0(void)
{
    bgi_park(&W[0]);
    rig_run_one(&W[0]);
}

static void sleep_then_run_1(void)
{
    bgi_park(&W[1]);
    rig_run_one(&W[1]);
}

static void all_ran(void)
{
    mc_assert(A.ran == A.filled && B.ran == B.filled && C.ran == C.filled);
    rig_at_rest();
}

/* ---- the last searcher has found something; a submitter has counted on it ---- */

static void leave_the_search(void)
{
    bgi_stop_searching(&W[0]);
}

static void last_searcher(void)
{
    rig_setup(2, 0, 0);
    rig_searches(&W[0]);
}

MC_MODEL(last, .name = "notify/last_searcher_and_submit",
         .says = "the last to leave the search wakes another for what came meanwhile",
         .setup = last_searcher, .thread = {leave_the_search, sleep_then_run_1, submit_a},
         .check = all_ran);

static void push_own(void)
{
    bgi_push(&W[0], rig_fill(&A));
}

static void leave_the_search_2(void)
{
    bgi_stop_searching(&W[2]);
}

static void searcher_of_three(void)
{
    rig_setup(3, 0, 0);
    rig_searches(&W[2]);
}

MC_MODEL(last_own, .name = "notify/last_searcher_and_push",
         .says = "likewise for what a stuck worker has pushed", .setup = searcher_of_three,
         .thread = {push_own, sleep_then_run_1, leave_the_search_2}, .check = all_ran);

/* ---- two sleepers, two items, each of which holds who takes it ---- */

static void two_workers(void)
{
    rig_setup(2, 0, 0);
}

MC_MODEL(chain, .name = "notify/two_items_two_sleepers",
         .says = "two items run though each worker is stuck in the first it gets", .bound = 2,
         .setup = two_workers, .thread = {sleep_then_run_0, sleep_then_run_1, submit_both},
         .check = all_ran);

MC_MODEL(two_submitters, .name = "notify/two_submitters_two_sleepers",
         .says = "likewise when two threads submit them at once", .bound = 2, .quick = 1,
         .setup = two_workers, .thread = {one_run_0, one_run_1, submit_a, submit_b},
         .check = all_ran);

/* ---- the one to be notified has woken by itself ---- */

static void withdraw(void)
{
    W[0].searching = bgi_ec_cancel(&S.idle, &W[0].node);
    if (W[0].searching) {
        rig_run_one(&W[0]);
    }
}

static void notify_for_nothing(void)
{
    bgi_notify(&S);
}

static void one_announced(void)
{
    rig_setup(2, 0, 1);
    bgi_ec_prepare(&S.idle, &W[0].node);
}

MC_MODEL(nobody_left, .name = "notify/sleeper_withdraws",
         .says = "a waker that finds nobody looks again for those who counted on the searcher",
         .setup = one_announced, .bound = 2,
         .thread = {withdraw, sleep_then_run_1, notify_for_nothing, submit_a}, .check = all_ran);

/* ---- two have counted on a search that was about to end ---- */

static void submit_to_a_searcher(void)
{
    submit_both(); /* wakes nobody: W[0] searches */
    mc_assert(bgi_ec_waiting(&S.idle) == 1);
    bgi_park(&W[0]);                         /* its search has failed; its second look finds them */
    rig_run_one(&W[0]);                      /* it takes one and is stuck in it */
    mc_assert(bgi_ec_waiting(&S.idle) == 0); /* W[1] was woken for the other */
    W[1].searching = bgi_ec_cancel(&S.idle, &W[1].node);
    rig_run_one(&W[1]);
}

static void search_has_failed(void)
{
    rig_setup(2, 0, 0);
    bgi_ec_prepare(&S.idle, &W[1].node);
    rig_searches(&W[0]);
}

MC_MODEL(counted_on, .name = "notify/two_counted_on_a_searcher",
         .says = "a searcher whose second look finds something wakes another for the rest",
         .setup = search_has_failed, .thread = {submit_to_a_searcher}, .check = all_ran);

/*
 * core/monitor.c: the monitor's long sleep against a worker that wakes, and what its look brings
 * about.
 */
#include "core_rig.h"

static bgi_atomic pushed;

static void a_ran(void)
{
    mc_assert(A.ran == 1);
    rig_at_rest();
}

static void submit_a(void)
{
    bgi_submit(&S, rig_fill(&A));
}

/* ---- the long sleep ---- */

static void doze(void)
{
    bgi_monitor_doze(&S);
}

static void sleep_then_run_0(void)
{
    bgi_park(&W[0]);
    rig_run_one(&W[0]);
}

static void one_worker(void)
{
    rig_setup(1, 0, 0);
}

MC_MODEL(asleep, .name = "monitor/long_sleep_and_waking_worker",
         .says = "a monitor does not sleep on while a worker works", .bound = 2,
         .setup = one_worker, .thread = {doze, sleep_then_run_0, submit_a}, .check = a_ran);

static void stop(void)
{
    bgi_sched_stop(&S);
}

static void rests(void)
{
    rig_at_rest();
}

MC_MODEL(asleep_stop, .name = "monitor/long_sleep_and_stop",
         .says = "the monitor wakes up when the scheduler stops", .setup = one_worker,
         .thread = {doze, stop}, .check = rests);

/* ---- one more is woken though somebody is counted as searching ---- */

static void one_more(void)
{
    bgi_notify_one_more(&S);
}

MC_MODEL(
    more, .name = "monitor/one_more_and_submit",
    .says = "waking one more leaves the count of searchers as it is, and takes no wake-up away",
    .bound = 2, .setup = one_worker, .thread = {one_more, sleep_then_run_0, submit_a},
    .check = a_ran);

/* ---- a timer nobody waits for ---- */

/* Leads, is kicked, and goes on to be stuck: too early for the timer, so it hands nothing over. */
static void lead_then_stick(void)
{
    bgi_park(&W[0]);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
}

static void serve_1(void)
{
    bgi_worker *w = &W[1];
    while (!bgi_load_acquire(&S.stopping)) {
        bgi_item *item = bgi_search(w);
        if (item != NULL) {
            item->run(w, item);
        } else {
            bgi_park(w);
        }
    }
    if (w->searching) {
        bgi_stop_searching(w);
    }
}

static void kick_0(void)
{
    bgi_wake_worker(&W[0]);
}

static void watch(void)
{
    while (!bgi_load_acquire(&S.stopping)) {
        bgi_ec_wait(&S.monitor_node, bgi_clock_now() + 8 * BGI_MONITOR_PERIOD);
        (void)bgi_monitor_look(&S);
    }
}

static void late_timer(void)
{
    rig_setup(2, 0, 1);
    rig_timer_setup(&T, &A, 8 * BGI_MONITOR_PERIOD);
    A.filled = 1;
    (void)bgi_timers_start_at(&W[0].timers, &T.timer, T.due, NULL, NULL);
}

MC_MODEL(leaderless, .name = "monitor/nobody_leads",
         .says = "the monitor has a timer fired that no leader waits for", .bound = 1, .quick = 1,
         .setup = late_timer, .thread = {lead_then_stick, serve_1, kick_0, watch}, .check = a_ran);

/* ---- a stuck worker: its queue is seen to ---- */

static void push_and_stick(void)
{
    bgi_push_quiet(&W[0], rig_fill(&A));
    bgi_store_release(&pushed, 1);
}

static void sleep_then_run_1(void)
{
    bgi_park(&W[1]);
    rig_run_one(&W[1]);
}

/* Until the item has run: what waits has to be there at two looks, and the sleeper may lie down
 * after both, since a quiet push makes no fence that its last look would meet. */
static void watch_what_was_pushed(void)
{
    mc_await_equal(&pushed, 1);
    watch();
}

static void stuck(void)
{
    rig_setup(2, 0, 1);
    rig_stuck(&W[0]);
    bgi_store(&pushed, 0);
}

MC_MODEL(stuck_queue, .name = "monitor/queue_of_a_stuck_worker",
         .says = "the monitor wakes a sleeper for what waits behind a stuck worker", .bound = 2,
         .setup = stuck, .thread = {push_and_stick, sleep_then_run_1, watch_what_was_pushed},
         .check = a_ran);

/* ---- a stuck worker that has told nobody of its next slot ---- */

static void ready_and_stick(void)
{
    bgi_worker_is(&W[0]);
    bgi_ready(&S, rig_fill(&A));
    bgi_store_release(&pushed, 1);
}

static void stuck_and_silent(void)
{
    stuck();
    W[0].tell_in = 1000;
    W[0].tell_every = 1000;
}

MC_MODEL(stuck_next, .name = "monitor/next_slot_of_a_stuck_worker",
         .says = "the monitor wakes a sleeper for the next slot of a stuck worker that woke nobody",
         .bound = 2, .setup = stuck_and_silent,
         .thread = {ready_and_stick, sleep_then_run_1, watch_what_was_pushed}, .check = a_ran);

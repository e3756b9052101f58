/*
 * core/park.c: a worker that goes to sleep against one who brings it work, a leader who works out
 * its deadline against one who brings a timer.
 */
#include "core_rig.h"

/* ---- one worker that parks once, one foreign submitter ---- */

static void park_once(void)
{
    struct bgi_fifo chain;
    bgi_park(&W[0]);
    mc_assert(bgi_injector_pop(&S.injector, &chain, 1) == 1);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
    bgi_item *item = bgi_item_of(bgi_fifo_pop(&chain));
    item->run(&W[0], item);
}

static void submit_a(void)
{
    bgi_submit(&S, rig_fill(&A));
}

static void submit_b(void)
{
    bgi_submit(&S, rig_fill(&B));
}

static void a_ran(void)
{
    mc_assert(A.ran == 1);
    rig_at_rest();
}

static void both_ran(void)
{
    mc_assert(A.ran == 1 && B.ran == 1);
    rig_at_rest();
}

static void one_idle(void)
{
    rig_setup(2, 0, 0);
}

static void one_searching(void)
{
    rig_setup(2, 0, 0);
    rig_searches(&W[0]);
}

MC_MODEL(idle, .name = "park/idle_and_submit",
         .says = "a worker that goes to sleep does not miss an item submitted meanwhile",
         .setup = one_idle, .thread = {park_once, submit_a}, .check = a_ran);

MC_MODEL(searching, .name = "park/searcher_and_submit",
         .says = "likewise one that was searching, whom the submitter may have counted on",
         .setup = one_searching, .thread = {park_once, submit_a}, .check = a_ran);

/* ---- whole loops ---- */

static void loop_0(void)
{
    bgi_worker_loop(&W[0]);
}

static void loop_1(void)
{
    bgi_worker_loop(&W[1]);
}

static void two_items(void)
{
    rig_setup(2, 0, 2);
}

static void one_item(void)
{
    rig_setup(2, 0, 1);
}

MC_MODEL(two_submitters, .name = "park/two_submitters",
         .says = "one worker runs what two threads submit, and stops", .bound = 2,
         .setup = two_items, .thread = {loop_0, submit_a, submit_b}, .check = both_ran);

MC_MODEL(two_workers, .name = "park/two_workers",
         .says = "of two workers one runs the item, and both stop", .bound = 2, .setup = one_item,
         .thread = {loop_0, loop_1, submit_a}, .check = a_ran);

/* ---- a worker fills its own queue and is stuck; another goes to sleep ---- */

static void push_and_stick(void)
{
    bgi_push(&W[0], rig_fill(&A));
}

static void sleep_then_run_1(void)
{
    bgi_park(&W[1]);
    rig_run_one(&W[1]);
}

static void one_of_them_searching(void)
{
    rig_setup(2, 0, 0);
    rig_searches(&W[1]);
}

MC_MODEL(own_queue, .name = "park/pushed_by_a_worker",
         .says = "who goes to sleep takes what a stuck worker has pushed to its own queue",
         .setup = one_idle, .thread = {push_and_stick, sleep_then_run_1}, .check = a_ran);

MC_MODEL(own_queue_searcher, .name = "park/pushed_while_searching",
         .says = "likewise when it was searching", .setup = one_of_them_searching,
         .thread = {push_and_stick, sleep_then_run_1}, .check = a_ran);

/* ---- the leader's deadline ---- */

/* What a worker does that finds nothing but timers: everybody's that are due, then sleep. */
static void serve_timers(bgi_worker *w)
{
    while (!bgi_load_acquire(&S.stopping)) {
        bgi_item *item = bgi_worker_run_timers(w) ? rig_take(w) : bgi_search(w);
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

static void lead(void)
{
    serve_timers(&W[0]);
}

static void start_and_sleep(void)
{
    A.filled = 1;
    mc_assert(bgi_timers_start_at(&W[1].timers, &T.timer, T.due, NULL, NULL) == 1);
    serve_timers(&W[1]);
}

static void a_timer(void)
{
    rig_setup(2, 0, 1);
    rig_timer_setup(&T, &A, BG_MS);
}

MC_MODEL(new_timer, .name = "park/leader_and_new_timer",
         .says = "a leader learns of the timer of one who goes to sleep without an end", .bound = 2,
         .setup = a_timer, .thread = {lead, start_and_sleep}, .check = a_ran);

static void lead_once(void)
{
    bgi_park(&W[0]);
    bgi_wake_worker(&W[1]);
}

static void start_and_sleep_once(void)
{
    mc_assert(bgi_timers_start_at(&W[1].timers, &T.timer, T.due, NULL, NULL) == 1);
    bgi_park(&W[1]);
    bgi_wake_worker(&W[0]);
}

MC_MODEL(new_timer_once, .name = "park/leader_or_new_timer",
         .says = "of two who go to sleep, one with a timer, one wakes", .setup = a_timer,
         .thread = {lead_once, start_and_sleep_once});

/* ---- the role passes on ---- */

static void lead_then_stick(void)
{
    bgi_park(&W[0]);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
}

static void serve_1(void)
{
    serve_timers(&W[1]);
}

static void kick_0(void)
{
    bgi_wake_worker(&W[0]);
}

static void timer_of_the_leader(void)
{
    rig_setup(2, 0, 1);
    rig_timer_setup(&T, &A, BG_MS);
    A.filled = 1;
    (void)bgi_timers_start_at(&W[0].timers, &T.timer, T.due, NULL, NULL);
}

MC_MODEL(hand_over, .name = "park/leader_gets_stuck",
         .says = "when a leader goes on to be stuck another worker fires its timer", .bound = 2,
         .setup = timer_of_the_leader, .thread = {lead_then_stick, serve_1, kick_0},
         .check = a_ran);

/* ---- a driver that is told by itself ---- */

/* One that waits on a word of its own, as one waits in epoll_wait on an eventfd. */
static bgi_atomic bell;

static void bell_wait(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    (void)d;
    (void)deadline;
    while (bgi_load_acquire(&w->node.word) == 0 && !bgi_cas(&bell, 1, 0)) {
        (void)bgi_futex_wait(&bell, 0, -1);
    }
}

static void bell_wake(bgi_driver *d, bgi_worker *w)
{
    (void)d;
    (void)w;
    (void)bgi_cas(&bell, 0, 1);
    (void)bgi_futex_wake(&bell, 1);
}

static const struct bgi_driver_ops bell_ops = {"bell", bell_wait, bell_wake, NULL, NULL, NULL};
static bgi_driver bell_driver = {&bell_ops};

static void with_a_bell(void)
{
    rig_setup(2, 0, 0);
    S.driver = &bell_driver;
    bgi_store(&bell, 0);
}

MC_MODEL(driver, .name = "park/driver_with_a_wake", .says = "who waits in a driver is woken there",
         .setup = with_a_bell, .thread = {park_once, submit_a}, .check = a_ran);

static void stop_0(void)
{
    bgi_sched_stop(&S);
}

static void just_rest(void)
{
    rig_at_rest();
}

MC_MODEL(driver_stop, .name = "park/driver_and_stop", .says = "and when the scheduler stops",
         .setup = with_a_bell, .thread = {lead_then_stick, stop_0}, .check = just_rest);

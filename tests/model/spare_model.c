/*
 * The spare worker: called up, retired, called up again by the monitor or by its own timers, and
 * stopped wherever it is. Place 0 is a regular worker, stuck; place 1 the spare.
 */
#include "core_rig.h"

static int came_back; /* what bgi_spare_retire gave */

static void retire(void)
{
    came_back = bgi_spare_retire(&W[1]);
}

static void look(void)
{
    (void)bgi_monitor_look(&S);
}

static void stop(void)
{
    bgi_sched_stop(&S);
}

static void look_then_stop(void)
{
    look();
    stop();
}

/* Spares that are neither absent nor retired are counted, at rest. */
static void counted(void)
{
    bgi_word state = bgi_load(&W[1].state);
    mc_assert(state == BGI_ACTIVE || state == BGI_RETIRED);
    mc_assert(bgi_load(&S.spares_active) == (state == BGI_ACTIVE));
    rig_at_rest();
}

/* A stuck worker with an item behind it, that the monitor has seen before. */
static void stuck_with_an_item(void)
{
    rig_stuck(&W[0]);
    bgi_push_quiet(&W[0], rig_fill(&A));
    W[0].seen_first = bgi_load(&W[0].queue.head);
}

/* ---- it retires while nobody is stuck; then somebody is ---- */

static void surplus(void)
{
    rig_setup(1, 1, 0);
    stuck_with_an_item();
    bgi_store(&S.stuck, 0); /* as of the last look */
    came_back = -1;
}

static void back_or_not_gone(void)
{
    counted();
    mc_assert(came_back == 0 || came_back == 1);
    mc_assert(came_back == 1 || bgi_load(&W[1].state) == BGI_ACTIVE);
}

MC_MODEL(called, .name = "spare/retires_and_is_called_up",
         .says = "a spare that retires is called up or stopped, and the active ones are counted",
         .setup = surplus, .thread = {retire, look_then_stop}, .check = back_or_not_gone);

/* ---- retired for sure, then called up: it has to come back ---- */

static void call_up(void)
{
    mc_await_equal(&W[1].state, BGI_RETIRED);
    look();
}

static void came_and_counted(void)
{
    mc_assert(came_back == 1 && bgi_load(&W[1].state) == BGI_ACTIVE);
    counted();
}

MC_MODEL(called_back, .name = "spare/called_back",
         .says = "a retired spare wakes up when the monitor calls it", .setup = surplus,
         .thread = {retire, call_up}, .check = came_and_counted);

/* ---- its timers and the monitor call it up at once ---- */

static void surplus_with_timers(void)
{
    surplus();
    rig_timer_setup(&T, &B, 0);
    B.filled = 1;
    (void)bgi_timers_start_at(&W[1].timers, &T.timer, T.due, NULL, NULL);
}

static void fired_and_counted(void)
{
    mc_assert(came_back == 0 || came_back == 1);
    counted();
    /* Fired once, and what it made ready is in a queue; or it still waits. */
    mc_assert(bgi_runq_size(&W[1].queue) + bgi_injector_size(&S.injector) +
                  (size_t)bgi_timer_node_pending(&T.timer.node) ==
              1);
}

MC_MODEL(timers, .name = "spare/timers_and_monitor",
         .says = "called up by its timers and by the monitor, it is counted once",
         .setup = surplus_with_timers, .thread = {retire, look_then_stop},
         .check = fired_and_counted);

/* ---- stopped while retired ---- */

static void nobody_stuck(void)
{
    rig_setup(1, 1, 0);
    came_back = -1;
}

static void retired_or_stopped(void)
{
    mc_assert(came_back == 1 && bgi_load(&W[1].state) == BGI_RETIRED);
    counted();
}

MC_MODEL(stopped, .name = "spare/stopped_while_retired",
         .says = "a retired spare wakes up when the scheduler stops", .setup = nobody_stuck,
         .thread = {retire, stop}, .check = retired_or_stopped);

/* ---- two spares, one is too many ---- */

static int came_back_2;

static void retire_2(void)
{
    came_back_2 = bgi_spare_retire(&W[2]);
}

static void two_spares(void)
{
    rig_setup(1, 2, 0);
    bgi_store(&S.stuck, 1);
    came_back = -1;
    came_back_2 = -1;
}

static void one_stays(void)
{
    mc_assert(came_back + came_back_2 == 1);
    mc_assert(bgi_load(&S.spares_active) == 1);
    mc_assert((bgi_load(&W[1].state) == BGI_RETIRED) == (came_back == 1));
    mc_assert((bgi_load(&W[2].state) == BGI_RETIRED) == (came_back_2 == 1));
}

static void stop_when_one_has_retired(void)
{
    mc_await_equal(&S.spares_active, 1);
    bgi_sched_stop(&S);
}

MC_MODEL(two, .name = "spare/two_and_one_stuck",
         .says = "of two spares for one stuck worker exactly one retires", .setup = two_spares,
         .thread = {retire, retire_2, stop_when_one_has_retired}, .check = one_stays);

/* ---- an item comes while it retires ---- */

static void run_one_0(void)
{
    rig_run_one(&W[0]);
    bgi_sched_stop(&S);
}

static void retire_third(void)
{
    came_back = bgi_spare_retire(&W[2]);
}

static void submit_a(void)
{
    bgi_submit(&S, rig_fill(&A));
}

/* The spare was woken for the item, found something else, and is no longer needed. */
static void searching_surplus(void)
{
    rig_setup(2, 1, 0);
    rig_searches(&W[2]);
    came_back = -1;
}

static void ran_and_retired(void)
{
    mc_assert(A.ran == 1 && came_back == 1);
    rig_at_rest();
}

MC_MODEL(work_for_others, .name = "spare/retires_from_the_search",
         .says = "a spare that retires from the search leaves nothing that counted on it",
         .bound = 2, .setup = searching_surplus, .thread = {run_one_0, retire_third, submit_a},
         .check = ran_and_retired);

/* ---- the first call of a place: it is filled, made known, and gets a thread ---- */

/* A stuck worker's timer, a callback: whoever fires it stops the scheduler. */
static void stop_at_its_time(bg_fn fn, void *arg)
{
    (void)fn;
    (void)arg;
    stop();
}

static void expire_to_stop(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->act = stop_at_its_time;
}

static void nobody_yet(void)
{
    rig_setup(2, 1, 0);
    rig_stuck(&W[0]);
    rig_timer_setup(&T, &A, 0);
    T.timer.expire = expire_to_stop;
    (void)bgi_timers_start_at(&W[0].timers, &T.timer, T.due, NULL, NULL);
    bgi_store(&S.searching, 1); /* enough of them: they look for timers alone */
    bgi_store(&S.used, 2);
    bgi_store(&S.spares_active, 0);
    bgi_store(&S.spares_peak, 0);
    W[2].sched = NULL;
    bgi_store(&W[2].state, BGI_ABSENT);
    bgi_store(&W[2].forks.ring, 0);
    bgi_store(&W[2].timers.next, 0); /* as memory comes from the system */
}

/* Looks for due timers in all places: in the new one as well, if it is known already. */
static void search_1(void)
{
    mc_assert(bgi_search(&W[1]) == NULL && !W[1].searching);
}

static void lend_and_join(void)
{
    (void)bgi_monitor_look(&S);
    if (W[2].has_thread) {
        bgi_sched_join(&S);
    }
}

static void lent_or_not_needed(void)
{
    bgi_word state = bgi_load(&W[2].state);
    mc_assert(bgi_load(&S.stopping) == 1);
    mc_assert(bgi_load(&S.used) == 2U + (state != BGI_ABSENT));
    bgi_deque_destroy(&W[2].forks);
}

MC_MODEL(lent, .name = "spare/first_call",
         .says = "a place that is called up for the first time is made before it is known",
         .bound = 2, .setup = nobody_yet, .thread = {lend_and_join, search_1},
         .check = lent_or_not_needed);

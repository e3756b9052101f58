/*
 * task/after.c: a timer with the caller's storage fires on its worker while another takes it back,
 * or sets it again.
 */
#include "core_rig.h"

#include <brigade/timer.h>
#include <errno.h>
#include <string.h>

static bg_timer timer;
static int first, again, result;

static int note_first(void *arg)
{
    (void)arg;
    first++;
    return 0;
}

static int note_again(void *arg)
{
    (void)arg;
    again++;
    return 0;
}

/* The clock stands still: a millisecond later is what is passed in. */
static void run_timers(bgi_worker *w, bg_duration later)
{
    size_t fired = 0;
    (void)bgi_timers_run(w, &w->timers, 1, bgi_clock_now() + later, BGI_TIMERS_BATCH, &fired);
}

static void set_on_0(void)
{
    rig_setup(2, 0, 0);
    first = again = 0;
    result = -1;
    bg_timer_init(&timer);
    bgi_worker_is(&W[0]);
    mc_assert(bg_timer_start(&timer, 0, note_first, NULL) == 0);
    run_timers(&W[0], 0); /* gives it its deadline */
    bgi_worker_is(NULL);
}

static void fire_0(void)
{
    bgi_worker_is(&W[0]);
    run_timers(&W[0], BG_MS);
}

static void take_back(void)
{
    bgi_worker_is(&W[1]);
    result = bg_timer_cancel(&timer);
    memset(&timer, 0xff, sizeof timer); /* fired or taken back: it is the caller's */
}

static void fired_or_taken_back(void)
{
    mc_assert((result == 0 || result == 1) && first + result == 1);
}

MC_MODEL(cancel, .name = "callback/fires_and_is_cancelled",
         .says = "a timer's storage is the caller's once it has fired or was taken back",
         .setup = set_on_0, .thread = {fire_0, take_back}, .check = fired_or_taken_back);

/* ---- set again elsewhere: when it has fired, or not at all ---- */

static void set_again_on_1(void)
{
    bgi_worker_is(&W[1]);
    result = bg_timer_start(&timer, 0, note_again, NULL);
    if (result == 0) {
        run_timers(&W[1], 0);
        run_timers(&W[1], BG_MS);
    }
}

static void fired_once_each(void)
{
    mc_assert(first == 1);
    mc_assert(result == 0 ? again == 1 : result == -EBUSY && again == 0);
}

MC_MODEL(restart, .name = "callback/fires_and_is_set_again",
         .says = "a timer is set anew only after it has fired, and then fires again",
         .setup = set_on_0, .thread = {fire_0, set_again_on_1}, .check = fired_once_each);

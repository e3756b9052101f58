/*
 * Parking: the sleep of a worker that found nothing, and the role of the one that polls.
 *
 * Announce, leave the searching state, fence, look once more, sleep. A searcher whose second look
 * finds something searches on: several submitters may have counted on it, and it takes one item; as
 * the last to leave the search it then wakes the next worker. One that was not searching, since
 * enough others do, goes round and pauses: what it saw is about to be taken.
 *
 * All of them sleep in the driver, each for what it has asked the system for. The first idle worker
 * takes the role of leader: it sleeps until the earliest timer of all. The others sleep without an
 * end. What the driver has found is in the sleeper's run queue when it wakes.
 *
 * The leader's deadline. A worker that is awake looks after its own timers. When it goes to sleep
 * and is not the leader, somebody who is has to know its earliest timer:
 *     leader:  leader_until = WORKING_OUT; fence; read every worker's next; leader_until = least
 *     other:   its next is set; fence (prepare); read leader_until; kick the leader if that is
 * later Either the leader read the other's next, or the other read WORKING_OUT or a deadline worked
 * out without it, both of which count as later.
 *
 * Handing over. A leader that wakes gives the role up before it runs anything. Somebody else must
 * take it when a timer is due soon; that is the case when a worker is woken, finds nothing and
 * sleeps again as leader. If the next timer is further away than the monitor's period, the monitor
 * does that when it proves necessary, and a wake-up is saved.
 */
#include "base/clock.h"
#include "core/sched.h"

/* Not a time, but later than any: who reads it kicks. */
#define WORKING_OUT ((bgi_word)BG_TIME_MAX)

static void default_wait(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    (void)d;
    bgi_ec_wait(&w->node, deadline);
}

static size_t default_poll(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    (void)d;
    (void)w;
    (void)of;
    return 0;
}

static int default_pending(bgi_driver *d, bgi_worker *of)
{
    (void)d;
    (void)of;
    return 0;
}

static size_t default_play(bgi_driver *d, bgi_worker *w, int wait)
{
    (void)d;
    (void)w;
    (void)wait;
    return 0;
}

static const struct bgi_driver_ops default_ops = {"futex",      default_wait,    NULL,
                                                  default_poll, default_pending, default_play};

bgi_driver bgi_driver_default = {&default_ops};

bg_time bgi_earliest_timer(bgi_sched *s)
{
    bg_time earliest = BG_TIME_MAX;
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        bg_time next = bgi_timers_next(&s->worker[i].timers);
        earliest = next < earliest ? next : earliest;
    }
    return earliest;
}

void bgi_wake_worker(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    bgi_ec_kick(&w->node);
    if (s->driver->ops->wake != NULL) {
        s->driver->ops->wake(s->driver, w);
    }
}

/* Sees to it that the leader knows of this worker's timers; 0 when there is no leader. */
static int tell_leader(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    bgi_word leader = bgi_load_acquire(&s->leader);
    if (leader == 0) {
        return 0;
    }
    if (bgi_timers_next(&w->timers) < (bg_time)bgi_load(&s->leader_until)) {
        bgi_wake_worker(&s->worker[leader - 1]);
    }
    return 1;
}

/* The leader's sleep. */
static void lead(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    bgi_store(&s->leader_until, WORKING_OUT);
    bgi_fence_full(); /* partner: in bgi_ec_prepare of the others */
    bg_time until = bgi_earliest_timer(s);
    bgi_store(&s->leader_until, (bgi_word)until);
    s->driver->ops->wait(s->driver, w, until);
}

/* After the role was given up: does a timer come too soon to leave it to the monitor? */
static void hand_over(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (bgi_ec_waiting(&s->idle) == 0) {
        return;
    }
    bg_time next = bgi_earliest_timer(s);
    if (next != BG_TIME_MAX && next - bgi_clock_now() < 2 * BGI_MONITOR_PERIOD) {
        bgi_notify(s);
    }
}

void bgi_park(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    int led = 0;

    /* What a callback has just left here nobody else would look for. */
    if (!bgi_runq_empty(&w->queue) || bgi_timers_unsettled(&w->timers) ||
        (w->is_spare && bgi_spare_retire(w))) {
        return;
    }
    bgi_store_release(&w->state, BGI_IDLE);
    bgi_ec_prepare(&s->idle, &w->node);
    int searched = w->searching, goes_on = 0;
    if (searched) {
        (void)bgi_fetch_sub(&s->searching, 1);
        bgi_fence_full(); /* partner: the submitter's fence, after which it saw us searching */
    }
    bgi_ask_for_forks(w); /* after the fence in prepare: who takes the flag back sees us */
    if (bgi_anything_queued(s)) {
        /* Several may have counted on this search: it goes on, with the duty at its end. */
        if (searched) {
            (void)bgi_fetch_add(&s->searching, 1);
            goes_on = 1;
        } else {
            bgi_pause(); /* somebody else is about to take it */
        }
    } else if (!bgi_load_acquire(&s->stopping)) {
        bgi_count_owned(&w->parks, 1);
        do {
            led = bgi_cas(&s->leader, 0, w->index + 1U);
        } while (!led && !tell_leader(w));
        if (led) {
            lead(w);
            bgi_store_release(&s->leader, 0);
        } else {
            s->driver->ops->wait(s->driver, w, BG_TIME_MAX);
        }
    }
    bgi_store_release(&w->state, BGI_ACTIVE);
    int notified = bgi_ec_cancel(&s->idle, &w->node);
    if (notified && goes_on) {
        (void)bgi_fetch_sub(&s->searching, 1); /* who notified us counted us in once more */
    }
    w->searching = notified || goes_on;
    bgi_fence_full(); /* partner: the monitor's, before it looks at the states and sleeps */
    if (bgi_load(&s->monitor_asleep)) {
        bgi_ec_kick(&s->monitor_node);
    }
    if (led) {
        hand_over(w);
    }
    bgi_worker_pace_from_here(w);
    bgi_worker_tell(w);
}

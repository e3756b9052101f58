/*
 * sync/cond.c: no signal lost, between the look and the wait, or on who is cancelled; who is woken
 * holds the mutex, in every case; the end of the condition after a broadcast.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_mutex M;
static bg_cond cond;
static int items, inside; /* plain: under the mutex */
static int result[3];

static void setup(void)
{
    wt_setup(3);
    bg_mutex_init(&M);
    bg_cond_init(&cond);
    items = 0;
    inside = 0;
    result[0] = result[1] = result[2] = 1;
}

static void holds(void)
{
    mc_assert(inside == 0);
    inside = 1;
    inside = 0;
}

/* Waits for an item, or for what ends it. */
static int take(void)
{
    int r = 0;
    mc_assert(bg_mutex_lock(&M) == 0);
    holds();
    while (r == 0 && items == 0) {
        r = bg_cond_wait(&cond, &M);
        holds();
    }
    if (r == 0) {
        items--;
    }
    mc_assert(bg_mutex_unlock(&M) == 0);
    return r;
}

static void takes(void)
{
    (void)wt_begin();
    mc_assert(take() == 0);
}

static void thread_takes(void)
{
    wt_begin_thread();
    mc_assert(take() == 0);
}

static void takes_if_it_may(void)
{
    int i = mc_self();
    bg_task *self = wt_begin();
    int r = bg_mutex_lock(&M);
    if (r == 0) {
        while (r == 0 && items == 0) {
            r = bg_cond_wait(&cond, &M);
            holds();
        }
        if (r == 0) {
            items--;
        }
        mc_assert(bg_mutex_unlock(&M) == 0);
    }
    mc_assert(r == 0 || (r == -ECANCELED && bgi_waiter_cancelled(&self->waiter)));
    result[i] = r;
}

static void put(int n)
{
    mc_assert(bg_mutex_lock(&M) == 0);
    holds();
    items += n;
    mc_assert(bg_mutex_unlock(&M) == 0);
}

static void puts_then_signals(void)
{
    wt_begin_thread();
    put(1);
    mc_assert(bg_cond_signal(&cond) == 0);
}

static void puts_and_signals(void)
{
    wt_begin_thread();
    mc_assert(bg_mutex_lock(&M) == 0);
    holds();
    items++;
    mc_assert(bg_cond_signal(&cond) == 0);
    mc_assert(bg_mutex_unlock(&M) == 0);
}

static void puts_two_for_all(void)
{
    wt_begin_thread();
    put(2);
    mc_assert(bg_cond_broadcast(&cond) == 0);
}

static void cancels(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void all_free(int left)
{
    const bgi_waitq *m = (const bgi_waitq *)(void *)&M;
    const bgi_waitq *c = (const bgi_waitq *)(void *)&cond;
    mc_assert(bgi_load(&m->word) == 0 && m->first == NULL);
    mc_assert(bgi_load(&c->word) == 0 && c->first == NULL);
    mc_assert(items == left);
    for (unsigned i = 0; i < 3; i++) {
        mc_assert(bgi_load(&rt_task(i)->waiter.state) < BGI_WAITER_SIGNAL);
    }
}

static void none_left(void)
{
    all_free(0);
}

static void as_many_left_as_not_taken(void)
{
    all_free(result[0] == 0 ? 0 : 1);
}

MC_MODEL(signal_after, .name = "cond/signal_without_the_mutex",
         .says = "who looks and waits is found by a signal after the mutex was given up",
         .setup = setup, .thread = {takes, puts_then_signals}, .check = none_left);

MC_MODEL(signal_inside, .name = "cond/signal_with_the_mutex",
         .says = "likewise by a signal while it is held", .setup = setup,
         .thread = {takes, puts_and_signals}, .check = none_left);

MC_MODEL(signal_thread, .name = "cond/signal_to_a_thread", .says = "likewise a plain thread",
         .setup = setup, .thread = {thread_takes, puts_then_signals}, .check = none_left);

MC_MODEL(broadcast, .name = "cond/broadcast",
         .says = "a broadcast reaches both, who go on one after another", .bound = 2, .quick = 1,
         .setup = setup, .thread = {takes, takes, puts_two_for_all}, .check = none_left);

MC_MODEL(against_cancel, .name = "cond/signal_against_cancel",
         .says = "a signal that meets a cancel is received, or not spent, and the mutex is held",
         .bound = 2, .setup = setup, .thread = {takes_if_it_may, puts_then_signals, cancels},
         .check = as_many_left_as_not_taken);

/* The second one's wait ends only if it gets what the first leaves. */
MC_MODEL(one_behind, .name = "cond/one_behind_the_cancelled",
         .says = "what a cancelled one does not receive goes to the one behind it", .bound = 1,
         .quick = 1, .setup = setup,
         .thread = {takes_if_it_may, takes, puts_then_signals, puts_then_signals, cancels},
         .check = as_many_left_as_not_taken);

/* ---- gone after the broadcast ---- */

static bg_cond *shared;
static int open;

static void setup_shared(void)
{
    setup();
    shared = bgi_malloc(sizeof *shared);
    bg_cond_init(shared);
    open = 0;
    /* Task 0 holds the mutex, and is about to wait. */
    bgi_worker_is(&W[0]);
    W[0].current = &rt_task(0)->fiber;
    mc_assert(bg_mutex_lock(&M) == 0);
    W[0].current = NULL;
    bgi_worker_is(NULL);
}

static void waits_until_open(void)
{
    int r = 0;
    (void)wt_begin();
    while (r == 0 && !open) {
        r = bg_cond_wait(shared, &M);
    }
    mc_assert(r == 0 || r == -ECANCELED);
    mc_assert(bg_mutex_unlock(&M) == 0);
}

static void opens_and_frees(void)
{
    wt_begin_thread();
    mc_assert(bg_mutex_lock(&M) == 0);
    open = 1;
    mc_assert(bg_cond_broadcast(shared) == 0);
    /* Whoever has not come out was woken; who was cancelled before has not begun to wait, or has
     * taken itself out, as there is nobody any more. */
    bg_cond_destroy(shared);
    bgi_free(shared);
    mc_assert(bg_mutex_unlock(&M) == 0);
}

MC_MODEL(freed, .name = "cond/freed_after_a_broadcast",
         .says = "the condition may go when all have been woken, one of them cancelled just then",
         .setup = setup_shared, .thread = {waits_until_open, opens_and_frees, cancels});

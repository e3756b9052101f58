/*
 * sync/mutex.c: one holder at a time, who sees what those before wrote; a hand-off against a
 * cancel; the end of the mutex after its last unlock. Tasks and plain threads.
 *
 * What is guarded is plain: two holders at once, or an order too weak, is a data race; a lost
 * hand-off is everybody blocked.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_mutex M;
static bg_mutex *shared;
static int inside, entries, users, result;

static void setup(void)
{
    wt_setup(3);
    bg_mutex_init(&M);
    inside = 0;
    entries = 0;
    result = 1;
}

static void section(void)
{
    mc_assert(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
}

static void locked_section(void)
{
    mc_assert(bg_mutex_lock(&M) == 0);
    section();
    mc_assert(bg_mutex_unlock(&M) == 0);
}

static void task_once(void)
{
    (void)wt_begin();
    locked_section();
}

static void task_twice(void)
{
    (void)wt_begin();
    locked_section();
    locked_section();
}

static void thread_once(void)
{
    wt_begin_thread();
    locked_section();
}

static void thread_twice(void)
{
    thread_once();
    locked_section();
}

static void is_free(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)&M;
    mc_assert(bgi_load(&q->word) == 0 && q->first == NULL);
}

static void entered_three(void)
{
    is_free();
    mc_assert(entries == 3);
}

static void entered_four(void)
{
    is_free();
    mc_assert(entries == 4);
}

MC_MODEL(two, .name = "mutex/two", .says = "two tasks enter by turns, twice each", .setup = setup,
         .thread = {task_twice, task_twice}, .check = entered_four);

MC_MODEL(threads, .name = "mutex/threads", .says = "two plain threads enter by turns, twice each",
         .bound = 2, .setup = setup, .thread = {thread_twice, thread_twice}, .check = entered_four);

MC_MODEL(three, .name = "mutex/three",
         .says = "of three, one of them a plain thread, two may wait, and both are served",
         .bound = 2, .setup = setup, .thread = {task_once, task_once, thread_once},
         .check = entered_three);

/* ---- try ---- */

static void tries(void)
{
    (void)wt_begin();
    int r = bg_mutex_try_lock(&M);
    mc_assert(r == 0 || r == -EBUSY);
    if (r == 0) {
        section();
        mc_assert(bg_mutex_unlock(&M) == 0);
    }
}

static void entered_one_or_more(void)
{
    is_free();
    mc_assert(entries >= 1);
}

MC_MODEL(two_tries, .name = "mutex/two_tries", .says = "of two that try one gets in at least",
         .setup = setup, .thread = {tries, tries}, .check = entered_one_or_more);

MC_MODEL(try_and_lock, .name = "mutex/try_and_lock",
         .says = "who gets in by a try is alone, and serves who came to wait meanwhile",
         .setup = setup, .thread = {tries, task_once, thread_once}, .bound = 2,
         .check = entered_one_or_more);

/* ---- a hand-off against a cancel ---- */

/* Held by a plain thread from the setup on. */
static void setup_held(void)
{
    setup();
    bgi_worker_is(NULL);
    mc_assert(bg_mutex_lock(&M) == 0);
    inside = 1;
}

static void gives_up(void)
{
    wt_begin_thread();
    inside = 0;
    mc_assert(bg_mutex_unlock(&M) == 0);
}

static void cancels(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void served_or_not(void)
{
    is_free();
    mc_assert(entries == (result == 0));
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
}

static void locks_if_it_may(void)
{
    (void)wt_begin();
    result = bg_mutex_lock(&M);
    mc_assert(result == 0 || result == -ECANCELED);
    if (result == 0) {
        section();
        mc_assert(bg_mutex_unlock(&M) == 0);
    }
}

MC_MODEL(against_cancel, .name = "mutex/unlock_against_cancel",
         .says = "who is handed the mutex and cancelled has it; who is cancelled first has nothing",
         .setup = setup_held, .thread = {locks_if_it_may, gives_up, cancels},
         .check = served_or_not);

static void others_are_served(void)
{
    is_free();
    mc_assert(entries == 1 + (result == 0));
}

MC_MODEL(one_behind, .name = "mutex/one_behind_the_cancelled",
         .says = "whoever waits beside one that is cancelled is served all the same", .bound = 2,
         .setup = setup_held, .thread = {locks_if_it_may, task_once, gives_up, cancels},
         .check = others_are_served);

/* ---- gone with the last unlock ---- */

static void setup_shared(void)
{
    setup();
    shared = bgi_malloc(sizeof *shared);
    bg_mutex_init(shared);
    users = 2;
}

static void leaves(void)
{
    mc_assert(bg_mutex_lock(shared) == 0);
    int last = --users == 0;
    mc_assert(bg_mutex_unlock(shared) == 0);
    if (last) {
        bgi_free(shared);
    }
}

static void task_leaves(void)
{
    (void)wt_begin();
    leaves();
}

static void thread_leaves(void)
{
    wt_begin_thread();
    leaves();
}

MC_MODEL(last_tasks, .name = "mutex/freed_by_the_last_task",
         .says = "the last to hold it frees it, though the one before is still unlocking it",
         .setup = setup_shared, .thread = {task_leaves, task_leaves});

MC_MODEL(last_thread, .name = "mutex/freed_by_the_last_of_both",
         .says = "likewise where one of the two is a plain thread", .setup = setup_shared,
         .thread = {task_leaves, thread_leaves});

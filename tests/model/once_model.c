/*
 * sync/once.c and sync/barrier.c.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_once O;
static int calls, failures, made, running, result[3];

static void setup_failing(int n)
{
    wt_setup(3);
    bg_once_init(&O);
    calls = made = running = 0;
    failures = n;
    result[0] = result[1] = result[2] = 1;
}

static void good(void)
{
    setup_failing(0);
}

static void bad_once(void)
{
    setup_failing(1);
}

static int make(void *arg)
{
    (void)arg;
    mc_assert(running == 0);
    running = 1;
    calls++;
    made = calls > failures;
    running = 0;
    return made ? 0 : -EIO;
}

static void runs_it(int i)
{
    int r = bg_once_run(&O, make, NULL);
    result[i] = r;
    mc_assert(r == 0 || r == -EIO || r == -ECANCELED);
    if (r == 0) {
        mc_assert(made == 1);
    }
}

static void runs(void)
{
    int i = mc_self();
    (void)wt_begin();
    runs_it(i);
}

static void thread_runs(void)
{
    int i = mc_self();
    wt_begin_thread();
    runs_it(i);
}

static void cancels_first(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void at_rest(void)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)&O;
    mc_assert(bgi_load(&q->word) == (made ? 2 : 0) * BGI_WAITQ_VALUE && q->first == NULL);
    mc_assert(running == 0);
}

static void done_once(void)
{
    at_rest();
    mc_assert(calls == 1 && made == 1 && result[0] == 0 && result[1] == 0);
}

static void done_by_the_second(void)
{
    at_rest();
    mc_assert(calls == 2 && made == 1);
    mc_assert((result[0] == -EIO) + (result[1] == -EIO) == 1);
}

MC_MODEL(once_two, .name = "once/two", .says = "two come: one runs, the other sees what it did",
         .setup = good, .thread = {runs, runs}, .check = done_once);

MC_MODEL(once_thread, .name = "once/two_threads", .says = "likewise two plain threads",
         .setup = good, .thread = {thread_runs, thread_runs}, .check = done_once);

MC_MODEL(once_fails, .name = "once/fails_once",
         .says = "who fails hands the turn on, or leaves it to the next to come", .setup = bad_once,
         .thread = {runs, runs}, .check = done_by_the_second);

static void done_by_the_third(void)
{
    at_rest();
    mc_assert(calls >= 2 && made == 1);
}

MC_MODEL(once_three, .name = "once/fails_once_of_three", .says = "likewise with three", .bound = 2,
         .quick = 1, .setup = bad_once, .thread = {runs, runs, thread_runs},
         .check = done_by_the_third);

static void turn_not_lost(void)
{
    at_rest();
    mc_assert(calls == (result[0] != -ECANCELED) + 1 || calls == 1);
    mc_assert(made == (calls >= 2));
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
}

MC_MODEL(once_cancel, .name = "once/turn_against_cancel",
         .says = "a turn that meets a cancel is taken, or stays", .setup = bad_once,
         .thread = {runs, thread_runs, cancels_first}, .check = turn_not_lost);

/* ---- the barrier ---- */

static bg_barrier *barrier;
static int wrote[3];

static void setup_barrier(int n)
{
    wt_setup(3);
    barrier = bgi_malloc(sizeof *barrier);
    mc_assert(bg_barrier_init(barrier, n) == 0);
    wrote[0] = wrote[1] = wrote[2] = 0;
    result[0] = result[1] = result[2] = -1;
}

static void for_two(void)
{
    setup_barrier(2);
}

static void for_three(void)
{
    setup_barrier(3);
}

static void passes(int i)
{
    wrote[i] = 1;
    result[i] = bg_barrier_wait(barrier);
}

static void task_passes(void)
{
    int i = mc_self();
    (void)wt_begin();
    passes(i);
    mc_assert(result[i] == 0 || result[i] == 1);
    mc_assert(wrote[0] == 1 && wrote[1] == 1);
}

/* The first that comes out, whoever that is, frees it. */
static bgi_atomic out;

static void setup_freed(void)
{
    for_three();
    bgi_store(&out, 0);
}

static void setup_freed_two(void)
{
    for_two();
    bgi_store(&out, 0);
}

static void comes_out(void)
{
    if (bgi_fetch_add_relaxed(&out, 1) == 0) {
        bgi_free(barrier);
    }
}

static void passes_and_frees(void)
{
    int i = mc_self();
    (void)wt_begin();
    passes(i);
    if (result[i] >= 0) {
        mc_assert(wrote[0] == 1 && wrote[1] == 1);
        comes_out();
    }
}

static void thread_passes_and_frees(void)
{
    int i = mc_self();
    wt_begin_thread();
    passes(i);
    mc_assert(wrote[0] == 1 && wrote[1] == 1);
    comes_out();
}

static void one_was_last(void)
{
    mc_assert(result[0] + result[1] == 1);
}

MC_MODEL(barrier_two, .name = "barrier/two",
         .says = "two pass, one as the last, and see what both did before", .setup = for_two,
         .thread = {task_passes, task_passes}, .check = one_was_last);

MC_MODEL(barrier_freed, .name = "barrier/freed_by_the_first_out",
         .says = "whoever comes out first may free it", .setup = setup_freed_two,
         .thread = {passes_and_frees, thread_passes_and_frees}, .check = one_was_last);

/* Task 0 is cancelled. If it leaves, another comes in its place. */
static void passes_or_leaves(void)
{
    int i = mc_self();
    (void)wt_begin();
    passes(i);
    if (result[i] >= 0) {
        comes_out();
    } else {
        mc_assert(result[i] == -ECANCELED);
        wt_begin_thread();
        mc_assert(bg_barrier_wait(barrier) >= 0);
        comes_out();
    }
}

MC_MODEL(barrier_cancel, .name = "barrier/last_against_cancel",
         .says = "who is cancelled as the last comes has passed, and does not look back; or it "
                 "leaves, with its count",
         .setup = setup_freed_two,
         .thread = {passes_or_leaves, thread_passes_and_frees, cancels_first});

MC_MODEL(barrier_three, .name = "barrier/three_against_cancel",
         .says = "likewise where another is woken beside the cancelled one, and frees it",
         .bound = 2, .quick = 1, .setup = setup_freed,
         .thread = {passes_or_leaves, passes_and_frees, thread_passes_and_frees, cancels_first});

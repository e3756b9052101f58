/*
 * io/pool.c and io/blocking.c: the state of a job against a cancel of who waits for it; the end of
 * the pool; a thread that leaves against a call that comes; threads that cannot be made; the first
 * two calls of all.
 *
 * Tasks suspend as waiting.h says. Threads of the pool are those that the library makes, or threads
 * of the model that do what such a one does. A pool that is ending already has its thread leave
 * when the queue is empty: nothing is then waited for that is not looked at.
 */
#include "waiting.h"

#include "io/blocking.h"

#include <brigade/blocking.h>
#include <errno.h>
#include <string.h>

static const bgi_cpu_set any_cpu;

static bgi_pool *pool;
static bgi_job *job[2];
static int given[2]; /* plain: by the task before the call */
static int calls[2]; /* plain: by the function */
static int got[2];   /* plain: by the task after the call */

static int call_0(void *arg)
{
    mc_assert(arg == &given[0] && given[0] == 1);
    calls[0]++;
    return 7;
}

static int call_1(void *arg)
{
    mc_assert(arg == &given[1] && given[1] == 1);
    calls[1]++;
    return 8;
}

/* For so many threads at most; none is there. */
static void setup(unsigned tasks, unsigned most, bg_duration keep)
{
    wt_setup(tasks);
    memset(given, 0, sizeof given);
    memset(calls, 0, sizeof calls);
    memset(got, 0, sizeof got);
    pool = bgi_pool_create(most, keep, &any_cpu);
    mc_assert(pool != NULL);
    R.blocking_threads = most;
    bgi_store_ptr(&R.blocking, pool);
}

/* The pool has one thread, which a thread of the model plays. */
static bgi_member *member;

static void one_member(unsigned tasks, bg_duration keep)
{
    setup(tasks, 1, keep);
    member = bgi_calloc(1, sizeof *member);
    mc_assert(member != NULL);
    member->pool = pool;
    pool->threads = 1;
}

static void serves(void)
{
    wt_begin_thread();
    (void)bgi_pool_main(member);
}

/* Task i has submitted its job, and is about to wait. */
static void submitted(unsigned i)
{
    job[i] = bgi_calloc(1, sizeof *job[i]);
    mc_assert(job[i] != NULL);
    job[i]->fn = i == 0 ? call_0 : call_1;
    job[i]->arg = &given[i];
    job[i]->waiter = &rt_task(i)->waiter;
    job[i]->name = "";
    given[i] = 1;
    bgi_pool_submit(pool, job[i]);
}

/* What may come of a call that may have been cancelled. */
static void check_result(unsigned i)
{
    if (got[i] == -ECANCELED) {
        mc_assert(bgi_load(&rt_task(i)->waiter.state) < BGI_WAITER_SIGNAL);
    } else {
        mc_assert(got[i] == (i == 0 ? 7 : 8) && calls[i] == 1);
    }
}

static void waits_for(unsigned i)
{
    bg_task *self = wt_begin();
    got[i] = bgi_blocking_wait(self, pool, job[i]);
    check_result(i);
}

static void waits_0(void)
{
    waits_for(0);
}

static void cancels_0(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

/* ---- one job ---- */

static void one_job(void)
{
    one_member(1, BG_S);
    submitted(0);
    pool->ending = 1;
}

static void one_settled(void)
{
    bgi_pool_counts c;
    bgi_pool_count(pool, &c);
    mc_assert(c.threads == 0 && c.queued == 0 && c.abandoned == 0);
    mc_assert(bgi_load(&pool->gone) == 1 && pool->retired == member);
    mc_assert(got[0] == 7 ? calls[0] == 1 : got[0] == -ECANCELED);
    mc_outcome(got[0] == 7 ? 0 : calls[0] == 0 ? 1 : 2); /* done, taken back, abandoned */
}

MC_MODEL(completion, .name = "blocking/completion_against_cancel",
         .says = "a job is served, taken back, or abandoned: its record is freed once, and the "
                 "waiter has no signal to come",
         .bound = 2, .setup = one_job, .thread = {waits_0, serves, cancels_0},
         .check = one_settled);

/* ---- two jobs for one thread ---- */

/* Nobody waits for the first. */
static void two_jobs(void)
{
    one_member(2, BG_S);
    submitted(1);
    submitted(0);
    pool->ending = 1;
}

static void both_settled(void)
{
    mc_assert(job[1]->state == BGI_JOB_DONE && job[1]->result == 8 && calls[1] == 1);
    mc_assert(bgi_load(&rt_task(1)->waiter.state) == BGI_WAITER_SIGNAL);
    one_settled();
}

MC_MODEL(queued, .name = "blocking/cancel_in_the_queue",
         .says = "one that waits its turn is taken out of the queue, and the other is served",
         .bound = 2, .setup = two_jobs, .thread = {waits_0, serves, cancels_0},
         .check = both_settled);

/* ---- the end of the pool ---- */

static void cancelled_job(void)
{
    one_member(1, BG_S);
    submitted(0);
    (void)bgi_waiter_cancel(&rt_task(0)->waiter); /* so it does not wait, but gives up */
}

static void gives_up_and_ends(void)
{
    waits_0();
    bgi_worker_is(NULL);
    bgi_pool_end(pool);
    mc_assert(got[0] == 7 || (got[0] == -ECANCELED && calls[0] <= 1)); /* what it did is seen */
}

MC_MODEL(end, .name = "blocking/end_against_abandoned",
         .says = "the pool ends when what was abandoned has, and its last thread is joined",
         .bound = 2, .quick = 1, .setup = cancelled_job, .thread = {gives_up_and_ends, serves});

/* ---- a thread that leaves ---- */

static void about_to_leave(void)
{
    one_member(1, BG_US);
}

static void calls_0(void)
{
    (void)wt_begin();
    given[0] = 1;
    got[0] = bg_blocking(call_0, &given[0]);
    mc_assert(got[0] == 7 && calls[0] == 1);
}

MC_MODEL(leaving, .name = "blocking/leaving_against_a_call",
         .says = "a call is not left to a thread that leaves: it serves, or another is made, which "
                 "joins it when it leaves itself",
         .bound = 2, .setup = about_to_leave, .thread = {calls_0, serves});

/* ---- threads that cannot be made ---- */

static void none_to_be_had(void)
{
    setup(2, 1, BG_S);
    mc_refuse_threads(1);
}

/* Counts on the thread that is being made for the other, or makes one itself. */
static void tries(void)
{
    unsigned i = (unsigned)mc_self();
    (void)wt_begin();
    given[i] = 1;
    got[i] = bg_blocking(i == 0 ? call_0 : call_1, &given[i]);
    mc_assert(got[i] == -EAGAIN ? calls[i] == 0 : got[i] == (i == 0 ? 7 : 8) && calls[i] == 1);
}

static void one_was_refused(void)
{
    mc_assert(got[0] == -EAGAIN || got[1] == -EAGAIN);
    mc_outcome(got[0] == got[1] ? 0 : 1);
}

MC_MODEL(refused, .name = "blocking/a_thread_is_refused",
         .says = "who counted on a thread that cannot be made is told as well", .bound = 2,
         .quick = 1, .setup = none_to_be_had, .thread = {tries, tries}, .check = one_was_refused);

/* The first is cancelled: its job may be in the queue, or taken by who completes it. */
static void tries_or_ends(void)
{
    unsigned i = (unsigned)mc_self();
    (void)wt_begin();
    given[i] = 1;
    got[i] = bg_blocking(i == 0 ? call_0 : call_1, &given[i]);
    mc_assert(calls[i] == 0 && (got[i] == -EAGAIN || (i == 0 && got[i] == -ECANCELED)));
}

static void all_gone(void)
{
    bgi_pool_counts c;
    bgi_pool_count(pool, &c);
    mc_assert(c.threads == 0 && c.queued == 0 && c.abandoned == 0);
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
    mc_outcome(got[0] == -EAGAIN ? 0 : 1);
}

static void no_thread_ever(void)
{
    setup(2, 1, BG_S);
    mc_refuse_threads(2);
}

MC_MODEL(refused_cancelled, .name = "blocking/a_thread_is_refused_and_a_call_given_up",
         .says = "what is completed with a failure may be given up at that moment", .bound = 2,
         .quick = 1, .setup = no_thread_ever, .thread = {tries_or_ends, tries_or_ends, cancels_0},
         .check = all_gone);

/* ---- the pool itself ---- */

static void no_pool(void)
{
    wt_setup(2);
    bgi_store(&R.blocking, 0);
    R.blocking_threads = 3;
}

static bgi_pool *made[2];

static void makes(void)
{
    int i = mc_self();
    (void)wt_begin();
    bgi_pool *p = bgi_blocking_pool(&R);
    mc_assert(p != NULL && p->most == 3 && p->threads == 0);
    made[i] = p;
}

static void looks(void)
{
    bgi_pool_counts c;
    wt_begin_thread();
    bgi_blocking_count(&R, &c);
    mc_assert(c.threads == 0 && c.queued == 0);
    bgi_blocking_linger(&R);
}

static void one_pool(void)
{
    mc_assert(made[0] == made[1] && bgi_load_ptr(&R.blocking) == made[0]);
}

MC_MODEL(first, .name = "blocking/first_calls",
         .says = "two first calls make one pool, which both, and whoever looks, see made",
         .setup = no_pool, .thread = {makes, makes, looks}, .check = one_pool);

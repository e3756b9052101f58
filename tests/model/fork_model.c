/*
 * parallel/fork.c: a fork that has a task is run once, by the task or by who joins it, cancelled or
 * not; the monitor takes one while its owner joins it, and makes more; who sleeps is told of.
 *
 * Thread 0 is the task that forks, on worker 0. The task of a fork is a record from the worker's
 * free list; whoever plays a worker that runs it calls what the loop would call.
 */
#include "waiting.h"

#include "parallel/fork.h"

#include <brigade/fork.h>
#include <errno.h>

/* Of the deque of worker 0. */
static _Alignas(
    struct bgi_deque_ring) char ring[sizeof(struct bgi_deque_ring) + 4 * sizeof(bgi_atomic)];

static bg_fork_frame frame[2];
static int given[2]; /* plain: by who forks, before it does */
static int ran[2];   /* plain: by the function */

static int fork_0(void *arg)
{
    mc_assert(arg == &given[0] && given[0] == 1);
    ran[0]++;
    return 5;
}

static int fork_1(void *arg)
{
    mc_assert(arg == &given[1] && given[1] == 1);
    ran[1]++;
    return 6;
}

static void make(unsigned i)
{
    given[i] = 1;
    bg_fork(&frame[i], i == 0 ? fork_0 : fork_1, &given[i]);
}

static void join(unsigned i)
{
    mc_assert(bg_join(&frame[i]) == (i == 0 ? 5 : 6));
    mc_assert(ran[i] == 1);
}

static void setup(void)
{
    wt_setup(1);
    rt_free_records(1);
    ((struct bgi_deque_ring *)(void *)ring)->mask = 3;
    bgi_store_ptr(&W[0].forks.ring, ring);
    S.config.share = bgi_forks_share;
    S.config.take_fork = bgi_forks_take;
    bgi_store(&bgi_fence_asymmetric, 1);
    memset(given, 0, sizeof given);
    memset(ran, 0, sizeof ran);
}

/* On the worker: the item is the task of a fork. */
static void run_task(unsigned worker, bgi_item *item)
{
    bgi_worker *w = &W[worker];
    bgi_fiber *f = bgi_fiber_of(item);
    bg_task *t = bgi_task_of(f);
    bgi_worker_is(w);
    w->current = f;
    f->result = bgi_waiter_cancelled(&t->waiter) ? -ECANCELED : t->fn(t->arg);
    mc_assert(bgi_task_end(w, t) == NULL);
}

/* ---- who runs it ---- */

static void one_shared(void)
{
    setup();
    bgi_worker_is(&W[0]);
    W[0].current = &rt_task(0)->fiber;
    make(0);
    bgi_forks_share(&W[0]);
    mc_assert(!bgi_has_own_forks(&W[0]) && frame[0].detail.task != NULL);
}

static void joins_0(void)
{
    (void)wt_begin();
    join(0);
}

static void steals(void)
{
    void *item;
    if (bgi_deque_steal(&W[0].forks, &item) == 1) { /* else who joins it has taken it back */
        run_task(1, item);
    }
}

static void cancels_the_owner(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void records_are_back(void)
{
    mc_assert(ran[0] == 1 && rt_free_count() == 2);
}

MC_MODEL(join_begin, .name = "fork/join_against_begin",
         .says = "a fork that is joined as its task begins runs once, and its record is freed once",
         .setup = one_shared, .thread = {joins_0, steals}, .check = records_are_back);

MC_MODEL(join_cancel, .name = "fork/join_against_begin_and_cancel",
         .says = "also when who joins it is cancelled, and passes that on", .bound = 2,
         .setup = one_shared, .thread = {joins_0, steals, cancels_the_owner},
         .check = records_are_back);

/* The task of the fork is told to end before it begins, as at the end of a runtime. */
static bg_task *of_fork;

static void one_shared_known(void)
{
    one_shared();
    of_fork = (bg_task *)frame[0].detail.task;
}

static void cancels_the_fork(void)
{
    wt_begin_thread();
    (void)bgi_waiter_cancel(&of_fork->waiter);
}

MC_MODEL(cancelled, .name = "fork/cancelled_before_it_begins",
         .says = "who joins a fork whose task never began runs it", .bound = 2,
         .setup = one_shared_known, .thread = {joins_0, steals, cancels_the_fork},
         .check = records_are_back);

/* ---- the monitor takes one ---- */

static void none_yet(void)
{
    setup();
}

static void forks_two_and_joins(void)
{
    (void)wt_begin();
    make(0);
    make(1);
    join(1);
    join(0);
    mc_assert(!bgi_has_own_forks(&W[0]));
}

static void forks_again(void)
{
    (void)wt_begin();
    make(0);
    join(0);
    make(1);
    join(1);
    mc_assert(!bgi_has_own_forks(&W[0]) && W[0].taken == NULL);
}

static void takes_and_runs(void)
{
    wt_begin_thread();
    bgi_forks_take(&W[0]);
    bgi_item *taken = bgi_take_offered(&W[0]);
    if (taken != NULL) {
        run_task(1, taken);
    }
    mc_outcome(taken != NULL);
}

static void both_ran(void)
{
    mc_assert(ran[0] == 1 && ran[1] == 1);
    mc_assert(rt_free_count() == rt_chunk()->used - 1); /* all but the owner's */
}

MC_MODEL(take, .name = "fork/taken_while_joined",
         .says = "one of two is taken by the monitor while their owner makes and joins them",
         .setup = none_yet, .thread = {forks_two_and_joins, takes_and_runs}, .check = both_ran);

/* The monitor takes it, and somebody else finds what it offers. */
static void takes(void)
{
    wt_begin_thread();
    bgi_forks_take(&W[0]);
}

static void finds(void)
{
    bgi_worker_is(&W[1]);
    bgi_item *found = bgi_take_offered(&W[0]);
    if (found != NULL) {
        run_task(1, found);
    }
}

static void forks_and_joins(void)
{
    (void)wt_begin();
    make(0);
    join(0);
}

static void first_ran(void)
{
    bgi_item *left = bgi_take_offered(&W[0]);
    if (left != NULL) { /* it has nothing to do, and ends */
        run_task(1, left);
    }
    mc_assert(ran[0] == 1 && rt_free_count() == rt_chunk()->used - 1);
}

MC_MODEL(take_for_another, .name = "fork/taken_and_found",
         .says = "who finds what the monitor has taken runs it, or who joins it does", .bound = 2,
         .setup = none_yet, .thread = {forks_and_joins, takes, finds}, .check = first_ran);

MC_MODEL(take_next, .name = "fork/taken_while_the_next_is_made",
         .says = "what was taken leaves the list before the next one is made", .setup = none_yet,
         .thread = {forks_again, takes_and_runs}, .check = both_ran);

/* The owner has looked for the oldest: the link from the second to the first is marked. */
static void two_behind_a_mark(void)
{
    bgi_atomic *attention = (bgi_atomic *)&W[0].own.attention;
    setup();
    bgi_worker_is(&W[0]);
    W[0].current = &rt_task(0)->fiber;
    make(0);
    bgi_store(attention, BGI_FORKS_WANTED);
    make(1);
    mc_assert(bgi_load(attention) == 0);
    mc_assert((uintptr_t)frame[1].detail.prev == ((uintptr_t)&frame[0].detail | 1));
}

static void joins_two(void)
{
    bgi_worker_is(&W[0]); /* and goes on: what runs there is written before the forks */
    join(1);
    join(0);
    mc_assert(!bgi_has_own_forks(&W[0]));
}

MC_MODEL(take_marked, .name = "fork/taken_behind_a_mark",
         .says = "the monitor takes one of two as their owner joins them, past a marked link",
         .setup = two_behind_a_mark, .thread = {joins_two, takes_and_runs}, .check = both_ran);

static void without_membarrier(void)
{
    setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    bgi_store((bgi_atomic *)&W[0].own.attention, BGI_FORKS_TAKEN);
}

MC_MODEL(take_locked, .name = "fork/taken_without_membarrier", .says = "likewise",
         .setup = without_membarrier, .thread = {forks_two_and_joins, takes_and_runs},
         .check = both_ran);

/* Somebody waits, but no fork is old enough to be theirs. */
static void impatient(void)
{
    setup();
    W[0].patience = BG_TIME_MAX;
    bgi_store((bgi_atomic *)&W[0].own.attention, BGI_FORKS_WANTED);
}

MC_MODEL(take_early, .name = "fork/taken_when_it_is_too_early_to_share",
         .says = "the monitor takes a fork that was made while another worker waits",
         .setup = impatient, .thread = {forks_two_and_joins, takes_and_runs}, .check = both_ran);

/* ---- who has nothing to do ---- */

static void asks(void)
{
    bgi_worker *w = &W[1];
    bgi_worker_is(w);
    bgi_ec_prepare(&S.idle, &w->node);
    bgi_ask_for_forks(w);
}

static void wanted(void)
{
    setup();
    bgi_store((bgi_atomic *)&W[0].own.attention, BGI_FORKS_WANTED);
}

/* It looks who is idle, and finds nobody, or the one who asks. */
static void forks_one(void)
{
    (void)wt_begin();
    make(0);
}

static void not_forgotten(void)
{
    int shared = !bgi_has_own_forks(&W[0]);
    mc_assert(shared || bgi_load((bgi_atomic *)&W[0].own.attention) == BGI_FORKS_WANTED);
    mc_outcome(shared);
}

MC_MODEL(asked, .name = "fork/asked_while_it_looks",
         .says = "who sleeps is found by the owner's look, or has raised the flag after it",
         .setup = wanted, .thread = {forks_one, asks}, .check = not_forgotten);

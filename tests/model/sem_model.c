/*
 * sync/sem.c: permits are neither lost nor doubled; what was done before a release is seen after
 * the acquire it serves; a release against a cancel; the end of the semaphore after its last
 * permit.
 */
#include "waiting.h"

#include "base/alloc.h"

#include <brigade/sync.h>
#include <errno.h>

static bg_sem S1;
static bg_sem *shared;
static int wrote[2]; /* by each releaser, before */
static int result[3], taken;

static void setup_permits(int n)
{
    wt_setup(3);
    mc_assert(bg_sem_init(&S1, n) == 0);
    wrote[0] = wrote[1] = 0;
    result[0] = result[1] = result[2] = 1;
    taken = 0;
}

static void none(void)
{
    setup_permits(0);
}

static void one(void)
{
    setup_permits(1);
}

static void nobody_waits(int permits)
{
    const bgi_waitq *q = (const bgi_waitq *)(void *)&S1;
    mc_assert(bgi_load(&q->word) == (bgi_word)permits * BGI_WAITQ_VALUE && q->first == NULL);
}

/* ---- one permit as a lock ---- */

static void takes_turn(void)
{
    mc_assert(bg_sem_acquire(&S1) == 0);
    mc_assert(taken == 0);
    taken = 1;
    wrote[0]++;
    taken = 0;
    mc_assert(bg_sem_release(&S1) == 0);
}

static void task_turns(void)
{
    (void)wt_begin();
    takes_turn();
    takes_turn();
}

static void task_turn(void)
{
    (void)wt_begin();
    takes_turn();
}

static void thread_turn(void)
{
    wt_begin_thread();
    takes_turn();
}

static void try_turn(void)
{
    (void)wt_begin();
    int r = bg_sem_try_acquire(&S1);
    mc_assert(r == 0 || r == -EAGAIN);
    if (r == 0) {
        mc_assert(taken == 0);
        taken = 1;
        wrote[0]++;
        taken = 0;
        mc_assert(bg_sem_release(&S1) == 0);
    }
}

static void four_turns(void)
{
    nobody_waits(1);
    mc_assert(wrote[0] == 4);
}

static void some_turns(void)
{
    nobody_waits(1);
    mc_assert(wrote[0] >= 1 && wrote[0] <= 3);
}

MC_MODEL(as_lock, .name = "sem/one_permit", .says = "one at a time, in turns, twice each",
         .setup = one, .thread = {task_turns, task_turns}, .check = four_turns);

MC_MODEL(of_three, .name = "sem/one_permit_for_three",
         .says = "a task, a plain thread and one that tries take turns", .bound = 2, .setup = one,
         .thread = {task_turn, try_turn, thread_turn}, .check = some_turns);

/* ---- two that try ---- */

MC_MODEL(tries, .name = "sem/two_tries", .says = "a permit that is there goes to one that tries",
         .setup = one, .thread = {try_turn, try_turn}, .check = some_turns);

/* ---- releases ---- */

static void releases(int n)
{
    wt_begin_thread();
    wrote[n] = 1;
    mc_assert(bg_sem_release(&S1) == 0);
}

static void releases_0(void)
{
    releases(0);
}

static void releases_1(void)
{
    releases(1);
}

static void acquires_both(void)
{
    (void)wt_begin();
    mc_assert(bg_sem_acquire(&S1) == 0);
    mc_assert(bg_sem_acquire(&S1) == 0);
    mc_assert(wrote[0] == 1 && wrote[1] == 1);
}

static void no_permit_left(void)
{
    nobody_waits(0);
}

MC_MODEL(sees, .name = "sem/sees_what_came_before",
         .says = "who has both permits sees what both releasers did before", .setup = none,
         .thread = {acquires_both, releases_0, releases_1}, .check = no_permit_left);

/* ---- a release against a cancel ---- */

static void acquires(void)
{
    int i = mc_self();
    (void)wt_begin();
    result[i] = bg_sem_acquire(&S1);
    mc_assert(result[i] == 0 || result[i] == -ECANCELED);
}

static void acquires_and_looks(void)
{
    acquires();
    if (result[mc_self()] == 0) {
        mc_assert(wrote[0] == 1);
    }
}

static void cancels_first(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void permit_is_somewhere(void)
{
    nobody_waits(result[0] == 0 ? 0 : 1);
    mc_assert(bgi_load(&rt_task(0)->waiter.state) < BGI_WAITER_SIGNAL);
}

MC_MODEL(against_cancel, .name = "sem/release_against_cancel",
         .says = "a permit that meets a cancel is taken or stays, and is not lost", .setup = none,
         .thread = {acquires_and_looks, releases_0, cancels_first}, .check = permit_is_somewhere);

/* One permit, two who want it, the first of them cancelled: one has it, or the second waits no more
 * than is right: it gets it unless the first has it. A second release ends its wait then. */
static void acquires_surely(void)
{
    (void)wt_begin();
    mc_assert(bg_sem_acquire(&S1) == 0);
}

static void permits_add_up(void)
{
    nobody_waits(result[0] == 0 ? 0 : 1);
}

MC_MODEL(one_behind, .name = "sem/one_behind_the_cancelled",
         .says = "what the cancelled one does not take goes to the one behind it", .bound = 2,
         .quick = 1, .setup = none,
         .thread = {acquires, acquires_surely, releases_0, releases_1, cancels_first},
         .check = permits_add_up);

/* ---- gone with the last permit ---- */

static void setup_shared(void)
{
    none();
    shared = bgi_malloc(sizeof *shared);
    mc_assert(bg_sem_init(shared, 0) == 0);
}

static void releases_shared(void)
{
    wt_begin_thread();
    mc_assert(bg_sem_release(shared) == 0);
}

static void acquires_and_frees(void)
{
    (void)wt_begin();
    mc_assert(bg_sem_acquire(shared) == 0);
    bgi_free(shared);
}

static void thread_acquires_and_frees(void)
{
    wt_begin_thread();
    mc_assert(bg_sem_acquire(shared) == 0);
    bgi_free(shared);
}

MC_MODEL(freed, .name = "sem/freed_by_who_has_the_permit",
         .says = "who has the permit frees the semaphore, though release has not returned",
         .setup = setup_shared, .thread = {acquires_and_frees, releases_shared});

MC_MODEL(freed_by_thread, .name = "sem/freed_by_a_thread", .says = "likewise a plain thread",
         .setup = setup_shared, .thread = {thread_acquires_and_frees, releases_shared});

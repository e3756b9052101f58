/*
 * Forks at moments that threads rarely meet: what the monitor does is done here, in the middle of
 * what the owner does; memory is refused in between.
 *
 * Labels: valgrind aarch64
 */
#include "parallel/fork.h"

#include "../task/check.h"

#include "arch/bias.h"
#include "faults.h"

static bgi_atomic ran;

static int runs(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

static bgi_atomic *attention(void)
{
    return (bgi_atomic *)&bgi_worker_self()->own.attention;
}

/* ---- the deque is full ---- */

enum { MANY_FORKS = 100 };

static int more_than_the_deque_holds(void *arg)
{
    bg_fork_frame f[MANY_FORKS];
    (void)arg;
    for (int i = 0; i < MANY_FORKS; i++) {
        bg_fork(&f[i], runs, INT_ARG(i));
    }
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_FOREVER, 1);
    bgi_forks_share(bgi_worker_self());
    CHECK(bgi_fault_count() != 0);
    bgi_fault_disarm();
    CHECK(!bgi_has_own_forks(bgi_worker_self()));
    CHECK(bg_sleep(0) == 0);
    for (int i = MANY_FORKS; i-- > 0;) {
        CHECK(bg_join(&f[i]) == i);
    }
    return 0;
}

Test(fork_moments, the_deque_does_not_grow)
{
    RUN(more_than_the_deque_holds, NULL, .workers = 1);
    cr_assert_eq(bgi_load(&ran), MANY_FORKS);
}

/* ---- shared in vain ---- */

static int joined_before_anybody_came(void *arg)
{
    bg_fork_frame f[3];
    bgi_worker *w = bgi_worker_self();
    bgi_word ticks = bgi_load(&w->tick);
    (void)arg;
    for (int i = 0; i < 3; i++) {
        bg_fork(&f[i], runs, INT_ARG(i));
    }
    size_t alive = bgi_tasks_live(w->sched->config.owner);
    bgi_forks_share(w);
    CHECK(bgi_deque_size(&w->forks) == 3);
    CHECK(bgi_tasks_live(w->sched->config.owner) == alive + 3);
    for (int i = 3; i-- > 0;) {
        CHECK(bg_join(&f[i]) == i);
        CHECK(bgi_deque_size(&w->forks) == (size_t)i);
        CHECK(bgi_tasks_live(w->sched->config.owner) == alive + (size_t)i);
    }
    bg_fork(&f[0], runs, INT_ARG(0));
    bgi_forks_take(w);
    CHECK(bgi_load(&w->offered) != 0);
    CHECK(bg_join(&f[0]) == 0);
    CHECK(bgi_load(&w->offered) == 0);
    CHECK(bgi_tasks_live(w->sched->config.owner) == alive);
    CHECK(bgi_load(&w->tick) == ticks); /* nothing else has run meanwhile */
    return 0;
}

Test(fork_moments, tasks_that_nobody_began_end_as_they_are_joined)
{
    RUN(joined_before_anybody_came, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* ---- taken at one worker, joined at another ---- */

static struct {
    bgi_atomic busy, go_on, end;
    bg_event moved;
    int in_time;
} far;

/* On the other worker: keeps it from stealing, then wakes the one who forks there. */
static int calls_over(void *unused)
{
    (void)unused;
    bgi_store_release(&far.busy, 1);
    while (!bgi_load_acquire(&far.go_on)) {
        bgi_pause();
    }
    (void)bg_event_set(&far.moved);
    return 0;
}

/* On the first worker, as soon as the one who forks waits. */
static int stays(void *unused)
{
    (void)unused;
    bgi_store_release(&far.go_on, 1);
    while (!bgi_load_acquire(&far.end)) {
        bgi_pause();
    }
    return 0;
}

static int joined_elsewhere(void *unused)
{
    bg_fork_frame f;
    bgi_worker *first = bgi_worker_self();
    (void)unused;
    bg_event_init(&far.moved);
    bgi_store(&far.busy, 0);
    bgi_store(&far.go_on, 0);
    bgi_store(&far.end, 0);
    bg_task *other = bg_spawn(calls_over, NULL);
    while (!bgi_load_acquire(&far.busy)) {
        bgi_pause(); /* it is stolen */
    }
    bg_task *here = bg_spawn(stays, NULL);
    bg_fork(&f, runs, INT_ARG(7));
    bgi_forks_take(first);
    CHECK(bg_event_wait(&far.moved) == 0);
    /* Else the first worker came to its loop before it took the next task, and to the fork. */
    int lies_there = bgi_worker_self() != first && bgi_load(&first->offered) != 0;
    CHECK(bg_join(&f) == 7);
    CHECK(!lies_there || bgi_load(&first->offered) != 0); /* it is left to who comes by */
    far.in_time += lies_there;
    bgi_store_release(&far.end, 1);
    CHECK(bg_gather(other, here) == 0);
    return 0;
}

static int until_joined_elsewhere(void *unused)
{
    (void)unused;
    far.in_time = 0;
    for (int i = 0; i < 1000 && far.in_time == 0; i++) {
        CHECK(bg_await(bg_spawn(joined_elsewhere, NULL)) == 0);
    }
    CHECK(far.in_time == 1);
    return 0;
}

/* The end of a runtime waits for all tasks: that of the fork is not forgotten. */
Test(fork_moments, taken_at_one_worker_and_joined_at_another)
{
    RUN(until_joined_elsewhere, NULL, .workers = 2, .spares = BG_NO_SPARES);
}

/* ---- the monitor takes one ---- */

static int taken_and_joined(void *arg)
{
    bg_fork_frame f = {0}, g = {0};
    bgi_worker *w = bgi_worker_self();
    (void)arg;
    bgi_forks_take(w); /* there is none */
    CHECK(w->taken == NULL);
    bg_fork(&f, runs, INT_ARG(1));
    bg_fork(&g, runs, INT_ARG(2));
    bgi_forks_take(w);
    CHECK(w->taken == &f.detail && f.detail.task != NULL && g.detail.task == NULL);
    bgi_forks_take(w); /* one at a time */
    CHECK(w->taken == &f.detail && g.detail.task == NULL);
    CHECK(bg_join(&g) == 2);
    CHECK(bg_join(&f) == 1);
    CHECK(w->taken == NULL && !bgi_has_own_forks(w));

    bg_fork(&f, runs, INT_ARG(3));
    bgi_forks_take(w);
    CHECK(w->taken == &f.detail);
    bg_fork(&g, runs, INT_ARG(4)); /* it looks: what was taken leaves the list */
    CHECK(w->taken == NULL && w->own.oldest.next == &g.detail);
    CHECK(bg_join(&g) == 4);
    CHECK(bg_join(&f) == 3);
    return 0;
}

Test(fork_moments, the_monitor_takes_the_oldest)
{
    RUN(taken_and_joined, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(bgi_load(&ran), 4);
}

/* Without the call that has all threads pass a fence each fork and join takes the lock. */
Test(fork_moments, the_monitor_takes_it_without_membarrier)
{
    bgi_fault_arm(BGI_FAULT_MEMBARRIER | BGI_FAULT_FOREVER, 1);
    int r = bg_run(taken_and_joined, NULL, .workers = 1, .spares = BG_NO_SPARES);
    bgi_fault_disarm();
    NO_CHECK_FAILED();
    cr_assert_eq(r, 0);
}

static int no_task_for_the_monitor(void *arg)
{
    bg_fork_frame f = {0};
    bgi_worker *w = bgi_worker_self();
    (void)arg;
    bg_fork(&f, runs, INT_ARG(5));
    bgi_forks_take(w);
    CHECK(w->taken == NULL && f.detail.task == NULL);
    CHECK(bgi_has_own_forks(w));
    CHECK(bg_join(&f) == 5);
    return 0;
}

Test(fork_moments, there_is_no_task_to_take_it)
{
    RUN(no_task_for_the_monitor, NULL, .workers = 1, .max_tasks = 1);
}

static int not_from_a_callback(void *arg)
{
    bg_fork_frame f = {0};
    bgi_worker *w = bgi_worker_self();
    bg_fork(&f, runs, INT_ARG(6));
    bgi_forks_take(w);
    CHECK(w->taken == NULL && f.detail.task == NULL);
    CHECK(bgi_load(attention()) == BGI_FORKS_TAKEN);
    CHECK(bg_join(&f) == 6); /* it comes to look */
    CHECK(w->taken == NULL && !bgi_has_own_forks(w));
    add_one(arg);
    return 0;
}

static int has_a_callback(void *arg)
{
    bgi_atomic called = 0;
    (void)arg;
    CHECK(bg_after(0, not_from_a_callback, (void *)&called) == 0);
    yield_until(&called, 1);
    return 0;
}

Test(fork_moments, a_callback_keeps_its_forks)
{
    RUN(has_a_callback, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* ---- who has nothing to do ---- */

/* Without membarrier the flag stays up (parallel/fork.c), and so it does under TSan. */
static int stays_up(void)
{
    return bgi_load(&bgi_fence_asymmetric) == 0;
}

/* Somebody searches; patience is at an end, or there never was any. */
static int shares(void *arg)
{
    bgi_worker *w = bgi_worker_self();
    bg_fork_frame f[3] = {0};
    w->patience = arg == NULL ? 0 : BG_TIME_MAX;
    (void)bgi_fetch_add(&w->sched->searching, 1);
    for (int i = 0; i < 3; i++) {
        bgi_store(attention(), BGI_FORKS_WANTED);
        bg_fork(&f[i], runs, INT_ARG(i));
    }
    (void)bgi_fetch_sub(&w->sched->searching, 1);
    CHECK((f[0].detail.task != NULL) == (arg == NULL));
    CHECK((f[2].detail.task != NULL) == (arg == NULL));
    CHECK(bgi_load(attention()) == (arg == NULL ? 0 : BGI_FORKS_WANTED));
    for (int i = 3; i-- > 0;) {
        CHECK(bg_join(&f[i]) == i);
    }
    return 0;
}

Test(fork_moments, patience)
{
    bgi_fence_setup();
    if (stays_up()) {
        return;
    }
    RUN(shares, NULL, .workers = 1, .spares = BG_NO_SPARES);
    RUN(shares, INT_ARG(1), .workers = 1, .spares = BG_NO_SPARES);
}

/* Shared in vain, again and again: it lets forks get older; it pays: not as old; it has come to the
 * monitor: not at all. */
static int learns(void *arg)
{
    bg_duration most = bgi_worker_self()->sched->config.patience;
    bgi_worker *w = bgi_worker_self();
    bg_fork_frame f = {0};
    (void)arg;
    CHECK(w->patience == 0);
    for (bg_duration expected = BG_US; expected < 4 * most; expected *= 2) {
        bg_fork(&f, runs, INT_ARG(1));
        bgi_forks_share(w);
        CHECK(bg_join(&f) == 1);
        CHECK(w->patience == (expected < most ? expected : most));
    }
    bg_fork(&f, runs, INT_ARG(1));
    bgi_forks_share(w);
    for (bgi_word before = bgi_load(&ran); bgi_load(&ran) == before;) {
        CHECK(bg_sleep(BG_US) == 0); /* it is run meanwhile */
    }
    CHECK(bg_join(&f) == 1);
    CHECK(w->patience == most / 2);
    bg_fork(&f, runs, INT_ARG(1));
    bgi_forks_take(w);
    CHECK(bg_join(&f) == 1);
    CHECK(w->patience == 0 || w->patience == BG_US); /* and nobody had begun that one */
    return 0;
}

Test(fork_moments, patience_is_learnt)
{
    RUN(learns, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* Somebody searches, but there is no task to give. */
static int shares_nothing(void *arg)
{
    bgi_worker *w = bgi_worker_self();
    bg_fork_frame f = {0};
    (void)arg;
    w->patience = 0;
    (void)bgi_fetch_add(&w->sched->searching, 1);
    bgi_store(attention(), BGI_FORKS_WANTED);
    bg_fork(&f, runs, INT_ARG(8));
    CHECK(f.detail.task == NULL && !bgi_has_own_forks(w));
    CHECK(bg_join(&f) == 8);

    /* A look with nothing to give: it is told with the next fork. */
    bgi_store(attention(), 0);
    bg_fork(&f, runs, INT_ARG(9));
    bgi_store(attention(), BGI_FORKS_TAKEN);
    CHECK(bg_join(&f) == 9);
    CHECK(bgi_load(attention()) == BGI_FORKS_WANTED);
    (void)bgi_fetch_sub(&w->sched->searching, 1);
    return 0;
}

Test(fork_moments, there_is_no_task_to_share)
{
    bgi_fence_setup();
    if (stays_up()) {
        return;
    }
    RUN(shares_nothing, NULL, .workers = 1, .max_tasks = 1, .spares = BG_NO_SPARES);
}

/* ---- all are stolen ---- */

static int runs_here(void *arg)
{
    return bg_self() == arg;
}

static int none_on_this_stack(void *arg)
{
    bg_fork_frame f = {0}, g = {0};
    (void)arg;
    for (int i = 0; i < 20; i++) {
        bg_fork(&f, runs_here, bg_self());
        bg_fork(&g, runs_here, bg_self());
        CHECK(bg_join(&g) == 0);
        CHECK(bg_join(&f) == 0);
    }
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.tasks_spawned == 41);
    return 0;
}

Test(fork_moments, all_can_be_stolen)
{
    cr_assert_eq(setenv("BRIGADE_STEAL_FORKS", "1", 1), 0);
    RUN(none_on_this_stack, NULL, .workers = 1, .spares = BG_NO_SPARES);
    RUN(none_on_this_stack, NULL, .workers = 4);
    cr_assert_eq(setenv("BRIGADE_STEAL_FORKS", "0", 1), 0);
    RUN(taken_and_joined, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/*
 * lib/task: the end of a task against its awaiter, a detach, a cancel; the last end of all;
 * records.
 *
 * An awaiting task's half is the commit of its wait, that of wait_any written out, since a
 * suspension needs a stack; threads wait by bg_runtime_wait itself.
 */
#include "runtime.h"

#include "base/alloc.h"

#include <brigade/error.h>
#include <errno.h>
#include <string.h>

static int failures, got[2], plain;
static bg_task *made[2];
static bgi_atomic resumed;

static void on_failure(const char *name, int result, void *arg)
{
    (void)name;
    (void)arg;
    mc_assert(result == -EIO);
    failures++;
}

static void setup(unsigned tasks)
{
    rt_setup(tasks);
    bg_set_failure_hook(on_failure, NULL);
    failures = got[0] = got[1] = plain = 0;
    made[0] = made[1] = NULL;
    bgi_store(&resumed, 0);
}

static void one(void)
{
    setup(1);
}

static void two(void)
{
    setup(2);
}

static void three(void)
{
    setup(3);
}

static void end_0(void)
{
    plain = 1;
    mc_assert(rt_end(0, 0, 7) == NULL);
}

static void thread_waits(void)
{
    bgi_worker_is(NULL);
    mc_assert(bg_runtime_wait(&R, rt_task(0)) == 7 && plain == 1);
}

static void freed_once(void)
{
    mc_assert(bgi_load(&rt_task(0)->done) == BGI_TASK_FREE);
    mc_assert(rt_free_count() == 1);
}

MC_MODEL(wait, .name = "task/runtime_wait",
         .says = "a thread sees the result of the task it waits for, which is freed once",
         .setup = one, .thread = {end_0, thread_waits}, .check = freed_once);

static void cancels_and_waits(void)
{
    bgi_worker_is(NULL);
    mc_assert(bg_cancel(rt_task(0)) == 0);
    thread_waits();
}

MC_MODEL(cancel, .name = "task/cancel_against_end",
         .says = "who has the handle may cancel a task that is just ending, and wait for it",
         .setup = one, .thread = {end_0, cancels_and_waits}, .check = freed_once);

static void end_failing(void)
{
    mc_assert(rt_end(0, 0, -EIO) == NULL);
}

static void detaches(void)
{
    bgi_worker_is(&W[1]);
    bg_detach(rt_task(0));
}

static void freed_and_told_once(void)
{
    freed_once();
    mc_assert(failures == 1);
}

MC_MODEL(detach, .name = "task/detach_against_end",
         .says = "a failure is told once, and the record freed once, whoever is the later",
         .setup = one, .thread = {end_failing, detaches}, .check = freed_and_told_once);

static void one_named(void)
{
    setup(1);
    struct bgi_extra *extra = bgi_malloc(sizeof *extra + 2);
    mc_assert(extra != NULL);
    memcpy(extra->bytes, "A", 2);
    extra->name = (const char *)extra->bytes;
    rt_task(0)->extra = extra;
    rt_task(0)->fiber.flag = 1;
}

static void end_well(void)
{
    mc_assert(rt_end(0, 0, 0) == NULL);
}

static void names_and_detaches(void)
{
    bgi_worker_is(&W[1]);
    mc_assert(bg_task_name(rt_task(0))[0] == 'A');
    bg_detach(rt_task(0));
}

MC_MODEL(named, .name = "task/name_read_before_detach",
         .says = "a name is freed after its last use by who detaches", .setup = one_named,
         .thread = {end_well, names_and_detaches}, .check = freed_once);

/* ---- await: task 1 or 2 awaits ---- */

static void resume(bgi_item *item, unsigned awaiter)
{
    if (item != NULL) {
        mc_assert(item == &rt_task(awaiter)->fiber.item);
        (void)bgi_fetch_add(&resumed, 1);
    }
}

static void end_0_for_1(void)
{
    plain = 1;
    resume(rt_end(0, 0, 7), 1);
}

static void awaits(void)
{
    bgi_worker_is(&W[1]);
    bg_task *t = rt_task(0);
    bgi_waiter *waiter = &rt_task(1)->waiter;
    if (!bgi_wait_await.commit(&W[1], &rt_task(1)->fiber, t)) {
        mc_await_differs(&resumed, 0);
    }
    mc_assert(bgi_waiter_reason(waiter) == BGI_REASON_WAKER);
    mc_assert(t->fiber.result == 7 && plain == 1);
    bgi_task_free(t);
}

MC_MODEL(await, .name = "task/await", .says = "an awaiting task goes on once and sees the result",
         .setup = two, .thread = {end_0_for_1, awaits}, .check = freed_once);

static void awaits_one_that_has_ended(void)
{
    if (bgi_load(&rt_task(0)->done) != BGI_TASK_DONE) {
        mc_ignore(); /* a suspension needs a stack */
    }
    bgi_worker_is(&W[1]);
    W[1].current = &rt_task(1)->fiber;
    mc_assert(bg_await(rt_task(0)) == 7 && plain == 1);
}

MC_MODEL(await_ended, .name = "task/await_ended",
         .says = "the result of a task that has ended is seen without a wait", .setup = two,
         .thread = {end_0_for_1, awaits_one_that_has_ended}, .check = freed_once);

static void finds_one_that_has_ended(void)
{
    size_t index = 1;
    bg_task *tasks[] = {rt_task(0)};
    if (bgi_load(&rt_task(0)->done) != BGI_TASK_DONE) {
        mc_ignore();
    }
    bgi_worker_is(&W[1]);
    W[1].current = &rt_task(1)->fiber;
    mc_assert(bg_wait_any(tasks, 1, &index) == 0 && index == 0);
    mc_assert(plain == 1);
}

static void not_freed(void)
{
    mc_assert(bgi_load(&rt_task(0)->done) == BGI_TASK_DONE);
}

MC_MODEL(any_ended, .name = "task/wait_any_ended",
         .says = "what a task did is seen by who finds that it has ended", .setup = two,
         .thread = {end_0_for_1, finds_one_that_has_ended}, .check = not_freed);

static void end_0_for_2(void)
{
    resume(rt_end(0, 0, 7), 2);
}

static void end_1_for_2(void)
{
    resume(rt_end(1, 1, 8), 2);
}

/* Suspended in a wait for a signal; the number of times it was made ready is known here. */
static void await_signal(bgi_waiter *waiter, size_t *wakes)
{
    if ((int)bgi_waiter_arm(waiter, 1, 0)) {
        mc_await_differs(&resumed, *wakes);
        ++*wakes;
    }
}

static void awaits_any(void)
{
    bgi_worker_is(&W[2]);
    bgi_waiter *waiter = &rt_task(2)->waiter;
    size_t wakes = 0, registered = 0, owed = 0;
    int armed = 0;
    while (registered < 2 &&
           bgi_cas(&rt_task((unsigned)registered)->done, BGI_TASK_LIVE, (bgi_word)waiter)) {
        registered++;
    }
    if (registered == 2) {
        armed = 1;
        if ((int)bgi_waiter_arm(waiter, 0, 0)) {
            mc_await_differs(&resumed, 0);
            wakes++;
        }
    }
    for (unsigned i = 0; i < registered; i++) {
        owed += !bgi_cas(&rt_task(i)->done, (bgi_word)waiter, BGI_TASK_LIVE);
    }
    for (owed -= (size_t)armed; owed > 0; owed--) {
        await_signal(waiter, &wakes);
    }
    mc_assert(bgi_load(&waiter->state) < BGI_WAITER_SIGNAL);
    unsigned ended = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (bgi_load_acquire(&rt_task(i)->done) == BGI_TASK_DONE) {
            mc_assert(rt_task(i)->fiber.result == 7 + (int)i);
            ended++;
        }
    }
    mc_assert(ended != 0);
    waiter->wake = NULL; /* all signals owed have come: nobody looks at it any more */
}

static void none_left_over(void)
{
    mc_assert(bgi_load(&rt_task(0)->done) == BGI_TASK_DONE);
    mc_assert(bgi_load(&rt_task(1)->done) == BGI_TASK_DONE);
    mc_assert(bgi_load(&rt_task(2)->waiter.state) < BGI_WAITER_SIGNAL);
}

MC_MODEL(any, .name = "task/wait_any",
         .says = "a wait for two tasks that both end leaves no signal and no registration",
         .bound = 2, .setup = three, .thread = {end_0_for_2, end_1_for_2, awaits_any},
         .check = none_left_over);

/* ---- the last one ---- */

static void two_stopping(void)
{
    setup(2);
    bgi_store(&R.stopping, 1);
}

static void end_1(void)
{
    mc_assert(rt_end(1, 1, 0) == NULL);
}

static void stopped(void)
{
    mc_assert(bgi_load(&S.stopping) == 1);
    mc_assert(bgi_tasks_live(&R) == 0);
}

MC_MODEL(last, .name = "task/two_last_ends",
         .says = "of two last ends at least one stops the scheduler", .setup = two_stopping,
         .thread = {end_0, end_1}, .check = stopped);

static void begins_stop(void)
{
    bgi_worker_is(NULL);
    bgi_runtime_begin_stop(&R);
}

MC_MODEL(stop_end, .name = "task/stop_against_end",
         .says = "the last end and the begin of the stop do not miss each other", .setup = one,
         .thread = {end_0, begins_stop}, .check = stopped);

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void one_and_free_records(void)
{
    setup(1);
    rt_free_records(1);
}

static void makes_0(void)
{
    bgi_worker_is(&W[0]);
    made[0] = bgi_task_make(&R, &W[0], nothing, NULL, NULL, 0, NULL);
}

static void makes_1(void)
{
    bgi_worker_is(&W[1]);
    made[1] = bgi_task_make(&R, &W[1], nothing, NULL, NULL, 0, NULL);
}

static void new_one_cancelled(void)
{
    mc_assert(made[0] != NULL && bgi_waiter_cancelled(&made[0]->waiter));
    mc_assert(bgi_load(&S.stopping) == 0 && bgi_tasks_live(&R) == 2);
}

MC_MODEL(stop_spawn, .name = "task/stop_against_spawn",
         .says = "a task spawned while the runtime begins to stop is cancelled",
         .setup = one_and_free_records, .thread = {makes_0, begins_stop},
         .check = new_one_cancelled);

static void counts(void)
{
    mc_assert(bgi_tasks_live(&R) != 0);
}

/* The successor is made on one worker and ends on another, which is told by a queue. */
static void spawns_then_ends(void)
{
    makes_0();
    bgi_store_release(&resumed, 1);
    (void)rt_end(0, 0, 0);
}

static void ends_the_successor_of_two(void)
{
    makes_1(); /* so that something lives at all times */
    mc_await_differs(&resumed, 0);
    bgi_worker_is(&W[1]);
    (void)bgi_task_end(&W[1], made[0]);
}

MC_MODEL(live, .name = "task/live_counts",
         .says = "the count of the living is not 0 while somebody lives",
         .setup = one_and_free_records,
         .thread = {spawns_then_ends, ends_the_successor_of_two, counts}, .check = NULL);

static void limit_of_one(void)
{
    setup(0);
    rt_free_records(0);
    R.max_tasks = 1;
}

static void one_was_made(void)
{
    mc_assert((made[0] != NULL) + (made[1] != NULL) == 1);
    mc_assert(bgi_load(&R.alive) == 1);
}

MC_MODEL(limit, .name = "task/limit", .says = "two spawns at a limit of one: one succeeds",
         .setup = limit_of_one, .thread = {makes_0, makes_1}, .check = one_was_made);

/* ---- records ---- */

static void frees_from_outside(void)
{
    bgi_worker_is(NULL);
    rt_task(0)->arg = &plain;
    bgi_task_free(rt_task(0));
    rt_task(1)->arg = &plain;
    bgi_task_free(rt_task(1));
}

static void takes(unsigned i, bgi_worker *w)
{
    bgi_worker_is(w);
    made[i] = bgi_task_alloc(&R, w);
    mc_assert(made[i] != NULL);
    made[i]->arg = &made[i];
}

static void takes_on_worker(void)
{
    takes(0, &W[0]);
}

static void takes_outside(void)
{
    takes(1, NULL);
}

static void each_has_its_own(void)
{
    mc_assert(made[0] != made[1]);
    mc_assert(made[0]->arg == &made[0] && made[1]->arg == &made[1]);
}

MC_MODEL(records, .name = "task/records",
         .says = "records that go through the common list have one owner at a time", .bound = 2,
         .setup = two, .thread = {frees_from_outside, takes_on_worker, takes_outside},
         .check = each_has_its_own);

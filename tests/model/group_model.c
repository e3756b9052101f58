/*
 * task/group.c and task/completed.c: the last ends against the join, failures and cancels against
 * members that wait, places at the limit, results; ends against the loop over completed tasks.
 */
#include "waiting.h"

#include <brigade/group.h>
#include <errno.h>
#include <string.h>

static bg_group_t group;
static int worked[MC_THREADS]; /* plain: by a member before it ends */
static int result;             /* plain: the group's, by its owner */

static int never_called(void *arg)
{
    (void)arg;
    return 0;
}

/* The free records of worker 0, so that its next spawns are tasks from, from + 1, ... */
static void free_records(unsigned from, unsigned n)
{
    struct bgi_link *list = NULL;
    for (unsigned i = from + n; i-- > from;) {
        bg_task *t = rt_task(i);
        bgi_waiter_init(&t->waiter, wt_wake);
        bgi_store(&t->done, BGI_TASK_FREE);
        t->fiber.item.link.next = list;
        list = &t->fiber.item.link;
    }
    rt_cache[0].free = list;
    rt_cache[0].count = n;
    rt_chunk()->used = from + n;
}

/* As the running task 0 of worker 0. */
static void as_owner(void)
{
    bgi_worker_is(&W[0]);
    W[0].current = &rt_task(0)->fiber;
}

/* Task 0 owns the group, tasks 1..n are members; worker 0 has another record. */
static void open_group(unsigned n, const bg_group_options *options)
{
    wt_setup(1);
    free_records(1, n + 1);
    as_owner();
    mc_assert(bg_group_open_opts(&group, options) == 0);
    for (unsigned i = 1; i <= n; i++) {
        mc_assert(bg_group_spawn(&group, never_called, NULL) == 0);
        rt_task(i)->fiber.stack = &rt_stack[i];
        rt_stack[i].scope = NULL;
        rt_stack[i].index = i;
        worked[i] = 0;
    }
    result = 1;
    W[0].current = NULL;
    bgi_worker_is(NULL);
}

static void two_members(void)
{
    open_group(2, &(bg_group_options){.size = sizeof(bg_group_options)});
}

static void one_member(void)
{
    open_group(1, &(bg_group_options){.size = sizeof(bg_group_options)});
}

/* The owner leaves; all that members did is seen, and the group's memory is something else then. */
static void closes_after(unsigned n)
{
    (void)wt_begin();
    result = bg_group_close(&group);
    for (unsigned i = 1; i <= n; i++) {
        mc_assert(worked[i] == 1);
    }
    memset(&group, 0, sizeof group);
}

static void closes_after_two(void)
{
    closes_after(2);
}

static void closes_after_one(void)
{
    closes_after(1);
}

static void ends(unsigned i, int r)
{
    worked[i] = 1;
    mc_assert(rt_end(i, i, r) == NULL);
}

static void ends_1(void)
{
    ends(1, 5);
}

static void ends_2(void)
{
    ends(2, 6);
}

static void fails_1(void)
{
    ends(1, -EIO);
}

static void fails_2(void)
{
    ends(2, -EPROTO);
}

static void is_zero(void)
{
    mc_assert(result == 0);
}

static void is_a_failure(void)
{
    mc_assert(result == -EIO || result == -EPROTO);
}

static void is_the_first_failure(void)
{
    mc_assert(result == -EIO);
}

static void is_cancelled(void)
{
    mc_assert(result == -ECANCELED);
}

MC_MODEL(join, .name = "group/ends_against_join",
         .says = "the join ends when both members have, and nobody touches the group after that",
         .setup = two_members, .thread = {closes_after_two, ends_1, ends_2}, .check = is_zero,
         .bound = 2);

static bg_failure failure[2];

static void two_members_and_room(void)
{
    open_group(2, &(bg_group_options){
                      .size = sizeof(bg_group_options), .failures = failure, .max_failures = 2});
}

MC_MODEL(fail, .name = "group/two_failures_against_join",
         .says = "two failures and the join: one is the group's result",
         .setup = two_members_and_room, .thread = {closes_after_two, fails_1, fails_2},
         .check = is_a_failure, .bound = 2);

/* ---- a member that waits until it is cancelled ---- */

static int commit_wait(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    return !bgi_wait_arm(arg, self);
}

static void waits_and_ends(void)
{
    bg_task *self = wt_begin();
    mc_assert(mc_self() == 2);
    bgi_suspend(commit_wait, &self->waiter);
    mc_assert(bgi_wait_failure(&self->waiter) == -ECANCELED);
    W[2].current = NULL;
    ends(2, -ECANCELED);
}

MC_MODEL(rest, .name = "group/failure_cancels_a_member",
         .says = "a failure ends the wait of another member, wherever it is", .setup = two_members,
         .thread = {closes_after_two, fails_1, waits_and_ends}, .check = is_the_first_failure,
         .bound = 2);

/* The owner waits within its block. */
static void owner_waits_and_closes(void)
{
    bg_task *self = wt_begin();
    bgi_suspend(commit_wait, &self->waiter);
    mc_assert(bgi_waiter_reason(&self->waiter) == BGI_REASON_CANCELLER);
    mc_assert(bgi_wait_failure(&self->waiter) == -ECANCELED);
    closes_after(1);
    mc_assert(bgi_wait_check(&self->waiter) == 0); /* it ended with the block */
}

MC_MODEL(owner, .name = "group/failure_ends_the_owners_wait",
         .says = "a failure ends the owner's wait in the block, and is over with it",
         .setup = one_member, .thread = {owner_waits_and_closes, fails_1},
         .check = is_the_first_failure);

/* ---- cancelled from outside ---- */

static void cancels_owner(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void zero_or_cancelled(void)
{
    mc_assert(result == 0 || result == -ECANCELED);
}

MC_MODEL(outside, .name = "group/owner_cancelled_against_the_last_end",
         .says = "a cancel of the owner meets the last end: the join ends once",
         .setup = one_member, .thread = {closes_after_one, ends_1, cancels_owner},
         .check = zero_or_cancelled, .bound = 2);

static void cancels_group_and_ends_1(void)
{
    bgi_worker_is(&W[1]);
    mc_assert(bg_group_cancel(&group) == 0);
    ends(1, 0);
}

MC_MODEL(by_member, .name = "group/cancel_against_join",
         .says = "a member cancels its group while the owner joins and another member waits",
         .setup = two_members,
         .thread = {closes_after_two, cancels_group_and_ends_1, waits_and_ends},
         .check = is_cancelled, .bound = 2);

/* ---- at the limit ---- */

static void one_at_the_limit(void)
{
    open_group(1, &(bg_group_options){.size = sizeof(bg_group_options), .limit = 1});
    bgi_waiter_init(&rt_task(2)->waiter, wt_wake);
}

/* What task 2 will do when it is spawned: it ends at once. */
static void spawns_at_the_limit(void)
{
    (void)wt_begin();
    int r = bg_group_spawn(&group, never_called, NULL);
    mc_assert(worked[1] == 1); /* the place is that of member 1 */
    if (r == 0) {
        worked[2] = 1;
        rt_task(2)->fiber.result = 0;
        W[0].current = NULL;
        mc_assert(bgi_task_end(&W[0], rt_task(2)) == NULL);
        as_owner();
    }
    result = bg_group_close(&group);
    mc_assert((r == 0 && result == 0) || (r == -ECANCELED && result == -EIO));
    memset(&group, 0, sizeof group);
}

MC_MODEL(place, .name = "group/a_place_is_handed_over",
         .says = "a spawner at the limit gets the place of a member that ends",
         .setup = one_at_the_limit, .thread = {spawns_at_the_limit, ends_1});

MC_MODEL(refused, .name = "group/a_failure_refuses_the_place",
         .says = "a failure refuses the place to a spawner that waits for it",
         .setup = one_at_the_limit, .thread = {spawns_at_the_limit, fails_1});

/* ---- results ---- */

static void two_with_results(void)
{
    open_group(2, &(bg_group_options){.size = sizeof(bg_group_options), .results = 1});
}

static void takes_results(void)
{
    int r[2] = {0, 0}, none;
    (void)wt_begin();
    mc_assert(bg_group_next(&group, &r[0]) == 0);
    mc_assert(bg_group_next(&group, &r[1]) == 0);
    mc_assert(r[0] + r[1] == 11);
    mc_assert(worked[1] == 1 && worked[2] == 1);
    mc_assert(bg_group_next(&group, &none) == -ENOENT);
    closes_after(2);
}

MC_MODEL(next, .name = "group/results_against_ends",
         .says = "each result is taken once, and nobody waits for one that does not come",
         .setup = two_with_results, .thread = {takes_results, ends_1, ends_2}, .check = is_zero,
         .bound = 2);

/* ---- tasks in the order in which they end ---- */

static bg_completion completion;

static void two_to_come(void)
{
    wt_setup(3);
    worked[1] = worked[2] = 0;
}

static bg_task *const *to_come(void)
{
    static bg_task *tasks[2];
    tasks[0] = rt_task(1);
    tasks[1] = rt_task(2);
    return tasks;
}

static void goes_through_both(void)
{
    bg_task *t;
    int sum = 0;
    (void)wt_begin();
    (void)bg_as_completed_open(&completion, to_come(), 2);
    for (int i = 0; i < 2; i++) {
        mc_assert(bg_as_completed_next(&completion, &t) == 1);
        mc_assert(bgi_load_acquire(&t->done) == BGI_TASK_DONE);
        mc_assert(worked[t == rt_task(1) ? 1 : 2] == 1);
        sum += t->fiber.result;
    }
    mc_assert(bg_as_completed_next(&completion, &t) == 0);
    bg_as_completed_close(&completion);
    mc_assert(sum == 11);
    memset(&completion, 0, sizeof completion);
}

MC_MODEL(through, .name = "completed/ends_against_the_loop",
         .says = "the loop gets both tasks, with all they did, and nobody touches it after that",
         .setup = two_to_come, .thread = {goes_through_both, ends_1, ends_2}, .bound = 2);

static void leaves_at_once(void)
{
    (void)wt_begin();
    (void)bg_as_completed_open(&completion, to_come(), 2);
    bg_as_completed_close(&completion);
    memset(&completion, 0, sizeof completion);
}

static void both_are_the_callers(void)
{
    for (unsigned i = 1; i <= 2; i++) {
        mc_assert(bgi_load(&rt_task(i)->done) == BGI_TASK_DONE);
    }
}

MC_MODEL(early, .name = "completed/ends_against_leaving",
         .says = "a loop that is left takes its registrations back, or waits for the ends",
         .setup = two_to_come, .thread = {leaves_at_once, ends_1, ends_2},
         .check = both_are_the_callers, .bound = 2);

static void is_cancelled_and_goes_on(void)
{
    bg_task *t;
    (void)wt_begin();
    (void)bg_as_completed_open(&completion, to_come(), 2);
    mc_assert(bg_as_completed_next(&completion, &t) == 1);
    mc_assert(bg_as_completed_next(&completion, &t) == 1);
    mc_assert(bg_as_completed_next(&completion, &t) == 0);
    bg_as_completed_close(&completion);
    memset(&completion, 0, sizeof completion);
}

MC_MODEL(told, .name = "completed/cancelled_in_the_loop",
         .says = "a loop whose task is cancelled tells its tasks, and still gets them",
         .setup = two_to_come,
         .thread = {is_cancelled_and_goes_on, ends_1, waits_and_ends, cancels_owner}, .bound = 2);

/*
 * task/local.c: values that tasks share, against who sets one and who lets go of them.
 */
#include "waiting.h"

#include "task/local.h"

#include <string.h>

static bg_local key = BG_LOCAL_INIT;
static int one, two, three;
static void *seen[2]; /* plain: by each task */

/* Both tasks have one array, as a spawner and the task it spawned have. */
static void shared(void)
{
    wt_setup(2);
    bgi_store(&R.locals, 1);
    bgi_locals *l = bgi_malloc(sizeof *l + 2 * sizeof l->at[0]);
    mc_assert(l != NULL);
    bgi_store(&l->refs, 2);
    l->count = 1;
    l->at[0] = (struct bgi_local_value){&key, &one};
    for (unsigned i = 0; i < 2; i++) {
        rt_task(i)->fiber.stack->locals = l;
    }
    seen[0] = seen[1] = NULL;
}

/* The end of the task's body. */
static void ends(bg_task *self)
{
    if (self->fiber.stack->locals != NULL) {
        bgi_locals_drop(self->fiber.stack);
    }
}

static void reads_and_ends(void)
{
    bg_task *self = wt_begin();
    seen[mc_self()] = bg_local_get(&key);
    ends(self);
    mc_assert(seen[mc_self()] == &one);
}

MC_MODEL(release, .name = "local/last_release",
         .says = "the last of those that share values frees them, when all have read them",
         .setup = shared, .thread = {reads_and_ends, reads_and_ends});

/* Takes what it shares, or has alone by then. */
static void sets_and_ends(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_local_set(&key, &two) == 0);
    mc_assert(bg_local_get(&key) == &two);
    mc_assert(bg_local_set(&key, &three) == 0); /* in place */
    mc_assert(bg_local_get(&key) == &three);
    ends(self);
}

MC_MODEL(set, .name = "local/set_against_release",
         .says = "who sets a value writes where nobody reads any more, or goes on with a copy",
         .setup = shared, .thread = {reads_and_ends, sets_and_ends});

static void removes_and_ends(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_local_set(&key, NULL) == 0);
    mc_assert(bg_local_get(&key) == NULL && self->fiber.stack->locals == NULL);
    ends(self);
}

MC_MODEL(set_both, .name = "local/two_set",
         .says = "two that share values and take theirs away leave nothing behind", .setup = shared,
         .thread = {removes_and_ends, removes_and_ends});

/* ---- inheritance ---- */

static bgi_atomic spawned;

static int inherited(void *arg)
{
    mc_assert(arg == &one && bg_local_get(&key) == &two);
    seen[1] = &two;
    return 0;
}

static void none_yet(void)
{
    wt_setup(2);
    bgi_store(&R.locals, 0);
    rt_free_records(1);
    rt_task(1)->fiber.stack = NULL;
    bgi_store(&spawned, 0);
    seen[0] = seen[1] = NULL;
}

static void spawns_and_sets(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_local_set(&key, &two) == 0);
    bg_task *t = bgi_task_make(&R, &W[0], inherited, &one, NULL, 0, NULL);
    mc_assert(t == rt_task(1));
    bgi_store_release(&spawned, 1); /* as a queue passes it on */
    mc_assert(bg_local_set(&key, &three) == 0);
    mc_assert(bg_local_get(&key) == &three);
    ends(self);
}

/* As a worker runs its body. */
static void runs_it(void)
{
    mc_await_equal(&spawned, 1);
    bgi_worker_is(&W[1]);
    bg_task *t = rt_task(1);
    t->fiber.stack = &rt_stack[1];
    W[1].current = &t->fiber;
    mc_assert(t->fn(t->arg) == 0 && seen[1] == &two);
    mc_assert(t->extra->locals == NULL);
    ends(t);
    bgi_task_drop_extra(t);
}

MC_MODEL(inherit, .name = "local/inherit_against_set",
         .says = "a task has the values of its spawn, whatever its spawner sets after it",
         .setup = none_yet, .thread = {spawns_and_sets, runs_it});

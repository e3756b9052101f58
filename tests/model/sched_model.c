/*
 * core/sched.c: a whole scheduler, with threads of its own, from its making to its destruction.
 */
#include "core_rig.h"

static bgi_sched *made;

static void drop_item(bgi_item *item)
{
    (void)item;
    mc_fail(__FILE__, __LINE__, "an item is left when the scheduler has stopped by itself");
}

static void drop_timer(bgi_timer *t)
{
    (void)t;
    mc_fail(__FILE__, __LINE__, "nobody set a timer");
}

static bgi_item *body(bgi_worker *w, struct bgi_fiber *f)
{
    (void)w;
    (void)f;
    return NULL;
}

static void life(unsigned workers)
{
    struct bgi_sched_config config = {
        .workers = workers,
        .spares = 0,
        .stack_size = 64 * 1024,
        .body = body,
        .drop_item = drop_item,
        .drop_timer = drop_timer,
    };
    mc_assert(bgi_sched_create(&made, &config) == 0);
    mc_assert(bgi_sched_start(made, 0) == 0);
    bgi_submit(made, rig_fill(&A));
    bgi_sched_join(made);
    bgi_sched_destroy(made);
}

static void life_of_one(void)
{
    life(1);
}

static void life_of_two(void)
{
    life(2);
}

static void setup(void)
{
    rig_item_setup(&A);
    bgi_store(&rig_left, 1);
}

static void a_ran(void)
{
    mc_assert(A.ran == 1);
}

MC_MODEL(one, .name = "sched/one_worker",
         .says = "a scheduler with a monitor and a worker runs an item, which stops it", .bound = 1,
         .quick = 1, .setup = setup, .thread = {life_of_one}, .check = a_ran);

MC_MODEL(two, .name = "sched/two_workers", .says = "likewise with two workers", .bound = 1,
         .quick = 1, .setup = setup, .thread = {life_of_two}, .check = a_ran);

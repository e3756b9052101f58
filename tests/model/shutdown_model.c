/*
 * The end: bgi_sched_stop against workers that go to sleep, come, or lead; and the end of the last
 * task against the beginning of the stop (task/end.c).
 */
#include "core_rig.h"
#include "task/task.h"

static void stop(void)
{
    bgi_sched_stop(&S);
}

static void at_rest(void)
{
    mc_assert(bgi_load(&S.stopping) == 1);
    rig_at_rest();
}

static void park_0(void)
{
    bgi_park(&W[0]);
    if (W[0].searching) {
        bgi_stop_searching(&W[0]);
    }
}

static void loop_0(void)
{
    bgi_worker_loop(&W[0]);
}

static void loop_1(void)
{
    bgi_worker_loop(&W[1]);
}

static void one_worker(void)
{
    rig_setup(1, 0, 0);
}

static void a_searcher(void)
{
    rig_setup(1, 0, 0);
    rig_searches(&W[0]);
}

static void two_workers(void)
{
    rig_setup(2, 0, 0);
}

MC_MODEL(parking, .name = "shutdown/stop_and_park",
         .says = "who goes to sleep does not miss the stop", .setup = one_worker,
         .thread = {park_0, stop}, .check = at_rest);

MC_MODEL(searching, .name = "shutdown/stop_and_searcher", .says = "nor does one that was searching",
         .setup = a_searcher, .thread = {park_0, stop}, .check = at_rest);

MC_MODEL(loops, .name = "shutdown/stop_two_loops",
         .says = "two workers leave their loops, whatever they were about to do", .bound = 2,
         .setup = two_workers, .thread = {loop_0, loop_1, stop}, .check = at_rest);

/* ---- two who stop at once, one of them a worker ---- */

static void stop_from_within(bgi_worker *w, bgi_item *item)
{
    ((struct rig_item *)(void *)item)->ran++;
    bgi_sched_stop(w->sched);
}

static void with_an_item(void)
{
    rig_setup(2, 0, 0);
    A.item.run = stop_from_within;
    bgi_push_quiet(&W[0], rig_fill(&A));
}

MC_MODEL(twice, .name = "shutdown/two_stops",
         .says = "a worker's stop and a foreign one at once leave nobody asleep", .bound = 2,
         .setup = with_an_item, .thread = {loop_0, loop_1, stop}, .check = at_rest);

/* ---- a place that is used for the first time ---- */

/* The monitor fills the place and makes it known, and the thread it then starts goes to sleep. */
static void appear_and_park(void)
{
    W[1].sched = &S;
    bgi_store_release(&S.used, 2);
    bgi_park(&W[1]);
    if (W[1].searching) {
        bgi_stop_searching(&W[1]);
    }
}

static void one_more_place(void)
{
    rig_setup(2, 0, 0);
    W[1].sched = NULL;
    bgi_store(&S.used, 1);
}

MC_MODEL(appears, .name = "shutdown/stop_and_new_worker",
         .says = "a worker that appears while the scheduler stops does not sleep for ever",
         .setup = one_more_place, .thread = {appear_and_park, stop}, .check = at_rest);

/* ---- the last end ---- */

static struct bg_runtime R;
static bgi_task_cache caches[RIG_PLACES];
static BGI_ALIGNED(BGI_TASK_CHUNK) char chunk_bytes[BGI_TASK_CHUNK];
#define CHUNK ((struct bgi_task_chunk *)(void *)chunk_bytes)

static void runtime_setup(unsigned tasks)
{
    rig_setup(2, 0, 0);
    S.config.owner = &R;
    R.sched = &S;
    R.cache = caches;
    R.max_tasks = 0;
    bgi_store(&R.foreign_spawned, tasks);
    bgi_store(&R.stopping, 0);
    bgi_lock_init(&R.lock, BGI_RANK_TASKS, "tasks");
    R.chunks = CHUNK;
    R.free = NULL;
    R.free_count = 0;
    bgi_store(&R.main, 0);
    for (unsigned i = 0; i < RIG_PLACES; i++) {
        caches[i].free = NULL;
        caches[i].count = 0;
        bgi_store(&caches[i].spawned, 0);
        bgi_store(&caches[i].ended, 0);
    }
    CHUNK->runtime = &R;
    CHUNK->next = NULL;
    CHUNK->used = tasks;
    for (unsigned i = 0; i < tasks; i++) {
        bg_task *t = &CHUNK->task[i];
        bgi_fiber_init(&t->fiber, 0);
        t->fiber.result = 0;
        bgi_store(&t->done, BGI_TASK_LIVE);
        bgi_waiter_init(&t->waiter, bgi_task_wake);
    }
}

static void end_0(void)
{
    (void)bgi_task_end(&W[0], &CHUNK->task[0]);
}

static void end_1(void)
{
    (void)bgi_task_end(&W[1], &CHUNK->task[1]);
}

static void begin_stop(void)
{
    bgi_runtime_begin_stop(&R);
}

static void one_task(void)
{
    runtime_setup(1);
}

static void two_tasks(void)
{
    runtime_setup(2);
}

static void two_tasks_stopping(void)
{
    runtime_setup(2);
    bgi_store(&R.stopping, 1);
}

static void stopped(void)
{
    mc_assert(bgi_tasks_live(&R) == 0);
    mc_assert(bgi_load(&S.stopping) == 1);
}

MC_MODEL(last_end, .name = "shutdown/begin_stop_and_last_end",
         .says = "the last end or the stop that begins with it stops the scheduler",
         .setup = one_task, .thread = {end_0, begin_stop}, .check = stopped);

MC_MODEL(two_ends, .name = "shutdown/two_last_ends",
         .says = "of two tasks that end at once one finds that it was the last",
         .setup = two_tasks_stopping, .thread = {end_0, end_1}, .check = stopped);

MC_MODEL(two_ends_and_stop, .name = "shutdown/begin_stop_and_two_ends",
         .says = "likewise when the stop begins meanwhile", .bound = 2, .setup = two_tasks,
         .thread = {end_0, end_1, begin_stop}, .check = stopped);

/* Where the fence in each end is membarrier's. On real threads it is what was found to work. */

static void asymmetric(void)
{
#ifdef BGI_MODEL
    bgi_store(&bgi_fence_asymmetric, 1);
#endif
}

static void two_tasks_stopping_asymmetric(void)
{
    two_tasks_stopping();
    asymmetric();
}

static void one_task_asymmetric(void)
{
    one_task();
    asymmetric();
}

static void two_tasks_asymmetric(void)
{
    two_tasks();
    asymmetric();
}

MC_MODEL(two_ends_asymmetric, .name = "shutdown/two_last_ends_membarrier",
         .says = "two last ends see each other where membarrier is in the fences' place",
         .setup = two_tasks_stopping_asymmetric, .thread = {end_0, end_1}, .check = stopped);

MC_MODEL(last_end_asymmetric, .name = "shutdown/begin_stop_and_last_end_membarrier",
         .says = "the last end and the stop likewise", .setup = one_task_asymmetric,
         .thread = {end_0, begin_stop}, .check = stopped);

MC_MODEL(two_ends_and_stop_asymmetric, .name = "shutdown/begin_stop_and_two_ends_membarrier",
         .says = "and with two ends", .bound = 2, .setup = two_tasks_asymmetric,
         .thread = {end_0, end_1, begin_stop}, .check = stopped);

/* One moves from a worker to another while somebody sums: it is never taken for none. */
static void spawn_on_another(void)
{
    bgi_store_release(&caches[0].spawned, bgi_load(&caches[0].spawned) + 1);
    (void)bgi_task_end(&W[0], &CHUNK->task[0]);
}

static void count_tasks(void)
{
    mc_assert(bgi_tasks_live(&R) != 0);
}

MC_MODEL(never_none, .name = "shutdown/sum_of_the_living",
         .says = "while some task lives the sums never say that none does", .setup = one_task,
         .thread = {spawn_on_another, count_tasks});

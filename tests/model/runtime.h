/*
 * A runtime for the models of lib/task: the scheduler of core_rig.h and one chunk of records, all
 * static. The model's threads play its workers, or threads that are not its workers.
 */
#ifndef TESTS_MODEL_RUNTIME_H
#define TESTS_MODEL_RUNTIME_H

#include "core_rig.h"
#include "task/task.h"

#include <brigade/runtime.h>

static char rt_area[2 * BGI_TASK_CHUNK];
static bgi_task_cache rt_cache[RIG_PLACES];
static bg_runtime R;
static bgi_stack rt_stack[MC_THREADS]; /* of tasks that have one, by number */

RIG_UNUSED static struct bgi_task_chunk *rt_chunk(void)
{
    uintptr_t at = (uintptr_t)rt_area + BGI_TASK_CHUNK - 1;
    return (struct bgi_task_chunk *)(at & ~(BGI_TASK_CHUNK - 1));
}

RIG_UNUSED static bg_task *rt_task(unsigned i)
{
    return &rt_chunk()->task[i];
}

/* Two workers, and `tasks` live tasks that worker 0 has spawned. */
RIG_UNUSED static void rt_setup(unsigned tasks)
{
    struct bgi_task_chunk *c = rt_chunk();
    rig_setup(2, 0, 0);
    S.workers = 1; /* nobody is woken by a push: queues are not what is looked at */
    S.config.owner = &R;
    bgi_worker_is(NULL);
    R.sched = &S;
    R.cache = rt_cache;
    R.max_tasks = 0;
    bgi_store(&R.alive, 0);
    bgi_store(&R.foreign_spawned, 0);
    bgi_store(&R.stopping, 0);
    bgi_lock_init(&R.lock, BGI_RANK_TASKS, "tasks");
    R.chunks = c;
    R.free = NULL;
    R.free_count = 0;
    bgi_store(&R.main, 0);
    for (unsigned i = 0; i < RIG_PLACES; i++) {
        rt_cache[i].free = NULL;
        rt_cache[i].count = 0;
        bgi_store(&rt_cache[i].spawned, 0);
        bgi_store(&rt_cache[i].ended, 0);
    }
    bgi_store(&rt_cache[0].spawned, tasks);
    c->runtime = &R;
    c->next = NULL;
    c->used = tasks;
    for (unsigned i = 0; i < tasks; i++) {
        bg_task *t = &c->task[i];
        bgi_fiber_init(&t->fiber, 0);
        t->fiber.result = 0;
        if (i < MC_THREADS) {
            rt_stack[i].scope = NULL;
            rt_stack[i].index = i;
            t->fiber.stack = &rt_stack[i];
        }
        bgi_waiter_init(&t->waiter, bgi_task_wake);
        bgi_store(&t->done, BGI_TASK_LIVE);
    }
}

/* One free record for each of two workers, so that a spawn needs no batch. */
RIG_UNUSED static void rt_free_records(unsigned from)
{
    for (unsigned i = 0; i < 2; i++) {
        bg_task *t = rt_task(from + i);
        bgi_waiter_init(&t->waiter, bgi_task_wake);
        bgi_store(&t->done, BGI_TASK_FREE);
        t->fiber.item.link.next = NULL;
        rt_cache[i].free = &t->fiber.item.link;
        rt_cache[i].count = 1;
    }
    rt_chunk()->used = from + 2;
}

/* The task's body has returned on the worker. */
RIG_UNUSED static bgi_item *rt_end(unsigned worker, unsigned task, int result)
{
    bgi_worker_is(&W[worker]);
    rt_task(task)->fiber.result = result;
    return bgi_task_end(&W[worker], rt_task(task));
}

/* Records in all free lists. */
RIG_UNUSED static size_t rt_free_count(void)
{
    return R.free_count + rt_cache[0].count + rt_cache[1].count;
}

#endif

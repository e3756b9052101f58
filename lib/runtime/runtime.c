/*
 * Runtimes: options checked, layers put together, taken apart.
 *
 * A runtime goes through: made -> running -> stopping (everybody is cancelled; begun by the end of
 * main, or by bg_runtime_shutdown) -> stopped (the last task has ended, the workers leave their
 * loops) -> joined -> destroyed. What was never awaited is reported in the last step.
 */
#include "arch/cpu.h"
#include "io/blocking.h"
#include "io/io.h"
#include "observe/deadlock.h"
#include "parallel/fork.h"
#include "runtime/seed.h"
#include "stack/overflow.h"
#include "task/check.h"
#include "task/task.h"

#include <brigade/runtime.h>
#include <errno.h>

#define DEFAULT_STACK ((size_t)256 * 1024)
#define STACK_MOST ((size_t)1 << 30)
#define BLOCKING_MOST 65536U
#define FORK_PATIENCE (5 * BG_US) /* at most: about what it costs to wake a worker */
#define SEEDED_WORKERS 4          /* not the machine's number: one seed, one schedule, everywhere */

/* The options, checked, with the defaults filled in: 0 or a negative errno. */
static int check_options(const bg_run_options *in, int may_be_seeded, bg_run_options *out)
{
    if (in == NULL || in->size != sizeof *in || in->workers > BGI_WORKERS_MAX ||
        in->spares < BG_NO_SPARES || in->spares > BGI_SPARES_MAX ||
        in->blocking_threads > BLOCKING_MOST ||
        (in->stack_size != 0 &&
         (in->stack_size < (size_t)BGI_STACK_MIN || in->stack_size > STACK_MOST))) {
        return -EINVAL;
    }
    *out = *in;
    if (!may_be_seeded && in->seed != 0) {
        return -ENOTSUP; /* its threads, and those that use it, have no place in a schedule */
    }
    if (may_be_seeded && bgi_seed_from_environment(&out->seed) != 0) {
        return -EINVAL;
    }
    if (out->workers == 0 && out->seed != 0) {
        out->workers = SEEDED_WORKERS;
    } else if (out->workers == 0) {
        int cpus = bgi_cpu_count();
        out->workers = cpus < BGI_WORKERS_MAX ? (unsigned)cpus : BGI_WORKERS_MAX;
    }
    if (out->spares == 0) {
        out->spares = BGI_SPARES_MAX;
    } else if (out->spares == BG_NO_SPARES) {
        out->spares = 0;
    }
    if (out->stack_size == 0) {
        out->stack_size = DEFAULT_STACK;
    }
    if (out->blocking_threads == 0) {
        out->blocking_threads = BGI_BLOCKING_MOST;
    }
    if (out->name == NULL) {
        out->name = "main";
    }
    return 0;
}

/* In the signal handler: whose stack has the thread run out of? */
static int find_overflow(const void *addr, struct bgi_overflow_info *out)
{
    bgi_worker *w = bgi_worker_self();
    bgi_fiber *f = w == NULL ? NULL : w->current;
    if (f == NULL || f->stack == NULL || !bgi_stack_guard_hit(f->stack, addr)) {
        return 0;
    }
    out->task = bg_task_name(bgi_task_of(f));
    out->low = f->stack->low;
    out->size = f->stack->nominal;
    return 1;
}

static void release(bg_runtime *rt)
{
    if (rt->sched != NULL) {
        bgi_sched_destroy(rt->sched);
    }
    if (rt->io != NULL) {
        bgi_io_destroy(rt->io);
    }
    bgi_task_chunks_free(rt);
    bgi_free(rt->cache);
    bgi_free(rt);
    bgi_overflow_uninstall();
}

/* A task that will never run again: its stack goes back as it is. */
static void abandon(bg_task *t, void *arg)
{
    bgi_sched *s = arg;
    bg_runtime *rt = s->config.owner;
    bgi_word done = bgi_load(&t->done);
    if (done != BGI_TASK_DONE && done != BGI_TASK_FREE && t->fiber.stack != NULL) {
        t->fiber.stack->scope = NULL;
        if (t->fiber.stack->locals != NULL) {
            bgi_locals_drop(t->fiber.stack);
        }
        bgi_context_fini(&t->fiber.stack->context); /* it does not rest where a body has ended */
        bgi_stack_put(s->stacks, 0, t->fiber.stack);
        t->fiber.stack = NULL;
        t->fiber.result = -ECANCELED;
        bgi_waiter_reset(&t->waiter, 0);
        bgi_store_release(&t->done, BGI_TASK_DONE);
        bgi_count_owned(&rt->cache[0].ended, 1);
    }
}

/* Of the deterministic mode: nobody can go on. The first time all are cancelled, which ends their
 * waits; if that does not end the run, it is given up. */
static int dead_end(bgi_sched *s)
{
    bg_runtime *rt = s->config.owner;
    rt->deadlocks++;
    bgi_report_deadlock(rt);
    if (rt->deadlocks == 1 && bgi_load(&rt->stopping) == 0) {
        bgi_runtime_begin_stop(rt);
        return 1;
    }
    bgi_task_each(rt, abandon, s);
    return 0;
}

/* BRIGADE_STEAL_FORKS=1: as if all forks were stolen. For tests. */
static int steal_forks(void)
{
    const char *value = getenv("BRIGADE_STEAL_FORKS");
    return value != NULL && strcmp(value, "1") == 0;
}

static void lingers(bgi_sched *s)
{
    bgi_blocking_linger(s->config.owner);
}

static int create(bg_runtime **out, const bg_run_options *options)
{
    int r = bgi_overflow_install();
    if (r != 0) {
        return r;
    }
    bgi_overflow_set_lookup(find_overflow);
    bg_runtime *rt = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, sizeof *rt);
    if (rt == NULL) {
        bgi_overflow_uninstall();
        return -ENOMEM;
    }
    memset(rt, 0, sizeof *rt);
    bgi_lock_init(&rt->lock, BGI_RANK_TASKS, "tasks");
    rt->max_tasks = options->max_tasks;
    rt->blocking_threads = options->blocking_threads;
    rt->look = options->seed != 0 ? BGI_WAITER_LOOK : 0;

    struct bgi_sched_config config = {
        .workers = options->workers,
        .spares = (unsigned)options->spares,
        .stack_size = options->stack_size,
        .body = options->seed != 0 ? bgi_task_body_simulated : bgi_task_body,
        .name_of = bgi_task_fiber_name,
        .drop_item = bgi_after_drop_item,
        .drop_timer = bgi_after_drop_timer,
        .no_stack = bgi_task_no_stack,
        .owner = rt,
        .seed = options->seed,
        .share = bgi_forks_share,
        .take_fork = bgi_forks_take,
        .patience = FORK_PATIENCE,
        .steal_forks = steal_forks(),
        .pin = options->pin,
        .lingers = lingers,
        .dead_end = dead_end,
    };
    if (options->seed != 0) {
        config.spares = 0;
    }
    size_t caches = (config.workers + config.spares) * sizeof(bgi_task_cache);
    rt->cache = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, caches);
    r = rt->cache == NULL ? -ENOMEM : 0;
    if (r == 0) {
        r = bgi_io_create(&rt->io, config.workers + config.spares, options->seed != 0);
    }
    if (r == 0) {
        config.driver = &rt->io->driver;
        memset(rt->cache, 0, caches);
        r = bgi_sched_create(&rt->sched, &config);
    }
    if (r != 0) {
        release(rt);
        return r;
    }
    *out = rt;
    return 0;
}

/* A task that has ended and whose handle nobody gave back. */
static void report_unawaited(bg_task *t, void *arg)
{
    (void)arg;
    int result = t->fiber.result;
    if (bgi_load(&t->done) == BGI_TASK_DONE && result < 0 && result != -ECANCELED) {
        bgi_failure(bg_task_name(t), result);
    }
    bgi_task_drop_extra(t);
}

/* A task that a callback spawned while the last one ended elsewhere: nobody has run it, nor would
 * it have done anything, since it was cancelled from the start. */
static void end_late(bg_task *t, void *arg)
{
    bg_runtime *rt = arg;
    bgi_word done = bgi_load(&t->done);
    if (done == BGI_TASK_LIVE || done == BGI_TASK_DETACHED) {
        t->fiber.result = -ECANCELED;
        bgi_store(&t->done, BGI_TASK_DONE);
        bgi_count_owned(&rt->cache[0].ended, 1);
        if (rt->max_tasks != 0) {
            (void)bgi_fetch_sub(&rt->alive, 1);
        }
    }
}

static void finish(bg_runtime *rt)
{
    bgi_sched_join(rt->sched);
    bgi_blocking_end(rt);
    if (bgi_unlikely(bgi_tasks_live(rt) != 0)) {
        bgi_task_each(rt, end_late, rt);
    }
    bgi_tasks_check_ended(rt);
    bgi_task_each(rt, report_unawaited, NULL);
    release(rt);
}

int bg_run_opts(bg_fn fn, void *arg, const bg_run_options *given)
{
    bg_run_options options;
    bg_runtime *rt;

    int r = fn == NULL ? -EINVAL : check_options(given, 1, &options);
    if (r != 0) {
        return r;
    }
    if (bgi_worker_self() != NULL) {
        return -EBUSY;
    }
    r = create(&rt, &options);
    if (r != 0) {
        return r;
    }
    bg_spawn_options name = {.size = sizeof name, .name = options.name};
    bg_task *main_task = bgi_task_make(rt, NULL, fn, arg, NULL, 0, &name);
    r = main_task == NULL ? -ENOMEM : 0;
    if (r == 0) {
        bgi_store_ptr(&rt->main, main_task);
        r = bgi_sched_start(rt->sched, 1);
    }
    if (r != 0) {
        if (main_task != NULL) {
            bgi_task_drop_extra(main_task);
        }
        release(rt);
        return r;
    }
    bgi_submit(rt->sched, &main_task->fiber.item);
    bgi_worker_run(&rt->sched->worker[0]);
    bgi_sched_join(rt->sched); /* main_result is settled when all have stopped */
    r = rt->deadlocks != 0 ? -EDEADLK : rt->main_result;
    finish(rt);
    return r;
}

int bg_runtime_create_opts(bg_runtime **out, const bg_run_options *given)
{
    bg_run_options options;
    bg_runtime *rt;

    int r = out == NULL ? -EINVAL : check_options(given, 0, &options);
    if (r == 0) {
        r = create(&rt, &options);
    }
    if (r != 0) {
        return r;
    }
    r = bgi_sched_start(rt->sched, 0);
    if (r != 0) {
        release(rt);
        return r;
    }
    *out = rt;
    return 0;
}

int bg_runtime_shutdown(bg_runtime *rt)
{
    if (rt == NULL) {
        return -EINVAL;
    }
    if (bgi_worker_self() != NULL) {
        return -EDEADLK;
    }
    bgi_runtime_begin_stop(rt);
    finish(rt);
    return 0;
}

static uint64_t sum_of(bg_runtime *rt, size_t offset)
{
    uint64_t sum = 0;
    bgi_word used = bgi_load_acquire(&rt->sched->used);
    for (bgi_word i = 0; i < used; i++) {
        sum += bgi_load(
            (const bgi_atomic *)(const void *)((const char *)&rt->sched->worker[i] + offset));
    }
    return sum;
}

int bg_runtime_stats(bg_runtime *rt, bg_stats *out)
{
    bgi_worker *w = bgi_worker_self();
    if (rt == NULL && w != NULL) {
        rt = w->sched->config.owner;
    }
    if (rt == NULL || out == NULL || out->size < sizeof out->size) {
        return -EINVAL;
    }
    bgi_sched *s = rt->sched;
    bg_stats now = {0};
    bgi_word used = bgi_load_acquire(&s->used);

    now.workers = s->workers;
    now.workers_stuck = (unsigned)bgi_load(&s->stuck);
    now.spares_active = (unsigned)bgi_load(&s->spares_active);
    now.spares_peak = (unsigned)bgi_load(&s->spares_peak);
    now.tasks_live = bgi_tasks_live(rt);
    now.tasks_spawned = bgi_load(&rt->foreign_spawned);
    for (bgi_word i = 0; i < used; i++) {
        now.tasks_spawned += bgi_load(&rt->cache[i].spawned);
    }
    now.items_run = sum_of(rt, offsetof(bgi_worker, tick));
    now.steals = sum_of(rt, offsetof(bgi_worker, steals));
    now.searches_failed = sum_of(rt, offsetof(bgi_worker, failed));
    now.parks = sum_of(rt, offsetof(bgi_worker, parks));
    now.timers_fired = sum_of(rt, offsetof(bgi_worker, fired));
    now.io_driver = rt->io->driver.ops->name;
    bgi_pool_counts pool;
    bgi_blocking_count(rt, &pool);
    now.blocking_threads = pool.threads;
    now.blocking_idle = pool.idle;
    now.blocking_queued = pool.queued;
    now.blocking_abandoned = pool.abandoned;

    size_t size = out->size;
    size_t known = size < sizeof now ? size : sizeof now;
    now.size = size;
    memset(out, 0, size);
    memcpy(out, &now, known);
    return 0;
}

/*
 * Runtimes: bg_run for a program whose main is a task, bg_runtime_* for one that has threads of its
 * own and hands work over. Several runtimes may live in one process.
 */
#ifndef BRIGADE_RUNTIME_H
#define BRIGADE_RUNTIME_H

#include <brigade/detail/options.h>
#include <brigade/task.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_run_options {
    size_t size;       /* filled in by the macros: sizeof(bg_run_options) */
    unsigned workers;  /* 0: the CPUs this process may use (affinity, cgroup quota); at most 1024 */
    size_t stack_size; /* default of its tasks, bytes of address space; 0: 256 KiB. 16 KiB..1 GiB */
    const char *name;  /* of the main task of bg_run; copied; NULL: "main" */
    size_t max_tasks;  /* spawns fail while so many tasks are alive; 0: no limit */
    int spares;        /* most spare workers; 0: 64; BG_NO_SPARES: none, see below */
    uint64_t seed;     /* not 0: deterministic mode, bg_run only; see brigade/explore.h */
    unsigned blocking_threads; /* most threads for bg_blocking; 0: 512. At most 65536 */
    int pin;                   /* not 0: each worker is bound to a CPU, see below */
} bg_run_options;

/*
 * When a worker has been held up in one task for some milliseconds while others wait behind it, a
 * spare worker takes over what is queued there. So even with .workers = 1 two tasks may run at the
 * same time. .spares = BG_NO_SPARES forbids that: one worker is then strictly one thread, as in
 * asyncio, and a task that computes delays all others.
 *
 * No spare worker is lent for what a task that computes has forked: a program of forks runs on
 * .workers threads. One that is there for something else may take forks as well.
 */
#define BG_NO_SPARES (-1)

/*
 * .pin = 1: the workers stay on CPUs of their own, of those that the calling thread may use, spread
 * over NUMA nodes, caches and cores as evenly as they go (when brigade was built with hwloc; else
 * the first ones); where there are more workers than CPUs, they share. It pays where nothing else
 * runs, and harms where something does. The thread that calls bg_run is bound until bg_run returns.
 * Spare workers, and threads for bg_blocking, are not bound; a thread that a task makes itself
 * inherits the CPU, as threads do. Without effect in the deterministic mode. Where the system does
 * not say which CPUs may be used, bg_run and bg_runtime_create return its error, and start nothing.
 */

/*
 * int bg_run(bg_fn fn, void *arg, ...options): runs fn(arg) as the main task of a new runtime, on
 * the calling thread and .workers - 1 others, and returns what it returned.
 *
 * When main returns, the tasks still alive are cancelled and waited for; then the threads end.
 * SIGPIPE is blocked meanwhile on the calling thread, and all signals on the others: a task that
 * writes to a pipe nobody reads gets -EPIPE.
 * From a plain thread; blocks it. Returns -EINVAL for options that are not valid and -ENOMEM or
 * -EAGAIN when memory or threads cannot be had: in these cases nothing was started. -EBUSY from
 * within a task: use bg_spawn there. With a seed also -EDEADLK: see brigade/explore.h, as for the
 * environment variable BRIGADE_SEED, which stands in for .seed.
 *
 * The environment variable BRIGADE_IO says how descriptors are waited for: epoll or uring; without
 * it io_uring is used where it can be. -EINVAL: it says something else; -ENOSYS: uring, which
 * cannot be had here.
 */
#define bg_run(...) BG_DETAIL_CALL2(bg_run_opts, bg_run_options, __VA_ARGS__)
BG_API int bg_run_opts(bg_fn fn, void *arg, const bg_run_options *options);

/*
 * int bg_runtime_create(bg_runtime **out, ...options): a runtime on .workers threads of its own.
 * From any thread; does not wait. Errors as bg_run, and -ENOTSUP for a seed; *out is then
 * untouched. To be ended by bg_runtime_shutdown.
 */
#define bg_runtime_create(...) BG_DETAIL_CALL1(bg_runtime_create_opts, bg_run_options, __VA_ARGS__)
BG_API int bg_runtime_create_opts(bg_runtime **out, const bg_run_options *options);

/*
 * bg_task *bg_runtime_spawn(bg_runtime *, bg_fn fn, void *arg, ...options): bg_spawn for a given
 * runtime, from any thread, its own tasks and those of other runtimes included. Does not suspend.
 * NULL as bg_spawn.
 */
#define bg_runtime_spawn(...) BG_DETAIL_CALL3(bg_runtime_spawn_opts, bg_spawn_options, __VA_ARGS__)
BG_API bg_task *bg_runtime_spawn_opts(bg_runtime *runtime, bg_fn fn, void *arg,
                                      const bg_spawn_options *options);

/*
 * Blocks the calling plain thread until the task has ended, returns what it returned, and gives the
 * handle back: bg_await for threads. Before it sleeps it looks for some microseconds whether it
 * need not; for some tens, when the last wait that it slept through took less than 100. -ENOMEM for
 * a NULL task; -EINVAL for a NULL runtime; -EDEADLK from within a task, which would block a worker:
 * use bg_await.
 */
BG_API int bg_runtime_wait(bg_runtime *runtime, bg_task *task);

/*
 * Cancels what lives, waits for it, ends the threads and frees the runtime. Handles of its tasks
 * are invalid from then on; failures nobody awaited are reported. From a plain thread; blocks it;
 * nobody may use the runtime any more. Returns 0; -EINVAL for NULL; -EDEADLK from within a task.
 */
BG_API int bg_runtime_shutdown(bg_runtime *runtime);

typedef struct bg_stats {
    size_t size;                 /* in: sizeof(bg_stats) as the caller knows it */
    unsigned workers;            /* regular ones */
    unsigned workers_stuck;      /* held up in one task for some milliseconds */
    unsigned spares_active;      /* spare workers that help out now */
    unsigned spares_peak;        /* the most there have been at once */
    uint64_t tasks_spawned;      /* since the start; the main task included */
    uint64_t tasks_live;         /* spawned and not ended */
    uint64_t items_run;          /* times a worker began or resumed something */
    uint64_t steals;             /* successful ones */
    uint64_t parks;              /* times a worker went to sleep */
    uint64_t timers_fired;       /* sleeps that ended by time and callbacks called */
    unsigned blocking_threads;   /* of bg_blocking; those that have nothing to do included */
    unsigned blocking_idle;      /* of these, those that have nothing to do */
    uint64_t blocking_queued;    /* calls that wait for a thread */
    uint64_t blocking_abandoned; /* calls that run and that nobody waits for any more */
    uint64_t searches_failed; /* times a worker looked at all others and found nothing to steal */
    const char *io_driver;    /* how it waits for descriptors: "epoll" or "io_uring"; a constant */
} bg_stats;

/*
 * A look at the counters, each one right, not all of one moment. runtime NULL: the caller's own.
 * Set out->size first; what this library does not know is zeroed. From any thread. Returns 0;
 * -EINVAL for a NULL or empty out, or no runtime.
 */
BG_API int bg_runtime_stats(bg_runtime *runtime, bg_stats *out);

BG_END_DECLS

#endif

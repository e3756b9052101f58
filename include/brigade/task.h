/*
 * Tasks: spawn, await, gather, cancel, sleep, yield.
 *
 * A task is a function that runs on a stack of its own, on any worker of its runtime, and can wait
 * without holding a thread. Where a comment says "suspends", the task may go on on another thread:
 * do not keep errno, or the address of anything thread-local, across such a call, and hold no
 * pthread mutex.
 *
 * What a task returns is an int; a negative value is a failure, best a negative errno. Somebody has
 * to take it: bg_await() and its kin, or else bg_detach(), after which a failure is reported
 * through the hook of bg_set_failure_hook().
 *
 * "In a task" below: misuse is caught in debug builds (BGI_DEBUG) with a message and abort(); in
 * others the call returns -EPERM, or NULL.
 */
#ifndef BRIGADE_TASK_H
#define BRIGADE_TASK_H

#include <brigade/detail/options.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_spawn_options {
    size_t size;       /* filled in by the macros: sizeof(bg_spawn_options) */
    const char *name;  /* copied; NULL: unnamed */
    size_t stack_size; /* bytes of address space; 0: the runtime's default. 16 KiB to 1 GiB */
} bg_spawn_options;

/*
 * bg_task *bg_spawn(bg_fn fn, void *arg, ...options): starts a task that runs fn(arg).
 *
 * The caller owns the handle until it passes it to one of bg_await, bg_gather, bg_gather_all or
 * bg_detach; it must do so once. `arg` is the caller's and must live until the task has ended. The
 * new task runs after those that are ready already; the caller goes on. A task that is cancelled
 * before it first runs never calls fn; its result is -ECANCELED.
 *
 * In a task, or in a callback of the runtime. Does not suspend. Returns NULL when there is no
 * memory, the options are not valid, or .max_tasks are alive; every function that takes a handle
 * takes NULL for a task that failed with -ENOMEM.
 */
#define bg_spawn(...) BG_DETAIL_CALL2(bg_spawn_opts, bg_spawn_options, __VA_ARGS__)
BG_API bg_task *bg_spawn_opts(bg_fn fn, void *arg, const bg_spawn_options *options);

/*
 * bg_task *bg_spawn_with(fn, type, ...initialiser): likewise, with a copy of a `type` object, so
 * the caller's may go out of scope:
 *     bg_spawn_with(cook, struct order, .table = 3, .dish = "soup")
 * fn gets a pointer to the copy, which lives as long as the task runs. C++17: the initialiser
 * is that of `type{...}`.
 */
#ifdef __cplusplus
#define bg_spawn_with(fn, type, ...)                                                               \
    ([&]() -> bg_task * {                                                                          \
        type bg_detail_value{__VA_ARGS__};                                                         \
        return bg_spawn_copy((fn), &bg_detail_value, sizeof(type), nullptr);                       \
    }())
#else
#define bg_spawn_with(fn, type, ...) bg_spawn_copy((fn), &(type){__VA_ARGS__}, sizeof(type), NULL)
#endif
/* Copies arg_size bytes at arg, aligned as malloc aligns. options may be NULL. Else as bg_spawn. */
BG_API bg_task *bg_spawn_copy(bg_fn fn, const void *arg, size_t arg_size,
                              const bg_spawn_options *options);

/*
 * Waits until the task has ended, returns what it returned, and gives the handle back.
 *
 * When the caller is cancelled meanwhile, or a deadline around it passes (brigade/scope.h), that is
 * passed on to the task as a cancel, and it is waited for all the same: nothing it does is lost,
 * and its result is returned; if it heeded, the code of what ended the wait: -ECANCELED or
 * -ETIMEDOUT. So the handle is given back in every case.
 *
 * In a task, other than the one awaited; one awaits a given task. Suspends. NULL: -ENOMEM.
 */
BG_API int bg_await(bg_task *task);

/*
 * Gives the handle up: the task runs on by itself. If it fails, with anything but -ECANCELED, that
 * is reported through the failure hook. From any thread; does not suspend. NULL is ignored.
 */
BG_API void bg_detach(bg_task *task);

/*
 * Waits for all n tasks, gives all handles back, and stores each one's own result in results
 * (unless that is NULL). Returns the first failure in the order of the arguments, else 0. A failure
 * does not stop the others. When the caller is cancelled, or a deadline passes, all that have not
 * ended are cancelled, and waited for, as by bg_await. NULL in tasks counts as a task that failed
 * with -ENOMEM.
 *
 * In a task. Suspends. n may be 0. -EINVAL: tasks is NULL and n is not 0.
 */
BG_API int bg_gather_all(bg_task *const tasks[], size_t n, int results[]);

/*
 * Waits until one of the n tasks has ended and stores its index in *index (unless NULL); the first
 * one in order if several have. No handle is given back: await that task next, it will not wait.
 *
 * In a task. Suspends. Returns 0; -EINVAL for n = 0; -ECANCELED when the caller was cancelled, or
 * -ETIMEDOUT when a deadline has passed, and none has ended: the tasks go on. A NULL task has
 * ended.
 */
BG_API int bg_wait_any(bg_task *const tasks[], size_t n, size_t *index);

/*
 * The iterator beneath the loop bg_as_completed. Open takes the handles over, each of which must be
 * nobody else's to wait for; next waits until one more has ended and gives it back to the caller in
 * *task: 1, or 0 when all have been given; close gives the rest back, those that run still too.
 *
 * When the caller is cancelled, or a deadline around it passes, all that have not ended are
 * cancelled, and still given one after another as they end: no handle is lost. NULL in tasks counts
 * as ended.
 *
 * In a task; next suspends.
 */
typedef struct bg_completion {
    uintptr_t opaque[12];
} bg_completion;
BG_API bg_completion *bg_as_completed_open(bg_completion *it, bg_task *const tasks[], size_t n);
BG_API int bg_as_completed_next(bg_completion *it, bg_task **task);
BG_API void bg_as_completed_close(bg_completion *it);

/*
 * bg_as_completed(t, tasks, n) { ... }: a loop over tasks in the order in which they end, t being a
 * bg_task * that the body awaits, without a wait, or detaches:
 *     bg_as_completed(t, tasks, n) {
 *         int rc = bg_await(t);
 *         ...
 *     }
 * Left early, by break, return or goto, what has not been given stays the caller's. `tasks` must
 * stay as it is meanwhile.
 */
#define bg_as_completed(t, tasks, n)                                                               \
    for (bg_completion bg_detail_it_##t __attribute__((cleanup(bg_as_completed_close))),           \
         *bg_detail_open_##t = bg_as_completed_open(&bg_detail_it_##t, (tasks), (n));              \
         bg_detail_open_##t != NULL; bg_detail_open_##t = NULL)                                    \
        for (bg_task *t = NULL; bg_as_completed_next(bg_detail_open_##t, &t) != 0;)

/*
 * Asks a task to end: its present wait, or its next one, and every one after that returns
 * -ECANCELED. It is a request; a task that does not wait does not notice. From any thread, any
 * number of times, while the handle is owned; does not suspend. Returns 0, also when the task has
 * ended already; -EINVAL for NULL.
 */
BG_API int bg_cancel(bg_task *task);

/* The task that calls, or NULL outside of tasks. The handle is not the caller's to give back. */
BG_API bg_task *bg_self(void);

/* The name given at its spawn, or "" for an unnamed task; lives as long as the handle. NULL: "". */
BG_API const char *bg_task_name(const bg_task *task);

/* Lets the other ready tasks of this worker run first. In a task. Suspends; not a point of
 * cancellation. */
BG_API void bg_yield(void);

/*
 * Sleeps for at least so long; at once, if it is not positive, but others run first. In a task.
 * Suspends. Returns 0; -ECANCELED when the task was cancelled, before or meanwhile; -ETIMEDOUT when
 * a deadline around it has passed.
 */
BG_API int bg_sleep(bg_duration duration);

/* Likewise until bg_now() has reached `when`. */
BG_API int bg_sleep_until(bg_time when);

/*
 * Called once for each failure that nobody will await: a detached task's, a callback's, or that of
 * a task whose handle was never given back, at the end of the runtime. `name` is "" for an unnamed
 * task. On a worker's thread, perhaps several at a time; must not suspend.
 */
typedef void (*bg_failure_hook)(const char *name, int result, void *arg);

/* Sets the hook for the whole process; NULL is the default, which writes one line to stderr. From
 * any thread, best before the first runtime starts. */
BG_API void bg_set_failure_hook(bg_failure_hook hook, void *arg);

BG_END_DECLS

/*
 * int bg_gather(bg_task *...): bg_gather_all of its arguments, without the single results.
 */
#ifdef __cplusplus
template <class... Tasks> inline int bg_gather(Tasks... tasks)
{
    bg_task *const all[] = {tasks...};
    return bg_gather_all(all, sizeof...(tasks), nullptr);
}
#else
#define bg_gather(...)                                                                             \
    bg_gather_all((bg_task *const[]){__VA_ARGS__},                                                 \
                  sizeof((bg_task *const[]){__VA_ARGS__}) / sizeof(bg_task *), NULL)
#endif

#endif

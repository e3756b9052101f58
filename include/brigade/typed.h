/*
 * Typed tasks: a function with arguments and a result of any type, as a task.
 *
 *     BG_TASK(long, fib, (int, n))
 *     {
 *         ...
 *     }
 *
 * defines `long fib(int n)`, an ordinary function, and
 *
 *     bg_task *fib_spawn(int n);
 *         bg_spawn of it, with the arguments copied into the task, which is named "fib". In a task,
 *         or in a callback of the runtime. Does not suspend. NULL as bg_spawn. The handle is that
 *         of any task: bg_cancel, bg_wait_any, bg_detach take it, bg_gather and bg_await as well,
 *         for which the result is 0 when the function has run.
 *
 *     int fib_await(bg_task *task, long *out);
 *         bg_await of it: waits until the task has ended, passes a cancellation of the caller on to
 *         it, and gives the handle back in every case. Returns 0 when the function has run, with
 *         its result in *out; out may be NULL. Else *out is untouched: -ECANCELED when the task was
 *         cancelled before the function was called (-ETIMEDOUT when it was that because a deadline
 *         around the caller has passed, as in bg_await), -ENOMEM when there was no stack for it, or
 *         for a NULL task. A function that is cancelled while it runs has run, and says so by its
 *         own result. In a task. Suspends.
 *
 * From none to eight arguments, each as (type, name): BG_TASK(int, roll), BG_TASK(double, norm,
 * (double, x), (double, y)). A type has to go before a name as it is: arrays, function types and,
 * in C++, types with a comma need a typedef. Arguments and result are copied as bytes: in C++ they
 * have to be trivially copyable. Pointers are copied, what they point to is not.
 *
 * BG_TASK_VOID(name, ...) is for functions without a result; name_await then takes the task alone.
 *
 * `static BG_TASK(...)` makes the function static; name_spawn and name_await always are. Followed
 * by a semicolon instead of a body it declares: in a header, it lets several files spawn and
 * await a function that one of them, or a library, defines in the ordinary way.
 */
#ifndef BRIGADE_TYPED_H
#define BRIGADE_TYPED_H

#include <brigade/detail/fork.h>
#include <brigade/detail/typed.h>
#include <brigade/task.h>
#include <brigade/types.h>

#define BG_TASK(type, ...)                                                                         \
    BG_DETAIL_TASK_PICK(__VA_ARGS__, BG_DETAIL_TASK_COUNTS)                                        \
    (BG_DETAIL_TASK_TYPED, type, __VA_ARGS__)

#define BG_TASK_VOID(...)                                                                          \
    BG_DETAIL_TASK_PICK(__VA_ARGS__, BG_DETAIL_TASK_COUNTS)                                        \
    (BG_DETAIL_TASK_UNTYPED, void, __VA_ARGS__)

BG_BEGIN_DECLS

/* What name_spawn calls: bg_spawn_copy of `size` bytes at call, for a task of this name. */
BG_API bg_task *bg_spawn_typed(bg_fn fn, const char *name, const void *call, size_t size);

/*
 * What name_await calls: bg_await of a task whose copied argument, when it has returned 0, begins
 * with a result of `size` bytes: they go to *out, unless that is NULL, before the handle is given
 * back. `name` is the task's, which debug builds check. Else as bg_await.
 */
BG_API int bg_await_typed(bg_task *task, const char *name, void *out, size_t size);

BG_END_DECLS

#endif

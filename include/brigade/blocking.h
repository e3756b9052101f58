/*
 * Calls that block a thread: files, getaddrinfo, other people's libraries.
 *
 * A runtime has a pool of threads for them, beside its workers. It is made at the first call, grows
 * with the calls that run at once, up to .blocking_threads of the runtime's options, and shrinks
 * when threads have had nothing to do for some seconds. Calls beyond that wait their turn, first
 * come, first served.
 *
 * A task that waits in bg_blocking can be cancelled, the function it called cannot: it runs on. The
 * task goes on at once, and the call is abandoned: its result is dropped when it comes. At the end
 * of a runtime abandoned calls are waited for, and those that a shield protects; when that takes
 * more than a second, stderr says now and then which they are.
 *
 * In the deterministic mode (brigade/explore.h) there are no threads: the function is called on the
 * task's own stack, and takes no time.
 */
#ifndef BRIGADE_BLOCKING_H
#define BRIGADE_BLOCKING_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/*
 * Calls fn(arg) on a thread of the runtime's pool, waits until it has returned, and returns what it
 * returned.
 *
 * `arg` is the caller's and must live until fn has returned. That may be after this call, when the
 * task has been cancelled or a deadline has passed: where that can be, use bg_blocking_with, which
 * copies, memory that fn itself frees, or a bg_shield around the call.
 *
 * fn runs on a plain thread, with all of the program's signals blocked: it may do what blocks,
 * but not what only a task can. It may use bg_runtime_spawn, and what plain threads may wait for.
 *
 * In a task. Suspends. Fails with -ECANCELED or -ETIMEDOUT, as every wait; fn has then not been
 * called and never will be, or it is being called and its result is dropped. -ENOMEM: fn is not
 * called. -EAGAIN: likewise, no thread could be made and the pool has none. -EINVAL: fn is NULL.
 */
BG_API int bg_blocking(bg_fn fn, void *arg);

/*
 * int bg_blocking_with(fn, type, ...initialiser): likewise, with a copy of a `type` object, which
 * lives until fn has returned, however long that is after this call:
 *     bg_blocking_with(look_up, struct query, .host = "example.org", .out = out)
 * What it points to is not copied. C++17: the initialiser is that of `type{...}`.
 */
#ifdef __cplusplus
#define bg_blocking_with(fn, type, ...)                                                            \
    ([&]() -> int {                                                                                \
        type bg_detail_value{__VA_ARGS__};                                                         \
        return bg_blocking_copy((fn), &bg_detail_value, sizeof(type));                             \
    }())
#else
#define bg_blocking_with(fn, type, ...) bg_blocking_copy((fn), &(type){__VA_ARGS__}, sizeof(type))
#endif
/* Copies arg_size bytes at arg, aligned as malloc aligns. Else as bg_blocking. */
BG_API int bg_blocking_copy(bg_fn fn, const void *arg, size_t arg_size);

BG_END_DECLS

#endif

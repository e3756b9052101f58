/*
 * Groups: tasks that end together. No task outlives the block it was spawned in.
 *
 *     int rc;
 *     bg_group(g, .limit = 8, .result = &rc) {
 *         for (int i = 0; i < n; i++) {
 *             bg_group_spawn(&g, fetch, &url[i]);
 *         }
 *     }
 *
 * Leaving the block, by any road (its end, break, return, goto), waits for all members. As in
 * asyncio's TaskGroup and Trio's nurseries, the first member that fails (returns a negative value,
 * but for -ECANCELED) cancels the rest: all other members, and the waits of the owner within the
 * block, which return -ECANCELED from then on. The block's result is that first failure. When the
 * owner is cancelled, or a deadline around the group passes, while it waits for the members, they
 * are cancelled and waited for.
 *
 * The handles of members belong to the group. A member may spawn further members, and so may any
 * task that knows the group is still open.
 */
#ifndef BRIGADE_GROUP_H
#define BRIGADE_GROUP_H

#include <brigade/detail/options.h>
#include <brigade/scope.h>
#include <brigade/task.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/* A group; must stay in place while it is open. */
typedef struct bg_group {
    uintptr_t opaque[24];
} bg_group_t;

/* A member's failure. */
typedef struct bg_failure {
    int result;
    char name[28]; /* the member's, cut to fit; "" for an unnamed one */
} bg_failure;

typedef struct bg_group_options {
    size_t size;    /* filled in by the macros: sizeof(bg_group_options) */
    size_t limit;   /* at most so many members at once: spawning waits for one to end; 0: any */
    int *result;    /* of the block form: what bg_group_close gives. NULL: a failure is reported */
    int keep_going; /* not 0: a failure does not cancel the rest */
    int results;    /* not 0: results are kept for bg_group_next; see there */
    bg_failure *failures; /* the first max_failures failures go here, in order of time ... */
    size_t max_failures;
    size_t *failed; /* ... and how many there were goes here, at the end */
} bg_group_options;

/*
 * int bg_group_open(bg_group_t *, ...options): opens a group around what follows, in the calling
 * task, its owner; to be closed by bg_group_close. It is a scope like those of brigade/scope.h, and
 * nests with them.
 *
 * In a task. Does not suspend. Returns 0; -EINVAL for options that are not valid; -EPERM outside of
 * tasks (misuse in debug builds). *result is then the same, and the group is closed already.
 */
#define bg_group_open(...) BG_DETAIL_CALL1(bg_group_open_opts, bg_group_options, __VA_ARGS__)
BG_API int bg_group_open_opts(bg_group_t *group, const bg_group_options *options);

/*
 * int bg_group_spawn(bg_group_t *, bg_fn fn, void *arg, ...options): bg_spawn of a member, with its
 * options. Waits while .limit members live.
 *
 * In a task. Suspends only for the limit; can then be cancelled. (A member that spawns at the limit
 * waits for others to end: if all do so, for ever.) Returns 0; -ECANCELED when the group was
 * cancelled, by a failure too, or the caller; -ETIMEDOUT; -ENOMEM, or -EINVAL for options that are
 * not valid: these count as a failure of the group.
 */
#define bg_group_spawn(...) BG_DETAIL_CALL3(bg_group_spawn_opts, bg_spawn_options, __VA_ARGS__)
BG_API int bg_group_spawn_opts(bg_group_t *group, bg_fn fn, void *arg,
                               const bg_spawn_options *options);

/* bg_group_spawn_with(group, fn, type, ...initialiser): likewise with a copy of an object, as
 * bg_spawn_with. */
#ifdef __cplusplus
#define bg_group_spawn_with(group, fn, type, ...)                                                  \
    ([&]() -> int {                                                                                \
        type bg_detail_value{__VA_ARGS__};                                                         \
        return bg_group_spawn_copy((group), (fn), &bg_detail_value, sizeof(type), nullptr);        \
    }())
#else
#define bg_group_spawn_with(group, fn, type, ...)                                                  \
    bg_group_spawn_copy((group), (fn), &(type){__VA_ARGS__}, sizeof(type), NULL)
#endif
/* Copies arg_size bytes at arg. options may be NULL. Else as bg_group_spawn. */
BG_API int bg_group_spawn_copy(bg_group_t *group, bg_fn fn, const void *arg, size_t arg_size,
                               const bg_spawn_options *options);

/*
 * Cancels all members, and the waits of the owner within the block. What the owner waits for when
 * it closes the group is not affected. From any task or thread that knows that the group is open;
 * does not suspend. Returns 0.
 */
BG_API int bg_group_cancel(bg_group_t *group);

/*
 * The results of members as they end: waits for the next one and stores its result in *result
 * (unless NULL). Results of members that ended before wait in the group, each taken once: this is
 * for a group opened with .results; one without does not keep them, so that a group can serve for
 * ever.
 *
 * In a task. Suspends. Returns 0; -ENOENT when all results have been taken and no member lives;
 * -EINVAL for a group without .results; -ECANCELED or -ETIMEDOUT when the caller is to end: nothing
 * was taken. The cancelling of the group itself does not end it: the members' results still come.
 */
BG_API int bg_group_next(bg_group_t *group, int *result);

/*
 * Waits for all members and leaves the scope. The owner only, for its innermost scope.
 *
 * In a task. Suspends. When the owner is cancelled meanwhile, or a deadline passes, the members are
 * cancelled and waited for all the same. Returns the first failure; else -ECANCELED or -ETIMEDOUT
 * when that was why members were cancelled (-ECANCELED after bg_group_cancel); else 0. Failures
 * that were neither returned so nor had a place in .failures are reported through the hook of
 * bg_set_failure_hook(). Results nobody took are dropped.
 */
BG_API int bg_group_close(bg_group_t *group);

/* Of bg_group: closes it, and tells *result. */
BG_API void bg_detail_group_end(bg_group_t *group);

BG_END_DECLS

/* bg_group(name, ...options) { ... }: a block with a group of that name. When it cannot be opened
 * the block is not run, and *result says why. */
#define bg_group(...)                                                                              \
    BG_DETAIL_GROUP(BG_DETAIL_PASTE(bg_detail_group_, __LINE__), __VA_ARGS__,                      \
                    .size = sizeof(bg_group_options))
#define BG_DETAIL_GROUP(once, g, ...)                                                              \
    for (bg_group_t g __attribute__((cleanup(bg_detail_group_end))),                               \
         *once = BG_DETAIL_CALL1_(bg_group_open_opts, bg_group_options, &g, __VA_ARGS__) == 0      \
                     ? &g                                                                          \
                     : NULL;                                                                       \
         once != NULL; once = NULL)

#endif

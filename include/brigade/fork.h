/*
 * Fork and join: calls that may run beside the caller, on another core, and cost little more than a
 * call when they do not.
 *
 *     bg_fork_frame f;
 *     bg_fork(&f, left_half, &left);
 *     int b = right_half(&right);
 *     int a = bg_join(&f);
 *
 * A fork waits in its caller's frame. When a worker has nothing to do it gets the oldest fork of
 * one that has; what nobody took by the time it is joined, the caller runs itself, as a plain call
 * on its own stack: no task, no stack, no allocation. A function that another worker runs is a task
 * of its own, with a stack as large as its caller's: it may sleep, lock, send, fork, and wait for
 * whatever a task may.
 *
 * Where no task can be had for a fork (no memory, .max_tasks), its caller runs it when it joins it.
 * So what waits for something that a fork of its own does, before it joins that, can wait for ever
 * then.
 *
 * Forks are strict: each is joined, by the task that made it, before the frame goes, and the newest
 * first. Debug builds catch one that is not.
 *
 * For functions with arguments and results of any type see BG_TASK (brigade/typed.h), which
 * defines name_fork and name_join.
 */
#ifndef BRIGADE_FORK_H
#define BRIGADE_FORK_H

#include <brigade/detail/fork.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/* A fork; stays in place until it is joined. */
typedef struct bg_fork_frame {
    bg_detail_fork detail;
    bg_fn fn;
    void *arg;
    int result;
} bg_fork_frame;

static inline void bg_detail_fork_run(bg_detail_fork *fork)
{
    bg_fork_frame *frame = (bg_fork_frame *)(void *)fork;
    frame->result = frame->fn(frame->arg);
}

/*
 * fn(arg) may now be run by another worker, until bg_join. `frame` need not be set up; it, and
 * `arg`, are the caller's and stay until then.
 *
 * In a task; elsewhere, in a callback or on a plain thread, the function is run by bg_join. Does
 * not suspend. Cannot fail.
 *
 * Source: lazy task creation (Mohr, Kranz and Halstead, 1990): the forks are a list of the owner's,
 * which makes a task of the oldest when somebody asks for work.
 */
static inline void bg_fork(bg_fork_frame *frame, bg_fn fn, void *arg)
{
    frame->fn = fn;
    frame->arg = arg;
    bg_detail_fork_begin(&frame->detail, bg_detail_fork_run);
}

/*
 * The result of a fork: runs the function if nobody else has begun to, else waits for it.
 *
 * In the task, or on the thread, that forked. Suspends when another worker runs it, or when the
 * function does. When the caller is cancelled meanwhile, or a deadline around it passes, so is the
 * function, as in bg_await; its end is waited for, and its result given, all the same. The function
 * is always run, be it in a task that is to end: its own waits then fail.
 */
static inline int bg_join(bg_fork_frame *frame)
{
    if (bg_detail_fork_end(&frame->detail)) {
        return frame->result;
    }
    return frame->fn(frame->arg);
}

BG_END_DECLS

#endif

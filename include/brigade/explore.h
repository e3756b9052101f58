/*
 * Deterministic mode: one seed, one schedule, virtual time.
 *
 * bg_run(fn, arg, .seed = n) runs the program on the calling thread alone, which plays all .workers
 * (default 4, whatever the machine has). Which worker goes on, what it steals, which of two tasks
 * comes first: every choice is drawn from the seed, so the same seed gives the same run, event by
 * event, as long as the program itself depends on nothing else (real time, other threads,
 * addresses, unseeded random numbers). Another seed gives another schedule. Each is one that
 * so many real workers could have had; a task is interrupted at calls of brigade only, so races
 * within plain code between two calls are for the thread sanitizer.
 *
 * Time is virtual. bg_now() starts at the same value in each run and stands still while anything
 * can run; when nothing can, it jumps to the next timer. So a sleep of an hour costs nothing, and
 * ends on time. (A program that polls bg_now() in a loop of yields sees it move as well, after
 * 100,000 steps.)
 *
 * When no task can run and no timer is set, none ever will: a deadlock. It is reported on stderr:
 * each task that lives, its name, what it waits for and since when, and its stack. Then all tasks
 * are cancelled, so that they clean up, and bg_run returns -EDEADLK. Waking a task from a plain
 * thread is therefore not for this mode; nor do blocking calls have a place in its time.
 *
 * The environment variable BRIGADE_SEED=n stands in for .seed in every bg_run: to replay a run, or
 * to have any program run this way. BRIGADE_SEED=0 turns the mode off; one that is no number makes
 * bg_run return -EINVAL.
 *
 * Schedules are random walks and, for every other seed or so, PCT schedules: Burckhardt, Kothari,
 * Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
 * bugs" (ASPLOS 2010). The idea of testing so is that of FoundationDB's simulation.
 */
#ifndef BRIGADE_EXPLORE_H
#define BRIGADE_EXPLORE_H

#include <brigade/detail/options.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_explore_options {
    size_t size;       /* filled in by the macro: sizeof(bg_explore_options) */
    uint64_t seeds;    /* how many; 0: 1000 */
    uint64_t first;    /* the first of them; 0: 1 */
    unsigned workers;  /* as for bg_run; 0: 4 */
    size_t stack_size; /* as for bg_run */
    size_t max_tasks;  /* as for bg_run */
} bg_explore_options;

/*
 * int bg_explore(bg_fn fn, void *arg, ...options): runs fn(arg) as the main task of a fresh
 * deterministic runtime, once for each seed, until a run fails: fn returns a negative value, or
 * there is a deadlock. fn has to set up what it uses anew each time.
 *
 * Returns 0 when no seed fails; else what the failing run returned, after one line on stderr that
 * names the seed and says how to replay it. A run that kills the process (an assertion, a
 * crash) names its seed as well. With BRIGADE_SEED set, that seed alone is run.
 *
 * From a plain thread; blocks it. -EINVAL for options that are not valid, a NULL fn or a
 * BRIGADE_SEED that is no number or 0; -EBUSY from within a task; -ENOMEM.
 */
#define bg_explore(...) BG_DETAIL_CALL2(bg_explore_opts, bg_explore_options, __VA_ARGS__)
BG_API int bg_explore_opts(bg_fn fn, void *arg, const bg_explore_options *options);

/* The seed of the run the caller is part of, 0 outside of the deterministic mode: for a program
 * that draws random numbers of its own. From any thread; does not suspend. */
BG_API uint64_t bg_seed(void);

BG_END_DECLS

#endif

/*
 * What the helpers stand on in the interpreter (helpers_types.h): one run at a time in a process.
 */
#ifndef BGP_WORLD_H
#define BGP_WORLD_H

#include "program.h"

#include "base/atomic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef bgi_atomic word;
typedef bgi_word word_value;

static inline word_value load(const word *w)
{
    return bgi_load(w);
}

static inline word_value load_acquire(const word *w)
{
    return bgi_load_acquire(w);
}

static inline void store(word *w, word_value v)
{
    bgi_store(w, v);
}

static inline void store_release(word *w, word_value v)
{
    bgi_store_release(w, v);
}

static inline word_value add(word *w, word_value n)
{
    return bgi_fetch_add_relaxed(w, n);
}

static inline word_value add_full(word *w, word_value n)
{
    return bgi_fetch_add(w, n);
}

#include "helpers_types.h"

#include "helpers_shared.h"

struct bgp_world {
    const struct bgp_program *program;
    struct task *task;
    struct call *call;
    struct timer *timer;
    struct group *group; /* from 1 on */
    struct sign *sign;   /* likewise */
    struct lock lock[LOCKS];
    struct bell bell[BELLS];
    struct chan chan[CHANS];
    struct wire wire[WIRES];
    struct blocked blocked_calls;
    struct future future[FUTURES];
    size_t task_room, call_room, timer_room, group_room, sign_room;
    bg_runtime *rt; /* of BGP_FOREIGN */
    word leaving, all_spawned, forks_made, pending_calls, failed_calls;
    uint64_t trace; /* BGP_SEEDED: everything that was seen, in order */
};

extern struct bgp_world bgp_world;

#define tasks bgp_world.task
#define calls bgp_world.call
#define timers bgp_world.timer
#define groups bgp_world.group
#define signs bgp_world.sign
#define locks bgp_world.lock
#define bells bgp_world.bell
#define chans bgp_world.chan
#define wires bgp_world.wire
#define futures bgp_world.future
#define blocked bgp_world.blocked_calls
#define leaving bgp_world.leaving
#define all_spawned bgp_world.all_spawned
#define pending_calls bgp_world.pending_calls
#define forks_made bgp_world.forks_made
#define failed_calls bgp_world.failed_calls
#define runtime bgp_world.rt
#define TASKS ((int)bgp_world.program->ntasks)
#define CALLS ((int)bgp_world.program->ncalls)
#define GROUPS ((int)bgp_world.program->ngroups)
#define SIGNS ((int)bgp_world.program->nsigns)
#define LEAVES (bgp_world.program->leave)

/* Counts, and keeps the words of the first (trial.h). */
void bgp_failed(int t, const char *file, int line, const char *what);

#define CHECK(t, condition)                                                                        \
    ((condition) ? (void)0 : bgp_failed((t), __FILE__, __LINE__, #condition))

/* Of run.c, for the kinds of operations: spawns task c on its own terms; runs the operations of t
 * from one up to another, and returns the code of the wait after which t left them, or 0. */
int bgp_body(void *arg); /* of a task that was not copied: its number */
bg_task *bgp_spawn(int c);
int bgp_run_ops(int t, uint32_t from, uint32_t to);

#endif

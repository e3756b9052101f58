/*
 * The stall detector of debug builds: an item that goes on for long without an end or a suspension
 * delays all who wait behind it, and is reported once, with its task's name.
 *
 * The monitor has found out that the worker is stuck (core/monitor.c), not just waiting for a core.
 * From then on it adds up the processor time of the worker's thread, and the time it is blocked in
 * the kernel. At BRIGADE_STALL_MS milliseconds (0: never) it reports.
 *
 * The task may end, and its name be freed, while the monitor reads: so the worker copies the name's
 * beginning into words of its own whenever it begins or resumes something. They form a sequence
 * lock: `turn` has the bit TURN set while they change, and says what the worker is at. Most tasks
 * have no name, and cost one store.
 *
 * Partners: turn, name: bgi_stall_began (release, so that no word of a name is seen before the turn
 * with TURN set, nor the next turn before any of them) -> the monitor (acquire, turn first and
 * last).
 */
#ifndef BGI_STALL_H
#define BGI_STALL_H

#include "base/atomic.h"

#include <brigade/types.h>

struct bgi_fiber;
struct bgi_sched;
struct bgi_worker;

enum bgi_stall_kind { BGI_STALL_NOTHING, BGI_STALL_TASK, BGI_STALL_CALLBACK };
enum { BGI_STALL_NAME_WORDS = 6, BGI_STALL_DEFAULT_MS = 100 };

/* The parts of `turn`: the kind, whether there is a name, and a count of changes, by halves. */
enum { BGI_STALL_KIND = 3, BGI_STALL_NAMED = 4, BGI_STALL_TURN = 8 };

struct bgi_stall_report {
    enum bgi_stall_kind kind;
    const char *name; /* "": it has none; its beginning, if it is long */
    unsigned worker;
    bg_duration lasts;
    int blocked; /* in the kernel; 0: it computes */
};

typedef void (*bgi_stall_hook)(const struct bgi_stall_report *r, void *arg);

#if BGI_DEBUG

struct bgi_stall {
    /* The worker's. */
    bgi_atomic turn;
    bgi_atomic name[BGI_STALL_NAME_WORDS];
    /* The monitor's. */
    int watched, reported;
    bg_time seen_cpu, seen_at;
    bg_duration computed, blocked;
};

/* The worker begins or resumes a fiber; or, NULL, a callback. */
void bgi_stall_began(struct bgi_worker *w, const struct bgi_fiber *f);

/* The worker is back in its loop. */
void bgi_stall_nothing(struct bgi_worker *w);

/* Reads the threshold from the environment; before the threads start. */
void bgi_stall_setup(struct bgi_sched *s);

/* The monitor, at each look: is_stuck says that the worker's item is the same, and not for want of
 * a core. */
void bgi_stall_look(struct bgi_worker *w, int is_stuck);

/* For tests: reports go there and not to stderr. On the monitor's thread. Before a runtime starts.
 */
void bgi_stall_set_hook(bgi_stall_hook hook, void *arg);

/* The milliseconds that a text asks for, as nanoseconds; -1: it is not a number, or too large. */
bg_duration bgi_stall_parse(const char *text);

#else

BGI_INLINE void bgi_stall_began(struct bgi_worker *w, const struct bgi_fiber *f)
{
    (void)w;
    (void)f;
}

BGI_INLINE void bgi_stall_nothing(struct bgi_worker *w)
{
    (void)w;
}

BGI_INLINE void bgi_stall_setup(struct bgi_sched *s)
{
    (void)s;
}

BGI_INLINE void bgi_stall_look(struct bgi_worker *w, int is_stuck)
{
    (void)w;
    (void)is_stuck;
}

#endif

#endif

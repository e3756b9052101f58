/*
 * The deterministic mode: one thread plays all workers, on a clock that only it moves.
 *
 * Each worker is real (queues, timers, next slot), but none has a thread. The loop below picks a
 * worker, and has it take one step: take an item (its own queues, the injector, somebody else's
 * queues, due timers), or run the one it has in hand until that suspends, ends or passes a point
 * at which a thread could be held up. Which worker, whether it is held up with an item in hand, and
 * whom it steals from is drawn from the seed; nothing else decides, no address and no real time. So
 * one seed is one schedule, and every schedule is one that as many threads could have had.
 *
 * A fiber never picks its successor here: the budget of every worker stays 0, so that
 * bgi_worker_pick says no, and each suspension comes back to the loop. The paths of other
 * runtimes thus need no look at the mode.
 *
 * How a worker is picked, drawn from the seed:
 *   walk  the same one goes on, with a probability of the seed's own, else any
 *   PCT   workers have priorities, the highest that can do something does; at a few steps drawn
 *         beforehand the one that runs falls below all others. After Burckhardt, Kothari,
 *         Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of
 *         finding bugs" (ASPLOS 2010). The length of the run is not known beforehand, so the steps
 *         are drawn evenly in their logarithm. A worker whose task yields falls likewise, now and
 *         then: the task may be waiting for one that has a lower priority.
 *
 * Time. The clock moves when nothing can run, to the next timer. A program that polls the clock
 * would wait for ever: after STEPS_WITHOUT_TIME steps the clock moves all the same, to the next
 * timer or by a millisecond.
 *
 * When nothing can run the driver is asked before the clock moves: descriptors are real. When no
 * timer is set either, it waits for them; when nobody waits for any, nothing will ever run: the
 * owner is asked (dead_end).
 */
#ifndef BGI_SIM_H
#define BGI_SIM_H

#include "core/fiber.h"

/* What a suspended fiber waits in, from when; in its stack's record (bgi_stack.note). */
struct bgi_sim_wait {
    bgi_commit commit; /* NULL: nothing, it is ready or has not run */
    void *arg;
    bg_time since;
};

/* Makes s, which was just created, a deterministic one: 0 or -ENOMEM. */
int bgi_sim_create(bgi_sched *s, uint64_t seed);
void bgi_sim_destroy(bgi_sched *s);

/* The loop, on a thread that is worker 0: until the scheduler stops or the owner gives up. */
void bgi_sim_run(bgi_sched *s);

/* A point at which the running fiber may be held up while other workers go on. Nothing if no fiber
 * runs. The caller holds no lock. */
void bgi_sim_point(bgi_sched *s);

/* The worker goes on with the item before it takes another. */
void bgi_sim_hand(bgi_worker *w, bgi_item *item);

bg_time bgi_sim_now(const bgi_sched *s);
uint64_t bgi_sim_seed(const bgi_sched *s);

struct bgi_sim_wait bgi_sim_waits(const bgi_fiber *f);

/* What is in a wait's commit, for reports. */
typedef struct bgi_wait_kind {
    bgi_commit commit;
    const char *call;                                     /* the public function, or NULL: */
    const char *(*call_of)(void *arg);                    /* one of several, as arg says */
    void (*describe)(void *arg, char *text, size_t size); /* what it waits for; text is not empty */
} bgi_wait_kind;

#endif

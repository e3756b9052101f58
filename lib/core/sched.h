/*
 * The scheduler: workers that run work items, steal from each other and sleep when there is none.
 *
 * Each worker has a deque for forks, a FIFO run queue with a next slot, a timer wheel, and a loop
 * on its thread's own stack. It knows items (core/item.h), not coroutines.
 *
 * Who looks for work, and who is woken
 *   A submitter puts the item in a queue, makes a full fence, and wakes a sleeper only when nobody
 *   is searching. A searcher that finds something leaves the searching state; the last one to do
 *   so looks whether there is more and wakes the next. A sleeper announces itself, leaves the
 *   searching state, makes a full fence and looks into every queue once more. So while there is
 *   work in a queue there is a worker that is awake and will look, or has just been woken to look
 *   (queue/eventcount.h has the argument in full). At most half of the workers search at once.
 *
 *   An item put in the next slot wakes nobody, as a rule: its worker takes it as soon as the
 *   present task waits, and moving it would cost more than that. Where that proves wrong again and
 *   again, as the tasks compute for some microseconds first, a sleeper is woken (core/submit.c).
 *   Should the present task not wait at all, the monitor has the item stolen within two of its
 *   periods.
 *
 * Idle words, and their partners
 *   searching  how many search; fetch_add by whoever wakes a sleeper (on its behalf) or starts to
 *              search; fetch_sub by who stops. Read by submitters after their fence.
 *   leader     index + 1 of the idle worker that leads; cas 0 -> own, stored back to 0 by itself.
 *   leader_until  until when it will sleep, INT64_MIN.. while it is being worked out (core/park.c).
 *
 *   held_up    a worker is stuck: stored by the monitor (release), read by searchers (acquire).
 *   place      where a worker is: stored by itself, read by thieves, who look at near ones first.
 *              Relaxed: a hint (core/steal.c).
 *   robbed     its next slot was taken: stored by thieves, taken back by the worker (core/steal.c).
 *              Relaxed: a hint.
 *   offered    a fork that the running item has made and the monitor has taken: 0 -> item by the
 *              monitor (release), item -> 0 by who runs it (compare-and-swap, acquire), or by who
 *              joins it and has no more use for it (relaxed: it knows the task by own_lock).
 *   forks_tick, forks_base  stored by the worker, the base first, before it pushes to `forks`; read
 *              by the monitor. Relaxed: hints. A look that finds one new and the other old may call
 *              a spare, or none; the next look sees both.
 *   in_callback  stored by the worker; for the monitor's judgement a hint as well. When it takes a
 *              fork it is ordered by `newest` (parallel/fork.c).
 *   budget     counted down by its worker with plain stores; the monitor may store 1, which the
 *              owner may overwrite: the monitor then does it again. Relaxed: it guards no data.
 *
 * A worker's `state`: who may move it
 *   ABSENT  -> ACTIVE    the starter, before the thread exists (spare: the monitor)
 *   ACTIVE  -> ABSENT    the monitor, when the thread could not be had
 *   ACTIVE  -> IDLE      itself, before it announces that it sleeps
 *   IDLE    -> ACTIVE    itself, when it has woken
 *   ACTIVE  -> RETIRED   itself, a spare one that is no longer needed
 *   RETIRED -> ACTIVE    the monitor, which then kicks it, or itself, when many of its timers are
 * due at once; by compare-and-swap, and who did it counts it as active
 */
#ifndef BGI_SCHED_H
#define BGI_SCHED_H

#include "arch/context.h"
#include "arch/lock.h"
#include "arch/topology.h"
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/random.h"
#include "core/driver.h"
#include "core/item.h"
#include "core/stall.h"
#include "core/timers.h"
#include "queue/deque.h"
#include "queue/eventcount.h"
#include "queue/injector.h"
#include "queue/runq.h"
#include "stack/stack.h"

#include <brigade/detail/fork.h>
#include <signal.h>

#define BGI_WORKERS_MAX 1024
#define BGI_SPARES_MAX 64
/* Items run between two looks at the clock, the injector and the driver; prime, as in Go. */
#define BGI_BUDGET 61
/* And the time between them, at most, about: fewer items are run when they take long. */
#define BGI_LOOK_PERIOD (500 * BG_US)
/* How often the monitor looks while somebody works. A task is stuck after two looks. */
#define BGI_MONITOR_PERIOD (1 * BG_MS)

enum bgi_worker_state { BGI_ABSENT, BGI_ACTIVE, BGI_IDLE, BGI_RETIRED };

struct bgi_fiber;
struct bgi_sched;
struct bgi_sim;

/* Runs off the stack of the fiber that suspends; see core/fiber.h. */
typedef int (*bgi_commit)(struct bgi_worker *w, struct bgi_fiber *self, void *arg);

/* What `attention` of a worker's forks says. */
enum { BGI_FORKS_WANTED = 1, BGI_FORKS_TAKEN = 2 };

typedef struct bgi_worker {
    bg_detail_forks own; /* first: what the running task has forked (parallel/fork.c) */
    /* The owner's, on the paths of every switch. */
    struct bgi_sched *sched;
    struct bgi_fiber *current; /* NULL in the loop */
    bgi_commit commit;         /* what the one who left wants done; NULL for nothing */
    struct bgi_fiber *commit_fiber;
    void *commit_arg;
    bgi_item *handoff; /* found by a fiber, to be run by the loop */
    bgi_atomic budget; /* items until the next look around; the monitor may set it to 1 */
    unsigned index;
    int cpu;         /* to which it is pinned, or -1 */
    bgi_atomic tick; /* items run; the monitor reads it */
    bgi_context loop;
    /* The owner's, on the paths of a search. */
    struct bgi_random random;
    int searching;
    int more;         /* the driver's: it took as much as it takes at once; there may be more */
    unsigned in_vain; /* searches since the last that waited, and found what came meanwhile */
    int was_injected; /* when it last had nothing of its own, there was something in the injector */
    int is_spare;
    bg_time looked;    /* when it last looked around, roughly */
    bgi_word allotted; /* its budget from then on */
    bg_duration pace;  /* so long an item takes of late, about; a long time at first */
    bg_time paced_at;  /* from then on, and from this tick on, those are counted in it */
    bgi_word paced_tick;
    unsigned tell_in, tell_every; /* items in the next slot until it wakes somebody (submit.c) */
    /* Others look at these. */
    bgi_runq queue;
    bgi_deque forks;
    bgi_atomic offered; /* an item, or 0: as if it were the oldest of forks */
    bgi_timers timers;
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic state;
    bgi_ec_node node;
    bgi_thread thread;
    int has_thread;
    bgi_atomic tid; /* the kernel's number of the thread; stored once by it, read by the monitor */
    bgi_atomic held_up;     /* the monitor: it is stuck; whoever searches may settle its timers */
    bgi_atomic robbed;      /* a thief has taken its next slot (core/steal.c) */
    bgi_atomic place;       /* where it was when it last searched (arch/topology.h); a hint */
    bgi_lock own_lock;      /* of what follows, and of `own` for all but its fast paths */
    bgi_atomic in_callback; /* its own: what it forks now cannot be waited for; read by the monitor,
                               partner: `newest` */
    bg_time forked_at;      /* its own: when `own` began to be not empty, if others waited then */
    bg_duration patience;   /* its own: so old are its forks before somebody is woken for them */
    bg_detail_fork *taken; /* the oldest of `own`, which has been given a task meanwhile; or NULL */
    bgi_atomic forks_tick; /* its own: of the item that has last pushed to `forks`, */
    bgi_atomic forks_base; /* and from where on what is there is that item's; hints */
    /* The monitor's. */
    bgi_word seen_tick;
    unsigned same_tick;
    bg_time seen_cpu, same_cpu;
    bgi_word seen_first, seen_fork, seen_next, seen_offered, offered_tick;
#if BGI_DEBUG
    struct bgi_stall stall;
#endif
    /* Counters, written by the owner, read by anybody. */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic steals;
    bgi_atomic failed; /* searches that found nothing */
    bgi_atomic parks;
    bgi_atomic fired;
} bgi_worker;

struct bgi_sched_config {
    unsigned workers; /* >= 1 */
    unsigned spares;  /* at most BGI_SPARES_MAX */
    size_t stack_size;
    const char *name;
    bgi_driver *driver; /* NULL: bgi_driver_default */
    /* The task layer: runs a fiber's body on its stack and ends it; what may run next, or NULL. */
    bgi_item *(*body)(bgi_worker *w, struct bgi_fiber *f);
    /* The task layer: a fiber's name, for reports; NULL: they have none. */
    const char *(*name_of)(const struct bgi_fiber *f);
    /* The task layer: an item left in a queue when nothing runs any more, a timer left in a wheel.
     */
    void (*drop_item)(bgi_item *item);
    void (*drop_timer)(bgi_timer *t);
    /* The task layer: there is no stack for this fiber; ends it. */
    void (*no_stack)(bgi_worker *w, struct bgi_fiber *f);
    void *owner;   /* the task layer's own */
    uint64_t seed; /* 0, or the deterministic mode's (core/sim.h), which has no threads */
    /* The running fiber is to leave its worker, and `own` is not empty: empties it. */
    void (*share)(bgi_worker *w);
    int steal_forks;      /* for tests: no fork is run by who joins it */
    int pin;              /* each regular worker is bound to a CPU */
    bg_duration patience; /* that of a worker at most */
    /* The monitor: the worker is stuck, others are idle, and `own` may have something for them. */
    void (*take_fork)(bgi_worker *w);
    /* Called by the monitor at each look after bgi_sched_ending; NULL: nothing is. */
    void (*lingers)(struct bgi_sched *s);
    /* Of the deterministic mode: nothing can run and no timer is set. Whether to go on. */
    int (*dead_end)(struct bgi_sched *s);
};

typedef struct bgi_sched {
    struct bgi_sched_config config;
    unsigned workers; /* regular ones; the spares' places follow them */
    unsigned places;  /* workers + spares at most */
    bgi_worker *worker;
    bgi_stack_pool *stacks;
    bgi_driver *driver;
    struct bgi_sim *sim; /* NULL but in the deterministic mode */
    bgi_injector injector;
    bgi_eventcount idle;
    const bgi_topology *topology; /* NULL: all workers are near each other */
    unsigned far;                 /* the farthest that two can be apart */
    int rests_alone;    /* a worker without others: there is a CPU for who gives it work */
    bgi_cpu_set usable; /* pinned workers: by all other threads */
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic searching;
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic leader;
    bgi_atomic leader_until;
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic stopping;
    bgi_atomic used;          /* places that have ever been used: the victims */
    bgi_atomic stuck;         /* workers the monitor holds for stuck */
    bgi_atomic spares_active; /* spares neither absent nor retired */
    bgi_atomic spares_peak;
    bgi_atomic visitors; /* threads that are not its workers, between giving it an item and the
                            end of the call; destroy waits for them (release -> acquire) */
    bgi_atomic ending; /* 0 -> 1 by bgi_sched_ending; read by the monitor, which the kick orders */
    bgi_atomic monitor_asleep; /* it waits without an end, to be kicked by who wakes up */
    bgi_ec_node monitor_node;
    unsigned unhelped; /* the monitor's: looks in a row that found help to be needed */
    bgi_thread monitor;
    int has_monitor;
#if BGI_DEBUG
    bg_duration stall_after; /* 0: stalls are not reported */
#endif
} bgi_sched;

/* ---- core/sched.c: life ---- */

/* Makes a scheduler; nothing runs yet. Returns 0, -EINVAL, -ENOMEM. */
int bgi_sched_create(bgi_sched **out, const struct bgi_sched_config *config);

/* Starts the monitor and the threads of the workers, but worker 0's if `caller_is_first`: the
 * caller then runs bgi_worker_run on it. On failure (-EAGAIN, -ENOMEM) nothing runs. */
int bgi_sched_start(bgi_sched *s, int caller_is_first);

/* Blocks the program's signals, which are the business of the program's threads, for the calling
 * thread and so for those it creates, until it sets its mask back to *before. A thread's own ones
 * (SIGSEGV and its like) are let through. */
void bgi_signals_hold(sigset_t *before);

/* All are asked to end: from now on the monitor calls config.lingers, until bgi_sched_stop. Any
 * thread. */
void bgi_sched_ending(bgi_sched *s);

/* Has every worker leave its loop when it has run what it is running. Any thread. */
void bgi_sched_stop(bgi_sched *s);

/* Waits for the threads, after stop. */
void bgi_sched_join(bgi_sched *s);

/* After join. Items and timers still queued are dropped. */
void bgi_sched_destroy(bgi_sched *s);

/* ---- core/check.c: see core/check.h ---- */

#if BGI_DEBUG
/* Panics when the scheduler, all its queues included, is not as it should be. When one thread plays
 * all workers, or nothing runs. Writes to the links of items in run queues, where they mean
 * nothing. */
void bgi_sched_check(bgi_sched *s);
#else
BGI_INLINE void bgi_sched_check(bgi_sched *s)
{
    (void)s;
}
#endif

/* ---- core/worker.c: the loop ---- */

/* The loop of a worker, on the calling thread, until the scheduler stops. */
void bgi_worker_run(bgi_worker *w);

/* The loop alone, on a thread that is the worker's already. */
void bgi_worker_loop(bgi_worker *w);

/* Notes where the calling thread, which is the worker's, is now, if that matters. */
void bgi_worker_locate(bgi_worker *w);

/* The calling thread's worker, or NULL. Never keep it across a suspension. */
extern __thread bgi_worker *bgi_worker_tls __attribute__((tls_model("initial-exec")));

/* Its list of forks; without a worker one that is nobody's, whose attention is asked for: so the
 * inlined paths of brigade/detail/fork.h need not ask whether there is one. */
extern __thread bg_detail_forks *bgi_forks_tls __asm__("bg_detail_forks_tls")
    __attribute__((tls_model("initial-exec"), visibility("default")));
extern bg_detail_forks bgi_no_forks;

/* The calling thread is that of w from now on; NULL: of none. */
BGI_INLINE void bgi_worker_is(bgi_worker *w)
{
    bgi_worker_tls = w;
    bgi_forks_tls = w == NULL ? &bgi_no_forks : &w->own;
}

#if !(defined(__x86_64__) && defined(__LP64__)) && !defined(__aarch64__)
bgi_worker *bgi_worker_slow_self(void);
#endif

BGI_INLINE bgi_worker *bgi_worker_self(void)
{
    bgi_worker *w;
#if defined(__x86_64__) && defined(__LP64__)
    /* The address of a thread-local moves with the task, so the compiler must not keep it. */
    __asm__ __volatile__("movq bgi_worker_tls@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(w));
#elif defined(__aarch64__)
    bgi_worker **p;
    __asm__ __volatile__("mrs %0, tpidr_el0\n\t"
                         "adrp %1, :gottprel:bgi_worker_tls\n\t"
                         "ldr %1, [%1, #:gottprel_lo12:bgi_worker_tls]\n\t"
                         "ldr %1, [%0, %1]"
                         : "=&r"(p), "=&r"(w));
#else
    w = bgi_worker_slow_self();
#endif
    return w;
}

/* One item less until the next look around; 0 when it is time. */
BGI_INLINE int bgi_worker_spend(bgi_worker *w)
{
    bgi_word left = bgi_load(&w->budget);
    if (bgi_unlikely(left <= 1)) {
        return 0;
    }
    bgi_store(&w->budget, left - 1);
    return 1;
}

/* What this worker should run next from its own queues, or NULL: none, or time to look around. */
BGI_INLINE bgi_item *bgi_worker_pick(bgi_worker *w)
{
    if (bgi_unlikely(!bgi_worker_spend(w))) {
        return NULL;
    }
    struct bgi_link *l = bgi_runq_pop(&w->queue);
    return l == NULL ? NULL : bgi_item_of(l);
}

/* Counts an item about to be run. */
BGI_INLINE void bgi_worker_count(bgi_worker *w)
{
    bgi_count_owned(&w->tick, 1);
}

/* Whether the running task has forks that nobody else has seen. */
BGI_INLINE int bgi_has_own_forks(const bgi_worker *w)
{
    return w->own.newest != &w->own.oldest;
}

/* The running item is about to push to `forks`: for the monitor, what of them is its own. */
BGI_INLINE void bgi_forks_note(bgi_worker *w)
{
    bgi_word tick = bgi_load(&w->tick), bottom = bgi_load(&w->forks.bottom);
    if (bgi_load(&w->forks_tick) != tick || (intptr_t)(bottom - bgi_load(&w->forks_base)) < 0) {
        bgi_store(&w->forks_base, bottom); /* below it, too, when older ones were taken back */
        bgi_store(&w->forks_tick, tick);
    }
}

/* This worker has nothing to do: the next fork of each of the others is to be shared. Not with a
 * spare one: it is there for what waits behind who is stuck, and those who compute would be more
 * than there are workers. */
BGI_INLINE void bgi_ask_for_forks(const bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (w->is_spare) {
        return;
    }
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        bgi_atomic *attention = (bgi_atomic *)&s->worker[i].own.attention;
        if (&s->worker[i] != w && bgi_load(attention) == 0) {
            (void)bgi_cas_relaxed(attention, 0, BGI_FORKS_WANTED);
        }
    }
}

/* ---- core/submit.c: making items ready ---- */

/* The item overflowed: gives the chain to the injector. */
BGI_COLD void bgi_push_overflow(bgi_worker *w, struct bgi_fifo *chain, size_t n);

/* Wakes a sleeper if there is one and nobody searches, after what was made visible before. */
void bgi_notify(bgi_sched *s);

/* Likewise though somebody searches, or is counted so: the monitor, who has found out that it does
 * not come to it. */
void bgi_notify_one_more(bgi_sched *s);

/* The worker adds an item at the end of its run queue; tells nobody. */
BGI_INLINE void bgi_push_quiet(bgi_worker *w, bgi_item *item)
{
    struct bgi_fifo chain;
    size_t n = bgi_runq_push(&w->queue, &item->link, &chain);
    if (bgi_unlikely(n != 0)) {
        bgi_push_overflow(w, &chain, n);
    }
}

/* Likewise, and wakes another worker if one sleeps. With one worker there is nobody to wake: a
 * spare one is only ever woken by the monitor. */
BGI_INLINE void bgi_push(bgi_worker *w, bgi_item *item)
{
    bgi_push_quiet(w, item);
    if (w->sched->workers > 1) {
        bgi_notify(w->sched);
    }
}

/* Wakes a sleeper likewise, on behalf of the running task: in the deterministic mode other workers
 * may now go on before it does. */
void bgi_notify_here(bgi_sched *s);

/* As bgi_push, by the running task: it holds no lock. */
BGI_INLINE void bgi_push_here(bgi_worker *w, bgi_item *item)
{
    bgi_push_quiet(w, item);
    if (w->sched->workers > 1) {
        bgi_notify_here(w->sched);
    }
}

/* From any thread: the oldest-first queue of the caller's worker, or the injector. */
void bgi_submit(bgi_sched *s, bgi_item *item);

/* From any thread: an item that was just woken. On a worker of `s` it goes to the next slot. */
void bgi_ready(bgi_sched *s, bgi_item *item);

/* ---- core/steal.c ---- */

/* A search, of bounded length, through everybody's queues and timers. */
bgi_item *bgi_search(bgi_worker *w);

/* What the monitor has taken from that worker for others; NULL: nothing, or somebody has it now. */
bgi_item *bgi_take_offered(bgi_worker *of);

/* Whether any queue has anything; after a fence it misses nothing put there before. */
int bgi_anything_queued(bgi_sched *s);

/* ---- core/park.c ---- */

/* Sleeps until there may be work; may return for no reason. */
void bgi_park(bgi_worker *w);

/* The driver has brought something: has another worker woken, if that is worth its price. */
void bgi_worker_tell(bgi_worker *w);

/* From here on the time counts for what items take. */
void bgi_worker_pace_from_here(bgi_worker *w);

/* Leaves the searching state, with the duty of the last one to leave it. */
void bgi_stop_searching(bgi_worker *w);

/* The time of the earliest timer of all workers. */
bg_time bgi_earliest_timer(bgi_sched *s);

/* Ends this worker's sleep, now or the next one, without a notification: it looks around again. */
void bgi_wake_worker(bgi_worker *w);

/* ---- core/monitor.c ---- */

void *bgi_monitor_main(void *sched);

/* The monitor: CPU time of the worker's thread, or 0; whether the thread is blocked in the kernel.
 */
bg_time bgi_worker_cpu_time(const bgi_worker *w);
int bgi_worker_blocked(const bgi_worker *w);

/* One look of the monitor at everybody; whether there is reason for another soon. */
int bgi_monitor_look(bgi_sched *s);

/* The monitor sleeps without an end when its look finds no reason to stay awake. */
void bgi_monitor_doze(bgi_sched *s);

/* A spare worker that is about to sleep: 1 if it was surplus and is now needed again (or the
 * scheduler stops), 0 if it is not surplus. Waits in between. */
int bgi_spare_retire(bgi_worker *w);

/* ---- core/sched.c and core/worker.c, for the others of this layer ---- */

/* Makes place i ready for a thread; again after a thread could not be had. 0 or -ENOMEM. */
int bgi_worker_prepare(bgi_sched *s, unsigned i);

/* Fires what is due on the worker's own wheel and settles the fresh; whether anything fired. */
int bgi_worker_run_timers(bgi_worker *w);

#endif

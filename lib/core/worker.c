/*
 * The loop of a worker: take an item, run it, look around every BGI_BUDGET items, search when
 * there is none, sleep when there is none anywhere.
 */
#include "base/clock.h"
#include "core/check.h"
#include "core/sim.h"
#include "stack/overflow.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What comes from outside is shared with a worker that sleeps when it is so much work, about: what
 * that costs both, some times over. A few short items are done before another is awake, and would
 * move to its cache and back. */
#define WORTH_A_WAKE (50 * BG_US)

__thread bgi_worker *bgi_worker_tls;
__thread bg_detail_forks *bgi_forks_tls = &bgi_no_forks;
bg_detail_forks bgi_no_forks = {.newest = &bgi_no_forks.oldest, .attention = BGI_FORKS_TAKEN};

#if !(defined(__x86_64__) && defined(__LP64__)) && !defined(__aarch64__)
BGI_NOINLINE bgi_worker *bgi_worker_slow_self(void)
{
    __asm__ __volatile__("" ::: "memory");
    return bgi_worker_tls;
}
#endif

/* Takes a worker's share of the injector into its own queue; returns the first of it. */
static bgi_item *take_injected(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    struct bgi_fifo chain;
    size_t share = bgi_injector_size(&s->injector) / s->workers + 1;
    size_t most = BGI_RUNQ_CAPACITY / 2;
    size_t room = BGI_RUNQ_CAPACITY - bgi_runq_size(&w->queue);

    share = share < most ? share : most;
    share = share < room ? share : room; /* at least 1 below: that one is not queued here */
    size_t n = bgi_injector_pop(&s->injector, &chain, share > 0 ? share : 1);
    if (n == 0) {
        return NULL;
    }
    bgi_item *first = bgi_item_of(bgi_fifo_pop(&chain));
    struct bgi_link *l;
    while ((l = bgi_fifo_pop(&chain)) != NULL) {
        bgi_push_quiet(w, bgi_item_of(l));
    }
    if (n > 1 && s->workers > 1) {
        bgi_notify(s); /* who put them in woke one worker at most */
    }
    return first;
}

int bgi_worker_run_timers(bgi_worker *w)
{
    bgi_timers *t = &w->timers;
    bg_time next = bgi_timers_next(t);
    int unsettled = bgi_timers_unsettled(t);
    size_t fired = 0;

    if (next == (bg_time)BGI_TIMERS_NEVER && !unsettled) {
        return 0;
    }
    bg_time now = bgi_clock_now();
    if (next <= now || unsettled) {
        /* Few at a time, so that their stacks are still in the cache when they run; fewer than are
         * run until the next time when there is a queue already, so that it does not grow. */
        size_t most =
            bgi_runq_size(&w->queue) < BGI_TIMERS_BATCH ? BGI_TIMERS_BATCH : BGI_BUDGET / 2;
        (void)bgi_timers_run(w, t, 1, now, most, &fired);
        bgi_count_owned(&w->fired, fired);
        if (w->sched->workers > 1 && bgi_runq_size(&w->queue) > 1) {
            bgi_notify(w->sched);
        }
    }
    return fired != 0;
}

void bgi_worker_pace_from_here(bgi_worker *w)
{
    w->paced_at = bgi_clock_rough();
    w->paced_tick = bgi_load(&w->tick);
}

/* Those since then. */
static void note_pace(bgi_worker *w)
{
    bg_duration took = bgi_clock_rough() - w->paced_at;
    bgi_word n = bgi_load(&w->tick) - w->paced_tick;
    if (n != 0 && took > 0) {
        w->pace = (w->pace + took / (bg_duration)n) / 2;
    }
    bgi_worker_pace_from_here(w);
}

void bgi_worker_tell(bgi_worker *w)
{
    size_t n = bgi_runq_size(&w->queue);
    if (w->sched->workers > 1 && n > 1 && (bg_duration)n * w->pace > WORTH_A_WAKE) {
        bgi_notify(w->sched);
    }
}

/* How many items to run until the next look, and one: fewer when those since the last took long. */
static bgi_word next_budget(bgi_worker *w)
{
    bg_time now = bgi_clock_rough();
    bg_duration took = now - w->looked;
    w->looked = now;
    bgi_word budget = w->allotted;
    if (bgi_unlikely(took > BGI_LOOK_PERIOD)) {
        budget = budget * (bgi_word)BGI_LOOK_PERIOD / (bgi_word)took;
    } else if (took < BGI_LOOK_PERIOD / 2) {
        budget = 2 * budget;
    }
    w->allotted = budget < 2 ? 2 : budget < BGI_BUDGET ? budget : BGI_BUDGET;
    return w->allotted;
}

/* The look around: what the worker's own queues would let starve. */
static bgi_item *look_around(bgi_worker *w)
{
    bgi_sched *s = w->sched;

    bgi_store(&w->budget, next_budget(w));
    note_pace(w);
#if BGI_DEBUG
    if (bgi_load(&w->tick) % 1024 < BGI_BUDGET) {
        bgi_worker_check(w);
    }
#endif
    (void)bgi_worker_run_timers(w);
    if (s->driver->ops->poll(s->driver, w, w) != 0) {
        bgi_worker_tell(w);
    }
    return bgi_injector_size(&s->injector) != 0 ? take_injected(w) : NULL;
}

static bgi_item *take_fork(bgi_worker *w)
{
    bgi_item *fork = bgi_deque_size(&w->forks) == 0 ? NULL : bgi_deque_take(&w->forks);
    return fork != NULL || bgi_load(&w->offered) == 0 ? fork : bgi_take_offered(w);
}

/* Before a worker searches, which takes a while: what has come for itself. One that is alone has
 * nowhere to search, and asks the driver when it waits; unless more is likely to be there. */
static int poll_first(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (s->workers == 1 && !w->more) {
        return 0;
    }
    note_pace(w);
    if (s->driver->ops->poll(s->driver, w, w) == 0) {
        return 0;
    }
    bgi_worker_tell(w);
    return 1;
}

/* The next item to run; NULL when the scheduler stops. May sleep. */
static bgi_item *next_item(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    for (;;) {
        bgi_item *item = w->handoff;
        if (item != NULL) {
            w->handoff = NULL;
            return item;
        }
        if (bgi_unlikely(bgi_load_acquire(&s->stopping))) {
            return NULL;
        }
        if (bgi_load(&w->budget) <= 1) {
            item = look_around(w);
            if (item != NULL) {
                return item;
            }
        }
        item = take_fork(w);
        if (item != NULL) {
            (void)bgi_worker_spend(
                w); /* as the pick does: forks without an end do not put the look off */
        } else {
            item = bgi_worker_pick(w);
        }
        if (item == NULL) {
            item = take_injected(w);
            w->was_injected |= item != NULL;
            if (item == NULL && !bgi_worker_run_timers(w) && !poll_first(w)) {
                item = bgi_search(w);
                if (item == NULL) {
                    bgi_park(w);
                }
            }
        }
        if (item != NULL) {
            return item;
        }
    }
}

void bgi_worker_locate(bgi_worker *w)
{
    if (bgi_unlikely(w->sched->far != BGI_NEAR) && w->cpu < 0) {
        bgi_store(&w->place, bgi_place_of(w->sched->topology, sched_getcpu()));
    }
}

/* What a thread is while it is a worker, and was before. */
struct thread_before {
    bgi_worker *worker;
    int slack;
    bgi_cpu_set cpus;  /* empty: it has not been bound */
    int holds_sigpipe; /* SIGPIPE was not blocked, and is not pending */
};

/* A task that writes to a pipe nobody reads gets -EPIPE, on whichever worker: on the others all
 * signals are blocked. */
static int hold_sigpipe(void)
{
    sigset_t pipe, before;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    return !sigismember(&before, SIGPIPE);
}

/* What tasks have raised meanwhile is not the program's. */
static void let_go_of_sigpipe(void)
{
    static const struct timespec at_once = {0, 0};
    sigset_t pipe;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigtimedwait(&pipe, NULL, &at_once);
    (void)pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}

static void become_worker(bgi_worker *w, struct thread_before *before)
{
    before->worker = bgi_worker_tls;
    before->slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    before->cpus.size = 0;
    before->holds_sigpipe = hold_sigpipe();
    bgi_worker_is(w);
    if (w->cpu >= 0) {
        bgi_cpu_bind(w->cpu, &before->cpus);
    }
    bgi_worker_locate(w);
    bgi_worker_pace_from_here(w);
    bgi_store_release(&w->tid, (bgi_word)gettid());
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* sleeps end on time, not 50 us late */
    bgi_context_adopt(&w->loop);
    (void)bgi_overflow_thread_init(); /* without it an overflow is a plain SIGSEGV */
}

static void leave_worker(bgi_worker *w, const struct thread_before *before)
{
    bgi_overflow_thread_fini();
    bgi_context_fini(&w->loop);
    if (before->slack > 0) {
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)before->slack, 0, 0, 0);
    }
    (void)bgi_cpu_set_use(&before->cpus);
    if (before->holds_sigpipe) {
        let_go_of_sigpipe();
    }
    bgi_worker_is(before->worker);
}

void bgi_worker_loop(bgi_worker *w)
{
    bgi_item *item;

    while ((item = next_item(w)) != NULL) {
        if (w->searching) {
            bgi_stop_searching(w);
        }
        bgi_worker_count(w);
        bgi_stall_began(w, NULL);
        item->run(w, item);
        w->current = NULL;
        bgi_stall_nothing(w);
    }
    if (w->searching) {
        bgi_stop_searching(w);
    }
}

void bgi_worker_run(bgi_worker *w)
{
    struct thread_before before;
    become_worker(w, &before);
    if (w->sched->sim != NULL) {
        bgi_sim_run(w->sched);
    } else {
        bgi_worker_loop(w);
    }
    leave_worker(w, &before);
}

/*
 * The monitor: a thread that notices workers stuck in one task, and lends spare workers.
 *
 * Every BGI_MONITOR_PERIOD it looks at each worker's tick. One that is active and whose tick has
 * not moved for two looks, though its thread was not kept waiting for a core, is stuck: it
 * computes, or sits in a blocking call. If something waits for it (ready items nobody takes, timers
 * due or unsettled) or nobody is left to poll, an idle worker is woken; if there is none, a spare
 * one; but not for what an item has forked that still computes. If help is still needed after
 * UNHELPED_AT looks, another one is woken though somebody searches: that one may stand still
 * itself, in the search or between a notification and the wake-up it owes. So may a leader: timers
 * of sleepers that are overdue count as a call for help. A spare worker is a worker like the
 * others, with queues and a wheel of its own. It steals what the stuck one had queued and fires its
 * timers; the kernel shares the cores. Nothing changes owner, so the owner's fast paths check
 * nothing.
 *
 * What has been next in the queue of a worker for a look, stuck or not, has an idle worker woken:
 * more may have come there than seemed worth it (core/worker.c).
 *
 * It never lends more spares than workers are stuck, nor more than the options allow. A
 * spare that finds nothing to do while fewer are stuck retires: it waits for its next call, and
 * fires the timers set on it. When those wake many at once it comes back to run them, and retires
 * again.
 *
 * It also gives back the memory of stacks that have lain unused since it last did (stack/stack.h).
 *
 * Once all have been asked to end, it has the owner look, each time, what there is that does not.
 *
 * When every worker has been idle for QUIET_LOOKS looks, the monitor sleeps without an end: an idle
 * runtime uses no CPU. A worker that wakes up sees `monitor_asleep` and kicks it.
 *
 * Partners: monitor_asleep: stored, fence, then the states are read; a waking worker stores its
 * state, fences (core/park.c), reads monitor_asleep. stuck: written by the monitor alone, read by
 * spares about to retire; spares_active: fetch_add by the monitor, fetch_sub by who retires.
 * held_up: written by the monitor, read by searchers. offered: read here as a hint; who moves it is
 * said in core/sched.h, as are forks_tick, forks_base and in_callback. ending: stored before a kick
 * of the monitor, read by it after that.
 */
#include "base/clock.h"
#include "core/sched.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define OVERDUE (2 * BGI_MONITOR_PERIOD)

enum { STUCK_AT = 4, UNHELPED_AT = 4, QUIET_LOOKS = 20, TRIM_LOOKS = 64, TRIM_BUDGET = 4096 };

/* Whether something waits behind a worker that is stuck, and for whom. */
enum waits { NOTHING, FOR_AN_IDLE, FOR_A_SPARE };

/*
 * How much an unmoved tick without CPU time says, of STUCK_AT. 'S': the thread is blocked, all.
 * 'D': blocked in the kernel, on a disk, or just on the lock of the address space, which others
 * hold who fault pages in: a little, each time. 'R': it waits for a core: nothing. A thread that
 * cannot be asked is taken to be blocked.
 */
static unsigned blocked_weight(const bgi_worker *w)
{
    char path[64], text[128];
    long tid = (long)bgi_load_acquire(&w->tid);
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return STUCK_AT;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* "tid (name) S ..." */
    char state = name_end != NULL && name_end[1] == ' ' ? name_end[2] : 'S';
    return state == 'R' ? 0 : state == 'D' ? 1 : STUCK_AT;
}

int bgi_worker_blocked(const bgi_worker *w)
{
    return blocked_weight(w) != 0;
}

bg_time bgi_worker_cpu_time(const bgi_worker *w)
{
    struct timespec ts;
    /* The clock of a thread by its number: how pthread_getcpuclockid makes it. */
    clockid_t clock = (clockid_t)((~(unsigned)bgi_load_acquire(&w->tid) << 3) | 6U);
    return clock_gettime(clock, &ts) == 0 ? (bg_time)ts.tv_sec * BG_S + ts.tv_nsec : 0;
}

/*
 * Takes note of one worker; whether it is stuck. An unmoved tick alone does not say that: on a busy
 * machine the thread may just be waiting for a core, and more threads would make that worse. So the
 * task must have computed for a period of CPU time, or the thread must be blocked. Once stuck, it
 * is until its tick moves.
 */
static int look_at(bgi_worker *w)
{
    bgi_word tick = bgi_load(&w->tick);
    if (bgi_load_acquire(&w->state) != BGI_ACTIVE || tick != w->seen_tick ||
        bgi_load_acquire(&w->tid) == 0 /* its thread has not started */) {
        w->seen_tick = tick;
        w->same_tick = 0;
    } else if (w->same_tick == 0) {
        w->same_tick = 1;
        w->same_cpu = 0;
        w->seen_cpu = bgi_worker_cpu_time(w);
    } else if (w->same_tick < STUCK_AT) {
        bg_time cpu = bgi_worker_cpu_time(w);
        bg_time since = cpu - w->seen_cpu;
        w->seen_cpu = cpu;
        w->same_cpu += since;
        if (w->same_cpu >= BGI_MONITOR_PERIOD) {
            w->same_tick = STUCK_AT;
        } else if (since < BGI_MONITOR_PERIOD / 4) {
            w->same_tick += blocked_weight(w);
        }
    }
    return w->same_tick >= STUCK_AT;
}

/* One that is stuck: whether it computes, or would if it had a core, rather than being blocked. */
static int computes(bgi_worker *w)
{
    bg_time cpu = bgi_worker_cpu_time(w);
    bg_time since = cpu - w->seen_cpu;
    w->seen_cpu = cpu;
    return since >= BGI_MONITOR_PERIOD / 4 || blocked_weight(w) == 0;
}

/* Whether the running item has itself forked what is there in `forks`, from `first` on, and what is
 * offered. A callback that runs after it, and with its tick, has not. */
static int has_forked(const bgi_worker *w, int forks, bgi_word first, int offers)
{
    int forked = bgi_load(&w->forks_tick) == w->seen_tick &&
                 (intptr_t)(first - bgi_load(&w->forks_base)) >= 0;
    return bgi_load(&w->in_callback) == 0 && (!forks || forked) &&
           (!offers || w->offered_tick == w->seen_tick);
}

/*
 * Whether something waits behind this worker, and has since the last look: while others take from
 * its queues, the item they would take next changes, and no help is needed.
 *
 * What the running item has forked waits for an idle worker, and no spare is lent for it while the
 * item computes: it will come to it itself, and forks are there for as many workers as there are.
 */
static enum waits waits_behind(bgi_worker *w, bg_time now, int is_stuck)
{
    bgi_word first = bgi_load(&w->queue.head);
    bgi_word fork = bgi_load(&w->forks.top);
    bgi_word next = bgi_load(&w->queue.next);
    int waits = (bgi_runq_size(&w->queue) != 0 && first == w->seen_first) ||
                (next != 0 && next == w->seen_next) || bgi_timers_unsettled(&w->timers) ||
                bgi_timers_next(&w->timers) <= now;
    bgi_word offered = bgi_load(&w->offered);
    int forks = bgi_deque_size(&w->forks) != 0 && fork == w->seen_fork;
    int offers = offered != 0 && offered == w->seen_offered;
    w->seen_first = first;
    w->seen_fork = fork;
    w->seen_next = next;
    w->seen_offered = offered;
    if (!is_stuck || (!waits && !forks && !offers)) {
        return NOTHING;
    }
    return !waits && has_forked(w, forks, fork, offers) && computes(w) ? FOR_AN_IDLE : FOR_A_SPARE;
}

static void *spare_main(void *arg)
{
    (void)pthread_setname_np(pthread_self(), "bg-spare");
    bgi_worker_run(arg);
    return NULL;
}

/* Calls up a spare worker: a retired one, or a new thread. */
static void lend_spare(bgi_sched *s)
{
    for (unsigned i = s->workers; i < s->places; i++) {
        bgi_worker *w = &s->worker[i];
        bgi_word state = bgi_load_acquire(&w->state);
        if (state == BGI_RETIRED) {
            if (!bgi_cas(&w->state, BGI_RETIRED, BGI_ACTIVE)) {
                return; /* its timers have just called it up */
            }
            (void)bgi_fetch_add(&s->spares_active, 1);
            bgi_wake_worker(w);
        } else if (state == BGI_ABSENT) {
            if (bgi_worker_prepare(s, i) != 0) {
                return; /* no memory for one: the next look tries again */
            }
            (void)bgi_fetch_add(&s->spares_active, 1);
            bgi_store_release(&w->state, BGI_ACTIVE);
            bgi_store_release(&s->used, i + 1);
            if (bgi_thread_create(&w->thread, spare_main, w) != 0) {
                bgi_store_release(&w->state, BGI_ABSENT);
                (void)bgi_fetch_sub(&s->spares_active, 1);
                return;
            }
            w->has_thread = 1;
        } else {
            continue;
        }
        if (bgi_load(&s->spares_active) > bgi_load(&s->spares_peak)) {
            bgi_store(&s->spares_peak, bgi_load(&s->spares_active));
        }
        return;
    }
}

/* Wakes spares that are idle though fewer workers are stuck, so that they retire. */
static void recall_spares(bgi_sched *s)
{
    for (unsigned i = s->workers; i < s->places; i++) {
        bgi_worker *w = &s->worker[i];
        if (bgi_load_acquire(&w->state) == BGI_IDLE) {
            bgi_wake_worker(w);
        }
    }
}

/* Gives up a place among the active spares, if there are more than workers stuck. */
static int is_surplus(bgi_sched *s)
{
    for (;;) {
        bgi_word active = bgi_load(&s->spares_active);
        if (active <= bgi_load_acquire(&s->stuck)) {
            return 0;
        }
        if (bgi_cas(&s->spares_active, active, active - 1)) {
            return 1;
        }
    }
}

/* A retired spare fires its own timers; what they make ready is for the others to run, unless it is
 * so much that the spare had better run it itself: 1. */
static int serve_timers(bgi_worker *w)
{
    struct bgi_fifo chain;
    struct bgi_link *l;
    size_t n = 0;

    (void)bgi_worker_run_timers(w);
    (void)w->sched->driver->ops->poll(w->sched->driver, w, w);
    if (bgi_runq_size(&w->queue) >= BGI_TIMERS_BATCH / 2) {
        return 1;
    }
    bgi_fifo_init(&chain);
    while ((l = bgi_runq_pop(&w->queue)) != NULL) {
        bgi_fifo_push(&chain, l);
        n++;
    }
    if (n != 0) {
        bgi_injector_push(&w->sched->injector, &chain, n);
        bgi_notify(w->sched);
    }
    return 0;
}

int bgi_spare_retire(bgi_worker *w)
{
    bgi_sched *s = w->sched;

    if (!is_surplus(s)) {
        return 0;
    }
    if (w->searching) {
        bgi_stop_searching(w);
    }
    bgi_stack_flush(s->stacks, w->index);
    bgi_store_release(&w->state, BGI_RETIRED);
    while (bgi_load_acquire(&w->state) == BGI_RETIRED && !bgi_load_acquire(&s->stopping)) {
        if (serve_timers(w)) {
            if (bgi_cas(&w->state, BGI_RETIRED,
                        BGI_ACTIVE)) { /* else the monitor has called it up */
                (void)bgi_fetch_add(&s->spares_active, 1);
            }
            break;
        }
        if (!bgi_timers_unsettled(&w->timers)) { /* a callback may have started some */
            s->driver->ops->wait(s->driver, w, bgi_timers_next(&w->timers));
        }
    }
    return 1;
}

/* Has a worker look around after its present item: something waits that it looks at only now and
 * then. The owner may overwrite this as it counts down; then the next look does it. */
static void hurry(bgi_worker *w)
{
    bgi_store(&w->budget, 1);
}

/* Those of workers that are stuck, for so many who are idle. */
static void take_forks(bgi_sched *s, bgi_word used, unsigned idle)
{
    for (bgi_word i = 0; i < used && idle != 0; i++) {
        bgi_worker *w = &s->worker[i];
        if (bgi_load(&w->held_up) == 0) {
            continue;
        }
        if (bgi_load(&w->offered) == 0) {
            w->offered_tick = bgi_load(&w->tick);
            s->config.take_fork(w);
        }
        idle -= bgi_load(&w->offered) != 0;
    }
}

int bgi_monitor_look(bgi_sched *s)
{
    bgi_word used = bgi_load_acquire(&s->used);
    bg_time now = bgi_clock_now();
    bgi_word stuck = 0;
    unsigned awake = 0;
    int injected = bgi_injector_size(&s->injector) != 0;
    int help = 0, lend = 0, overdue = 0, queued = 0;
    unsigned idle = 0;

    for (bgi_word i = 0; i < used; i++) {
        bgi_worker *w = &s->worker[i];
        bgi_word state = bgi_load_acquire(&w->state);
        int is_stuck = look_at(w);
        bgi_store_release(&w->held_up, (bgi_word)is_stuck);
        bgi_stall_look(w, is_stuck);
        stuck += (bgi_word)is_stuck;
        awake += state == BGI_ACTIVE;
        queued |= state == BGI_ACTIVE && bgi_runq_size(&w->queue) != 0 &&
                  bgi_load(&w->queue.head) == w->seen_first;
        enum waits waits = waits_behind(w, now, is_stuck);
        int pending = state == BGI_ACTIVE && s->driver->ops->pending(s->driver, w);
        help |= waits != NOTHING || (pending && is_stuck);
        lend |= waits == FOR_A_SPARE || (pending && is_stuck);
        idle += state == BGI_IDLE && !w->is_spare;
        overdue |= state == BGI_IDLE && bgi_timers_next(&w->timers) <= now - OVERDUE;
        if (state == BGI_ACTIVE && (injected || pending || bgi_timers_next(&w->timers) <= now)) {
            hurry(w);
        }
    }
    bgi_store_release(&s->stuck, stuck);
    if (bgi_load(&s->spares_active) > stuck) {
        recall_spares(s);
    }
    help |= stuck != 0 && injected;
    lend |= overdue || (stuck != 0 && injected);
    if (stuck != 0 && s->workers > 1 && s->config.take_fork != NULL) {
        take_forks(s, used, idle);
    }

    /* Nobody leads, and nobody who is awake will: the last leader went on to run something, or was
     * a spare that retired. Whoever is woken finds nothing, sleeps again, and leads. */
    int leaderless = bgi_load(&s->leader) == 0 && bgi_ec_waiting(&s->idle) != 0;
    bg_time earliest = leaderless ? bgi_earliest_timer(s) : BG_TIME_MAX;
    leaderless = earliest <= now || (awake == 0 && earliest != BG_TIME_MAX);
    s->unhelped = help || leaderless || overdue ? s->unhelped + 1 : 0;
    if (s->unhelped != 0) {
        if (bgi_ec_waiting(&s->idle) != 0) {
            /* Who searches, or has been told to, may itself be held up. */
            (s->unhelped < UNHELPED_AT ? bgi_notify : bgi_notify_one_more)(s);
        } else if (lend && bgi_load(&s->spares_active) < stuck) {
            lend_spare(s);
        }
    } else if (queued && bgi_ec_waiting(&s->idle) != 0) {
        bgi_notify(s);
    }
    int ending = s->config.lingers != NULL && bgi_load(&s->ending) != 0;
    if (ending) {
        s->config.lingers(s);
    }
    return awake != 0 || leaderless || overdue || ending;
}

void bgi_monitor_doze(bgi_sched *s)
{
    bgi_store(&s->monitor_asleep, 1);
    bgi_fence_full(); /* partner: the fence at the end of bgi_park */
    if (!bgi_monitor_look(s) && !bgi_load_acquire(&s->stopping)) {
        bgi_ec_wait(&s->monitor_node, BG_TIME_MAX);
    }
    bgi_store(&s->monitor_asleep, 0);
}

void *bgi_monitor_main(void *sched)
{
    bgi_sched *s = sched;
    unsigned quiet = 0, looks = 0;

    (void)pthread_setname_np(pthread_self(), "bg-monitor");
    while (!bgi_load_acquire(&s->stopping)) {
        if (quiet < QUIET_LOOKS) {
            bgi_ec_wait(&s->monitor_node, bgi_clock_now() + BGI_MONITOR_PERIOD);
            quiet = bgi_monitor_look(s) ? 0 : quiet + 1;
            if (++looks % TRIM_LOOKS == 0) {
                (void)bgi_stack_trim(s->stacks, TRIM_BUDGET);
            }
            continue;
        }
        if (bgi_stack_trim(s->stacks, TRIM_BUDGET) != 0) {
            quiet--; /* there is something left to do before the long sleep */
            continue;
        }
        bgi_monitor_doze(s);
        quiet = 0;
    }
    return NULL;
}

#include "core/sim.h"

#include "arch/lock.h"
#include "base/clock.h"
#include "core/check.h"

#include <errno.h>

enum {
    STEPS_WITHOUT_TIME = 100000,
    CHECK_STEPS = 256, /* debug builds check the scheduler's invariants so often */
    LONGEST_LOG2 = 16, /* change points lie within 2^16 steps */
    CHANGES_MOST = 4,
    YIELDS_KEPT = 8, /* PCT: so many yields in a row a worker keeps its priority, on average */
};

/* Where the clock of every run starts. */
#define START (1000 * BG_S)

struct player {
    bgi_item *hand; /* taken, or held up in the middle */
    int64_t priority;
};

struct bgi_sim {
    uint64_t seed;
    bg_time now;
    struct bgi_random random;
    uint64_t steps;
    unsigned idle_steps; /* since the clock moved */
    /* walk: of 32, how often the same worker goes on. */
    unsigned stay;
    unsigned last;
    /* PCT */
    int pct;
    unsigned changes;
    uint64_t change[CHANGES_MOST]; /* at these steps */
    int64_t lowest;
    unsigned players;
    struct player player[];
};

/* ---- the clock ---- */

/* How many runs there are, and what was in the place of the clock before the first. */
static bgi_lock clock_lock = BGI_LOCK_INIT(BGI_RANK_TASKS, "deterministic clock");
static unsigned clock_users;
static const struct bgi_clock_ops *clock_before;

static bg_time sim_clock(void *ctx)
{
    bgi_worker *w = bgi_worker_self();
    (void)ctx;
    if (w != NULL && w->sched->sim != NULL) {
        return w->sched->sim->now;
    }
    return clock_before != NULL ? clock_before->now(clock_before->ctx) : bgi_clock_real();
}

static const struct bgi_clock_ops sim_clock_ops = {sim_clock, NULL};

static void clock_use(void)
{
    bgi_lock_acquire(&clock_lock);
    if (clock_users++ == 0) {
        clock_before = bgi_load_acquire_ptr(&bgi_clock_replacement);
        bgi_clock_set_ops(&sim_clock_ops);
    }
    bgi_lock_release(&clock_lock);
}

static void clock_leave(void)
{
    bgi_lock_acquire(&clock_lock);
    if (--clock_users == 0) {
        bgi_clock_set_ops(clock_before);
    }
    bgi_lock_release(&clock_lock);
}

/* ---- life ---- */

static void draw_strategy(struct bgi_sim *sim)
{
    static const unsigned stays[] = {0, 16, 28, 31};
    sim->pct = bgi_random_below(&sim->random, 2) == 0;
    sim->stay = stays[bgi_random_below(&sim->random, BGI_ARRAY_LEN(stays))];
    sim->changes = 1 + bgi_random_below(&sim->random, CHANGES_MOST);
    for (unsigned i = 0; i < sim->changes; i++) {
        /* The less of two: most runs are short. */
        uint32_t a = bgi_random_below(&sim->random, LONGEST_LOG2);
        uint32_t b = bgi_random_below(&sim->random, LONGEST_LOG2);
        sim->change[i] = bgi_random_below(&sim->random, 2U << (a < b ? a : b));
    }
    /* Priorities: a random order, all above those given at the changes. */
    for (unsigned i = 0; i < sim->players; i++) {
        unsigned at = bgi_random_below(&sim->random, i + 1);
        sim->player[i].priority = sim->player[at].priority;
        sim->player[at].priority = (int64_t)i + 1;
    }
}

int bgi_sim_create(bgi_sched *s, uint64_t seed)
{
    struct bgi_sim *sim = bgi_calloc(1, sizeof *sim + s->workers * sizeof(struct player));
    if (sim == NULL) {
        return -ENOMEM;
    }
    sim->seed = seed;
    sim->now = START;
    sim->players = s->workers;
    bgi_random_seed(&sim->random, seed);
    draw_strategy(sim);
    for (unsigned i = 0; i < s->workers; i++) {
        bgi_worker *w = &s->worker[i];
        bgi_store(&w->budget, 0);
        bgi_random_seed(&w->random, seed + i);
        bgi_timers_init(&w->timers, sim->now);
        w->timers.sched = s;
    }
    bgi_store(&s->idle.waiting, 1); /* so that a notification goes far enough to find the mode */
    s->sim = sim;
    clock_use();
    return 0;
}

void bgi_sim_destroy(bgi_sched *s)
{
    if (s->sim != NULL) {
        clock_leave();
        bgi_free(s->sim);
        s->sim = NULL;
    }
}

bg_time bgi_sim_now(const bgi_sched *s)
{
    return s->sim->now - START;
}

uint64_t bgi_sim_seed(const bgi_sched *s)
{
    return s->sim->seed;
}

/* ---- what there is to do ---- */

static int timers_due(const struct bgi_sim *sim, bgi_worker *w)
{
    return bgi_timers_unsettled(&w->timers) || bgi_timers_next(&w->timers) <= sim->now;
}

/* Whether there is something that any worker could take. */
static int anything_to_take(bgi_sched *s)
{
    if (bgi_anything_queued(s)) {
        return 1;
    }
    for (unsigned i = 0; i < s->workers; i++) {
        bgi_worker *w = &s->worker[i];
        if (!bgi_runq_empty(&w->queue) || timers_due(s->sim, w)) {
            return 1;
        }
    }
    return 0;
}

static bgi_item *take_injected(bgi_sched *s)
{
    struct bgi_fifo chain;
    return bgi_injector_pop(&s->injector, &chain, 1) == 0 ? NULL
                                                          : bgi_item_of(bgi_fifo_pop(&chain));
}

/* The worker w fires what is due on v's wheel: in w's queue then. */
static void run_timers(bgi_worker *w, bgi_worker *v)
{
    size_t fired = 0;
    (void)bgi_timers_run(w, &v->timers, v == w, w->sched->sim->now, BGI_TIMERS_BATCH, &fired);
    bgi_count_owned(&w->fired, fired);
}

static bgi_item *take_own(bgi_worker *w)
{
    bgi_item *fork = bgi_deque_take(&w->forks);
    if (fork != NULL) {
        return fork;
    }
    struct bgi_link *l = bgi_runq_pop(&w->queue);
    return l == NULL ? NULL : bgi_item_of(l);
}

static bgi_item *steal_from(bgi_worker *w, bgi_worker *victim)
{
    void *fork;
    if (bgi_deque_steal(&victim->forks, &fork) == 1) {
        return fork;
    }
    struct bgi_link *l = bgi_runq_steal(&victim->queue, &w->queue);
    if (l == NULL) {
        l = bgi_runq_steal_next(&victim->queue);
    }
    return l == NULL ? NULL : bgi_item_of(l);
}

/* From the others, beginning with any. */
static bgi_item *steal(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    unsigned at = bgi_random_below(&s->sim->random, s->workers);
    for (unsigned i = 0; i < s->workers; i++, at++) {
        bgi_worker *victim = &s->worker[at % s->workers];
        bgi_item *item = victim == w ? NULL : steal_from(w, victim);
        if (item != NULL) {
            bgi_count_owned(&w->steals, 1);
            return item;
        }
    }
    for (unsigned i = 0; i < s->workers; i++, at++) {
        bgi_worker *victim = &s->worker[at % s->workers];
        if (timers_due(s->sim, victim)) {
            run_timers(w, victim);
            return take_own(w);
        }
    }
    return NULL;
}

/* What the worker does next; NULL when it found nothing, or fired timers that woke nobody. */
static bgi_item *take(bgi_worker *w)
{
    struct bgi_sim *sim = w->sched->sim;
    bgi_item *item = NULL;
    if (bgi_random_below(&sim->random, 8) == 0) { /* it is time to look around */
        if (timers_due(sim, w)) {
            run_timers(w, w);
        }
        item = take_injected(w->sched);
    }
    if (item == NULL) {
        item = take_own(w);
    }
    if (item == NULL) {
        item = take_injected(w->sched);
    }
    if (item == NULL && timers_due(sim, w)) {
        run_timers(w, w);
        item = take_own(w);
    }
    return item != NULL ? item : steal(w);
}

/* ---- who is next ---- */

static int can_act(const struct player *p, int anything)
{
    return anything || p->hand != NULL;
}

static unsigned highest(const struct bgi_sim *sim, int anything)
{
    unsigned best = sim->players;
    for (unsigned i = 0; i < sim->players; i++) {
        if (can_act(&sim->player[i], anything) &&
            (best == sim->players || sim->player[i].priority > sim->player[best].priority)) {
            best = i;
        }
    }
    return best;
}

/* The worker of the next step, or `players` when nobody can do anything. */
static unsigned pick_player(struct bgi_sim *sim, int anything)
{
    unsigned i = highest(sim, anything);
    if (i == sim->players) {
        return i;
    }
    if (sim->pct) {
        for (unsigned c = 0; c < sim->changes; c++) {
            if (sim->change[c] == sim->steps) {
                sim->player[i].priority = --sim->lowest;
                i = highest(sim, anything);
            }
        }
        return i;
    }
    if (can_act(&sim->player[sim->last], anything) &&
        bgi_random_below(&sim->random, 32) < sim->stay) {
        return sim->last;
    }
    do {
        i = bgi_random_below(&sim->random, sim->players);
    } while (!can_act(&sim->player[i], anything));
    sim->last = i;
    return i;
}

/* A task that yields may do so until another has done something: with priorities alone it would
 * keep that other from ever running. */
static void after_yield(struct bgi_sim *sim, unsigned i)
{
    if (sim->pct && bgi_random_below(&sim->random, YIELDS_KEPT) == 0) {
        sim->player[i].priority = --sim->lowest;
    }
}

/* ---- the loop ---- */

static void note_wait(bgi_fiber *f, bgi_commit commit, void *arg, bg_time now)
{
    f->stack->note[0] = (uintptr_t)commit;
    f->stack->note[1] = (uintptr_t)arg;
    f->stack->note[2] = (uintptr_t)(now - START);
}

struct bgi_sim_wait bgi_sim_waits(const bgi_fiber *f)
{
    struct bgi_sim_wait wait = {NULL, NULL, 0};
    if (f->stack != NULL && f->stack->note[0] != 0) {
        wait.commit = (bgi_commit)f->stack->note[0];
        wait.arg = (void *)f->stack->note[1];
        wait.since = (bg_time)f->stack->note[2];
    }
    return wait;
}

static int commit_point(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)arg;
    bgi_sim_hand(w, &self->item);
    return 0;
}

void bgi_sim_point(bgi_sched *s)
{
    bgi_worker *w = bgi_worker_self();
    if (w != NULL && w->sched == s && w->current != NULL) {
        bgi_suspend(commit_point, NULL);
    }
}

void bgi_sim_hand(bgi_worker *w, bgi_item *item)
{
    w->sched->sim->player[w->index].hand = item;
}

static void run(bgi_worker *w, bgi_item *item)
{
    bgi_worker_count(w);
    if (item->run != bgi_fiber_run) {
        item->run(w, item);
        return;
    }
    if (bgi_fiber_enter(w, bgi_fiber_of(item))) {
        if (bgi_fiber_yielded(w->commit)) {
            after_yield(w->sched->sim, w->index);
        }
        if (w->commit != NULL && w->commit_fiber != NULL) { /* else it has ended */
            note_wait(w->commit_fiber, w->commit, w->commit_arg, w->sched->sim->now);
        }
        bgi_fiber_left(w);
    }
}

/* Nothing can run: what has come from outside can, before the clock moves on. */
static int play_driver(bgi_sched *s, bgi_worker *first, int wait)
{
    const struct bgi_driver_ops *ops = s->driver->ops;
    bgi_worker_is(first);
    return ops->play(s->driver, first, wait) != 0;
}

/* Nothing can run: has the clock move on. 0 when no timer is set. */
static int advance(bgi_sched *s)
{
    bg_time next = bgi_earliest_timer(s);
    s->sim->idle_steps = 0;
    if (next == BG_TIME_MAX) {
        return 0;
    }
    s->sim->now = next > s->sim->now ? next : s->sim->now;
    return 1;
}

/* Steps without end: a program that polls the clock has to see it move, and one that waits by
 * yields for what another reads has to see that go on. */
static void advance_all_the_same(bgi_sched *s)
{
    (void)play_driver(s, &s->worker[0], 0);
    if (!advance(s)) {
        s->sim->now = bgi_time_add(s->sim->now, BG_MS);
    }
}

static void step(bgi_sched *s, unsigned i)
{
    struct bgi_sim *sim = s->sim;
    struct player *p = &sim->player[i];
    bgi_worker *w = &s->worker[i];

    sim->steps++;
    if (++sim->idle_steps >= STEPS_WITHOUT_TIME) {
        advance_all_the_same(s);
    }
    bgi_worker_is(w);
    bgi_item *item = p->hand;
    p->hand = NULL;
    if (item == NULL) {
        item = take(w);
        if (item != NULL && sim->players > 1) {
            p->hand = item; /* held up before it starts, if somebody else's turn comes */
            return;
        }
    }
    if (item != NULL) {
        run(w, item);
        w->current = NULL;
    }
}

void bgi_sim_run(bgi_sched *s)
{
    struct bgi_sim *sim = s->sim;
    bgi_worker *first = bgi_worker_self();

    for (unsigned i = 1; i < s->workers; i++) {
        bgi_context_adopt(&s->worker[i].loop);
    }
    while (!bgi_load_acquire(&s->stopping)) {
        if (sim->steps % CHECK_STEPS == 0) {
            bgi_sched_check(s);
        }
        unsigned i = pick_player(sim, anything_to_take(s));
        if (i != sim->players) {
            step(s, i);
        } else if (!play_driver(s, first, 0) && !advance(s) && !play_driver(s, first, 1)) {
            bgi_worker_is(first);
            if (!s->config.dead_end(s)) {
                break;
            }
        }
    }
    for (unsigned i = 0; i < s->workers; i++) {
        bgi_worker_is(&s->worker[i]);
        if (sim->player[i].hand != NULL) {
            bgi_push_quiet(&s->worker[i], sim->player[i].hand); /* to be dropped with the others */
            sim->player[i].hand = NULL;
        }
        if (i != 0) {
            bgi_context_fini(&s->worker[i].loop);
        }
    }
    bgi_worker_is(first);
}

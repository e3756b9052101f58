/*
 * The search of a worker that has nothing left: other workers' queues, in a random order, the
 * injector, and timers that are due and nobody fires.
 *
 * The next slot of a victim is left alone until the last round, and then it is taken only if its
 * owner has been at the same item since the round before, some microseconds: else it will most
 * likely take it at once, and nothing is gained by moving it. For an owner that goes from item to
 * item comes to its next slot soon: only forks come first each time, which thieves take as well,
 * and tasks that end one into another. One that does not go on is robbed by whoever searches, at
 * the latest by a worker that the monitor has woken. An owner who is robbed is told, so that it has
 * others woken sooner (core/submit.c). The search is bounded; what it may miss is the concern of
 * the second look before sleeping (core/park.c).
 *
 * Between its rounds it rests, some microseconds in all, for what may come. That pays where work
 * comes in bursts, and is lost where a worker sleeps often and briefly, as one does that serves
 * descriptors. So a worker whose last PATIENCE searches waited in vain rests in one of PROBE only;
 * the first to find something in a later round, or during which something is injected, makes it
 * patient again. A full next slot is rested for in any case. A worker that is alone has nowhere to
 * search, and rests only when what it has done came from outside, and not where the process may use
 * one CPU only: there may be more where it came from, as soon as its end is known there.
 *
 * Where workers are not all near each other, each round looks at those first that share a cache
 * with the thief, then at those of its NUMA node, then at the others. A worker that may move from
 * CPU to CPU notes where it is when it begins to search; while it is busy the kernel rarely moves
 * it.
 *
 *   robbed  0 -> 1 by a thief, after it has taken the next slot
 *           1 -> 0 by the owner, when it next has somebody woken
 *
 * All of that are hints, so it is relaxed: an old tick takes an item from an owner about to run it,
 * or leaves it there until the next search; a mark that is lost makes a wake-up come later. The
 * item itself is passed on by the compare-and-swap of the slot (queue/runq.h).
 */
#include "base/clock.h"
#include "core/sched.h"

#ifndef BGI_SEARCH_ROUNDS /* the models make the search short */
#define BGI_SEARCH_ROUNDS 4
#define BGI_SEARCH_PAUSES 32
#endif

enum { ROUNDS = BGI_SEARCH_ROUNDS, PAUSES = BGI_SEARCH_PAUSES, FULL_MOST = 8 };
enum { PATIENCE = 4, PROBE = 16 };

_Static_assert(ROUNDS >= 2, "a next slot is looked at in one round and taken in the next");

/* At most half of the workers search; the others would only disturb them. */
static int start_searching(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (!w->searching) {
        if (2 * bgi_load(&s->searching) >= s->workers) {
            return 0;
        }
        (void)bgi_fetch_add(&s->searching, 1);
        w->searching = 1;
        bgi_worker_locate(w);
    }
    return 1;
}

void bgi_stop_searching(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    w->searching = 0;
    if (bgi_fetch_sub(&s->searching, 1) == 1) {
        bgi_fence_full(); /* partner: the submitter's, who saw us searching and woke nobody */
        if (bgi_ec_waiting(&s->idle) != 0 && bgi_anything_queued(s)) {
            bgi_notify(s);
        }
    }
}

/* Victims whose next slots were full in the last round but one, and what they were at. */
struct full {
    unsigned n; /* of the places; the first is for one that is known to be stuck */
    struct {
        bgi_worker *victim;
        bgi_word tick;
    } of[FULL_MOST];
};

static void look_at_next(struct full *full, bgi_worker *victim)
{
    if (bgi_load_ptr(&victim->queue.next) == NULL) {
        return;
    }
    unsigned at = 0;
    if (bgi_load(&victim->held_up) == 0) {
        if (full->n == FULL_MOST) {
            return;
        }
        at = full->n++;
    }
    full->of[at].victim = victim;
    full->of[at].tick = bgi_load(&victim->tick);
}

static bgi_item *steal_next(const struct full *full)
{
    for (unsigned i = 0; i < full->n; i++) {
        bgi_worker *victim = full->of[i].victim;
        if (victim == NULL || bgi_load(&victim->tick) != full->of[i].tick) {
            continue;
        }
        struct bgi_link *l = bgi_runq_steal_next(&victim->queue);
        if (l != NULL) {
            bgi_store(&victim->robbed, 1); /* partner: tell_of_next */
            return bgi_item_of(l);
        }
    }
    return NULL;
}

bgi_item *bgi_take_offered(bgi_worker *of)
{
    bgi_item *item = bgi_load_ptr(&of->offered);
    return item != NULL && bgi_cas_acquire(&of->offered, (bgi_word)item, 0) ? item : NULL;
}

static bgi_item *steal_from(bgi_worker *w, bgi_worker *victim)
{
    void *fork;
    if (bgi_deque_size(&victim->forks) != 0 && bgi_deque_steal(&victim->forks, &fork) == 1) {
        return fork;
    }
    bgi_item *offered = bgi_take_offered(victim);
    if (offered != NULL) {
        return offered;
    }
    struct bgi_link *l = bgi_runq_steal(&victim->queue, &w->queue);
    return l == NULL ? NULL : bgi_item_of(l);
}

static unsigned distance_to(const bgi_worker *w, const bgi_worker *victim)
{
    bgi_place here = (bgi_place)bgi_load(&w->place), there = (bgi_place)bgi_load(&victim->place);
    unsigned distance = bgi_place_distance(here, there);
    return distance < w->sched->far ? distance : w->sched->far; /* one may not be known yet */
}

/* A round over all victims that are so far away. */
static bgi_item *steal_at(bgi_worker *w, unsigned distance, struct full *full)
{
    bgi_sched *s = w->sched;
    bgi_word used = bgi_load_acquire(&s->used);
    uint32_t at = bgi_random_below(&w->random, (uint32_t)used);
    for (bgi_word i = 0; i < used; i++, at++) {
        bgi_worker *victim = &s->worker[at >= used ? at - used : at];
        if (victim == w || distance_to(w, victim) != distance) {
            continue;
        }
        bgi_item *item = steal_from(w, victim);
        if (item != NULL) {
            bgi_count_owned(&w->steals, 1);
            return item;
        }
        if (full != NULL) {
            look_at_next(full, victim);
        }
    }
    return NULL;
}

/* What has come from outside for those that are held up, to the worker's own queue. */
static size_t poll_for_others(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    const struct bgi_driver_ops *ops = s->driver->ops;
    size_t n = 0;
    if (bgi_likely(bgi_load(&s->stuck) == 0)) {
        return 0;
    }
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        bgi_worker *v = &s->worker[i];
        if (v != w && bgi_load(&v->held_up) && ops->pending(s->driver, v)) {
            n += ops->poll(s->driver, w, v);
        }
    }
    return n;
}

/* Fires the timers of others that are due, or whose owner is stuck before it settled them. */
static bgi_item *steal_timers(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    bgi_word used = bgi_load_acquire(&s->used);
    bg_time now = 0;
    size_t fired = 0;

    for (bgi_word i = 0; i < used; i++) {
        bgi_worker *v = &s->worker[i];
        bg_time next = bgi_timers_next(&v->timers);
        int unsettled = bgi_load_acquire(&v->held_up) && bgi_timers_unsettled(&v->timers);
        if (v == w || (next == (bg_time)BGI_TIMERS_NEVER && !unsettled)) {
            continue;
        }
        if (now == 0) {
            now = bgi_clock_now();
        }
        if (next <= now || unsettled) {
            (void)bgi_timers_run(w, &v->timers, 0, now, BGI_TIMERS_BATCH, &fired);
        }
    }
    bgi_count_owned(&w->fired, fired);
    if (fired + poll_for_others(w) == 0) {
        return NULL;
    }
    if (s->workers > 1 && bgi_runq_size(&w->queue) > 1) {
        bgi_notify(s);
    }
    /* Not bgi_worker_pick, which says no at the end of the budget: this worker would sleep next,
     * and nobody looks into the next slot of one who sleeps. */
    struct bgi_link *l = bgi_runq_pop(&w->queue);
    return l == NULL ? NULL : bgi_item_of(l);
}

/* Between two rounds. 1: something was injected meanwhile, or the scheduler stops. */
static int rest(const bgi_sched *s, int pauses)
{
    int over = 0;
    for (int i = 0; i < pauses && !over; i++) {
        over = bgi_injector_size(&s->injector) != 0 || bgi_load_acquire(&s->stopping);
        bgi_pause();
    }
    return over || bgi_injector_size(&s->injector) != 0 || bgi_load_acquire(&s->stopping);
}

/* There is nobody else: spares that have retired have nothing in their queues. */
static int is_alone(const bgi_worker *w)
{
    const bgi_sched *s = w->sched;
    return s->workers == 1 && bgi_load(&s->spares_active) == 0;
}

static int is_patient(const bgi_worker *w)
{
    return w->in_vain < PATIENCE || w->in_vain % PROBE == 0;
}

/* 1: something was injected, as before; or the scheduler stops. */
static int rest_alone(bgi_worker *w)
{
    if (!w->was_injected || !w->sched->rests_alone) {
        return 0;
    }
    w->was_injected = 0;
    if (rest(w->sched, is_patient(w) ? PAUSES << ROUNDS : 0)) {
        w->in_vain = 0;
        return 1;
    }
    w->in_vain++;
    return 0;
}

bgi_item *bgi_search(bgi_worker *w)
{
    bgi_sched *s = w->sched;
    if (is_alone(w)) {
        if (!rest_alone(w)) {
            return steal_timers(w);
        }
        (void)s->driver->ops->poll(s->driver, w, w); /* it does not come to wait there */
        return NULL;
    }
    if (!start_searching(w)) {
        return steal_timers(w);
    }
    if (bgi_unlikely(bgi_load(&s->stuck) != 0)) {
        /* Before anything that may take long: nobody else may come by for long. */
        bgi_item *late = steal_timers(w);
        if (late != NULL) {
            return late;
        }
    }
    struct full full;
    full.n = 1;
    full.of[0].victim = NULL;
    int patient = is_patient(w);
    for (int round = 0; round < ROUNDS; round++) {
        if (round == 1) {
            bgi_ask_for_forks(w);
        }
        for (unsigned distance = BGI_NEAR; distance <= s->far; distance++) {
            bgi_item *item = steal_at(w, distance, round == ROUNDS - 2 ? &full : NULL);
            if (item != NULL) {
                w->in_vain = round == 0 ? w->in_vain : 0;
                return item;
            }
        }
        bgi_item *next = round == ROUNDS - 1 ? steal_next(&full) : NULL;
        if (next != NULL) {
            bgi_count_owned(&w->steals, 1);
            return next;
        }
        int rests = patient || full.n > 1 || full.of[0].victim != NULL;
        if (rest(s, rests ? PAUSES << round : 0)) {
            w->in_vain = 0;
            return NULL; /* the loop takes it from there */
        }
    }
    w->in_vain++;
    bgi_count_owned(&w->failed, 1);
    return steal_timers(w);
}

int bgi_anything_queued(bgi_sched *s)
{
    if (bgi_injector_size(&s->injector) != 0) {
        return 1;
    }
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        bgi_worker *v = &s->worker[i];
        if (bgi_runq_size(&v->queue) != 0 || bgi_deque_size(&v->forks) != 0 ||
            bgi_load(&v->offered) != 0) {
            return 1;
        }
    }
    return 0;
}

/*
 * That no item is in two places is seen by a stamp: an item in a run queue or a deque has no use
 * for its link, so each is first marked with the address of the slot it lies in; one that lies in
 * two slots then bears the mark of the second. The injector's items are linked, so one that is in
 * there as well breaks its list, which is walked afterwards.
 */
#include "core/check.h"

#if BGI_DEBUG

#include "base/check.h"
#include "queue/check.h"
#include "timer/check.h"

enum { MANY_TIMERS = 1024 };

/* ---- timers ---- */

static void check_home(const bgi_timers *s, struct bgi_list *l)
{
    const bgi_timer *t = BGI_CONTAINER_OF(bgi_timer_node_of(l), bgi_timer, node);
    bgi_check(bgi_timer_home(t) == s, "timers: T1: one says that it is with another worker");
}

/* The earliest moment at which a timer of the wheel is due. */
static uint64_t earliest_due(const bgi_timers *s)
{
    uint64_t earliest = BGI_WHEEL_NEVER_TICK;
    for (size_t slot = 0; slot < BGI_ARRAY_LEN(s->wheel.slots); slot++) {
        struct bgi_list *l;
        bgi_list_for_each (l, &s->wheel.slots[slot].head) {
            uint64_t tick = bgi_wheel_tick_of(bgi_timer_node_of(l)->deadline);
            check_home(s, l);
            earliest = tick < earliest ? tick : earliest;
        }
    }
    earliest = earliest < s->wheel.tick ? s->wheel.tick : earliest;
    return earliest == BGI_WHEEL_NEVER_TICK ? BGI_TIMERS_NEVER : earliest << BGI_WHEEL_TICK_BITS;
}

void bgi_timers_check(bgi_timers *s)
{
    struct bgi_list *l;
    size_t fresh = bgi_list_check(&s->fresh, "timers: fresh");
    bgi_list_for_each (l, &s->fresh) {
        bgi_check(bgi_timer_node_of(l)->slot == BGI_TIMER_FRESH,
                  "timers: T1: a fresh one says that it is in slot %u", bgi_timer_node_of(l)->slot);
        check_home(s, l);
    }
    bgi_check(fresh == 0 || bgi_load(&s->unsettled) == 1,
              "timers: T3: unsettled is %zu, %zu are fresh", bgi_load(&s->unsettled), fresh);
    bgi_wheel_check(&s->wheel);
    uint64_t due = earliest_due(s);
    bgi_check((uint64_t)bgi_load(&s->next) <= due, "timers: T2: next is %zu, one is due at %llu",
              bgi_load(&s->next), (unsigned long long)due);
}

/* ---- a worker ---- */

static void check_words(const bgi_sched *s, const bgi_worker *w, unsigned i)
{
    bgi_check(w->sched == s && w->index == i, "scheduler: place %u has worker %u", i, w->index);
    bgi_check(w->is_spare == (i >= s->workers), "scheduler: worker %u of %u is spare: %d", i,
              s->workers, w->is_spare);
    bgi_check(bgi_load(&w->budget) <= BGI_BUDGET, "scheduler: worker %u has a budget of %zu", i,
              bgi_load(&w->budget));
    bgi_check(w->searching == 0 || w->searching == 1, "scheduler: worker %u searches %d times", i,
              w->searching);
    bgi_check(bgi_load(&w->state) <= BGI_RETIRED, "scheduler: worker %u is in state %zu", i,
              bgi_load(&w->state));
    bgi_check(bgi_load(&w->held_up) <= 1, "scheduler: worker %u is held up %zu times", i,
              bgi_load(&w->held_up));
    bgi_ec_node_check(&w->node);
}

void bgi_worker_check(bgi_worker *w)
{
    check_words(w->sched, w, w->index);
    bgi_runq_check(&w->queue);
    bgi_deque_check(&w->forks);
    int how = bgi_bias_enter(&w->timers.lock);
    if (bgi_wheel_count(&w->timers.wheel) <= MANY_TIMERS) {
        bgi_timers_check(&w->timers);
    }
    bgi_bias_leave(&w->timers.lock, how);
}

/* ---- who is where ---- */

typedef void (*visit_slot)(const bgi_atomic *slot, struct bgi_link *item);

static void each_slot(bgi_worker *w, visit_slot visit)
{
    struct bgi_deque_ring *r = bgi_load_ptr(&w->forks.ring);
    bgi_word tail = bgi_load(&w->queue.tail), bottom = bgi_load(&w->forks.bottom);

    for (bgi_word i = bgi_load(&w->queue.head); i != tail; i++) {
        const bgi_atomic *slot = &w->queue.slots[i & BGI_RUNQ_MASK];
        visit(slot, bgi_load_ptr(slot));
    }
    for (bgi_word i = bgi_load(&w->forks.top); i != bottom; i++) {
        const bgi_atomic *slot = &r->slots[i & r->mask];
        visit(slot, &((bgi_item *)bgi_load_ptr(slot))->link);
    }
    if (bgi_load(&w->queue.next) != 0) {
        visit(&w->queue.next, bgi_load_ptr(&w->queue.next));
    }
    if (bgi_load(&w->offered) != 0) {
        visit(&w->offered, &((bgi_item *)bgi_load_ptr(&w->offered))->link);
    }
    if (w->handoff != NULL) {
        visit((const bgi_atomic *)(const void *)&w->handoff, &w->handoff->link);
    }
}

static void stamp(const bgi_atomic *slot, struct bgi_link *item)
{
    bgi_check(bgi_item_of(item)->run != NULL, "scheduler: an item that cannot run is queued");
    item->next = (struct bgi_link *)(uintptr_t)slot;
}

static void check_stamp(const bgi_atomic *slot, struct bgi_link *item)
{
    bgi_check(item->next == (struct bgi_link *)(uintptr_t)slot,
              "scheduler: an item is in two places");
}

/* ---- the whole ---- */

static void check_counts(const bgi_sched *s)
{
    bgi_word used = bgi_load(&s->used);
    bgi_word searching = 0, spares = 0;

    for (unsigned i = 0; i < used; i++) {
        bgi_word state = bgi_load(&s->worker[i].state);
        searching += (bgi_word)s->worker[i].searching;
        spares += i >= s->workers && (state == BGI_ACTIVE || state == BGI_IDLE);
    }
    bgi_check(bgi_load(&s->searching) >= searching && bgi_load(&s->searching) <= used,
              "scheduler: searching is %zu, %zu of %zu workers search", bgi_load(&s->searching),
              searching, used);
    bgi_check(bgi_load(&s->leader) <= used, "scheduler: the leader is worker %zu of %zu",
              bgi_load(&s->leader) - 1, used);
    bgi_check(bgi_load(&s->spares_active) == spares,
              "scheduler: spares_active is %zu, %zu spares are active", bgi_load(&s->spares_active),
              spares);
    bgi_check(bgi_load(&s->stuck) <= used, "scheduler: %zu of %zu workers are stuck",
              bgi_load(&s->stuck), used);
}

void bgi_sched_check(bgi_sched *s)
{
    bgi_word used = bgi_load(&s->used);
    bgi_check(used >= s->workers && used <= s->places, "scheduler: %zu places are used, of %u..%u",
              used, s->workers, s->places);
    for (unsigned i = 0; i < used; i++) {
        bgi_worker *w = &s->worker[i];
        check_words(s, w, i);
        bgi_check(w->commit == NULL, "scheduler: worker %u owes somebody a commit", i);
        bgi_runq_check(&w->queue);
        bgi_deque_check(&w->forks);
        bgi_timers_check(&w->timers);
        each_slot(w, stamp);
    }
    check_counts(s);
    for (unsigned i = 0; i < used; i++) {
        each_slot(&s->worker[i], check_stamp);
    }
    bgi_injector_check(&s->injector);
    if (s->sim == NULL) { /* which has no sleepers, and says that there is one */
        bgi_ec_check(&s->idle);
    }
}

void bgi_sched_check_stopped(bgi_sched *s)
{
    bgi_sched_check(s);
    bgi_check(bgi_load(&s->searching) == 0, "scheduler: stopped, searching is %zu",
              bgi_load(&s->searching));
    bgi_check(bgi_load(&s->leader) == 0, "scheduler: stopped, worker %zu leads",
              bgi_load(&s->leader) - 1);
    bgi_check(bgi_list_empty(&s->idle.sleepers), "scheduler: stopped, somebody sleeps");
    bgi_word used = bgi_load(&s->used);
    for (unsigned i = 0; i < used; i++) {
        const bgi_worker *w = &s->worker[i];
        bgi_check(w->current == NULL, "scheduler: stopped, a fiber runs on worker %u", i);
        bgi_check(w->handoff == NULL, "scheduler: stopped, worker %u has an item in hand", i);
    }
}

#else

/* A translation unit has to declare something. */
typedef int bgi_core_check_compiled_away;

#endif

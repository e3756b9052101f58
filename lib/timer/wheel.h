/*
 * A hierarchical timer wheel: scheme 7 of G. Varghese, T. Lauck, "Hashed and Hierarchical Timing
 * Wheels", SOSP 1987.
 *
 * A pure data structure: time is passed in, nodes are the caller's, nothing is allocated, locked
 * or atomic. Insert and remove are O(1) and inline; a jump over a long idle time costs as much as
 * the nodes it passes, not the ticks.
 *
 * Time is counted in ticks of 2^16 ns (65.5 us). A deadline is rounded up to a tick and the time
 * now is rounded down, so a node never comes out early, and at most a tick late. Eight levels of 64
 * slots cover all 48 bits of a tick. A node lives at the level of the highest digit (of 6 bits) in
 * which its tick differs from the current one, in the slot that this digit of its tick names. So
 * at every level only slots ahead of the current digit are in use, the lowest level in use holds
 * the nearest nodes, and its lowest slot in use the nearest of these. When the current tick
 * reaches the start of a slot above level 0, its nodes are dealt out to the levels below
 * (cascaded); each node goes down at most seven times. A slot whose nodes are all of one tick goes
 * down as a whole, without a look at them: a million that sleep until one instant cost one step.
 *
 * Order: nodes come out by tick, and first in, first out within a tick. A node inserted when its
 * tick is current or past belongs to the current tick.
 *
 * Time must not go back; a `now` before an earlier one counts as the earlier one. Deadlines above
 * BGI_WHEEL_LAST (584 years) are never due.
 */
#ifndef BGI_TIMER_WHEEL_H
#define BGI_TIMER_WHEEL_H

#include "base/list.h"

#include <stdint.h>

enum {
    BGI_WHEEL_TICK_BITS = 16,
    BGI_WHEEL_DIGIT_BITS = 6,
    BGI_WHEEL_SLOTS = 1 << BGI_WHEEL_DIGIT_BITS,
    BGI_WHEEL_LEVELS = 8,
    BGI_WHEEL_DUE = BGI_WHEEL_LEVELS * BGI_WHEEL_SLOTS, /* where late nodes wait, as if a level 8 */
    BGI_WHEEL_OUT = BGI_WHEEL_DUE + 1                   /* a node that is not in the wheel */
};

#define BGI_WHEEL_TICK (UINT64_C(1) << BGI_WHEEL_TICK_BITS)
#define BGI_WHEEL_NEVER_TICK ((UINT64_C(1) << (64 - BGI_WHEEL_TICK_BITS)) - 1)

/* The last deadline that can be due, and what bgi_wheel_next gives when none is ahead. */
#define BGI_WHEEL_LAST ((BGI_WHEEL_NEVER_TICK - 1) << BGI_WHEEL_TICK_BITS)
#define BGI_WHEEL_NEVER UINT64_MAX

typedef struct bgi_timer_node {
    struct bgi_list link;
    uint64_t deadline; /* ns, as inserted */
    uint32_t slot;     /* where it was inserted, or BGI_WHEEL_OUT; it may have moved down since */
} bgi_timer_node;

_Static_assert(sizeof(bgi_timer_node) <= 32, "many of them are asleep at once");

/* All ticks of a slot's nodes lie in [first, last]; both mean nothing while it is empty, and are
 * not drawn in when a node leaves. */
struct bgi_wheel_slot {
    struct bgi_list head;
    uint64_t first, last;
};

struct bgi_wheel {
    uint64_t tick;                           /* the current one: all before it came out */
    size_t count;                            /* nodes in the wheel */
    uint32_t cascading;                      /* the slot half dealt out, 0: none (see wheel.c) */
    uint64_t occupied[BGI_WHEEL_LEVELS + 1]; /* a bit a slot; the last one for the late nodes */
    struct bgi_wheel_slot slots[BGI_WHEEL_DUE + 1];
};

/* now: the time the wheel starts at, in nanoseconds on the clock of all that follows. */
void bgi_wheel_init(struct bgi_wheel *w, uint64_t now);

/* A node has to be initialised once before it is first asked whether it is in a wheel. */
BGI_INLINE void bgi_timer_node_init(bgi_timer_node *n)
{
    n->slot = BGI_WHEEL_OUT;
}

/* In a wheel, thus neither removed nor handed out by bgi_wheel_advance. */
BGI_INLINE int bgi_timer_node_pending(const bgi_timer_node *n)
{
    return n->slot != BGI_WHEEL_OUT;
}

BGI_INLINE bgi_timer_node *bgi_timer_node_of(struct bgi_list *link)
{
    return BGI_CONTAINER_OF(link, bgi_timer_node, link);
}

/* The first tick that does not start before the deadline, within what the levels can hold. */
BGI_INLINE uint64_t bgi_wheel_tick_of(uint64_t deadline)
{
    uint64_t tick =
        (deadline >> BGI_WHEEL_TICK_BITS) + ((deadline & (BGI_WHEEL_TICK - 1)) != 0 ? 1 : 0);
    return tick < BGI_WHEEL_NEVER_TICK ? tick : BGI_WHEEL_NEVER_TICK;
}

/* Where a tick after `from` lives. */
BGI_INLINE uint32_t bgi_wheel_slot_of(uint64_t tick, uint64_t from)
{
    uint32_t top_bit = 63U - (uint32_t)__builtin_clzll(tick ^ from);
    uint32_t level = (top_bit * 43U) >> 8; /* a sixth, exact up to 47 */
    uint32_t digit = (uint32_t)(tick >> (level * BGI_WHEEL_DIGIT_BITS)) & (BGI_WHEEL_SLOTS - 1);
    return level * BGI_WHEEL_SLOTS + digit;
}

BGI_INLINE void bgi_wheel_link(struct bgi_wheel *w, bgi_timer_node *n, uint64_t tick, uint32_t slot)
{
    struct bgi_wheel_slot *s = &w->slots[slot];
    n->slot = slot;
    if (bgi_list_empty(&s->head)) {
        s->first = tick;
        s->last = tick;
        w->occupied[slot / BGI_WHEEL_SLOTS] |= UINT64_C(1) << (slot % BGI_WHEEL_SLOTS);
    } else if (tick < s->first) {
        s->first = tick;
    } else if (tick > s->last) {
        s->last = tick;
    }
    bgi_list_push_back(&s->head, &n->link);
}

BGI_INLINE void bgi_wheel_unlink(struct bgi_wheel *w, bgi_timer_node *n)
{
    struct bgi_list *next = n->link.next;
    struct bgi_list *prev = n->link.prev;
    prev->next = next;
    next->prev = prev;
    if (next == prev) { /* only the head is left, and tells the slot */
        uint32_t slot = (uint32_t)((struct bgi_wheel_slot *)(void *)next - w->slots);
        w->occupied[slot / BGI_WHEEL_SLOTS] &= ~(UINT64_C(1) << (slot % BGI_WHEEL_SLOTS));
    }
    n->slot = BGI_WHEEL_OUT;
}

/* The node may not be in a wheel. A deadline that has passed is allowed: it is due at once. */
BGI_INLINE void bgi_wheel_insert(struct bgi_wheel *w, bgi_timer_node *n, uint64_t deadline)
{
    uint64_t tick = bgi_wheel_tick_of(deadline);
    n->deadline = deadline;
    w->count++;
    bgi_wheel_link(w, n, tick, tick > w->tick ? bgi_wheel_slot_of(tick, w->tick) : BGI_WHEEL_DUE);
}

/*
 * Takes a node out: 1. When it is in no wheel, as one that has been handed out already, nothing
 * happens: 0.
 */
BGI_INLINE int bgi_wheel_remove(struct bgi_wheel *w, bgi_timer_node *n)
{
    if (!bgi_timer_node_pending(n)) {
        return 0;
    }
    w->count--;
    bgi_wheel_unlink(w, n);
    return 1;
}

BGI_INLINE size_t bgi_wheel_count(const struct bgi_wheel *w)
{
    return w->count;
}

/*
 * Moves what is due at `now` to the end of `due`, in order, but stops after `limit` (> 0) steps,
 * where a step is a node handed out or moved down a level. Returns 0 when nothing due is left, else
 * 1: then call it again, with the same time or a later one. Between two calls nodes may be
 * inserted and removed as ever; `due` itself belongs to the caller, and so do the nodes on it.
 */
int bgi_wheel_advance(struct bgi_wheel *w, uint64_t now, struct bgi_list *due, size_t limit);

/*
 * The earliest time, in nanoseconds, at which bgi_wheel_advance has something to do, or
 * BGI_WHEEL_NEVER. It is the time the next node is due when that is within the current 64 ticks
 * (4.2 ms) or among the only few in its slot; otherwise it may be earlier, the start of the slot:
 * an advance at that time hands out nothing, but cascades, so that the next answer is closer. When
 * an advance stopped at its limit, a time that has passed.
 */
uint64_t bgi_wheel_next(const struct bgi_wheel *w);

#endif

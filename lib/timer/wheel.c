/*
 * Advancing the wheel.
 *
 * Between two calls the wheel is in one of three states:
 *   at rest    cascading is 0, the current tick's slot of level 0 and the due list are empty, or
 *              hold what was inserted since;
 *   handing    cascading is 0, the current tick's slot holds what the limit left there; nodes
 *              inserted for the current tick or before wait behind it, in the due list;
 *   dealing    cascading names a slot above level 0 that the limit left half dealt out.
 *
 * Dealing is where the order could break: a node inserted meanwhile must not reach level 0 before
 * older ones that are still above. So the current tick stays one before the start of the slot until
 * all of it is dealt out. Seen from there a new node that belongs into the slot goes to its end, to
 * be dealt out in its turn; one for an earlier tick is late and due; and the levels below hold
 * nothing but what has been dealt out, since all ticks before the slot's start have come out. Only
 * the digits of the levels below do not mean what they mean at rest, so nothing is taken from
 * there.
 */
#include "timer/wheel.h"

/* How many nodes of a slot bgi_wheel_next looks at before it settles for the slot's start. */
enum { NEXT_LOOKS_AT = 8 };

void bgi_wheel_init(struct bgi_wheel *w, uint64_t now)
{
    w->tick = now >> BGI_WHEEL_TICK_BITS;
    if (w->tick >= BGI_WHEEL_NEVER_TICK) {
        w->tick = BGI_WHEEL_NEVER_TICK - 1;
    }
    w->count = 0;
    w->cascading = 0;
    for (size_t i = 0; i < BGI_ARRAY_LEN(w->occupied); i++) {
        w->occupied[i] = 0;
    }
    for (size_t i = 0; i < BGI_ARRAY_LEN(w->slots); i++) {
        bgi_list_init(&w->slots[i].head);
    }
}

/* The slot that holds the nearest nodes, BGI_WHEEL_DUE if there is none ahead. */
static uint32_t nearest_slot(const struct bgi_wheel *w)
{
    for (uint32_t level = 0; level < BGI_WHEEL_LEVELS; level++) {
        if (w->occupied[level] != 0) {
            return level * BGI_WHEEL_SLOTS + (uint32_t)__builtin_ctzll(w->occupied[level]);
        }
    }
    return BGI_WHEEL_DUE;
}

/* The first tick of a slot ahead: the current tick with this digit put in and zeroes below. */
static uint64_t slot_start(const struct bgi_wheel *w, uint32_t slot)
{
    uint32_t shift = slot / BGI_WHEEL_SLOTS * BGI_WHEEL_DIGIT_BITS;
    uint64_t above = w->tick >> shift >> BGI_WHEEL_DIGIT_BITS << BGI_WHEEL_DIGIT_BITS;
    return (above | slot % BGI_WHEEL_SLOTS) << shift;
}

/* Hands a slot's nodes out while *budget lasts; whether it is empty then. */
static int hand_out(struct bgi_wheel *w, uint32_t slot, struct bgi_list *due, size_t *budget)
{
    struct bgi_list *head = &w->slots[slot].head;
    struct bgi_list *l = head->next;
    while (l != head) {
        if (*budget == 0) {
            return 0;
        }
        --*budget;
        bgi_timer_node *n = bgi_timer_node_of(l);
        l = l->next;
        __builtin_prefetch(l);
        w->count--;
        bgi_wheel_unlink(w, n);
        bgi_list_push_back(due, &n->link);
    }
    return 1;
}

/* Where a tick of the slot that starts at `start` goes. */
static uint32_t lower_slot(uint64_t tick, uint64_t start)
{
    return tick == start ? 0 : bgi_wheel_slot_of(tick, start);
}

/* Moves all nodes of a slot, which are of one tick, behind those of another. */
static void move_slot(struct bgi_wheel *w, uint32_t from, uint32_t to)
{
    struct bgi_wheel_slot *f = &w->slots[from];
    struct bgi_wheel_slot *t = &w->slots[to];

    if (bgi_list_empty(&t->head)) {
        t->first = f->first;
        t->last = f->last;
    } else {
        t->first = f->first < t->first ? f->first : t->first;
        t->last = f->last > t->last ? f->last : t->last;
    }
    bgi_list_splice_back(&t->head, &f->head);
    w->occupied[from / BGI_WHEEL_SLOTS] &= ~(UINT64_C(1) << (from % BGI_WHEEL_SLOTS));
    w->occupied[to / BGI_WHEEL_SLOTS] |= UINT64_C(1) << (to % BGI_WHEEL_SLOTS);
}

/* Deals the nodes of the slot `cascading` out, relative to its start; whether it is empty then. */
static int deal_out(struct bgi_wheel *w, size_t *budget)
{
    uint64_t start = w->tick + 1;
    struct bgi_wheel_slot *slot = &w->slots[w->cascading];
    struct bgi_list *head = &slot->head;
    if (slot->first == slot->last && !bgi_list_empty(head)) {
        move_slot(w, w->cascading, lower_slot(slot->first, start));
        return 1;
    }
    struct bgi_list *l = head->next;
    while (l != head) {
        if (*budget == 0) {
            return 0;
        }
        --*budget;
        bgi_timer_node *n = bgi_timer_node_of(l);
        l = l->next;
        __builtin_prefetch(l);
        uint64_t tick = bgi_wheel_tick_of(n->deadline);
        bgi_wheel_unlink(w, n);
        bgi_wheel_link(w, n, tick, lower_slot(tick, start));
    }
    return 1;
}

int bgi_wheel_advance(struct bgi_wheel *w, uint64_t now, struct bgi_list *due, size_t limit)
{
    size_t budget = limit;
    uint64_t target = now >> BGI_WHEEL_TICK_BITS;
    if (target >= BGI_WHEEL_NEVER_TICK) {
        target = BGI_WHEEL_NEVER_TICK - 1;
    }
    for (;;) {
        if (w->cascading != 0) {
            if (!hand_out(w, BGI_WHEEL_DUE, due, &budget) || !deal_out(w, &budget)) {
                return 1;
            }
            w->cascading = 0;
            w->tick++;
        }
        uint32_t current = (uint32_t)w->tick % BGI_WHEEL_SLOTS;
        if (!hand_out(w, current, due, &budget) || !hand_out(w, BGI_WHEEL_DUE, due, &budget)) {
            return 1;
        }
        uint32_t slot = nearest_slot(w);
        if (slot == BGI_WHEEL_DUE) {
            break;
        }
        uint64_t start = slot_start(w, slot);
        if (start > target) {
            break;
        }
        if (slot < BGI_WHEEL_SLOTS) {
            w->tick = start;
        } else {
            w->tick = start - 1;
            w->cascading = slot;
        }
    }
    if (w->tick < target) {
        w->tick = target;
    }
    return 0;
}

uint64_t bgi_wheel_next(const struct bgi_wheel *w)
{
    uint32_t current = (uint32_t)w->tick % BGI_WHEEL_SLOTS;
    uint32_t slot = nearest_slot(w);
    if (w->cascading != 0 || slot == current || w->occupied[BGI_WHEEL_LEVELS] != 0) {
        return w->tick << BGI_WHEEL_TICK_BITS;
    }
    if (slot == BGI_WHEEL_DUE) {
        return BGI_WHEEL_NEVER;
    }
    uint64_t tick = slot_start(w, slot);
    if (slot >= BGI_WHEEL_SLOTS) {
        const struct bgi_list *head = &w->slots[slot].head;
        uint64_t earliest = BGI_WHEEL_NEVER_TICK;
        unsigned seen = 0;
        struct bgi_list *l;
        bgi_list_for_each (l, head) {
            if (++seen > NEXT_LOOKS_AT) {
                break;
            }
            uint64_t its = bgi_wheel_tick_of(bgi_timer_node_of(l)->deadline);
            earliest = its < earliest ? its : earliest;
        }
        if (seen <= NEXT_LOOKS_AT) {
            tick = earliest;
        }
    }
    return tick < BGI_WHEEL_NEVER_TICK ? tick << BGI_WHEEL_TICK_BITS : BGI_WHEEL_NEVER;
}

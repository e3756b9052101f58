/*
 * A node's place follows from its tick, the current tick, and whether a slot is being dealt out
 * (wheel.c has the three states): so the walker works it out again for each node.
 */
#include "timer/check.h"

#if BGI_DEBUG

#include "base/check.h"

/* Where a node of this tick has to be, when it is found in the slot `at`. */
static uint32_t place_of(const struct bgi_wheel *w, uint64_t tick, uint32_t at)
{
    uint64_t from = w->tick;
    if (w->cascading != 0 && at / BGI_WHEEL_SLOTS < w->cascading / BGI_WHEEL_SLOTS) {
        from++; /* it has been dealt out, as seen from the slot's start */
    }
    if (tick == from && at != BGI_WHEEL_DUE) {
        return (uint32_t)tick % BGI_WHEEL_SLOTS; /* what the limit left there */
    }
    return tick > from ? bgi_wheel_slot_of(tick, from) : BGI_WHEEL_DUE;
}

static size_t check_slot(const struct bgi_wheel *w, uint32_t at)
{
    const struct bgi_wheel_slot *slot = &w->slots[at];
    int bit = (w->occupied[at / BGI_WHEEL_SLOTS] >> (at % BGI_WHEEL_SLOTS) & 1) != 0;
    struct bgi_list *l;
    size_t n = bgi_list_check(&slot->head, "timer wheel");

    bgi_check(bit == (n != 0), "timer wheel: slot %u has %zu nodes, its bit is %d", at, n, bit);
    bgi_list_for_each (l, &slot->head) {
        const bgi_timer_node *node = bgi_timer_node_of(l);
        uint64_t tick = bgi_wheel_tick_of(node->deadline);
        uint32_t place = place_of(w, tick, at);
        bgi_check(place == at, "timer wheel: a node of tick %llu is in slot %u, not in %u, at %llu",
                  (unsigned long long)tick, at, place, (unsigned long long)w->tick);
        bgi_check(tick >= slot->first && tick <= slot->last,
                  "timer wheel: slot %u has a node of tick %llu, not within [%llu, %llu]", at,
                  (unsigned long long)tick, (unsigned long long)slot->first,
                  (unsigned long long)slot->last);
        bgi_check(node->slot == at || (node->slot < BGI_WHEEL_DUE &&
                                       node->slot / BGI_WHEEL_SLOTS > at / BGI_WHEEL_SLOTS),
                  "timer wheel: a node in slot %u says that it is in %u", at, node->slot);
    }
    return n;
}

void bgi_wheel_check(const struct bgi_wheel *w)
{
    size_t n = 0;
    bgi_check(w->tick < BGI_WHEEL_NEVER_TICK, "timer wheel: the current tick is never");
    bgi_check(w->cascading == 0 ||
                  (w->cascading >= BGI_WHEEL_SLOTS && w->cascading < BGI_WHEEL_DUE),
              "timer wheel: slot %u is being dealt out", w->cascading);
    bgi_check(w->occupied[BGI_WHEEL_LEVELS] <= 1, "timer wheel: there is one slot of late nodes");
    for (uint32_t slot = 0; slot <= BGI_WHEEL_DUE; slot++) {
        n += check_slot(w, slot);
    }
    bgi_check(n == w->count, "timer wheel: count is %zu, the slots have %zu", w->count, n);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_timer_check_compiled_away;

#endif

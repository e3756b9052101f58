/*
 * The walker of the wheel: a wheel passes at every moment of its life, and every way of being
 * broken is named.
 */
#include "timer/check.h"

#include "base/random.h"

#include "dies.h"

enum { NODES = 300 };

static struct bgi_wheel wheel;
static bgi_timer_node node[NODES];

/* Deadlines at all levels, advances with small limits, so that they stop in the middle. */
Test(check, a_wheel_passes_at_every_moment)
{
    struct bgi_random random;
    uint64_t now = 0;
    unsigned stopped = 0;

    bgi_random_seed(&random, 11);
    bgi_wheel_init(&wheel, now);
    for (int i = 0; i < NODES; i++) {
        bgi_timer_node_init(&node[i]);
    }
    for (int round = 0; round < 6000; round++) {
        bgi_timer_node *n = &node[bgi_random_below(&random, NODES)];
        if (!bgi_timer_node_pending(n)) {
            uint64_t far = UINT64_C(1) << (10 + bgi_random_below(&random, 26));
            uint64_t same = bgi_random_below(&random, 3); /* many are of one tick */
            bgi_wheel_insert(&wheel, n, same == 0 ? (now | (far - 1)) : now + far + same * 12345);
        } else if (round % 3 == 0) {
            (void)bgi_wheel_remove(&wheel, n);
        }
        bgi_wheel_check(&wheel);
        if (round % 5 == 0) {
            struct bgi_list due;
            bgi_list_init(&due);
            now += UINT64_C(1) << (12 + bgi_random_below(&random, 20));
            stopped += bgi_wheel_advance(&wheel, now, &due, 1 + bgi_random_below(&random, 4)) != 0;
            bgi_wheel_check(&wheel);
        }
    }
    cr_assert_gt(stopped, 10);
    static bgi_timer_node never;
    bgi_timer_node_init(&never);
    bgi_wheel_insert(&wheel, &never, UINT64_MAX);
    bgi_wheel_check(&wheel);
    static bgi_timer_node late; /* of the current tick, but behind what has come out */
    bgi_timer_node_init(&late);
    bgi_wheel_insert(&wheel, &late, wheel.tick << BGI_WHEEL_TICK_BITS);
    bgi_wheel_check(&wheel);
}

#if BGI_DEBUG

static void check(void *arg)
{
    (void)arg;
    bgi_wheel_check(&wheel);
}

#define TICKS(n) ((uint64_t)(n) << BGI_WHEEL_TICK_BITS)

/* At tick 10: two nodes of ticks 20 and 21 (level 0), two of 100 and 200 (level 1), a late one. */
static void make(void)
{
    static const uint64_t ticks[] = {20, 21, 100, 200, 4};
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&wheel, TICKS(10));
    for (size_t i = 0; i < BGI_ARRAY_LEN(ticks); i++) {
        bgi_timer_node_init(&node[i]);
        bgi_wheel_insert(&wheel, &node[i], TICKS(ticks[i]));
    }
    bgi_wheel_check(&wheel);
}

Test(check, a_broken_wheel_is_found)
{
    make();
    wheel.count = 6;
    DIES(check, NULL, "brigade: timer wheel: count is 6, the slots have 5");
    make();
    wheel.occupied[0] &= ~(UINT64_C(1) << 20);
    DIES(check, NULL, "timer wheel: slot 20 has 1 nodes, its bit is 0");
    make();
    wheel.occupied[2] |= 1;
    DIES(check, NULL, "timer wheel: slot 128 has 0 nodes, its bit is 1");
    make();
    wheel.occupied[BGI_WHEEL_LEVELS] |= 2;
    DIES(check, NULL, "timer wheel: there is one slot of late nodes");
    make();
    node[0].deadline = TICKS(22);
    DIES(check, NULL, "timer wheel: a node of tick 22 is in slot 20, not in 22, at 10");
    make();
    wheel.tick = 100; /* went past nodes without handing them out */
    DIES(check, NULL, "timer wheel: a node of tick 20 is in slot 20, not in 512, at 100");
    make();
    wheel.slots[65].first = 110; /* it holds 100 */
    DIES(check, NULL, "timer wheel: slot 65 has a node of tick 100, not within [110, 100]");
    make();
    node[3].slot = 5;
    DIES(check, NULL, "timer wheel: a node in slot 67 says that it is in 5");
    make();
    node[3].slot = BGI_WHEEL_OUT;
    DIES(check, NULL, "timer wheel: a node in slot 67 says that it is in 513");
    make();
    wheel.cascading = 3;
    DIES(check, NULL, "timer wheel: slot 3 is being dealt out");
    make();
    wheel.tick = BGI_WHEEL_NEVER_TICK;
    DIES(check, NULL, "timer wheel: the current tick is never");
    make();
    bgi_list_init(&node[2].link);
    DIES(check, NULL, "timer wheel: list: link 0 and the next one disagree");
}

#endif

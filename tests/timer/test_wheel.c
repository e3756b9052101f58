/*
 * The timer wheel, by hand at every boundary between levels and at the ends of time, and then
 * against an oracle: a plain array searched for the least (tick, order of insertion) at every step,
 * over random insertions, removals, jumps of time and limits.
 */
#include "timer/wheel.h"

#include "base/random.h"

#include <criterion/criterion.h>

#define TICK BGI_WHEEL_TICK

enum { NO_LIMIT = 1 << 30 };

/* Takes the first node off a due list. */
static bgi_timer_node *first_of(struct bgi_list *due)
{
    struct bgi_list *l = bgi_list_pop_front(due);
    return l == NULL ? NULL : bgi_timer_node_of(l);
}

static size_t length_of(const struct bgi_list *due)
{
    size_t n = 0;
    for (const struct bgi_list *l = due->next; l != due; l = l->next) {
        n++;
    }
    return n;
}

/* How many nodes come out by this time; all of them are let go. */
static size_t fire(struct bgi_wheel *w, uint64_t now)
{
    struct bgi_list due;
    bgi_list_init(&due);
    cr_assert_eq(bgi_wheel_advance(w, now, &due, NO_LIMIT), 0);
    return length_of(&due);
}

Test(wheel, an_empty_one_has_nothing_to_do)
{
    static struct bgi_wheel w;
    bgi_wheel_init(&w, 12345 * TICK);
    cr_assert_eq(bgi_wheel_count(&w), 0);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
    cr_assert_eq(fire(&w, 0), 0);
    cr_assert_eq(fire(&w, BGI_WHEEL_LAST), 0);
    cr_assert_eq(fire(&w, UINT64_MAX), 0);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
}

Test(wheel, a_deadline_is_rounded_up_and_now_is_rounded_down)
{
    static const uint64_t starts[] = {0, 1, TICK - 1, TICK, 77 * TICK + 5};
    static const uint64_t delays[] = {
        1, 2, TICK - 1, TICK, TICK + 1, 63 * TICK + 7, 64 * TICK, 1000 * TICK + 1};
    static struct bgi_wheel w;
    for (size_t s = 0; s < BGI_ARRAY_LEN(starts); s++) {
        for (size_t d = 0; d < BGI_ARRAY_LEN(delays); d++) {
            uint64_t deadline = starts[s] + delays[d];
            uint64_t due_at = (deadline + TICK - 1) / TICK * TICK;
            bgi_timer_node n;
            bgi_wheel_init(&w, starts[s]);
            bgi_wheel_insert(&w, &n, deadline);
            cr_assert_eq(bgi_wheel_next(&w), due_at);
            cr_assert_eq(fire(&w, due_at - 1), 0, "%zu %zu is early", s, d);
            cr_assert(bgi_timer_node_pending(&n));
            cr_assert_eq(fire(&w, due_at), 1, "%zu %zu is late", s, d);
            cr_assert_not(bgi_timer_node_pending(&n));
            cr_assert_eq(bgi_wheel_count(&w), 0);
        }
    }
}

Test(wheel, what_has_passed_is_due_at_once)
{
    static struct bgi_wheel w;
    bgi_timer_node a;
    bgi_timer_node b;
    bgi_wheel_init(&w, 100 * TICK);
    bgi_wheel_insert(&w, &a, 100 * TICK);
    bgi_wheel_insert(&w, &b, 0);
    cr_assert_eq(bgi_wheel_count(&w), 2);
    cr_assert_leq(bgi_wheel_next(&w), 100 * TICK);
    cr_assert_eq(bgi_wheel_remove(&w, &a), 1);
    cr_assert_leq(bgi_wheel_next(&w), 100 * TICK);
    cr_assert_eq(fire(&w, 0), 1);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
}

/* One node on each side of each level's boundary, from starts around that boundary. */
Test(wheel, every_level_boundary)
{
    static struct bgi_wheel w;
    for (unsigned level = 1; level < BGI_WHEEL_LEVELS; level++) {
        uint64_t boundary = UINT64_C(1) << (6 * level); /* in ticks */
        for (int start_off = -2; start_off <= 2; start_off++) {
            for (int off = -2; off <= 2; off++) {
                for (uint64_t times = 2; times <= 63; times += 30) {
                    uint64_t start = boundary + (uint64_t)(int64_t)start_off;
                    uint64_t tick = boundary * times + (uint64_t)(int64_t)off;
                    if (tick <= start) {
                        continue;
                    }
                    bgi_timer_node n;
                    bgi_wheel_init(&w, start * TICK);
                    bgi_wheel_insert(&w, &n, tick * TICK);
                    cr_assert_leq(bgi_wheel_next(&w), tick * TICK);
                    cr_assert_gt(bgi_wheel_next(&w), start * TICK);
                    cr_assert_eq(fire(&w, tick * TICK - 1), 0);
                    cr_assert_eq(bgi_wheel_next(&w), tick * TICK);
                    cr_assert_eq(fire(&w, tick * TICK), 1);
                }
            }
        }
    }
}

/* Without a jump: every single tick over two turns of level 1. */
Test(wheel, tick_by_tick)
{
    enum { TICKS = 2 * 64 * 64 };
    static struct bgi_wheel w;
    static bgi_timer_node nodes[TICKS];
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < TICKS; i++) {
        size_t mixed = i * 2731 % TICKS; /* odd, so each once */
        bgi_wheel_insert(&w, &nodes[mixed], (mixed + 1) * TICK);
    }
    for (size_t i = 0; i < TICKS; i++) {
        struct bgi_list due;
        bgi_list_init(&due);
        cr_assert_eq(bgi_wheel_next(&w) <= (i + 1) * TICK, 1);
        cr_assert_eq(bgi_wheel_advance(&w, (i + 1) * TICK, &due, NO_LIMIT), 0);
        cr_assert_eq(first_of(&due), &nodes[i]);
        cr_assert_null(first_of(&due));
    }
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, the_ends_of_time)
{
    static struct bgi_wheel w;
    bgi_timer_node far[6];
    static const uint64_t deadlines[6] = {(uint64_t)INT64_MAX - 1, INT64_MAX,      BGI_WHEEL_LAST,
                                          BGI_WHEEL_LAST + 1,      UINT64_MAX - 1, UINT64_MAX};
    bgi_wheel_init(&w, 1);
    for (int i = 0; i < 6; i++) {
        bgi_wheel_insert(&w, &far[i], deadlines[i]);
    }
    cr_assert_eq(fire(&w, (uint64_t)INT64_MAX - TICK), 0);
    cr_assert_eq(fire(&w, (uint64_t)INT64_MAX), 0); /* rounded up, it is one ns after that */
    cr_assert_eq(bgi_wheel_next(&w), (uint64_t)INT64_MAX + 1);
    cr_assert_eq(fire(&w, (uint64_t)INT64_MAX + 1), 2);
    cr_assert_eq(fire(&w, BGI_WHEEL_LAST - 1), 0);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_LAST);
    cr_assert_eq(fire(&w, BGI_WHEEL_LAST), 1);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
    cr_assert_eq(fire(&w, UINT64_MAX), 0);
    cr_assert_eq(bgi_wheel_count(&w), 3);
    for (int i = 3; i < 6; i++) {
        cr_assert_eq(bgi_wheel_remove(&w, &far[i]), 1);
    }
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, first_in_first_out_within_a_tick_through_cascades)
{
    enum { NODES = 40 };
    static struct bgi_wheel w;
    bgi_timer_node nodes[NODES];
    struct bgi_list due;
    uint64_t tick = 64 * 64 * 3 + 64 * 5 + 7;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < NODES; i++) { /* inserted from ever nearer, so at ever lower levels */
        uint64_t now = tick * TICK - tick * TICK / ((uint64_t)1 << (i / 3));
        cr_assert_eq(bgi_wheel_advance(&w, now, &due, NO_LIMIT), 0);
        bgi_wheel_insert(&w, &nodes[i], tick * TICK - i);
    }
    cr_assert(bgi_list_empty(&due));
    cr_assert_eq(bgi_wheel_advance(&w, tick * TICK, &due, NO_LIMIT), 0);
    for (size_t i = 0; i < NODES; i++) {
        cr_assert_eq(first_of(&due), &nodes[i]);
    }
}

Test(wheel, removal_is_exact_and_idempotent)
{
    static struct bgi_wheel w;
    bgi_timer_node a;
    bgi_timer_node b;
    bgi_timer_node_init(&a);
    bgi_wheel_init(&w, 0);
    cr_assert_eq(bgi_wheel_remove(&w, &a), 0);
    bgi_wheel_insert(&w, &a, 5000 * TICK);
    bgi_wheel_insert(&w, &b, 5000 * TICK);
    cr_assert_eq(bgi_wheel_count(&w), 2);
    cr_assert_eq(bgi_wheel_remove(&w, &a), 1);
    cr_assert_eq(bgi_wheel_remove(&w, &a), 0);
    cr_assert_eq(bgi_wheel_next(&w), 5000 * TICK);
    cr_assert_eq(bgi_wheel_remove(&w, &b), 1);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
    bgi_wheel_insert(&w, &a, 3 * TICK);
    cr_assert_eq(fire(&w, 10000 * TICK), 1);
    cr_assert_eq(bgi_wheel_remove(&w, &a), 0);
}

Test(wheel, next_is_exact_for_a_few_far_nodes_and_close_in_for_many)
{
    enum { MANY = 20 };
    static struct bgi_wheel w;
    bgi_timer_node nodes[MANY];
    bgi_wheel_init(&w, 0);
    bgi_wheel_insert(&w, &nodes[0], 5000 * TICK);
    bgi_wheel_insert(&w, &nodes[1], 4900 * TICK + 1);
    cr_assert_eq(bgi_wheel_next(&w), 4901 * TICK);
    for (size_t i = 2; i < MANY; i++) {
        bgi_wheel_insert(&w, &nodes[i], 4901 * TICK + i);
    }
    cr_assert_eq(bgi_wheel_next(&w), 4096 * TICK);
    int asked = 0;
    uint64_t next;
    while ((next = bgi_wheel_next(&w)) < 4901 * TICK) {
        cr_assert_eq(fire(&w, next), 0);
        cr_assert_gt(bgi_wheel_next(&w), next);
        asked++;
    }
    cr_assert_eq(next, 4901 * TICK);
    cr_assert_leq(asked, BGI_WHEEL_LEVELS);
    cr_assert_eq(fire(&w, next), 1);
}

Test(wheel, a_limit_stops_and_the_rest_comes_later)
{
    enum { NODES = 100 };
    static struct bgi_wheel w;
    static bgi_timer_node nodes[NODES];
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < NODES; i++) {
        bgi_wheel_insert(&w, &nodes[i], 64 * 64 * TICK);
    }
    size_t calls = 1;
    while (bgi_wheel_advance(&w, 64 * 64 * TICK, &due, 7)) {
        cr_assert_leq(bgi_wheel_next(&w), 64 * 64 * TICK, "there is more to do");
        calls++;
    }
    cr_assert_eq(length_of(&due), NODES);
    cr_assert_geq(calls, NODES / 7);
    for (size_t i = 0; i < NODES; i++) {
        cr_assert_eq(first_of(&due), &nodes[i]);
    }
}

Test(wheel, removal_and_insertion_between_two_parts_of_a_batch)
{
    enum { NODES = 20 };
    static struct bgi_wheel w;
    bgi_timer_node nodes[NODES];
    bgi_timer_node late;
    bgi_timer_node same;
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < NODES; i++) {
        bgi_wheel_insert(&w, &nodes[i], 100 * TICK);
    }
    /* One of another tick, though it goes again: the slot is not moved down as a whole. */
    bgi_wheel_insert(&w, &late, 101 * TICK);
    cr_assert_eq(bgi_wheel_remove(&w, &late), 1);
    /* The first ten are dealt out from level 1, the others still above. */
    cr_assert_eq(bgi_wheel_advance(&w, 200 * TICK, &due, NODES / 2), 1);
    cr_assert(bgi_list_empty(&due));
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[3]), 1);
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[15]), 1);
    bgi_wheel_insert(&w, &late, 5 * TICK);
    bgi_wheel_insert(&w, &same, 100 * TICK);
    /* Late, nine dealt out, the new one of the same tick, and five handed out. */
    cr_assert_eq(bgi_wheel_advance(&w, 200 * TICK, &due, 1 + 9 + 1 + 5), 1);
    cr_assert_eq(first_of(&due), &late);
    for (size_t i = 0; i < 6; i++) {
        if (i != 3) {
            cr_assert_eq(first_of(&due), &nodes[i]);
        }
    }
    cr_assert_null(first_of(&due));
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[0]), 0);
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[6]), 1);
    bgi_wheel_insert(&w, &late, 99 * TICK); /* the current tick's leftovers come first */
    cr_assert_eq(bgi_wheel_advance(&w, 200 * TICK, &due, NO_LIMIT), 0);
    for (size_t i = 7; i < NODES; i++) {
        if (i != 15) {
            cr_assert_eq(first_of(&due), &nodes[i]);
        }
    }
    cr_assert_eq(first_of(&due), &same);
    cr_assert_eq(first_of(&due), &late);
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, a_slot_of_one_tick_moves_down_as_a_whole)
{
    enum { NODES = 1000, TICK_OF_ALL = 2 * 64 * 64 + 3 * 64 + 5 };
    static struct bgi_wheel w;
    static bgi_timer_node nodes[NODES];
    bgi_timer_node before, same, after;
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < NODES; i++) {
        bgi_wheel_insert(&w, &nodes[i], TICK_OF_ALL * TICK);
    }
    /* Down from level 2, without a step for each. */
    cr_assert_eq(bgi_wheel_advance(&w, 2 * 64 * 64 * TICK, &due, 1), 0);
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[0]), 1);
    bgi_wheel_insert(&w, &same, TICK_OF_ALL * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, (2 * 64 * 64 + 3 * 64) * TICK, &due, 1), 0);
    cr_assert(bgi_list_empty(&due));
    cr_assert_eq(bgi_wheel_remove(&w, &nodes[NODES - 1]), 1);
    bgi_wheel_insert(&w, &before, (TICK_OF_ALL - 1) * TICK);
    bgi_wheel_insert(&w, &after, (TICK_OF_ALL + 1) * TICK);
    cr_assert_eq(bgi_wheel_next(&w), (TICK_OF_ALL - 1) * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, (TICK_OF_ALL + 1) * TICK, &due, NO_LIMIT), 0);
    cr_assert_eq(first_of(&due), &before);
    for (size_t i = 1; i < NODES - 1; i++) {
        cr_assert_eq(first_of(&due), &nodes[i]);
    }
    cr_assert_eq(first_of(&due), &same);
    cr_assert_eq(first_of(&due), &after);
    cr_assert_eq(bgi_wheel_count(&w), 0);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);

    /* Emptied after it has moved: the slot it went to, not the one it came from, is marked so. */
    bgi_wheel_insert(&w, &same, 4 * 64 * 64 * TICK + 70 * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, 4 * 64 * 64 * TICK, &due, NO_LIMIT), 0);
    cr_assert_eq(bgi_wheel_remove(&w, &same), 1);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
}

Test(wheel, a_slot_emptied_while_it_is_dealt_out)
{
    static struct bgi_wheel w;
    bgi_timer_node nodes[4];
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < 4; i++) {
        bgi_wheel_insert(&w, &nodes[i], (128 + 10 * i) * TICK);
    }
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 2), 1);
    for (size_t i = 1; i < 4; i++) {
        cr_assert_eq(bgi_wheel_remove(&w, &nodes[i]), 1);
    }
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 1), 0);
    cr_assert_eq(first_of(&due), &nodes[0]);
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
}

/* Two nodes of a slot above level 0 have moved down, the others have gone, and new ones come: the
 * slot, now of one tick, moves as a whole behind what was dealt out before. */
static void refill_a_slot_dealt_out_in_part(uint64_t first, uint64_t second, uint64_t refilled)
{
    enum { START = 64 * 64 };
    static struct bgi_wheel w;
    bgi_timer_node dealt[2], gone, fresh[2];
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    bgi_wheel_insert(&w, &dealt[0], (START + first) * TICK);
    bgi_wheel_insert(&w, &dealt[1], (START + second) * TICK);
    bgi_wheel_insert(&w, &gone, (START + 4095) * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, START * TICK, &due, 2), 1);
    cr_assert_eq(bgi_wheel_remove(&w, &gone), 1);
    bgi_wheel_insert(&w, &fresh[0], (START + refilled) * TICK);
    bgi_wheel_insert(&w, &fresh[1], (START + refilled) * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, START * TICK, &due, NO_LIMIT), 0);
    cr_assert(bgi_list_empty(&due));

    uint64_t earliest = first < refilled ? first : refilled;
    cr_assert_eq(bgi_wheel_next(&w), (START + earliest) * TICK);
    cr_assert_eq(fire(&w, (START + earliest) * TICK - 1), 0);
    cr_assert_eq(bgi_wheel_advance(&w, 2 * START * TICK, &due, NO_LIMIT), 0);
    if (refilled < first) {
        cr_assert_eq(first_of(&due), &fresh[0]);
        cr_assert_eq(first_of(&due), &fresh[1]);
    }
    cr_assert_eq(first_of(&due), &dealt[0]);
    if (refilled >= first && refilled < second) {
        cr_assert_eq(first_of(&due), &fresh[0]);
        cr_assert_eq(first_of(&due), &fresh[1]);
    }
    cr_assert_eq(first_of(&due), &dealt[1]);
    if (refilled >= second) {
        cr_assert_eq(first_of(&due), &fresh[0]);
        cr_assert_eq(first_of(&due), &fresh[1]);
    }
    cr_assert_null(first_of(&due));
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, a_slot_dealt_out_in_part_is_emptied_and_filled_again)
{
    refill_a_slot_dealt_out_in_part(3 * 64 + 5, 3 * 64 + 9, 3 * 64 + 1); /* before them */
    refill_a_slot_dealt_out_in_part(3 * 64 + 5, 3 * 64 + 9, 3 * 64 + 7);
    refill_a_slot_dealt_out_in_part(3 * 64 + 5, 3 * 64 + 9, 3 * 64 + 11); /* after them */
    refill_a_slot_dealt_out_in_part(3 * 64 + 5, 3 * 64 + 9, 3 * 64 + 9);  /* as the last */
    refill_a_slot_dealt_out_in_part(5, 9, 9);                             /* to level 0 */
    refill_a_slot_dealt_out_in_part(5, 9, 77);                            /* to an empty slot */
}

Test(wheel, a_slot_dealt_out_in_part_is_emptied_filled_and_emptied)
{
    static struct bgi_wheel w;
    bgi_timer_node dealt, gone, back;
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    bgi_wheel_insert(&w, &dealt, 140 * TICK);
    bgi_wheel_insert(&w, &gone, 150 * TICK);
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 1), 1);
    cr_assert_eq(bgi_wheel_remove(&w, &gone), 1);
    bgi_wheel_insert(&w, &back, 150 * TICK);
    cr_assert_eq(bgi_wheel_remove(&w, &back), 1);
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 1), 0);
    cr_assert_eq(bgi_wheel_next(&w), 140 * TICK);
    cr_assert_eq(fire(&w, 140 * TICK), 1);
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, late_ones_come_out_before_more_is_dealt_out)
{
    static struct bgi_wheel w;
    bgi_timer_node node[3], late[3];
    struct bgi_list due;
    bgi_list_init(&due);
    bgi_wheel_init(&w, 0);
    for (size_t i = 0; i < 3; i++) {
        bgi_wheel_insert(&w, &node[i], (140 + i) * TICK);
    }
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 1), 1);
    for (size_t i = 0; i < 3; i++) {
        bgi_wheel_insert(&w, &late[i], (100 + i) * TICK);
    }
    cr_assert_eq(bgi_wheel_next(&w), 127 * TICK, "there is something to do at once");
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 2), 1, "one late one is left");
    cr_assert_eq(length_of(&due), 2);
    cr_assert_eq(bgi_wheel_advance(&w, 128 * TICK, &due, 2), 1, "and one to be dealt out");
    cr_assert_eq(length_of(&due), 3);
    cr_assert_eq(bgi_wheel_advance(&w, 200 * TICK, &due, NO_LIMIT), 0);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(first_of(&due), &late[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(first_of(&due), &node[i]);
    }
    cr_assert_eq(bgi_wheel_count(&w), 0);
}

Test(wheel, starts_at_the_end_of_time)
{
    static struct bgi_wheel w;
    bgi_timer_node last, never, late;
    bgi_wheel_init(&w, UINT64_MAX);
    bgi_wheel_insert(&w, &last, BGI_WHEEL_LAST);
    bgi_wheel_insert(&w, &never, UINT64_MAX);
    bgi_wheel_insert(&w, &late, 1);
    cr_assert_eq(fire(&w, UINT64_MAX), 2, "all but the one that is never due");
    cr_assert_not(bgi_timer_node_pending(&last));
    cr_assert(bgi_timer_node_pending(&never));
    cr_assert_eq(bgi_wheel_next(&w), BGI_WHEEL_NEVER);
    cr_assert_eq(bgi_wheel_remove(&w, &never), 1);
}

/* -- the oracle ------------------------------------------------------------------------------- */

enum { POOL = 120, STEPS = 60000 };

struct entry {
    bgi_timer_node node;
    int pending;
    uint64_t tick;  /* when it has to come out */
    uint64_t order; /* of insertion */
};

static struct {
    struct bgi_wheel wheel;
    struct bgi_random random;
    struct entry entries[POOL];
    uint64_t now;
    uint64_t inserted;
    size_t pending;
    size_t fired;
} trial;

/* Numbers of every magnitude: uniform in the number of bits. */
static uint64_t any_magnitude(unsigned max_bits)
{
    uint64_t bits = bgi_random_below(&trial.random, max_bits + 1);
    return bits == 0 ? 0 : bgi_random_next(&trial.random) >> (64 - bits);
}

static struct entry *earliest(void)
{
    struct entry *best = NULL;
    for (size_t i = 0; i < POOL; i++) {
        struct entry *e = &trial.entries[i];
        if (e->pending && (best == NULL || e->tick < best->tick ||
                           (e->tick == best->tick && e->order < best->order))) {
            best = e;
        }
    }
    return best;
}

static void insert_one(struct entry *e, unsigned magnitude)
{
    uint64_t delay = any_magnitude(magnitude);
    uint64_t deadline = trial.now + delay;
    if (bgi_random_below(&trial.random, 8) == 0) {
        deadline = trial.now > delay ? trial.now - delay : 0;
    }
    uint64_t tick = deadline / TICK + (deadline % TICK != 0);
    e->tick = tick > trial.wheel.tick ? tick : trial.wheel.tick;
    e->order = trial.inserted++;
    e->pending = 1;
    trial.pending++;
    bgi_wheel_insert(&trial.wheel, &e->node, deadline);
}

/* Advances by random parts; what comes out has to be what the oracle says, in its order. */
static void advance_and_compare(void)
{
    struct bgi_list due;
    bgi_list_init(&due);
    size_t limit =
        bgi_random_below(&trial.random, 2) ? NO_LIMIT : 1 + bgi_random_below(&trial.random, 9);
    int more = bgi_wheel_advance(&trial.wheel, trial.now, &due, limit);
    bgi_timer_node *n;
    while ((n = first_of(&due)) != NULL) {
        struct entry *want = earliest();
        cr_assert_eq(n, &want->node, "not the earliest one");
        cr_assert_leq(n->deadline, trial.now, "early");
        cr_assert_leq(want->tick * TICK, trial.now);
        want->pending = 0;
        trial.pending--;
        trial.fired++;
    }
    struct entry *left = earliest();
    uint64_t next = bgi_wheel_next(&trial.wheel);
    cr_assert_eq(bgi_wheel_count(&trial.wheel), trial.pending);
    if (more) {
        cr_assert_leq(next, trial.now);
    } else if (left == NULL) {
        cr_assert_eq(next, BGI_WHEEL_NEVER);
    } else {
        cr_assert_gt(left->tick * TICK, trial.now, "left behind");
        cr_assert_leq(next, left->tick * TICK);
        cr_assert_gt(next, trial.now);
    }
}

static void try_against_oracle(uint64_t seed, unsigned magnitude)
{
    memset(&trial, 0, sizeof trial);
    bgi_random_seed(&trial.random, seed);
    trial.now = any_magnitude(magnitude);
    bgi_wheel_init(&trial.wheel, trial.now);
    for (int step = 0; step < STEPS / 6; step++) {
        struct entry *e = &trial.entries[bgi_random_below(&trial.random, POOL)];
        uint32_t dice = bgi_random_below(&trial.random, 100);
        if (dice < 60) {
            if (!e->pending) {
                insert_one(e, magnitude);
            } else if (dice < 20) {
                cr_assert_eq(bgi_wheel_remove(&trial.wheel, &e->node), 1);
                e->pending = 0;
                trial.pending--;
            }
        } else if (dice < 80) {
            if (trial.now < UINT64_C(1) << 62) {
                trial.now += any_magnitude(magnitude - 2);
            }
            advance_and_compare();
        } else if (dice < 90) {
            uint64_t next = bgi_wheel_next(&trial.wheel);
            if (next != BGI_WHEEL_NEVER && next > trial.now && next < UINT64_C(1) << 62) {
                trial.now = next;
            }
            advance_and_compare();
        } else {
            advance_and_compare();
        }
    }
    cr_assert_gt(trial.fired, STEPS / 100);
}

Test(wheel, agrees_with_a_sorted_list_near)
{
    try_against_oracle(1, 22);
    try_against_oracle(2, 26);
}

Test(wheel, agrees_with_a_sorted_list_far)
{
    try_against_oracle(3, 34);
    try_against_oracle(4, 46);
}

Test(wheel, agrees_with_a_sorted_list_very_far)
{
    try_against_oracle(5, 55);
    try_against_oracle(6, 61);
}

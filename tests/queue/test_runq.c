/*
 * The run queue: order, the next slot and its bound, overflow, halves that are stolen, indices at
 * their wrap, and races of owner and thieves. test_runq_2.c and test_runq_4.c are the same with
 * rings that are always about to overflow.
 */
#include "queue/runq.h"

#include "base/random.h"
#include "crew.h"

enum { CAPACITY = BGI_RUNQ_CAPACITY, HALF = CAPACITY / 2 };

struct numbered {
    struct bgi_link link;
    bgi_atomic got;
};

static bgi_runq queue, other;
static struct numbered n[4 * CAPACITY + 64];
static const bgi_word starts[] = {0, 1, (bgi_word)0 - 1, (bgi_word)0 - CAPACITY,
                                  (~(bgi_word)0 >> 1) - 1};

static void start(bgi_runq *q, bgi_word at)
{
    bgi_runq_init(q);
    bgi_store(&q->head, at);
    bgi_store(&q->tail, at);
}

/* Which item a link is; -1 for none. */
static long which(struct bgi_link *l)
{
    return l == NULL ? -1 : (long)(BGI_CONTAINER_OF(l, struct numbered, link) - n);
}

/* Adds items first to last - 1; the ring has room. */
static void fill(bgi_runq *q, long first, long last)
{
    struct bgi_fifo chain;
    for (long i = first; i < last; i++) {
        cr_assert_eq(bgi_runq_push(q, &n[i].link, &chain), 0);
    }
}

/* ---- one thread ---- */

Test(runq, first_in_first_out_wherever_indices_are)
{
    for (size_t s = 0; s < BGI_ARRAY_LEN(starts); s++) {
        start(&queue, starts[s]);
        cr_assert(bgi_runq_empty(&queue));
        cr_assert_null(bgi_runq_pop(&queue));
        for (long round = 0; round < 5; round++) {
            for (long count = 0; count <= CAPACITY; count = count * 2 + 1) {
                fill(&queue, 0, count);
                cr_assert_eq(bgi_runq_size(&queue), (size_t)count);
                cr_assert_eq(bgi_runq_empty(&queue), count == 0);
                for (long i = 0; i < count; i++) {
                    cr_assert_eq(which(i % 2 ? bgi_runq_pop(&queue) : bgi_runq_pop_ring(&queue)),
                                 i);
                }
                cr_assert_null(bgi_runq_pop_ring(&queue));
                cr_assert_null(bgi_runq_pop_next(&queue));
            }
        }
    }
}

Test(runq, overflow_is_the_older_half_and_the_new_one)
{
    for (size_t s = 0; s < BGI_ARRAY_LEN(starts); s++) {
        struct bgi_fifo chain;
        start(&queue, starts[s]);
        fill(&queue, 0, CAPACITY);
        cr_assert_eq(bgi_runq_push(&queue, &n[CAPACITY].link, &chain), HALF + 1);
        for (long i = 0; i < HALF; i++) {
            cr_assert_eq(which(bgi_fifo_pop(&chain)), i);
        }
        cr_assert_eq(which(bgi_fifo_pop(&chain)), CAPACITY);
        cr_assert_null(bgi_fifo_pop(&chain));
        cr_assert_eq(bgi_runq_size(&queue), CAPACITY - HALF);
        fill(&queue, CAPACITY + 1, CAPACITY + 1 + HALF); /* there is room for as many */
        for (long i = HALF; i < CAPACITY; i++) {
            cr_assert_eq(which(bgi_runq_pop(&queue)), i);
        }
        for (long i = CAPACITY + 1; i < CAPACITY + 1 + HALF; i++) {
            cr_assert_eq(which(bgi_runq_pop(&queue)), i);
        }
        cr_assert_null(bgi_runq_pop(&queue));
    }
}

/* The owner found it full, and then a thief was there. */
Test(runq, no_overflow_when_a_thief_has_made_room)
{
    struct bgi_fifo chain;
    start(&queue, 0);
    fill(&queue, 0, CAPACITY - 1);
    cr_assert_eq(bgi_runq_push_slow(&queue, &n[CAPACITY - 1].link, &chain), 0);
    for (long i = 0; i < CAPACITY; i++) {
        cr_assert_eq(which(bgi_runq_pop(&queue)), i);
    }
}

Test(runq, next_comes_first_and_displaces)
{
    start(&queue, 0);
    fill(&queue, 0, 2);
    cr_assert_null(bgi_runq_pop_next(&queue));
    cr_assert_null(bgi_runq_put_next(&queue, &n[10].link));
    cr_assert_eq(which(bgi_runq_put_next(&queue, &n[11].link)), 10);
    cr_assert_not(bgi_runq_empty(&queue));
    cr_assert_eq(bgi_runq_size(&queue), 2); /* the ring's */
    cr_assert_eq(which(bgi_runq_pop(&queue)), 11);
    cr_assert_eq(which(bgi_runq_pop(&queue)), 0);
    cr_assert_eq(which(bgi_runq_pop(&queue)), 1);
    cr_assert_null(bgi_runq_put_next(&queue, &n[12].link));
    cr_assert_not(bgi_runq_empty(&queue));
    cr_assert_eq(which(bgi_runq_pop(&queue)), 12);
    cr_assert(bgi_runq_empty(&queue));
}

/* Two that wake each other for ever: one of the ring after at most BGI_RUNQ_JUMPS of them. */
Test(runq, next_may_jump_the_queue_only_so_often)
{
    for (int round = 0; round < 3; round++) {
        start(&queue, 0);
        fill(&queue, 0, 2);
        for (long i = 0; i < 2; i++) {
            for (long jump = 0; jump < BGI_RUNQ_JUMPS; jump++) {
                cr_assert_null(bgi_runq_put_next(&queue, &n[10 + jump % 2].link));
                cr_assert_eq(which(bgi_runq_pop(&queue)), 10 + jump % 2);
            }
            cr_assert_null(bgi_runq_put_next(&queue, &n[20].link));
            cr_assert_eq(which(bgi_runq_pop(&queue)), i);
            cr_assert_eq(which(bgi_runq_pop_next(&queue)), 20);
        }
        /* With an empty ring there is nobody to be starved. */
        for (long jump = 0; jump < 5 * BGI_RUNQ_JUMPS; jump++) {
            cr_assert_null(bgi_runq_put_next(&queue, &n[10].link));
            cr_assert_eq(which(bgi_runq_pop(&queue)), 10);
        }
    }
}

Test(runq, jumps_count_only_in_a_row)
{
    start(&queue, 0);
    for (int round = 0; round < 4; round++) {
        for (long jump = 0; jump < BGI_RUNQ_JUMPS - 1; jump++) {
            cr_assert_null(bgi_runq_put_next(&queue, &n[10].link));
            cr_assert_eq(which(bgi_runq_pop(&queue)), 10);
        }
        fill(&queue, 0, 1);
        cr_assert_eq(which(bgi_runq_pop(&queue)), 0);
    }
}

Test(runq, next_can_be_stolen)
{
    start(&queue, 0);
    start(&other, 0);
    cr_assert_null(bgi_runq_steal_next(&queue));
    cr_assert_null(bgi_runq_put_next(&queue, &n[3].link));
    cr_assert_null(bgi_runq_steal(&queue, &other)); /* the ring is another matter */
    cr_assert_eq(which(bgi_runq_steal_next(&queue)), 3);
    cr_assert_null(bgi_runq_steal_next(&queue));
    cr_assert_null(bgi_runq_pop(&queue));
    cr_assert_null(bgi_runq_put_next(&queue, &n[4].link));
    cr_assert_eq(which(bgi_runq_pop(&queue)), 4);
}

Test(runq, a_thief_gets_the_older_half)
{
    for (size_t s = 0; s < BGI_ARRAY_LEN(starts); s++) {
        for (long count = 0; count <= CAPACITY; count++) {
            start(&queue, starts[s]);
            start(&other, starts[BGI_ARRAY_LEN(starts) - 1 - s]);
            fill(&queue, 0, count);
            cr_assert_null(bgi_runq_put_next(&queue, &n[CAPACITY + 1].link));
            struct bgi_link *l = bgi_runq_steal(&queue, &other);
            long stolen = count - count / 2;
            cr_assert_eq(which(l), count == 0 ? -1 : 0);
            for (long i = 1; i < stolen; i++) {
                cr_assert_eq(which(bgi_runq_pop(&other)), i);
            }
            cr_assert_null(bgi_runq_pop(&other));
            cr_assert_eq(which(bgi_runq_pop_next(&queue)), CAPACITY + 1);
            for (long i = stolen; i < count; i++) {
                cr_assert_eq(which(bgi_runq_pop(&queue)), i);
            }
            cr_assert_null(bgi_runq_pop(&queue));
        }
    }
}

Test(runq, a_thief_takes_no_more_than_it_has_room_for)
{
    for (long has = 0; has <= CAPACITY; has++) {
        start(&queue, 0);
        start(&other, 0);
        fill(&queue, 0, CAPACITY);
        fill(&other, CAPACITY, CAPACITY + has);
        long moved = CAPACITY - has < HALF - 1 ? CAPACITY - has : HALF - 1;
        cr_assert_eq(which(bgi_runq_steal(&queue, &other)), 0);
        cr_assert_eq(bgi_runq_size(&other), (size_t)(has + moved));
        cr_assert_eq(bgi_runq_size(&queue), (size_t)(CAPACITY - 1 - moved));
        for (long i = 0; i < has; i++) {
            cr_assert_eq(which(bgi_runq_pop(&other)), CAPACITY + i);
        }
        for (long i = 1; i <= moved; i++) {
            cr_assert_eq(which(bgi_runq_pop(&other)), i);
        }
        cr_assert_eq(which(bgi_runq_pop(&queue)), moved + 1);
    }
}

/* ---- races ---- */

enum { RACE_ITEMS = 100000, PLACES = 9 };

static struct {
    bgi_runq q[PLACES]; /* 0: the owner's, who alone gets new items */
    struct numbered item[RACE_ITEMS];
    bgi_atomic got, stolen, stolen_next, overflown;
    unsigned places;
} race;

static void got(struct bgi_link *l)
{
    struct numbered *i = BGI_CONTAINER_OF(l, struct numbered, link);
    (void)bgi_fetch_add_relaxed(&i->got, 1);
    (void)bgi_fetch_add(&race.got, 1);
}

/* What overflows is taken for run, and counted. */
static void add(bgi_runq *q, struct bgi_link *l)
{
    struct bgi_fifo chain;
    size_t count = bgi_runq_push(q, l, &chain);
    if (count == 0) {
        return;
    }
    (void)bgi_fetch_add_relaxed(&race.overflown, count);
    for (; count > 0 && (l = bgi_fifo_pop(&chain)) != NULL; count--) {
        got(l);
    }
    if (count != 0 || bgi_fifo_pop(&chain) != NULL) {
        (void)bgi_fetch_add(&race.got, 2 * RACE_ITEMS); /* not as long as it said */
    }
}

static void make(void)
{
    bgi_runq *q = &race.q[0];
    struct bgi_random random;
    struct bgi_link *l;
    bgi_random_seed(&random, race.places);

    for (size_t i = 0; i < RACE_ITEMS;) {
        switch (bgi_random_below(&random, 8)) {
        case 0:
            l = bgi_runq_put_next(q, &race.item[i++].link);
            if (l != NULL) {
                add(q, l);
            }
            break;
        case 1:
        case 2:
        case 3:
            add(q, &race.item[i++].link);
            break;
        case 4:
            for (size_t k = 0; k < CAPACITY && i < RACE_ITEMS; k++) {
                add(q, &race.item[i++].link);
            }
            break;
        case 5:
            sched_yield();
            break;
        default:
            l = bgi_runq_pop(q);
            if (l != NULL) {
                got(l);
            }
        }
    }
    while ((l = bgi_runq_pop(q)) != NULL) {
        got(l);
    }
}

static void race_main(unsigned self, void *arg)
{
    (void)arg;
    if (self == 0) {
        make();
    }
    bgi_runq *q = &race.q[self];
    struct bgi_random random;
    bgi_random_seed(&random, self);
    while (bgi_load_acquire(&race.got) < RACE_ITEMS) {
        struct bgi_link *l;
        while ((l = bgi_runq_pop(q)) != NULL) {
            got(l);
        }
        bgi_runq *victim = &race.q[bgi_random_below(&random, race.places)];
        if (victim == q) {
            victim = &race.q[0];
        }
        if (victim == q) {
            continue;
        }
        l = bgi_runq_steal(victim, q);
        if (l != NULL) {
            (void)bgi_fetch_add_relaxed(&race.stolen, 1);
        } else if ((l = bgi_runq_steal_next(victim)) != NULL) {
            (void)bgi_fetch_add_relaxed(&race.stolen_next, 1);
        }
        if (l != NULL) {
            got(l);
        } else {
            sched_yield();
        }
    }
}

static void run_race(unsigned thieves, bgi_word at)
{
    race.places = thieves + 1;
    bgi_store(&race.got, 0);
    bgi_store(&race.stolen, 0);
    bgi_store(&race.stolen_next, 0);
    bgi_store(&race.overflown, 0);
    for (unsigned i = 0; i < race.places; i++) {
        start(&race.q[i], at);
    }
    for (size_t i = 0; i < RACE_ITEMS; i++) {
        bgi_store(&race.item[i].got, 0);
    }
    crew_run(race.places, race_main, NULL);
    cr_assert_eq(bgi_load(&race.got), RACE_ITEMS);
    for (size_t i = 0; i < RACE_ITEMS; i++) {
        cr_assert_eq(bgi_load(&race.item[i].got), 1, "item %zu: %zu times", i,
                     (size_t)bgi_load(&race.item[i].got));
    }
    for (unsigned i = 0; i < race.places; i++) {
        cr_assert(bgi_runq_empty(&race.q[i]));
    }
    cr_log_info("%u thieves: %zu steals, %zu of next, %zu overflown\n", thieves,
                (size_t)bgi_load(&race.stolen), (size_t)bgi_load(&race.stolen_next),
                (size_t)bgi_load(&race.overflown));
}

Test(runq, each_item_is_got_once_by_owner_or_thief)
{
    run_race(1, 0);
}

Test(runq, each_item_is_got_once_with_two_thieves)
{
    run_race(2, (bgi_word)0 - 1000);
}

Test(runq, each_item_is_got_once_with_eight_thieves)
{
    run_race(8, (~(bgi_word)0 >> 1) - 1000);
}

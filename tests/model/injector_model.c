/*
 * Models of the injector (queue/injector.h): items come out once, in order, with what was written
 * in them; and the count, read after a fence, misses no push made before one.
 */
#include "mc.h"

#include "queue/injector.h"

enum { ITEMS = 3 };

struct piece {
    struct bgi_link link;
    int filled;
    int got;
};

static struct piece pieces[ITEMS];
static bgi_injector Q;

static void setup(void)
{
    bgi_injector_init(&Q);
    for (unsigned i = 0; i < ITEMS; i++) {
        pieces[i].filled = 0;
        pieces[i].got = 0;
    }
}

static void push(unsigned from, unsigned n)
{
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    for (unsigned i = from; i < from + n; i++) {
        pieces[i].filled = 1;
        bgi_fifo_push(&chain, &pieces[i].link);
    }
    bgi_injector_push(&Q, &chain, n);
    mc_assert(bgi_fifo_empty(&chain));
}

static size_t pop(size_t most)
{
    struct bgi_fifo chain;
    size_t n = bgi_injector_pop(&Q, &chain, most);
    struct piece *before = NULL;
    mc_assert(n <= most);
    for (size_t i = 0; i < n; i++) {
        struct bgi_link *l = bgi_fifo_pop(&chain);
        mc_assert(l != NULL);
        struct piece *p = BGI_CONTAINER_OF(l, struct piece, link);
        mc_assert(p->filled == 1);
        /* 0 and 1 are pushed by one thread, in this order */
        mc_assert(before != &pieces[1] || p != &pieces[0]);
        p->got++;
        before = p;
    }
    mc_assert(bgi_fifo_empty(&chain));
    return n;
}

static void push_two(void)
{
    push(0, 2);
}

static void push_one(void)
{
    push(2, 1);
}

static void pop_two(void)
{
    (void)pop(2);
}

static void pop_one(void)
{
    (void)pop(1);
}

static void check(void)
{
    while (pop(1) != 0) {
    }
    mc_assert(bgi_injector_size(&Q) == 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        mc_assert(pieces[i].got == 1);
    }
}

MC_MODEL(push_push_pop, .name = "injector/push_push_pop",
         .says = "two pushers and a popper: each item once, a chain in its order", .setup = setup,
         .thread = {push_two, push_one, pop_two}, .check = check);

static void two_check(void)
{
    while (pop(1) != 0) {
    }
    mc_assert(pieces[0].got == 1 && pieces[1].got == 1 && pieces[2].got == 0);
}

MC_MODEL(push_pop_pop, .name = "injector/push_pop_pop",
         .says = "two poppers never get the same item, nor more than there are", .setup = setup,
         .thread = {push_two, pop_two, pop_one}, .check = two_check);

static bgi_atomic asleep;
static bgi_word saw_asleep, saw_size;

static void size_setup(void)
{
    setup();
    bgi_store(&asleep, 0);
    saw_asleep = 0;
    saw_size = 0;
}

static void size_pusher(void)
{
    push(0, 1);
    bgi_fence_full();
    saw_asleep = bgi_load(&asleep);
}

static void size_sleeper(void)
{
    bgi_store(&asleep, 1);
    bgi_fence_full();
    saw_size = bgi_injector_size(&Q);
}

static void size_check(void)
{
    mc_assert(saw_asleep != 0 || saw_size != 0);
    mc_assert(pop(ITEMS) == 1);
}

MC_MODEL(size_after_fence, .name = "injector/size_after_fence",
         .says = "after fences the pusher sees the sleeper, or the sleeper the count",
         .setup = size_setup, .thread = {size_pusher, size_sleeper}, .check = size_check);

/* The count is a publication of its own: who reads it sees what was written before the push. */
static void count_reader(void)
{
    if (bgi_injector_size(&Q) == 2) {
        mc_assert(pieces[0].filled == 1 && pieces[1].filled == 1);
    }
}

static void count_check(void)
{
    mc_assert(pop(ITEMS) == 2);
}

MC_MODEL(count_publishes, .name = "injector/count_publishes",
         .says = "who sees the count of a push sees what the pusher wrote before it",
         .setup = setup, .thread = {push_two, count_reader}, .check = count_check);

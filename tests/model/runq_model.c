/*
 * Models of the run queue (queue/runq.h) with a ring of four: every item is got exactly once, by
 * somebody who sees what was written in it before it was pushed.
 *
 * The source is compiled here once more, under names of its own, so that the ring of the
 * library's in the same program keeps its size.
 */
#define BGI_RUNQ_CAPACITY 4
#define bgi_runq_init mc_runq_init
#define bgi_runq_push_slow mc_runq_push_slow
#define bgi_runq_steal mc_runq_steal
#define bgi_runq_steal_next mc_runq_steal_next
#include "queue/runq.c"

#include "mc.h"

enum { ITEMS = 8 };

struct piece {
    struct bgi_link link;
    int filled;
    int got;
};

static struct piece pieces[ITEMS];
static bgi_runq Q, thief_a_queue, thief_b_queue;

static void got(struct bgi_link *l)
{
    struct piece *p = BGI_CONTAINER_OF(l, struct piece, link);
    mc_assert(p->filled == 1);
    p->got++;
}

static void push(unsigned i)
{
    struct bgi_fifo chain;
    pieces[i].filled = 1;
    size_t n = bgi_runq_push(&Q, &pieces[i].link, &chain);
    for (size_t k = 0; k < n; k++) {
        struct bgi_link *l = bgi_fifo_pop(&chain);
        mc_assert(l != NULL);
        got(l);
    }
    mc_assert(n == 0 || bgi_fifo_empty(&chain));
}

static int pop(bgi_runq *q)
{
    struct bgi_link *l = bgi_runq_pop(q);
    if (l != NULL) {
        got(l);
    }
    return l != NULL;
}

static void put_next(unsigned i)
{
    pieces[i].filled = 1;
    struct bgi_link *displaced = bgi_runq_put_next(&Q, &pieces[i].link);
    if (displaced != NULL) {
        got(displaced);
    }
}

static void start(unsigned pushed)
{
    bgi_runq_init(&Q);
    bgi_runq_init(&thief_a_queue);
    bgi_runq_init(&thief_b_queue);
    for (unsigned i = 0; i < ITEMS; i++) {
        pieces[i].filled = 0;
        pieces[i].got = 0;
    }
    for (unsigned i = 0; i < pushed; i++) {
        push(i);
    }
}

static int steal(bgi_runq *from, bgi_runq *into)
{
    struct bgi_link *l = bgi_runq_steal(from, into);
    if (l != NULL) {
        got(l);
    }
    return l != NULL;
}

static void thief_a(void)
{
    (void)steal(&Q, &thief_a_queue);
    while (pop(&thief_a_queue)) {
    }
}

static void thief_b(void)
{
    (void)steal(&Q, &thief_b_queue);
    while (pop(&thief_b_queue)) {
    }
}

/* What is left is taken out here: it is still there, once. */
static void each_once(unsigned n)
{
    while (pop(&Q) || pop(&thief_a_queue) || pop(&thief_b_queue)) {
    }
    for (unsigned i = 0; i < n; i++) {
        mc_assert(pieces[i].got == 1);
    }
}

static void setup_none(void)
{
    start(0);
}

static void setup_three(void)
{
    start(3);
}

static void setup_four(void)
{
    start(4);
}

static void check_two(void)
{
    each_once(2);
}

static void check_three(void)
{
    each_once(3);
}

static void check_five(void)
{
    each_once(5);
}

static void check_six(void)
{
    each_once(6);
}

/* -- the owner pushes and pops, a thief steals -- */

static void push_pop(void)
{
    push(0);
    push(1);
    while (pop(&Q)) {
    }
    mc_assert(bgi_runq_size(&Q) == 0);
}

MC_MODEL(push_pop_steal, .name = "runq/push_pop_steal",
         .says = "the owner and a thief share two items; an owner told \"empty\" leaves none",
         .setup = setup_none, .thread = {push_pop, thief_a}, .check = check_two);

/* -- a full ring overflows while a thief is at its head -- */

static void overflow(void)
{
    push(4);
}

MC_MODEL(overflows, .name = "runq/overflow",
         .says = "the half that overflows and the half that is stolen never share an item",
         .setup = setup_four, .thread = {overflow, thief_a}, .check = check_five);

static void overflow_after_pop(void)
{
    (void)pop(&Q);
    push(4);
    push(5);
}

MC_MODEL(overflow_again, .name = "runq/overflow_again",
         .says = "with the owner popping first, and the ring full again after the next push",
         .setup = setup_four, .thread = {overflow_after_pop, thief_a}, .check = check_six);

/* -- a thief copies a slot that the owner fills again -- */

static void reuse(void)
{
    (void)pop(&Q);
    push(3);
    push(4);
}

MC_MODEL(reused_slot, .name = "runq/reused_slot",
         .says = "a thief that copied a slot filled anew throws its copy away",
         .setup = setup_three, .thread = {reuse, thief_a}, .check = check_five);

/* -- two thieves -- */

static void pop_twice(void)
{
    (void)pop(&Q);
    (void)pop(&Q);
}

MC_MODEL(two_thieves, .name = "runq/two_thieves",
         .says = "two thieves and the owner each get their own", .setup = setup_three,
         .thread = {pop_twice, thief_a, thief_b}, .check = check_three);

/* -- stolen from the thief: what the first owner wrote is seen through two queues -- */

static void push_three(void)
{
    push(0);
    push(1);
    push(2);
}

static void steal_only(void)
{
    (void)steal(&Q, &thief_a_queue);
}

static void steal_from_thief(void)
{
    (void)steal(&thief_a_queue, &thief_b_queue);
}

MC_MODEL(steal_from_the_thief, .name = "runq/steal_from_thief",
         .says = "an item stolen twice arrives with what its first owner wrote",
         .setup = setup_none, .thread = {push_three, steal_only, steal_from_thief},
         .check = check_three);

/* -- the next slot -- */

static void steal_next(void)
{
    struct bgi_link *l = bgi_runq_steal_next(&Q);
    if (l != NULL) {
        got(l);
    }
}

static void put_and_pop(void)
{
    put_next(0);
    put_next(1);
    (void)pop(&Q);
    mc_assert(bgi_load_ptr(&Q.next) == NULL);
}

MC_MODEL(next_slot, .name = "runq/next",
         .says = "an item of the next slot is run, displaced or stolen, and once",
         .setup = setup_none, .thread = {put_and_pop, steal_next}, .check = check_two);

MC_MODEL(next_two_thieves, .name = "runq/next_two_thieves",
         .says = "the same with two thieves at the slot", .setup = setup_none,
         .thread = {put_and_pop, steal_next, steal_next}, .check = check_two);

/* -- an item that comes back to the slot between a thief's look and its claim -- */

static void back_setup(void)
{
    start(0);
}

static void put_back(void)
{
    pieces[0].filled = 1;
    (void)bgi_runq_put_next(&Q, &pieces[0].link);
    struct bgi_link *l = bgi_runq_pop_next(&Q);
    if (l != NULL) {
        pieces[0].filled = 0; /* ours again: nobody may look */
        pieces[0].filled = 1;
        (void)bgi_runq_put_next(&Q, l);
    }
}

static void check_one(void)
{
    each_once(1);
}

MC_MODEL(next_comes_back, .name = "runq/next_comes_back",
         .says = "a thief whose look is older than its claim sees the item as put there last",
         .setup = back_setup, .thread = {put_back, steal_next}, .check = check_one);

/* -- a look before sleep -- */

static bgi_atomic asleep;
static bgi_word saw_asleep, saw_size;

static void size_setup(void)
{
    start(0);
    bgi_store(&asleep, 0);
    saw_asleep = 0;
    saw_size = 0;
}

static void size_owner(void)
{
    push(0);
    bgi_fence_full();
    saw_asleep = bgi_load(&asleep);
}

static void size_sleeper(void)
{
    bgi_store(&asleep, 1);
    bgi_fence_full();
    saw_size = bgi_runq_size(&Q);
}

static void size_check(void)
{
    mc_assert(saw_asleep != 0 || saw_size != 0);
    each_once(1);
}

MC_MODEL(size_after_fence, .name = "runq/size_after_fence",
         .says = "after fences the pusher sees the sleeper, or the sleeper the size",
         .setup = size_setup, .thread = {size_owner, size_sleeper}, .check = size_check);

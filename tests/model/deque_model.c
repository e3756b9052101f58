/*
 * Models of the deque (queue/deque.h): every item is got exactly once, and who gets it sees what
 * was written in it before it was pushed.
 *
 * Data in the items is plain, so a missing release or acquire is a data race; an item that two
 * threads get is a race of the two increments, or a count that is not 1. Nothing is left to the
 * end that the protocol promises earlier: where the owner takes until it is told "empty", the
 * check expects all items to be gone.
 */
#include "mc.h"

#include "queue/deque.h"

#include <errno.h>

enum { ITEMS = 5 };

struct piece {
    int filled;
    int got;
};

static struct piece pieces[ITEMS];
static bgi_deque D;

static void start(unsigned pushed)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        pieces[i] = (struct piece){0, 0};
    }
    mc_assert(bgi_deque_init(&D, 2) == 0);
    for (unsigned i = 0; i < pushed; i++) {
        pieces[i].filled = 1;
        mc_assert(bgi_deque_push(&D, &pieces[i]) == 0);
    }
}

static void push(unsigned i)
{
    pieces[i].filled = 1;
    mc_assert(bgi_deque_push(&D, &pieces[i]) == 0);
}

static void got(void *item)
{
    struct piece *p = item;
    mc_assert(p != NULL);
    mc_assert(p->filled == 1);
    p->got++;
}

/* Whether there was one. */
static int take(void)
{
    void *item = bgi_deque_take(&D);
    if (item != NULL) {
        got(item);
    }
    return item != NULL;
}

static int steal(void)
{
    void *item = NULL;
    int r = bgi_deque_steal(&D, &item);
    mc_assert(r == 1 || r == 0 || r == -EAGAIN);
    if (r == 1) {
        got(item);
    }
    return r;
}

static void thief(void)
{
    (void)steal();
}

static void thief_twice(void)
{
    (void)steal();
    (void)steal();
}

/* The first n items, each once; the deque is empty. */
static void all_gone(unsigned n)
{
    mc_assert(bgi_deque_size(&D) == 0);
    for (unsigned i = 0; i < n; i++) {
        mc_assert(pieces[i].got == 1);
    }
    bgi_deque_destroy(&D);
}

/* -- one item, its owner and one thief: an answer "empty" or "another has it" is never a lie -- */

static int stolen;

static void setup_none(void)
{
    start(0);
    stolen = 0;
}

static void last_owner(void)
{
    push(0);
    (void)take();
}

static void last_thief(void)
{
    stolen = steal();
}

static void last_check(void)
{
    mc_assert(stolen != -EAGAIN || pieces[0].got == 1);
    all_gone(1);
}

MC_MODEL(last_item, .name = "deque/last_item",
         .says = "the owner or the thief gets the last item, not both and not neither",
         .setup = setup_none, .thread = {last_owner, last_thief}, .check = last_check);

/* -- the thief meets the store to bottom of a take, not of a push -- */

static void below_owner(void)
{
    push(0);
    push(1);
    (void)take();
    while (take()) {
    }
}

static void check_two(void)
{
    all_gone(2);
}

MC_MODEL(below, .name = "deque/below",
         .says = "a thief that reads bottom as take left it sees the item underneath",
         .setup = setup_none, .thread = {below_owner, thief}, .check = check_two);

/* -- two thieves at the last two -- */

static void two_owner(void)
{
    push(0);
    push(1);
    while (take()) {
    }
}

MC_MODEL(two_thieves, .name = "deque/two_thieves",
         .says = "two thieves and the owner share two items without a loss or a double",
         .setup = setup_none, .thread = {two_owner, thief, thief}, .check = check_two);

/* -- two items lie there: one take and two steals -- */

static void setup_two(void)
{
    start(2);
}

static void taker(void)
{
    while (take()) {
    }
}

MC_MODEL(emptied, .name = "deque/emptied",
         .says = "an owner that is told \"empty\" leaves nothing behind, two thieves at work",
         .setup = setup_two, .thread = {taker, thief_twice, thief}, .check = check_two);

/* -- the ring grows under a thief -- */

static void grow_owner(void)
{
    push(2);
    while (take()) {
    }
}

static void check_three(void)
{
    all_gone(3);
}

MC_MODEL(grow, .name = "deque/grow",
         .says = "a thief that holds the outgrown ring steals the same items as from the new one",
         .setup = setup_two, .thread = {grow_owner, thief_twice}, .check = check_three);

/* -- and is filled by pushes of this execution, so that the thief depends on the publication -- */

static void grow_fresh_owner(void)
{
    push(0);
    push(1);
    push(2);
}

static void drain_three(void)
{
    while (take()) {
    }
    all_gone(3);
}

MC_MODEL(grow_fresh, .name = "deque/grow_fresh",
         .says = "a new ring is seen with its mask and with all its slots", .setup = setup_none,
         .thread = {grow_fresh_owner, thief}, .check = drain_three);

/* -- a thief with an old bottom looks into a slot of a grown ring that was never filled -- */

static void stale_owner(void)
{
    (void)take();
    (void)take();
    push(2);
    push(3);
    push(4);
}

static void stale_check(void)
{
    while (take()) {
    }
    all_gone(ITEMS);
}

MC_MODEL(stale_bottom, .name = "deque/stale_bottom",
         .says = "what a thief with a stale bottom reads from a grown ring it does not get",
         .setup = setup_two, .thread = {stale_owner, thief}, .check = stale_check);

/* -- a slot is used again while a thief looks at it -- */

static void reuse_owner(void)
{
    push(2);
    push(3);
}

static void drain_four(void)
{
    while (take()) {
    }
    all_gone(4);
}

MC_MODEL(reused_slot, .name = "deque/reused_slot",
         .says = "a slot is filled again only when nobody can get its old item any more",
         .setup = setup_two, .thread = {reuse_owner, thief_twice}, .check = drain_four);

/* -- a look before sleep: deque_size after a fence -- */

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
    saw_size = bgi_deque_size(&D);
}

static void size_check(void)
{
    mc_assert(saw_asleep != 0 || saw_size != 0);
    mc_assert(take() && !take());
    all_gone(1);
}

MC_MODEL(size_after_fence, .name = "deque/size_after_fence",
         .says = "after fences the pusher sees the sleeper, or the sleeper the size",
         .setup = size_setup, .thread = {size_owner, size_sleeper}, .check = size_check);

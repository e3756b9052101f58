/*
 * Models of the wait queue's door (wait/queue.h): one inside at a time, who sees what those before
 * wrote; nobody sleeps on the word for ever; and the store that leaves is the last touch of the
 * object. With a fence in who leaves, and with membarrier(2) in its place.
 *
 * The guarded words are plain: two inside at once, or a release or acquire too weak, is a data
 * race. A lost wake-up is everybody blocked.
 */
#include "mc.h"

#include "base/alloc.h"
#include "wait/queue.h"

static bgi_waitq *Q;
static int inside, entries;

static void made(bgi_word asymmetric)
{
    bgi_fence_setup(); /* here, for in a thread it would decide anew what is decided below */
    bgi_store(&bgi_fence_asymmetric, asymmetric);
    for (size_t i = 0; i < BGI_WAITQ_COUNTS; i++) {
        bgi_store(&bgi_waitq_asleep[i], 0);
    }
    Q = bgi_malloc(sizeof *Q);
    bgi_store(&Q->word, 0);
    Q->first = NULL;
    inside = 0;
    entries = 0;
}

static void setup(void)
{
    made(0);
}

static void setup_membarrier(void)
{
    made(1);
}

static void once(void)
{
    bgi_word v = bgi_waitq_enter(Q);
    mc_assert((v & BGI_WAITQ_FLAGS) == 0);
    mc_assert(v == (bgi_word)entries * BGI_WAITQ_VALUE);
    mc_assert(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
    bgi_waitq_leave(Q, v + BGI_WAITQ_VALUE);
}

static void twice(void)
{
    once();
    once();
}

static void entered(int n)
{
    mc_assert(entries == n);
    mc_assert(bgi_load(&Q->word) == (bgi_word)n * BGI_WAITQ_VALUE);
    mc_assert(bgi_load(bgi_waitq_count(Q)) == 0);
}

static void check_three(void)
{
    entered(3);
}

static void check_four(void)
{
    entered(4);
}

MC_MODEL(two, .name = "waitq/two", .says = "two threads enter by turns, twice each", .setup = setup,
         .thread = {twice, twice}, .check = check_four);

MC_MODEL(three, .name = "waitq/three",
         .says = "of three threads two may sleep, and both are woken in the end", .bound = 2,
         .setup = setup, .thread = {once, once, once}, .check = check_three);

MC_MODEL(two_membarrier, .name = "waitq/membarrier_two",
         .says = "the same where who leaves makes no fence", .setup = setup_membarrier,
         .thread = {twice, twice}, .check = check_four);

MC_MODEL(three_membarrier, .name = "waitq/membarrier_three",
         .says = "and with three, two of them asleep", .bound = 2, .setup = setup_membarrier,
         .thread = {once, once, once}, .check = check_three);

/* -- gone after the last value -- */

static void last(void)
{
    bgi_word v = bgi_waitq_enter(Q);
    bgi_waitq_leave(Q, v + 2 * BGI_WAITQ_VALUE);
}

static void destroyer(void)
{
    mc_await_equal(&Q->word, 2 * BGI_WAITQ_VALUE);
    bgi_free(Q);
}

MC_MODEL(last_touch, .name = "waitq/last_touch",
         .says = "who finds the last value may destroy the object at once", .setup = setup,
         .thread = {last, destroyer});

/* Somebody sleeps for another object: its count is this one's as well. */
static void setup_counted(void)
{
    setup_membarrier();
    bgi_store(bgi_waitq_count(Q), 1);
}

MC_MODEL(last_touch_and_wake, .name = "waitq/last_touch_and_wake",
         .says = "also when who leaves goes on to wake somebody", .setup = setup_counted,
         .thread = {last, destroyer});

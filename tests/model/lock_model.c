/*
 * Models of the lock (arch/lock.h): one holder at a time, who sees what the holders before it
 * wrote; nobody sleeps for ever.
 *
 * The guarded words are plain: two holders at once, or a release or acquire too weak, is a data
 * race. A lost wake-up is everybody blocked.
 */
#include "mc.h"

#include "arch/lock.h"

static bgi_lock L;
static int inside, entries, tried;

static void setup(void)
{
    bgi_lock_init(&L, BGI_RANK_TIMERS, "model");
    inside = 0;
    entries = 0;
    tried = 0;
}

static void section(void)
{
    mc_assert(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
}

static void once(void)
{
    bgi_lock_acquire(&L);
    section();
    bgi_lock_release(&L);
}

static void twice(void)
{
    once();
    once();
}

static void entered(int n)
{
    mc_assert(entries == n);
    mc_assert(bgi_load(&L.state) == BGI_LOCK_FREE);
}

static void check_four(void)
{
    entered(4);
}

static void check_three(void)
{
    entered(3);
}

MC_MODEL(two, .name = "lock/two", .says = "two threads enter by turns, twice each", .setup = setup,
         .thread = {twice, twice}, .check = check_four);

MC_MODEL(three, .name = "lock/three",
         .says = "of three threads two may sleep, and both are woken in the end", .setup = setup,
         .thread = {once, once, once}, .check = check_three);

MC_MODEL(three_again, .name = "lock/three_again",
         .says = "a stranger that slips in as HELD does not lose the sleepers' wake-up", .bound = 2,
         .setup = setup, .thread = {twice, once, once}, .check = check_four);

static void try_once(void)
{
    if (bgi_lock_try(&L)) {
        section();
        tried = 1;
        bgi_lock_release(&L);
    }
}

static void try_check(void)
{
    entered(2 + tried);
}

MC_MODEL(try_and_two, .name = "lock/try",
         .says = "who gets in by a try is alone as well, and wakes who slept meanwhile",
         .setup = setup, .thread = {try_once, once, once}, .check = try_check);

/* Two that only try: nothing but the try's own acquire makes the first's writes seen. */
static int tried_by[2];

static void tries_setup(void)
{
    setup();
    tried_by[0] = 0;
    tried_by[1] = 0;
}

static void try_counted(void)
{
    if (bgi_lock_try(&L)) {
        section();
        tried_by[mc_self()] = 1;
        bgi_lock_release(&L);
    }
}

static void tries_check(void)
{
    entered(tried_by[0] + tried_by[1]);
    mc_assert(entries >= 1);
}

MC_MODEL(two_tries, .name = "lock/two_tries",
         .says = "of two that try one gets in, or both by turns", .setup = tries_setup,
         .thread = {try_counted, try_counted}, .check = tries_check);

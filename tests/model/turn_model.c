/*
 * parallel/turn.h: turns go round a row of places; what was done in one is seen in the next.
 */
#include "waiting.h"

#include "parallel/turn.h"

enum { PLACES = 2 };

static bgi_turn place[PLACES];
static int done; /* plain: how many turns have been taken */

static void first_is_here(void)
{
    wt_setup(PLACES);
    for (int i = 0; i < PLACES; i++) {
        bgi_turn_init(&place[i], i == 0);
    }
    done = 0;
}

/* The turn of that number. */
static void take_turn(int number)
{
    int at = number % PLACES;
    if (!bgi_turn_enter(&place[at])) {
        mc_assert(bg_sem_acquire(&place[at].sem) == 0);
    }
    mc_assert(done == number);
    done++;
    bgi_turn_pass(&place[(at + 1) % PLACES]);
}

static void takes_even_ones(void)
{
    (void)wt_begin();
    take_turn(0);
    take_turn(2);
}

static void takes_the_odd_one(void)
{
    (void)wt_begin();
    take_turn(1);
}

static void all_taken(void)
{
    mc_assert(done == 3 && bgi_load(&place[1].word) == BGI_TURN_HERE);
    mc_assert(bgi_load(&place[0].word) == BGI_TURN_NOBODY);
}

MC_MODEL(turns, .name = "turn/in_order", .says = "two take turns, and see what was done before",
         .setup = first_is_here, .thread = {takes_even_ones, takes_the_odd_one},
         .check = all_taken);

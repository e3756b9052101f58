/*
 * Each thread draws from a generator of its own, seeded by the order in which threads first got
 * here. Two out of three interventions yield the processor, the others spin for up to 64 pauses.
 *
 * This file's own atomic operations must not be stress points, or a point would enter itself.
 */
#include "base/stress.h"

#ifdef BGI_STRESS_YIELD

#undef BGI_STRESS_YIELD
#include "base/atomic.h"
#include "base/random.h"

#include <sched.h>
#include <stdlib.h>

static bgi_atomic migration = 2; /* 2, not known yet -> 0 or 1; relaxed, it is a lone number */
static bgi_atomic rate = 64;     /* written by bgi_stress_set, read by every point; a lone number */
static bgi_atomic threads_seen;  /* counts up; gives each thread another seed */

static _Thread_local struct {
    int seeded;
    struct bgi_random random;
} here;

BGI_NOINLINE void bgi_stress_point(void)
{
    bgi_word one_in = bgi_load(&rate);
    if (one_in == 0) {
        return;
    }
    if (!here.seeded) {
        here.seeded = 1;
        bgi_random_seed(&here.random, bgi_fetch_add_relaxed(&threads_seen, 1));
    }
    if (bgi_random_below(&here.random, (uint32_t)one_in) != 0) {
        return;
    }
    if (bgi_random_below(&here.random, 3) != 0) {
        sched_yield();
        return;
    }
    for (uint32_t n = bgi_random_below(&here.random, 64); n > 0; n--) {
        bgi_pause();
    }
}

void bgi_stress_set(unsigned one_in)
{
    bgi_store(&rate, one_in);
}

int bgi_stress_migrates(void)
{
    bgi_word on = bgi_load(&migration);
    if (on == 2) {
        const char *text = getenv("BRIGADE_STRESS_MIGRATE");
        on = text != NULL && text[0] == '1';
        bgi_store(&migration, on);
    }
    return on != 0;
}

void bgi_stress_set_migration(int on)
{
    bgi_store(&migration, on != 0);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_stress_compiled_away;

#endif

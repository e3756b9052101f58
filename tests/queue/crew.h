/*
 * The threads of a stress test: they start at one stroke, and the test goes on when all have ended.
 *
 * On these threads nothing is asserted: they count what they see in atomic words, and the test's
 * own thread looks at the sums.
 */
#ifndef BGT_CREW_H
#define BGT_CREW_H

#include "base/atomic.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>

#define CREW_MOST 16

struct crew_member {
    pthread_t id;
    pthread_barrier_t *gate;
    void (*fn)(unsigned self, void *arg);
    void *arg;
    unsigned self;
};

static inline void *crew_main(void *arg)
{
    struct crew_member *m = arg;
    (void)pthread_barrier_wait(m->gate);
    m->fn(m->self, m->arg);
    return NULL;
}

/* Runs fn(0, arg) to fn(n - 1, arg) at the same time, number 0 on the calling thread. */
static inline void crew_run(unsigned n, void (*fn)(unsigned self, void *arg), void *arg)
{
    struct crew_member member[CREW_MOST];
    pthread_barrier_t gate;

    cr_assert_leq(n, CREW_MOST);
    cr_assert_eq(pthread_barrier_init(&gate, NULL, n), 0);
    for (unsigned i = 0; i < n; i++) {
        member[i] = (struct crew_member){.gate = &gate, .fn = fn, .arg = arg, .self = i};
    }
    for (unsigned i = 1; i < n; i++) {
        cr_assert_eq(pthread_create(&member[i].id, NULL, crew_main, &member[i]), 0);
    }
    (void)crew_main(&member[0]);
    for (unsigned i = 1; i < n; i++) {
        cr_assert_eq(pthread_join(member[i].id, NULL), 0);
    }
    (void)pthread_barrier_destroy(&gate);
}

#endif

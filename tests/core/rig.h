/*
 * A scheduler for tests: plain items and bare fibers, without the task layer.
 *
 * What runs in an item or a fiber asserts nothing: it counts in atomic words, which the test's own
 * thread looks at. A test waits for something to happen without a bound of its own: should it never
 * happen, the time limit of the whole program ends the wait.
 */
#ifndef BGT_RIG_H
#define BGT_RIG_H

#include "base/clock.h"
#include "core/fiber.h"
#include "core/sched.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <time.h>

/* Since the scheduler was made; a test has one at a time, or adds up. */
static bgi_atomic rig_dropped_items, rig_dropped_timers, rig_no_stack;

/* A fiber of the tests; its storage is the test's. */
struct rig_fiber {
    bgi_fiber fiber;
    void (*body)(struct rig_fiber *self);
    void *arg;
};

static inline struct rig_fiber *rig_fiber_of(bgi_fiber *f)
{
    return BGI_CONTAINER_OF(f, struct rig_fiber, fiber);
}

static inline void rig_fiber_init(struct rig_fiber *f, void (*body)(struct rig_fiber *), void *arg)
{
    bgi_fiber_init(&f->fiber, 0);
    f->body = body;
    f->arg = arg;
}

static bgi_item *rig_body(bgi_worker *w, bgi_fiber *f)
{
    (void)w;
    rig_fiber_of(f)->body(rig_fiber_of(f));
    return NULL;
}

static void rig_drop_item(bgi_item *item)
{
    (void)item;
    (void)bgi_fetch_add(&rig_dropped_items, 1);
}

static void rig_drop_timer(bgi_timer *t)
{
    (void)t;
    (void)bgi_fetch_add(&rig_dropped_timers, 1);
}

static void rig_no_stack_for(bgi_worker *w, bgi_fiber *f)
{
    (void)w;
    (void)f;
    (void)bgi_fetch_add(&rig_no_stack, 1);
}

static inline struct bgi_sched_config rig_config(unsigned workers, unsigned spares)
{
    return (struct bgi_sched_config){
        .workers = workers,
        .spares = spares,
        .stack_size = 64 * 1024,
        .body = rig_body,
        .drop_item = rig_drop_item,
        .drop_timer = rig_drop_timer,
        .no_stack = rig_no_stack_for,
    };
}

static inline bgi_sched *rig_create(unsigned workers, unsigned spares)
{
    struct bgi_sched_config config = rig_config(workers, spares);
    bgi_sched *s = NULL;
    cr_assert_eq(bgi_sched_create(&s, &config), 0);
    return s;
}

static inline bgi_sched *rig_start(unsigned workers, unsigned spares)
{
    bgi_sched *s = rig_create(workers, spares);
    cr_assert_eq(bgi_sched_start(s, 0), 0);
    return s;
}

static inline void rig_end(bgi_sched *s)
{
    bgi_sched_stop(s);
    bgi_sched_join(s);
    bgi_sched_destroy(s);
}

/* Gives the processor to those who are waited for. */
static inline void rig_breathe(unsigned *times)
{
    if (++*times < 200) {
        sched_yield();
    } else {
        struct timespec ts = {.tv_nsec = 100000};
        (void)nanosleep(&ts, NULL);
    }
}

/* Waits for a condition that another thread makes true. */
#define RIG_UNTIL(condition)                                                                       \
    do {                                                                                           \
        unsigned rig_times = 0;                                                                    \
        while (!(condition)) {                                                                     \
            rig_breathe(&rig_times);                                                               \
        }                                                                                          \
    } while (0)

static inline void rig_reach(const bgi_atomic *count, bgi_word n)
{
    RIG_UNTIL(bgi_load_acquire(count) >= n);
}

static inline unsigned rig_in_state(bgi_sched *s, enum bgi_worker_state state)
{
    unsigned n = 0;
    bgi_word used = bgi_load_acquire(&s->used);
    for (bgi_word i = 0; i < used; i++) {
        n += bgi_load_acquire(&s->worker[i].state) == (bgi_word)state;
    }
    return n;
}

/* Waits until nobody works: the regular workers idle, the spares idle or retired. */
static inline void rig_idle(bgi_sched *s)
{
    RIG_UNTIL(bgi_ec_waiting(&s->idle) + rig_in_state(s, BGI_RETIRED) == bgi_load(&s->used));
}

/* From any thread: to the end of the scheduler's injector, where no worker has it first. */
static inline void rig_inject(bgi_sched *s, bgi_item *item)
{
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &item->link);
    bgi_injector_push(&s->injector, &chain, 1);
    bgi_notify(s);
}

static inline void rig_wait(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

#endif

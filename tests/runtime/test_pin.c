/*
 * Workers bound to CPUs: which they are, who else is not, and what is left of it afterwards.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "../task/check.h"

#include <sched.h>

static cpu_set_t before;

static void begin(void)
{
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
}

TestSuite(pin, .init = begin);

/* The CPUs of the calling thread. */
static cpu_set_t now(void)
{
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    return set;
}

static int is_bound(cpu_set_t set)
{
    cpu_set_t both;
    CPU_AND(&both, &set, &before);
    return CPU_COUNT(&set) == 1 && CPU_COUNT(&both) == 1;
}

static int is_free(cpu_set_t set)
{
    return CPU_EQUAL(&set, &before);
}

static int in_pool(void *arg)
{
    (void)arg;
    return is_free(now());
}

enum { WORKERS = 3 };

static cpu_set_t of[WORKERS];
static bgi_atomic arrived;

/* Each on a worker of its own: none goes on before all have arrived, and none waits as tasks do. */
static int on_each(void *arg)
{
    size_t i = (size_t)(intptr_t)arg;
    of[i] = now();
    (void)bgi_fetch_add(&arrived, 1);
    while (bgi_load_acquire(&arrived) != WORKERS) {
        (void)sched_yield();
    }
    CHECK(bg_blocking(in_pool, NULL) == 1);
    return 0;
}

static int of_all(void *arg)
{
    bg_task *t[WORKERS];
    (void)arg;
    for (size_t i = 0; i < WORKERS; i++) {
        t[i] = bg_spawn(on_each, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, WORKERS, NULL) == 0);
    return 0;
}

Test(pin, each_worker_stays_on_one_cpu)
{
    cr_assert_eq(bg_run(of_all, NULL, .workers = WORKERS, .spares = BG_NO_SPARES, .pin = 1), 0);
    int cpus = CPU_COUNT(&before), most = WORKERS / cpus + (WORKERS % cpus != 0);
    for (int i = 0; i < WORKERS; i++) {
        cr_assert(is_bound(of[i]));
        int same = 0;
        for (int j = 0; j < WORKERS; j++) {
            same += CPU_EQUAL(&of[i], &of[j]);
        }
        cr_assert_leq(same, most, "they are not spread");
    }
    cr_assert(is_free(now()), "the thread of bg_run stays bound");
}

Test(pin, nobody_is_bound_unasked)
{
    cr_assert_eq(bg_run(of_all, NULL, .workers = WORKERS, .spares = BG_NO_SPARES), 0);
    for (int i = 0; i < WORKERS; i++) {
        cr_assert(is_free(of[i]));
    }
}

static int bound_here(void *arg)
{
    (void)arg;
    return is_bound(now());
}

Test(pin, the_threads_of_a_runtime_of_its_own)
{
    bg_runtime *rt;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 2, .pin = 1), 0);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, bound_here, NULL)), 1);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    cr_assert(is_free(now()));
}

/* Who may use less than the machine has is not bound elsewhere. */
Test(pin, within_what_the_thread_may_use)
{
    int last = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET(i, &before) ? i : last;
    }
    CPU_ZERO(&before);
    CPU_SET(last, &before);
    cr_assert_eq(sched_setaffinity(0, sizeof before, &before), 0);
    cr_assert_eq(bg_run(of_all, NULL, .workers = WORKERS, .spares = BG_NO_SPARES, .pin = 1), 0);
    for (int i = 0; i < WORKERS; i++) {
        cr_assert(is_free(of[i]));
    }
}

Test(pin, not_in_the_deterministic_mode)
{
    cr_assert_eq(bg_run(bound_here, NULL, .workers = 2, .pin = 1, .seed = 5),
                 CPU_COUNT(&before) == 1);
}

Test(pin, without_memory_nothing_is_bound)
{
    int r = -1;
    for (size_t n = 1; r != 1; n++) {
        bgi_fault_arm(BGI_FAULT_ALL, n);
        r = bg_run(bound_here, NULL, .workers = 2, .pin = 1);
        bgi_fault_disarm();
        cr_assert(r == 1 || r == -ENOMEM || r == -EAGAIN, "%d at %zu", r, n);
        cr_assert(is_free(now()));
    }
}

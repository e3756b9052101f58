/*
 * The monitor compiled once more, in place of the library's, into a test that makes its workers by
 * hand: with a clock, a /proc and a neighbour that the test moves. core/test_monitor.c has the real
 * one.
 */
#ifndef TESTS_CORE_LOOKS_H
#define TESTS_CORE_LOOKS_H

#include "rig.h"

#include "arch/futex.h"

#include <fcntl.h>
#include <unistd.h>

static bg_time cpu_used; /* by every thread; negative: it cannot be asked */
static const char *stat_text;
static int stat_fails; /* 1: at open, 2: at read */
static int stats_open;

static int proc_open(const char *path, int flags)
{
    cr_expect(strncmp(path, "/proc/self/task/", 16) == 0 && flags == (O_RDONLY | O_CLOEXEC));
    if (stat_fails == 1) {
        return -1;
    }
    stats_open++;
    return 1000;
}

static ssize_t proc_read(int fd, void *to, size_t size)
{
    size_t n = strlen(stat_text);
    cr_expect_eq(fd, 1000);
    if (stat_fails == 2) {
        return -1;
    }
    n = n < size ? n : size;
    memcpy(to, stat_text, n);
    return (ssize_t)n;
}

static int proc_close(int fd)
{
    cr_expect_eq(fd, 1000);
    stats_open--;
    return 0;
}

static int thread_clock(clockid_t clock, struct timespec *ts)
{
    (void)clock;
    ts->tv_sec = (time_t)(cpu_used / BG_S);
    ts->tv_nsec = (long)(cpu_used % BG_S);
    return cpu_used < 0 ? -1 : 0;
}

static void (*neighbour)(bgi_atomic *word); /* comes once, just before a compare-and-swap */

static int met_cas(bgi_atomic *p, bgi_word old, bgi_word want)
{
    void (*comes)(bgi_atomic *) = neighbour;
    neighbour = NULL;
    if (comes != NULL) {
        comes(p);
    }
    return bgi_cas(p, old, want);
}

static size_t trims, unused_stacks;

static size_t trim_script(bgi_stack_pool *pool, size_t budget)
{
    (void)pool;
    trims++;
    size_t n = unused_stacks < budget ? unused_stacks : budget;
    unused_stacks -= n;
    return n;
}

#define open proc_open
#define read proc_read
#define close proc_close
#define clock_gettime thread_clock
#define bgi_cas met_cas
#define bgi_stack_trim trim_script
#include "core/monitor.c"
#undef open
#undef read
#undef close
#undef clock_gettime
#undef bgi_cas
#undef bgi_stack_trim

/* ---- the clock of the test ---- */

static bg_time time_now = 1000 * BG_S;
static void (*at_clock)(void);

static bg_time read_now(void *ctx)
{
    void (*then)(void) = at_clock;
    (void)ctx;
    at_clock = NULL;
    if (then != NULL) {
        then();
    }
    return time_now;
}

static void own_clock(void)
{
    static const struct bgi_clock_ops ops = {read_now, NULL};
    bgi_clock_set_ops(&ops);
}

/* ---- what may wait, and who sleeps ---- */

static void run_nothing(bgi_worker *w, bgi_item *item)
{
    (void)w;
    (void)item;
}

static bgi_item items[200];

static void expire_item(bgi_timer *t, bgi_expiry *out)
{
    size_t *i = (size_t *)(void *)(t + 1);
    out->item = &items[*i];
}

struct numbered_timer {
    bgi_timer timer;
    size_t number;
};

static struct numbered_timer timers[100];

/* Sets n timers on a worker, due now. */
static void set_timers(bgi_worker *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        items[i].run = run_nothing;
        timers[i].number = i;
        bgi_timer_init(&timers[i].timer, expire_item);
        cr_assert_eq(bgi_timers_start_at(&w->timers, &timers[i].timer, time_now, NULL, NULL), 1);
    }
    time_now += BG_MS;
}

/* A scheduler of one worker and two spares that have retired; threads there are none. */
static bgi_sched *with_retired_spares(void)
{
    own_clock();
    bgi_sched *s = rig_create(1, 2);
    for (unsigned i = 1; i < 3; i++) {
        cr_assert_eq(bgi_worker_prepare(s, i), 0);
        bgi_store(&s->worker[i].state, BGI_RETIRED);
    }
    bgi_store(&s->worker[0].state, BGI_ACTIVE);
    bgi_store(&s->used, 3);
    return s;
}

static int wake_nobody(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    (void)w;
    (void)n;
    return 0;
}

#endif

/*
 * What the library asks the system for, answered by the checker. The names with __wrap_ stand in
 * for the plain ones in everything that is linked (--wrap); outside of an execution they pass on.
 * lib/base/panic.c and lib/arch/futex.c are not linked, their functions are here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "engine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HERE __builtin_return_address(0)
#define IN_MODEL likely(phase != IDLE)
typedef volatile size_t word;

/* ---- futexes ---- */

int bgi_futex_wait(word *w, uint32_t expected, int64_t deadline);
int bgi_futex_wake(word *w, int n);
void bgi_futex_set_ops(const void *ops);
void bgi_panic(const char *fmt, ...);
void bgi_misuse(const char *function, const char *task, const char *fmt, ...);

static uint32_t queue_next;

int bgi_futex_wait(word *w, uint32_t expected, int64_t deadline)
{
    if (phase != RUN) {
        fail("bgi_futex_wait in setup or check");
    }
    point();
    mthread *t = &mt[self];
    char where[128];
    if (tracing) {
        describe_address((uintptr_t)w, where, sizeof where);
    }
    if ((uint32_t)*w != expected) {
        /* The kernel's look was one of this thread's: it does not see an older value after it. */
        read_newest_relaxed((volatile uint64_t *)w);
        if (tracing) {
            trace(HERE, "futex    wait on %s: is %#x, not %#x", where, (uint32_t)*w, expected);
        }
        return -EAGAIN;
    }
    if (deadline >= 0 && deadline <= virtual_now) {
        if (tracing) {
            trace(HERE, "futex    wait on %s: too late already", where);
        }
        return -ETIMEDOUT;
    }
    if (tracing) {
        trace(HERE, "futex    waits on %s%s", where, deadline >= 0 ? ", with a deadline" : "");
    }
    t->state = T_FUTEX;
    t->word = (volatile uint64_t *)w;
    t->deadline = deadline;
    t->timed_out = false;
    t->queued = queue_next++;
    block();
    if (tracing) {
        trace(HERE, "futex    %s", t->timed_out ? "its time is up" : "woken");
    }
    return t->timed_out ? -ETIMEDOUT : 0;
}

int bgi_futex_wake(word *w, int n)
{
    int woken = 0;
    point();
    while (woken < n) {
        int first = -1;
        for (unsigned t = 0; t < threads; t++) {
            if (mt[t].state == T_FUTEX && mt[t].word == (volatile uint64_t *)w &&
                (first < 0 || (int32_t)(mt[t].queued - mt[first].queued) < 0)) {
                first = (int)t;
            }
        }
        if (first < 0) {
            break;
        }
        wake(first);
        woken++;
    }
    if (tracing) {
        char where[128];
        describe_address((uintptr_t)w, where, sizeof where);
        trace(HERE, "futex    wakes %d on %s", woken, where);
    }
    return woken;
}

void bgi_futex_set_ops(const void *ops)
{
    (void)ops;
}

void mc_yield(void);
void mc_yield(void)
{
    yield_point();
}

__attribute__((noreturn)) void bgi_panic(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (phase == IDLE) {
        fprintf(stderr, "%s\n", text);
        abort();
    }
    trace(HERE, "panics");
    fail("panic: %s", text);
}

__attribute__((noreturn)) void bgi_misuse(const char *function, const char *task, const char *fmt,
                                          ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    trace(HERE, "misuse");
    fail("misuse: %s in task '%s': %s", function, task != NULL ? task : "", text);
}

/* ---- memory ---- */

#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t n)
{
    return IN_MODEL ? arena_alloc(16, n) : __real_malloc(n);
}
WRAP(void *, calloc, size_t n, size_t size)
{
    if (!IN_MODEL) {
        return __real_calloc(n, size);
    }
    char *p = arena_alloc(16, n * size);
    for (size_t i = 0; i < n * size; i += 8) {
        word_changed(p + i);
    }
    return memset(p, 0, n * size);
}
WRAP(int, posix_memalign, void **out, size_t align, size_t n)
{
    if (!IN_MODEL) {
        return __real_posix_memalign(out, align, n);
    }
    *out = arena_alloc(align, n);
    return 0;
}
WRAP(void, free, void *p)
{
    if (p == NULL) {
        return;
    }
    if (!IN_MODEL || !arena_free(p)) {
        __real_free(p);
    }
}
WRAP(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t off)
{
    return IN_MODEL ? map_alloc(n) : __real_mmap(at, n, prot, flags, fd, off);
}
WRAP(int, munmap, void *p, size_t n)
{
    return IN_MODEL && map_free(p, n) ? 0 : __real_munmap(p, n);
}
WRAP(int, madvise, void *p, size_t n, int advice)
{
    return IN_MODEL ? 0 : __real_madvise(p, n, advice);
}
WRAP(int, mprotect, void *p, size_t n, int prot)
{
    return IN_MODEL ? 0 : __real_mprotect(p, n, prot);
}

/* ---- threads ---- */

unsigned refuse_threads, refuse_left;

void mc_refuse_threads(unsigned n)
{
    refuse_threads = n;
}

WRAP(int, pthread_create, pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *),
     void *arg)
{
    (void)attr;
    point();
    if (refuse_left != 0) {
        refuse_left--;
        if (tracing) {
            trace(HERE, "is refused a thread");
        }
        return EAGAIN;
    }
    word_changed(out);
    *out = (pthread_t)spawn_thread(fn, arg);
    if (tracing) {
        trace(HERE, "starts thread %d", (int)*out);
    }
    return 0;
}
WRAP(int, pthread_join, pthread_t id, void **result)
{
    int t = (int)id;
    point();
    if (mt[t].state != T_DONE) {
        mt[self].state = T_JOIN;
        mt[self].join = t;
        block();
    }
    view_join(&mt[self].cur, &mt[t].cur);
    if (result != NULL) {
        word_changed(result);
        *result = mt[t].result;
    }
    if (tracing) {
        trace(HERE, "has joined thread %d", t);
    }
    return 0;
}
WRAP(pthread_t, pthread_self, void)
{
    return IN_MODEL ? (pthread_t)self : __real_pthread_self();
}
WRAP(int, pthread_once, pthread_once_t *once, void (*fn)(void))
{
    if (!IN_MODEL) {
        return __real_pthread_once(once, fn);
    }
    if (*(int *)once == 0) { /* fn is not interrupted: it has no operation others could see */
        word_changed(once);
        *(int *)once = 2;
        enum phase was = phase;
        phase = phase == RUN ? CHECK : phase;
        fn();
        phase = was;
    }
    return 0;
}
WRAP(int, pthread_setname_np, pthread_t id, const char *name)
{
    return IN_MODEL ? 0 : __real_pthread_setname_np(id, name);
}
WRAP(int, pthread_sigmask, int how, const sigset_t *set, sigset_t *old)
{
    return IN_MODEL ? 0 : __real_pthread_sigmask(how, set, old);
}
WRAP(int, sigaltstack, const stack_t *ss, stack_t *old)
{
    if (!IN_MODEL) {
        return __real_sigaltstack(ss, old);
    }
    if (old != NULL) {
        memset(old, 0, sizeof *old);
        old->ss_flags = SS_DISABLE;
    }
    return 0;
}

const mc_system *played;

void mc_play_system(const mc_system *system)
{
    played = system;
}

WRAP(int, sigaction, int sig, const struct sigaction *act, struct sigaction *old)
{
    if (!IN_MODEL) {
        return __real_sigaction(sig, act, old);
    }
    return played != NULL ? played->sigaction(sig, act, old) : 0;
}
WRAP(int, sched_yield, void)
{
    if (!IN_MODEL) {
        return __real_sched_yield();
    }
    yield_point();
    return 0;
}
WRAP(int, gettid, void)
{
    return IN_MODEL ? 1000 + self : __real_gettid();
}
WRAP(int, clock_gettime, clockid_t clock, struct timespec *ts)
{
    if (!IN_MODEL) {
        return __real_clock_gettime(clock, ts);
    }
    ts->tv_sec = virtual_now / 1000000000;
    ts->tv_nsec = virtual_now % 1000000000;
    return 0;
}
WRAP(int, prctl, int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return IN_MODEL ? 0 : __real_prctl(op, a, b, c, d);
}
WRAP(ssize_t, write, int fd, const void *data, size_t n)
{
    if (!IN_MODEL) {
        return __real_write(fd, data, n); /* reports */
    }
    return played != NULL ? played->write(fd, data, n) : (ssize_t)n;
}
WRAP(long, syscall, long n, long a, long b, long c, long d, long e, long f)
{
    if (!IN_MODEL) {
        return __real_syscall(n, a, b, c, d, e, f);
    }
    if (n == SYS_membarrier && phase == RUN) {
        point();
        fence_everywhere();
        if (tracing) {
            trace(HERE, "membarrier");
        }
    }
    return 0;
}

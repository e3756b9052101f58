/*
 * The clock: CLOCK_MONOTONIC in nanoseconds, or whatever a test puts in its place.
 *
 * All of brigade reads the time here. While nothing is put in its place that costs one load of a
 * word nobody writes and a branch never taken, beside the clock itself.
 */
#ifndef BGI_CLOCK_H
#define BGI_CLOCK_H

#include "base/atomic.h"

#include <brigade/types.h>

#include <time.h>

struct bgi_clock_ops {
    bg_time (*now)(void *ctx);
    void *ctx;
};

/* Written by bgi_clock_set_ops (release), read by bgi_clock_now (acquire). NULL is the real clock.
 */
extern bgi_atomic bgi_clock_replacement;

/*
 * Puts ops in the place of the clock, for the whole process; NULL brings the real one back. *ops
 * must outlive its use, the calls in flight on other threads included.
 */
void bgi_clock_set_ops(const struct bgi_clock_ops *ops);

/* The kernel's clock, even when another one is in its place. */
BGI_INLINE bg_time bgi_clock_real(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail: the clock exists, ts is ours */
    return (bg_time)ts.tv_sec * BG_S + (bg_time)ts.tv_nsec;
}

BGI_INLINE bg_time bgi_clock_now(void)
{
    const struct bgi_clock_ops *ops = bgi_load_acquire_ptr(&bgi_clock_replacement);
    if (bgi_unlikely(ops != NULL)) {
        return ops->now(ops->ctx);
    }
    return bgi_clock_real();
}

/*
 * A clock to guess by how long something took, in about nanoseconds: a fourth of the price of the
 * other one. It can be off by half, and on another CPU it may show any time. With another clock in
 * the place of the kernel's it is that one.
 */
BGI_INLINE bg_time bgi_clock_rough(void)
{
#if defined(__x86_64__) && !defined(BGI_MODEL)
    if (bgi_likely(bgi_load_ptr(&bgi_clock_replacement) == NULL)) {
        return (bg_time)(__builtin_ia32_rdtsc() >> 3) * 3; /* right for 2.7 GHz */
    }
#elif defined(__aarch64__)
    if (bgi_likely(bgi_load_ptr(&bgi_clock_replacement) == NULL)) {
        uint64_t ticks, frequency;
        __asm__ __volatile__("mrs %0, cntvct_el0\n\tmrs %1, cntfrq_el0"
                             : "=r"(ticks), "=r"(frequency));
        return (bg_time)(ticks * (1000000000 / frequency)); /* of at most 1 GHz */
    }
#endif
    return bgi_clock_now();
}

/* t + d, staying within what a bg_time can hold. */
BGI_INLINE bg_time bgi_time_add(bg_time t, bg_duration d)
{
    bg_time sum;
    if (bgi_unlikely(__builtin_add_overflow(t, d, &sum))) {
        return d < 0 ? INT64_MIN : BG_TIME_MAX;
    }
    return sum;
}

#endif

/*
 * The walker of the wheel. See base/check.h.
 */
#ifndef BGI_TIMER_CHECK_H
#define BGI_TIMER_CHECK_H

#include "timer/wheel.h"

#if BGI_DEBUG

/* Whoever may change the wheel, between two calls; also when an advance stopped at its limit. */
void bgi_wheel_check(const struct bgi_wheel *w);

#else

BGI_INLINE void bgi_wheel_check(const struct bgi_wheel *w)
{
    (void)w;
}

#endif

#endif

/*
 * The clock.
 */
#ifndef BRIGADE_TIME_H
#define BRIGADE_TIME_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/*
 * The time now, in nanoseconds on a clock that only goes forward (CLOCK_MONOTONIC). Its origin
 * has no meaning; only differences have. In a runtime on virtual time, that runtime's time.
 * From any thread, inside a task or outside; never suspends, never fails.
 */
BG_API bg_time bg_now(void);

BG_END_DECLS

#endif

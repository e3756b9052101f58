/*
 * Tickers: something to be done again and again, at fixed times.
 *
 *     bg_ticker every;
 *     bg_ticker_init(&every, 100 * BG_MS);
 *     int missed;
 *     while ((missed = bg_tick(&every)) >= 0) {
 *         sample(1 + missed);
 *     }
 *
 * The times are multiples of the period, counted from bg_ticker_init: what is done in between takes
 * nothing from them, and errors do not add up. Who comes late, after one time or several have
 * passed, gets a tick at once, and is told how many more there were; the next one is at the first
 * multiple that is still to come. So ticks never come in a burst, none is uncounted, and the rhythm
 * stays as it was (Tokio calls that MissedTickBehavior::Skip).
 */
#ifndef BRIGADE_TICKER_H
#define BRIGADE_TICKER_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* Used by one task or thread at a time. */
typedef struct bg_ticker {
    int64_t opaque[2];
} bg_ticker;

/* The first tick is one period from now. From any thread; does not suspend. 0; -EINVAL: the period
 * is not positive, and nothing was done. */
BG_API int bg_ticker_init(bg_ticker *ticker, bg_duration period);

/*
 * Waits for the next tick; when it has passed already, lets others run and returns. Returns how
 * many further ticks have passed by then: 0 for who is on time, at most INT_MAX.
 *
 * In a task or a plain thread. Suspends. -ECANCELED, -ETIMEDOUT: no tick was taken, the next call
 * waits for the same one. -EPERM in a callback (misuse in debug builds).
 */
BG_API int bg_tick(bg_ticker *ticker);

BG_END_DECLS

#endif

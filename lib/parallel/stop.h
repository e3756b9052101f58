/*
 * What ends a parallel algorithm early: the first error of a part, or the caller's cancellation as
 * noticed by any part.
 *
 * A part that another worker runs is a task of its own: when a deadline around the caller passes,
 * it finds itself cancelled. So in the end the caller's own state says what it was.
 *
 * `error` is 0, or an errno: set once (compare-and-swap), guards no data; who sees it late does a
 * little more than it needed to.
 */
#ifndef BGI_PARALLEL_STOP_H
#define BGI_PARALLEL_STOP_H

#include "base/atomic.h"

#include <brigade/scope.h>
#include <errno.h>

struct bgi_stop {
    bgi_atomic error;
};

BGI_INLINE void bgi_stop_with(struct bgi_stop *stop, int error)
{
    (void)bgi_cas_relaxed(&stop->error, 0, (bgi_word)-error);
}

/* The error, negative, or 0. */
BGI_INLINE int bgi_stop_error(const struct bgi_stop *stop)
{
    return -(int)bgi_load(&stop->error);
}

/* The caller: what the algorithm returns. */
BGI_INLINE int bgi_stop_result(const struct bgi_stop *stop)
{
    int error = bgi_stop_error(stop);
    int own = error == -ECANCELED ? bg_cancelled() : 0;
    return own != 0 ? own : error;
}

/* Whether what calls this is to do nothing more. */
BGI_INLINE int bgi_stopped(struct bgi_stop *stop)
{
    if (bgi_load(&stop->error) == 0) {
        int r = bg_cancelled();
        if (r == 0) {
            return 0;
        }
        bgi_stop_with(stop, r);
    }
    return 1;
}

#endif

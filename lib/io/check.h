/*
 * The walker of the pool for blocking calls. See base/check.h.
 */
#ifndef BGI_IO_CHECK_H
#define BGI_IO_CHECK_H

#include "io/pool.h"

#if BGI_DEBUG

/* Any thread, which holds no lock. */
void bgi_pool_check(bgi_pool *p);

#else

BGI_INLINE void bgi_pool_check(bgi_pool *p)
{
    (void)p;
}

#endif

#endif

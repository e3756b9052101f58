/*
 * The walker of channels. See base/check.h.
 */
#ifndef BGI_SYNC_CHECK_H
#define BGI_SYNC_CHECK_H

#include "sync/chan.h"

#if BGI_DEBUG

/* Who is inside, or when nobody moves: C1 to C4 of sync/chan.c, and the lists. */
void bgi_chan_check(const bg_chan *ch);

#else

BGI_INLINE void bgi_chan_check(const bg_chan *ch)
{
    (void)ch;
}

#endif

#endif

/*
 * The clock's replacement, and its public face.
 */
#include "base/clock.h"

#include <brigade/time.h>

bgi_atomic bgi_clock_replacement;

void bgi_clock_set_ops(const struct bgi_clock_ops *ops)
{
    bgi_store_release_ptr(&bgi_clock_replacement, ops);
}

bg_time bg_now(void)
{
    return bgi_clock_now();
}

#include "sync/door.h"

#include <sched.h>

BGI_COLD void bgi_door_take_away(bgi_door *d, bgi_word bias)
{
    bgi_store(&d->bias, bias | BGI_DOOR_TAKEN);
    bgi_fence_heavy(); /* partner: the light fence in bgi_door_enter_biased */
    if (d->patience < BGI_DOOR_PATIENCE) {
        d->patience++;
    }
    for (unsigned spins = 0; bgi_load_acquire(&d->inside) != 0; spins++) {
        if (spins < 100) {
            bgi_pause();
        } else {
            (void)sched_yield(); /* the owner was preempted inside */
        }
    }
}

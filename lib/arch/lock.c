/*
 * The slow half of bgi_lock; the protocol is described in lock.h.
 */
#include "arch/lock.h"

BGI_COLD void bgi_lock_acquire_slow(bgi_lock *l)
{
    for (int i = 0; i < BGI_LOCK_SPINS; i++) {
        bgi_word s = bgi_load(&l->state);
        if (s == BGI_LOCK_FREE && bgi_cas_acquire(&l->state, BGI_LOCK_FREE, BGI_LOCK_HELD)) {
            return;
        }
        if (s == BGI_LOCK_CONTENDED) {
            break; /* others sleep: the wait is not a short one */
        }
        bgi_pause();
    }
    while (!bgi_cas_acquire(&l->state, BGI_LOCK_FREE, BGI_LOCK_CONTENDED)) {
        if (bgi_load(&l->state) == BGI_LOCK_CONTENDED ||
            bgi_cas_acquire(&l->state, BGI_LOCK_HELD, BGI_LOCK_CONTENDED)) {
            (void)bgi_futex_wait(&l->state, BGI_LOCK_CONTENDED, -1);
        }
    }
}

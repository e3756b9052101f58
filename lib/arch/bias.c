#include "arch/bias.h"

#include "base/panic.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

bgi_atomic bgi_fence_asymmetric;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

/* The thread sanitizer does not see membarrier's effect, so its builds have full fences. */
static void setup(void)
{
    long can = BGI_TSAN ? 0 : membarrier(MEMBARRIER_CMD_QUERY);
    if (can > 0 && (can & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) {
        bgi_store(&bgi_fence_asymmetric, 1);
    }
}

void bgi_fence_setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, setup);
}

void bgi_fence_heavy(void)
{
    bgi_fence_full();
    if (bgi_load(&bgi_fence_asymmetric) != 0) {
        if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) !=
            0) { /* a forked child: not registered */
            if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0 ||
                membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) {
                bgi_panic("membarrier(2) has been forbidden since the first runtime started");
            }
        }
        bgi_fence_full();
    }
}

void bgi_bias_init(bgi_bias *b, unsigned rank, const char *name)
{
    bgi_store(&b->inside, 0);
    bgi_store(&b->shared, 0);
    b->quiet = 0;
    bgi_lock_init(&b->lock, rank, name);
}

int bgi_bias_enter_slow(bgi_bias *b)
{
    bgi_store_release(&b->inside, 0); /* stand back: the stranger waits for it */
#if BGI_DEBUG
    bgi_rank_release(b->lock.rank, b->lock.name); /* from here on it is the inner lock's */
#endif
    bgi_lock_acquire(&b->lock);
    if (bgi_load(&b->shared) != 0 && ++b->quiet >= BGI_BIAS_QUIET) {
        bgi_store(&b->shared, 0); /* seen by the next stranger through the inner lock */
    }
    return 1;
}

void bgi_bias_leave_slow(bgi_bias *b)
{
    bgi_lock_release(&b->lock);
}

void bgi_bias_enter_stranger(bgi_bias *b)
{
    bgi_lock_acquire(&b->lock);
    if (bgi_load(&b->shared) == 0) {
        bgi_store(&b->shared, 1);
        bgi_fence_heavy(); /* partner: the light fence in enter */
    }
    b->quiet = 0;
    for (unsigned spins = 0; bgi_load_acquire(&b->inside) != 0; spins++) {
        if (spins < 100) {
            bgi_pause();
        } else {
            (void)sched_yield(); /* the owner was preempted inside */
        }
    }
}

void bgi_bias_leave_stranger(bgi_bias *b)
{
    bgi_lock_release(&b->lock);
}

/*
 * The biased lock: its two roads and who takes which, the return of the bias, and exclusion of the
 * owner and strangers with more threads than cores, with and without membarrier, and after a fork.
 */
#include "arch/bias.h"

#include "base/random.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void init(bgi_bias *b)
{
    bgi_fence_setup();
    bgi_bias_init(b, 1, "bias");
}

Test(bias, the_owner_alone_takes_the_fast_road)
{
    bgi_bias b;
    init(&b);
    for (int i = 0; i < 3; i++) {
        int how = bgi_bias_enter(&b);
        cr_assert_eq(how, 0);
        cr_assert_eq(bgi_load(&b.inside), 1);
        cr_assert_eq(bgi_load(&b.lock.state), BGI_LOCK_FREE);
        bgi_bias_leave(&b, how);
        cr_assert_eq(bgi_load(&b.inside), 0);
    }
}

Test(bias, a_stranger_takes_the_bias_away)
{
    bgi_bias b;
    init(&b);
    bgi_bias_enter_stranger(&b);
    cr_assert_eq(bgi_load(&b.shared), 1);
    cr_assert_neq(bgi_load(&b.lock.state), BGI_LOCK_FREE);
    bgi_bias_leave_stranger(&b);
    cr_assert_eq(bgi_load(&b.lock.state), BGI_LOCK_FREE);
    int how = bgi_bias_enter(&b);
    cr_assert_neq(how, 0);
    cr_assert_eq(bgi_load(&b.inside), 0); /* it stood back */
    cr_assert_neq(bgi_load(&b.lock.state), BGI_LOCK_FREE);
    bgi_bias_leave(&b, how);
    cr_assert_eq(bgi_load(&b.lock.state), BGI_LOCK_FREE);
}

static void enter_and_leave(bgi_bias *b, int slow)
{
    int how = bgi_bias_enter(b);
    cr_assert_eq(how != 0, slow);
    bgi_bias_leave(b, how);
}

static void visit(bgi_bias *b)
{
    bgi_bias_enter_stranger(b);
    bgi_bias_leave_stranger(b);
}

Test(bias, the_bias_returns_after_a_quiet_time_and_not_before)
{
    bgi_bias b;
    init(&b);
    for (int round = 0; round < 3; round++) {
        visit(&b);
        for (int i = 0; i < BGI_BIAS_QUIET; i++) {
            cr_assert_eq(bgi_load(&b.shared), 1);
            enter_and_leave(&b, 1);
        }
        cr_assert_eq(bgi_load(&b.shared), 0);
        enter_and_leave(&b, 0);
    }
}

Test(bias, a_stranger_in_between_begins_the_quiet_time_anew)
{
    bgi_bias b;
    init(&b);
    visit(&b);
    for (int i = 0; i < BGI_BIAS_QUIET - 1; i++) {
        enter_and_leave(&b, 1);
    }
    visit(&b);
    for (int i = 0; i < BGI_BIAS_QUIET; i++) {
        enter_and_leave(&b, 1);
    }
    enter_and_leave(&b, 0);
}

/* ---- exclusion ---- */

enum { ENTRIES = 200000, VISITS = 3000, STRANGERS_MOST = 7 };

static struct {
    bgi_bias b;
    /* Guarded by b, and by nothing else. */
    long count, inside, crowded;
    /* The owner's. */
    long fast;
} shared;

static void be_inside(int dawdle)
{
    shared.crowded += shared.inside++ != 0;
    shared.count++;
    if (dawdle) {
        sched_yield(); /* the others come while it is inside */
    }
    shared.inside--;
}

static void *own(void *arg)
{
    struct bgi_random random;
    (void)arg;
    bgi_random_seed(&random, 1);
    for (int i = 0; i < ENTRIES; i++) {
        int how = bgi_bias_enter(&shared.b);
        shared.fast += how == 0;
        be_inside(bgi_random_below(&random, 1000) == 0);
        bgi_bias_leave(&shared.b, how);
    }
    return NULL;
}

static void *visit_often(void *arg)
{
    struct bgi_random random;
    bgi_random_seed(&random, *(uint64_t *)arg);
    for (int i = 0; i < VISITS; i++) {
        bgi_bias_enter_stranger(&shared.b);
        be_inside(bgi_random_below(&random, 20) == 0);
        bgi_bias_leave_stranger(&shared.b);
        /* Often short after another, and now and then so late that the owner has its bias again. */
        for (uint32_t n = bgi_random_below(&random, 8) == 0 ? 20 : 0; n > 0; n--) {
            sched_yield();
        }
    }
    return NULL;
}

/* What went wrong, 0 for nothing. Asserts nothing: it also runs in a forked child. */
static int exclude(int strangers)
{
    pthread_t owner, id[STRANGERS_MOST];
    uint64_t seed[STRANGERS_MOST];
    init(&shared.b);
    shared.count = shared.inside = shared.crowded = shared.fast = 0;
    if (pthread_create(&owner, NULL, own, NULL) != 0) {
        return 1;
    }
    for (int i = 0; i < strangers; i++) {
        seed[i] = (uint64_t)i;
        if (pthread_create(&id[i], NULL, visit_often, &seed[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < strangers; i++) {
        (void)pthread_join(id[i], NULL);
    }
    (void)pthread_join(owner, NULL);
    if (shared.crowded != 0) {
        return 2;
    }
    if (shared.count != ENTRIES + (long)strangers * VISITS) {
        return 3;
    }
    return bgi_load(&shared.b.inside) == 0 && bgi_load(&shared.b.lock.state) == BGI_LOCK_FREE ? 0
                                                                                              : 4;
}

Test(bias, excludes_one_stranger)
{
    cr_assert_eq(exclude(1), 0);
    cr_log_info("%ld of %d by the fast road\n", shared.fast, ENTRIES);
}

Test(bias, excludes_more_strangers_than_cores)
{
    cr_assert_eq(exclude(STRANGERS_MOST), 0);
    cr_log_info("%ld of %d by the fast road\n", shared.fast, ENTRIES);
}

/*
 * The moment in which the bias is taken away, again and again: in each round the owner enters a
 * biased lock while a stranger comes for the first time. Without a fence in the owner's thread its
 * store could still be on the way when the stranger looks.
 */
enum { MOMENTS = 10000, LOCKS = 64 };

static struct {
    bgi_bias b[LOCKS];
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic round[2]; /* where each of the two is */
    long inside, crowded;                                     /* guarded by this round's lock */
} moment;

/* Both are at the same round when this returns, or nearly so. */
static void meet(unsigned self, bgi_word round)
{
    bgi_store_release(&moment.round[self], round);
    for (unsigned spins = 0; bgi_load_acquire(&moment.round[!self]) < round; spins++) {
        if (spins > 200) {
            sched_yield(); /* there may be but one core */
        }
    }
}

static void stay(void)
{
    moment.crowded += moment.inside++ != 0;
    for (volatile int i = 0; i < 10; i++) {
    }
    moment.inside--;
}

static void *come_for_the_first_time(void *arg)
{
    (void)arg;
    for (bgi_word round = 1; round <= MOMENTS; round++) {
        bgi_bias *b = &moment.b[round % LOCKS];
        meet(1, 2 * round);
        for (volatile bgi_word i = round % 50; i > 0; i--) {
        }
        bgi_bias_enter_stranger(b);
        stay();
        bgi_bias_leave_stranger(b);
        meet(1, 2 * round + 1);
    }
    return NULL;
}

static void run_moments(void)
{
    pthread_t stranger;
    bgi_fence_setup();
    bgi_store(&moment.round[0], 0);
    bgi_store(&moment.round[1], 0);
    cr_assert_eq(pthread_create(&stranger, NULL, come_for_the_first_time, NULL), 0);
    for (bgi_word round = 1; round <= MOMENTS; round++) {
        bgi_bias *b = &moment.b[round % LOCKS];
        bgi_bias_init(b, 1, "bias");
        meet(0, 2 * round);
        for (int i = 0; i < 4; i++) {
            int how = bgi_bias_enter(b);
            stay();
            bgi_bias_leave(b, how);
        }
        meet(0, 2 * round + 1);
    }
    cr_assert_eq(pthread_join(stranger, NULL), 0);
    cr_assert_eq(moment.crowded, 0);
    cr_assert_eq(moment.inside, 0);
}

Test(bias, excludes_in_the_moment_the_bias_is_taken_away)
{
    run_moments();
}

Test(bias, excludes_in_that_moment_without_membarrier)
{
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    run_moments();
}

/* As on kernels that have no membarrier: the owner's fence is a real one. */
Test(bias, excludes_without_membarrier)
{
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    cr_assert_eq(exclude(1), 0);
    cr_assert_eq(exclude(STRANGERS_MOST), 0);
    cr_assert_eq(bgi_load(&bgi_fence_asymmetric), 0);
}

/* The child may have to register for membarrier anew. */
Test(bias, excludes_after_a_fork)
{
    cr_assert_eq(exclude(1), 0);
    bgi_word asymmetric = bgi_load(&bgi_fence_asymmetric);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        bgi_fence_heavy();
        int r = exclude(3);
        _exit(r == 0 && bgi_load(&bgi_fence_asymmetric) != asymmetric ? 5 : r);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%d", status);
    cr_assert_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
}

/*
 * Models of the biased lock (arch/bias.h), with full fences on both sides, and with a fence in the
 * stranger alone, which then is membarrier(2): one inside at a time, who sees what those before
 * wrote. The guarded words are plain.
 *
 * The build makes BGI_BIAS_QUIET tiny; with any other value the bias does not come back within a
 * model, and the model would say nothing about it.
 */
#include "mc.h"

#include "arch/bias.h"

_Static_assert(BGI_BIAS_QUIET <= 2, "models are built with -DBGI_BIAS_QUIET=2, -DBGI_LOCK_SPINS=1");

static bgi_bias B;
static int inside, entries;

static void setup(void)
{
    bgi_store(&bgi_fence_asymmetric, 0);
    bgi_bias_init(&B, BGI_RANK_TIMERS, "model");
    inside = 0;
    entries = 0;
}

static void section(void)
{
    mc_assert(inside == 0);
    inside = 1;
    entries++;
    inside = 0;
}

static void owner_once(void)
{
    int how = bgi_bias_enter(&B);
    section();
    bgi_bias_leave(&B, how);
}

static void owner(void)
{
    owner_once();
    owner_once();
}

static void stranger(void)
{
    bgi_bias_enter_stranger(&B);
    section();
    bgi_bias_leave_stranger(&B);
}

static void entered(int n)
{
    mc_assert(entries == n);
    mc_assert(bgi_load(&B.inside) == 0);
    mc_assert(bgi_load(&B.lock.state) == BGI_LOCK_FREE);
}

static void check_two(void)
{
    entered(2);
}

static void check_three(void)
{
    entered(3);
}

MC_MODEL(first_meeting, .name = "bias/first_meeting",
         .says = "the owner's fast road and the stranger that takes the bias exclude each other",
         .setup = setup, .thread = {owner_once, stranger}, .check = check_two);

MC_MODEL(owner_and_stranger, .name = "bias/owner_and_stranger",
         .says = "the owner enters by the fast road and then through the lock", .setup = setup,
         .thread = {owner, stranger}, .check = check_three);

MC_MODEL(two_strangers, .name = "bias/two_strangers",
         .says = "a second stranger finds the bias taken and waits for the owner all the same",
         .setup = setup, .thread = {owner_once, stranger, stranger}, .check = check_three);

/* -- the bias comes back: the first stranger was there before -- */

static void shared_setup(void)
{
    setup();
    stranger();
    entries = 0;
    mc_assert(bgi_load(&B.shared) == 1);
}

static void owner_returns(void)
{
    for (int i = 0; i < BGI_BIAS_QUIET + 1; i++) {
        owner_once();
    }
}

static void returns_check(void)
{
    entered(BGI_BIAS_QUIET + 2);
}

MC_MODEL(returns, .name = "bias/returns",
         .says = "a stranger that comes while the bias returns takes it again, or is waited for",
         .setup = shared_setup, .thread = {owner_returns, stranger}, .check = returns_check);

static void stranger_twice(void)
{
    stranger();
    stranger();
}

static void returns_twice_check(void)
{
    entered(BGI_BIAS_QUIET + 3);
}

MC_MODEL(returns_and_goes, .name = "bias/returns_and_goes",
         .says = "the same when the stranger comes once more", .bound = 2, .setup = shared_setup,
         .thread = {owner_returns, stranger_twice}, .check = returns_twice_check);

/* -- with membarrier: the owner has no fence -- */

static void asymmetric_setup(void)
{
    setup();
    bgi_store(&bgi_fence_asymmetric, 1);
}

static void asymmetric_shared_setup(void)
{
    shared_setup();
    bgi_store(&bgi_fence_asymmetric, 1);
}

MC_MODEL(asymmetric, .name = "bias/membarrier",
         .says = "without a fence of the owner's own they exclude each other all the same",
         .setup = asymmetric_setup, .thread = {owner_once, stranger}, .check = check_two);

MC_MODEL(asymmetric_back, .name = "bias/membarrier_stands_back",
         .says = "a stranger sees what the owner did before it stood back",
         .setup = asymmetric_setup, .thread = {owner, stranger}, .check = check_three);

MC_MODEL(asymmetric_two, .name = "bias/membarrier_two_strangers",
         .says = "the second stranger, who finds the bias taken, needs none", .bound = 2,
         .setup = asymmetric_setup, .thread = {owner_once, stranger, stranger},
         .check = check_three);

MC_MODEL(asymmetric_returns, .name = "bias/membarrier_returns",
         .says = "nor when the bias comes back", .setup = asymmetric_shared_setup,
         .thread = {owner_returns, stranger}, .check = returns_check);

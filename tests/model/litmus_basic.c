/*
 * The checker's own tests: litmus cases. `outcomes` is the exact set of results that the memory
 * model allows: each has to be seen, and no other. Results are coded as r0 + 2 * r1 (+ 4 * r2 ...).
 * Models with `fails` are right when the checker finds their fault.
 */
#include "mc.h"

#include "arch/futex.h"
#include "base/alloc.h"
#include "base/atomic.h"

static bgi_atomic x, y;
static unsigned r[4];
static int plain;

static void zero(void)
{
    bgi_store(&x, 0);
    bgi_store(&y, 0);
    r[0] = r[1] = r[2] = r[3] = 0;
    plain = 0;
}

static void two(void)
{
    mc_outcome(r[0] + 2 * r[1]);
}

static void four(void)
{
    mc_outcome(r[0] + 2 * r[1] + 4 * r[2] + 8 * r[3]);
}

/* ---- message passing ---- */

static void mp_write(void)
{
    bgi_store(&x, 1);
    bgi_store(&y, 1);
}

static void mp_write_release(void)
{
    bgi_store(&x, 1);
    bgi_store_release(&y, 1);
}

static void mp_read(void)
{
    r[0] = (unsigned)bgi_load(&y);
    r[1] = (unsigned)bgi_load(&x);
}

static void mp_read_acquire(void)
{
    r[0] = (unsigned)bgi_load_acquire(&y);
    r[1] = (unsigned)bgi_load(&x);
}

MC_MODEL(mp_rlx, .name = "litmus/message_relaxed", .says = "old data after a new flag is seen",
         .setup = zero, .thread = {mp_write, mp_read}, .check = two, .outcomes = 0xf);
MC_MODEL(mp_ra, .name = "litmus/message_release_acquire", .says = "never old data after a new flag",
         .setup = zero, .thread = {mp_write_release, mp_read_acquire}, .check = two,
         .outcomes = 0xd);
MC_MODEL(mp_half, .name = "litmus/message_release_relaxed", .says = "half a pair is no pair",
         .setup = zero, .thread = {mp_write_release, mp_read}, .check = two, .outcomes = 0xf);

/* ---- store buffering ---- */

static void sb_0(void)
{
    bgi_store(&x, 1);
    r[0] = (unsigned)bgi_load(&y);
}

static void sb_1(void)
{
    bgi_store(&y, 1);
    r[1] = (unsigned)bgi_load(&x);
}

static void sb_fence_0(void)
{
    bgi_store(&x, 1);
    bgi_fence_full();
    r[0] = (unsigned)bgi_load(&y);
}

static void sb_fence_1(void)
{
    bgi_store(&y, 1);
    bgi_fence_full();
    r[1] = (unsigned)bgi_load(&x);
}

MC_MODEL(sb, .name = "litmus/store_buffering", .says = "both may read old values", .setup = zero,
         .thread = {sb_0, sb_1}, .check = two, .outcomes = 0xf);
MC_MODEL(sb_fences, .name = "litmus/store_buffering_fences", .says = "not with two full fences",
         .setup = zero, .thread = {sb_fence_0, sb_fence_1}, .check = two, .outcomes = 0xe);
MC_MODEL(sb_one, .name = "litmus/store_buffering_one_fence", .says = "one full fence does nothing",
         .setup = zero, .thread = {sb_fence_0, sb_1}, .check = two, .outcomes = 0xf);

/* ---- independent reads of independent writes ---- */

static void write_x(void)
{
    bgi_store_release(&x, 1);
}

static void write_y(void)
{
    bgi_store_release(&y, 1);
}

static void read_xy(void)
{
    r[0] = (unsigned)bgi_load_acquire(&x);
    r[1] = (unsigned)bgi_load_acquire(&y);
}

static void read_yx(void)
{
    r[2] = (unsigned)bgi_load_acquire(&y);
    r[3] = (unsigned)bgi_load_acquire(&x);
}

static void read_xy_fence(void)
{
    r[0] = (unsigned)bgi_load_acquire(&x);
    bgi_fence_full();
    r[1] = (unsigned)bgi_load_acquire(&y);
}

static void read_yx_fence(void)
{
    r[2] = (unsigned)bgi_load_acquire(&y);
    bgi_fence_full();
    r[3] = (unsigned)bgi_load_acquire(&x);
}

MC_MODEL(iriw, .name = "litmus/iriw", .says = "two readers may disagree", .setup = zero,
         .thread = {write_x, write_y, read_xy, read_yx}, .check = four, .outcomes = 0xffff);
MC_MODEL(iriw_fences, .name = "litmus/iriw_fences", .says = "not with full fences", .setup = zero,
         .thread = {write_x, write_y, read_xy_fence, read_yx_fence}, .check = four,
         .outcomes = 0xffff & ~(1u << 5));

/* ---- coherence: one word is seen in one order ---- */

static void co_write(void)
{
    bgi_store(&x, 1);
    bgi_store(&x, 2);
}

static void co_read(void)
{
    r[0] = (unsigned)bgi_load(&x);
    r[1] = (unsigned)bgi_load(&x);
}

static void co_result(void)
{
    mc_outcome(r[0] + 3 * r[1]);
    mc_assert(bgi_load(&x) == 2);
}

static void co_write_read(void)
{
    bgi_store(&x, 3);
    r[0] = (unsigned)bgi_load(&x);
}

static void co_read_write(void)
{
    r[0] = (unsigned)bgi_load(&x);
    bgi_store(&x, 3);
}

static void co_last(void)
{
    mc_outcome(r[0] + 4 * (unsigned)bgi_load(&x));
}

/* (0,0) (0,1) (0,2) (1,1) (1,2) (2,2) */
MC_MODEL(co_rr, .name = "litmus/coherence_read_read", .says = "a reader does not go back",
         .setup = zero, .thread = {co_write, co_read}, .check = co_result,
         .outcomes = 1u << 0 | 1u << 3 | 1u << 6 | 1u << 4 | 1u << 7 | 1u << 8);
/* reads 3 (last 3 or 2), 1 (last 2) or 2 (last 2) */
MC_MODEL(co_wr, .name = "litmus/coherence_write_read",
         .says = "a thread sees its own store, or a later one", .setup = zero,
         .thread = {co_write, co_write_read}, .check = co_last,
         .outcomes = 1u << 15 | 1u << 11 | 1u << 9 | 1u << 10);
MC_MODEL(co_rw, .name = "litmus/coherence_read_write",
         .says = "what it read comes before its store", .setup = zero,
         .thread = {co_write, co_read_write}, .check = co_last,
         .outcomes = 1u << 12 | 1u << 13 | 1u << 14 | 1u << 8 | 1u << 9);

/* ---- release sequences, atomicity ---- */

static void rs_publish(void)
{
    plain = 1;
    bgi_store_release(&x, 1);
}

static void rs_add(void)
{
    (void)bgi_fetch_add_relaxed(&x, 2);
}

static void rs_read(void)
{
    if (bgi_load_acquire(&x) & 1) {
        mc_outcome((unsigned)plain);
    }
}

static void add_twice(void)
{
    for (int i = 0; i < 2; i++) {
        bgi_word old;
        do {
            old = bgi_load(&x);
        } while (!bgi_cas(&x, old, old + 1));
    }
}

static void is_four(void)
{
    mc_assert(bgi_load(&x) == 4);
}

MC_MODEL(rs, .name = "litmus/release_sequence",
         .says = "a relaxed read-modify-write passes a release on", .setup = zero,
         .thread = {rs_publish, rs_add, rs_read}, .outcomes = 2);
MC_MODEL(cas, .name = "litmus/cas_is_atomic", .says = "no increment is lost", .setup = zero,
         .thread = {add_twice, add_twice}, .check = is_four);

/* ---- faults that must be found ---- */

static void rs_publish_relaxed(void)
{
    plain = 1;
    bgi_store(&x, 1);
}

static void increment(void)
{
    plain++;
}

MC_MODEL(race, .name = "litmus/race", .says = "two plain increments race", .setup = zero,
         .thread = {increment, increment}, .fails = "data race");
MC_MODEL(race_rlx, .name = "litmus/race_after_relaxed", .says = "a relaxed flag publishes nothing",
         .setup = zero, .thread = {rs_publish_relaxed, rs_read}, .fails = "data race");

static void lost_wait(void)
{
    if (bgi_load_acquire(&x) == 0) {
        (void)bgi_futex_wait(&y, 0, -1);
    }
}

static void lost_wake(void)
{
    bgi_store_release(&x, 1);
    (void)bgi_futex_wake(&y, 1);
}

MC_MODEL(lost, .name = "litmus/lost_wake_up", .says = "looking and sleeping on two words",
         .setup = zero, .thread = {lost_wait, lost_wake}, .fails = "deadlock");

static void right_wait(void)
{
    while (bgi_load_acquire(&x) == 0) {
        (void)bgi_futex_wait(&x, 0, -1);
    }
}

static void right_wake(void)
{
    bgi_store_release(&x, 1);
    (void)bgi_futex_wake(&x, 1);
}

MC_MODEL(not_lost, .name = "litmus/futex", .says = "on one word no wake-up is lost", .setup = zero,
         .thread = {right_wait, right_wake});

static void timed_wait(void)
{
    r[0] = bgi_futex_wait(&x, 0, 2000000000) != 0;
}

static void only_r0(void)
{
    mc_outcome(r[0]);
}

MC_MODEL(timeout, .name = "litmus/timed_wait", .says = "it is woken, or its time is up",
         .setup = zero, .thread = {timed_wait, right_wake}, .check = only_r0, .outcomes = 3);

static void spin_for_ever(void)
{
    while (bgi_load(&x) == 0) {
        bgi_pause();
    }
}

static void nothing(void) {}

MC_MODEL(spin, .name = "litmus/no_progress", .says = "a spin nobody ends", .setup = zero,
         .thread = {spin_for_ever, nothing}, .fails = "no progress");
MC_MODEL(spin_ok, .name = "litmus/spin", .says = "a spin somebody ends", .setup = zero,
         .thread = {spin_for_ever, right_wake});

static bgi_atomic *block;

static void with_block(void)
{
    zero();
    block = bgi_malloc(sizeof *block);
    bgi_store(block, 0);
}

static void free_block(void)
{
    bgi_free((void *)(uintptr_t)block);
}

static void use_block(void)
{
    bgi_store(block, 1);
}

MC_MODEL(uaf, .name = "litmus/use_after_free", .says = "freed while another uses it",
         .setup = with_block, .thread = {free_block, use_block}, .fails = "freed memory");

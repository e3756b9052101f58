/*
 * Calls to the system that may fail and yet are no reason to: each that occurs is refused once, in
 * turn, and then all from the nth one on, and every program does what it would have done. A wait on
 * a futex that ends too early, for any reason or none; a wake-up that says it failed; memory that
 * is not given back; pages that cannot be guarded; a file that cannot be read, a signal stack that
 * cannot be had; a kernel without membarrier. And the two refusals that end in a clear word.
 *
 * Labels: long
 */
#include "everything.h"

#include "../task/child.h"
#include "stack/guard.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

static void begin(void)
{
    now.harmless = 1;
}

TestSuite(harmless, .init = begin);

/* From a plain thread, which waits on a futex of its own. */
static void use_runtime(void)
{
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, return_arg, INT_ARG(i))), i);
        cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, sleep_some, INT_ARG(BG_US))), 0);
    }
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

static void use_all(void)
{
    cr_assert_eq(run_everything(2, INT_ARG(24)), 123);
    NO_CHECK_FAILED();
    use_runtime();
}

/* How many such calls a run made that was not refused any: the monitor alone makes some more or
 * less each time, so there is no certain last one. */
static size_t refuse_each(unsigned kind, int answer)
{
    enum { LAST = 70 };
    size_t live = bgi_alloc_live();
    size_t threads = usual_threads();
    size_t most = 0;
    bgi_fault_answer(answer);
    for (int forever = 0; forever < 2; forever++) {
        int missed = 0;
        size_t step = (forever ? 7 : 1) * (CHECK_SLOW + 1); /* a wait that is none, spins */
        for (size_t n = 1; missed < 3 && n <= LAST; n += step) {
            bgi_fault_arm(kind | (forever ? BGI_FAULT_FOREVER : 0), n);
            use_all();
            bgi_fault_disarm();
            missed = bgi_fault_count() < n ? missed + 1 : 0;
            most = bgi_fault_count() > most ? bgi_fault_count() : most;
            cr_assert_eq(bgi_alloc_live(), live);
        }
    }
    bgi_fault_answer(0);
    cr_assert(threads_settle(threads));
    use_all();
    return most;
}

Test(harmless, a_wait_is_interrupted)
{
    cr_assert_gt(refuse_each(BGI_FAULT_FUTEX_WAIT, EINTR), 4);
}

Test(harmless, a_wait_comes_too_late)
{
    cr_assert_gt(refuse_each(BGI_FAULT_FUTEX_WAIT, EAGAIN), 4);
}

Test(harmless, a_wait_ends_without_a_cause)
{
    cr_assert_gt(refuse_each(BGI_FAULT_FUTEX_WAIT, BGI_FAULT_NO_CAUSE), 4);
}

Test(harmless, a_wake_up_says_that_it_failed)
{
    cr_assert_gt(refuse_each(BGI_FAULT_FUTEX_WAKE, 0), 4);
}

Test(harmless, memory_is_not_given_back)
{
    cr_assert_gt(refuse_each(BGI_FAULT_MUNMAP, 0), 4);
}

Test(harmless, advice_is_not_taken)
{
    cr_assert_gt(refuse_each(BGI_FAULT_MADVISE, EINVAL), 2);
    cr_assert_gt(refuse_each(BGI_FAULT_MADVISE, EAGAIN), 2);
}

Test(harmless, nothing_can_be_protected)
{
    bgi_guard_force(BGI_GUARD_PROTECT);
    cr_assert_gt(refuse_each(BGI_FAULT_MPROTECT, 0), 2);
    cr_assert_gt(refuse_each(BGI_FAULT_MADVISE | BGI_FAULT_MPROTECT, 0), 2);
    bgi_guard_force(BGI_GUARD_NONE);
}

Test(harmless, files_cannot_be_read)
{
    bgi_guard_set_protect_limit(0); /* to be read again */
    bgi_guard_force(BGI_GUARD_PROTECT);
    cr_assert_gt(refuse_each(BGI_FAULT_OPEN, 0), 0);
    bgi_guard_force(BGI_GUARD_NONE);
}

Test(harmless, there_is_no_signal_stack)
{
    (void)refuse_each(BGI_FAULT_SIGALTSTACK, 0); /* a sanitizer's threads have theirs */
}

/* ---- in which the process is told ---- */

/* Nothing is started then, and the program's own handlers are as they were. */
Test(harmless, a_handler_cannot_be_set)
{
    struct sigaction before, after;
    size_t live = bgi_alloc_live();
    int refused = 0, missed = 0;
    now.harmless = 0;
    (void)sigaction(SIGSEGV, NULL, &before);
    for (size_t n = 1; missed < 2; n++) {
        bgi_store(&now.main_ran, 0);
        bgi_fault_arm(BGI_FAULT_SIGACTION, n);
        int r = bg_run(main_everything, INT_ARG(8), .workers = 2);
        bgi_fault_disarm();
        NO_CHECK_FAILED();
        missed = bgi_fault_count() < n ? missed + 1 : 0;
        cr_assert(r == 123 || (r == -EINVAL && bgi_load(&now.main_ran) == 0));
        refused += r == -EINVAL;
        (void)sigaction(SIGSEGV, NULL, &after);
        cr_assert(r == 123 || after.sa_sigaction == before.sa_sigaction);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    cr_assert_gt(refused, 0);
    use_all();
}

#if !BGI_TSAN /* which has no use for membarrier */

static unsigned kinds;
static size_t nth;

static void run_without_membarrier(void *arg)
{
    (void)arg;
    bgi_fault_arm(kinds, nth);
    CHECK(run_everything(2, INT_ARG(24)) == 123);
    CHECK(bgi_fault_count() >= nth || nth > 3);
}

/* The first call asks for it, the second registers the process: after either all fences are full
 * ones. A later one that fails has the process registered again, as in a forked child; only if that
 * is refused too there is no way on. */
Test(harmless, there_is_no_membarrier)
{
    long can = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (can < 0 || (can & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) {
        cr_skip_test("no membarrier here");
    }
    for (int forever = 0; forever < 2; forever++) {
        for (nth = 1; nth <= 6; nth++) {
            kinds = BGI_FAULT_MEMBARRIER | (forever ? BGI_FAULT_FOREVER : 0);
            struct child_end end = child_run(run_without_membarrier, NULL);
            int dies = forever && nth == 3; /* the first fence of all; later ones may not come */
            int may_die = forever && nth >= 3;
            cr_assert(end.signal == 0 ? end.status == 0 && !dies : may_die, "%zu: %s", nth,
                      end.words);
            cr_assert(end.signal == 0 ||
                          strstr(end.words, "membarrier(2) has been forbidden") != NULL,
                      "%zu: signal %d: %s", nth, end.signal, end.words);
        }
    }
}

#endif

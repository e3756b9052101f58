/*
 * Every request for memory, mappings and threads is refused once, in turn, and then from the nth
 * one on: each call returns what it documents, nothing leaks, and what was started stays usable.
 *
 * Labels: long
 */
#include "everything.h"

Test(faults, nothing_is_refused)
{
    EACH_WORKER_COUNT(w)
    {
        cr_assert_eq(run_everything(w, NULL), 123);
        NO_CHECK_FAILED();
    }
}

static const unsigned kinds[] = {BGI_FAULT_MALLOC,   BGI_FAULT_MMAP,   BGI_FAULT_MADVISE,
                                 BGI_FAULT_MPROTECT, BGI_FAULT_THREAD, BGI_FAULT_ALL};

/* The nth is refused, for all n up to one that did not come. How many came. */
static size_t refuse_each(unsigned kind, unsigned workers, int forever, void *arg)
{
    size_t live = bgi_alloc_live();
    size_t threads = usual_threads();
    size_t n = 1;
    now.forever = forever;
    for (int missed = 0; missed < 2; n++) {
        bgi_fault_arm(kind | (forever ? BGI_FAULT_FOREVER : 0), n);
        (void)run_everything(workers, arg);
        bgi_fault_disarm();
        NO_CHECK_FAILED();
        missed = bgi_fault_count() < n ? missed + 1 : 0;
        cr_assert_eq(bgi_alloc_live(), live, "kind %u, number %zu: %zu blocks leak", kind, n,
                     bgi_alloc_live() - live);
        if (kind == BGI_FAULT_THREAD || n % 16 == 0) {
            cr_assert(threads_settle(threads), "kind %u, number %zu: threads leak", kind, n);
        }
        if (CHECK_SLOW != 0 && n > 60 && workers > 1) {
            break;
        }
    }
    cr_assert(threads_settle(threads));
    now.forever = 0;
    cr_assert_eq(run_everything(workers, arg), 123); /* and all is as before */
    NO_CHECK_FAILED();
    return n;
}

static void refuse_each_kind(int forever)
{
    for (size_t k = 0; k < BGI_ARRAY_LEN(kinds); k++) {
        EACH_WORKER_COUNT(w)
        {
            /* Few tasks for many workers: what differs is the start. */
            size_t n = refuse_each(kinds[k], w, forever, INT_ARG(w == 2 ? 60 : 12));
            if (kinds[k] == BGI_FAULT_THREAD) {
                cr_assert_gt(n, w); /* each of them has been refused: a monitor, w - 1 workers */
            } else if (kinds[k] != BGI_FAULT_MPROTECT) {
                cr_assert_gt(n, 2);
            }
        }
    }
}

Test(faults, each_request_is_refused_once)
{
    refuse_each_kind(0);
}

Test(faults, all_requests_are_refused_from_the_nth_on)
{
    refuse_each_kind(1);
}

Test(faults, more_than_a_chunk_of_records)
{
    (void)refuse_each(BGI_FAULT_MMAP, 1, 0, NULL);
    (void)refuse_each(BGI_FAULT_MMAP, 1, 1, NULL);
}

/* ---- bg_runtime_create, and spawns from a plain thread ---- */

static void use_runtime(void)
{
    bg_runtime *rt = (void *)&now;
    int r = bg_runtime_create(&rt, .workers = 2);
    if (r != 0) {
        cr_assert(r == -ENOMEM || r == -EAGAIN);
        cr_assert_eq((void *)rt, (void *)&now);
        return;
    }
    for (int i = 0; i < 5; i++) {
        cr_assert(is_result(bg_runtime_wait(rt, bg_runtime_spawn(rt, return_arg, INT_ARG(i))), i));
        bg_task *t = bg_runtime_spawn(rt, own_name_is, "cook", .name = "cook");
        cr_assert(is_result(bg_runtime_wait(rt, t), 1));
    }
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}

Test(faults, in_a_runtime_of_its_own)
{
    for (size_t k = 0; k < BGI_ARRAY_LEN(kinds); k++) {
        for (int forever = 0; forever < 2; forever++) {
            size_t live = bgi_alloc_live();
            size_t threads = usual_threads();
            int missed = 0;
            for (size_t n = 1; missed < 2; n++) {
                bgi_fault_arm(kinds[k] | (forever ? BGI_FAULT_FOREVER : 0), n);
                use_runtime();
                bgi_fault_disarm();
                missed = bgi_fault_count() < n ? missed + 1 : 0;
                cr_assert_eq(bgi_alloc_live(), live);
            }
            cr_assert(threads_settle(threads));
        }
    }
}

/* ---- mappings ---- */

#if !CHECK_SLOW
Test(faults, no_mapping_leaks)
{
    for (int i = 0; i < 3; i++) {
        (void)refuse_each(BGI_FAULT_MMAP, 2, 0, INT_ARG(60));
    }
    size_t before = count_mappings();
    size_t runs = 0;
    for (int i = 0; i < 5; i++) {
        runs += refuse_each(BGI_FAULT_MMAP, 2, 0, INT_ARG(60));
        runs += refuse_each(BGI_FAULT_ALL, 2, 0, INT_ARG(60));
    }
    cr_assert_gt(runs, 50);
    cr_assert_lt(count_mappings(), before + 20);
}
#endif

/* ---- spare workers ---- */

static bgi_atomic behind;

static int run_behind(void *arg)
{
    (void)arg;
    bgi_store_release(&behind, 1);
    return 0;
}

static int main_stuck(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(run_behind, NULL);
    block_until(&behind, 1); /* blocks the only worker until a spare one has run the other task */
    return bg_await(t);
}

Test(faults, a_spare_worker_that_cannot_be_had_is_asked_for_again)
{
    /* The first request of all is the monitor; the others are spares. */
    for (size_t n = 2; n <= 4; n++) {
        bgi_store(&behind, 0);
        bgi_fault_arm(BGI_FAULT_THREAD, n);
        cr_assert_eq(bg_run(main_stuck, NULL, .workers = 1), 0);
        bgi_fault_disarm();
    }
    /* Without memory for its place, likewise. */
    for (size_t n = 1; n <= 12; n++) {
        bgi_store(&behind, 0);
        bgi_fault_arm(BGI_FAULT_MALLOC, n);
        int r = bg_run(main_stuck, NULL, .workers = 1);
        bgi_fault_disarm();
        cr_assert(r == 0 || r == -ENOMEM);
    }
}

/*
 * Allocation: what each wrapper gives; and of fault injection, that exactly the planned call fails,
 * in any kind of call, once or for good, over several threads too.
 */
#define BGI_FAULTY_NAMES 1
#include "../support/faulty.h"

#include "base/alloc.h"

#include "../support/faults.h"
#include "base/atomic.h"

#include <criterion/criterion.h>
#include <stdint.h>

static void *double_it(void *arg)
{
    *(int *)arg *= 2;
    return arg;
}

Test(alloc, blocks_are_what_was_asked_for)
{
    size_t before = bgi_alloc_live();
    char *zeroed = bgi_calloc(10, 10);
    char *plain = bgi_malloc(100);
    char *aligned = bgi_aligned_alloc(128, 200);
    char *copy = bgi_strdup("fetch");
    cr_assert(zeroed != NULL && plain != NULL && aligned != NULL && copy != NULL);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(zeroed[i], 0);
    }
    memset(plain, 1, 100);
    memset(aligned, 1, 200);
    cr_assert_eq((uintptr_t)aligned % 128, 0);
    cr_assert_str_eq(copy, "fetch");
    cr_assert_null(bgi_strdup(NULL));
    cr_assert_eq(bgi_alloc_live(), before + 4);
    bgi_free(zeroed);
    bgi_free(plain);
    bgi_free(aligned);
    bgi_free(copy);
    bgi_free(NULL);
    cr_assert_eq(bgi_alloc_live(), before);
}

Test(alloc, an_impossible_size_is_refused)
{
    size_t before = bgi_alloc_live();
    volatile size_t half = SIZE_MAX / 2; /* not seen by the compiler, which would warn */
    cr_assert_null(bgi_mmap(half, PROT_READ, 0));
    cr_assert_eq(bgi_alloc_live(), before);
}

Test(alloc, mappings)
{
    size_t size = 1 << 20;
    char *p = bgi_mmap(size, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    cr_assert_not_null(p);
    p[0] = 1;
    p[size - 1] = 1;
    cr_assert_eq(bgi_madvise(p, size, MADV_DONTNEED), 0);
    cr_assert_eq(p[0] + p[size - 1], 0);
    cr_assert_eq(bgi_mprotect(p, size, PROT_READ), 0);
    cr_assert_eq(bgi_munmap(p, size), 0);
    cr_assert_eq(bgi_madvise(p + 1, size, MADV_DONTNEED), -EINVAL);
    cr_assert_eq(bgi_mprotect(p + 1, size, PROT_READ), -EINVAL);
    cr_assert_eq(bgi_munmap(p + 1, size), -EINVAL);
}

Test(alloc, threads)
{
    int value = 21;
    void *result = NULL;
    bgi_thread thread;
    cr_assert_eq(bgi_thread_create(&thread, double_it, &value), 0);
    cr_assert_eq(bgi_thread_join(thread, &result), 0);
    cr_assert_eq(value, 42);
    cr_assert_eq(result, &value);
}

/* How many of ten blocks could not be had, and which was the first. */
static int refusals(int *first)
{
    int refused = 0;
    *first = 0;
    for (int i = 1; i <= 10; i++) {
        void *p = bgi_malloc(8);
        if (p == NULL) {
            refused++;
            *first = *first == 0 ? i : *first;
        }
        bgi_free(p);
    }
    return refused;
}

Test(faults, the_nth_call_fails_once)
{
    for (int n = 1; n <= 10; n++) {
        int first;
        bgi_fault_arm(BGI_FAULT_MALLOC, (size_t)n);
        cr_assert_eq(refusals(&first), 1);
        cr_assert_eq(first, n);
        cr_assert_eq(bgi_fault_count(), 10);
        bgi_fault_disarm();
    }
}

Test(faults, or_from_then_on)
{
    int first;
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_FOREVER, 4);
    cr_assert_eq(refusals(&first), 7);
    cr_assert_eq(first, 4);
    bgi_fault_disarm();
    cr_assert_eq(refusals(&first), 0);
    cr_assert_eq(bgi_fault_count(), 10);
}

Test(faults, with_zero_calls_are_only_counted)
{
    int first;
    bgi_fault_arm(BGI_FAULT_ALL | BGI_FAULT_FOREVER, 0);
    cr_assert_eq(refusals(&first), 0);
    cr_assert_eq(bgi_fault_count(), 10);
    bgi_fault_disarm();
}

Test(faults, kinds_are_apart)
{
    size_t live = bgi_alloc_live();
    int value = 1;
    bgi_thread thread;
    void *p = bgi_mmap(4096, PROT_READ, 0);
    cr_assert_not_null(p);
    bgi_fault_arm(BGI_FAULT_ALL & ~BGI_FAULT_MALLOC, 1);
    void *block = bgi_malloc(8);
    cr_assert_not_null(block);
    bgi_free(block);
    cr_assert_null(bgi_mmap(4096, PROT_READ, 0));
    bgi_fault_arm(BGI_FAULT_MADVISE, 1);
    cr_assert_eq(bgi_mprotect(p, 4096, PROT_READ), 0);
    cr_assert_eq(bgi_madvise(p, 4096, MADV_DONTNEED), -ENOMEM);
    cr_assert_eq(bgi_madvise(p, 4096, MADV_DONTNEED), 0);
    bgi_fault_arm(BGI_FAULT_MPROTECT, 1);
    cr_assert_eq(bgi_mprotect(p, 4096, PROT_READ), -ENOMEM);
    cr_assert_eq(bgi_mprotect(p, 4096, PROT_READ), 0);
    bgi_fault_arm(BGI_FAULT_THREAD, 1);
    cr_assert_eq(bgi_thread_create(&thread, double_it, &value), -EAGAIN);
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_FOREVER, 1);
    cr_assert_null(bgi_malloc(1));
    cr_assert_null(bgi_calloc(1, 1));
    cr_assert_null(bgi_aligned_alloc(64, 1));
    cr_assert_null(bgi_strdup("x"));
    bgi_fault_disarm();
    cr_assert_eq(value, 1);
    cr_assert_eq(bgi_alloc_live(), live);
    cr_assert_eq(bgi_munmap(p, 4096), 0);
}

enum { RACERS = 4, DRAWS = 1000 };

static void *draw(void *arg)
{
    size_t *refused = arg;
    for (int i = 0; i < DRAWS; i++) {
        void *p = bgi_malloc(8);
        *refused += p == NULL;
        bgi_free(p);
    }
    return NULL;
}

Test(faults, one_call_fails_over_all_threads)
{
    size_t live = bgi_alloc_live();
    bgi_thread threads[RACERS];
    size_t refused[RACERS] = {0};
    bgi_fault_arm(BGI_FAULT_MALLOC, RACERS * DRAWS / 2);
    for (int i = 0; i < RACERS; i++) {
        cr_assert_eq(bgi_thread_create(&threads[i], draw, &refused[i]), 0);
    }
    size_t sum = 0;
    for (int i = 0; i < RACERS; i++) {
        cr_assert_eq(bgi_thread_join(threads[i], NULL), 0);
        sum += refused[i];
    }
    cr_assert_eq(sum, 1);
    cr_assert_eq(bgi_fault_count(), RACERS * DRAWS);
    cr_assert_eq(bgi_alloc_live(), live);
    bgi_fault_disarm();
}

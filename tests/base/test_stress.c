/*
 * The stress points: a counter kept by atomic operations from several threads stays exact with
 * them at every rate, and the builds without them have none.
 */
#include "base/stress.h"

#include "base/alloc.h"
#include "base/atomic.h"

#include <criterion/criterion.h>

enum { THREADS = 4, STEPS = 2000 };

static bgi_atomic counter;

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < STEPS; i++) {
        bgi_word seen;
        do {
            seen = bgi_load(&counter);
        } while (!bgi_cas(&counter, seen, seen + 1));
    }
    return NULL;
}

Test(stress, operations_stay_exact_at_any_rate)
{
    static const unsigned rates[] = {0, 1, 2, 64, 1000};
    for (size_t r = 0; r < BGI_ARRAY_LEN(rates); r++) {
        bgi_thread threads[THREADS];
        bgi_stress_set(rates[r]);
        bgi_store(&counter, 0);
        for (int i = 0; i < THREADS; i++) {
            cr_assert_eq(bgi_thread_create(&threads[i], count_up, NULL), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            cr_assert_eq(bgi_thread_join(threads[i], NULL), 0);
        }
        cr_assert_eq(bgi_load(&counter), THREADS * STEPS, "rate %u", rates[r]);
    }
}

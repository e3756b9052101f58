/*
 * The driver's sorts. Numbers and strings are the same in each run. Afterwards they have to be in
 * order, and to add up to what they did before, as they are and squared.
 */
#include "driver.h"

int fj_by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int fj_by_number_with(const void *a, const void *b, void *ctx)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    (void)ctx;
    return (x > y) - (x < y);
}

int fj_by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int fj_by_text_with(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t fj_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

typedef struct {
    uint64_t sum, squares;
} fj_digest;

static void fj_digest_add(fj_digest *d, uint64_t x)
{
    d->sum += x;
    d->squares += x * x;
}

static int fj_sorted(const fj_job *job, const fj_digest *before, const fj_digest *after,
                     int ordered)
{
    if (!ordered)
        return bm_fail("the result is not in order");
    if (before->sum != after->sum || before->squares != after->squares)
        return bm_fail("the result has other elements");
    return fj_all_ms(job);
}

int fj_run_sort(fj_job *job)
{
    size_t n = fj_items(job, 10000000, FJ_MOST_ITEMS), warm = n / 16 + 1;
    if (!n)
        return BM_FAILED;
    uint64_t *v = bm_touched(n, sizeof *v), state = 1;
    fj_digest before = {0}, after = {0};
    for (size_t i = 0; i < warm; i++)
        v[i] = fj_random(&state);
    job->program->sort(v, warm);
    for (size_t i = 0; i < n; i++) {
        v[i] = fj_random(&state);
        fj_digest_add(&before, v[i]);
    }
    fj_start(job);
    job->program->sort(v, n);
    fj_stop(job);
    int ordered = 1;
    for (size_t i = 0; i < n; i++) {
        ordered &= i == 0 || v[i - 1] <= v[i];
        fj_digest_add(&after, v[i]);
    }
    free(v);
    return fj_sorted(job, &before, &after, ordered);
}

enum { FJ_SHORTEST = 4, FJ_LENGTHS = 32, FJ_MOST_TEXT = FJ_SHORTEST + FJ_LENGTHS };

int fj_run_sort_strings(fj_job *job)
{
    size_t n = fj_items(job, 2000000, FJ_MOST_ITEMS);
    if (!n)
        return BM_FAILED;
    char **v = bm_touched(n, sizeof *v), *text = bm_touched(n, FJ_MOST_TEXT), *at = text;
    uint64_t state = 1;
    fj_digest before = {0}, after = {0};
    for (size_t i = 0; i < n; i++) {
        size_t length = FJ_SHORTEST + fj_random(&state) % FJ_LENGTHS;
        v[i] = at;
        for (size_t k = 0; k < length; k++)
            *at++ = (char)('a' + fj_random(&state) % 26);
        *at++ = 0;
        fj_digest_add(&before, (uintptr_t)v[i]);
    }
    size_t warm = n / 16 + 1;
    char **some = bm_touched(warm, sizeof *some);
    memcpy(some, v, warm * sizeof *some);
    job->program->sort_strings(some, warm);
    free(some);
    fj_start(job);
    job->program->sort_strings(v, n);
    fj_stop(job);
    int ordered = 1;
    for (size_t i = 0; i < n; i++) {
        ordered &= i == 0 || strcmp(v[i - 1], v[i]) <= 0;
        fj_digest_add(&after, (uintptr_t)v[i]);
    }
    free(v);
    free(text);
    return fj_sorted(job, &before, &after, ordered);
}

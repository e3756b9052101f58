/*
 * Sorting in parallel.
 *
 *     static int by_age(const void *a, const void *b, void *ctx);
 *     bg_parallel_sort(people, n, sizeof *people, by_age, NULL);
 *
 * In a task the work is forked (brigade/fork.h), so that workers with nothing to do take part. In a
 * callback and on a plain thread it is done there, sequentially.
 */
#ifndef BRIGADE_SORT_H
#define BRIGADE_SORT_H

#include <brigade/detail/options.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/* Negative when a comes before b, positive when it comes after, 0 when they are equal. */
typedef int (*bg_compare)(const void *a, const void *b, void *ctx);

typedef struct bg_sort_options {
    size_t size;  /* filled in by the macros: sizeof(bg_sort_options) */
    size_t grain; /* elements: so few are sorted without a fork; 0: what fits the first cache */
} bg_sort_options;

/*
 * int bg_parallel_sort(void *base, size_t n, size_t size, bg_compare cmp, void *ctx, ...options):
 * sorts n elements of `size` bytes each, in ascending order. What is equal ends up in any order.
 *
 * cmp(a, b, ctx) is called by several workers at once, with elements of the array or copies of them
 * elsewhere, aligned likewise; it may wait as a task may. When it is not an order (inconsistent,
 * say) the elements end up in some order. While the sort goes on, nobody else may touch the array.
 * Takes as much memory again as the array; if that cannot be had, it is slower.
 *
 * Anywhere. In a task it suspends when others take part; where it does not, it computes for as long
 * as it takes. When the caller is cancelled, or a deadline around it passes, it ends early with
 * -ECANCELED or -ETIMEDOUT: the array then has the elements that it had, in some order. Likewise at
 * the end of a runtime, even in a bg_shield when others take part. -EINVAL: a NULL cmp, a NULL base
 * or size 0 with n > 0, more bytes than a process can have, or options that are not valid. Returns
 * 0 otherwise.
 */
#define bg_parallel_sort(...) BG_DETAIL_CALL5(bg_parallel_sort_opts, bg_sort_options, __VA_ARGS__)
BG_API int bg_parallel_sort_opts(void *base, size_t n, size_t size, bg_compare cmp, void *ctx,
                                 const bg_sort_options *options);

/*
 * Likewise, and what is equal keeps its order: the result is the same on any number of workers.
 * -ENOMEM when there is no memory for as much again as the array, which is then untouched.
 */
#define bg_parallel_stable_sort(...)                                                               \
    BG_DETAIL_CALL5(bg_parallel_stable_sort_opts, bg_sort_options, __VA_ARGS__)
BG_API int bg_parallel_stable_sort_opts(void *base, size_t n, size_t size, bg_compare cmp,
                                        void *ctx, const bg_sort_options *options);

BG_END_DECLS

#endif

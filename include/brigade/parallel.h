/*
 * Loops and other algorithms over ranges of numbers, on all cores.
 *
 *     static void scale(size_t begin, size_t end, void *ctx)
 *     {
 *         float *x = ctx;
 *         for (size_t i = begin; i < end; i++) {
 *             x[i] *= 2;
 *         }
 *     }
 *     bg_parallel_for(0, n, scale, x);
 *
 * A body is given parts of the range, begin <= i < end, never an empty one. Which parts there are,
 * and which workers get them, depends on who has nothing else to do: as long as nobody has, and the
 * bodies do not wait, the caller goes through the range alone, in order, on its own stack, at
 * hardly any cost. So they can be nested, called by many tasks at once, and used where there may be
 * little to do. A part must not wait for another one of the same loop to begin.
 *
 * All of these functions can be called anywhere. In a task, workers with nothing to do take part,
 * and the call suspends while it waits for them; a body may then wait as a task may, on whatever
 * task it runs. In a callback and on a plain thread all is done there, in order, as it is on a
 * runtime with one worker. To use the cores from a plain thread, spawn a task (bg_runtime_spawn).
 *
 * When the caller is cancelled, or a deadline around it passes, they end early, once the bodies
 * that have begun have returned, with -ECANCELED or -ETIMEDOUT. The same happens in a bg_shield
 * when the runtime ends and others take part. For sorting see brigade/sort.h.
 */
#ifndef BRIGADE_PARALLEL_H
#define BRIGADE_PARALLEL_H

#include <brigade/detail/options.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_parallel_options {
    size_t size;  /* filled in by the macros: sizeof(bg_parallel_options) */
    size_t grain; /* items of a part; 0: automatic */
} bg_parallel_options;

/* ---- loops ---- */

typedef void (*bg_range_fn)(size_t begin, size_t end, void *ctx);
typedef int (*bg_try_range_fn)(size_t begin, size_t end, void *ctx);

/*
 * int bg_parallel_for(size_t begin, size_t end, bg_range_fn body, void *ctx, ...options): calls
 * body(b, e, ctx) for parts that cover begin <= i < end, each i once.
 *
 * .grain = n: parts have n items (the last one fewer). Automatic: parts grow until they take some
 * microseconds. The range is halved down to them; workers with nothing to do get the largest half
 * that is left. When a part waits, the rest of the range can go on beside it.
 *
 * 0; -ECANCELED or -ETIMEDOUT: some parts were left out; -EINVAL: a NULL body, end < begin, or
 * options that are not valid. Needs no memory, so it cannot fail of that: with less of it, fewer
 * workers take part.
 *
 * Source: the halving of ranges is that of Cilk's loops (Frigo, Leiserson and Randall, 1998).
 */
#define bg_parallel_for(...) BG_DETAIL_CALL4(bg_parallel_for_opts, bg_parallel_options, __VA_ARGS__)
BG_API int bg_parallel_for_opts(size_t begin, size_t end, bg_range_fn body, void *ctx,
                                const bg_parallel_options *options);

/*
 * int bg_parallel_try_for(size_t begin, size_t end, bg_try_range_fn body, void *ctx, ...options):
 * likewise, with a body that can fail: when it returns something negative no further parts are
 * begun, and the loop returns it (the first of them, in time).
 */
#define bg_parallel_try_for(...)                                                                   \
    BG_DETAIL_CALL4(bg_parallel_try_for_opts, bg_parallel_options, __VA_ARGS__)
BG_API int bg_parallel_try_for_opts(size_t begin, size_t end, bg_try_range_fn body, void *ctx,
                                    const bg_parallel_options *options);

typedef struct bg_range_2d {
    size_t row_begin, row_end;
    size_t column_begin, column_end;
} bg_range_2d;

typedef struct bg_parallel_2d_options {
    size_t size;          /* filled in by the macros: sizeof(bg_parallel_2d_options) */
    size_t rows, columns; /* of a tile; 0: automatic */
} bg_parallel_2d_options;

typedef void (*bg_range_2d_fn)(const bg_range_2d *tile, void *ctx);

/*
 * int bg_parallel_for_2d(const bg_range_2d *range, bg_range_2d_fn body, void *ctx, ...options):
 * calls body(tile, ctx) for tiles that cover the range, each pair of a row and a column once.
 *
 * .rows, .columns: of a tile (those at the edges have fewer). Automatic: 16 rows and 256 columns.
 * Tiles come row by row; others get halves of what is left of those. Errors as of bg_parallel_for;
 * -EINVAL also when there are more tiles than a size_t can count.
 */
#define bg_parallel_for_2d(...)                                                                    \
    BG_DETAIL_CALL3(bg_parallel_for_2d_opts, bg_parallel_2d_options, __VA_ARGS__)
BG_API int bg_parallel_for_2d_opts(const bg_range_2d *range, bg_range_2d_fn body, void *ctx,
                                   const bg_parallel_2d_options *options);

/* ---- reduce and scan ---- */

typedef void (*bg_reduce_fn)(size_t begin, size_t end, void *acc, void *ctx);
typedef void (*bg_combine_fn)(void *into, const void *from, void *ctx);

/*
 * int bg_parallel_reduce(size_t begin, size_t end, void *result, size_t size, bg_reduce_fn body,
 * bg_combine_fn combine, void *ctx, ...options): reduces a range to one value of `size` bytes.
 *
 * *result is the identity at first. body(b, e, acc, ctx) adds the items of a part to *acc, which
 * starts as a copy of the identity; combine(into, from, ctx) adds what comes next in the range to
 * what comes before it. Copies are made bytewise, aligned as malloc aligns. combine has to be
 * associative; it need not be commutative. The parts, and which are combined with which, depend on
 * the range and the grain alone: a sum of floating point numbers is the same on any number of
 * workers.
 *
 * .grain = n: parts have n items (the last one fewer). Automatic: single items when there are few,
 * at most 512 parts when there are many.
 *
 * 0, and *result is the value; otherwise *result is as it was: -ECANCELED or -ETIMEDOUT; -ENOMEM
 * (of values of over 128 bytes only); -EINVAL: a NULL pointer, size 0, end < begin, or options that
 * are not valid.
 */
#define bg_parallel_reduce(...)                                                                    \
    BG_DETAIL_CALL7(bg_parallel_reduce_opts, bg_parallel_options, __VA_ARGS__)
BG_API int bg_parallel_reduce_opts(size_t begin, size_t end, void *result, size_t size,
                                   bg_reduce_fn body, bg_combine_fn combine, void *ctx,
                                   const bg_parallel_options *options);

typedef void (*bg_scan_fn)(size_t begin, size_t end, void *acc, int final, void *ctx);

/*
 * int bg_parallel_scan(size_t begin, size_t end, void *result, size_t size, bg_scan_fn body,
 * bg_combine_fn combine, void *ctx, ...options): for each item, what the items before it come to.
 *
 * As bg_parallel_reduce, but a part may be gone through twice. With final = 0 body(b, e, acc, 0,
 * ctx) only adds the items to *acc; with final = 1, which happens once to each, *acc is what all
 * items before b come to, and the body also stores its results: before an item is added for an
 * exclusive scan, after that for an inclusive one.
 *     for (size_t i = begin; i < end; i++) {
 *         sum += x[i];
 *         if (final) {
 *             prefix[i] = sum;
 *         }
 *     }
 * *result is the identity at first, and what all items come to at the end. Where nobody else takes
 * part each item is gone through once; so rounding may depend on the number of workers.
 *
 * Returns as bg_parallel_reduce. -ENOMEM cannot happen: without memory it goes through the range
 * alone. When it ends early, some results are stored and others are not, and *result is not valid.
 *
 * Source: Blelloch, "Prefix sums and their applications" (1990), in blocks.
 */
#define bg_parallel_scan(...)                                                                      \
    BG_DETAIL_CALL7(bg_parallel_scan_opts, bg_parallel_options, __VA_ARGS__)
BG_API int bg_parallel_scan_opts(size_t begin, size_t end, void *result, size_t size,
                                 bg_scan_fn body, bg_combine_fn combine, void *ctx,
                                 const bg_parallel_options *options);

/* ---- calls ---- */

/* A call of bg_invoke. */
typedef struct bg_call {
    bg_fn fn;
    void *arg;
} bg_call;

static inline bg_call bg_detail_call(bg_fn fn, void *arg)
{
    bg_call c;
    c.fn = fn;
    c.arg = arg;
    return c;
}

#define BG_CALL(fn, arg) bg_detail_call((fn), (arg))

/*
 * int bg_invoke(BG_CALL(a, &x), BG_CALL(b, &y), ...): calls all of them, side by side as far as
 * there are workers for it, and returns when all have returned. When one returns something
 * negative, those that have not begun are left out, and that (the first, in time) is returned;
 * else 0. -ECANCELED or -ETIMEDOUT when it is ended early; -EINVAL: a NULL function.
 */
BG_API int bg_invoke_all(const bg_call calls[], size_t n);

BG_END_DECLS

#ifdef __cplusplus
template <class... Calls> inline int bg_invoke(Calls... calls)
{
    const bg_call all[] = {calls...};
    return bg_invoke_all(all, sizeof...(calls));
}
#else
#define bg_invoke(...)                                                                             \
    bg_invoke_all((const bg_call[]){__VA_ARGS__},                                                  \
                  sizeof((const bg_call[]){__VA_ARGS__}) / sizeof(bg_call))
#endif

#endif

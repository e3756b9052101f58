/*
 * Sorting: a merge sort whose halves are forked, and whose merges are.
 *
 * Each half of a range is sorted into the area where the range itself is not wanted, array or
 * buffer, and is merged from there: an element moves once for each level. A merge is divided where
 * its output is halved: a binary search says how much of that comes from either side (the "merge
 * path"). So the pieces are of equal size whatever the data, and the depth is logarithmic. Where
 * ranges are divided depends on n and the grain alone, not on who takes part.
 *
 * Invariants
 *   S1  What is given an area to fill fills it with a permutation of its elements, however the
 *       comparison answers and whenever the sort is stopped: a leaf or merge that finds it stopped
 *       copies instead. So the array, which is filled last, has the elements that it had.
 *   S2  At any time each place of either area is written by one piece only, and read by those it
 *       was forked by or who forked it: fork and join order them.
 *   S3  Recursion goes by halves or quarters, with a frame of some hundred bytes: a few thousand in
 *       all.
 *
 * Pointers, when there are many, are sorted by quarters, which are merged at once (merge_four.c);
 * all of the above holds for these likewise.
 *
 * Large elements: pointers to them are sorted, and the elements are put in order at the end. When
 * the sort is stopped, they have not moved at all. (Elements of 64 bytes: 0.9 of the time of moving
 * them about, of 200: 0.7.)
 *
 * An array that is one run, up or strictly down, is found to be one before all else, and the two
 * sides of a merge may be in order already: input that is sorted, or nearly so, costs little more
 * than a look at each element and some copies.
 *
 * Dropped: a quicksort for what need not be stable. Its partitions, done without branches, need a
 * buffer of indexes and no fewer comparisons, and its first ones are hard to divide. With branches
 * it takes longer though its comparisons be inlined: random 64-bit numbers take libstdc++'s twice
 * the time that this takes with calls.
 *
 * Sources: the parallel merge: Akl and Santoro (1987), Cormen et al., "Introduction to Algorithms"
 * (the chapter on multithreaded algorithms); its division by output: Deo and Sarkar (1991), Green,
 * Odeh and Birk, "Merge path" (2014).
 */
#include "parallel/sort.h"
#include "parallel/stop.h"

#include "base/alloc.h"
#include "base/atomic.h"

#include <brigade/fork.h>
#include <brigade/scope.h>
#include <brigade/sort.h>

#include <stdint.h>

enum {
    LEAF_LEAST = 64,          /* elements */
    MERGE_LEAVES = 8,         /* in a piece of a merge */
    MERGE_BYTES = 128 * 1024, /* in a piece, at least: each begins with misses */
    LARGE = 32,               /* bytes: larger elements are sorted by pointers */
    SMALL_BYTES = 512         /* so few need no memory */
};

#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM (2 * HUGE_PAGE)

struct sort {
    struct bgi_order order;
    const struct bgi_merger *merger;
    size_t leaf, piece; /* elements at most: of a leaf, of a piece of a merge */
    size_t four_from;   /* elements: as of the merger, also the piece of such a merge */
    struct bgi_stop stop;
};

struct range {
    struct sort *sort;
    char *array, *other; /* array: where the elements are */
    size_t n;
    int into_other; /* where they are wanted */
};

struct merge {
    struct sort *sort;
    const char *l, *r;
    size_t nl, nr;
    char *out;
};

static int stopped(void *arg)
{
    struct sort *s = arg;
    return bgi_stopped(&s->stop);
}

static void copy_merge(const struct merge *m)
{
    size_t size = m->sort->order.size;
    memcpy(m->out, m->l, m->nl * size);
    memcpy(m->out + m->nl * size, m->r, m->nr * size);
}

static int merge(void *arg)
{
    struct merge *m = arg;
    struct sort *s = m->sort;
    size_t size = s->order.size;
    size_t n = m->nl + m->nr;
    if (stopped(s)) {
        copy_merge(m);
        return 0;
    }
    if (n <= s->piece) {
        s->merger->merge(&s->order, m->l, m->nl, m->r, m->nr, m->out);
        return 0;
    }
    bg_fork_frame f;
    size_t i = bgi_merge_path(&s->order, m->l, m->nl, m->r, m->nr, n / 2), j = n / 2 - i;
    struct merge first = {s, m->l, m->r, i, j, m->out};
    struct merge second = {s,         m->l + i * size, m->r + j * size,
                           m->nl - i, m->nr - j,       m->out + n / 2 * size};
    bg_fork(&f, merge, &second);
    (void)merge(&first);
    (void)bg_join(&f);
    return 0;
}

struct merge_four {
    struct sort *sort;
    struct bgi_four four;
};

static int merge_four(void *arg)
{
    struct merge_four *m = arg;
    struct sort *s = m->sort;
    const size_t *each = m->four.n;
    size_t n = each[0] + each[1] + each[2] + each[3];
    if (n <= s->four_from) {
        bgi_merge_four(&s->order, s->merger, &m->four, stopped, s);
        return 0;
    }
    bg_fork_frame f;
    struct merge_four first = {s, {{0}, {0}, NULL}}, second = first;
    bgi_four_divide(&s->order, &m->four, n / 2, &first.four, &second.four);
    bg_fork(&f, merge_four, &second);
    (void)merge_four(&first);
    (void)bg_join(&f);
    return 0;
}

static int sort_range(void *arg);

static int sort_quarters(struct range *t)
{
    struct sort *s = t->sort;
    size_t size = s->order.size;
    char *from = t->into_other ? t->array : t->other;
    bg_fork_frame f[3];
    struct range quarter[4];
    struct merge_four m = {s, {{0}, {0}, t->into_other ? t->other : t->array}};
    size_t leaves = (t->n - 1) / s->leaf + 1, begin = 0;
    for (size_t i = 0; i < 4; i++) {
        size_t end = i == 3 ? t->n : leaves * (i + 1) / 4 * s->leaf;
        quarter[i] = (struct range){s, t->array + begin * size, t->other + begin * size,
                                    end - begin, !t->into_other};
        m.four.at[i] = from + begin * size;
        m.four.n[i] = end - begin;
        begin = end;
    }
    for (size_t i = 3; i > 0; i--) {
        bg_fork(&f[i - 1], sort_range, &quarter[i]);
    }
    (void)sort_range(&quarter[0]);
    for (size_t i = 0; i < 3; i++) {
        (void)bg_join(&f[i]);
    }
    return merge_four(&m);
}

static int sort_range(void *arg)
{
    struct range *t = arg;
    struct sort *s = t->sort;
    size_t size = s->order.size;
    if (stopped(s)) {
        if (t->into_other) {
            memcpy(t->other, t->array, t->n * size);
        }
        return 0;
    }
    if (t->n <= s->leaf) {
        s->merger->leaf(&s->order, t->array, t->other, t->n, t->into_other);
        return 0;
    }
    if (t->n > s->four_from) {
        return sort_quarters(t);
    }
    bg_fork_frame f;
    size_t h = (t->n - 1) / s->leaf; /* at least 1 leaf that is full */
    h = (h + 1) / 2 * s->leaf;
    struct range left = {s, t->array, t->other, h, !t->into_other};
    struct range right = {s, t->array + h * size, t->other + h * size, t->n - h, !t->into_other};
    bg_fork(&f, sort_range, &right);
    (void)sort_range(&left);
    (void)bg_join(&f);
    char *from = t->into_other ? t->array : t->other;
    char *out = t->into_other ? t->other : t->array;
    struct merge m = {s, from, from + h * size, h, t->n - h, out};
    return merge(&m);
}

/* ---- one run ---- */

/* Whether the array is sorted now because it was one run, up or strictly down. Returns early when
 * the sort is stopped. */
static int was_run(struct sort *s, char *base, size_t n)
{
    const struct bgi_order *o = &s->order;
    int down = o->cmp(base, base + o->size, o->ctx) > 0;
    const char *at = base + o->size;
    for (size_t i = 2; i < n; i++, at += o->size) {
        if ((o->cmp(at, at + o->size, o->ctx) > 0) != down || (i % s->leaf == 0 && stopped(s))) {
            return 0;
        }
    }
    if (down) {
        char *back = base + n * o->size;
        for (size_t i = 0; i < n / 2; i++) {
            back -= o->size;
            bgi_sort_swap(base + i * o->size, back, o->size);
        }
    }
    return 1;
}

/* ---- the buffer ---- */

struct buffer {
    char *at;
    void *block;   /* to be freed, if not NULL */
    size_t mapped; /* bytes to be unmapped at the block; 0: it goes to bgi_free */
};

/* For elements of that size, aligned as those of an array of them are at least. */
static int buffer_get(struct buffer *b, size_t bytes, size_t size)
{
    if (bytes >= HUGE_FROM) {
        /* Huge pages, where they are to be had: fewer faults, and fewer walks of the page table. */
        b->mapped = bytes + HUGE_PAGE;
        b->block = bgi_mmap(b->mapped, PROT_READ | PROT_WRITE, 0);
        if (b->block == NULL) {
            return -ENOMEM;
        }
        b->at = (char *)b->block + (-(uintptr_t)b->block & (HUGE_PAGE - 1));
        (void)bgi_madvise(b->at, bytes, MADV_HUGEPAGE);
        return 0;
    }
    size_t alignment = size & (0 - size);
    alignment = alignment < 64 ? 64 : alignment > 4096 ? 4096 : alignment;
    b->mapped = 0;
    b->block = bgi_aligned_alloc(alignment, bytes);
    b->at = b->block;
    return b->block == NULL ? -ENOMEM : 0;
}

static void buffer_put(struct buffer *b)
{
    if (b->mapped != 0) {
        (void)bgi_munmap(b->block, b->mapped);
    } else {
        bgi_free(b->block);
    }
}

static size_t leaf_for(const struct bgi_merger *m, size_t size, size_t grain)
{
    size_t most = grain, n = LEAF_LEAST / 2;
    if (grain == 0) {
        most = m->leaf_bytes / size; /* elements are not LARGE */
    }
    /* Merges of leaves are of equal lengths: a power of two. */
    while (n <= most / 2) {
        n *= 2;
    }
    return n;
}

static void prepare(struct sort *s, bg_compare cmp, void *ctx, const void *base, size_t n,
                    size_t size, size_t grain)
{
    s->order = (struct bgi_order){cmp, ctx, size};
    s->merger = bgi_merger_for(base, n, size);
    s->leaf = leaf_for(s->merger, size, grain);
    s->piece = s->leaf > SIZE_MAX / MERGE_LEAVES ? SIZE_MAX : s->leaf * MERGE_LEAVES;
    if (grain == 0 && s->piece < MERGE_BYTES / size) {
        s->piece = MERGE_BYTES / size;
    }
    s->four_from = s->merger->four_from;
    if (grain != 0 && s->four_from != SIZE_MAX) {
        s->four_from = s->piece;
    }
    s->stop = (struct bgi_stop){0};
}

/* ---- with a buffer ---- */

static int sort_directly(struct sort *s, char *base, size_t n)
{
    struct buffer b;
    int r = buffer_get(&b, n * s->order.size, s->order.size);
    if (r == 0) {
        struct range all = {s, base, b.at, n, 0};
        (void)sort_range(&all);
        buffer_put(&b);
    }
    return r;
}

/* Elements that are large: pointers to them are sorted, then each element is moved twice. */
struct gather {
    const struct sort *sort;
    char *const *from;
    char *array, *other;
    size_t n;
    int back; /* 0: from -> other; 1: other -> array */
};

static int compare_pointed(const void *a, const void *b, void *ctx)
{
    const struct bgi_order *o = ctx;
    return o->cmp(*(char *const *)a, *(char *const *)b, o->ctx);
}

static int gather(void *arg)
{
    const struct gather *g = arg;
    size_t size = ((const struct bgi_order *)g->sort->order.ctx)->size;
    if (g->n <= g->sort->piece) {
        if (g->back) {
            memcpy(g->array, g->other, g->n * size);
            return 0;
        }
        for (size_t i = 0; i < g->n; i++) {
            memcpy(g->other + i * size, g->from[i], size);
        }
        return 0;
    }
    bg_fork_frame f;
    size_t h = g->n / 2;
    struct gather left = *g, right = *g;
    left.n = h;
    right = (struct gather){g->sort,  g->from + h, g->array + h * size, g->other + h * size,
                            g->n - h, g->back};
    bg_fork(&f, gather, &right);
    (void)gather(&left);
    (void)bg_join(&f);
    return 0;
}

static int sort_by_pointers(struct sort *s, char *base, size_t n, size_t grain)
{
    size_t size = s->order.size;
    struct buffer pointers, elements;
    int r = buffer_get(&elements, n * size, size);
    if (r != 0) {
        return r;
    }
    r = buffer_get(&pointers, 2 * n * sizeof(char *), sizeof(char *));
    if (r == 0) {
        char **at = (char **)(void *)pointers.at;
        struct sort p;
        for (size_t i = 0; i < n; i++) {
            at[i] = base + i * size;
        }
        prepare(&p, compare_pointed, &s->order, at, n, sizeof(char *), grain);
        struct range all = {&p, pointers.at, pointers.at + n * sizeof(char *), n, 0};
        (void)sort_range(&all);
        bgi_stop_with(&s->stop, bgi_stop_error(&p.stop));
        if (bgi_stop_error(&p.stop) == 0) {
            struct gather g = {&p, at, base, elements.at, n, 0};
            (void)gather(&g);
            g.back = 1;
            (void)gather(&g);
        }
        buffer_put(&pointers);
    }
    buffer_put(&elements);
    return r;
}

/* Few elements, with no memory but the stack. */
static BGI_NOINLINE void sort_small(struct sort *s, char *base, size_t n)
{
    BGI_ALIGNED(64) char other[SMALL_BYTES];
    s->merger->leaf(&s->order, base, other, n, 0);
}

/* ---- */

static int sort(void *base, size_t n, size_t size, bg_compare cmp, void *ctx,
                const bg_sort_options *options, int stable)
{
    size_t bytes;
    if (options == NULL || options->size != sizeof *options || cmp == NULL ||
        (n != 0 && (base == NULL || size == 0)) || __builtin_mul_overflow(n, size, &bytes) ||
        bytes > PTRDIFF_MAX - HUGE_PAGE) {
        return -EINVAL;
    }
    if (n < 2) {
        return 0;
    }
    struct sort s;
    prepare(&s, cmp, ctx, base, n, size, options->grain);
    if (stopped(&s)) {
        return bgi_stop_result(&s.stop);
    }
    if (bytes <= SMALL_BYTES && n <= s.leaf && (size & 63) != 0) {
        sort_small(&s, base, n);
        return 0;
    }
    if (!was_run(&s, base, n) && bgi_stop_error(&s.stop) == 0) {
        int r = size > LARGE ? sort_by_pointers(&s, base, n, options->grain)
                             : sort_directly(&s, base, n);
        if (r != 0 && stable) {
            return r;
        }
        if (r != 0) {
            bgi_sort_in_place(&s.order, base, n, stopped, &s);
        }
    }
    return bgi_stop_result(&s.stop);
}

int bg_parallel_sort_opts(void *base, size_t n, size_t size, bg_compare cmp, void *ctx,
                          const bg_sort_options *options)
{
    return sort(base, n, size, cmp, ctx, options, 0);
}

int bg_parallel_stable_sort_opts(void *base, size_t n, size_t size, bg_compare cmp, void *ctx,
                                 const bg_sort_options *options)
{
    return sort(base, n, size, cmp, ctx, options, 1);
}

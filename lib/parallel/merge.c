/*
 * The sequential parts of the merge sort: leaves, which fit the first cache, and merges.
 *
 * A comparison costs a call and, when its outcome is random and is branched on, half a
 * misprediction, which is several times as much. So no outcome is branched on: it selects one of
 * two addresses, and advances one of two. What is left is a chain of a load, a comparison and an
 * addition for each element. Merging from both ends at once makes that two chains which do not
 * depend on each other, two merges at once make four, and the processor runs them side by side. A
 * merge that is alone is made two, divided where its output is halved.
 *
 * A merge from both ends needs no check for an end that is reached: of two sequences of equal
 * length w each end may take w elements without leaving them (the leaves), and of any two, each end
 * may take half the length of the shorter (all other merges, several rounds). In the second case
 * the ends cannot meet, so what comes out is a permutation, whatever the comparison says. In the
 * first they meet exactly when the comparison is an order; if they do not, the merge is done again
 * in the second way: its sources are untouched.
 *
 * The code is written once, and inlined with the size as a constant for common ones, so that a move
 * is a load and a store.
 *
 * Arrays of pointers: comparing follows them, and that is where the time goes once what they point
 * to exceeds the cache. So what lies behind the elements to come is prefetched. A prefetch of
 * something that was no pointer after all does nothing.
 *
 * Sources: branch-free sorting of four and merging from both ends, as in quadsort (van den Hoven,
 * 2020) and driftsort (Peters and Bergdoll, 2024); branch mispredictions: Edelkamp and Weiss,
 * "BlockQuicksort" (2016); binary insertion of a short sequence into a long one: Hwang and Lin
 * (1972), simplified.
 */
#include "parallel/sort.h"

#include "base/compiler.h"

#include <stdint.h>
#include <string.h>

enum {
    LEAF_BYTES = 16 * 1024,    /* with the buffer, two thirds of a common first cache */
    POINTERS_BYTES = 4 * 1024, /* so that what they point to fits it */
    FOUR_FROM = 64 * 1024,     /* elements: what they point to exceeds the second cache */
    BLOCK = 4,                 /* elements sorted without a merge */
    LOOK_FROM = 32,    /* sequences of that length are first looked at: they may be in order */
    DIVIDE_FROM = 256, /* elements: a merge of so many is made two */
    WORDS_MOST = 64,   /* bytes: moved without a call, if they are words */
    ROUND_LEAST = 8,   /* elements from each end: fewer are not worth a round */
    AHEAD = 4          /* elements: how far ahead pointers are followed; at most ROUND_LEAST */
};

/* Elements: their size, and whether they are pointers; constants where this is inlined. */
struct kind {
    size_t size;
    int pointers;
};

BGI_INLINE int compare(const struct bgi_order *o, const char *a, const char *b)
{
    return o->cmp(a, b, o->ctx);
}

/* b if take_b is 1, a if it is 0; not a branch. */
BGI_INLINE const char *pick(size_t take_b, const char *a, const char *b)
{
    uintptr_t x = (uintptr_t)a;
    return (const char *)(x ^ ((x ^ (uintptr_t)b) & (0 - take_b)));
}

BGI_INLINE void move(struct kind k, char *to, const char *from)
{
    if (__builtin_constant_p(k.size) || k.size % 8 != 0 || k.size > WORDS_MOST) {
        memcpy(to, from, k.size);
        return;
    }
    for (size_t i = 0; i < k.size; i += 8) {
        memcpy(to + i, from + i, 8);
    }
}

BGI_INLINE void copy(struct kind k, char *to, const char *from, size_t n)
{
    if (n != 0) {
        memcpy(to, from, n * k.size);
    }
}

BGI_INLINE void follow(const char *element)
{
    const void *to;
    memcpy(&to, element, sizeof to);
    __builtin_prefetch(to);
}

size_t bgi_merge_path(const struct bgi_order *o, const char *l, size_t nl, const char *r, size_t nr,
                      size_t k)
{
    size_t least = k > nr ? k - nr : 0;
    size_t most = k < nl ? k : nl;
    while (least < most) {
        size_t i = least + (most - least) / 2;
        if (compare(o, l + i * o->size, r + (k - 1 - i) * o->size) <= 0) {
            least = i + 1;
        } else {
            most = i;
        }
    }
    return least;
}

/* How many elements of the sorted sequence come before x: those that are less, or also those that
 * are equal. */
BGI_INLINE size_t before(const struct bgi_order *o, struct kind k, const char *sequence, size_t n,
                         const char *x, int equal_too)
{
    size_t least = 0;
    while (least < n) {
        size_t mid = least + (n - least) / 2;
        if (compare(o, sequence + mid * k.size, x) < equal_too) {
            least = mid + 1;
        } else {
            n = mid;
        }
    }
    return least;
}

size_t bgi_merge_before(const struct bgi_order *o, const char *sequence, size_t n, const char *x,
                        int equal_too)
{
    return before(o, (struct kind){o->size, 0}, sequence, n, x, equal_too);
}

/* ---- merges ---- */

/* What is still to be merged: [l, l_end) and [r, r_end) to [out, out_end). */
struct merging {
    const char *l, *l_end, *r, *r_end;
    char *out, *out_end;
};

/* The next element, from the front. */
BGI_INLINE void take_first(const struct bgi_order *o, struct kind k, struct merging *m,
                           int prefetch)
{
    size_t take_r = compare(o, m->l, m->r) > 0;
    const char *from = pick(take_r, m->l, m->r);
    move(k, m->out, from);
    m->out += k.size;
    m->r += k.size & (0 - take_r);
    m->l += k.size & (take_r - 1);
    if (prefetch) {
        follow(from + AHEAD * k.size);
    }
}

/* And from the back. */
BGI_INLINE void take_last(const struct bgi_order *o, struct kind k, struct merging *m, int prefetch)
{
    const char *l = m->l_end - k.size, *r = m->r_end - k.size;
    size_t take_l = compare(o, l, r) > 0;
    const char *from = pick(take_l, r, l);
    m->out_end -= k.size;
    move(k, m->out_end, from);
    m->l_end = l + (k.size & (take_l - 1));
    m->r_end = r + (k.size & (0 - take_l));
    if (prefetch) {
        follow(from - AHEAD * k.size);
    }
}

/* Takes `steps` elements from each end. None of the sequences may be shorter. */
BGI_INLINE void both_ends(const struct bgi_order *o, struct kind k, struct merging *merging,
                          size_t steps, int prefetch)
{
    struct merging m = *merging;
    for (const char *end = m.out + steps * k.size; m.out != end;) {
        take_first(o, k, &m, prefetch);
        take_last(o, k, &m, prefetch);
    }
    *merging = m;
}

/* Likewise in two merges: four chains. */
BGI_INLINE void four_ends(const struct bgi_order *o, struct kind k, struct merging *first,
                          struct merging *second, size_t steps, int prefetch)
{
    struct merging m = *first, m2 = *second;
    for (const char *end = m.out + steps * k.size; m.out != end;) {
        take_first(o, k, &m, prefetch);
        take_last(o, k, &m, prefetch);
        take_first(o, k, &m2, prefetch);
        take_last(o, k, &m2, prefetch);
    }
    *first = m;
    *second = m2;
}

/* The rest of a merge, of which one sequence is short: it is inserted into the other. */
BGI_INLINE void insert_short(const struct bgi_order *o, struct kind k, const char *l, size_t nl,
                             const char *r, size_t nr, char *out)
{
    int l_is_short = nl < nr;
    const char *few = l_is_short ? l : r, *many = l_is_short ? r : l;
    size_t n_few = l_is_short ? nl : nr, n_many = l_is_short ? nr : nl;
    for (; n_few != 0; n_few--) {
        size_t n = before(o, k, many, n_many, few, !l_is_short);
        copy(k, out, many, n);
        many += n * k.size;
        n_many -= n;
        out += n * k.size;
        move(k, out, few);
        few += k.size;
        out += k.size;
    }
    copy(k, out, many, n_many);
}

/* The rest of a merge of two short sequences. */
BGI_INLINE void merge_short(const struct bgi_order *o, struct kind k, const char *l, size_t nl,
                            const char *r, size_t nr, char *out)
{
    while (nl != 0 && nr != 0) {
        size_t take_r = compare(o, l, r) > 0;
        move(k, out, pick(take_r, l, r));
        out += k.size;
        r += k.size & (0 - take_r);
        l += k.size & (take_r - 1);
        nr -= take_r;
        nl -= 1 - take_r;
    }
    copy(k, out, l, nl);
    copy(k, out + nl * k.size, r, nr);
}

/* Two sequences one of which is before the other. */
BGI_INLINE int merge_disjoint(const struct bgi_order *o, struct kind k, const char *l, size_t nl,
                              const char *r, size_t nr, char *out)
{
    if (compare(o, l + (nl - 1) * k.size, r) <= 0) {
        copy(k, out, l, nl);
        copy(k, out + nl * k.size, r, nr);
        return 1;
    }
    if (compare(o, l, r + (nr - 1) * k.size) > 0) {
        copy(k, out, r, nr);
        copy(k, out + nr * k.size, l, nl);
        return 1;
    }
    return 0;
}

/* How many elements may be taken from each end without a look. */
BGI_INLINE size_t safe_steps(struct kind k, const struct merging *m)
{
    size_t l = (size_t)(m->l_end - m->l), r = (size_t)(m->r_end - m->r);
    return (l < r ? l : r) / k.size / 2;
}

BGI_INLINE void finish(const struct bgi_order *o, struct kind k, struct merging *m)
{
    for (size_t steps; (steps = safe_steps(k, m)) >= ROUND_LEAST;) {
        both_ends(o, k, m, steps, k.pointers);
    }
    size_t nl = (size_t)(m->l_end - m->l) / k.size, nr = (size_t)(m->r_end - m->r) / k.size;
    if ((nl < nr ? nl : nr) * 8 < nl + nr) {
        insert_short(o, k, m->l, nl, m->r, nr, m->out);
    } else {
        merge_short(o, k, m->l, nl, m->r, nr, m->out);
    }
}

BGI_INLINE void merge_any(const struct bgi_order *o, struct kind k, const char *l, size_t nl,
                          const char *r, size_t nr, char *out)
{
    if (nl >= LOOK_FROM && nr >= LOOK_FROM && merge_disjoint(o, k, l, nl, r, nr, out)) {
        return;
    }
    size_t n = nl + nr;
    struct merging m = {l, l + nl * k.size, r, r + nr * k.size, out, out + n * k.size};
    if (n >= DIVIDE_FROM) {
        size_t i = bgi_merge_path(o, l, nl, r, nr, n / 2);
        struct merging m2 = m;
        m.l_end = m2.l = l + i * k.size;
        m.r_end = m2.r = r + (n / 2 - i) * k.size;
        m.out_end = m2.out = out + n / 2 * k.size;
        for (;;) {
            size_t steps = safe_steps(k, &m), steps2 = safe_steps(k, &m2);
            steps = steps < steps2 ? steps : steps2;
            if (steps < ROUND_LEAST) {
                break;
            }
            four_ends(o, k, &m, &m2, steps, k.pointers);
        }
        finish(o, k, &m2);
    }
    finish(o, k, &m);
}

/* Two neighbours of w elements each. */
BGI_INLINE void merge_equal(const struct bgi_order *o, struct kind k, const char *l, size_t w,
                            char *out)
{
    const char *r = l + w * k.size;
    if (w >= LOOK_FROM && merge_disjoint(o, k, l, w, r, w, out)) {
        return;
    }
    struct merging m = {l, r, r, r + w * k.size, out, out + 2 * w * k.size};
    both_ends(o, k, &m, w, 0);
    if (bgi_unlikely(m.l != m.l_end)) {
        merge_any(o, k, l, w, r, w, out);
    }
}

/* Two neighbours and the two behind them. */
BGI_INLINE void merge_two_equal(const struct bgi_order *o, struct kind k, const char *l, size_t w,
                                char *out)
{
    size_t bytes = w * k.size;
    struct merging m = {l, l + bytes, l + bytes, l + 2 * bytes, out, out + 2 * bytes};
    struct merging m2 = {m.r_end,         m.r_end + bytes, m.r_end + bytes, m.r_end + 2 * bytes,
                         out + 2 * bytes, out + 4 * bytes};
    four_ends(o, k, &m, &m2, w, 0);
    if (bgi_unlikely(m.l != m.l_end)) {
        merge_any(o, k, l, w, l + bytes, w, out);
    }
    if (bgi_unlikely(m2.l != m2.l_end)) {
        merge_any(o, k, l + 2 * bytes, w, l + 3 * bytes, w, out + 2 * bytes);
    }
}

/* ---- leaves ---- */

/* Sorts four elements to another place: five comparisons, and no branch. */
BGI_INLINE void sort_block(const struct bgi_order *o, struct kind k, const char *in, char *out)
{
    const char *v1 = in + k.size, *v2 = v1 + k.size, *v3 = v2 + k.size;
    size_t s = compare(o, in, v1) > 0;
    size_t t = compare(o, v2, v3) > 0;
    const char *a = pick(s, in, v1), *b = pick(s, v1, in); /* a <= b */
    const char *c = pick(t, v2, v3), *d = pick(t, v3, v2); /* c <= d */
    size_t first = compare(o, a, c) > 0;                   /* c is the least of all */
    size_t last = compare(o, b, d) > 0;                    /* b is the greatest of all */
    const char *least = pick(first, a, c);
    const char *most = pick(last, d, b);
    /* The two others, in the order in which they came. */
    const char *x = pick(first, pick(last, b, c), a);
    const char *y = pick(last, pick(first, c, b), d);
    size_t swapped = compare(o, x, y) > 0;
    move(k, out, least);
    move(k, out + k.size, pick(swapped, x, y));
    move(k, out + 2 * k.size, pick(swapped, y, x));
    move(k, out + 3 * k.size, most);
}

/* Sorts up to three elements to another place. */
BGI_INLINE void sort_few(const struct bgi_order *o, struct kind k, const char *in, size_t n,
                         char *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = before(o, k, out, i, in + i * k.size, 1);
        memmove(out + (at + 1) * k.size, out + at * k.size, (i - at) * k.size);
        move(k, out + at * k.size, in + i * k.size);
    }
}

/* One run, up or strictly down, is dealt with: 1. */
BGI_INLINE int sort_run(const struct bgi_order *o, struct kind k, char *array, char *other,
                        size_t n, int into_other)
{
    size_t i = 1;
    while (i < n && compare(o, array + (i - 1) * k.size, array + i * k.size) <= 0) {
        i++;
    }
    if (i == n) {
        if (into_other) {
            copy(k, other, array, n);
        }
        return 1;
    }
    if (i != 1) {
        return 0;
    }
    while (i < n && compare(o, array + (i - 1) * k.size, array + i * k.size) > 0) {
        i++;
    }
    if (i != n) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        move(k, other + i * k.size, array + (n - 1 - i) * k.size);
    }
    if (!into_other) {
        copy(k, array, other, n);
    }
    return 1;
}

BGI_INLINE void sort_leaf(const struct bgi_order *o, struct kind k, char *array, char *other,
                          size_t n, int into_other)
{
    if (k.pointers) {
        for (size_t i = 0; i < n; i++) {
            follow(array + i * k.size);
        }
    }
    if (sort_run(o, k, array, other, n, into_other)) {
        return;
    }
    /* Each pass goes from one area to the other; the last one has to end in the right one. */
    int to_other = into_other;
    for (size_t w = BLOCK; w < n; w *= 2) {
        to_other = !to_other;
    }
    if (!to_other) {
        copy(k, other, array, n);
    }
    const char *from = to_other ? array : other;
    char *to = to_other ? other : array;
    size_t i = 0;
    for (; n - i >= BLOCK; i += BLOCK) {
        sort_block(o, k, from + i * k.size, to + i * k.size);
    }
    sort_few(o, k, from + i * k.size, n - i, to + i * k.size);
    for (size_t w = BLOCK; w < n; w *= 2) {
        to_other = !to_other;
        from = to_other ? array : other;
        to = to_other ? other : array;
        i = 0;
        for (; w >= 2 * BLOCK && n - i >= 4 * w; i += 4 * w) {
            merge_two_equal(o, k, from + i * k.size, w, to + i * k.size);
        }
        for (; n - i >= 2 * w; i += 2 * w) {
            merge_equal(o, k, from + i * k.size, w, to + i * k.size);
        }
        size_t left = n - i < w ? n - i : w;
        merge_any(o, k, from + i * k.size, left, from + (i + left) * k.size, n - i - left,
                  to + i * k.size);
    }
}

/* ---- for each size ---- */

#define MERGER(name, element_size, are_pointers)                                                   \
    static void leaf_##name(const struct bgi_order *o, char *array, char *other, size_t n,         \
                            int into_other)                                                        \
    {                                                                                              \
        sort_leaf(o, (struct kind){element_size, are_pointers}, array, other, n, into_other);      \
    }                                                                                              \
    static void merge_##name(const struct bgi_order *o, const char *l, size_t nl, const char *r,   \
                             size_t nr, char *out)                                                 \
    {                                                                                              \
        merge_any(o, (struct kind){element_size, are_pointers}, l, nl, r, nr, out);                \
    }                                                                                              \
    static const struct bgi_merger merger_##name = {leaf_##name, merge_##name,                     \
                                                    (are_pointers) ? POINTERS_BYTES : LEAF_BYTES,  \
                                                    (are_pointers) ? FOUR_FROM : SIZE_MAX};

MERGER(4, 4, 0)
MERGER(8, 8, 0)
MERGER(16, 16, 0)
MERGER(pointers, sizeof(void *), 1)
MERGER(other, o->size, 0)

/* Whether all of some elements could be addresses of what programs have. */
static int may_be_pointers(const char *base, size_t n)
{
    enum { SAMPLES = 16 };
    if (n < SAMPLES) {
        return 0;
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        uintptr_t v;
        memcpy(&v, base + i * (n / SAMPLES) * sizeof v, sizeof v);
        if (v >> 47 != 0 || v >> 32 == 0) {
            return 0;
        }
    }
    return 1;
}

const struct bgi_merger *bgi_merger_for(const void *base, size_t n, size_t size)
{
    switch (size) {
    case 4:
        return &merger_4;
    case 8:
        return sizeof(void *) == 8 && may_be_pointers(base, n) ? &merger_pointers : &merger_8;
    case 16:
        return &merger_16;
    default:
        return &merger_other;
    }
}

/*
 * What the parts of the sort share: sort.c divides the work, merge.c does it, merge_four.c does
 * more of it at once, in_place.c does without memory.
 */
#ifndef BGI_PARALLEL_SORT_H
#define BGI_PARALLEL_SORT_H

#include "base/compiler.h"

#include <string.h>

/* How elements compare, and how large they are. */
struct bgi_order {
    int (*cmp)(const void *a, const void *b, void *ctx);
    void *ctx;
    size_t size;
};

/*
 * The two units of work, for elements of one size. Each writes a permutation of what it is given,
 * whatever the comparison says, and the sorted one if it is an order.
 */
struct bgi_merger {
    /* Sorts n > 0 elements of `array`, stably; both areas are overwritten. The result is in `other`
     * when into_other is set, else in `array`. */
    void (*leaf)(const struct bgi_order *o, char *array, char *other, size_t n, int into_other);
    /* Merges two sorted sequences into `out`, which overlaps neither; what is equal keeps its
     * order, l before r. */
    void (*merge)(const struct bgi_order *o, const char *l, size_t nl, const char *r, size_t nr,
                  char *out);
    size_t leaf_bytes; /* so much is best sorted as a leaf */
    size_t four_from;  /* so many elements are best merged from four sequences; SIZE_MAX: never */
};

/* Four sorted sequences, and where they are to be merged to. */
struct bgi_four {
    const char *at[4];
    size_t n[4];
    char *out;
};

/* Swaps two elements. */
static inline void bgi_sort_swap(char *a, char *b, size_t size)
{
    char x[64];
    for (size_t n; size != 0; size -= n, a += n, b += n) {
        n = size < sizeof x ? size : sizeof x;
        memcpy(x, a, n);
        memcpy(a, b, n);
        memcpy(b, x, n);
    }
}

/* How many of the first k elements of a merge come from l, the others from r. */
size_t bgi_merge_path(const struct bgi_order *o, const char *l, size_t nl, const char *r, size_t nr,
                      size_t k);

/* How many elements of a sorted sequence come before x: those that are less, or also those that are
 * equal. */
size_t bgi_merge_before(const struct bgi_order *o, const char *sequence, size_t n, const char *x,
                        int equal_too);

/* Merges four sequences of pointers; what is equal keeps its order. When stopped, which is asked
 * now and then, the rest is copied. */
void bgi_merge_four(const struct bgi_order *o, const struct bgi_merger *merger,
                    const struct bgi_four *four, int (*stopped)(void *arg), void *arg);

/* Divides them in those of which the first k elements of the output come, and those of the rest. */
void bgi_four_divide(const struct bgi_order *o, const struct bgi_four *f, size_t k,
                     struct bgi_four *first, struct bgi_four *second);

/* For elements like those of an array. */
const struct bgi_merger *bgi_merger_for(const void *base, size_t n, size_t size);

/* A sort that needs no memory, and is not stable. Asks `stopped` now and then, and returns at the
 * end of what it is about when that is not 0. */
void bgi_sort_in_place(const struct bgi_order *o, char *base, size_t n, int (*stopped)(void *arg),
                       void *arg);

#endif

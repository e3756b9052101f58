/*
 * What the parts of the sort share: sort.c divides the work, merge.c does it, in_place.c does
 * without memory.
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

/* For elements like those of an array. */
const struct bgi_merger *bgi_merger_for(const void *base, size_t n, size_t size);

/* A sort that needs no memory, and is not stable. Asks `stopped` now and then, and returns at the
 * end of what it is about when that is not 0. */
void bgi_sort_in_place(const struct bgi_order *o, char *base, size_t n, int (*stopped)(void *arg),
                       void *arg);

#endif

/*
 * A sort without memory, for when there is none: quicksort, with heapsort for ranges on which it
 * does badly (introsort: Musser, 1997). Not parallel, not stable.
 *
 * Elements are only ever swapped, and each index is checked against the range, so that whatever the
 * comparison says the array has the elements that it had. The smaller part is sorted by recursion,
 * which is therefore at most as deep as n has bits.
 */
#include "parallel/sort.h"

enum {
    FEW = 12,         /* elements: sorted by insertion */
    LOOK_EVERY = 1024 /* elements: how many may be dealt with between two looks at `stopped` */
};

struct in_place {
    const struct bgi_order *order;
    int (*stopped)(void *arg);
    void *arg;
};

BGI_INLINE int greater(const struct bgi_order *o, const char *a, const char *b)
{
    return o->cmp(a, b, o->ctx) > 0;
}

static void insertion_sort(const struct bgi_order *o, char *base, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        char *at = base + i * o->size;
        for (; at != base && greater(o, at - o->size, at); at -= o->size) {
            bgi_sort_swap(at - o->size, at, o->size);
        }
    }
}

static void sift_down(const struct bgi_order *o, char *base, size_t i, size_t n)
{
    while (i < n / 2) {
        size_t child = 2 * i + 1;
        if (child + 1 < n && greater(o, base + (child + 1) * o->size, base + child * o->size)) {
            child++;
        }
        if (!greater(o, base + child * o->size, base + i * o->size)) {
            return;
        }
        bgi_sort_swap(base + i * o->size, base + child * o->size, o->size);
        i = child;
    }
}

static void heapsort(const struct in_place *p, char *base, size_t n)
{
    const struct bgi_order *o = p->order;
    for (size_t i = n / 2; i-- > 0;) {
        if (i % LOOK_EVERY == 0 && p->stopped(p->arg)) {
            return;
        }
        sift_down(o, base, i, n);
    }
    for (size_t i = n; i-- > 1;) {
        if (i % LOOK_EVERY == 0 && p->stopped(p->arg)) {
            return;
        }
        bgi_sort_swap(base, base + i * o->size, o->size);
        sift_down(o, base, 0, i);
    }
}

/* The median of three goes to the front. */
static void choose_pivot(const struct bgi_order *o, char *base, size_t n)
{
    char *a = base + n / 4 * o->size, *b = base + n / 2 * o->size;
    char *c = base + (n - 1 - n / 4) * o->size;
    char *low = greater(o, a, b) ? b : a, *high = low == a ? b : a;
    bgi_sort_swap(base, greater(o, low, c) ? low : greater(o, high, c) ? c : high, o->size);
}

/* Returns where the pivot ends up: none before it is greater, none behind it is less. */
static size_t partition(const struct in_place *p, char *base, size_t n)
{
    const struct bgi_order *o = p->order;
    size_t i = 1, j = n, next_look = LOOK_EVERY;
    choose_pivot(o, base, n);
    for (;;) {
        while (i < j && greater(o, base, base + i * o->size)) {
            i++;
        }
        while (i < j && greater(o, base + (j - 1) * o->size, base)) {
            j--;
        }
        if (i + 1 >= j) {
            break;
        }
        j--;
        bgi_sort_swap(base + i * o->size, base + j * o->size, o->size);
        i++;
        if (i >= next_look) {
            next_look = i + LOOK_EVERY;
            if (p->stopped(p->arg)) {
                break;
            }
        }
    }
    bgi_sort_swap(base, base + (i - 1) * o->size, o->size);
    return i - 1;
}

static void quicksort(const struct in_place *p, char *base, size_t n, unsigned levels)
{
    size_t size = p->order->size;
    while (n > FEW) {
        if (n >= LOOK_EVERY && p->stopped(p->arg)) {
            return;
        }
        if (levels-- == 0) {
            heapsort(p, base, n);
            return;
        }
        size_t at = partition(p, base, n);
        char *behind = base + (at + 1) * size;
        size_t n_behind = n - at - 1;
        if (at < n_behind) {
            quicksort(p, base, at, levels);
            base = behind;
            n = n_behind;
        } else {
            quicksort(p, behind, n_behind, levels);
            n = at;
        }
    }
    insertion_sort(p->order, base, n);
}

void bgi_sort_in_place(const struct bgi_order *o, char *base, size_t n, int (*stopped)(void *arg),
                       void *arg)
{
    const struct in_place p = {o, stopped, arg};
    unsigned levels = 0;
    for (size_t i = n; i != 0; i /= 2) {
        levels += 2;
    }
    quicksort(&p, base, n, levels);
}

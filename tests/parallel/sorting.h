/*
 * Arrays to be sorted, of many shapes, and what they have to be afterwards.
 */
#ifndef TESTS_PARALLEL_SORTING_H
#define TESTS_PARALLEL_SORTING_H

#include "../task/check.h"

/* Elements: fewer where everything takes many times as long. */
#define SOME(n) ((size_t)(BGI_EMULATED ? (n) / 10 : MANY(n)))

enum shape {
    RANDOM,
    EQUAL,
    UP,
    DOWN,
    PIPE,       /* up and down again */
    FEW,        /* different ones */
    SAWTOOTH,   /* many runs */
    NEARLY,     /* up, and one of a hundred is not */
    APPENDED,   /* up, and some random ones behind */
    ROTATED,    /* up, and begins in the middle */
    ALTERNATES, /* two runs that interlock */
    SHAPES
};

static inline uint64_t key_at(size_t i, size_t n, enum shape shape, struct bgi_random *random)
{
    uint64_t r = bgi_random_next(random);
    switch (shape) {
    case EQUAL:
        return 7;
    case UP:
        return i;
    case DOWN:
        return n - i;
    case PIPE:
        return i < n / 2 ? i : n - i;
    case FEW:
        return r % 5;
    case SAWTOOTH:
        return i % 61;
    case NEARLY:
        return r % 100 == 0 ? r % n : i;
    case APPENDED:
        return i < n - n / 20 ? i : r % n;
    case ROTATED:
        return (i + n / 3) % n;
    case ALTERNATES:
        return i % 2 == 0 ? i : n - i;
    default:
        return r;
    }
}

/* Elements are numbers of `size` bytes, the first byte the most significant: memcmp. */
static inline void fill(unsigned char *array, size_t n, size_t size, enum shape shape,
                        struct bgi_random *random)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_at(i, n, shape, random);
        for (size_t b = size; b-- > 0; key >>= 8) {
            array[i * size + b] = (unsigned char)key;
        }
    }
}

struct width {
    size_t size;
    bgi_atomic wrong; /* comparisons of what is not aligned as elements of that size may be */
};

static inline int by_key(const void *a, const void *b, void *ctx)
{
    struct width *w = ctx;
    uintptr_t alignment = w->size & (0 - w->size);
    alignment = alignment < 16 ? alignment : 16; /* that of malloc */
    if ((((uintptr_t)a | (uintptr_t)b) & (alignment - 1)) != 0) {
        add_one(&w->wrong);
    }
    return memcmp(a, b, w->size);
}

static inline void merge_halves(unsigned char *a, unsigned char *other, size_t n, size_t size)
{
    size_t h = n / 2, i = 0, j = h;
    if (n < 2) {
        return;
    }
    merge_halves(a, other, h, size);
    merge_halves(a + h * size, other, n - h, size);
    for (size_t k = 0; k < n; k++) {
        int second = i == h || (j < n && memcmp(a + j * size, a + i * size, size) < 0);
        memcpy(other + k * size, a + (second ? j++ : i++) * size, size);
    }
    memcpy(a, other, n * size);
}

static inline void oracle(unsigned char *array, size_t n, size_t size)
{
    unsigned char *other = malloc(n * size + 1);
    merge_halves(array, other, n, size);
    free(other);
}

#endif

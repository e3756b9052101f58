/*
 * A small generator of pseudo-random numbers, for choosing victims and for tests: not for secrets.
 *
 * The state is xoroshiro128++, seeded by splitmix64 (D. Blackman, S. Vigna, "Scrambled Linear
 * Pseudorandom Number Generators", ACM TOMS 47(4), 2021): 16 bytes, about a nanosecond a number,
 * period 2^128 - 1. A bounded number is taken by multiplication, without division in the common
 * case and without bias (D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS
 * 29(1), 2019).
 *
 * A generator belongs to one thread.
 */
#ifndef BGI_RANDOM_H
#define BGI_RANDOM_H

#include "base/compiler.h"

#include <stdint.h>

struct bgi_random {
    uint64_t s[2];
};

/* Steps *x and scrambles it: neighbouring values give unrelated results. */
BGI_INLINE uint64_t bgi_splitmix64(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Any seed will do, 0 and its neighbours too: no two steps of splitmix64 in a row are both 0. */
BGI_INLINE void bgi_random_seed(struct bgi_random *r, uint64_t seed)
{
    r->s[0] = bgi_splitmix64(&seed);
    r->s[1] = bgi_splitmix64(&seed);
}

BGI_INLINE uint64_t bgi_rotl64(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

BGI_INLINE uint64_t bgi_random_next(struct bgi_random *r)
{
    uint64_t a = r->s[0];
    uint64_t b = r->s[1];
    uint64_t result = bgi_rotl64(a + b, 17) + a;
    b ^= a;
    r->s[0] = bgi_rotl64(a, 49) ^ b ^ (b << 21);
    r->s[1] = bgi_rotl64(b, 28);
    return result;
}

/* Uniform in [0, n); n must not be 0. */
BGI_INLINE uint32_t bgi_random_below(struct bgi_random *r, uint32_t n)
{
    uint64_t m = (bgi_random_next(r) >> 32) * n;
    if (bgi_unlikely((uint32_t)m < n)) {
        uint32_t short_of = (0U - n) % n;
        while ((uint32_t)m < short_of) {
            m = (bgi_random_next(r) >> 32) * n;
        }
    }
    return (uint32_t)(m >> 32);
}

#endif

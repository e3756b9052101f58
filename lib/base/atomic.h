/*
 * The only door to libatomic_ops: every atomic operation of brigade is one of these.
 *
 * libatomic_ops has no seq_cst loads or stores, no exchange and no fetch_or. What there is:
 *   bgi_load, bgi_store                  relaxed
 *   bgi_load_acquire, bgi_store_release  the publishing pair
 *   bgi_cas                              acquire and release, acquire on failure; NOT a full fence
 *   bgi_fetch_add                        acquire and release
 *   bgi_fence_full                       seq_cst fence, used only to order a store before a load
 * Data is published through release/acquire pairs alone, since the thread sanitizer does not
 * understand publication by relaxed operations and fences.
 *
 * Everything is one AO_t wide (size_t). It is unsigned: indices are compared by the sign of
 * their difference (bgi_before).
 *
 * bgi_point() marks each operation for the stress tests: a build with BGI_STRESS_YIELD calls
 * bgi_stress_point() there, which yields the thread at random.
 */
#ifndef BGI_ATOMIC_H
#define BGI_ATOMIC_H

#include "base/compiler.h"

#if BGI_TSAN && !defined(AO_THREAD_SANITIZER)
#define AO_THREAD_SANITIZER 1
#endif
/* The library's headers shadow and convert freely; their warnings are not ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <atomic_ops.h>
#pragma GCC diagnostic pop

#include <stdint.h>

typedef volatile AO_t bgi_atomic;
typedef AO_t bgi_word;

_Static_assert(sizeof(AO_t) == sizeof(void *), "a word holds a pointer");

#ifdef BGI_STRESS_YIELD
void bgi_stress_point(void);
#define bgi_point() bgi_stress_point()
#else
#define bgi_point() ((void)0)
#endif

BGI_INLINE bgi_word bgi_load(const bgi_atomic *p)
{
    bgi_point();
    return AO_load(p);
}

BGI_INLINE bgi_word bgi_load_acquire(const bgi_atomic *p)
{
    bgi_point();
    return AO_load_acquire(p);
}

BGI_INLINE void bgi_store(bgi_atomic *p, bgi_word v)
{
    bgi_point();
    AO_store(p, v);
}

BGI_INLINE void bgi_store_release(bgi_atomic *p, bgi_word v)
{
    bgi_point();
    AO_store_release(p, v);
}

BGI_INLINE int bgi_cas(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_compare_and_swap_full(p, old, want);
}

BGI_INLINE int bgi_cas_acquire(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_compare_and_swap_acquire(p, old, want);
}

BGI_INLINE int bgi_cas_release(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_compare_and_swap_release(p, old, want);
}

/* Decides who is first, and orders nothing. */
BGI_INLINE int bgi_cas_relaxed(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_compare_and_swap(p, old, want);
}

/* As bgi_cas, and gives the value found; the swap took place when that equals old. */
BGI_INLINE bgi_word bgi_cas_fetch(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_fetch_compare_and_swap_full(p, old, want);
}

BGI_INLINE bgi_word bgi_cas_fetch_acquire(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_fetch_compare_and_swap_acquire(p, old, want);
}

BGI_INLINE bgi_word bgi_cas_fetch_release(bgi_atomic *p, bgi_word old, bgi_word want)
{
    bgi_point();
    return AO_fetch_compare_and_swap_release(p, old, want);
}

BGI_INLINE bgi_word bgi_fetch_add(bgi_atomic *p, bgi_word n)
{
    bgi_point();
    return AO_fetch_and_add_full(p, n);
}

BGI_INLINE bgi_word bgi_fetch_add_relaxed(bgi_atomic *p, bgi_word n)
{
    bgi_point();
    return AO_fetch_and_add(p, n);
}

BGI_INLINE bgi_word bgi_fetch_sub(bgi_atomic *p, bgi_word n)
{
    return bgi_fetch_add(p, (bgi_word)0 - n);
}

/* A word that only its owner writes and others read: a plain increment, without a lock prefix. */
BGI_INLINE void bgi_count_owned(bgi_atomic *p, bgi_word n)
{
    AO_store(p, AO_load(p) + n);
}

/*
 * The store-load fence. clang turns AO_nop_full into mfence on x86 (two to eight times the price
 * of a locked instruction), so there a locked increment of a word of the caller's own stack stands
 * in: as a read-modify-write with acquire and release it keeps the compiler from moving a store
 * down or a load up across it, and the processor drains its store buffer at any locked
 * instruction. The sanitizer's and the model checker's builds get the real fence.
 */
BGI_INLINE void bgi_fence_full(void)
{
    bgi_point();
#if defined(__clang__) && defined(__x86_64__) && !BGI_TSAN
    bgi_atomic here = 0;
    (void)AO_fetch_and_add1_full(&here);
#else
    AO_nop_full();
#endif
}

BGI_INLINE void bgi_compiler_barrier(void)
{
    __asm__ __volatile__("" ::: "memory");
}

#ifdef BGI_MODEL
void mc_yield(void); /* the model checker's: somebody else has to take a step first */
#endif

BGI_INLINE void bgi_pause(void)
{
    bgi_point();
#if defined(BGI_MODEL)
    mc_yield();
#elif defined(__x86_64__) || defined(__i386__)
    __asm__ __volatile__("pause");
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#else
    bgi_compiler_barrier();
#endif
}

/* Pointers, through the same words. */
BGI_INLINE void *bgi_load_ptr(const bgi_atomic *p)
{
    return (void *)bgi_load(p);
}

BGI_INLINE void *bgi_load_acquire_ptr(const bgi_atomic *p)
{
    return (void *)bgi_load_acquire(p);
}

BGI_INLINE void bgi_store_ptr(bgi_atomic *p, const void *v)
{
    bgi_store(p, (bgi_word)v);
}

BGI_INLINE void bgi_store_release_ptr(bgi_atomic *p, const void *v)
{
    bgi_store_release(p, (bgi_word)v);
}

BGI_INLINE int bgi_cas_ptr(bgi_atomic *p, const void *old, const void *want)
{
    return bgi_cas(p, (bgi_word)old, (bgi_word)want);
}

/* a before b, for indices that wrap. */
BGI_INLINE int bgi_before(bgi_word a, bgi_word b)
{
    return (intptr_t)(a - b) < 0;
}

#endif

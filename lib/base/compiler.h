/*
 * What the code needs to say to the compiler, spelled once.
 */
#ifndef BGI_COMPILER_H
#define BGI_COMPILER_H

#include <stddef.h>

#ifndef BGI_COVERAGE
#define BGI_COVERAGE 0
#endif

#if BGI_COVERAGE /* the conditions of a macro's argument are not told apart: no macro with one */
#define bgi_likely
#define bgi_unlikely
#pragma clang diagnostic ignored "-Wparentheses-equality"
#else
#define bgi_likely(x) __builtin_expect(!!(x), 1)
#define bgi_unlikely(x) __builtin_expect(!!(x), 0)
#endif

#define BGI_NOINLINE __attribute__((noinline))
#define BGI_INLINE static inline __attribute__((always_inline))
#define BGI_NORETURN __attribute__((noreturn))
#define BGI_COLD __attribute__((cold, noinline))
/* What seems to be called once, or not to return, and is on a hot path all the same. */
#define BGI_HOT __attribute__((hot))
#define BGI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Words that different threads write live on different lines; 128 because the
 * adjacent-line prefetcher of x86 pulls pairs. */
#define BGI_CACHE_LINE 64
#define BGI_FALSE_SHARING_RANGE 128
#define BGI_ALIGNED(n) __attribute__((aligned(n)))

#define BGI_CONTAINER_OF(ptr, type, member)                                                        \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define BGI_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__has_feature)
#define BGI_HAS_FEATURE(x) __has_feature(x)
#else
#define BGI_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || BGI_HAS_FEATURE(thread_sanitizer)
#define BGI_TSAN 1
#else
#define BGI_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__) || BGI_HAS_FEATURE(address_sanitizer)
#define BGI_ASAN 1
#else
#define BGI_ASAN 0
#endif

/* BGI_DEBUG is 1 in builds that check for misuse (Debug, sanitizers, tests). */
#ifndef BGI_DEBUG
#define BGI_DEBUG 0
#endif

#endif

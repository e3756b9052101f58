/*
 * Everything brigade asks the system for that can be refused: memory, mappings, threads.
 *
 * In a build with BGI_FAULTS=1 each of these calls counts, and a test can have the nth of them
 * refused, to see that every caller bears it. In other builds they are the plain calls.
 *
 * Failure is NULL or a negative errno value. Nothing here may be called while errno matters.
 */
#ifndef BGI_ALLOC_H
#define BGI_ALLOC_H

#include "base/compiler.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef BGI_FAULTS
#define BGI_FAULTS 0
#endif

/* The kinds of calls that can be made to fail; they are or-ed to a mask. */
enum bgi_fault_kind {
    BGI_FAULT_MALLOC = 1,   /* bgi_malloc, bgi_calloc, bgi_aligned_alloc, bgi_strdup */
    BGI_FAULT_MMAP = 2,     /* bgi_mmap */
    BGI_FAULT_MADVISE = 4,  /* bgi_madvise */
    BGI_FAULT_MPROTECT = 8, /* bgi_mprotect */
    BGI_FAULT_THREAD = 16,  /* bgi_thread_create */
    BGI_FAULT_ALL = 31,
    BGI_FAULT_FOREVER = 256, /* a flag: the nth call fails, and each one after it */
};

typedef struct bgi_thread {
    pthread_t id;
} bgi_thread;

#if BGI_FAULTS

/*
 * Makes the nth call (from 1) of the kinds in the mask fail, seen over all threads; with n = 0
 * none fails and calls are only counted. One plan at a time: a new one replaces the old one. Not
 * to be called while another thread may be inside one of the calls.
 */
void bgi_fault_arm(unsigned kinds, size_t n);
void bgi_fault_disarm(void);

/* Calls of the armed kinds since bgi_fault_arm(), the failed ones included. Stays when disarmed. */
size_t bgi_fault_count(void);

/* Blocks allocated and not freed, in the whole process. */
size_t bgi_alloc_live(void);

void *bgi_malloc(size_t size);
void *bgi_calloc(size_t n, size_t size);
void *bgi_aligned_alloc(size_t alignment, size_t size);
void bgi_free(void *p);
void *bgi_mmap(size_t size, int prot, int flags);
int bgi_madvise(void *p, size_t size, int advice);
int bgi_mprotect(void *p, size_t size, int prot);
int bgi_thread_create(bgi_thread *out, void *(*fn)(void *), void *arg);

#else

BGI_INLINE void *bgi_malloc(size_t size)
{
    return malloc(size);
}

BGI_INLINE void *bgi_calloc(size_t n, size_t size)
{
    return calloc(n, size);
}

/* alignment: a power of two, at least that of a pointer. The block goes to bgi_free. */
BGI_INLINE void *bgi_aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}

BGI_INLINE void bgi_free(void *p)
{
    free(p);
}

/* A private anonymous mapping at an address of the kernel's choice; flags are added to that. */
BGI_INLINE void *bgi_mmap(size_t size, int prot, int flags)
{
    void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

BGI_INLINE int bgi_madvise(void *p, size_t size, int advice)
{
    return madvise(p, size, advice) == 0 ? 0 : -errno;
}

BGI_INLINE int bgi_mprotect(void *p, size_t size, int prot)
{
    return mprotect(p, size, prot) == 0 ? 0 : -errno;
}

/* A joinable thread with default attributes: bgi_thread_join is owed. */
BGI_INLINE int bgi_thread_create(bgi_thread *out, void *(*fn)(void *), void *arg)
{
    return -pthread_create(&out->id, NULL, fn, arg);
}

/* Nothing can be made to fail here: a test asks BGI_FAULTS before it counts on a failure. */
BGI_INLINE void bgi_fault_arm(unsigned kinds, size_t n)
{
    (void)kinds;
    (void)n;
}

BGI_INLINE void bgi_fault_disarm(void) {}

BGI_INLINE size_t bgi_fault_count(void)
{
    return 0;
}

BGI_INLINE size_t bgi_alloc_live(void)
{
    return 0;
}

#endif

BGI_INLINE int bgi_munmap(void *p, size_t size)
{
    return munmap(p, size) == 0 ? 0 : -errno;
}

/* Waits for the thread's end; *result, if result is not NULL, is what its function returned. */
BGI_INLINE int bgi_thread_join(bgi_thread thread, void **result)
{
    return -pthread_join(thread.id, result);
}

/* A copy of s on the heap, to bgi_free; NULL gives NULL, as does a failure. */
BGI_INLINE char *bgi_strdup(const char *s)
{
    if (s == NULL) {
        return NULL;
    }
    size_t size = strlen(s) + 1;
    char *copy = bgi_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, s, size);
}

#endif

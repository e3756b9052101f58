/*
 * Everything brigade asks the system for that can be refused: memory, mappings, threads.
 *
 * They are plain calls. The tests are linked with a copy of the library whose calls to the system
 * go elsewhere (tests/support/faults.h), so that every caller can be seen to bear each refusal.
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

typedef struct bgi_thread {
    pthread_t id;
} bgi_thread;

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

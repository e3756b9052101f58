/*
 * Fault injection, for builds with BGI_FAULTS=1.
 *
 * The plan (mask and number) is written only while no other thread is inside a counted call, as
 * the header demands, and the threads started later or released by a lock see it through that.
 * `seen` is counted by every matching call: the number the increment returns says which call one
 * is, so exactly one call is the nth, however many threads race. `live` is a plain statistic. No
 * word publishes data, so relaxed operations suffice throughout.
 */
#include "base/alloc.h"

#if BGI_FAULTS

#include "base/atomic.h"

static bgi_atomic plan_kinds; /* armed kinds and BGI_FAULT_FOREVER; 0 while disarmed */
static bgi_atomic plan_nth;   /* which call fails, from 1; 0: none */
static bgi_atomic seen;       /* calls of the armed kinds since the plan was made */
static bgi_atomic live;       /* blocks not freed yet */

void bgi_fault_arm(unsigned kinds, size_t n)
{
    bgi_store(&plan_kinds, 0);
    bgi_store(&seen, 0);
    bgi_store(&plan_nth, n);
    bgi_store(&plan_kinds, kinds);
}

void bgi_fault_disarm(void)
{
    bgi_store(&plan_kinds, 0);
}

size_t bgi_fault_count(void)
{
    return bgi_load(&seen);
}

size_t bgi_alloc_live(void)
{
    return bgi_load(&live);
}

static int refused(enum bgi_fault_kind kind)
{
    bgi_word kinds = bgi_load(&plan_kinds);
    if ((kinds & (bgi_word)kind) == 0) {
        return 0;
    }
    bgi_word call = bgi_fetch_add_relaxed(&seen, 1) + 1;
    bgi_word nth = bgi_load(&plan_nth);
    if (nth == 0) {
        return 0;
    }
    return (kinds & BGI_FAULT_FOREVER) != 0 ? call >= nth : call == nth;
}

static void *counted(void *p)
{
    if (p != NULL) {
        (void)bgi_fetch_add_relaxed(&live, 1);
    }
    return p;
}

void *bgi_malloc(size_t size)
{
    return refused(BGI_FAULT_MALLOC) ? NULL : counted(malloc(size));
}

void *bgi_calloc(size_t n, size_t size)
{
    return refused(BGI_FAULT_MALLOC) ? NULL : counted(calloc(n, size));
}

void *bgi_aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    if (refused(BGI_FAULT_MALLOC) || posix_memalign(&p, alignment, size) != 0) {
        return NULL;
    }
    return counted(p);
}

void bgi_free(void *p)
{
    if (p != NULL) {
        (void)bgi_fetch_add_relaxed(&live, (bgi_word)0 - 1);
        free(p);
    }
}

void *bgi_mmap(size_t size, int prot, int flags)
{
    if (refused(BGI_FAULT_MMAP)) {
        return NULL;
    }
    void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int bgi_madvise(void *p, size_t size, int advice)
{
    if (refused(BGI_FAULT_MADVISE)) {
        return -ENOMEM;
    }
    return madvise(p, size, advice) == 0 ? 0 : -errno;
}

int bgi_mprotect(void *p, size_t size, int prot)
{
    if (refused(BGI_FAULT_MPROTECT)) {
        return -ENOMEM;
    }
    return mprotect(p, size, prot) == 0 ? 0 : -errno;
}

int bgi_thread_create(bgi_thread *out, void *(*fn)(void *), void *arg)
{
    if (refused(BGI_FAULT_THREAD)) {
        return -EAGAIN;
    }
    return -pthread_create(&out->id, NULL, fn, arg);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_alloc_compiled_away;

#endif

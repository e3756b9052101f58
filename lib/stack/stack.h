/*
 * The pool of guarded stacks.
 *
 * A slot of a slab, from low to high addresses:
 *
 *   | guard page | size bytes, growing down from the record | record | colour |
 *
 * The record (struct bgi_stack, with the context) lies at the top, in the page that a context
 * touches anyway: a sleeping task costs one resident page and nothing beside it. The colour, a few
 * cache lines that differ from slot to slot, keeps the records and first frames of many stacks from
 * falling into the same sets of the first-level cache.
 *
 * A stack's states, and who moves it:
 *
 *   COLD    a bit in its slab; no memory (or nothing of worth in it), no record
 *   USED    somebody's
 *   CACHED  in the list of one cache, touched by that cache's owner alone
 *   POOLED  in the global lists, under the pool's lock
 *
 *   COLD -> USED     get, when nothing warmer is there: the record is written, the guard set
 *   USED -> CACHED   put, default size
 *   CACHED -> USED   get
 *   CACHED <-> POOLED  in batches, when a cache is full or empty
 *   USED <-> POOLED  other sizes
 *   POOLED -> COLD   trim, which gives the memory back; a slab that is all cold may be unmapped
 *
 * A cache is two lists of at most BGI_STACK_BATCH stacks, the one in use and a full spare (the
 * magazines of Bonwick and Adams, "Magazines and Vmem", 2001), so that a batch changes hands by
 * moving one pointer, and a worker at the border between full and empty does not take the lock
 * at every call.
 */
#ifndef BGI_STACK_H
#define BGI_STACK_H

#include "base/compiler.h"

#include "arch/context.h"

#include "stack/guard.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BGI_STACK_BATCH = 32,
    BGI_STACK_MIN = 16 * 1024,
    BGI_STACK_KEEP = 256,      /* free stacks of the default size that trim leaves alone */
    BGI_STACK_KEEP_OTHER = 16, /* likewise for each other size */
};

struct bgi_slab;

typedef struct bgi_stack {
    bgi_context context; /* first: the switch touches this line only */
    void *scope;         /* the user's: the innermost of the task on it; NULL between bodies */
    void *locals;        /* likewise: the values of its task's locals */
    uint32_t timed_out;  /* the user's: the scope that the task left last had expired */
    uint32_t slow;       /* not the default size, or guarded by a canary: put takes the long way */
    struct bgi_stack *next;
    char *low;      /* lowest usable byte, just above the guard page */
    size_t size;    /* usable bytes from low up */
    uint32_t index; /* slot in the slab */
    uint32_t guard; /* enum bgi_guard */

    struct bgi_slab *slab;
    struct bgi_stack *batch_next; /* of the first stack of a pooled batch */
    uint32_t batch_count;         /* likewise */
    size_t nominal;               /* the size as asked for, rounded up; what messages name */
    uintptr_t note[3];            /* the user's, for reports (core/sim.h) */
#ifdef BGI_STRESS_YIELD
    unsigned last, refused; /* the user's: where the task on it ran, and how often not again */
#endif
#if BGI_DEBUG
    void *held; /* the user's: what the task on it holds (sync/owned.h); NULL between bodies */
#endif
} bgi_stack;

struct bgi_stack_cache {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_stack *head;
    unsigned count;   /* in head's list */
    bgi_stack *spare; /* NULL or exactly BGI_STACK_BATCH stacks */
};

typedef struct bgi_stack_pool {
    size_t default_size;
    struct bgi_stack_cache *cache;
    unsigned caches;
    struct bgi_stack_global *global;
} bgi_stack_pool;

/*
 * A pool whose stacks are default_size bytes, rounded up to pages and to BGI_STACK_MIN, with
 * `caches` caches. NULL: no memory, or a size that cannot be.
 */
bgi_stack_pool *bgi_stack_pool_create(size_t default_size, unsigned caches);

/* Every stack must be back. Nobody else may use the pool any more. NULL is nothing. */
void bgi_stack_pool_destroy(bgi_stack_pool *pool);

bgi_stack *bgi_stack_get_slow(bgi_stack_pool *pool, unsigned cache, size_t size);
void bgi_stack_put_slow(bgi_stack_pool *pool, unsigned cache, bgi_stack *s);

/*
 * A stack of at least `size` bytes less its record (about a kilobyte at most); 0 is the default
 * size. Only the owner of `cache` may call. NULL: no memory (-ENOMEM). The record's context is
 * zeroed, or as it was when the stack was given back: ready for bgi_context_init either way, or to
 * go on if whoever gave it back meant it to (core/fiber.c).
 */
BGI_INLINE bgi_stack *bgi_stack_get(bgi_stack_pool *pool, unsigned cache, size_t size)
{
    struct bgi_stack_cache *c = &pool->cache[cache];
    bgi_stack *s = c->head;
    if (bgi_likely((size == 0 || size == pool->default_size) && s != NULL)) {
        c->head = s->next;
        c->count--;
        __builtin_prefetch(c->head, 1); /* its page is seldom in the cache or the TLB */
        return s;
    }
    return bgi_stack_get_slow(pool, cache, size);
}

/*
 * Gives a stack back if nobody but the owner of `cache`, who calls, can get it then; else 0. So the
 * caller may still run on it, if it leaves it before it gets one.
 */
BGI_INLINE int bgi_stack_put_quick(bgi_stack_pool *pool, unsigned cache, bgi_stack *s)
{
    struct bgi_stack_cache *c = &pool->cache[cache];
    if (bgi_unlikely(s->slow || c->count >= BGI_STACK_BATCH)) {
        return 0;
    }
    s->next = c->head;
    c->head = s;
    c->count++;
    return 1;
}

/* Gives a stack back; nothing runs on it any more. Only the owner of `cache` may call. */
BGI_INLINE void bgi_stack_put(bgi_stack_pool *pool, unsigned cache, bgi_stack *s)
{
    if (bgi_unlikely(!bgi_stack_put_quick(pool, cache, s))) {
        bgi_stack_put_slow(pool, cache, s);
    }
}

/* Whether a stack that is at hand may serve one who asks for `size`: neither less nor far more. */
BGI_INLINE int bgi_stack_fits(const bgi_stack_pool *pool, const bgi_stack *s, size_t size)
{
    size_t want = size == 0 ? pool->default_size : size;
    return s->nominal >= want && s->nominal / 2 < want;
}

/* 0 when a canary says that the stack has overflowed, else 1. */
int bgi_stack_intact(const bgi_stack *s);

/* Panics, naming the task that runs on s if it is known, when the stack is not intact. */
void bgi_stack_check(const bgi_stack *s);

/* Whether an access to addr hit the guard page of s. */
int bgi_stack_guard_hit(const bgi_stack *s, const void *addr);

/* Hands what a cache holds to the other workers. Its owner only; when it retires. */
void bgi_stack_flush(bgi_stack_pool *pool, unsigned cache);

/*
 * Gives memory back: of the stacks that have lain in the global lists ever since the last call,
 * beyond the low-water marks, at most `budget`. Gives how many. Any thread, now and then; returns 0
 * at once when another thread is at it. What the caches hold stays.
 */
size_t bgi_stack_trim(bgi_stack_pool *pool, size_t budget);

typedef struct bgi_stack_counts {
    size_t slabs;  /* mappings asked for */
    size_t slots;  /* stacks in them */
    size_t cold;   /* of these, without memory */
    size_t pooled; /* of these, in the global lists */
} bgi_stack_counts;

/* A look at the pool. Any thread. */
void bgi_stack_pool_counts(bgi_stack_pool *pool, bgi_stack_counts *out);

#endif

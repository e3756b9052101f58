/*
 * A slab: one mapping of up to 64 stack slots of one size, and what is known of each slot.
 *
 * Slots follow each other at a stride of the stack's size and one page, the guard page first. Slabs
 * with equal attributes lie next to each other as a rule, and the kernel then keeps one mapping for
 * them all. The stride is not a power of two, so that the tops of different stacks do not fall into
 * the same sets of a cache.
 *
 * A slab knows nothing of locks; stack.c says who may touch which field.
 */
#ifndef BGI_SLAB_H
#define BGI_SLAB_H

#include "base/compiler.h"
#include "base/list.h"

#include "stack/guard.h"

#include <stddef.h>
#include <stdint.h>

enum {
    BGI_SLAB_SLOTS = 64,
    BGI_SLAB_BYTES = 64 << 20, /* of big stacks there are fewer a slab */
};

struct bgi_slab {
    struct bgi_list all;     /* of the pool's */
    struct bgi_list partial; /* of those of its class with cold slots */
    char *base;
    size_t size; /* nominal size of a stack */
    size_t page;
    unsigned count, class;
    uint64_t cold;              /* slots without memory, or with nothing of worth in it */
    uint64_t marked, protected; /* how each slot is guarded; neither: not yet, or by a canary */
    uint64_t drop;              /* slots being given back */
    struct bgi_slab *dropping;  /* the next slab with such slots */
#if BGI_DEBUG
    uint64_t seen; /* slots that a walker has come upon; its own */
#endif
};

/* A slot taken out of the cold. */
struct bgi_slot {
    struct bgi_slab *slab;
    unsigned index;
    enum bgi_guard guard; /* NONE: it has to be set */
};

BGI_INLINE uint64_t bgi_slab_mask(unsigned count)
{
    return count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

BGI_INLINE size_t bgi_slab_stride(const struct bgi_slab *slab)
{
    return slab->size + slab->page;
}

/* The slot's lowest address, which is that of its guard page. */
BGI_INLINE char *bgi_slab_slot(const struct bgi_slab *slab, unsigned index)
{
    return slab->base + index * bgi_slab_stride(slab);
}

/*
 * A slab of at most `most` slots, all cold; of fewer when the address space is short. NULL: no
 * memory for even one.
 */
struct bgi_slab *bgi_slab_create(unsigned class, size_t size, size_t page, size_t most);
void bgi_slab_destroy(struct bgi_slab *slab);

/* Takes a cold slot of a slab that has one. */
struct bgi_slot bgi_slab_claim(struct bgi_slab *slab);

/* Gives back the memory of the slots in slab->drop, a run of them at a time. Guards stay. */
void bgi_slab_drop(struct bgi_slab *slab);

#endif

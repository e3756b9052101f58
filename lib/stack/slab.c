/*
 * Mapping and unmapping of slabs, and the system calls on runs of slots.
 */
#include "stack/slab.h"

#include "base/alloc.h"

struct bgi_slab *bgi_slab_create(unsigned class, size_t size, size_t page, size_t most)
{
    size_t stride = size + page;
    size_t count = BGI_SLAB_BYTES / stride;
    count = count > BGI_SLAB_SLOTS ? BGI_SLAB_SLOTS : count < 1 ? 1 : count;
    count = count > most ? most : count;
    struct bgi_slab *slab = bgi_calloc(1, sizeof *slab);
    if (!slab) {
        return NULL;
    }
    for (; count > 0; count /= 4) {
        slab->base = bgi_mmap(count * stride, PROT_READ | PROT_WRITE, MAP_NORESERVE);
        if (slab->base) {
            break;
        }
    }
    if (!slab->base) {
        bgi_free(slab);
        return NULL;
    }
    /* A huge page under a stack would be resident as a whole. Refused where there are none. */
    (void)bgi_madvise(slab->base, count * stride, MADV_NOHUGEPAGE);
    slab->size = size;
    slab->page = page;
    slab->count = (unsigned)count;
    slab->class = class;
    slab->cold = bgi_slab_mask(slab->count);
    bgi_list_init(&slab->all);
    bgi_list_init(&slab->partial);
    return slab;
}

void bgi_slab_destroy(struct bgi_slab *slab)
{
    (void)bgi_munmap(slab->base, slab->count * bgi_slab_stride(slab));
    bgi_guard_unmapped((size_t)__builtin_popcountll(slab->protected));
    bgi_free(slab);
}

struct bgi_slot bgi_slab_claim(struct bgi_slab *slab)
{
    struct bgi_slot slot = {slab, (unsigned)__builtin_ctzll(slab->cold), BGI_GUARD_NONE};
    uint64_t bit = UINT64_C(1) << slot.index;
    if (slab->marked & bit) {
        slot.guard = BGI_GUARD_MARKER;
    } else if (slab->protected & bit) {
        slot.guard = BGI_GUARD_PROTECT;
    }
    slab->cold &= ~bit;
    return slot;
}

void bgi_slab_drop(struct bgi_slab *slab)
{
    uint64_t left = slab->drop;
    while (left) {
        unsigned from = (unsigned)__builtin_ctzll(left);
        uint64_t after = ~(left >> from);
        unsigned run = after == 0 ? 64 - from : (unsigned)__builtin_ctzll(after);
        /* A refusal costs memory and nothing else: the slots count as cold all the same. */
        (void)bgi_madvise(bgi_slab_slot(slab, from), run * bgi_slab_stride(slab), MADV_DONTNEED);
        left &= ~(bgi_slab_mask(run) << from);
    }
}

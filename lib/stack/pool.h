/*
 * What the pool's files share: its global half. stack.c says who may touch what.
 */
#ifndef BGI_STACK_POOL_H
#define BGI_STACK_POOL_H

#include "arch/lock.h"
#include "base/list.h"

#include "stack/slab.h"
#include "stack/stack.h"

enum {
    BGI_STACK_CLASSES = 11,            /* the default, and 16 KiB to 8 MiB */
    BGI_STACK_BIG = BGI_STACK_CLASSES, /* a slab of its own */
};

struct bgi_stack_class {
    size_t size;
    bgi_stack *batches; /* by batch_next */
    size_t pooled, idle, keep;
    struct bgi_list partial; /* slabs with cold slots */
};

struct bgi_stack_global {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_lock lock;
    size_t page;
    struct bgi_list slabs;
    size_t slab_count, slots, cold;
    struct bgi_stack_class class[BGI_STACK_CLASSES];
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_lock trimming;
};

#endif

/*
 * The walkers of the stack pool. See base/check.h.
 */
#ifndef BGI_STACK_CHECK_H
#define BGI_STACK_CHECK_H

#include "stack/stack.h"

#if BGI_DEBUG

/* While nobody else uses the pool: slabs, global lists, caches, and that each stack is in at most
 * one place. */
void bgi_stack_pool_check(bgi_stack_pool *pool);

/* Any thread that holds the lock `trimming`: all but the caches. Of many pooled stacks it looks at
 * the first of each batch only. */
void bgi_stack_pool_check_shared(bgi_stack_pool *pool);

#else

BGI_INLINE void bgi_stack_pool_check(bgi_stack_pool *pool)
{
    (void)pool;
}

BGI_INLINE void bgi_stack_pool_check_shared(bgi_stack_pool *pool)
{
    (void)pool;
}

#endif

#endif

/*
 * The walker of the stack pool: a pool passes in all its states, and every way of being broken is
 * named.
 */
#include "stack/check.h"

#include "stack/pool.h"

#include "dies.h"

enum { CACHES = 2, STACKS = 3 * BGI_STACK_BATCH, SIZE = 32 * 1024 };

static bgi_stack_pool *pool;
static bgi_stack *stack[STACKS];

static void get_all(void)
{
    for (int i = 0; i < STACKS; i++) {
        stack[i] = bgi_stack_get(pool, 0, 0);
        cr_assert_not_null(stack[i]);
    }
}

static void put_all(void)
{
    for (int i = 0; i < STACKS; i++) {
        bgi_stack_put(pool, (unsigned)i % CACHES, stack[i]);
    }
}

Test(check, a_pool_passes_in_all_its_states)
{
    pool = bgi_stack_pool_create(SIZE, CACHES);
    bgi_stack_pool_check(pool);
    for (int round = 0; round < 3; round++) {
        bgi_stack *other = bgi_stack_get(pool, 1, 100 * 1024);
        bgi_stack *big = bgi_stack_get(pool, 1, 64 << 20);
        get_all();
        bgi_stack_pool_check(pool);
        put_all();
        bgi_stack_put(pool, 1, other);
        bgi_stack_pool_check(pool);
        bgi_stack_put(pool, 1, big);
        bgi_stack_flush(pool, 0);
        bgi_stack_pool_check(pool);
        pool->global->class[0].keep = 0;
        (void)bgi_stack_trim(pool, SIZE_MAX);
        bgi_stack_pool_check(pool);
        cr_assert_geq(bgi_stack_trim(pool, SIZE_MAX), round == 0 ? 1 : 0);
        bgi_stack_pool_check(pool);
    }
    bgi_stack_pool_destroy(pool);
}

#if BGI_DEBUG

/* 32 stacks in the list of cache 0 and none in its spare, 32 in a pooled batch, 32 in use. */
static struct bgi_stack_global *make(void)
{
    if (pool == NULL) {
        pool = bgi_stack_pool_create(SIZE, CACHES);
        get_all();
        for (int i = 0; i < 2 * BGI_STACK_BATCH; i++) {
            bgi_stack_put(pool, i < BGI_STACK_BATCH ? 1 : 0, stack[i]);
        }
        bgi_stack_flush(pool, 1);
    }
    bgi_stack_pool_check(pool);
    return pool->global;
}

static void check(void *arg)
{
    (void)arg;
    bgi_stack_pool_check(pool);
}

/* Puts a wrong value in a word for as long as it takes to be found. */
#define FINDS(word, wrong, words)                                                                  \
    do {                                                                                           \
        __typeof__(word) right = (word);                                                           \
        (word) = (wrong);                                                                          \
        DIES(check, NULL, words);                                                                  \
        (word) = right;                                                                            \
        check(NULL);                                                                               \
    } while (0)

Test(check, wrong_sums_are_found)
{
    struct bgi_stack_global *g = make();
    FINDS(g->slab_count, 7, "brigade: stack pool: slab_count is 7, the list has 2");
    FINDS(g->slots, 100, "stack pool: slots is 100, the slabs have 128");
    FINDS(g->cold, 33, "stack pool: cold is 33, the slabs have 32");
    FINDS(g->class[0].pooled, 33, "stack pool: pooled is 33, the batches have 32");
    FINDS(g->class[0].pooled, 31, "stack pool: pooled is 31, the batches have more");
    FINDS(g->class[0].idle, 33, "stack pool: idle is 33, pooled 32");
}

Test(check, broken_slabs_are_found)
{
    struct bgi_stack_global *g = make();
    struct bgi_slab *full = stack[0]->slab;
    struct bgi_slab *half = stack[STACKS - 1]->slab;
    cr_assert_eq(full->cold, 0);
    cr_assert_eq(__builtin_popcountll(half->cold), 32);

    FINDS(full->count, 65, "stack pool: a slab of 65 slots, class 0");
    FINDS(full->class, 12, "stack pool: a slab of 64 slots, class 12");
    FINDS(full->size, 4096, "stack pool: a slab of class 0 has stacks of 4096 bytes");
    FINDS(half->count, 40, "stack pool: cold slots beyond the 40 of a slab");
    FINDS(full->drop, 1, "stack pool: slots are being dropped, and nobody trims");
    FINDS(full->cold, 1, "stack pool: a slab with 1 cold slots is not in the list of such");
    uint64_t marked = full->marked, protected = full->protected;
    full->marked |= 1;
    full->protected |= 1;
    DIES(check, NULL, "stack pool: a slot with two guards");
    full->marked = marked;
    full->protected = protected;
    check(NULL);
    bgi_list_remove(&half->partial);
    DIES(check, NULL, "stack pool: a slab with 32 cold slots is not in the list of such");
    bgi_list_push_back(&g->class[1].partial, &half->partial);
    DIES(check, NULL, "stack pool: a slab of class 0 is among those of 1");
}

Test(check, stacks_in_the_wrong_place_are_found)
{
    struct bgi_stack_global *g = make();
    bgi_stack *head = pool->cache[0].head;
    bgi_stack *batch = g->class[0].batches;

    FINDS(head->index, head->index ^ 1,
          "stack pool: a stack in a cache's list is not the one its record tells");
    FINDS(head->slab, NULL,
          "stack pool: a stack in a cache's list is not the one its record tells");
    FINDS(head->slow, !head->slow, "stack pool: a stack in a cache's list of class 0 with guard");
    FINDS(pool->cache[0].count, 33, "stack pool: a cache's list has 33");
    FINDS(pool->cache[0].count, 31, "stack pool: a cache's list of 31 has more than 31");
    FINDS(pool->cache[0].spare, stack[STACKS - 1], "stack pool: a cache's spare of 32 has ");
    FINDS(pool->cache[1].spare, head, "stack pool: a stack in a cache's spare is in two places");
    FINDS(batch->batch_count, 33, "stack pool: a batch of 33");
    FINDS(batch->next, batch, "stack pool: a stack in a batch is in two places");
    FINDS(batch->next, NULL, "stack pool: a batch of 32 has 1");

    /* A stack that is in a cache and cold as well. */
    struct bgi_slab *slab = head->slab;
    bgi_list_push_back(&g->class[0].partial, &slab->partial);
    slab->cold |= UINT64_C(1) << head->index;
    g->cold++;
    DIES(check, NULL, "stack pool: a stack in a cache's list is cold");
}

static void check_overflown(void *arg)
{
    (void)arg;
    bgi_guard_force(BGI_GUARD_CANARY);
    pool = bgi_stack_pool_create(SIZE, CACHES);
    bgi_stack *s = bgi_stack_get(pool, 0, 0);
    bgi_stack_put(pool, 0, s);
    memset(s->low - 64, 0, 64);
    bgi_stack_pool_check(pool);
}

Test(check, a_broken_canary_is_found)
{
    DIES(check_overflown, NULL, "brigade: stack overflow in task");
}

static void trim(void *arg)
{
    (void)arg;
    (void)bgi_stack_trim(pool, SIZE_MAX);
    (void)bgi_stack_trim(pool, SIZE_MAX);
}

Test(check, a_trim_looks_at_the_pool)
{
    struct bgi_stack_global *g = make();
    g->class[0].keep = 0;
    g->slots++;
    DIES(trim, NULL, "stack pool: slots is 129, the slabs have 128");
}

static void destroy(void *arg)
{
    (void)arg;
    bgi_stack_pool_destroy(pool);
}

Test(check, the_end_looks_at_the_pool)
{
    struct bgi_stack_global *g = make();
    g->slots++;
    DIES(destroy, NULL, "stack pool: slots is 129, the slabs have 128");
}

#endif

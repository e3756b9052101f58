/*
 * Where task records come from.
 *
 * Each worker has a list of free records that only it touches. When it is empty a batch comes from
 * the runtime's list or from the current chunk, when it is too long a batch goes back, so a worker
 * that spawns and another that awaits do not drain memory from one to the other. Chunks are never
 * given back before the runtime ends.
 */
#include "task/task.h"

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

_Static_assert(BGI_TASKS_A_CHUNK >= BGI_TASK_BATCH, "a chunk serves at least one batch");

/* A chunk at an address that is a multiple of its size: mapped twice as large, then cut. */
static struct bgi_task_chunk *map_chunk(void)
{
    char *p = bgi_mmap(2 * BGI_TASK_CHUNK, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    if (p == NULL) {
        return NULL;
    }
    size_t before = (size_t)(-(uintptr_t)p & (BGI_TASK_CHUNK - 1));
    if (before != 0) {
        (void)bgi_munmap(p, before);
    }
    (void)bgi_munmap(p + before + BGI_TASK_CHUNK, BGI_TASK_CHUNK - before);
    return (struct bgi_task_chunk *)(void *)(p + before);
}

/* Under the lock: a chunk with records that were never in use, or NULL. */
static struct bgi_task_chunk *fresh_chunk(bg_runtime *rt)
{
    struct bgi_task_chunk *c = rt->chunks;
    if (c != NULL && c->used < BGI_TASKS_A_CHUNK) {
        return c;
    }
    c = map_chunk();
    if (c != NULL) {
        if (rt->chunks != NULL) {
            /* Where one chunk was not enough more will follow: all pages at one fault's price.
             * Where the kernel does not know the advice, they come one by one. */
            (void)bgi_madvise(c, BGI_TASK_CHUNK, MADV_POPULATE_WRITE);
        }
        c->runtime = rt;
        c->next = rt->chunks;
        rt->chunks = c;
    }
    return c;
}

/* A list of up to `most` records; *n says how many. */
static struct bgi_link *refill(bg_runtime *rt, unsigned most, unsigned *n)
{
    struct bgi_link *list = NULL;
    unsigned got = 0;

    bgi_lock_acquire(&rt->lock);
    while (got < most && rt->free != NULL) {
        struct bgi_link *l = rt->free;
        rt->free = l->next;
        rt->free_count--;
        l->next = list;
        list = l;
        got++;
    }
    struct bgi_task_chunk *c = got == 0 ? fresh_chunk(rt) : NULL;
    if (c != NULL) {
        size_t end = c->used + most < BGI_TASKS_A_CHUNK ? c->used + most : BGI_TASKS_A_CHUNK;
        for (size_t i = end; i > c->used; i--) { /* so that they are handed out by address */
            struct bg_task *t = &c->task[i - 1];
            bgi_store(&t->done, BGI_TASK_FREE);
            bgi_waiter_init(&t->waiter, bgi_task_wake);
            t->fiber.item.link.next = list;
            list = &t->fiber.item.link;
            got++;
        }
        c->used = end;
    }
    bgi_lock_release(&rt->lock);
    *n = got;
    return list;
}

/* Gives half of a cache that is too full to everybody. */
void bgi_task_cache_spill(bg_runtime *rt, bgi_task_cache *cache)
{
    struct bgi_link *first = cache->free;
    struct bgi_link *last = first;
    for (unsigned i = 1; i < BGI_TASK_BATCH; i++) {
        last = last->next;
    }
    cache->free = last->next;
    cache->count -= BGI_TASK_BATCH;
    bgi_lock_acquire(&rt->lock);
    last->next = rt->free;
    rt->free = first;
    rt->free_count += BGI_TASK_BATCH;
    bgi_lock_release(&rt->lock);
}

static bg_task *task_of(struct bgi_link *l)
{
    return bgi_task_of(bgi_fiber_of(bgi_item_of(l)));
}

bg_task *bgi_task_alloc_slow(bg_runtime *rt, bgi_worker *w)
{
    unsigned n;
    struct bgi_link *l = refill(rt, w == NULL ? 1 : BGI_TASK_BATCH, &n);
    if (l == NULL) {
        return NULL;
    }
    if (w != NULL) {
        rt->cache[w->index].free = l->next;
        rt->cache[w->index].count = n - 1;
    }
    return task_of(l);
}

void bgi_task_free_slow(bg_runtime *rt, bg_task *t)
{
    struct bgi_link *l = &t->fiber.item.link;
    bgi_lock_acquire(&rt->lock);
    l->next = rt->free;
    rt->free = l;
    rt->free_count++;
    bgi_lock_release(&rt->lock);
}

void bgi_task_each(bg_runtime *rt, void (*visit)(bg_task *t, void *arg), void *arg)
{
    bgi_lock_acquire(&rt->lock);
    struct bgi_task_chunk *c = rt->chunks;
    size_t used = c == NULL ? 0 : c->used; /* older chunks are used up */
    bgi_lock_release(&rt->lock);
    for (; c != NULL; c = c->next) {
        for (size_t i = 0; i < used; i++) {
            if (bgi_load_acquire(&c->task[i].done) != BGI_TASK_FREE) {
                visit(&c->task[i], arg);
            }
        }
        used = BGI_TASKS_A_CHUNK;
    }
}

void bgi_task_chunks_free(bg_runtime *rt)
{
    while (rt->chunks != NULL) {
        struct bgi_task_chunk *c = rt->chunks;
        rt->chunks = c->next;
        (void)bgi_munmap(c, BGI_TASK_CHUNK);
    }
}

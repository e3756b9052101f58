/*
 * The pool's slow half: sizes, batches, trimming.
 *
 * Sizes: class 0 is the default size, class k >= 1 is BGI_STACK_MIN << (k - 1). What is larger than
 * the largest class gets a mapping of its own, unmapped as soon as it comes back.
 *
 * Who may touch what:
 *   lists, counts, slab->cold           under global->lock
 *   slab->marked, slab->protected       the slot's bit belongs to who took the slot out of `cold`,
 *                                       so the words are changed under global->lock
 *   slab->drop, slab->dropping          under global->trimming
 *   a stack's record                    its user, its cache's owner, or under global->lock
 * System calls are made outside global->lock, on slots that are in no list and not cold.
 *
 * Trim gives back only what nobody needed since the last trim (`idle`, the least number of pooled
 * stacks seen), so a load that comes and goes between two trims keeps its memory.
 */
#include "stack/stack.h"

#include "base/alloc.h"
#include "base/list.h"
#include "base/panic.h"
#include "base/rank.h"

#include "stack/check.h"
#include "stack/overflow.h"
#include "stack/pool.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum {
    COLOURS = 31, /* half the lines of a page: with 15 a thousand tasks that wait miss the cache
                   * more, 37 were no better */
    COLOUR_STEP = BGI_CACHE_LINE,
    TRIM_ROUND = 8 * BGI_STACK_BATCH, /* stacks dropped between two looks at the lock */
};

_Static_assert(BGI_STACK_MIN << (BGI_STACK_CLASSES - 2) == 8 << 20, "the largest class");
_Static_assert((COLOURS - 1) * COLOUR_STEP + sizeof(bgi_stack) + 8192 <= BGI_STACK_MIN,
               "the smallest stack still holds something");

/* ---- slabs ---- */

/* Under the lock. */
static void slab_enter(struct bgi_stack_global *g, struct bgi_slab *slab)
{
    bgi_list_push_back(&g->slabs, &slab->all);
    g->slab_count++;
    g->slots += slab->count;
    g->cold += (size_t)__builtin_popcountll(slab->cold);
    if (slab->class != BGI_STACK_BIG) {
        bgi_list_push_back(&g->class[slab->class].partial, &slab->partial);
    }
}

/* Under the lock. */
static void slab_leave(struct bgi_stack_global *g, struct bgi_slab *slab)
{
    bgi_list_remove(&slab->all);
    bgi_list_remove(&slab->partial);
    g->slab_count--;
    g->slots -= slab->count;
    g->cold -= (size_t)__builtin_popcountll(slab->cold);
}

/* Under the lock: takes a cold slot of a slab that has one. */
static struct bgi_slot slot_claim(struct bgi_stack_global *g, struct bgi_slab *slab)
{
    struct bgi_slot slot = bgi_slab_claim(slab);
    g->cold--;
    if (slab->cold == 0) {
        bgi_list_remove(&slab->partial);
    }
    return slot;
}

/* A claimed slot gets its guard, which stays until the slab goes, and its record. */
static bgi_stack *slot_warm(struct bgi_stack_global *g, struct bgi_slot slot)
{
    struct bgi_slab *slab = slot.slab;
    char *page = bgi_slab_slot(slab, slot.index);
    if (slot.guard == BGI_GUARD_NONE) {
        slot.guard = bgi_guard_install(page, slab->page);
        if (slot.guard != BGI_GUARD_CANARY) {
            uint64_t bit = UINT64_C(1) << slot.index;
            bgi_lock_acquire(&g->lock);
            *(slot.guard == BGI_GUARD_MARKER ? &slab->marked : &slab->protected) |= bit;
            bgi_lock_release(&g->lock);
        }
    }
    char *low = page + slab->page;
    char *top = low + slab->size - (slot.index % COLOURS) * COLOUR_STEP;
    bgi_stack *s = (bgi_stack *)((uintptr_t)(top - sizeof *s) & ~(uintptr_t)(BGI_CACHE_LINE - 1));
    memset(s, 0, sizeof *s);
    s->low = low;
    s->size = (size_t)((char *)s - low);
    s->slow = slab->class != 0 || slot.guard == BGI_GUARD_CANARY;
    s->index = slot.index;
    s->scope = NULL;
    s->locals = NULL;
#if BGI_DEBUG
    s->held = NULL;
#endif
    s->timed_out = 0;
    s->slab = slab;
    s->guard = slot.guard;
    s->nominal = slab->size;
    return s;
}

/* ---- sizes and batches ---- */

/* BGI_STACK_BIG for what fits in no class; *size becomes the nominal size, 0 when it is beyond
 * reason. */
static unsigned class_of(const struct bgi_stack_global *g, size_t *size)
{
    size_t want = *size < BGI_STACK_MIN ? BGI_STACK_MIN : *size;
    if (want > PTRDIFF_MAX / 2) {
        *size = 0;
        return BGI_STACK_BIG;
    }
    want = (want + g->page - 1) & ~(g->page - 1);
    size_t power = BGI_STACK_MIN;
    unsigned class = 1;
    while (power < want && class < BGI_STACK_CLASSES) {
        power *= 2;
        class ++;
    }
    if (*size == 0 || want == g->class[0].size ||
        (class < BGI_STACK_CLASSES && power == g->class[0].size)) {
        *size = g->class[0].size;
        return 0;
    }
    *size = class < BGI_STACK_CLASSES ? power : want;
    return class < BGI_STACK_CLASSES ? class : BGI_STACK_BIG;
}

/* Under the lock. `s` heads a list of n. */
static void batch_give(struct bgi_stack_class *k, bgi_stack *s, unsigned n)
{
    s->batch_next = k->batches;
    s->batch_count = n;
    k->batches = s;
    k->pooled += n;
}

/* Under the lock: a whole batch, or NULL. */
static bgi_stack *batch_take(struct bgi_stack_class *k)
{
    bgi_stack *s = k->batches;
    if (s) {
        k->batches = s->batch_next;
        k->pooled -= s->batch_count;
        if (k->pooled < k->idle) {
            k->idle = k->pooled;
        }
    }
    return s;
}

/* A slot that is cold, in an old slab or a new one. */
static bgi_stack *get_cold(struct bgi_stack_global *g, struct bgi_stack_class *k)
{
    bgi_lock_acquire(&g->lock);
    if (bgi_list_empty(&k->partial)) {
        bgi_lock_release(&g->lock);
        struct bgi_slab *fresh =
            bgi_slab_create((unsigned)(k - g->class), k->size, g->page, BGI_SLAB_SLOTS);
        bgi_lock_acquire(&g->lock);
        if (fresh) {
            slab_enter(g, fresh);
        } else if (bgi_list_empty(&k->partial)) {
            bgi_lock_release(&g->lock);
            return NULL;
        }
    }
    struct bgi_slab *slab = BGI_CONTAINER_OF(k->partial.next, struct bgi_slab, partial);
    struct bgi_slot slot = slot_claim(g, slab);
    bgi_lock_release(&g->lock);
    return slot_warm(g, slot);
}

static bgi_stack *get_big(struct bgi_stack_global *g, size_t size)
{
    struct bgi_slab *slab = size ? bgi_slab_create(BGI_STACK_BIG, size, g->page, 1) : NULL;
    if (!slab) {
        return NULL;
    }
    bgi_lock_acquire(&g->lock);
    slab_enter(g, slab);
    struct bgi_slot slot = slot_claim(g, slab);
    bgi_lock_release(&g->lock);
    return slot_warm(g, slot);
}

BGI_NOINLINE bgi_stack *bgi_stack_get_slow(bgi_stack_pool *pool, unsigned cache, size_t size)
{
    struct bgi_stack_global *g = pool->global;
    struct bgi_stack_cache *c = &pool->cache[cache];
    unsigned class = class_of(g, &size);
    bgi_assert(cache < pool->caches);
    if (class == BGI_STACK_BIG) {
        return get_big(g, size);
    }
    struct bgi_stack_class *k = &g->class[class];
    if (class == 0 && !c->head && c->spare) {
        c->head = c->spare;
        c->count = BGI_STACK_BATCH;
        c->spare = NULL;
    }
    if (class != 0 || !c->head) {
        bgi_lock_acquire(&g->lock);
        bgi_stack *s = batch_take(k);
        bgi_lock_release(&g->lock);
        if (!s) {
            return get_cold(g, k);
        }
        if (class != 0) {
            return s; /* their batches are of one */
        }
        c->head = s;
        c->count = s->batch_count;
    }
    bgi_stack *s = c->head;
    c->head = s->next;
    c->count--;
    return s;
}

static void put_big(struct bgi_stack_global *g, bgi_stack *s)
{
    struct bgi_slab *slab = s->slab;
    bgi_context_fini(&s->context);
    bgi_lock_acquire(&g->lock);
    slab_leave(g, slab);
    bgi_lock_release(&g->lock);
    bgi_slab_destroy(slab);
}

BGI_NOINLINE void bgi_stack_put_slow(bgi_stack_pool *pool, unsigned cache, bgi_stack *s)
{
    struct bgi_stack_global *g = pool->global;
    struct bgi_stack_cache *c = &pool->cache[cache];
    bgi_assert(cache < pool->caches);
    bgi_stack_check(s);
    unsigned class = s->slab->class;
    if (class == BGI_STACK_BIG) {
        put_big(g, s);
        return;
    }
    if (class != 0) {
        s->next = NULL;
        bgi_lock_acquire(&g->lock);
        batch_give(&g->class[class], s, 1);
        bgi_lock_release(&g->lock);
        return;
    }
    if (c->count == BGI_STACK_BATCH) {
        if (c->spare) {
            bgi_lock_acquire(&g->lock);
            batch_give(&g->class[0], c->spare, BGI_STACK_BATCH);
            bgi_lock_release(&g->lock);
        }
        c->spare = c->head;
        c->head = NULL;
        c->count = 0;
    }
    s->next = c->head;
    c->head = s;
    c->count++;
}

void bgi_stack_flush(bgi_stack_pool *pool, unsigned cache)
{
    struct bgi_stack_global *g = pool->global;
    struct bgi_stack_cache *c = &pool->cache[cache];
    bgi_lock_acquire(&g->lock);
    if (c->head) {
        batch_give(&g->class[0], c->head, c->count);
    }
    if (c->spare) {
        batch_give(&g->class[0], c->spare, BGI_STACK_BATCH);
    }
    bgi_lock_release(&g->lock);
    c->head = NULL;
    c->spare = NULL;
    c->count = 0;
}

/* ---- checks ---- */

int bgi_stack_intact(const bgi_stack *s)
{
    size_t page = s->slab->page;
    return s->guard != BGI_GUARD_CANARY || bgi_guard_intact(s->low - page, page);
}

void bgi_stack_check(const bgi_stack *s)
{
    if (bgi_unlikely(!bgi_stack_intact(s))) {
        bgi_overflow_report(s->low - 1, s->low, s->nominal);
    }
}

int bgi_stack_guard_hit(const bgi_stack *s, const void *addr)
{
    uintptr_t a = (uintptr_t)addr;
    uintptr_t low = (uintptr_t)s->low;
    return a < low && a >= low - s->slab->page;
}

/* ---- giving back ---- */

/* Under global->lock: a slab that is all cold and not among the few kept for the next burst. */
static int slab_is_surplus(const struct bgi_stack_global *g, const struct bgi_slab *slab)
{
    return slab->cold == bgi_slab_mask(slab->count) && g->cold > 2 * (size_t)slab->count;
}

/* Under global->trimming: takes up to TRIM_ROUND stacks of a class back to cold. */
static size_t trim_round(struct bgi_stack_global *g, struct bgi_stack_class *k, size_t want)
{
    struct bgi_slab *touched = NULL;
    struct bgi_slab *dead = NULL;
    size_t n = 0;

    bgi_lock_acquire(&g->lock);
    bgi_stack *batches = NULL;
    while (n < want && k->batches) {
        bgi_stack *s = k->batches;
        k->batches = s->batch_next;
        k->pooled -= s->batch_count;
        n += s->batch_count;
        s->batch_next = batches;
        batches = s;
    }
    bgi_lock_release(&g->lock);

    while (batches) {
        bgi_stack *s = batches;
        batches = s->batch_next;
        for (bgi_stack *next; s; s = next) {
            next = s->next;
            struct bgi_slab *slab = s->slab;
            if (slab->drop == 0) {
                slab->dropping = touched;
                touched = slab;
            }
            slab->drop |= UINT64_C(1) << s->index;
            bgi_context_fini(&s->context);
        }
    }
    for (struct bgi_slab *slab = touched; slab; slab = slab->dropping) {
        bgi_slab_drop(slab);
    }

    bgi_lock_acquire(&g->lock);
    for (struct bgi_slab *slab = touched, *next; slab; slab = next) {
        next = slab->dropping;
        if (slab->cold == 0) {
            bgi_list_push_front(&k->partial, &slab->partial);
        }
        slab->cold |= slab->drop;
        g->cold += (size_t)__builtin_popcountll(slab->drop);
        slab->drop = 0;
        if (slab_is_surplus(g, slab)) {
            slab_leave(g, slab);
            slab->dropping = dead;
            dead = slab;
        }
    }
    bgi_lock_release(&g->lock);

    while (dead) {
        struct bgi_slab *slab = dead;
        dead = slab->dropping;
        bgi_slab_destroy(slab);
    }
    return n;
}

size_t bgi_stack_trim(bgi_stack_pool *pool, size_t budget)
{
    struct bgi_stack_global *g = pool->global;
    size_t done = 0;
    if (!bgi_lock_try(&g->trimming)) {
        return 0;
    }
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        struct bgi_stack_class *k = &g->class[i];
        bgi_lock_acquire(&g->lock);
        size_t surplus = k->idle > k->keep ? k->idle - k->keep : 0;
        bgi_lock_release(&g->lock);
        while (surplus > 0 && done < budget) {
            size_t want = budget - done < surplus ? budget - done : surplus;
            size_t got = trim_round(g, k, want < TRIM_ROUND ? want : TRIM_ROUND);
            if (got == 0) {
                break;
            }
            done += got;
            surplus -= got < surplus ? got : surplus;
        }
        bgi_lock_acquire(&g->lock);
        k->idle = k->pooled;
        bgi_lock_release(&g->lock);
    }
    if (done != 0) {
        bgi_stack_pool_check_shared(pool);
    }
    bgi_lock_release(&g->trimming);
    return done;
}

/* ---- the pool itself ---- */

bgi_stack_pool *bgi_stack_pool_create(size_t default_size, unsigned caches)
{
    bgi_stack_pool *pool = bgi_calloc(1, sizeof *pool);
    struct bgi_stack_global *g = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, sizeof *g);
    struct bgi_stack_cache *cache =
        caches ? bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, caches * sizeof *cache) : NULL;
    if (!pool || !g || !cache || default_size > PTRDIFF_MAX / 2) {
        bgi_free(pool);
        bgi_free(g);
        bgi_free(cache);
        return NULL;
    }
    memset(g, 0, sizeof *g);
    memset(cache, 0, caches * sizeof *cache);
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    bgi_lock_init(&g->lock, BGI_RANK_STACKS, "stacks");
    bgi_lock_init(&g->trimming, BGI_RANK_TRIMMING, "stacks trimming");
    bgi_list_init(&g->slabs);
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        struct bgi_stack_class *k = &g->class[i];
        k->size = i == 0 ? default_size : (size_t)BGI_STACK_MIN << (i - 1);
        k->keep = i == 0 ? BGI_STACK_KEEP : BGI_STACK_KEEP_OTHER;
        bgi_list_init(&k->partial);
    }
    default_size = default_size < BGI_STACK_MIN ? BGI_STACK_MIN : default_size;
    g->class[0].size = (default_size + g->page - 1) & ~(g->page - 1);
    pool->default_size = g->class[0].size;
    pool->cache = cache;
    pool->caches = caches;
    pool->global = g;
    return pool;
}

void bgi_stack_pool_destroy(bgi_stack_pool *pool)
{
    if (!pool) {
        return;
    }
    struct bgi_stack_global *g = pool->global;
    bgi_stack_pool_check(pool);
    for (unsigned i = 0; i < pool->caches; i++) {
        bgi_stack_flush(pool, i);
    }
    size_t idle = 0;
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        idle += g->class[i].pooled;
#if BGI_ASAN || BGI_TSAN || BGI_VALGRIND
        for (bgi_stack *b = g->class[i].batches; b; b = b->batch_next) {
            for (bgi_stack *s = b; s; s = s->next) {
                bgi_context_fini(&s->context);
            }
        }
#endif
    }
    if (idle + g->cold != g->slots) {
        bgi_panic("%zu stacks are in use while their pool goes away", g->slots - g->cold - idle);
    }
    while (!bgi_list_empty(&g->slabs)) {
        struct bgi_slab *slab = BGI_CONTAINER_OF(g->slabs.next, struct bgi_slab, all);
        slab_leave(g, slab);
        bgi_slab_destroy(slab);
    }
    bgi_free(pool->cache);
    bgi_free(g);
    bgi_free(pool);
}

void bgi_stack_pool_counts(bgi_stack_pool *pool, bgi_stack_counts *out)
{
    struct bgi_stack_global *g = pool->global;
    bgi_lock_acquire(&g->lock);
    out->slabs = g->slab_count;
    out->slots = g->slots;
    out->cold = g->cold;
    out->pooled = 0;
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        out->pooled += g->class[i].pooled;
    }
    bgi_lock_release(&g->lock);
}

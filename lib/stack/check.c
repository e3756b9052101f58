/*
 * Every slot of a slab is cold, or in one list, or somebody's. The walker notes in the slab which
 * slots it has come upon in a list; a second coming, or one upon a cold slot, is a stack in two
 * places. Slots it came upon in no list and that are not cold are in use.
 */
#include "stack/check.h"

#if BGI_DEBUG

#include "base/check.h"
#include "stack/pool.h"

enum { MANY_STACKS = 4096 };

/* Under the lock. */
static void check_slab(const struct bgi_stack_global *g, struct bgi_slab *slab)
{
    int partial = slab->class != BGI_STACK_BIG && slab->cold != 0;

    bgi_check(slab->count >= 1 && slab->count <= BGI_SLAB_SLOTS && slab->class <= BGI_STACK_BIG,
              "stack pool: a slab of %u slots, class %u", slab->count, slab->class);
    bgi_check(slab->class == BGI_STACK_BIG || slab->size == g->class[slab->class].size,
              "stack pool: a slab of class %u has stacks of %zu bytes", slab->class, slab->size);
    uint64_t all = bgi_slab_mask(slab->count);
    bgi_check((slab->cold & ~all) == 0, "stack pool: cold slots beyond the %u of a slab",
              slab->count);
    bgi_check((slab->marked & slab->protected) == 0, "stack pool: a slot with two guards");
    bgi_check(slab->drop == 0, "stack pool: slots are being dropped, and nobody trims");
    bgi_check(bgi_list_linked(&slab->partial) == partial,
              "stack pool: a slab with %d cold slots is%s in the list of such",
              __builtin_popcountll(slab->cold), partial ? " not" : "");
    slab->seen = 0;
}

/* Under the lock: slabs and their sums. */
static void check_slabs(struct bgi_stack_global *g)
{
    size_t slots = 0, cold = 0, partial = 0, listed = 0;
    struct bgi_list *l;
    size_t n = bgi_list_check(&g->slabs, "stack pool: slabs");

    bgi_check(n == g->slab_count, "stack pool: slab_count is %zu, the list has %zu", g->slab_count,
              n);
    bgi_list_for_each (l, &g->slabs) {
        struct bgi_slab *slab = BGI_CONTAINER_OF(l, struct bgi_slab, all);
        check_slab(g, slab);
        slots += slab->count;
        cold += (size_t)__builtin_popcountll(slab->cold);
        partial += bgi_list_linked(&slab->partial) != 0;
    }
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        listed += bgi_list_check(&g->class[i].partial, "stack pool: partial slabs");
        bgi_list_for_each (l, &g->class[i].partial) {
            unsigned class = BGI_CONTAINER_OF(l, struct bgi_slab, partial)->class;
            bgi_check(class == i, "stack pool: a slab of class %u is among those of %u", class, i);
        }
    }
    bgi_check(slots == g->slots, "stack pool: slots is %zu, the slabs have %zu", g->slots, slots);
    bgi_check(cold == g->cold, "stack pool: cold is %zu, the slabs have %zu", g->cold, cold);
    bgi_check(listed == partial, "stack pool: %zu slabs have cold slots, %zu are listed", partial,
              listed);
}

/* A stack in a list of free ones, come upon for the first time. */
static void check_free(bgi_stack *s, unsigned class, const char *where)
{
    struct bgi_slab *slab = s->slab;
    bgi_check(slab != NULL && slab->class == class && s->index < slab->count &&
                  s->low == bgi_slab_slot(slab, s->index) + slab->page,
              "stack pool: a stack in %s is not the one its record tells", where);
    uint64_t bit = UINT64_C(1) << s->index;
    bgi_check((slab->cold & bit) == 0, "stack pool: a stack in %s is cold", where);
    bgi_check((slab->seen & bit) == 0, "stack pool: a stack in %s is in two places", where);
    bgi_check(s->slow == (class != 0 || s->guard == BGI_GUARD_CANARY),
              "stack pool: a stack in %s of class %u with guard %s: slow is %u", where, class,
              bgi_guard_name((enum bgi_guard)s->guard), s->slow);
    slab->seen |= bit;
    bgi_stack_check(s);
}

/* A list of exactly n. */
static void check_chain(bgi_stack *s, size_t n, unsigned class, const char *where)
{
    size_t seen = 0;
    for (; s != NULL && seen < n; s = s->next) {
        check_free(s, class, where);
        seen++;
    }
    bgi_check(seen == n && s == NULL, "stack pool: %s of %zu has %s%zu", where, n,
              s != NULL ? "more than " : "", seen);
}

/* Under the lock. */
static void check_class(struct bgi_stack_global *g, unsigned class)
{
    struct bgi_stack_class *k = &g->class[class];
    size_t pooled = 0;
    for (bgi_stack *b = k->batches; b != NULL; b = b->batch_next) {
        bgi_check(b->batch_count >= 1 && b->batch_count <= BGI_STACK_BATCH,
                  "stack pool: a batch of %u", b->batch_count);
        pooled += b->batch_count;
        bgi_check(pooled <= k->pooled, "stack pool: pooled is %zu, the batches have more",
                  k->pooled);
        if (k->pooled <= MANY_STACKS) {
            check_chain(b, b->batch_count, class, "a batch");
        } else {
            check_free(b, class, "a batch");
        }
    }
    bgi_check(pooled == k->pooled, "stack pool: pooled is %zu, the batches have %zu", k->pooled,
              pooled);
    bgi_check(k->idle <= k->pooled, "stack pool: idle is %zu, pooled %zu", k->idle, k->pooled);
}

/* Under the lock. */
static void check_shared(struct bgi_stack_global *g)
{
    check_slabs(g);
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        check_class(g, i);
    }
}

void bgi_stack_pool_check_shared(bgi_stack_pool *pool)
{
    struct bgi_stack_global *g = pool->global;
    bgi_lock_acquire(&g->lock);
    check_shared(g);
    bgi_lock_release(&g->lock);
}

/* What the caches hold. */
static size_t check_caches(bgi_stack_pool *pool)
{
    size_t n = 0;
    for (unsigned i = 0; i < pool->caches; i++) {
        struct bgi_stack_cache *c = &pool->cache[i];
        bgi_check(c->count <= BGI_STACK_BATCH, "stack pool: a cache's list has %u", c->count);
        check_chain(c->head, c->count, 0, "a cache's list");
        check_chain(c->spare, c->spare != NULL ? BGI_STACK_BATCH : 0, 0, "a cache's spare");
        n += c->count + (c->spare != NULL ? BGI_STACK_BATCH : 0);
    }
    return n;
}

void bgi_stack_pool_check(bgi_stack_pool *pool)
{
    struct bgi_stack_global *g = pool->global;
    bgi_lock_acquire(&g->trimming);
    bgi_lock_acquire(&g->lock);
    check_shared(g);
    size_t n = check_caches(pool);
    for (unsigned i = 0; i < BGI_STACK_CLASSES; i++) {
        n += g->class[i].pooled;
    }
    bgi_check(n + g->cold <= g->slots, "stack pool: %zu free and %zu cold of %zu slots", n, g->cold,
              g->slots);
    bgi_lock_release(&g->lock);
    bgi_lock_release(&g->trimming);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_stack_check_compiled_away;

#endif

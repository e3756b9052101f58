/*
 * Models of the stack pool (stack/stack.h): a stack changes hands with all that was written on it,
 * and has one user at a time, whoever gets, puts and trims.
 */
#include "mc.h"

#include "stack/check.h"
#include "stack/pool.h"
#include "stack/stack.h"

enum { SIZE = BGI_STACK_MIN, OTHER = 4 * BGI_STACK_MIN, OTHER_CLASS = 3 };

static bgi_stack_pool *pool;
static bgi_stack *kept, *first, *got[3];

static void setup(void)
{
    pool = bgi_stack_pool_create(SIZE, 2);
    mc_assert(pool != NULL);
    kept = first = NULL;
    for (unsigned i = 0; i < 3; i++) {
        got[i] = NULL;
    }
}

/* Each in one place only, and the counts are right. */
static void all_accounted_for(void)
{
    bgi_stack_counts n;
    size_t used = kept != NULL;
    for (unsigned i = 0; i < 3; i++) {
        used += got[i] != NULL;
        mc_assert(got[i] == NULL || (got[i] != got[(i + 1) % 3] && got[i] != kept));
    }
    bgi_stack_flush(pool, 0);
    bgi_stack_flush(pool, 1);
    bgi_stack_pool_counts(pool, &n);
    mc_assert(n.cold + n.pooled + used == n.slots);
    bgi_stack_pool_check(pool);
}

/* ---- a batch ---- */

/* Worker 0 has a full list, a full spare, and a stack in use. */
static void two_batches_and_one(void)
{
    static bgi_stack *all[2 * BGI_STACK_BATCH];
    setup();
    for (unsigned i = 0; i < 2 * BGI_STACK_BATCH; i++) {
        all[i] = bgi_stack_get(pool, 0, 0);
        mc_assert(all[i] != NULL);
    }
    kept = bgi_stack_get(pool, 0, 0);
    for (unsigned i = 0; i < 2 * BGI_STACK_BATCH; i++) {
        bgi_stack_put(pool, 0, all[i]);
    }
    first = pool->cache[0].spare;
    mc_assert(first != NULL && pool->cache[0].count == BGI_STACK_BATCH);
}

static void uses_and_puts(void)
{
    first->note[0] = 1; /* as by what ran on it last */
    bgi_stack *s = kept;
    kept = NULL;
    bgi_stack_put(pool, 0, s);
}

static void get_1(unsigned i, size_t size)
{
    bgi_stack *s = bgi_stack_get(pool, 1, size);
    mc_assert(s != NULL);
    mc_assert(s != first || s->note[0] == 1);
    s->note[0] = 2;
    got[i] = s;
}

static void gets_two(void)
{
    get_1(0, 0);
    get_1(1, 0);
}

MC_MODEL(batch, .name = "stack/batch_changes_hands",
         .says = "a batch that one worker gives away another gets whole, as it was left",
         .setup = two_batches_and_one, .thread = {uses_and_puts, gets_two},
         .check = all_accounted_for);

/* ---- stacks never used before ---- */

static void get_cold(unsigned cache)
{
    bgi_stack *s = bgi_stack_get(pool, cache, 0);
    mc_assert(s != NULL);
    s->note[0] = cache;
    *(volatile char *)s->low = (char)cache;
    got[cache] = s;
}

static void get_cold_0(void)
{
    get_cold(0);
}

static void get_cold_1(void)
{
    get_cold(1);
}

MC_MODEL(cold, .name = "stack/two_first_ones",
         .says = "two workers that need new stacks get their own, and lose no slab", .setup = setup,
         .thread = {get_cold_0, get_cold_1}, .check = all_accounted_for);

/* ---- a trim meanwhile: it takes the lock so often that two preemptions are too many ---- */

/* Of another size one is pooled, and one in use; a trim may take all that is pooled. */
static void one_pooled(void)
{
    setup();
    kept = bgi_stack_get(pool, 0, OTHER);
    first = bgi_stack_get(pool, 0, OTHER);
    mc_assert(kept != NULL && first != NULL && first->slab->class == OTHER_CLASS);
    first->note[0] = 1;
    bgi_stack_put(pool, 0, first);
    first = kept;
    pool->global->class[OTHER_CLASS].keep = 0;
    (void)bgi_stack_trim(pool, 0); /* notes that one lies idle */
    mc_assert(pool->global->class[OTHER_CLASS].idle == 1);
}

static void gets_one(void)
{
    get_1(0, OTHER);
}

static void trims(void)
{
    (void)bgi_stack_trim(pool, 8);
}

MC_MODEL(trim_put, .name = "stack/trim_and_put",
         .says = "a trim takes what was put before it whole, and leaves the rest", .bound = 1,
         .setup = one_pooled, .thread = {uses_and_puts, trims}, .check = all_accounted_for);

MC_MODEL(trim_get, .name = "stack/trim_and_get",
         .says = "what a trim takes nobody gets, and who gets one has it as it was left",
         .bound = 1, .setup = one_pooled, .thread = {gets_one, trims}, .check = all_accounted_for);

MC_MODEL(two_trims, .name = "stack/two_trims", .says = "of two trims one does it, or both do half",
         .setup = one_pooled, .thread = {trims, trims}, .check = all_accounted_for);

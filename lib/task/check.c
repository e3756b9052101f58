/*
 * Free records are counted in two ways: over the lists, and over the chunks by their done word. A
 * record that is in two lists, or in a list and not free, makes the two differ.
 */
#include "task/check.h"

#if BGI_DEBUG

#include "base/check.h"
#include "wait/check.h"

/* Whether the address is that of a record of this runtime that has been handed out; it has to lie
 * in some chunk. */
static int is_record(const bg_runtime *rt, const bg_task *t)
{
    const struct bgi_task_chunk *c =
        (const struct bgi_task_chunk *)((uintptr_t)t & ~(BGI_TASK_CHUNK - 1));
    size_t at = (size_t)((const char *)t - (const char *)c);
    return at >= sizeof *c && (at - sizeof *c) % sizeof *t == 0 && c->runtime == rt &&
           (at - sizeof *c) / sizeof *t < c->used;
}

/* A list of exactly n free records. */
static size_t check_free_list(const bg_runtime *rt, struct bgi_link *l, size_t n, const char *where)
{
    size_t seen = 0;
    for (; l != NULL && seen < n; l = l->next) {
        const bg_task *t = bgi_task_of(bgi_fiber_of(bgi_item_of(l)));
        bgi_check(is_record(rt, t), "tasks: %s has something that is no record of its runtime",
                  where);
        bgi_check(bgi_load(&t->done) == BGI_TASK_FREE, "tasks: %s has a record whose done is %#zx",
                  where, bgi_load(&t->done));
        seen++;
    }
    bgi_check(seen == n && l == NULL, "tasks: %s of %zu has %s%zu", where, n,
              l != NULL ? "more than " : "", seen);
    return n;
}

static size_t check_lists(bg_runtime *rt)
{
    size_t n = check_free_list(rt, rt->free, rt->free_count, "the common list");
    bgi_word used = bgi_load(&rt->sched->used);
    for (bgi_word i = 0; i < used; i++) {
        n += check_free_list(rt, rt->cache[i].free, rt->cache[i].count, "a worker's list");
    }
    return n;
}

/* 1 for a record that is free. */
static size_t check_record(const bg_task *t, int ended)
{
    bgi_word done = bgi_load(&t->done);
    if (done == BGI_TASK_FREE) {
        return 1;
    }
    const char *name = bg_task_name(t);
    bgi_waiter_check(&t->waiter, name);
    bgi_check(!ended || done == BGI_TASK_DONE, "tasks: '%s' has not ended: done is %#zx", name,
              done);
    if (done > BGI_TASK_FREE) {
        bgi_check((done & ~(BGI_TASK_SINK | BGI_TASK_KEPT)) % _Alignof(bgi_waiter) == 0,
                  "tasks: '%s': done is %#zx: no waiter", name, done);
    } else if (done == BGI_TASK_DONE) {
        bgi_waiter_check_idle(&t->waiter, name);
    }
    return 0;
}

static void check(bg_runtime *rt, int ended)
{
    size_t free = 0;
    bgi_lock_acquire(&rt->lock);
    for (const struct bgi_task_chunk *c = rt->chunks; c != NULL; c = c->next) {
        bgi_check(c->runtime == rt, "tasks: a chunk is of another runtime");
        bgi_check(c->used <= BGI_TASKS_A_CHUNK && (c == rt->chunks || c->used == BGI_TASKS_A_CHUNK),
                  "tasks: a chunk has handed out %zu of %zu", c->used, BGI_TASKS_A_CHUNK);
        for (size_t i = 0; i < c->used; i++) {
            free += check_record(&c->task[i], ended);
        }
    }
    size_t listed = check_lists(rt);
    bgi_check(listed == free, "tasks: %zu records are free, the lists have %zu", free, listed);
    bgi_lock_release(&rt->lock);
}

void bgi_tasks_check(bg_runtime *rt)
{
    check(rt, 0);
}

void bgi_tasks_check_ended(bg_runtime *rt)
{
    check(rt, 1);
    bgi_check(bgi_tasks_live(rt) == 0, "tasks: %zu live, by the counters", bgi_tasks_live(rt));
    bgi_check(bgi_load(&rt->alive) == 0, "tasks: alive is %zu", bgi_load(&rt->alive));
}

#else

/* A translation unit has to declare something. */
typedef int bgi_task_check_compiled_away;

#endif

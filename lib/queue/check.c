/*
 * While thieves are at work the owner's own words stand still, and those of the thieves only grow
 * towards them: so the owner may read top or head at any moment, and what it reads may be too low
 * but is never too high. It does not look into items: a thief may have freed them by now.
 */
#include "queue/check.h"

#if BGI_DEBUG

#include "base/check.h"

enum { NODE_WORD_MOST = 2 }; /* EMPTY, PARKED, NOTIFIED */

static void check_rings(const struct bgi_deque_ring *r)
{
    bgi_check(r != NULL, "deque: there is no ring");
    for (; r != NULL; r = r->older) {
        bgi_check(r->mask != 0 && (r->mask & (r->mask + 1)) == 0,
                  "deque: a ring of %zu slots is no power of two", r->mask + 1);
        bgi_check(r->older == NULL || (r->older->mask + 1) * 2 == r->mask + 1,
                  "deque: a ring of %zu slots has outgrown one of %zu", r->mask + 1,
                  r->older->mask + 1);
    }
}

void bgi_deque_check(const bgi_deque *d)
{
    const struct bgi_deque_ring *r = bgi_load_acquire_ptr(&d->ring);
    bgi_word b = bgi_load(&d->bottom);
    bgi_word t = bgi_load_acquire(&d->top);

    check_rings(r);
    bgi_check(!bgi_before(b, t), "deque: I1: top is %zu above bottom", t - b);
    bgi_check(b - t <= r->mask + 1, "deque: I2: bottom - top = %zu > %zu", b - t, r->mask + 1);
    for (bgi_word i = t; i != b; i++) {
        bgi_check(bgi_load(&r->slots[i & r->mask]) != 0, "deque: I2: index %zu holds no item", i);
    }
}

void bgi_runq_check(const bgi_runq *q)
{
    bgi_word t = bgi_load(&q->tail);
    bgi_word h = bgi_load_acquire(&q->head);

    bgi_check(!bgi_before(t, h), "run queue: R1: head is %zu above tail", h - t);
    bgi_check(t - h <= BGI_RUNQ_CAPACITY, "run queue: R2: tail - head = %zu > %d", t - h,
              BGI_RUNQ_CAPACITY);
    for (bgi_word i = h; i != t; i++) {
        bgi_check(bgi_load(&q->slots[i & BGI_RUNQ_MASK]) != 0,
                  "run queue: R2: index %zu holds no item", i);
    }
    bgi_check(q->jumps <= BGI_RUNQ_JUMPS, "run queue: %u jumps in a row > %d", q->jumps,
              BGI_RUNQ_JUMPS);
}

void bgi_injector_check(bgi_injector *q)
{
    bgi_lock_acquire(&q->lock);
    bgi_fifo_check(&q->items, bgi_load(&q->count), "injector");
    bgi_lock_release(&q->lock);
}

void bgi_ec_node_check(const bgi_ec_node *node)
{
    bgi_word word = bgi_load_acquire(&node->word);
    bgi_check(word <= NODE_WORD_MOST, "eventcount: a node's word is %zu", word);
}

void bgi_ec_check(bgi_eventcount *ec)
{
    const struct bgi_list *l;
    bgi_lock_acquire(&ec->lock);
    size_t n = bgi_list_check(&ec->sleepers, "eventcount");
    bgi_check(n == bgi_load(&ec->waiting), "eventcount: waiting is %zu, the list has %zu",
              bgi_load(&ec->waiting), n);
    bgi_list_for_each (l, &ec->sleepers) {
        bgi_ec_node_check(BGI_CONTAINER_OF(l, bgi_ec_node, link));
    }
    bgi_lock_release(&ec->lock);
}

#else

/* A translation unit has to declare something. */
typedef int bgi_queue_check_compiled_away;

#endif

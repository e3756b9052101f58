#include "queue/runq.h"

_Static_assert((BGI_RUNQ_CAPACITY & (BGI_RUNQ_CAPACITY - 1)) == 0, "a power of two");
_Static_assert(BGI_RUNQ_CAPACITY >= 2, "half of it is something");
_Static_assert(offsetof(bgi_runq, head) - offsetof(bgi_runq, tail) >= BGI_FALSE_SHARING_RANGE,
               "the owner's words and everybody's are on different lines");

void bgi_runq_init(bgi_runq *q)
{
    bgi_store(&q->tail, 0);
    bgi_store(&q->next, 0);
    bgi_store(&q->head, 0);
    for (size_t i = 0; i < BGI_RUNQ_CAPACITY; i++) {
        bgi_store(&q->slots[i], 0);
    }
    q->jumps = 0;
}

size_t bgi_runq_push_slow(bgi_runq *q, struct bgi_link *item, struct bgi_fifo *overflow)
{
    bgi_word t = bgi_load(&q->tail);
    bgi_word h = bgi_load_acquire(&q->head);
    bgi_word n = (t - h) / 2;
    struct bgi_link *batch[BGI_RUNQ_CAPACITY / 2];

    if (t - h < BGI_RUNQ_CAPACITY) { /* a thief has been here */
        return bgi_runq_push(q, item, overflow);
    }
    for (bgi_word i = 0; i < n; i++) {
        batch[i] = bgi_load_ptr(&q->slots[(h + i) & BGI_RUNQ_MASK]);
    }
    if (!bgi_cas(&q->head, h, h + n)) { /* so was one just now: head moved, there is room */
        return bgi_runq_push(q, item, overflow);
    }
    bgi_fifo_init(overflow);
    for (bgi_word i = 0; i < n; i++) {
        bgi_fifo_push(overflow, batch[i]);
    }
    bgi_fifo_push(overflow, item);
    return n + 1;
}

struct bgi_link *bgi_runq_steal(bgi_runq *victim, bgi_runq *into)
{
    bgi_word own = bgi_load(&into->tail);
    bgi_word room = BGI_RUNQ_CAPACITY - (own - bgi_load_acquire(&into->head));

    for (;;) {
        bgi_word h = bgi_load_acquire(&victim->head);
        bgi_word t = bgi_load_acquire(&victim->tail); /* pairs with the release in push */
        if (!bgi_before(h, t)) {
            return NULL;
        }
        bgi_word n = t - h;
        if (n > BGI_RUNQ_CAPACITY) { /* head and tail are of different moments */
            continue;
        }
        n -= n / 2;
        if (n - 1 > room) {
            n = room + 1;
        }
        /* The first is for the thief itself. The others go where only this thief writes and
         * nobody looks before its tail is moved. */
        struct bgi_link *first = bgi_load_ptr(&victim->slots[h & BGI_RUNQ_MASK]);
        for (bgi_word i = 1; i < n; i++) {
            bgi_store(&into->slots[(own + i - 1) & BGI_RUNQ_MASK],
                      bgi_load(&victim->slots[(h + i) & BGI_RUNQ_MASK]));
        }
        if (bgi_cas(&victim->head, h, h + n)) {
            if (n > 1) {
                bgi_store_release(&into->tail, own + n - 1); /* pairs with other thieves' acquire */
            }
            return first;
        }
    }
}

struct bgi_link *bgi_runq_steal_next(bgi_runq *victim)
{
    struct bgi_link *item = bgi_load_acquire_ptr(&victim->next); /* pairs with put_next */
    if (item != NULL && bgi_cas_ptr(&victim->next, item, NULL)) {
        return item;
    }
    return NULL;
}

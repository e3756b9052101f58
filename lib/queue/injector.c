#include "queue/injector.h"

void bgi_injector_init(bgi_injector *q)
{
    bgi_lock_init(&q->lock, BGI_RANK_INJECTOR, "injector");
    bgi_fifo_init(&q->items);
    bgi_store(&q->count, 0);
}

void bgi_injector_push(bgi_injector *q, struct bgi_fifo *chain, size_t n)
{
    bgi_lock_acquire(&q->lock);
    bgi_fifo_splice(&q->items, chain);
    bgi_store_release(&q->count, bgi_load(&q->count) + n);
    bgi_lock_release(&q->lock);
}

size_t bgi_injector_pop(bgi_injector *q, struct bgi_fifo *chain, size_t most)
{
    bgi_fifo_init(chain);
    if (bgi_injector_size(q) == 0) {
        return 0;
    }
    bgi_lock_acquire(&q->lock);
    size_t n = bgi_load(&q->count);
    if (n > most) {
        n = most;
    }
    for (size_t i = 0; i < n; i++) {
        bgi_fifo_push(chain, bgi_fifo_pop(&q->items));
    }
    bgi_store_release(&q->count, bgi_load(&q->count) - n);
    bgi_lock_release(&q->lock);
    return n;
}

#include "queue/deque.h"

#include "base/alloc.h"

#include <errno.h>

_Static_assert(offsetof(bgi_deque, top) - offsetof(bgi_deque, bottom) >= BGI_FALSE_SHARING_RANGE,
               "owner and thieves write different lines");

static struct bgi_deque_ring *ring_create(size_t capacity)
{
    struct bgi_deque_ring *r =
        bgi_calloc(1, sizeof(struct bgi_deque_ring) + capacity * sizeof(bgi_atomic));
    if (r != NULL) {
        r->mask = capacity - 1;
    }
    return r;
}

int bgi_deque_init(bgi_deque *d, size_t capacity)
{
    if (capacity < 2 || (capacity & (capacity - 1)) != 0) {
        return -EINVAL;
    }
    struct bgi_deque_ring *r = ring_create(capacity);
    if (r == NULL) {
        return -ENOMEM;
    }
    bgi_store(&d->bottom, 0);
    bgi_store(&d->top, 0);
    bgi_store_release_ptr(&d->ring, r);
    return 0;
}

void bgi_deque_destroy(bgi_deque *d)
{
    struct bgi_deque_ring *r = bgi_load_acquire_ptr(&d->ring);
    while (r != NULL) {
        struct bgi_deque_ring *older = r->older;
        bgi_free(r);
        r = older;
    }
    bgi_store_ptr(&d->ring, NULL);
}

static struct bgi_deque_ring *grow(bgi_deque *d, struct bgi_deque_ring *old, bgi_word top,
                                   bgi_word bottom)
{
    struct bgi_deque_ring *r = ring_create((old->mask + 1) * 2);
    if (r == NULL) {
        return NULL;
    }
    for (bgi_word i = top; i != bottom; i++) {
        bgi_store(&r->slots[i & r->mask], bgi_load(&old->slots[i & old->mask]));
    }
    r->older = old;
    bgi_store_release_ptr(&d->ring, r); /* pairs with the acquire in steal */
    return r;
}

int bgi_deque_push(bgi_deque *d, void *item)
{
    bgi_word b = bgi_load(&d->bottom);
    bgi_word t = bgi_load_acquire(&d->top); /* pairs with the cas in steal: the slot is free */
    struct bgi_deque_ring *r = bgi_load_ptr(&d->ring);
    if (bgi_unlikely(b - t > r->mask)) {
        r = grow(d, r, t, b);
        if (r == NULL) {
            return -ENOMEM;
        }
    }
    bgi_store_ptr(&r->slots[b & r->mask], item);
    bgi_store_release(&d->bottom, b + 1); /* pairs with the acquire in steal */
    return 0;
}

void *bgi_deque_take(bgi_deque *d)
{
    bgi_word b = bgi_load(&d->bottom) - 1;
    struct bgi_deque_ring *r = bgi_load_ptr(&d->ring);
    bgi_store_release(&d->bottom, b);
    bgi_fence_full(); /* partner: the fence in steal */
    bgi_word t = bgi_load(&d->top);
    if (bgi_before(b, t)) { /* it was empty */
        bgi_store_release(&d->bottom, t);
        return NULL;
    }
    void *item = bgi_load_ptr(&r->slots[b & r->mask]);
    if (t == b) { /* the last one: whoever moves top has it */
        if (!bgi_cas(&d->top, t, t + 1)) {
            item = NULL;
        }
        bgi_store_release(&d->bottom, b + 1);
    }
    return item;
}

int bgi_deque_take_back(bgi_deque *d, const void *item)
{
    bgi_word b = bgi_load(&d->bottom);
    const struct bgi_deque_ring *r = bgi_load_ptr(&d->ring);
    /* Slots are the owner's: this one holds the newest item; or, when the deque is empty, what was
     * there last (0 in a new ring), which may be this item, stolen: take finds that out. */
    return bgi_load_ptr(&r->slots[(b - 1) & r->mask]) == item && bgi_deque_take(d) != NULL;
}

int bgi_deque_steal(bgi_deque *d, void **item)
{
    bgi_word t = bgi_load_acquire(&d->top);
    bgi_fence_full();                          /* partner: the fence in take */
    bgi_word b = bgi_load_acquire(&d->bottom); /* pairs with the releases of push and take */
    if (!bgi_before(t, b)) {
        return 0;
    }
    struct bgi_deque_ring *r = bgi_load_acquire_ptr(&d->ring); /* pairs with grow */
    void *found = bgi_load_ptr(&r->slots[t & r->mask]);
    if (!bgi_cas(&d->top, t, t + 1)) {
        return -EAGAIN;
    }
    *item = found;
    return 1;
}

size_t bgi_deque_size(const bgi_deque *d)
{
    bgi_word t = bgi_load_acquire(&d->top);
    bgi_word b = bgi_load_acquire(&d->bottom);
    return bgi_before(t, b) ? b - t : 0;
}

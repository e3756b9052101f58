/*
 * Channels, from the inside: what select shares with sync/chan.c, which has the design note.
 */
#ifndef BGI_CHAN_H
#define BGI_CHAN_H

#include "sync/door.h"

#include <brigade/chan.h>
#include <errno.h>
#include <string.h>

/* What somebody waits for. */
enum bgi_chan_kind { BGI_CHAN_SEND, BGI_CHAN_RECV };

struct bg_chan {
    /* Written by every call. */
    bgi_door door;
    bgi_atomic count; /* items in the ring; stored inside, read by anybody (relaxed) */
    uint32_t head;    /* the slot of the oldest */
    uint32_t tail;    /* the slot of the next to come */
    /* Read by every call. */
    size_t elem_size;
    uint32_t capacity;
    uint32_t closed;
    bgi_waitq waiting[2]; /* by bgi_chan_kind; lists only: the door is their word */
    BGI_ALIGNED(16) unsigned char ring[];
};

_Static_assert(offsetof(struct bg_chan, elem_size) == BGI_CACHE_LINE, "a line is written");

/* A select that waits, in one or several channels (sync/select.c).
 * claim: 0 -> 1 + the index of a case, by who serves it, inside its channel; 0 -> BGI_SELECT_OVER
 * by itself, when its wait has ended otherwise. Compare-and-swaps; the first one decides. */
typedef struct bgi_select {
    bgi_atomic claim;
} bgi_select;

#define BGI_SELECT_OVER (~(bgi_word)0)

/* Who waits in a channel: on its stack, or in the case of a select. */
typedef struct bgi_chan_node {
    bgi_wait_node node; /* first; info: a bgi_chan_kind */
    void *data;         /* where the item lies, or goes; NULL: it is dropped */
    bgi_select *select; /* NULL: it waits for this alone */
    uint32_t index;     /* of its case */
    int result;         /* 0, or -EPIPE by who closes the channel */
} bgi_chan_node;

BGI_INLINE bgi_chan_node *bgi_chan_node_of(bgi_wait_node *n)
{
    return BGI_CONTAINER_OF(n, bgi_chan_node, node);
}

BGI_INLINE void bgi_chan_copy(void *to, const void *from, size_t size)
{
    switch (size) {
    case 0:
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, size);
        break;
    }
}

/* ---- inside ---- */

bgi_chan_node *bgi_chan_take_slow(bgi_waitq *q);

/* Who has waited longest for this, taken out and claimed, or NULL. To be woken after leaving. */
BGI_INLINE bgi_chan_node *bgi_chan_take(bg_chan *ch, enum bgi_chan_kind kind)
{
    bgi_waitq *q = &ch->waiting[kind];
    bgi_wait_node *n = q->first;
    if (n == NULL) {
        return NULL;
    }
    if (bgi_unlikely(bgi_chan_node_of(n)->select != NULL)) {
        return bgi_chan_take_slow(q);
    }
    bgi_waitq_remove(q, n);
    return bgi_chan_node_of(n);
}

BGI_INLINE unsigned char *bgi_chan_slot(bg_chan *ch, uint32_t i)
{
    return ch->ring + i * ch->elem_size;
}

BGI_INLINE uint32_t bgi_chan_after(const bg_chan *ch, uint32_t i)
{
    return i + 1 == ch->capacity ? 0 : i + 1;
}

BGI_INLINE void bgi_chan_put(bg_chan *ch, const void *item)
{
    bgi_chan_copy(bgi_chan_slot(ch, ch->tail), item, ch->elem_size);
    ch->tail = bgi_chan_after(ch, ch->tail);
}

BGI_INLINE void bgi_chan_get(bg_chan *ch, void *item)
{
    if (bgi_likely(item != NULL)) {
        bgi_chan_copy(item, bgi_chan_slot(ch, ch->head), ch->elem_size);
    }
    ch->head = bgi_chan_after(ch, ch->head);
}

/*
 * Sends if that needs no wait: 0, -EPIPE, or -EAGAIN: it does. *partner: whose wait it has ended,
 * or NULL; after leaving, the item is to be given to it.
 */
BGI_INLINE int bgi_chan_send_inside(bg_chan *ch, const void *item, bgi_chan_node **partner)
{
    *partner = bgi_chan_take(ch, BGI_CHAN_RECV);
    if (*partner != NULL) {
        return 0;
    }
    if (bgi_unlikely(ch->closed != 0)) {
        return -EPIPE;
    }
    bgi_word count = bgi_load(&ch->count);
    if (count == ch->capacity) {
        return -EAGAIN;
    }
    bgi_chan_put(ch, item);
    bgi_store(&ch->count, count + 1);
    return 0;
}

/* After leaving; the channel may be gone: it is known by its address alone, `size` is its items'.
 */
BGI_INLINE void bgi_chan_give(bg_chan *ch, bgi_chan_node *partner, const void *item, size_t size)
{
    if (bgi_likely(partner->data != NULL)) {
        bgi_chan_copy(partner->data, item, size);
    }
    bgi_waitq_wake_one(&ch->door.q, &partner->node);
}

/*
 * Receives if that needs no wait, likewise. *from: where the item still has to be taken from after
 * leaving, before the partner is woken, or NULL.
 */
BGI_INLINE int bgi_chan_recv_inside(bg_chan *ch, void *item, bgi_chan_node **partner,
                                    const void **from)
{
    bgi_word count = bgi_load(&ch->count);
    *from = NULL;
    if (count != 0) {
        bgi_chan_get(ch, item);
        *partner = bgi_chan_take(ch, BGI_CHAN_SEND);
        if (*partner != NULL) {
            bgi_chan_put(ch, (*partner)->data);
        } else {
            bgi_store(&ch->count, count - 1);
        }
        return 0;
    }
    *partner = bgi_chan_take(ch, BGI_CHAN_SEND);
    if (*partner != NULL) {
        *from = (*partner)->data;
        return 0;
    }
    return bgi_unlikely(ch->closed != 0) ? -EPIPE : -EAGAIN;
}

BGI_INLINE void bgi_chan_got(bg_chan *ch, bgi_chan_node *partner, void *item, const void *from,
                             size_t size)
{
    if (from != NULL && item != NULL) {
        bgi_chan_copy(item, from, size);
    }
    bgi_waitq_wake_one(&ch->door.q, &partner->node);
}

extern const bgi_wait_kind bgi_wait_chan, bgi_wait_select; /* the latter in sync/select.c */

#endif

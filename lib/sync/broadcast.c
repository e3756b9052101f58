/*
 * Broadcasts: a ring in which nobody waits for room, and a wait queue of subscribers that have seen
 * all of it.
 *
 * Items are numbered from 0 on; `sent` is the number of the next. Item i lies in slot i % capacity
 * until item i + capacity overwrites it. A subscriber is the number of the item it wants next. So
 * subscribing is a look at `sent`; nothing else is kept of subscribers but how many there are.
 *
 * Invariants, when nobody is inside
 *   B1  at <= sent, for every subscriber; who waits wants item `sent`.
 *   B2  when it is closed nobody waits.
 * The word's value (wait/queue.h) is not used; all else is written inside. A subscriber's number is
 * its task's own, but for the time in which that waits: then it is moved on, inside, by who sends.
 *
 * Who waits is given the item where it wants it by who sends it, after leaving. So it has received
 * it even if it is cancelled at that moment, and never comes back to the broadcast for it.
 */
#include "base/alloc.h"
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/broadcast.h>
#include <errno.h>

struct bg_broadcast {
    bgi_waitq q;
    uint64_t sent;
    size_t elem_size;
    size_t capacity;
    size_t subscribers;
    int closed;
    BGI_ALIGNED(16) unsigned char ring[];
};

struct subscriber {
    bg_broadcast *broadcast; /* NULL: not subscribed */
    uint64_t at;
    bgi_atomic waits; /* 1 while somebody waits with it; for debug builds */
};

_Static_assert(sizeof(struct subscriber) <= sizeof(bg_subscriber), "bg_subscriber has room for it");
_Static_assert(_Alignof(struct subscriber) <= _Alignof(bg_subscriber), "and its alignment");

/* Who waits for the next item. */
struct wanted {
    bgi_wait_node node; /* first */
    struct subscriber *subscriber;
    void *item; /* where to; NULL: nowhere */
    int result;
};

static const bgi_wait_site broadcast_site = {"bg_broadcast_recv", "the next item of a broadcast"};

static struct subscriber *subscriber_of(bg_subscriber *subscriber)
{
    return (struct subscriber *)(void *)subscriber;
}

static unsigned char *slot(bg_broadcast *b, uint64_t i)
{
    return b->ring + (size_t)(i % b->capacity) * b->elem_size;
}

bg_broadcast *bg_broadcast_create(size_t elem_size, size_t capacity)
{
    size_t bytes;
    bg_broadcast *b = NULL;
    if (capacity != 0 && !__builtin_mul_overflow(elem_size, capacity, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *b, &bytes)) {
        b = bgi_aligned_alloc(_Alignof(bg_broadcast), bytes);
    }
    if (b != NULL) {
        memset(b, 0, sizeof *b);
        b->elem_size = elem_size;
        b->capacity = capacity;
    }
    return b;
}

void bg_broadcast_destroy(bg_broadcast *b)
{
#if BGI_DEBUG
    if (b != NULL) {
        bgi_word s = bgi_waitq_enter(&b->q);
        if (b->subscribers != 0) {
            bgi_misuse("bg_broadcast_destroy", bgi_task_self_name(), "%zu are subscribed",
                       b->subscribers);
        }
        bgi_waitq_leave(&b->q, s);
    }
#endif
    bgi_free(b);
}

/* ---- sending ---- */

/* Inside: takes out all who wait. */
static void take_all(bg_broadcast *b, bgi_wake_list *all, int result)
{
    for (bgi_wait_node *n; (n = bgi_waitq_pop(&b->q)) != NULL;) {
        struct wanted *w = BGI_CONTAINER_OF(n, struct wanted, node);
        w->result = result;
        w->subscriber->at = b->sent;
        bgi_wake_list_add(all, n);
    }
}

int bg_broadcast_send(bg_broadcast *b, const void *item)
{
    bgi_wake_list all = {NULL, NULL};

    if (b == NULL || (item == NULL && b->elem_size != 0)) {
        return -EINVAL;
    }
    bgi_task_point();
    bgi_word s = bgi_waitq_enter(&b->q);
    if (b->closed) {
        bgi_waitq_leave(&b->q, s);
        return -EPIPE;
    }
    size_t size = b->elem_size;
    if (size != 0) {
        memcpy(slot(b, b->sent), item, size);
    }
    b->sent++;
    take_all(b, &all, 0);
    bgi_waitq_leave(&b->q, s);
    for (bgi_wait_node *n = all.first; n != NULL; n = n->prev) {
        struct wanted *w = BGI_CONTAINER_OF(n, struct wanted, node);
        if (w->item != NULL && size != 0) {
            memcpy(w->item, item, size);
        }
    }
    bgi_waitq_wake_all(&b->q, &all);
    return 0;
}

int bg_broadcast_close(bg_broadcast *b)
{
    bgi_wake_list all = {NULL, NULL};

    if (b == NULL) {
        return -EINVAL;
    }
    bgi_task_point();
    bgi_word s = bgi_waitq_enter(&b->q);
    if (b->closed) {
        bgi_waitq_leave(&b->q, s);
        return -EALREADY;
    }
    b->closed = 1;
    take_all(b, &all, -EPIPE);
    bgi_waitq_leave(&b->q, s);
    bgi_waitq_wake_all(&b->q, &all);
    return 0;
}

/* ---- subscribing ---- */

int bg_broadcast_subscribe(bg_broadcast *b, bg_subscriber *subscriber)
{
    if (b == NULL || subscriber == NULL) {
        return -EINVAL;
    }
    struct subscriber *me = subscriber_of(subscriber);
    bgi_task_point();
    bgi_word s = bgi_waitq_enter(&b->q);
    me->broadcast = b;
    me->at = b->sent;
    bgi_store(&me->waits, 0);
    b->subscribers++;
    bgi_waitq_leave(&b->q, s);
    return 0;
}

void bg_broadcast_unsubscribe(bg_subscriber *subscriber)
{
    struct subscriber *me = subscriber_of(subscriber);
    if (me == NULL || me->broadcast == NULL) {
        return;
    }
#if BGI_DEBUG
    if (bgi_load(&me->waits) != 0) {
        bgi_misuse("bg_broadcast_unsubscribe", bgi_task_self_name(), "somebody waits with it");
    }
#endif
    bg_broadcast *b = me->broadcast;
    me->broadcast = NULL;
    bgi_task_point();
    bgi_word s = bgi_waitq_enter(&b->q);
    b->subscribers--;
    bgi_waitq_leave(&b->q, s);
}

/* ---- receiving ---- */

/* Inside: 0; -EPIPE; -EAGAIN: there is nothing yet. */
static int receive(bg_broadcast *b, struct subscriber *me, void *item, size_t *missed)
{
    uint64_t behind = b->sent - me->at;
    uint64_t lost = behind > b->capacity ? behind - b->capacity : 0;

    if (missed != NULL) {
        *missed = (size_t)lost;
    }
    if (behind == 0) {
        return b->closed ? -EPIPE : -EAGAIN;
    }
    me->at += lost;
    if (item != NULL && b->elem_size != 0) {
        memcpy(item, slot(b, me->at), b->elem_size);
    }
    me->at++;
    return 0;
}

int bg_broadcast_try_recv(bg_subscriber *subscriber, void *item, size_t *missed)
{
    struct subscriber *me = subscriber_of(subscriber);
    if (me == NULL || me->broadcast == NULL) {
        return -EINVAL;
    }
    bgi_waitq *q = &me->broadcast->q;
    bgi_task_point();
    bgi_word s = bgi_waitq_enter(q);
    int r = receive(me->broadcast, me, item, missed);
    bgi_waitq_leave(q, s);
    return r;
}

int bg_broadcast_recv(bg_subscriber *subscriber, void *item, size_t *missed)
{
    struct subscriber *me = subscriber_of(subscriber);
    bgi_waiter *w;
    int r = bgi_task_may_wait("bg_broadcast_recv", &w);
    if (r != 0) {
        return r;
    }
    if (me == NULL || me->broadcast == NULL) {
        return -EINVAL;
    }
    bgi_waitq *q = &me->broadcast->q;
    bgi_word s = bgi_waitq_enter(q);
    r = receive(me->broadcast, me, item, missed);
    if (r != -EAGAIN) {
        bgi_waitq_leave(q, s);
        return r;
    }
#if BGI_DEBUG
    if (bgi_load(&me->waits) != 0) {
        bgi_misuse("bg_broadcast_recv", bgi_task_self_name(), "another waits with this subscriber");
    }
    bgi_store(&me->waits, 1);
#endif
    struct wanted wanted = {.subscriber = me, .item = item};
    r = bgi_waitq_join(q, s, &wanted.node, w, &broadcast_site);
    bgi_store(&me->waits, 0);
    return r != 0 ? r : wanted.result;
}

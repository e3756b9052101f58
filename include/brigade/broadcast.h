/*
 * Broadcasts: every subscriber sees every item that is sent after it has subscribed.
 *
 *     bg_broadcast *news = bg_broadcast_create(sizeof(struct item), 64);
 *     ...
 *     bg_broadcast_send(news, &item);                        never waits
 *
 *     bg_subscriber me;                                      each in a task of its own
 *     bg_broadcast_subscribe(news, &me);
 *     while (bg_broadcast_recv(&me, &item, &missed) == 0) ...
 *     bg_broadcast_unsubscribe(&me);
 *
 * The last `capacity` items are kept. A subscriber that falls behind further than that has missed
 * some: it is told how many, and goes on with the oldest that is still there. Sending never waits
 * for anybody.
 *
 * Tasks, of whatever runtime, and plain threads may use the same broadcast. Items have one size,
 * and are copied.
 */
#ifndef BRIGADE_BROADCAST_H
#define BRIGADE_BROADCAST_H

#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_broadcast bg_broadcast;

/* One who receives; must stay in place while it is subscribed. */
typedef struct bg_subscriber {
    uintptr_t opaque[4];
} bg_subscriber;

/*
 * Makes a broadcast that keeps the last `capacity` items of elem_size bytes (which may be 0). The
 * caller owns it: bg_broadcast_destroy. From any thread; does not suspend. NULL: no memory, a
 * capacity of 0, or so much could never be had.
 */
BG_API bg_broadcast *bg_broadcast_create(size_t elem_size, size_t capacity);

/* Frees the broadcast. Everybody has unsubscribed (else misuse, in debug builds), and nobody begins
 * to use it. From any thread; does not suspend. NULL is ignored. */
BG_API void bg_broadcast_destroy(bg_broadcast *broadcast);

/*
 * Sends a copy of the item to all who are subscribed. `item` may be NULL when items have no size.
 * From anywhere, callbacks included; does not suspend. Returns 0, also if nobody is; -EPIPE:
 * closed; -EINVAL: broadcast is NULL, or item.
 */
BG_API int bg_broadcast_send(bg_broadcast *broadcast, const void *item);

/* Nothing more will be sent: subscribers get -EPIPE when they have seen what is left. From
 * anywhere; does not suspend. Returns 0; -EALREADY; -EINVAL. */
BG_API int bg_broadcast_close(bg_broadcast *broadcast);

/* Subscribes: *subscriber is to see all that is sent from now on, until it unsubscribes. From
 * anywhere; does not suspend. Returns 0; -EINVAL: either is NULL. */
BG_API int bg_broadcast_subscribe(bg_broadcast *broadcast, bg_subscriber *subscriber);

/* The end of that. Nobody waits with it (else misuse, in debug builds). From anywhere; does not
 * suspend. One that is not subscribed, or all zero, and NULL are ignored. */
BG_API void bg_broadcast_unsubscribe(bg_subscriber *subscriber);

/*
 * Receives the next item for this subscriber into *item, waiting until one is sent; with item NULL
 * it is dropped. *missed, unless NULL, is how many were lost between this item and the last one it
 * received: 0 as long as it keeps up. A subscriber receives for one task or thread at a time.
 *
 * In a task, where it suspends if it has to wait, or on a plain thread, which then blocks. Not in a
 * callback. Returns 0; -EPIPE: closed, and it has seen all that is left; -ECANCELED, -ETIMEDOUT:
 * the task, or a scope around the call, was cancelled or is over (also if there was no need to
 * wait): nothing was received, it can go on later; -EINVAL: subscriber is NULL or not subscribed;
 * -EPERM: in a callback (misuse in debug builds).
 */
BG_API int bg_broadcast_recv(bg_subscriber *subscriber, void *item, size_t *missed);

/* The same without waiting, from anywhere: -EAGAIN when there is nothing new. Neither suspends, nor
 * is it cancelled. */
BG_API int bg_broadcast_try_recv(bg_subscriber *subscriber, void *item, size_t *missed);

BG_END_DECLS

#endif

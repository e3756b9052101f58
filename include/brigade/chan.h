/*
 * Channels: items passed from senders to receivers, any number of either.
 *
 *     bg_chan *jobs = bg_chan_create(sizeof(struct job), 16);
 *     ...
 *     bg_send(jobs, &job);                    one task        copied in; waits while it is full
 *     while (bg_recv(jobs, &job) == 0) ...    another         copied out, until it is closed
 *
 * Items have one size, and are copied; what is large is best sent as a pointer. A channel holds up
 * to `capacity` items that nobody has received; one of capacity 0 holds none: there a send waits
 * for its receiver (a rendezvous). A receiver that waits is given the item directly.
 *
 * Order. Items are received in the order in which they were sent. Who waits longest is served
 * first, and nobody overtakes those who wait.
 *
 * Closing says that nothing more will be sent. What is in the channel can still be received; after
 * that bg_recv returns -EPIPE. Senders get -EPIPE from then on, those that wait included: their
 * item is not sent.
 *
 * Tasks, of whatever runtime, and plain threads may use the same channel. A task waits without
 * holding its worker; a thread blocks. A wait that is cancelled or whose time is over takes
 * nothing: its item has not been sent, or none been received. bg_select (brigade/select.h) waits
 * for the first of several.
 */
#ifndef BRIGADE_CHAN_H
#define BRIGADE_CHAN_H

#include <brigade/types.h>

BG_BEGIN_DECLS

typedef struct bg_chan bg_chan;

/*
 * Makes a channel for items of elem_size bytes that holds up to `capacity` of them. Both may be 0:
 * items of size 0 are mere tokens. The room is allocated at once, with the channel.
 *
 * The caller owns it: bg_chan_destroy. From any thread; does not suspend. Returns NULL when there
 * is no memory, or so much could never be had (that includes a capacity above 2^31 - 1).
 */
BG_API bg_chan *bg_chan_create(size_t elem_size, size_t capacity);

/*
 * Frees the channel; items that are still in it are dropped. Nobody may wait in it (misuse in debug
 * builds), and nobody begin to use it. It may go while a call of another's is still returning: of
 * one that waited when bg_close was called; of a sender whose item was received; of the receiver,
 * when there was no room for the item and bg_send has returned. From any thread; does not suspend.
 * NULL is ignored.
 */
BG_API void bg_chan_destroy(bg_chan *chan);

/*
 * Sends a copy of the item, waiting while the channel is full (with capacity 0: until it is
 * received). `item` may be NULL when items have no size.
 *
 * In a task, where it suspends if it has to wait, or on a plain thread, which then blocks. Not in a
 * callback. Returns 0: sent; -EPIPE: closed; -ECANCELED, -ETIMEDOUT: the task, or a scope around
 * the call, was cancelled or is over (also if there was no need to wait); not sent; -EINVAL: chan
 * is NULL, or item; -EPERM: in a callback (misuse in debug builds).
 */
BG_API int bg_send(bg_chan *chan, const void *item);

/*
 * Receives the oldest item into *item, waiting while there is none. With item NULL it is dropped.
 *
 * Likewise. Returns 0: received; -EPIPE: closed, and nothing is left; -ECANCELED, -ETIMEDOUT:
 * nothing was received; -EINVAL: chan is NULL; -EPERM.
 */
BG_API int bg_recv(bg_chan *chan, void *item);

/*
 * The same without waiting, from anywhere, callbacks included: -EAGAIN when it would have to wait.
 * Neither suspends, nor is it cancelled.
 */
BG_API int bg_try_send(bg_chan *chan, const void *item);
BG_API int bg_try_recv(bg_chan *chan, void *item);

/*
 * Closes the channel. Whoever waits in it is woken, with -EPIPE. From anywhere; does not suspend.
 * Returns 0; -EALREADY: it was closed before; -EINVAL: chan is NULL.
 */
BG_API int bg_close(bg_chan *chan);

/* How many items are in the channel, as of some moment during the call; those of waiting senders do
 * not count. How many it can hold. From anywhere; they do not suspend. NULL: 0. */
BG_API size_t bg_chan_length(const bg_chan *chan);
BG_API size_t bg_chan_capacity(const bg_chan *chan);

BG_END_DECLS

#endif

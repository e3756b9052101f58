/*
 * Readiness: who waits for a descriptor, reading or writing, and how an event reaches one of them.
 *
 * Events come from an edge-triggered epoll: one says that something has changed since the last. So
 * a direction remembers it, READY, until somebody has tried the call and found that nothing is
 * left.
 *
 * A call first takes READY away, then is made; when it left something, or may have, READY is put
 * back. An event that comes in between is not lost, as it sets READY after it was taken. A call
 * that finds no READY waits without trying, which saves a system call for each request of a
 * conversation. And a transfer of fewer bytes than asked for has found the end of what there is: it
 * does not put READY back. That is so for streams only, and not after an ODD event: with the end
 * of the stream, an error or urgent data a short transfer says nothing. -EAGAIN does, always: what
 * comes later is an event. READY put back after it would have the call made again for ever.
 *
 * Waiters are served one at a time, in order. An event goes to the first, who is bound to try; if
 * it leaves something it passes READY on. One that is cancelled at that moment was served (wait/
 * queue.h): it tries all the same. So no event is lost with a waiter.
 *
 * The word (wait/queue.h) of `in` and `out`, the value's bits
 *   READY (4)  0 -> 1  an event, or a call that has left something, and nobody waits
 *              1 -> 0  a call about to be made; close
 *   ODD   (8)  0 -> 1  an event with POLLRDHUP, POLLHUP, POLLERR or POLLPRI
 *              1 -> 0  close
 * QUEUED implies not READY. Partners: READY is set by an event, inside (leave, release), and taken
 * by a call (acquire), which so sees what the event was about; or by one to which it was passed on,
 * as both are read-modify-writes of the same word.
 *
 * bg_poll takes nothing. Who waits in it is in a list of its own, all of which each event wakes; it
 * is in the list before it looks, so that what comes after the look finds it there.
 */
#ifndef BGI_READY_H
#define BGI_READY_H

#include "io/fd.h"
#include "task/task.h"

#include <errno.h>

#define BGI_READY BGI_WAITQ_VALUE
#define BGI_ODD (2 * BGI_WAITQ_VALUE)

/* A call is about to be made, on a descriptor that is registered: 1, or 0: wait first. */
BGI_INLINE int bgi_ready_take(bgi_waitq *q)
{
    bgi_word s = bgi_load(&q->word);
    while (bgi_likely((s & (BGI_READY | BGI_WAITQ_FLAGS)) == BGI_READY)) {
        if (bgi_likely(bgi_cas_acquire(&q->word, s, s & ~BGI_READY))) {
            return 1;
        }
        s = bgi_load(&q->word);
    }
    return 0; /* or somebody is inside: the wait looks there */
}

/* A call was made that may have left something: it goes to the next. */
void bgi_ready_pass(bgi_waitq *q);

/* After a call that has done something, or failed. `drained`: it has found the end of what there
 * is. */
BGI_INLINE void bgi_ready_after(bgi_waitq *q, int drained)
{
    bgi_word s = bgi_load(&q->word);
    if (bgi_unlikely(!drained || (s & BGI_ODD) != 0)) {
        bgi_ready_pass(q);
    }
}

/* poll(2) for one descriptor: its events, 0 after `timeout` ms (-1: none), -EBADF, or the failure.
 * A function of its own: it reads errno, whose address the compiler may keep across a suspension.
 */
int bgi_ready_look(int fd, short events, int timeout);

/*
 * A batch of events is gone through in steps, so that what the next step touches of each of those
 * it wakes is fetched meanwhile: with a thousand connections nothing of them is in the cache.
 *
 * An event, with epoll's bits: who waited for it is taken out and added to the list.
 */
void bgi_ready_event(bgi_fd *e, uint32_t events, bgi_wake_list *l);

/* All those to the run queue of w, whose thread this is; how many. */
size_t bgi_ready_wake(bgi_wake_list *l, bgi_worker *w);

/* Signals one; if its task is to go on, it is added to those that bgi_push_woken will queue. */
BGI_INLINE void bgi_ready_signal(bgi_waiter *waiter, bgi_worker *w, struct bgi_fifo *woken)
{
    if (bgi_waiter_signal(waiter)) {
        bgi_item *item = bgi_task_waiter_wake(waiter, w->sched); /* no plain thread's */
        if (item != NULL) {
            bgi_item_prefetch_context(item);
            bgi_fifo_push(woken, &item->link);
        }
    }
}

/* The descriptor is closed: who waits gets -EBADF. Any thread. */
void bgi_ready_close(bgi_fd *e);

/* Inside `in`: whether the generation still is that of `state`. */
BGI_INLINE int bgi_ready_same(const bgi_fd *e, bgi_word state)
{
    return bgi_fd_generation_of(bgi_load(&e->state)) == bgi_fd_generation_of(state);
}

/* A node's info: it was taken out by a close. */
enum { BGI_READY_SERVED, BGI_READY_CLOSED };

/* The running task waits until the call is worth trying: 0, -EBADF: closed, or what ended the wait.
 * Inlined, as each frame on the stack of who waits is a miss of the cache when it goes on. */
BGI_INLINE int bgi_ready_wait(bgi_fd *e, bgi_waitq *q, bgi_word state, bgi_waiter *waiter,
                              const bgi_wait_site *site)
{
    bgi_wait_node node = {.info = BGI_READY_SERVED, .waiter = waiter};
    bgi_word s = bgi_waitq_enter(q);
    if (bgi_unlikely(!bgi_ready_same(e, state))) {
        bgi_waitq_leave(q, s);
        return -EBADF;
    }
    if (bgi_unlikely((s & BGI_READY) != 0)) {
        bgi_waitq_leave(q, s & ~BGI_READY);
        return 0;
    }
    bgi_waitq_push(q, &node);
    bgi_waitq_leave(q, s);
    int r = bgi_waitq_sleep(q, &node, site, &s);
    if (bgi_unlikely(r != 0)) {
        bgi_waitq_leave(q, s);
    }
    return bgi_likely(r != 0 || node.info == BGI_READY_SERVED) ? r : -EBADF;
}

/* The running task waits for one of these events of poll(2), which are returned; errors likewise.
 */
int bgi_ready_poll(bgi_fd *e, int fd, short events, bgi_word state, bgi_waiter *waiter,
                   const bgi_wait_site *site);

#endif

/*
 * Channels: a ring of items and two queues of those who wait, behind one door (sync/door.h).
 *
 * Everything happens inside: items are put in the ring and taken out of it, waiters queued and
 * taken out of the queue. Two things are left for after leaving: the copy from a sender to a
 * receiver who meet directly, one of whom is suspended until it is woken; and that wake-up.
 *
 * Invariants, when nobody is inside. A waiter whose select has been claimed does not count: it is
 * no longer waiting, and whoever comes across its node takes it out.
 *   C1  count <= capacity; the items are those of the slots from head on, oldest first, up to tail.
 *   C2  Receivers wait only while count is 0, senders only while it is the capacity.
 *   C3  A sender and a receiver wait at the same time only in one select.
 *   C4  When it is closed nobody waits.
 * So the items of waiting senders come after those of the ring: first in, first out, over both.
 *
 * A receiver takes the oldest item of the ring and puts that of the first waiting sender at the end
 * of it; with no ring it takes the sender's directly. A sender gives its item to the first waiting
 * receiver, else puts it in the ring. Neither ever has to be confirmed by who is woken: a waiter
 * taken out of the queue has been served. If it is cancelled in that moment it finds its node
 * taken, waits for the signal that it is owed, and reports success (wait/queue.h). If it finds its
 * node in the queue it takes it out, and has sent or received nothing.
 *
 * Who waits leaves the door before it suspends, so that no switch of stacks lies inside. A waker
 * may then be faster than the commit, which finds its signal and does not wait.
 *
 * Who sends or receives is done with the channel when it leaves, who waits when it has been taken
 * out of the queue (if it was cancelled meanwhile, when it has passed the gate: see "Gone with the
 * last wake-up" in wait/queue.h). So who learns by an item or by -EPIPE that the other is done may
 * destroy the channel, and so may who has closed it, if all others waited in it.
 *
 * What a switch costs on the way back: the functions that a task suspends in return to the place
 * they were called from, which the processor's return stack knows nothing of, since another task's
 * calls lie on it. `wait` is called in the last position, so it stands directly above the user's
 * code, and returns to it by a jump; it suspends by the call that returns as usual, and that is the
 * same one for all. With a frame or two more to return through, a ping-pong took 85 ns a message
 * instead of 51.
 */
#include "sync/chan.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "sync/check.h"
#include "task/task.h"

#include <stdio.h>

BGI_RETURN_THUNK;

#define CAPACITY_MAX ((size_t)INT32_MAX)

/* ---- life ---- */

bg_chan *bg_chan_create(size_t elem_size, size_t capacity)
{
    size_t bytes;
    if (capacity > CAPACITY_MAX || __builtin_mul_overflow(elem_size, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(bg_chan), &bytes)) {
        return NULL;
    }
    bg_chan *ch = bgi_aligned_alloc(BGI_CACHE_LINE, bytes);
    if (ch == NULL) {
        return NULL;
    }
    memset(ch, 0, sizeof *ch);
    ch->capacity = (uint32_t)capacity;
    ch->elem_size = elem_size;
    return ch;
}

void bg_chan_destroy(bg_chan *ch)
{
#if BGI_DEBUG
    if (ch != NULL) {
        enum bgi_door_way way = bgi_door_enter(&ch->door, bgi_worker_self());
        if (ch->waiting[BGI_CHAN_SEND].first != NULL || ch->waiting[BGI_CHAN_RECV].first != NULL) {
            bgi_misuse("bg_chan_destroy", bgi_task_self_name(), "somebody waits in the channel");
        }
        bgi_chan_check(ch);
        bgi_door_leave(&ch->door, way);
    }
#endif
    bgi_free(ch);
}

size_t bg_chan_length(const bg_chan *ch)
{
    return ch == NULL ? 0 : bgi_load(&ch->count);
}

size_t bg_chan_capacity(const bg_chan *ch)
{
    return ch == NULL ? 0 : ch->capacity;
}

/* ---- inside ---- */

/* Whether the waiter whose node was taken out is the caller's to serve. */
static int claim(bgi_chan_node *n)
{
    return n->select == NULL || bgi_cas_relaxed(&n->select->claim, 0, (bgi_word)n->index + 1);
}

/* The first is a case of a select. */
BGI_COLD bgi_chan_node *bgi_chan_take_slow(bgi_waitq *q)
{
    for (bgi_wait_node *n; (n = q->first) != NULL;) {
        int claimed = claim(bgi_chan_node_of(n));
        bgi_waitq_remove(q, n); /* one that was not claimed may be gone after this */
        if (claimed) {
            return bgi_chan_node_of(n);
        }
    }
    return NULL;
}

/* ---- waiting ---- */

static int commit_wait(bgi_worker *here, bgi_fiber *self, void *arg)
{
    const bgi_chan_node *n = arg;
    (void)here;
    return !bgi_wait_arm(n->node.waiter, self);
}

static const char *call_of(void *arg)
{
    return ((const bgi_chan_node *)arg)->node.info == BGI_CHAN_SEND ? "bg_send" : "bg_recv";
}

static void describe(void *arg, char *text, size_t size)
{
    const bgi_chan_node *n = arg;
    (void)snprintf(text, size, "%s",
                   n->node.info == BGI_CHAN_SEND ? "room in a channel" : "an item in a channel");
}

const bgi_wait_kind bgi_wait_chan = {commit_wait, NULL, call_of, describe};

/* A canceller has claimed the waiter. 0: a waker has been faster, and the channel may be gone. */
static int withdraw(bg_chan *ch, bgi_chan_node *n)
{
    bgi_lock *gate = bgi_waitq_gate(&ch->door.q);
    int queued = 0;

    bgi_lock_acquire(gate);
    if (bgi_wait_node_queued(&n->node)) {
        enum bgi_door_way way = bgi_door_enter(&ch->door, bgi_worker_self());
        queued = bgi_wait_node_queued(&n->node);
        if (queued) {
            bgi_waitq_remove(&ch->waiting[n->node.info], &n->node);
        }
        bgi_door_leave(&ch->door, way);
    }
    bgi_lock_release(gate);
    return queued;
}

BGI_COLD static int wait_as_thread(bg_chan *ch, enum bgi_door_way way, bgi_chan_node *n)
{
    bgi_thread_waiter t;
    bgi_thread_waiter_init(&t);
    n->node.waiter = &t.waiter;
    bgi_waitq_push(&ch->waiting[n->node.info], &n->node);
    bgi_door_leave(&ch->door, way);
    bgi_thread_waiter_wait(&t);
    return n->result;
}

/* Inside. The waiter's, or (NULL) a plain thread's. */
static BGI_NOINLINE BGI_RETURN_BY_JUMP int wait(bg_chan *ch, enum bgi_door_way way, bgi_waiter *w,
                                                void *data, enum bgi_chan_kind kind)
{
    bgi_chan_node n = {.node = {.waiter = w, .info = kind}, .data = data};

    if (bgi_unlikely(w == NULL)) {
        return wait_as_thread(ch, way, &n);
    }
    bgi_waitq_push(&ch->waiting[kind], &n.node);
    bgi_door_leave(&ch->door, way);
    bgi_suspend_for_child(commit_wait, &n);
    if (bgi_likely(bgi_waiter_reason(w) == BGI_REASON_WAKER)) {
        return n.result;
    }
    if (withdraw(ch, &n)) {
        return bgi_wait_failure(w);
    }
    bgi_waiter_await_signal(w);
    return n.result;
}

/* ---- send ---- */

/* Without a wait, or -EAGAIN, and inside still if that is to be followed by one. */
BGI_INLINE int send_to(bg_chan *ch, const void *item, enum bgi_door_way *way, int stay)
{
    bgi_chan_node *partner;
    *way = bgi_door_enter(&ch->door, bgi_worker_self());
    int r = bgi_chan_send_inside(ch, item, &partner);
    if (r == -EAGAIN && stay) {
        return r;
    }
    size_t size = ch->elem_size;
    bgi_door_leave(&ch->door, *way);
    if (partner != NULL) {
        bgi_chan_give(ch, partner, item, size);
    }
    return r;
}

int bg_send(bg_chan *ch, const void *item)
{
    bgi_waiter *w;
    enum bgi_door_way way;
    int r = bgi_task_may_wait("bg_send", &w);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (bgi_unlikely(ch == NULL || (item == NULL && ch->elem_size != 0))) {
        return -EINVAL;
    }
    r = send_to(ch, item, &way, 1);
    return r == -EAGAIN ? wait(ch, way, w, (void *)(uintptr_t)item, BGI_CHAN_SEND) : r;
}

int bg_try_send(bg_chan *ch, const void *item)
{
    enum bgi_door_way way;
    if (bgi_unlikely(ch == NULL || (item == NULL && ch->elem_size != 0))) {
        return -EINVAL;
    }
    bgi_task_point();
    return send_to(ch, item, &way, 0);
}

/* ---- receive ---- */

BGI_INLINE int receive(bg_chan *ch, void *item, enum bgi_door_way *way, int stay)
{
    bgi_chan_node *partner;
    const void *from;
    *way = bgi_door_enter(&ch->door, bgi_worker_self());
    int r = bgi_chan_recv_inside(ch, item, &partner, &from);
    if (r == -EAGAIN && stay) {
        return r;
    }
    size_t size = ch->elem_size;
    bgi_door_leave(&ch->door, *way);
    if (partner != NULL) {
        bgi_chan_got(ch, partner, item, from, size);
    }
    return r;
}

int bg_recv(bg_chan *ch, void *item)
{
    bgi_waiter *w;
    enum bgi_door_way way;
    int r = bgi_task_may_wait("bg_recv", &w);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (bgi_unlikely(ch == NULL)) {
        return -EINVAL;
    }
    r = receive(ch, item, &way, 1);
    return r == -EAGAIN ? wait(ch, way, w, item, BGI_CHAN_RECV) : r;
}

int bg_try_recv(bg_chan *ch, void *item)
{
    enum bgi_door_way way;
    if (bgi_unlikely(ch == NULL)) {
        return -EINVAL;
    }
    bgi_task_point();
    return receive(ch, item, &way, 0);
}

/* ---- close ---- */

/* Inside: takes all out who wait there; those claimed are to be woken, with -EPIPE. */
static void end_all(bgi_waitq *q, bgi_wake_list *wake)
{
    for (bgi_chan_node *n; (n = bgi_chan_take_slow(q)) != NULL;) {
        n->result = -EPIPE;
        bgi_wake_list_add(wake, &n->node);
    }
}

int bg_close(bg_chan *ch)
{
    bgi_wake_list wake = {NULL, NULL};

    if (ch == NULL) {
        return -EINVAL;
    }
    bgi_task_point();
    enum bgi_door_way way = bgi_door_enter(&ch->door, bgi_worker_self());
    if (ch->closed != 0) {
        bgi_door_leave(&ch->door, way);
        return -EALREADY;
    }
    bgi_chan_check(ch);
    ch->closed = 1;
    end_all(&ch->waiting[BGI_CHAN_SEND], &wake);
    end_all(&ch->waiting[BGI_CHAN_RECV], &wake);
    bgi_door_leave(&ch->door, way);
    bgi_waitq_wake_all(&ch->door.q, &wake);
    return 0;
}

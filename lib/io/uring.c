/*
 * The driver on io_uring: calls are entries in the ring of the worker on which they are made, and
 * go to the kernel together, when the worker has nothing left to run.
 *
 * An operation lies on the stack of the task that waits for it. It is queued before the task leaves
 * its stack, and completed by one signal to the task's waiter, by whoever takes the completion off
 * the ring (as for blocking calls, io/blocking.c). A wait that is cut short asks the kernel to give
 * the operation up, and then waits for its completion in any case: the kernel may be writing to the
 * caller's memory, and what it has transferred by then is the result. So nothing is lost, and
 * nothing is touched after the call.
 *
 * Operations are collected and submitted when the worker runs out of items, or looks around. That
 * takes some microseconds when the others do as this one. When it takes longer, as others compute,
 * each goes to the kernel at once.
 *
 * Closing. `port` of an entry (io/fd.h) counts here the operations under way. Who closes the
 * descriptor raises the generation, makes a full fence, and if it then finds a count asks each ring
 * to give up what is under way with the descriptor. Who makes an operation counts it, makes a full
 * fence, and looks at the generation inside the ring: either the closer sees the count, and goes
 * into every ring, where the entry was queued before its own, or the other comes there later, and
 * sees the new generation. What was queued is submitted with the closer's entry at the latest,
 * while the number still means what it did.
 *
 * Refusals. The kernel takes no entries while its queue of completions is full, or memory is short.
 * Who needs an entry then, or has to know that the kernel has it, takes what is there off the ring,
 * whoever's ring it is: its worker may wait for a lock that the other holds (a closer has one), or
 * be another that stands before a full ring. What a worker's own calls leave is submitted when it
 * next looks around, or sleeps.
 *
 * Without support for a call there is readiness: an operation that waits for it, and then the call.
 * So it is with descriptors that are O_NONBLOCK already, for which some operations do not wait.
 */
#include "io/ring.h"

#if defined(BGI_URING)

#include "base/clock.h"
#include "io/call.h"
#include "io/ready.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Completions at once. They lie on the stack of a task when it looks for some on its way to a wait:
 * a connection that does nothing any more is to keep one page of it. With 128 of them three in four
 * kept a second one, with 64 one in five.
 */
enum { TAKE = 64 };
/* So long operations are collected, about, before they are submitted. */
#define COLLECTED (50 * BG_US)

typedef struct operation {
    bgi_waiter *waiter;
    bgi_port *port;
    int result;
} operation;

/* What completions that are no operation's carry. */
static char bell_data, no_data;

/* ---- ports ---- */

static struct io_uring_sqe *new_entry(bgi_port *p, bgi_worker *w, int own, int *how);
static void submit_up_to(bgi_port *p, bgi_worker *w, int own, unsigned last);

/* Not by the worker: it may be about to sleep, with the entry not submitted yet. */
static void watch_bell(bgi_port *p, bgi_worker *w, int own)
{
    int how = bgi_ring_enter(p->ring, own);
    struct io_uring_sqe *e = new_entry(p, w, own, &how);
    io_uring_prep_poll_multishot(e, p->bell, POLLIN);
    io_uring_sqe_set_data(e, &bell_data);
    if (bgi_unlikely(!own)) {
        (void)bgi_ring_flush(p->ring);
    }
    unsigned last = bgi_ring_last(p->ring);
    bgi_ring_leave(p->ring, own, how);
    if (bgi_unlikely(!own)) {
        submit_up_to(p, w, own, last);
    }
}

static int open_port(bgi_port *p)
{
    int r = 0;
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell < 0) {
        return -errno;
    }
    p->ring = bgi_ring_create(&r);
    if (p->ring == NULL) {
        (void)close(bell);
        return r;
    }
    p->bell = bell;
    watch_bell(p, NULL, 1); /* there is room */
    bgi_store_release(&p->open, 1);
    bgi_fence_full(); /* partner: the closer's: it sees the port, or the operation the generation */
    return 0;
}

static void close_port(bgi_port *p)
{
    bgi_ring_destroy(p->ring);
    (void)close(p->bell);
}

/* ---- completions ---- */

static int is_operation(const bgi_completion *c)
{
    return c->data != &bell_data && c->data != &no_data;
}

static void bell_rang(bgi_port *p, const bgi_completion *c, bgi_worker *w, int own)
{
    if (bgi_unlikely((c->flags & IORING_CQE_F_MORE) == 0)) {
        watch_bell(p, w, own); /* the kernel has ended the poll: there was no room to tell of it */
    }
    if (!own) {
        (void)eventfd_write(p->bell, 1); /* its worker may be about to sleep */
    }
}

/* In steps, for the cache's sake (io/ready.h). */
static size_t complete(bgi_port *p, const bgi_completion *c, unsigned n, bgi_worker *w, int own)
{
    struct bgi_fifo woken;
    for (unsigned i = 0; i < n; i++) {
        __builtin_prefetch(c[i].data, 1);
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_operation(&c[i])) {
            operation *op = c[i].data;
            op->result = c[i].result;
            __builtin_prefetch(op->waiter, 1);
        } else if (c[i].data == &bell_data) {
            bell_rang(p, &c[i], w, own);
        }
    }
    bgi_fifo_init(&woken);
    for (unsigned i = 0; i < n; i++) {
        if (is_operation(&c[i])) {
            bgi_waiter *waiter = ((const operation *)c[i].data)->waiter;
            if (bgi_likely(w != NULL)) {
                bgi_ready_signal(waiter, w, &woken);
            } else if (bgi_waiter_signal(waiter)) {
                bgi_waiter_wake(waiter);
            }
        }
    }
    return bgi_likely(w != NULL) ? bgi_push_woken(w, &woken) : 0;
}

/* What is there now and the queue has room for, or all, to the run queue of w, whose thread this
 * is. All may be taken with w NULL: on a thread that is no worker of the runtime.
 */
static size_t reap(bgi_port *p, bgi_worker *w, int own, int all)
{
    bgi_completion c[TAKE];
    size_t sent = 0;
    unsigned n;
    do {
        unsigned operations = 0;
        int how = bgi_ring_enter(p->ring, own);
        size_t room = all ? TAKE : bgi_port_room(w);
        n = bgi_ring_take(p->ring, c, room < TAKE ? (unsigned)room : TAKE);
        for (unsigned i = 0; i < n; i++) {
            operations += (unsigned)is_operation(&c[i]);
        }
        bgi_store(&p->watched, bgi_load(&p->watched) - operations);
        bgi_ring_leave(p->ring, own, how);
        sent += complete(p, c, n, w, own);
    } while (n == TAKE);
    return sent;
}

static unsigned flush(bgi_port *p, int own)
{
    int how = bgi_ring_enter(p->ring, own);
    unsigned n = bgi_ring_flush(p->ring);
    bgi_ring_leave(p->ring, own, how);
    return n;
}

/* ---- the driver's part ---- */

static void wait_in(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), w);
    struct __kernel_timespec left, *timeout = NULL;

    if (bgi_load(&p->watched) == 0) {
        bgi_ec_wait(&w->node, deadline);
        return;
    }
    unsigned n = flush(p, 1);
    if (deadline != BG_TIME_MAX) {
        bg_duration in = deadline - bgi_clock_now();
        in = in > 0 ? in : 0;
        left = (struct __kernel_timespec){.tv_sec = in / BG_S, .tv_nsec = in % BG_S};
        timeout = &left;
    }
    bgi_ring_call(p->ring, n, bgi_port_sleep(p, &w->node), timeout);
    bgi_port_awake(p, &w->node);
    (void)reap(p, w, 1, 0);
    p->polled = bgi_clock_rough();
}

static void wake(bgi_driver *d, bgi_worker *w)
{
    bgi_port_wake(bgi_port_of(bgi_io_of(d), w));
}

static int pending(bgi_driver *d, bgi_worker *of)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), of);
    return bgi_load_acquire(&p->open) != 0 && bgi_load(&p->watched) != 0 &&
           (bgi_load(&p->ring->unsubmitted) != 0 || bgi_ring_has_work(p->ring));
}

static size_t poll_for(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), of);
    int own = w == of;
    if (!pending(d, of)) {
        return 0;
    }
    bgi_ring_call(p->ring, flush(p, own), 0, NULL);
    size_t sent = reap(p, w, own, 0);
    if (own) {
        p->polled = bgi_clock_rough();
    }
    return sent;
}

/* ---- operations ---- */

static int commit(bgi_worker *w, bgi_fiber *self, void *waiter)
{
    (void)w;
    return !bgi_wait_arm(waiter, self);
}

static void prepare(struct io_uring_sqe *e, const bgi_call *c, int events, struct msghdr *m)
{
    uint64_t offset = (c->how & BGI_CALL_OFFSET) != 0 ? (uint64_t)c->offset : (uint64_t)-1;
    int socket = (c->kind & BGI_FD_KIND) == BGI_FD_SOCKET;
    unsigned size = c->size < INT32_MAX ? (unsigned)c->size : INT32_MAX;

    if (c->code == BGI_CALL_READV || c->code == BGI_CALL_WRITEV) {
        *m = (struct msghdr){.msg_iov = c->data, .msg_iovlen = (size_t)c->flags};
    }
    if (events != 0) {
        io_uring_prep_poll_add(e, c->fd, (unsigned)events);
        return;
    }
    switch ((enum bgi_call_code)c->code) {
    case BGI_CALL_READ:
        if (socket && (c->how & BGI_CALL_OFFSET) == 0) {
            io_uring_prep_recv(e, c->fd, c->data, size, 0);
        } else {
            io_uring_prep_read(e, c->fd, c->data, size, offset);
        }
        break;
    case BGI_CALL_WRITE:
        if (socket && (c->how & BGI_CALL_OFFSET) == 0) {
            io_uring_prep_send(e, c->fd, c->data, size, MSG_NOSIGNAL);
        } else {
            io_uring_prep_write(e, c->fd, c->data, size, offset);
        }
        break;
    case BGI_CALL_RECV:
        io_uring_prep_recv(e, c->fd, c->data, size, c->flags);
        break;
    case BGI_CALL_SEND:
        io_uring_prep_send(e, c->fd, c->data, size, c->flags);
        break;
    case BGI_CALL_READV:
        if (socket) {
            io_uring_prep_recvmsg(e, c->fd, m, 0);
        } else {
            io_uring_prep_readv(e, c->fd, c->data, (unsigned)c->flags, offset);
        }
        break;
    case BGI_CALL_WRITEV:
        if (socket) {
            io_uring_prep_sendmsg(e, c->fd, m, MSG_NOSIGNAL);
        } else {
            io_uring_prep_writev(e, c->fd, c->data, (unsigned)c->flags, offset);
        }
        break;
    case BGI_CALL_RECVMSG:
        io_uring_prep_recvmsg(e, c->fd, c->data, (unsigned)c->flags);
        break;
    case BGI_CALL_SENDMSG:
        io_uring_prep_sendmsg(e, c->fd, c->data, (unsigned)c->flags);
        break;
    case BGI_CALL_ACCEPT:
        io_uring_prep_accept(e, c->fd, c->address, c->address_size, SOCK_CLOEXEC);
        break;
    case BGI_CALL_CONNECT:
        io_uring_prep_connect(e, c->fd, c->data, (socklen_t)c->size);
        break;
    default: /* those that wait for events only */
        io_uring_prep_nop(e);
        break;
    }
}

/* The kernel refuses: what is there is taken, in the run queue there is room or not. */
static void make_room(bgi_port *p, bgi_worker *w, int own)
{
    (void)reap(p, w, own, 1);
    (void)sched_yield();
}

/* Inside the ring, which is left and entered again when there is no room for another entry. w: the
 * running worker if it is the runtime's, else NULL. */
static struct io_uring_sqe *new_entry(bgi_port *p, bgi_worker *w, int own, int *how)
{
    struct io_uring_sqe *e;
    while (bgi_unlikely((e = bgi_ring_entry(p->ring)) == NULL)) {
        bgi_ring_leave(p->ring, own, *how);
        make_room(p, w, own);
        *how = bgi_ring_enter(p->ring, own);
    }
    return e;
}

/* Outside: the kernel has all up to `last` when it returns. */
static void submit_up_to(bgi_port *p, bgi_worker *w, int own, unsigned last)
{
    unsigned n = bgi_ring_left(p->ring, last);
    while (n != 0) {
        bgi_ring_call(p->ring, n, 0, NULL);
        n = bgi_ring_left(p->ring, last);
        if (bgi_unlikely(n != 0)) {
            make_room(p, w, own);
        }
    }
}

/* Queues it in the ring of this worker: 0, or it is not queued. */
static int queue(bgi_io *io, const bgi_fd *entry, const bgi_call *c, int events, struct msghdr *m,
                 operation *op)
{
    bgi_worker *w = bgi_worker_self();
    unsigned index;
    int r;
    bgi_port *p = bgi_io_port(io, w, open_port, &index, &r);
    if (bgi_unlikely(p == NULL)) {
        return r;
    }
    r = 0;
    int own = p == bgi_port_of(io, w);
    int how = bgi_ring_enter(p->ring, own);
    struct io_uring_sqe *e = new_entry(p, w, own, &how);
    if (bgi_unlikely(!bgi_ready_same(entry, c->kind))) {
        io_uring_prep_nop(e);
        io_uring_sqe_set_data(e, &no_data);
        r = -EBADF;
    } else {
        prepare(e, c, events, m);
        io_uring_sqe_set_data(e, op);
        bgi_store(&p->watched, bgi_load(&p->watched) + 1);
    }
    unsigned last = 0;
    if (bgi_unlikely(!own)) {
        (void)bgi_ring_flush(p->ring);
        last = bgi_ring_last(p->ring);
    }
    bgi_ring_leave(p->ring, own, how);
    op->port = p;
    if (bgi_unlikely(!own)) {
        submit_up_to(p, w, 0, last);
        bgi_wake_worker(&w->sched->worker[index]);
        return r;
    }
    /* The clock is not cheap: it is looked at for the first of those collected, and then for one of
     * four. */
    int computing = w->allotted < BGI_BUDGET || (bgi_load(&p->ring->unsubmitted) % 4 == 1 &&
                                                 bgi_clock_rough() - p->polled > COLLECTED);
    if (bgi_unlikely(computing) && r == 0) {
        (void)poll_for(&io->driver, w, w);
    }
    return r;
}

/* Has an operation, or if it is NULL all with the descriptor, given up on one ring, at once. */
static void cancel_on(bgi_io *io, bgi_port *p, operation *op, int fd)
{
    bgi_worker *w = bgi_worker_self();
    w = w != NULL && w->sched->driver == &io->driver ? w : NULL;
    int own = w != NULL && p == bgi_port_of(io, w);
    int how = bgi_ring_enter(p->ring, own);
    struct io_uring_sqe *e = new_entry(p, w, own, &how);
    if (op != NULL) {
        io_uring_prep_cancel(e, op, 0);
    } else {
        io_uring_prep_cancel_fd(e, fd, IORING_ASYNC_CANCEL_ALL);
    }
    io_uring_sqe_set_data(e, &no_data);
    (void)bgi_ring_flush(p->ring);
    unsigned last = bgi_ring_last(p->ring);
    bgi_ring_leave(p->ring, own, how);
    /* A number must not be closed before the kernel has seen this; another's worker may sleep. */
    submit_up_to(p, w, own, last);
}

static void unwatch(bgi_io *io, bgi_fd *e, int fd)
{
    (void)e;
    for (unsigned i = 0; i < io->places; i++) {
        if (bgi_load_acquire(&io->port[i].open) != 0) {
            cancel_on(io, &io->port[i], NULL, fd);
        }
    }
}

/* One operation: the call, or, if events are given, a wait for one of these. -EINTR: once more. */
BGI_INLINE int operate_here(bgi_io *io, bgi_fd *entry, bgi_call *c, int events, bgi_waiter *waiter)
{
    operation op = {waiter, NULL, 0};
    struct msghdr m; /* of those that have several buffers */

    (void)bgi_fetch_add(&entry->port, 1);
    bgi_fence_full(); /* partner: the closer's, in bgi_fd_closed */
    int r = queue(io, entry, c, events, &m, &op);
    if (bgi_likely(r == 0)) {
        int why = 0;
        bgi_suspend(commit, waiter);
        if (bgi_unlikely(bgi_waiter_reason(waiter) == BGI_REASON_CANCELLER)) {
            why = bgi_wait_failure(waiter);
            cancel_on(io, op.port, &op, -1);
            bgi_waiter_await_signal(waiter);
        }
        r = op.result;
        if (bgi_unlikely(r < 0 && why != 0)) {
            r = why;
        } else if (bgi_unlikely(r == -ECANCELED)) {
            /* By who closes it; or by the kernel, when a signal came while it made a thread. */
            r = bgi_ready_same(entry, c->kind) ? -EINTR : -EBADF;
        }
    }
    (void)bgi_fetch_add(&entry->port, (bgi_word)-1);
    return r;
}

BGI_NOINLINE static int operate(bgi_io *io, bgi_fd *entry, bgi_call *c, int events,
                                bgi_waiter *waiter)
{
    return operate_here(io, entry, c, events, waiter);
}

/* A call that the kernel does not make by itself. */
static ssize_t try_and_wait(bgi_io *io, bgi_fd *entry, bgi_call *c, bgi_waiter *waiter)
{
    for (;;) {
        ssize_t r = bgi_call_attempt(c, MSG_DONTWAIT);
        if (r != -EAGAIN || (c->how & BGI_CALL_ONCE) != 0) {
            return r;
        }
        int found = operate(io, entry, c, bgi_call_events(c), waiter);
        if (found < 0 && found != -EINTR) {
            return found;
        }
    }
}

static ssize_t perform(bgi_io *io, bgi_fd *entry, bgi_call *c, bgi_waiter *waiter)
{
    if (bgi_unlikely(c->code == BGI_CALL_POLL)) {
        int found;
        do {
            found = operate(io, entry, c, c->flags, waiter);
        } while (bgi_unlikely(found == -EINTR));
        return found;
    }
    if (bgi_unlikely(c->code == BGI_CALL_OTHER || (c->how & BGI_CALL_ONCE) != 0)) {
        return try_and_wait(io, entry, c, waiter);
    }
    for (;;) {
        int r = operate_here(io, entry, c, 0, waiter); /* without a frame of its own (io/ready.h) */
        if (bgi_likely(r >= 0)) {
            return r;
        }
        if (c->code == BGI_CALL_ACCEPT && bgi_call_gone(-r)) {
            continue;
        }
        if (r == -EAGAIN && c->code != BGI_CALL_CONNECT) { /* it is O_NONBLOCK */
            r = operate(io, entry, c, bgi_call_events(c), waiter);
            if (r < 0 && r != -EINTR) {
                return r;
            }
        } else if (r != -EINTR) {
            return r;
        }
    }
}

const struct bgi_io_ops bgi_uring_ops = {
    .driver = {"io_uring", wait_in, wake, poll_for, pending, NULL},
    .unwatch = unwatch,
    .perform = perform,
    .close_port = close_port,
};

#endif

#include "io/call.h"

#include "io/blocking.h"
#include "io/ready.h"

#include <brigade/scope.h>
#include <errno.h>
#include <poll.h>

BGI_RETURN_THUNK;

enum { PIECE = 4096 }; /* a pipe that is ready to be written to takes so much without blocking */

static bgi_waitq *queue_of(bgi_fd *e, const bgi_call *c)
{
    return (c->how & BGI_CALL_WRITES) != 0 ? &e->out : &e->in;
}

ssize_t bgi_call_attempt(bgi_call *c, int dontwait)
{
    ssize_t r;
    do {
        r = c->attempt(c, dontwait);
    } while (bgi_unlikely(r == -EINTR));
    return r;
}

/* ---- a plain thread ---- */

static ssize_t on_thread(bgi_call *c)
{
    for (;;) {
        ssize_t r = bgi_call_attempt(c, (c->how & BGI_CALL_ONCE) != 0 ? MSG_DONTWAIT : 0);
        if (r != -EAGAIN || (c->how & BGI_CALL_ONCE) != 0) {
            return r;
        }
        int found = bgi_ready_look(c->fd, bgi_call_events(c), -1);
        if (found < 0) {
            return found;
        }
    }
}

/* ---- files ---- */

struct file_call {
    bgi_call *call;
    const bgi_fd *entry;
    ssize_t result;
};

/* Perhaps a good while later: the number may stand for something else by now. */
static int run_file_call(void *arg)
{
    struct file_call *f = arg;
    f->result = bgi_ready_same(f->entry, f->call->kind) ? bgi_call_attempt(f->call, 0) : -EBADF;
    return 0;
}

static ssize_t on_file(bg_task *self, const bgi_fd *e, bgi_call *c)
{
    struct file_call f = {c, e, 0};
    int r = bgi_blocking_through(self, run_file_call, &f);
    return r != 0 ? r : f.result;
}

/* ---- a task ---- */

int bgi_call_first(bgi_io *io, int fd, bgi_fd **e, bgi_word *state)
{
    int r = bgi_fd_make(&io->table, fd, e);
    if (bgi_likely(r == 0)) {
        *state = bgi_fd_adopt(*e, fd, io->ops->nonblocking, &r);
        while (bgi_unlikely(bgi_fd_is_closing(*state))) {
            bg_yield();
            r = bg_cancelled(); /* close(2) may linger */
            if (r != 0) {
                return r;
            }
            *state = bgi_fd_adopt(*e, fd, io->ops->nonblocking, &r);
        }
    }
    return r;
}

/* Whether events of the descriptor come to somebody who sees them: not to a spare worker that will
 * retire, nor to one that is held up. */
static int is_watched(const bgi_fd *e, const bgi_worker *w)
{
    bgi_word port = bgi_load(&e->port);
    if (port == 0 || port == w->index + 1U) {
        return port != 0;
    }
    const bgi_worker *owner = &w->sched->worker[port - 1];
    return (w->is_spare || !owner->is_spare) && bgi_load(&owner->held_up) == 0;
}

/* Inside e->in. */
static int watch(bgi_io *io, bgi_fd *e, int fd, bgi_word state)
{
    if (!bgi_ready_same(e, state)) {
        return -EBADF;
    }
    bgi_worker *w = bgi_worker_self();
    if (is_watched(e, w)) {
        return 0; /* somebody else has done it */
    }
    return io->ops->watch(io, w, e, fd);
}

int bgi_call_watch(bgi_io *io, bgi_fd *e, int fd, bgi_word state)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_likely(is_watched(e, w))) {
        return 0;
    }
    bgi_word s = bgi_waitq_enter(&e->in);
    int r = watch(io, e, fd, state);
    bgi_waitq_leave(&e->in, s);
    return r;
}

/* The running task waits on the driver's behalf: counted, in the deterministic mode. */
BGI_INLINE int wait_for(bgi_io *io, bgi_fd *e, bgi_call *c, bgi_waiter *waiter)
{
    int r = bgi_call_watch(io, e, c->fd, c->kind);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    bgi_io_waits(io, 1);
    r = bgi_ready_wait(e, queue_of(e, c), c->kind, waiter, c->site);
    bgi_io_waits(io, -1);
    return r;
}

/* Of a descriptor that must not be made O_NONBLOCK: a call that is sure not to block. */
static ssize_t attempt_shared(bgi_call *c)
{
    int found = bgi_ready_look(c->fd, bgi_call_events(c), 0);
    if (found <= 0) {
        return found < 0 ? found : -EAGAIN;
    }
    size_t size = c->size;
    if ((c->how & BGI_CALL_WRITES) != 0 && size > PIECE) {
        c->size = PIECE;
    }
    ssize_t r = bgi_call_attempt(c, MSG_DONTWAIT);
    c->size = size;
    return r;
}

BGI_INLINE int drained(const bgi_call *c, ssize_t r)
{
    return (c->how & BGI_CALL_DRAINS) != 0 && r > 0 && (size_t)r < c->size &&
           (c->kind & (BGI_FD_STREAM | BGI_FD_SHARED)) == BGI_FD_STREAM;
}

BGI_WAITS static ssize_t on_epoll(bgi_io *io, bgi_fd *e, bgi_call *c, bgi_waiter *waiter)
{
    bgi_waitq *q = queue_of(e, c);
    int registered = bgi_load(&e->port) != 0;
    int may_try = !registered || bgi_ready_take(q) || (c->how & BGI_CALL_ONCE) != 0;
    for (;;) {
        if (may_try) {
            ssize_t r = bgi_likely((c->kind & BGI_FD_SHARED) == 0)
                            ? bgi_call_attempt(c, MSG_DONTWAIT)
                            : attempt_shared(c);
            if (registered && r != -EAGAIN) {
                bgi_ready_after(q, drained(c, r));
            }
            if (bgi_likely(r != -EAGAIN || (c->how & BGI_CALL_ONCE) != 0)) {
                return r;
            }
        }
        int r = wait_for(io, e, c, waiter);
        if (bgi_unlikely(r != 0)) {
            return r;
        }
        registered = 1;
        may_try = 1;
    }
}

/* The entry is known, and what it is. */
BGI_INLINE ssize_t make(bgi_io *io, bgi_fd *e, bgi_call *c, bgi_waiter *waiter)
{
    int is_file = (c->kind & BGI_FD_KIND) == BGI_FD_FILE;
    /* O_NONBLOCK does nothing for a file, but has io_uring say -EAGAIN until it is in memory. */
    int by_pool =
        io->ops->perform == NULL || c->code == BGI_CALL_OTHER || (c->kind & BGI_FD_NONBLOCK) != 0;
    if (bgi_unlikely(is_file && by_pool)) {
        return on_file(BGI_CONTAINER_OF(waiter, struct bg_task, waiter), e, c);
    }
    if (bgi_unlikely((c->how & BGI_CALL_OFFSET) != 0 && !is_file)) {
        return bgi_call_attempt(c, 0); /* it fails */
    }
    if (io->ops->perform != NULL && c->code != BGI_CALL_OTHER) {
        return io->ops->perform(io, e, c, waiter);
    }
    if (bgi_unlikely((c->how & BGI_CALL_NONBLOCK) != 0 && (c->kind & BGI_FD_NONBLOCK) == 0)) {
        int r = bgi_fd_set_nonblock(e, c->fd);
        if (r != 0) {
            return r;
        }
        c->kind |= BGI_FD_NONBLOCK;
    }
    return io->ops->perform != NULL ? io->ops->perform(io, e, c, waiter)
                                    : on_epoll(io, e, c, waiter);
}

static BGI_COLD ssize_t make_first(bgi_io *io, bgi_call *c, bgi_waiter *waiter)
{
    bgi_fd *e;
    int r = bgi_call_first(io, c->fd, &e, &c->kind);
    return r != 0 ? r : make(io, e, c, waiter);
}

/* Without a frame: what waits is called last. */
BGI_RETURN_BY_JUMP ssize_t bgi_call_make(bgi_call *c)
{
    bgi_waiter *waiter;
    int r = bgi_likely((c->how & BGI_CALL_ONCE) == 0) ? bgi_task_may_wait(c->site->call, &waiter)
                                                      : bgi_task_may_try(c->site->call, &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (bgi_unlikely(waiter == NULL)) {
        return on_thread(c);
    }
    bgi_io *io = bgi_task_runtime(BGI_CONTAINER_OF(waiter, struct bg_task, waiter))->io;
    bgi_fd *e = bgi_fd_find(&io->table, c->fd);
    if (bgi_likely(e != NULL)) {
        c->kind = bgi_load(&e->state);
    }
    if (bgi_unlikely(e == NULL || (c->kind & BGI_FD_KIND) == BGI_FD_UNKNOWN)) {
        return make_first(io, c, waiter);
    }
    return make(io, e, c, waiter);
}

/*
 * A runtime's I/O: its table of descriptors, and a port for each worker, behind one driver.
 *
 * A port is where the kernel leaves what a worker has asked for: an epoll instance or a ring of
 * io_uring, made when the worker first waits for a descriptor. Its worker sleeps in it. There is no
 * single poller whose role has to be handed over: each idle worker waits for its own, and who is
 * busy polls its own now and then. When the monitor finds that a worker does neither, others poll
 * its port for it (core/steal.c).
 *
 * Tried in thought and dropped: one epoll for all, polled by the leader. Each event would wake the
 * one who happens to lead, on another CPU than the one that has the connection in its cache; and
 * io_uring does the work of a request in the thread that made it, so there is no choice there.
 */
#ifndef BGI_IO_H
#define BGI_IO_H

#include "core/driver.h"
#include "io/fd.h"
#include "io/port.h"
#include "task/task.h"

struct bgi_call;

struct bgi_io_ops {
    struct bgi_driver_ops driver; /* first */
    /* Inside e->in, by the running task: from now on events of fd come to this worker. */
    int (*watch)(struct bgi_io *io, bgi_worker *w, bgi_fd *e, int fd);
    /* Inside e->in: they do not come any more. Any thread. */
    void (*unwatch)(struct bgi_io *io, bgi_fd *e, int fd);
    /* NULL, or: the running task makes the call; returns what it returns, or what ended the wait.
     */
    ssize_t (*perform)(struct bgi_io *io, bgi_fd *e, struct bgi_call *c, bgi_waiter *waiter);
    void (*close_port)(bgi_port *p);
    int nonblocking; /* whether descriptors are to be O_NONBLOCK */
};

typedef struct bgi_io {
    bgi_driver driver; /* first */
    const struct bgi_io_ops *ops;
    bgi_fd_table table;
    bgi_port *port; /* one a place of the scheduler */
    unsigned places;
    int played;                 /* of the deterministic mode: all workers use port 0 */
    size_t waiting;             /* of that mode: how many tasks wait for a descriptor */
    struct bgi_io *next, *prev; /* of all runtimes, under the lock of tables */
} bgi_io;

extern const struct bgi_io_ops bgi_epoll_ops;
#if defined(BGI_URING)
extern const struct bgi_io_ops bgi_uring_ops;
#endif

/*
 * The port where what the running worker waits for is to be left: its own, opened by `open` if need
 * be. When that cannot be had, as there are no descriptors left, that of any other worker that has
 * one, *index: who adds something there wakes that worker, which may sleep elsewhere. NULL, with
 * *error: there is none.
 */
bgi_port *bgi_io_port(bgi_io *io, const bgi_worker *w, int (*open)(bgi_port *p), unsigned *index,
                      int *error);

/* For so many places: 0, -ENOMEM, -EINVAL: the variable BRIGADE_IO names no driver, -ENOSYS: it
 * names one that cannot be had here. */
int bgi_io_create(bgi_io **out, unsigned places, int played);

/* No worker runs any more. */
void bgi_io_destroy(bgi_io *io);

/* Every runtime lets go of the number; close it then. */
void bgi_io_forget(int fd);

/* Closes it: 0, or what close(2) fails with, never -EINTR. Any thread; does not suspend. */
int bgi_io_close(int fd);

/* A task begins (1) or ends (-1) to wait for a descriptor. */
BGI_INLINE void bgi_io_waits(bgi_io *io, int change)
{
    if (bgi_unlikely(io->played)) { /* on one thread then */
        io->waiting += (size_t)(ssize_t)change;
    }
}

BGI_INLINE bgi_io *bgi_io_of(bgi_driver *d)
{
    return (bgi_io *)d;
}

BGI_INLINE bgi_port *bgi_port_of(bgi_io *io, const bgi_worker *w)
{
    return &io->port[io->played ? 0 : w->index];
}

#endif

/*
 * Ports: where the kernel leaves what a worker has asked for, and where the worker sleeps.
 *
 * A port is an epoll instance or a ring of io_uring, made when its worker first waits for a
 * descriptor. Who notifies a sleeping worker rings its bell, an eventfd that is watched there.
 *
 *   sleeping  0 -> 1 by its worker, then a full fence, then a look at its node; 1 -> 0 when it has
 *             woken. Read by who has notified its node, after a full fence: one of the two sees the
 *             other. The bell is kept by the kernel until the worker waits.
 *   open      0 -> 1 by its worker (release): the port can be polled -> others (acquire).
 *   watched   descriptors in its epoll, or operations under way: nothing is waited for while it is
 *             0. Who adds and is not its worker wakes that, which may have seen 0; relaxed.
 */
#ifndef BGI_PORT_H
#define BGI_PORT_H

#include "core/sched.h"

#include <sys/eventfd.h>

struct bgi_ring;

typedef struct bgi_port {
    BGI_ALIGNED(BGI_FALSE_SHARING_RANGE) bgi_atomic sleeping;
    bgi_atomic open;
    bgi_atomic watched;
    int fd;         /* epoll's */
    int bell;       /* an eventfd, watched in it */
    bg_time polled; /* its worker's: when, roughly */
    struct bgi_ring *ring;
} bgi_port;

/* Its worker is about to wait in the kernel: 1, or 0: it has been notified and only looks. */
BGI_INLINE int bgi_port_sleep(bgi_port *p, const bgi_ec_node *node)
{
    bgi_store_release(&p->sleeping, 1); /* and the port has been opened */
    bgi_fence_full();                   /* partner: the fence in bgi_port_wake */
    return !bgi_ec_notified(node);
}

/* It has returned from there. */
BGI_INLINE void bgi_port_awake(bgi_port *p, bgi_ec_node *node)
{
    bgi_store(&p->sleeping, 0);
    bgi_ec_awake(node);
}

/* Its worker's node has been notified: rings the bell if the worker sleeps, or is about to. */
BGI_INLINE void bgi_port_wake(bgi_port *p)
{
    bgi_fence_full(); /* partner: the fence in bgi_port_sleep */
    if (bgi_load_acquire(&p->sleeping)) {
        /* Fails only when it has been rung 2^64 - 2 times. */
        (void)eventfd_write(p->bell, 1);
    }
}

/* How many items the worker's run queue has room for. No more is taken from the kernel, which keeps
 * the order: what overflows goes to the injector, behind all that comes later. */
BGI_INLINE size_t bgi_port_room(const bgi_worker *w)
{
    return BGI_RUNQ_CAPACITY - bgi_runq_size(&w->queue);
}

#endif

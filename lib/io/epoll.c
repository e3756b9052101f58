/*
 * The driver on epoll: an instance for each worker that has waited for a descriptor.
 *
 * A descriptor is registered once, edge-triggered, for all events, with the worker on which a task
 * first waits for it; it stays there until it is closed, so that a wait costs no system call. Where
 * that worker is a spare one, or held up, the next one on which somebody waits takes it over.
 *
 * The bell of a port is an eventfd that nobody ever reads: each write is an edge. A helper that has
 * taken the edge off rings it again, since the worker may be about to sleep.
 */
#include "io/io.h"
#include "io/ready.h"

#include "arch/sanitizer.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Taken at once. What is fetched ahead for those whom a batch wakes (io/ready.h) is to be in the
 * cache still when the last of them runs, and the kernel goes through ten kilobytes a request.
 */
enum { EVENTS = BGI_RUNQ_CAPACITY / 2 < 32 ? BGI_RUNQ_CAPACITY / 2 : 32 };

#define POLL_PAUSE (20 * BG_US) /* at least, between two polls of a busy worker */
#define WATCHED_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static int open_port(bgi_port *p)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (bell < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, bell, &ev) != 0) {
        int r = -errno;
        if (bell >= 0) {
            (void)close(bell);
        }
        (void)close(fd);
        return r;
    }
    p->fd = fd;
    p->bell = bell;
    bgi_store_release(&p->open, 1);
    return 0;
}

static void close_port(bgi_port *p)
{
    (void)close(p->bell);
    (void)close(p->fd);
}

static int watch(bgi_io *io, bgi_worker *w, bgi_fd *e, int fd)
{
    unsigned index;
    int r;
    bgi_port *here = bgi_io_port(io, w, open_port, &index, &r);
    if (here == NULL) {
        return r;
    }
    if (bgi_load(&e->port) != 0) {
        io->ops->unwatch(io, e, fd);
    }
    struct epoll_event ev = {.events = WATCHED_EVENTS, .data.ptr = e};
    if (epoll_ctl(here->fd, EPOLL_CTL_ADD, fd, &ev) != 0 &&
        (errno != EEXIST || epoll_ctl(here->fd, EPOLL_CTL_MOD, fd, &ev) != 0)) {
        return -errno;
    }
    (void)bgi_fetch_add_relaxed(&here->watched, 1);
    bgi_store(&e->port, (bgi_word)index + 1);
    if (bgi_unlikely(here != bgi_port_of(io, w))) {
        bgi_wake_worker(&w->sched->worker[index]);
    }
    return 0;
}

static void unwatch(bgi_io *io, bgi_fd *e, int fd)
{
    bgi_port *p = &io->port[bgi_load(&e->port) - 1];
    struct epoll_event ev = {0};
    /* Fails when it has been closed behind the library's back. */
    (void)epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, &ev);
    (void)bgi_fetch_add_relaxed(&p->watched, (bgi_word)-1);
    bgi_store(&e->port, 0);
}

/* Without memory barriers of its own: the kernel's are in each of these calls. */
static int take_events(bgi_port *p, struct epoll_event *ev, int most,
                       const struct timespec *timeout)
{
    static bgi_atomic milliseconds = BGI_VALGRIND; /* 0 -> 1: before Linux 5.11. Relaxed */
    int n = -1;
    if (!bgi_load(&milliseconds)) {
        n = epoll_pwait2(p->fd, ev, most, timeout, NULL);
        /* Some filters of system calls forbid those they do not know. */
        if (bgi_unlikely(n < 0 && (errno == ENOSYS || errno == EPERM))) {
            bgi_store(&milliseconds, 1);
        }
    }
    if (bgi_unlikely(bgi_load(&milliseconds))) { /* and not earlier */
        int ms = timeout == NULL ? -1
                 : timeout->tv_sec >= 1000000
                     ? 1000000000
                     : (int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000);
        n = epoll_wait(p->fd, ev, most, ms);
    }
    return n < 0 ? 0 : n;
}

static size_t deliver(bgi_port *p, const struct epoll_event *ev, int n, bgi_worker *w, int own)
{
    bgi_wake_list l = {NULL, NULL};
    w->more = n == EVENTS; /* more is likely to be there */
    for (int i = 0; i < n; i++) {
        __builtin_prefetch(ev[i].data.ptr, 1);
    }
    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr != NULL) {
            bgi_ready_event(ev[i].data.ptr, ev[i].events, &l);
        } else if (!own) {
            (void)eventfd_write(p->bell, 1);
        }
    }
    return bgi_ready_wake(&l, w);
}

static void wait_in(bgi_driver *d, bgi_worker *w, bg_time deadline)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), w);
    struct epoll_event ev[EVENTS];
    struct timespec left, *timeout = NULL;
    int n = 0;

    if (bgi_load(&p->watched) == 0) {
        bgi_ec_wait(&w->node, deadline);
        return;
    }
    if (bgi_port_sleep(p, &w->node)) {
        if (deadline != BG_TIME_MAX) {
            bg_duration in = deadline - bgi_clock_now();
            in = in > 0 ? in : 0;
            left = (struct timespec){.tv_sec = in / BG_S, .tv_nsec = in % BG_S};
            timeout = &left;
        }
        n = take_events(p, ev, EVENTS, timeout);
    }
    bgi_port_awake(p, &w->node);
    (void)deliver(p, ev, n, w, 1);
}

static void wake(bgi_driver *d, bgi_worker *w)
{
    bgi_port_wake(bgi_port_of(bgi_io_of(d), w));
}

static size_t poll_once(bgi_port *p, bgi_worker *w, int own)
{
    static const struct timespec now = {0, 0};
    struct epoll_event ev[EVENTS];
    int room = (int)bgi_port_room(w) / 2; /* one event may wake two tasks */
    room = room < EVENTS ? room : EVENTS;
    return room == 0 ? 0 : deliver(p, ev, take_events(p, ev, room, &now), w, own);
}

static size_t poll_for(bgi_driver *d, bgi_worker *w, bgi_worker *of)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), of);
    if (bgi_load_acquire(&p->open) == 0 || bgi_load(&p->watched) == 0) {
        return 0;
    }
    if (w == of) {
        bg_time now = bgi_clock_rough();
        if (!w->more && now - p->polled < POLL_PAUSE && now >= p->polled) {
            return 0;
        }
        p->polled = now;
    }
    return poll_once(p, w, w == of);
}

static int pending(bgi_driver *d, bgi_worker *of)
{
    bgi_port *p = bgi_port_of(bgi_io_of(d), of);
    if (bgi_load_acquire(&p->open) == 0 || bgi_load(&p->watched) == 0) {
        return 0;
    }
    struct pollfd look = {p->fd, POLLIN, 0};
    return poll(&look, 1, 0) > 0;
}

static size_t play(bgi_driver *d, bgi_worker *w, int wait)
{
    bgi_io *io = bgi_io_of(d);
    bgi_port *p = &io->port[0];
    struct epoll_event ev[EVENTS];
    size_t sent = 0;
    if (bgi_load(&p->open) == 0) {
        return 0;
    }
    sent = poll_once(p, w, 1);
    while (sent == 0 && wait && io->waiting != 0) {
        sent = deliver(p, ev, take_events(p, ev, EVENTS, NULL), w, 1);
    }
    return sent;
}

const struct bgi_io_ops bgi_epoll_ops = {
    .driver = {"epoll", wait_in, wake, poll_for, pending, play},
    .watch = watch,
    .unwatch = unwatch,
    .close_port = close_port,
    .nonblocking = 1,
};

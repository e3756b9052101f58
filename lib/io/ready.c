#include "io/ready.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
               "one set of bits");

#define ODD_EVENTS (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)

/* READY, or the first who waits, taken out. */
static bgi_wait_node *give(bgi_waitq *q, bgi_word also)
{
    bgi_word s = bgi_waitq_enter(q) | also;
    bgi_wait_node *n = bgi_waitq_pop(q);
    bgi_waitq_leave(q, n != NULL ? s : s | BGI_READY);
    return n;
}

BGI_NOINLINE void bgi_ready_pass(bgi_waitq *q)
{
    bgi_word s = bgi_load(&q->word);
    while ((s & BGI_WAITQ_FLAGS) == 0) {
        if (bgi_cas_relaxed(&q->word, s, s | BGI_READY)) { /* it goes on with the event's release */
            return;
        }
        s = bgi_load(&q->word);
    }
    bgi_wait_node *n = give(q, 0);
    if (n != NULL) {
        bgi_waitq_wake(n);
    }
}

static void tell(bgi_waitq *q, uint32_t events, bgi_wake_list *l)
{
    bgi_word also = (events & ODD_EVENTS) != 0 ? BGI_ODD : 0;
    /* Who takes the READY that is there makes its call after this event. */
    if ((bgi_load(&q->word) & (BGI_READY | also)) == (BGI_READY | also)) {
        return;
    }
    bgi_wait_node *n = give(q, also);
    if (n != NULL) {
        __builtin_prefetch(n->waiter, 1);
        bgi_wake_list_add(l, n);
    }
}

/* All who wait in the list, told why. */
static void take_all(bgi_waitq *q, uintptr_t why, bgi_word keep, bgi_wake_list *l)
{
    bgi_wait_node *n;
    bgi_word s = bgi_waitq_enter(q);
    while ((n = bgi_waitq_pop(q)) != NULL) {
        n->info = why;
        bgi_wake_list_add(l, n);
    }
    bgi_waitq_leave(q, s & keep);
}

void bgi_ready_event(bgi_fd *e, uint32_t events, bgi_wake_list *l)
{
    if (events & (EPOLLIN | ODD_EVENTS)) {
        tell(&e->in, events, l);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        tell(&e->out, events & (EPOLLHUP | EPOLLERR), l);
    }
    /* Who came into the list before it looked, and looked before the event came, is seen here: the
     * kernel's locks are in between. */
    if (bgi_unlikely((bgi_load(&e->poll.word) & BGI_WAITQ_FLAGS) != 0)) {
        take_all(&e->poll, BGI_READY_SERVED, ~(bgi_word)0, l);
    }
}

size_t bgi_ready_wake(bgi_wake_list *l, bgi_worker *w)
{
    struct bgi_fifo woken;
    bgi_fifo_init(&woken);
    for (bgi_wait_node *n = l->first, *next; n != NULL; n = next) {
        bgi_waiter *waiter = n->waiter;
        next = n->prev; /* the node is gone after the signal */
        bgi_ready_signal(waiter, w, &woken);
    }
    return bgi_push_woken(w, &woken);
}

void bgi_ready_close(bgi_fd *e)
{
    bgi_wake_list l = {NULL, NULL};
    take_all(&e->in, BGI_READY_CLOSED, 0, &l);
    take_all(&e->out, BGI_READY_CLOSED, 0, &l);
    take_all(&e->poll, BGI_READY_CLOSED, 0, &l);
    bgi_wake_all(&l);
}

/* ---- poll(2) ---- */

BGI_NOINLINE int bgi_ready_look(int fd, short events, int timeout)
{
    struct pollfd p = {fd, events, 0};
    int r;
    do {
        r = poll(&p, 1, timeout);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : (p.revents & POLLNVAL) != 0 ? -EBADF : p.revents;
}

int bgi_ready_poll(bgi_fd *e, int fd, short events, bgi_word state, bgi_waiter *waiter,
                   const bgi_wait_site *site)
{
    for (;;) {
        bgi_wait_node node = {.info = BGI_READY_SERVED, .waiter = waiter};
        bgi_word s = bgi_waitq_enter(&e->poll);
        if (bgi_unlikely(!bgi_ready_same(e, state))) {
            bgi_waitq_leave(&e->poll, s);
            return -EBADF;
        }
        bgi_waitq_push(&e->poll, &node);
        bgi_waitq_leave(&e->poll, s);
        int found = bgi_ready_look(fd, events, 0);
        int r = 0;
        if (found != 0) {
            s = bgi_waitq_enter(&e->poll);
            int queued = bgi_wait_node_queued(&node);
            if (queued) {
                bgi_waitq_remove(&e->poll, &node);
            }
            bgi_waitq_leave(&e->poll, s);
            if (!queued) {
                bgi_waiter_await_signal(waiter);
            }
        } else {
            r = bgi_waitq_wait_left(&e->poll, &node, site, &s);
            if (r != 0) {
                bgi_waitq_leave(&e->poll, s);
            }
        }
        if (bgi_unlikely(node.info == BGI_READY_CLOSED)) {
            return -EBADF;
        }
        if (found != 0 || r != 0) {
            return found != 0 ? found : r;
        }
    }
}

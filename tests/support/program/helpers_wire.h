/*
 * Helpers (helpers_types.h): descriptors.
 *
 * Whatever the order of events: what was sent with success was received once, or is in the socket
 * in the end, and nothing else is; bytes arrive in order, and the end behind the last of them; and
 * in the end as many descriptors are open as before.
 */
#ifndef BGP_HELPERS_WIRE_H
#define BGP_HELPERS_WIRE_H

#include "helpers_chan.h"

/*@ begin_wires: wire_types */
/* Room for a few messages, so that senders wait. */
static inline void begin_wires(void)
{
    int little = 4096;
    for (int i = 0; i < WIRES; i++) {
        struct wire *w = &wires[i];
        CHECK(-1, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, w->end) == 0);
        CHECK(-1, setsockopt(w->end[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
    }
}

/*@ finish_wires: items, wire_types */
/* When all have ended: receives what is left. */
static inline void finish_wires(void)
{
    for (int i = 0; i < WIRES; i++) {
        struct wire *w = &wires[i];
        struct item item;
        ssize_t r;
        while ((r = bg_fd_recv(w->end[1], &item, sizeof item, MSG_DONTWAIT)) == sizeof item) {
            count_received(-1, &w->seen, &item);
        }
        CHECK(-1, r == -EAGAIN);
        CHECK(-1, load(&w->seen.sent) == load(&w->seen.received));
        CHECK(-1, load(&w->seen.sent_sum) == load(&w->seen.received_sum));
        CHECK(-1, bg_fd_close(w->end[0]) == 0 && bg_fd_close(w->end[1]) == 0);
    }
}

/*@ mail: wire_types, sending, waited */
static inline int mail(int t, int i, int only_try)
{
    struct wire *w = &wires[i];
    struct item item;
    ssize_t r;
    int failed = 0;
    draw_ticket(t, &w->seen, &item);
    if (only_try) {
        r = bg_fd_send(w->end[0], &item, sizeof item, MSG_DONTWAIT);
        CHECK(t, r == sizeof item || r == -EAGAIN);
    } else {
        int sure = before_wait(t);
        r = bg_fd_send(w->end[0], &item, sizeof item, 0);
        CHECK(t, r == sizeof item || r < 0);
        failed = after_wait(t, sure, r < 0 ? (int)r : 0);
    }
    if (r == sizeof item) {
        count_sent(&w->seen, &item);
    }
    return failed;
}

/*@ fetch: wire_types, receiving, waited */
static inline int fetch(int t, int i, int only_try)
{
    struct wire *w = &wires[i];
    struct item item = {0};
    ssize_t r;
    int failed = 0;
    if (only_try) {
        r = bg_fd_recv(w->end[1], &item, sizeof item, MSG_DONTWAIT);
        CHECK(t, r == sizeof item || r == -EAGAIN);
    } else {
        int sure = before_wait(t);
        r = bg_fd_recv(w->end[1], &item, sizeof item, 0);
        CHECK(t, r == sizeof item || r < 0);
        failed = after_wait(t, sure, r < 0 ? (int)r : 0);
    }
    if (r == sizeof item) {
        received(t, &w->seen, &item);
    } else {
        CHECK(t, item.check == 0);
    }
    return failed;
}

/*@ talker: await_own */
/* A task that writes n bytes, `piece` at a time, and closes its end. */
struct talker {
    int n, piece, sent, fd;
    bg_task *task;
    word ended;
};

static inline int talk(void *arg)
{
    struct talker *k = arg;
    unsigned char bytes[64];
    int r = 0;
    while (r == 0 && k->sent < k->n) {
        int size = k->n - k->sent < k->piece ? k->n - k->sent : k->piece;
        for (int i = 0; i < size; i++) {
            bytes[i] = (unsigned char)((k->sent + i) * 7);
        }
        ssize_t done = bg_write(k->fd, bytes, (size_t)size);
        CHECK(-1, done != 0 && done <= size);
        r = done < 0 ? (int)done : 0;
        k->sent += done < 0 ? 0 : (int)done;
    }
    CHECK(-1, r == 0 || r == -EPIPE || r == -ECONNRESET || r == -ECANCELED || r == -ETIMEDOUT);
    CHECK(-1, bg_fd_close(k->fd) == 0);
    store_release(&k->ended, 1);
    return r;
}

/*@ listen: talker, might_miss_it, waited */
/* Reads all that a task of its own writes to a pipe or a socket. */
static inline int listen_to(int t, int n, int piece, int socket)
{
    struct talker k = {.n = n, .piece = 1 + piece % 64};
    unsigned char bytes[48];
    int fd[2], got = 0, failed = 0, over = 0;
    if (might_miss_it(t) ||
        (socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) : pipe(fd)) != 0) {
        return 0; /* so many at a time are not allowed */
    }
    k.fd = fd[1];
    k.task = bg_spawn(talk, &k);
    CHECK(t, k.task != NULL);
    (void)add(&all_spawned, k.task != NULL);
    while (failed == 0 && !over) {
        int sure = before_wait(t);
        ssize_t r = bg_read(fd[0], bytes, sizeof bytes);
        failed = after_wait(t, sure, r < 0 ? (int)r : 0);
        for (ssize_t i = 0; i < r; i++) {
            CHECK(t, bytes[i] == (unsigned char)((got + i) * 7));
        }
        got += r < 0 ? 0 : (int)r;
        over = r == 0;
    }
    CHECK(t, bg_fd_close(fd[0]) == 0);
    int r = await_own(t, k.task, &k.ended);
    if (load(&k.ended) == 0) { /* it never began */
        CHECK(t, bg_fd_close(fd[1]) == 0);
    }
    CHECK(t, r == 0 || failed != 0 || load(&leaving) != 0);
    CHECK(t, got <= k.sent && (!over || got == k.sent) && (r != 0 || k.sent == n));
    return failed;
}

#endif

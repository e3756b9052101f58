/*
 * Sockets: connections, datagrams, descriptors that are passed along, half-closed and reset peers,
 * and what ends a wait for each.
 *
 * Labels: drivers valgrind
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "waits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 20 };

/* In every mode: with one worker and more, on the clock of the seed. */
static void in_all_modes(bg_fn fn)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        cr_assert_eq(bg_run(fn, NULL, .workers = workers), 0);
    }
    for (uint64_t seed = 1; seed <= 5; seed++) {
        cr_assert_eq(bg_run(fn, NULL, .seed = seed), 0);
    }
}

static int listen_somewhere(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_expect_eq(bind(fd, (struct sockaddr *)at, size), 0);
    cr_expect_eq(listen(fd, 128), 0);
    cr_expect_eq(getsockname(fd, (struct sockaddr *)at, &size), 0);
    return fd;
}

static int connect_to(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = bg_connect(fd, (const struct sockaddr *)at, sizeof *at);
    cr_expect_eq(r, 0);
    return fd;
}

/* ---- connections ---- */

static struct sockaddr_in address;
static int listener;

static int serve_one(void *arg)
{
    int fd = *(int *)arg;
    char text[7]; /* so that a message comes in pieces */
    ssize_t n;
    while ((n = bg_read(fd, text, sizeof text)) > 0) {
        cr_expect_eq(bg_write_all(fd, text, (size_t)n, NULL), 0);
    }
    cr_expect_eq(n, 0);
    return bg_fd_close(fd);
}

static int serve(void *arg)
{
    (void)arg;
    bg_group (g) {
        for (int i = 0; i < CONNECTIONS; i++) {
            struct sockaddr_in peer;
            socklen_t size = sizeof peer;
            int fd = bg_accept(listener, (struct sockaddr *)&peer, &size);
            cr_expect_geq(fd, 0);
            cr_expect_eq(size, sizeof peer);
            cr_expect_eq(peer.sin_family, AF_INET);
            cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
            cr_expect_eq(bg_group_spawn_with(&g, serve_one, int, fd), 0);
        }
    }
    return 0;
}

static int client(void *arg)
{
    static const char message[] = "a message of some length, and its end";
    char back[sizeof message];
    (void)arg;
    int fd = connect_to(&address);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(bg_fd_send(fd, message, sizeof message, 0), sizeof message);
        cr_expect_eq(bg_read_all(fd, back, sizeof back, NULL), sizeof back);
        cr_expect_str_eq(back, message);
    }
    cr_expect_eq(shutdown(fd, SHUT_WR), 0);
    cr_expect_eq(bg_fd_recv(fd, back, sizeof back, 0), 0);
    return bg_fd_close(fd);
}

static int connections(void *arg)
{
    (void)arg;
    listener = listen_somewhere(&address);
    bg_group (g) {
        cr_expect_eq(bg_group_spawn(&g, serve, NULL), 0);
        for (int i = 0; i < CONNECTIONS; i++) {
            cr_expect_eq(bg_group_spawn(&g, client, NULL), 0);
        }
    }
    return bg_fd_close(listener);
}

Test(sockets, connections_at_once)
{
    in_all_modes(connections);
}

/* ---- several who accept ---- */

static int accept_one(void *arg)
{
    (void)arg;
    int fd = bg_accept(listener, NULL, NULL);
    return fd < 0 ? fd : bg_fd_close(fd);
}

static int many_accept(void *arg)
{
    bg_task *t[CONNECTIONS];
    int fd[CONNECTIONS / 2], ended = 0, closed = 0;
    (void)arg;
    listener = listen_somewhere(&address);
    for (int i = 0; i < CONNECTIONS; i++) {
        t[i] = bg_spawn(accept_one, NULL);
    }
    for (int i = 0; i < CONNECTIONS / 2; i++) {
        fd[i] = connect_to(&address);
        char c;
        cr_expect_eq(bg_read(fd[i], &c, 1), 0, "one of them has accepted and closed it");
    }
    until_somebody_waits(listener);
    cr_expect_eq(bg_fd_close(listener), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        int r = bg_await(t[i]);
        cr_expect(r == 0 || r == -EBADF);
        ended += r == 0;
        closed += r == -EBADF;
    }
    for (int i = 0; i < CONNECTIONS / 2; i++) {
        cr_expect_eq(bg_fd_close(fd[i]), 0);
    }
    cr_expect_eq(ended, CONNECTIONS / 2);
    cr_expect_eq(closed, CONNECTIONS / 2);
    return 0;
}

Test(sockets, each_connection_to_one_of_those_who_accept)
{
    cr_assert_eq(bg_run(many_accept, NULL, .workers = 1, .spares = BG_NO_SPARES), 0);
    cr_assert_eq(bg_run(many_accept, NULL, .seed = 3), 0);
}

/* ---- refused, reset ---- */

static int refused(void *arg)
{
    char c = 0;
    (void)arg;
    listener = listen_somewhere(&address);
    int fd = connect_to(&address);
    int peer = bg_accept(listener, NULL, NULL);
    cr_expect_geq(peer, 0);
    /* Closed with data unread, or told to: the other side is reset. */
    struct linger at_once = {1, 0};
    cr_expect_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    cr_expect_eq(bg_fd_close(peer), 0);
    cr_expect_eq(bg_read(fd, &c, 1), -ECONNRESET);
    cr_expect_eq(bg_write(fd, &c, 1), -EPIPE);
    cr_expect_eq(bg_fd_close(fd), 0);
    cr_expect_eq(bg_fd_close(listener), 0);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bg_connect(fd, (struct sockaddr *)&address, sizeof address), -ECONNREFUSED);
    return bg_fd_close(fd);
}

Test(sockets, refused_and_reset)
{
    in_all_modes(refused);
}

/* ---- cancelled and timed out ---- */

static int wait_for(void *arg)
{
    int what = *(int *)arg;
    char big[65536] = {0};
    int r = 0;
    int fd = connect_to(&address);
    int peer = bg_accept(listener, NULL, NULL);
    struct iovec v = {big, sizeof big};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    cr_expect_geq(peer, 0);
    bg_timeout (2 * BG_MS) {
        switch (what) {
        case 0:
            r = (int)bg_read(fd, big, sizeof big);
            break;
        case 1:
            r = (int)bg_readv(fd, &v, 1);
            break;
        case 2:
            r = (int)bg_fd_recv(fd, big, sizeof big, 0);
            break;
        case 3:
            r = (int)bg_recvfrom(fd, big, sizeof big, 0, NULL, NULL);
            break;
        case 4:
            r = (int)bg_recvmsg(fd, &m, 0);
            break;
        case 5:
            r = bg_poll(fd, POLLIN | POLLRDHUP);
            break;
        case 6:
            r = bg_accept(listener, NULL, NULL);
            break;
        case 7:
            r = bg_write_all(fd, big, sizeof big, NULL);
            break;
        default:
            do {
                r = (int)(what == 8    ? bg_write(fd, big, sizeof big)
                          : what == 9  ? bg_writev(fd, &v, 1)
                          : what == 10 ? bg_fd_send(fd, big, sizeof big, 0)
                          : what == 11 ? bg_sendmsg(fd, &m, 0)
                                       : bg_sendto(fd, big, sizeof big, 0, NULL, 0));
            } while (r > 0);
        }
        while (what == 7 && r == 0) {
            r = bg_write_all(fd, big, sizeof big, NULL);
        }
    }
    cr_expect_eq(r, -ETIMEDOUT, "case %d gives %d", what, r);
    /* It can be used as before. */
    if (what < 6) {
        cr_expect_eq(bg_write(peer, "x", 1), 1);
        cr_expect_eq(bg_read(fd, big, sizeof big), 1);
        cr_expect_eq(big[0], 'x');
    }
    cr_expect_eq(bg_fd_close(peer), 0);
    return bg_fd_close(fd);
}

static int time_out_each(void *arg)
{
    (void)arg;
    listener = listen_somewhere(&address);
    for (int what = 0; what <= 12; what++) {
        cr_expect_eq(wait_for(&what), 0);
    }
    return bg_fd_close(listener);
}

Test(sockets, a_deadline_at_each_wait)
{
    in_all_modes(time_out_each);
}

/* An error that has been reported is over, though the events that came with it say nothing of an
 * end: who reads next waits. */
static int wait_after_an_error(void *arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char c;
    int r = 0;
    (void)arg;
    int gone = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bind(gone, (struct sockaddr *)&at, size), 0);
    cr_expect_eq(getsockname(gone, (struct sockaddr *)&at, &size), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bg_connect(fd, (struct sockaddr *)&at, size), 0);
    cr_expect_eq(bg_fd_close(gone), 0);
    bg_timeout (BG_MS) {
        r = (int)bg_read(fd, &c, 1); /* it is registered by now */
    }
    cr_expect_eq(r, -ETIMEDOUT);
    cr_expect_eq(bg_write(fd, "x", 1), 1);
    cr_expect_eq(bg_read(fd, &c, 1), -ECONNREFUSED);
    for (int i = 0; i < 3; i++) {
        bg_timeout (BG_MS) {
            r = (int)bg_read(fd, &c, 1);
        }
        cr_expect_eq(r, -ETIMEDOUT);
    }
    return bg_fd_close(fd);
}

Test(sockets, a_wait_after_an_error)
{
    in_all_modes(wait_after_an_error);
}

static int ends_cancelled(void *arg)
{
    char c;
    int fd = *(int *)arg;
    int r = (int)bg_read(fd, &c, 1);
    cr_expect_eq(r, -ECANCELED);
    cr_expect_eq(bg_poll(fd, POLLIN), -ECANCELED, "and so does the next wait");
    return r;
}

static int cancel_it(void *arg)
{
    int fd[2];
    char c = 0;
    (void)arg;
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    bg_task *t = bg_spawn(ends_cancelled, &fd[0]);
    until_somebody_waits(fd[0]);
    cr_expect_eq(bg_cancel(t), 0);
    cr_expect_eq(bg_await(t), -ECANCELED);
    cr_expect_eq(bg_write(fd[1], "y", 1), 1);
    cr_expect_eq(bg_read(fd[0], &c, 1), 1, "it is not lost with who was cancelled");
    cr_expect_eq(c, 'y');
    cr_expect_eq(bg_fd_close(fd[0]), 0);
    return bg_fd_close(fd[1]);
}

Test(sockets, a_cancelled_wait_takes_nothing)
{
    in_all_modes(cancel_it);
}

/* ---- a task that is to end ---- */

static int last_words(void *arg)
{
    const int *fd = arg;
    char c = 0;
    cr_expect_eq(bg_fd_send(fd[0], "1", 1, MSG_DONTWAIT), 1);
    (void)bg_cancel(bg_self());
    cr_expect_eq(bg_fd_send(fd[0], "2", 1, 0), -ECANCELED);
    cr_expect_eq(bg_fd_send(fd[0], "3", 1, MSG_DONTWAIT), 1);
    cr_expect_eq(bg_fd_recv(fd[1], &c, 1, 0), -ECANCELED);
    cr_expect_eq(bg_fd_recv(fd[1], &c, 1, MSG_DONTWAIT), 1);
    cr_expect_eq(c, '1');
    cr_expect_eq(bg_fd_recv(fd[1], &c, 1, MSG_DONTWAIT), 1);
    cr_expect_eq(c, '3');
    cr_expect_eq(bg_fd_recv(fd[1], &c, 1, MSG_DONTWAIT), -EAGAIN);
    return bg_cancelled();
}

static int main_last_words(void *arg)
{
    int fd[2];
    (void)arg;
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    cr_expect_eq(bg_await(bg_spawn(last_words, fd)), -ECANCELED);
    cr_expect_eq(bg_fd_close(fd[0]), 0);
    cr_expect_eq(bg_fd_close(fd[1]), 0);
    return 0;
}

Test(sockets, what_does_not_wait_is_not_cancelled)
{
    cr_assert_eq(bg_run(main_last_words, NULL), 0);
}

/* ---- datagrams, descriptors ---- */

static int datagrams(void *arg)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from;
    socklen_t size = sizeof at;
    char text[16];
    (void)arg;
    int a = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int b = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bind(a, (struct sockaddr *)&at, size), 0);
    cr_expect_eq(getsockname(a, (struct sockaddr *)&at, &size), 0);
    cr_expect_eq(bg_fd_recv(a, text, sizeof text, MSG_DONTWAIT), -EAGAIN);
    cr_expect_eq(bg_sendto(b, "one", 3, 0, (struct sockaddr *)&at, size), 3);
    cr_expect_eq(bg_connect(b, (struct sockaddr *)&at, size), 0);
    cr_expect_eq(bg_fd_send(b, "two", 3, 0), 3);
    cr_expect_eq(bg_fd_send(b, "", 0, 0), 0);
    size = sizeof from;
    cr_expect_eq(bg_recvfrom(a, text, sizeof text, 0, (struct sockaddr *)&from, &size), 3);
    cr_expect_eq(size, sizeof from);
    cr_expect_eq(memcmp(text, "one", 3), 0);
    cr_expect_eq(bg_read(a, text, sizeof text), 3);
    cr_expect_eq(memcmp(text, "two", 3), 0);
    cr_expect_eq(bg_fd_recv(a, text, sizeof text, 0), 0, "an empty one is one, too");
    cr_expect_eq(bg_fd_close(a), 0);
    return bg_fd_close(b);
}

Test(sockets, datagrams_keep_their_boundaries)
{
    in_all_modes(datagrams);
}

static int pass_descriptors(void *arg)
{
    int pair[2], tube[2];
    char byte = 'd', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    (void)arg;
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    cr_expect_eq(pipe2(tube, O_CLOEXEC), 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &tube[1], sizeof(int));
    cr_expect_eq(bg_sendmsg(pair[0], &m, 0), 1);
    memset(control, 0, sizeof control);
    byte = 0;
    cr_expect_eq(bg_recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC), 1);
    cr_expect_eq(byte, 'd');
    int copy = -1;
    c = CMSG_FIRSTHDR(&m);
    cr_expect(c != NULL && c->cmsg_type == SCM_RIGHTS);
    if (c != NULL) {
        memcpy(&copy, CMSG_DATA(c), sizeof copy);
    }
    cr_expect_eq(bg_write(copy, "z", 1), 1);
    cr_expect_eq(bg_read(tube[0], &byte, 1), 1);
    cr_expect_eq(byte, 'z');
    cr_expect_eq(bg_fd_close(copy), 0);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(bg_fd_close(pair[i]), 0);
        cr_expect_eq(bg_fd_close(tube[i]), 0);
    }
    return 0;
}

Test(sockets, descriptors_are_passed_on)
{
    in_all_modes(pass_descriptors);
}

/* A Unix socket whose queue is full cannot be waited for by the system: it is tried again. */
static int full_queue(void *arg)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t size = sizeof at.sun_family;
    int fd[3], r = 1;
    (void)arg;
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bind(l, (struct sockaddr *)&at, size), 0); /* a name of the system's choice */
    size = sizeof at;
    cr_expect_eq(getsockname(l, (struct sockaddr *)&at, &size), 0);
    cr_expect_eq(listen(l, 0), 0);
    for (int i = 0; i < 3; i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    cr_expect_eq(bg_connect(fd[0], (struct sockaddr *)&at, size), 0);
    bg_timeout (5 * BG_MS) {
        r = bg_connect(fd[1], (struct sockaddr *)&at, size);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    int peer = bg_accept(l, NULL, NULL);
    cr_expect_geq(peer, 0);
    cr_expect_eq(bg_connect(fd[2], (struct sockaddr *)&at, size), 0);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(bg_fd_close(fd[i]), 0);
    }
    cr_expect_eq(bg_fd_close(peer), 0);
    return bg_fd_close(l);
}

Test(sockets, a_full_queue_of_a_unix_socket)
{
    in_all_modes(full_queue);
}

/*
 * All answers wait equally long, so that those that are due are first in a queue in the order of
 * the requests. Timeouts of epoll are rounded up: an answer is late by up to a millisecond, never
 * early.
 *
 * Connections may come ten thousand at once, more than one socket's queue holds (SOMAXCONN, 4096 by
 * default; what overflows comes a second later): LISTENERS sockets share the port. The client
 * closes first; the server then resets the connection, which leaves none of the client's ports in
 * TIME_WAIT.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 8, EVENTS = 512, KEPT = 128, MOST = 24000, TABLE = 1 << 16 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 12\r\n\r\nhello, world";

struct connection {
    unsigned char matched; /* bytes seen of the blank line that ends a request */
    bool asked;
    bool gone; /* the client closed before it was answered */
    bool listens;
};

struct due {
    int64_t at;
    int fd;
};

struct loop {
    int poller;
    int64_t latency;
    struct connection of[TABLE]; /* by descriptor */
    struct due queue[TABLE];     /* a ring; each connection has one request under way at most */
    size_t head, tail;
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

size_t server_most_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    if (limit.rlim_cur <= KEPT)
        return 0;
    return limit.rlim_cur - KEPT < MOST ? (size_t)limit.rlim_cur - KEPT : MOST;
}

static int listen_on(int *port)
{
    int one = 1, rc = 0;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        rc = -errno;
    *port = ntohs(a.sin_port);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

static void accept_all(struct loop *l, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (fd >= TABLE || epoll_ctl(l->poller, EPOLL_CTL_ADD, fd, &e) < 0) {
            close(fd);
            continue;
        }
        l->of[fd] = (struct connection){0};
    }
}

static void hear(struct loop *l, int fd)
{
    static const char end[] = "\r\n\r\n";
    char buffer[1024];
    struct connection *c = &l->of[fd];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (!c->asked) { /* else the answer that is due closes it */
            close(fd);
            return;
        }
        c->gone = true;
        epoll_ctl(l->poller, EPOLL_CTL_DEL, fd, NULL);
        return;
    }
    for (ssize_t i = 0; i < n && !c->asked; i++) {
        c->matched = buffer[i] == end[c->matched] ? (unsigned char)(c->matched + 1)
                     : buffer[i] == '\r'          ? 1
                                                  : 0;
        if (c->matched == sizeof end - 1) {
            c->asked = true;
            c->matched = 0;
            l->queue[l->tail++ % TABLE] = (struct due){now_ns() + l->latency, fd};
        }
    }
}

/* Sends what is due; the milliseconds until there is more, or -1. */
static int answer_due(struct loop *l)
{
    while (l->head != l->tail) {
        struct due *d = &l->queue[l->head % TABLE];
        int64_t left = d->at - now_ns();
        if (left > 0)
            return (int)((left + 999999) / 1000000);
        l->head++;
        l->of[d->fd].asked = false;
        if (l->of[d->fd].gone ||
            send(d->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) != (ssize_t)sizeof answer - 1)
            close(d->fd);
    }
    return -1;
}

static void serve(struct loop *l, const int listener[LISTENERS])
{
    static struct epoll_event events[EVENTS];
    l->poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < LISTENERS; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = listener[i]};
        l->of[listener[i]].listens = true;
        if (epoll_ctl(l->poller, EPOLL_CTL_ADD, listener[i], &e) < 0)
            return;
    }
    int timeout = -1;
    for (;;) {
        int n = epoll_wait(l->poller, events, EVENTS, timeout);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (l->of[fd].listens)
                accept_all(l, fd);
            else
                hear(l, fd);
        }
        timeout = answer_due(l);
    }
}

int server_start(struct server *s, int64_t latency_ns)
{
    int listener[LISTENERS], n = 0, port = 0, rc = 0;
    struct loop *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    l->latency = latency_ns;
    while (n < LISTENERS && rc >= 0) {
        rc = listen_on(&port);
        if (rc >= 0)
            listener[n++] = rc;
    }
    pid_t self = getpid(), pid = rc < 0 ? -1 : fork();
    if (pid == 0) {
        setpgid(0, 0); /* Ctrl-C is for the program, which ends this one */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == self)
            serve(l, listener);
        _exit(1);
    }
    if (pid < 0 && rc >= 0)
        rc = -errno;
    for (int i = 0; i < n; i++)
        close(listener[i]);
    free(l);
    if (rc < 0)
        return rc;
    setpgid(pid, pid);
    *s = (struct server){pid, port};
    return 0;
}

void server_stop(struct server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    s->pid = 0;
}

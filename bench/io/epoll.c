/*
 * The raw loop: one thread, epoll, what is read is sent back at once. Edge-triggered, and one recv
 * an event: a short one has taken all there was (edge=0: level-triggered, which costs the same).
 */
#define _GNU_SOURCE
#include "serve.h"

#include <fcntl.h>
#include <sys/epoll.h>

enum { EVENTS = 512, LARGEST = 4096 };

static void accept_all(int poller, int listener, uint32_t how)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        io_no_delay(fd);
        struct epoll_event e = {.events = EPOLLIN | how, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e))
            close(fd);
    }
}

static void echo(int fd)
{
    char buffer[LARGEST];
    ssize_t n;
    do {
        n = recv(fd, buffer, sizeof buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN) ||
            (n > 0 && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)) {
            close(fd); /* it may not take it all: no client of this benchmark is that slow */
            return;
        }
    } while (n == LARGEST);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("epoll, a loop in C\n");
        return BM_OK;
    }
    if (argc < 2 || strcmp(argv[1], "echo"))
        return BM_CANNOT;
    uint32_t how = bm_arg(argc, argv, "edge", 1) ? (uint32_t)EPOLLET : 0;
    static struct epoll_event events[EVENTS];
    int listener = io_listen(), poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || fcntl(listener, F_SETFL, O_NONBLOCK) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e))
        return BM_FAILED;
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(poller, listener, how);
            else
                echo(events[i].data.fd);
        }
    }
}

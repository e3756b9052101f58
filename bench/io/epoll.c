/*
 * The raw loop: epoll, what is read is sent back at once. One thread; or with workers=N as many,
 * which are dealt the connections in turn by the first and share nothing. Edge-triggered, and one
 * recv an event: a short one has taken all there was (edge=0: level-triggered, which costs the
 * same).
 */
#define _GNU_SOURCE
#include "serve.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>

enum { EVENTS = 512, LARGEST = 4096, THREADS = 64 };

static int pollers[THREADS], threads, listener;

static void accept_all(uint32_t how)
{
    static int turn;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        io_no_delay(fd);
        struct epoll_event e = {.events = EPOLLIN | how, .data.fd = fd};
        if (epoll_ctl(pollers[turn++ % threads], EPOLL_CTL_ADD, fd, &e))
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

static uint32_t how; /* connections are registered */

static void *loop(void *poller)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(*(int *)poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(how);
            else
                echo(events[i].data.fd);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("epoll, a loop in C\n");
        return BM_OK;
    }
    int64_t n = bm_arg(argc, argv, "workers", 1);
    if (argc < 2 || strcmp(argv[1], "echo") || n < 1 || n > THREADS)
        return BM_CANNOT;
    how = bm_arg(argc, argv, "edge", 1) ? (uint32_t)EPOLLET : 0;
    listener = io_listen();
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || fcntl(listener, F_SETFL, O_NONBLOCK))
        return BM_FAILED;
    for (threads = 0; threads < n; threads++) {
        pollers[threads] = epoll_create1(EPOLL_CLOEXEC);
        pthread_t t;
        if (pollers[threads] < 0 ||
            (threads > 0 && pthread_create(&t, NULL, loop, &pollers[threads])))
            return BM_FAILED;
    }
    if (epoll_ctl(pollers[0], EPOLL_CTL_ADD, listener, &e))
        return BM_FAILED;
    loop(&pollers[0]);
}

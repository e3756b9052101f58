#define _GNU_SOURCE

#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool parse_number(const char *text, long least, long most, long *n)
{
    char *end;
    errno = 0;
    *n = strtol(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *n >= least && *n <= most;
}

struct waiting {
    struct server *server;
    int listener;
    sigset_t signals;
};

/* Waits for a signal, and closes the listener, which ends bg_serve. 0 when it has done so. */
static int stop_at_signal(void *arg)
{
    struct waiting *w = arg;
    struct signalfd_siginfo info;
    int fd = signalfd(-1, &w->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    ssize_t n = bg_read(fd, &info, sizeof info);
    (void)bg_fd_close(fd);
    if (n < 0) {
        return (int)n;
    }
    (void)bg_event_set(&w->server->stopping);
    return bg_fd_close(w->listener);
}

static int serve(void *arg)
{
    struct waiting *w = arg;
    struct server *server = w->server;
    char port[32];
    bg_address address;

    (void)snprintf(port, sizeof port, "%ld", server->port);
    w->listener = bg_tcp_listen("127.0.0.1", port, 1024);
    if (w->listener < 0) {
        return w->listener;
    }
    if (bg_local_address(w->listener, &address) == 0) {
        printf("listening on 127.0.0.1:%d\n", bg_address_port(&address));
        (void)fflush(stdout);
    }
    bg_task *stop = bg_spawn(stop_at_signal, w, .name = "stop");
    int rc = bg_serve(w->listener, server->connection, NULL, .limit = (size_t)server->limit,
                      .drain = DRAIN);
    bg_cancel(stop);
    if (bg_await(stop) != 0) {
        (void)bg_fd_close(w->listener);
    }
    return rc;
}

int run_server(struct server *server)
{
    struct waiting w = {.server = server};
    /* Blocked here, and so in all threads that are still to come: it is read as from a file. */
    (void)sigemptyset(&w.signals);
    (void)sigaddset(&w.signals, SIGINT);
    (void)sigaddset(&w.signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &w.signals, NULL);

    int rc = bg_run(serve, &w, .workers = (unsigned)server->workers);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: port %ld: %s\n", server->name, server->port, bg_strerror(rc));
    }
    return rc < 0;
}

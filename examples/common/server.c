#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

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
    bg_signals *signals;
};

/* Waits for a signal, and closes the listener, which ends bg_serve. 0 when it has done so. */
static int stop_at_signal(void *arg)
{
    struct waiting *w = arg;
    int rc = bg_signals_next(w->signals);
    if (rc < 0) {
        return rc;
    }
    (void)bg_event_set(&w->server->stopping);
    return bg_fd_close(w->listener);
}

static int serve_until_signal(struct waiting *w)
{
    struct server *server = w->server;
    bg_address address;
    char port[32];

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
        return rc;
    }
    return rc == -EBADF ? 0 : rc; /* the signal came before bg_serve had looked at the listener */
}

static int serve(void *arg)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct waiting w = {.server = arg};
    int rc = bg_signals_open(&w.signals, signals, 2);
    if (rc == 0) {
        rc = serve_until_signal(&w);
        bg_signals_close(w.signals);
    }
    return rc;
}

int run_server(struct server *server)
{
    int rc = bg_run(serve, server, .workers = (unsigned)server->workers);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: port %ld: %s\n", server->name, server->port, bg_strerror(rc));
    }
    return rc < 0;
}

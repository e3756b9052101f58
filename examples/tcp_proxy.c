/*
 * A TCP proxy: what comes in on one port goes out to another place, and back.
 *
 *     tcp_proxy [--port N] [--limit N] [--idle SECONDS] [--copy] HOST PORT
 *
 * Listens on 127.0.0.1, port N (0, the default: one that is free), and says on which. At most
 * --limit connections at once (1000); others wait in the queue of the system. Data go through a
 * pipe in the kernel (splice), with --copy through the program (read and write). SIGINT and SIGTERM
 * end it.
 *
 * A connection is two streams that know nothing of each other, so it is two tasks, each a loop:
 * read here, write there. What there is to say is how they end:
 *   - One side says that it will send no more: its stream ends, the other side is told so, and the
 *     other stream goes on. That is a half-closed connection; when both have ended it is over.
 *   - Something fails, a reset, say: as the two are of one group, the failure of one cancels the
 *     other, and both sides are closed by a reset, so that nobody takes what has come for all.
 *   - Nothing has moved for --idle seconds (300), or twice that at the most: likewise.
 * A stream holds no more than a pipe, or a buffer. When a side does not take what it is sent, the
 * stream waits, and so does, in the end, who sends: nothing piles up here.
 */
#define _GNU_SOURCE

#include "common/server.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTION = 65536, BUFFER = 16384 };

static struct {
    const char *host, *port; /* where to */
    long idle;
    int copy;
} proxy = {.idle = 300};

struct connection {
    bg_event moved; /* something has, since it was last looked at */
    bg_latch open;  /* streams that have not ended */
};

struct stream {
    struct connection *connection;
    int from, to;
};

/* -- a stream ---------------------------------------------------------------------------------- */

static int carry_by_copy(const struct stream *s)
{
    char buffer[BUFFER];
    ssize_t n;
    while ((n = bg_read(s->from, buffer, sizeof buffer)) > 0) {
        int rc = bg_write_all(s->to, buffer, (size_t)n, NULL);
        if (rc < 0) {
            return rc;
        }
        (void)bg_event_set(&s->connection->moved);
    }
    return (int)n;
}

/* What is in the pipe when a wait is cancelled is lost, and with it the connection. */
static int carry_by_splice(const struct stream *s, const int pipe[2])
{
    ssize_t n;
    while ((n = bg_splice(s->from, NULL, pipe[1], NULL, PORTION, SPLICE_F_MOVE)) > 0) {
        while (n > 0) {
            ssize_t out = bg_splice(pipe[0], NULL, s->to, NULL, (size_t)n, SPLICE_F_MOVE);
            if (out <= 0) {
                return out < 0 ? (int)out : -EPIPE;
            }
            n -= out;
        }
        (void)bg_event_set(&s->connection->moved);
    }
    return (int)n;
}

static int carry(void *arg)
{
    const struct stream *s = arg;
    int pipe[2], rc;
    if (!proxy.copy && pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0) {
        rc = carry_by_splice(s, pipe);
        (void)bg_fd_close(pipe[0]);
        (void)bg_fd_close(pipe[1]);
    } else {
        rc = carry_by_copy(s);
    }
    if (rc == 0 && shutdown(s->to, SHUT_WR) < 0) {
        rc = -errno;
    }
    (void)bg_latch_count_down(&s->connection->open, 1);
    return rc;
}

/* -- a connection ------------------------------------------------------------------------------ */

/* Until both streams have ended, or one has failed, or nothing moves. */
static int watch(struct connection *c)
{
    int rc;
    do {
        (void)bg_event_clear(&c->moved);
        bg_timeout (proxy.idle *BG_S) {
            rc = bg_latch_wait(&c->open);
        }
    } while (rc == -ETIMEDOUT && bg_event_is_set(&c->moved));
    return rc;
}

static int carry_both(int client, int target)
{
    struct connection c = {.moved = BG_EVENT_INIT, .open = BG_LATCH_INIT(2)};
    bg_failure
        both[2]; /* when one fails the other one often does: that is no news to be reported */
    int rc = 0;
    bg_group (g, .result = &rc, .failures = both, .max_failures = 2) {
        (void)bg_group_spawn_with(&g, carry, struct stream, &c, client, target);
        (void)bg_group_spawn_with(&g, carry, struct stream, &c, target, client);
        if (watch(&c) < 0) {
            (void)bg_group_cancel(&g);
        }
    }
    return rc;
}

/* From now on, closing it is a reset. */
static void no_goodbye(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static int serve(int client, void *unused)
{
    (void)unused;
    int target = bg_tcp_connect(proxy.host, proxy.port);
    if (target < 0) {
        (void)fprintf(stderr, "tcp_proxy: %s port %s: %s\n", proxy.host, proxy.port,
                      bg_strerror(target));
        no_goodbye(client);
        return 0;
    }
    if (carry_both(client, target) < 0) {
        no_goodbye(client);
        no_goodbye(target);
    }
    (void)bg_fd_close(target);
    return 0; /* what becomes of one connection is no failure of the proxy */
}

/* -- the proxy --------------------------------------------------------------------------------- */

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"limit", required_argument, NULL, 'l'},
        {"idle", required_argument, NULL, 'i'},
        {"copy", no_argument, &proxy.copy, 1},
        {NULL, 0, NULL, 0},
    };
    struct server server = {
        .name = "tcp_proxy", .limit = 1000, .connection = serve, .stopping = BG_EVENT_INIT};
    bool good = true;
    int option;
    opterr = 0; /* the usage line says enough */
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 0:
            break;
        case 'p':
            good = parse_number(optarg, 0, 65535, &server.port);
            break;
        case 'l':
            good = parse_number(optarg, 1, 1000000, &server.limit);
            break;
        case 'i':
            good = parse_number(optarg, 1, 1000000, &proxy.idle);
            break;
        default:
            good = false;
        }
    }
    if (!good || optind != argc - 2) {
        (void)fprintf(stderr, "usage: tcp_proxy [--port N] [--limit N] [--idle SECONDS] [--copy] "
                              "HOST PORT\n");
        return 2;
    }
    proxy.host = argv[optind];
    proxy.port = argv[optind + 1];
    return run_server(&server);
}

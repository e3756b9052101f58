/*
 * Two ends of a TLS connection within one process.
 */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "../io/net.h"
#include "../io/waits.h"
#include "certs.h"

#include <brigade/tls.h>

static struct certs certs;

/* Before and after each test: certificates, and no descriptor is left. */
static int descriptors;

static inline void begin(void)
{
    cr_assert_eq(certs_make(&certs), 0);
    descriptors = open_descriptors();
}

static inline void end(void)
{
    certs_remove(&certs);
    NO_CHECK_FAILED();
    cr_assert_eq(open_descriptors(), descriptors);
}

/* One side of a handshake, as a task. */
struct side {
    bg_tls_context *context;
    int fd;
    const char *host; /* NULL: it is the server's */
    bg_stream *stream;
    char error[200];
    int result;
};

static inline int shake(void *arg)
{
    struct side *s = arg;
    s->result = s->host == NULL ? bg_tls_server(&s->stream, s->context, s->fd, .error = s->error,
                                                .error_size = sizeof s->error)
                                : bg_tls_client(&s->stream, s->context, s->fd, s->host,
                                                .error = s->error, .error_size = sizeof s->error);
    return 0;
}

struct two {
    struct side client, server;
};

/* Both sides shake hands over the two descriptors; a side that fails closes its own, as does
 * the server where the client has failed after it was done. */
static inline void two_shake(struct two *t, bg_tls_context *client, int client_fd, const char *host,
                             bg_tls_context *server, int server_fd)
{
    memset(t, 0, sizeof *t);
    t->client = (struct side){.context = client, .fd = client_fd, .host = host};
    t->server = (struct side){.context = server, .fd = server_fd};
    bg_task *task = bg_spawn(shake, &t->server);
    (void)shake(&t->client);
    if (t->client.result != 0) {
        CHECK(bg_fd_close(client_fd) == 0);
    }
    CHECK(bg_await(task) == 0);
    if (t->server.result != 0) {
        CHECK(bg_fd_close(server_fd) == 0);
    }
}

static inline void two_over_socketpair(struct two *t, bg_tls_context *client, const char *host,
                                       bg_tls_context *server)
{
    int fd[2];
    CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
    two_shake(t, client, fd[0], host, server, fd[1]);
}

/* The usual: a client that trusts the authority, a server with the good certificate. */
struct pair {
    bg_tls_context *client, *server;
    bg_stream *c, *s;
};

static inline void pair_contexts(struct pair *p, int version)
{
    CHECK(bg_tls_context_create(&p->client, .ca_file = certs.ca, .min_version = version) == 0);
    CHECK(bg_tls_context_create(&p->server, .server = 1, .cert_file = certs.good) == 0);
}

static inline void pair_over(struct pair *p, int client_fd, int server_fd)
{
    struct two t;
    pair_contexts(p, 0);
    two_shake(&t, p->client, client_fd, "good.test", p->server, server_fd);
    CHECK(t.client.result == 0);
    CHECK(t.server.result == 0);
    p->c = t.client.stream;
    p->s = t.server.stream;
    bg_tls_context_free(p->client); /* the streams live on */
    bg_tls_context_free(p->server);
}

static inline void pair_open(struct pair *p)
{
    int fd[2];
    CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
    pair_over(p, fd[0], fd[1]);
}

static inline void pair_close(struct pair *p)
{
    CHECK(bg_stream_close(p->c) == 0);
    CHECK(bg_stream_close(p->s) == 0);
}

static inline int says(bg_stream *s, const char *text)
{
    return bg_stream_write(s, text, strlen(text)) == 0 && bg_stream_flush(s) == 0;
}

static inline int hears(bg_stream *s, const char *text)
{
    char b[256];
    size_t n = strlen(text);
    return bg_stream_read_exactly(s, b, n) == 0 && memcmp(b, text, n) == 0;
}

#endif
